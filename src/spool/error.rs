//! What can go wrong with a store.

use crate::model::Problem;
use std::io;
use std::path::{Path, PathBuf};

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// A file or directory cannot be used.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("{path} is in use by {owner}", path = path.display())]
    InUse {
        /// The directory of the store.
        path: PathBuf,
        /// The owner's own words: process id, start, command.
        owner: String,
    },
    /// Written by another version of this program.
    #[error("{path} has format {found:?}", path = path.display())]
    Format {
        /// The database file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// The database failed.
    #[error("{path}: {source}", path = path.display())]
    Database {
        /// The database file; empty for a store in memory.
        path: PathBuf,
        /// What the database said.
        source: Box<redb::Error>,
    },
    /// A failed commit closed the store and it was not opened again.
    #[error("the spool was closed after an earlier failure")]
    Closed,
    /// Messages were to be held back where there is no spool that could.
    #[error("there is no spool that could hold messages back until they are decided")]
    NotHeld,
}

impl SpoolError {
    pub(super) fn io(path: &Path, source: io::Error) -> SpoolError {
        SpoolError::Io {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn database(path: Option<&Path>, source: impl Into<redb::Error>) -> SpoolError {
        SpoolError::Database {
            path: path.map(Path::to_owned).unwrap_or_default(),
            source: Box::new(source.into()),
        }
    }

    /// The error of the system below, where there is one.
    fn system(&self) -> Option<&io::Error> {
        match self {
            SpoolError::Io { source, .. } => Some(source),
            SpoolError::Database { source, .. } => match &**source {
                redb::Error::Io(e) => Some(e),
                _ => None,
            },
            SpoolError::InUse { .. } | SpoolError::Format { .. } | SpoolError::Closed | SpoolError::NotHeld => None,
        }
    }

    /// Whether there is no room left: a full disk, a quota, a file size limit.
    pub fn is_out_of_space(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        self.system()
            .is_some_and(|e| matches!(e.kind(), StorageFull | QuotaExceeded | FileTooLarge))
    }

    /// Whether the store was to grow beyond its own limit ([`Spool::limit`](super::Spool::limit)).
    pub fn is_at_limit(&self) -> bool {
        self.system()
            .and_then(|e| e.get_ref())
            .is_some_and(|e| e.is::<super::growth::Limit>())
    }

    /// What to do about it.
    fn advice(&self) -> &'static str {
        if self.is_out_of_space() {
            return "free some disk space, or choose another place with --spool DIR";
        }
        match self {
            SpoolError::Io { .. } => "give a directory that you own with --spool DIR, or send with --no-spool",
            SpoolError::InUse { .. } => "wait for it, or give this run its own --spool DIR",
            SpoolError::Format { .. } => {
                "use the version of mqsafe that wrote it to flush it, or give another --spool DIR"
            }
            SpoolError::Database { .. } | SpoolError::Closed => {
                "keep the directory as it is, and give another --spool DIR meanwhile"
            }
            SpoolError::NotHeld => "leave --no-spool out",
        }
    }
}

impl From<SpoolError> for Problem {
    /// A store that cannot be opened is a usage error: nothing was accepted yet.
    fn from(e: SpoolError) -> Problem {
        Problem::usage("cannot use the spool").because(&e).next(e.advice())
    }
}
