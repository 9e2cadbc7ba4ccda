//! Where the input comes from.

use super::files::Files;
use super::template::Template;
use super::{BLOCK_BYTES, Form, KeyFrom};
use crate::model::{Problem, Result};
use crate::spool::InputProgress;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Where messages come from.
pub struct Source {
    pub(super) supply: Supply,
    /// What the user calls it.
    pub name: String,
}

pub(super) enum Supply {
    /// A sequence of bytes.
    Bytes(Bytes),
    /// Each file is a message.
    Files(Files),
    /// Made here.
    Template(Template),
}

pub(super) struct Bytes {
    pub(super) reader: Box<dyn Read + Send>,
    /// Of a file: how far it was accepted before.
    pub(super) resume: Option<InputProgress>,
    /// The hash of what was accepted before.
    pub(super) hasher: Sha256,
    /// The first bytes, when what comes next is not the beginning.
    pub(super) beginning: Option<File>,
}

impl Source {
    /// A stream, such as standard input.
    pub fn stream(name: &str, reader: Box<dyn Read + Send>) -> Source {
        let bytes = Bytes {
            reader,
            resume: None,
            hasher: Sha256::new(),
            beginning: None,
        };
        Source {
            supply: Supply::Bytes(bytes),
            name: name.to_owned(),
        }
    }

    /// Whole files, each of them one message. They are opened when it is their turn; one that cannot be read is rejected.
    pub fn files(paths: Vec<PathBuf>, key: KeyFrom) -> Source {
        Source {
            name: match paths.as_slice() {
                [one] => one.display().to_string(),
                many => format!("{} files", many.len()),
            },
            supply: Supply::Files(Files::new(paths, key)),
        }
    }

    /// Messages for a test, made here.
    pub fn template(template: Template) -> Source {
        Source {
            supply: Supply::Template(template),
            name: "template".to_owned(),
        }
    }

    /// A file from its start, or after what was accepted of it before. A pipe or device with a path is read as a stream.
    ///
    /// # Errors
    /// A usage problem when it cannot be opened, or is no longer the file whose first bytes were accepted.
    pub fn file(path: &Path, form: &Form, before: Option<InputProgress>) -> Result<Source> {
        let name = path.display().to_string();
        let cannot = |e: io::Error| Problem::usage(format!("cannot read {name}")).because(e);
        let mut file = File::open(path).map_err(|e| cannot(e).next("check the path; - reads standard input"))?;
        let meta = file.metadata().map_err(cannot)?;
        if meta.is_dir() {
            return Err(Problem::usage(format!("{name} is a directory")).next("give a file, or - for standard input"));
        }
        if !meta.is_file() {
            return Ok(Source::stream(&name, Box::new(file)));
        }
        let canonical = path.canonicalize().map_err(cannot)?;
        let mut progress = InputProgress {
            path: std::os::unix::ffi::OsStrExt::as_bytes(canonical.as_os_str()).to_vec(),
            offset: 0,
            lines: 0,
            size: meta.len(),
            prefix_sha256: [0; 32],
        };
        let (mut hasher, mut beginning) = (Sha256::new(), None);
        if let Some(before) = before {
            hasher = same_beginning(&file, &name, meta.len(), form, &before)?;
            file.seek(SeekFrom::Start(before.offset)).map_err(cannot)?;
            (progress.offset, progress.lines) = (before.offset, before.lines);
            if matches!(form, Form::Table(_)) && before.offset > 0 {
                // A handle of its own: the header is read again while the other one stands where it goes on.
                beginning = Some(File::open(path).map_err(cannot)?);
            }
        }
        Ok(Source {
            supply: Supply::Bytes(Bytes {
                reader: Box::new(file),
                resume: Some(progress),
                hasher,
                beginning,
            }),
            name,
        })
    }
}

/// Reads the accepted part again and compares; returns the hash state to go on with.
fn same_beginning(file: &File, name: &str, size: u64, form: &Form, before: &InputProgress) -> Result<Sha256> {
    let changed = |why: String| {
        Problem::usage(format!("{name} is not the file that was being sent"))
            .because(why)
            .next("send it as new input without --resume, after `mqsafe spool flush` for what still waits")
    };
    if size < before.offset {
        return Err(changed(format!(
            "{} bytes of it were accepted and it has {size}",
            before.offset
        )));
    }
    let (hasher, tail) = hash(file, before.offset).map_err(|e| changed(e.to_string()))?;
    if hasher.clone().finalize().as_slice() != before.prefix_sha256 {
        return Err(changed(format!("its first {} bytes have changed", before.offset)));
    }
    let ended = match form {
        Form::Text { end, .. } => tail.ends_with(end),
        Form::Records => tail.ends_with(b"\n"),
        Form::Table(_) => tail.ends_with(b"\n") || tail.ends_with(b"\r"),
    };
    if !ended && before.offset > 0 && size > before.offset {
        return Err(changed(format!(
            "line {} was accepted as its last line, and it has grown in the middle of that line",
            before.lines
        )));
    }
    Ok(hasher)
}

/// The longest end of a message that is looked for at the end of what was accepted.
pub(super) const MOST_END_BYTES: usize = 1024;

/// The hash of a file's first bytes, and the last few of them.
fn hash(file: &File, bytes: u64) -> io::Result<(Sha256, Vec<u8>)> {
    let (mut hasher, mut tail, mut left) = (Sha256::new(), Vec::new(), bytes);
    let mut reader = BufReader::with_capacity(BLOCK_BYTES, file);
    let mut block = vec![0; BLOCK_BYTES];
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        let got = reader.read(&mut block[..want])?;
        if got == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it became shorter while it was read",
            ));
        }
        hasher.update(&block[..got]);
        tail.extend_from_slice(&block[got.saturating_sub(MOST_END_BYTES)..got]);
        tail.drain(..tail.len().saturating_sub(MOST_END_BYTES));
        left -= got as u64;
    }
    Ok((hasher, tail))
}

/// The SHA-256 of a file's first bytes.
///
/// # Errors
/// When it cannot be read, or is shorter.
pub fn beginning_sha256(path: &Path, bytes: u64) -> io::Result<[u8; 32]> {
    let (hasher, _) = hash(&File::open(path)?, bytes)?;
    Ok(hasher.finalize().into())
}
