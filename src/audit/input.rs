//! Which files: those that were named, and those below a directory that was.

use super::read;
use super::report::ReadError;
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest file that is read. A definitions file of this size describes some hundred thousand queues.
pub(super) const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// A file to look into.
pub(super) struct Input {
    pub path: PathBuf,
    /// As it is shown.
    pub name: Arc<str>,
    /// Whether it was named, and not found on a walk.
    pub named: bool,
}

/// What the paths came to.
#[derive(Default)]
pub(super) struct Inputs {
    pub files: Vec<Input>,
    pub errors: Vec<ReadError>,
    /// Files that a walk did not open, because no reader knows their kind.
    pub not_opened: usize,
    seen: HashSet<PathBuf>,
    /// The directory of the last file and what it is really called: files come by directory.
    directory: Option<(PathBuf, PathBuf)>,
}

/// A path as it is shown. What is found below `.` is shown without it, as a report is read from where it was made.
fn shown(path: &Path) -> Arc<str> {
    let bare = path.strip_prefix(".").ok().filter(|rest| !rest.as_os_str().is_empty());
    Arc::from(bare.unwrap_or(path).to_string_lossy().as_ref())
}

/// Resolves paths to files, each once, however often it is reached.
pub(super) fn collect(paths: &[PathBuf]) -> Inputs {
    let mut inputs = Inputs::default();
    let (dirs, files): (Vec<_>, Vec<_>) = paths.iter().partition(|p| p.is_dir());
    // Files first: what is named stays named even when a directory given beside it holds it too.
    for path in files {
        match std::fs::metadata(path) {
            // A name that is given may be a link itself.
            Ok(_) => inputs.add(path.clone(), true, true),
            Err(e) => inputs.error(path, e),
        }
    }
    for dir in dirs {
        inputs.walk(dir);
    }
    inputs.seen = HashSet::new();
    inputs.files.shrink_to_fit();
    inputs
}

impl Inputs {
    fn add(&mut self, path: PathBuf, named: bool, is_link: bool) {
        let identity = self.identity(&path, is_link);
        if self.seen.insert(identity) {
            self.files.push(Input {
                name: shown(&path),
                path,
                named,
            });
        }
    }

    /// What a file is really called, whatever way led to it.
    fn identity(&mut self, path: &Path, is_link: bool) -> PathBuf {
        let (Some(directory), Some(name), false) = (path.parent(), path.file_name(), is_link) else {
            return path.canonicalize().unwrap_or_else(|_| path.to_owned());
        };
        if self.directory.as_ref().is_none_or(|(known, _)| known != directory) {
            let here = if directory.as_os_str().is_empty() {
                Path::new(".")
            } else {
                directory
            };
            let real = here.canonicalize().unwrap_or_else(|_| directory.to_owned());
            self.directory = Some((directory.to_owned(), real));
        }
        let real = self.directory.as_ref().map(|(_, real)| real.join(name));
        real.unwrap_or_else(|| path.to_owned())
    }

    fn error(&mut self, path: &Path, why: impl std::fmt::Display) {
        self.errors.push(ReadError {
            file: shown(path),
            spot: None,
            what: why.to_string(),
        });
    }

    fn walk(&mut self, dir: &Path) {
        let walk = ignore::WalkBuilder::new(dir)
            .hidden(false)
            .ignore(false)
            .git_global(false)
            .require_git(false)
            .filter_entry(|e| e.file_name() != ".git")
            .sort_by_file_name(|a, b| a.cmp(b))
            .build();
        for entry in walk {
            match entry {
                Err(e) => {
                    let path = path_of(&e).unwrap_or_else(|| dir.to_owned());
                    let why = e.io_error().map_or_else(|| e.to_string(), ToString::to_string);
                    self.error(&path, why);
                }
                Ok(entry) => {
                    let path = entry.path();
                    // A mounted ConfigMap is made of links; links to directories are not followed, but counted.
                    let is_link = entry.file_type().is_some_and(|t| t.is_symlink());
                    let kind = match entry.file_type().filter(|t| !t.is_symlink()) {
                        Some(kind) => Ok(kind),
                        None => std::fs::metadata(path).map(|m| m.file_type()),
                    };
                    let kind = match kind {
                        Ok(kind) => kind,
                        Err(e) => {
                            self.error(path, format!("the link leads nowhere: {e}"));
                            continue;
                        }
                    };
                    if !kind.is_file() {
                        self.not_opened += usize::from(is_link || !kind.is_dir());
                        continue;
                    }
                    if read::is_looked_into(path) {
                        self.add(path.to_owned(), false, is_link);
                    } else {
                        self.not_opened += 1;
                    }
                }
            }
        }
    }
}

fn path_of(error: &ignore::Error) -> Option<PathBuf> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path.clone()),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

/// A file that another one names, as it is shown and its bytes. What is no plain file, cannot be read or is not small is not at hand.
pub(super) fn beside(path: &Path) -> Option<(Arc<str>, Vec<u8>)> {
    let told = std::fs::metadata(path).ok()?;
    if !told.is_file() || told.len() > MAX_BESIDE_BYTES {
        return None;
    }
    Some((shown(path), bytes_of(path).ok()?))
}

/// The largest file of variables that is joined to the file that names it.
const MAX_BESIDE_BYTES: u64 = 1024 * 1024;

/// The bytes of a file.
///
/// # Errors
/// When it cannot be read, or is larger than [`MAX_FILE_BYTES`].
pub(super) fn bytes_of(path: &Path) -> Result<Vec<u8>, String> {
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    // Not trusted, as a device tells 0 and a file may grow; but what is right is one reading and no byte too many.
    let told = file.metadata().map_or(0, |m| m.len()).min(MAX_FILE_BYTES);
    let mut bytes = Vec::with_capacity(usize::try_from(told).map_or(0, |n| n + 1));
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| e.to_string())?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("larger than {} MiB", MAX_FILE_BYTES / (1024 * 1024)));
    }
    bytes.shrink_to_fit();
    Ok(bytes)
}
