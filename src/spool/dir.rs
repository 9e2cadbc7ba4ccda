//! Where stores lie, who owns them, and how two processes keep apart.

use super::SpoolError;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// One store's directory, locked for this process until dropped.
#[derive(Debug)]
pub struct StoreDir {
    path: PathBuf,
    _lock: File,
}

impl StoreDir {
    /// Makes the directory when it is not there, and locks it.
    ///
    /// # Errors
    /// [`SpoolError::InUse`] with the owner's words when another process holds it, [`SpoolError::Io`] otherwise.
    pub fn lock(path: &Path) -> Result<StoreDir, SpoolError> {
        // A relative name has no parent to sync.
        let path = &std::path::absolute(path).map_err(|e| SpoolError::io(path, e))?;
        make_dir(path)?;
        let lock_path = path.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut lock = options.open(&lock_path).map_err(|e| SpoolError::io(&lock_path, e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // The owner may be writing its words just now; an unreadable owner is still an owner.
                let _ = lock.take(512).read_to_string(&mut owner);
                let owner = if owner.trim().is_empty() {
                    "another process".to_owned()
                } else {
                    owner.trim().to_owned()
                };
                return Err(SpoolError::InUse {
                    path: path.to_owned(),
                    owner,
                });
            }
            Err(TryLockError::Error(e)) => return Err(SpoolError::io(&lock_path, e)),
        }
        // The words in the file are a courtesy to the next one who asks; the lock itself is the kernel's and dies with us.
        let words = format!("process {} since {}\n", std::process::id(), jiff::Timestamp::now());
        let written = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| lock.write_all(words.as_bytes()));
        // On a full disk the words are missing, and the lock holds all the same.
        drop(written);
        Ok(StoreDir {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the database.
    pub fn database_path(&self) -> PathBuf {
        self.path.join("spool.redb")
    }

    /// Whether a store was made here before.
    pub fn holds_store(path: &Path) -> bool {
        path.join("spool.redb").is_file()
    }
}

/// The directory below which every process without an explicit `--spool` keeps a store of its own.
#[derive(Debug, Clone)]
pub struct SpoolRoot(PathBuf);

impl SpoolRoot {
    /// A root at this path; nothing is made yet.
    pub fn new(path: impl Into<PathBuf>) -> SpoolRoot {
        SpoolRoot(path.into())
    }

    /// The stores that are there, in order of their numbers.
    ///
    /// # Errors
    /// [`SpoolError::Io`] when the root is there and cannot be read.
    pub fn stores(&self) -> Result<Vec<PathBuf>, SpoolError> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(SpoolError::io(&self.0, e)),
        };
        let mut stores = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| SpoolError::io(&self.0, e))?.path();
            if StoreDir::holds_store(&path) {
                stores.push(path);
            }
        }
        stores.sort();
        Ok(stores)
    }

    /// Locks the first store that nobody uses, or a new one, so that parallel jobs never wait for each other.
    ///
    /// # Errors
    /// [`SpoolError::Io`] when the root cannot be made or written.
    pub fn lock_any(&self) -> Result<StoreDir, SpoolError> {
        make_dir(&self.0)?;
        for n in 1u32.. {
            match StoreDir::lock(&self.0.join(format!("{n:04}"))) {
                Err(SpoolError::InUse { .. }) => {}
                done => return done,
            }
        }
        Err(SpoolError::Closed)
    }
}

/// Makes a directory and its parents for its owner alone, and makes its entry durable.
fn make_dir(path: &Path) -> Result<(), SpoolError> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => return refuse_open_to_others(path, &meta),
        Ok(_) => return Err(SpoolError::io(path, io::ErrorKind::NotADirectory.into())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(SpoolError::io(path, e)),
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| SpoolError::io(path, e))?;
    // A store in a directory whose entry is lost in a power cut is lost too.
    for dir in path.ancestors().skip(1).take_while(|p| !p.as_os_str().is_empty()) {
        match File::open(dir).and_then(|d| d.sync_all()) {
            Ok(()) => {}
            // Not ours to sync: it was there before us.
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => break,
            Err(e) => return Err(SpoolError::io(dir, e)),
        }
    }
    Ok(())
}

/// Makes the entry of a file in its directory durable.
pub(super) fn sync(file: &Path) -> Result<(), SpoolError> {
    let dir = file.parent().unwrap_or(file);
    File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(|e| SpoolError::io(dir, e))
}

/// A directory that others may write to is one where others may swap the store.
fn refuse_open_to_others(path: &Path, meta: &fs::Metadata) -> Result<(), SpoolError> {
    let (mode, sticky) = (meta.permissions().mode(), 0o1000);
    if mode & 0o022 != 0 && mode & sticky == 0 {
        let why = format!(
            "others may write to this directory (mode {:o}); run chmod 700 on it",
            mode & 0o7777
        );
        return Err(SpoolError::io(
            path,
            io::Error::new(io::ErrorKind::PermissionDenied, why),
        ));
    }
    Ok(())
}

/// Takes a file's permissions from everybody but its owner.
pub(super) fn make_private(path: &Path, mode: u32) -> io::Result<()> {
    let meta = fs::metadata(path)?;
    if meta.permissions().mode() & 0o777 != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// What a copy of the file does not share with it: inode and moment of birth. The number of the device is left out, because
/// some change it when they are mounted again.
pub(super) fn identity(path: &Path) -> Result<String, SpoolError> {
    let meta = fs::metadata(path).map_err(|e| SpoolError::io(path, e))?;
    let born = meta
        .created()
        .ok()
        .and_then(|t| t.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |d| d.as_nanos());
    Ok(format!("{}:{born}", meta.ino()))
}
