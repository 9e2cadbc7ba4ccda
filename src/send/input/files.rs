//! Whole files as messages.

use super::draft::Draft;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What the key of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFrom {
    /// None of its own.
    Nothing,
    /// The last part of its path.
    Name,
}

/// The files, in their order.
pub(super) struct Files {
    pub(super) paths: Vec<PathBuf>,
    key: KeyFrom,
}

impl Files {
    pub(super) fn new(paths: Vec<PathBuf>, key: KeyFrom) -> Files {
        Files { paths, key }
    }

    /// One file to one message.
    pub(super) fn read(&self, path: &Path, draft: &mut Draft, max: usize) {
        if !draft.begin() {
            return;
        }
        let start = draft.chunk.data.len();
        if let Err(reason) = append(path, draft, max) {
            draft.chunk.data.truncate(start);
            return draft.reject(reason);
        }
        let value = start..draft.chunk.data.len();
        let name = path.file_name().map_or(path.as_os_str(), |name| name);
        let key = match self.key {
            KeyFrom::Nothing => None,
            KeyFrom::Name => Some(draft.append(name.as_bytes())),
        };
        draft.push(start, key, value, None);
    }
}

fn append(path: &Path, draft: &mut Draft, max: usize) -> Result<(), String> {
    let cannot = |e: std::io::Error| format!("{} cannot be read: {e}", path.display());
    let file = File::open(path).map_err(cannot)?;
    let meta = file.metadata().map_err(cannot)?;
    if meta.is_dir() {
        return Err(format!("{} is a directory", path.display()));
    }
    let too_long = |length: u64| {
        format!(
            "{} has {length} bytes, more than {max}; split it or raise --max-message-bytes",
            path.display()
        )
    };
    if meta.len() > max as u64 {
        return Err(too_long(meta.len()));
    }
    // A file that grows meanwhile, or one without a size, is not held beyond the limit either.
    let read = file
        .take(max as u64 + 1)
        .read_to_end(&mut draft.chunk.data)
        .map_err(cannot)?;
    if read > max { Err(too_long(read as u64)) } else { Ok(()) }
}
