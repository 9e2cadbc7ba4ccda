//! The crash-safe store of what is not yet confirmed, and the journal of what was.
//!
//! A message is stored here and synced before its first attempt, and leaves only when the broker acknowledged *that* message
//! or refused it for good. The store knows bytes and numbers, no broker.
//!
//! One directory holds one store: `lock` (held while a process uses it, with the owner's words inside) and `spool.redb`.
//! Every change is one transaction that is on disk when it returns, so that a kill at any moment finds either all of it or
//! nothing of it. Directory 0700, files 0600.

mod change;
mod check;
mod consumed;
mod dir;
#[cfg(test)]
pub(crate) mod disk;
mod error;
mod follow;
mod growth;
mod kept;
mod memory;
mod overlay;
mod queue;
mod read;
mod schema;
mod seen;
mod tend;
mod together;
mod undecided;

pub use change::{Accepted, Change, InputProgress, NewMessage, Place, Retry, Settled, Verdict};
pub use check::{Checked, Fault, check, copy_aside, repair};
pub use consumed::{Consumption, Reported};
pub use dir::{SpoolRoot, StoreDir};
pub use error::SpoolError;
pub use follow::{Follow, Scheduled};
pub use kept::{Held, Kept, Run, Which};
pub use read::{Pending, Stats, Target, Waiting};
pub use schema::LAST_WAY;
pub use seen::Remember;
pub use tend::{Again, Dropped, NewLane, Retried};
pub use together::{Phase, Together, Way};
pub use undecided::Group;

use memory::Memory;
use redb::{Database, ReadableDatabase};
use std::path::{Path, PathBuf};

/// Bounded on purpose: the store must not grow with the backlog. Measured enough for groups of a few thousand messages.
const CACHE_BYTES: usize = 16 << 20;

/// One open store. It stays locked for other processes until dropped.
pub struct Spool {
    db: Option<Database>,
    /// `None` for a store that lives in memory only.
    dir: Option<StoreDir>,
    /// The name that this store signs stamps with, for its first broker.
    id: String,
    next_id: u64,
    /// What waits, in a store without a spool; the database then holds only names.
    memory: Option<Memory>,
    /// Which file this is, as opposed to a copy of it; empty for a store in memory.
    identity: String,
    /// How large its file may become.
    growth: growth::Growth,
    seen: seen::Seen,
    /// What a test may do to a store.
    #[cfg(test)]
    testing: Testing,
}

#[cfg(test)]
#[derive(Default)]
pub(crate) struct Testing {
    /// Where the store of a test lies.
    disk: Option<disk::Disk>,
    /// Planted: commits that accept something are not synced.
    pub(crate) unsynced: bool,
}

impl Spool {
    /// Opens a locked directory, making the store when there is none.
    ///
    /// A store that was copied (its file is not where it was made) gets a new name for new messages, because two stores that
    /// count on under one name would give the same number twice. Messages that already have a number keep it.
    ///
    /// # Errors
    /// [`SpoolError`] when the files cannot be opened, are of another format, or are damaged beyond redb's own repair.
    pub fn open(dir: StoreDir) -> Result<Spool, SpoolError> {
        let path = dir.database_path();
        if !path.exists() {
            make(&path)?;
        }
        let growth = growth::Growth::default();
        let mut spool = Spool {
            db: Some(create(&path, &growth)?),
            id: String::new(),
            next_id: 0,
            memory: None,
            identity: dir::identity(&path)?,
            dir: Some(dir),
            growth,
            seen: seen::Seen::default(),
            #[cfg(test)]
            testing: Testing::default(),
        };
        spool.prepare()?;
        Ok(spool)
    }

    /// No store: what waits is held in memory while it waits, for `--no-spool`, and what has ended leaves no trace. It holds the
    /// messages of one target, without groups, followers, awaited consumption or remembered ids.
    ///
    /// # Errors
    /// As [`Spool::in_memory`].
    pub fn without() -> Result<Spool, SpoolError> {
        Ok(Spool {
            memory: Some(Memory::default()),
            ..Spool::in_memory()?
        })
    }

    /// A store that lives in memory and dies with the process, for `--no-spool` with what only a store can do.
    ///
    /// # Errors
    /// [`SpoolError`] when memory cannot be had.
    pub fn in_memory() -> Result<Spool, SpoolError> {
        let db = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(redb::backends::InMemoryBackend::new())
            .map_err(|e| SpoolError::database(None, e))?;
        let mut spool = Spool {
            db: Some(db),
            id: String::new(),
            next_id: 0,
            memory: None,
            identity: String::new(),
            dir: None,
            growth: growth::Growth::default(),
            seen: seen::Seen::default(),
            #[cfg(test)]
            testing: Testing::default(),
        };
        spool.prepare()?;
        Ok(spool)
    }

    /// A store on the disk of a test.
    #[cfg(test)]
    pub(crate) fn on(disk: &disk::Disk) -> Result<Spool, SpoolError> {
        let mut spool = Spool {
            db: Some(on(disk.clone())?),
            id: String::new(),
            next_id: 0,
            memory: None,
            identity: String::new(),
            dir: None,
            growth: growth::Growth::default(),
            seen: seen::Seen::default(),
            testing: Testing {
                disk: Some(disk.clone()),
                unsynced: false,
            },
        };
        spool.prepare()?;
        Ok(spool)
    }

    /// Whether what is accepted survives this process.
    pub fn is_durable(&self) -> bool {
        #[cfg(test)]
        if self.testing.disk.is_some() {
            return true;
        }
        self.dir.is_some()
    }

    /// From now on nothing is accepted that would make the store's file larger than this. What ends a message is still
    /// written down, whatever room it takes.
    pub fn limit(&mut self, bytes: u64) {
        self.growth.limit(bytes);
    }

    /// Whether its file may not grow as it likes.
    pub fn is_limited(&self) -> bool {
        self.growth.is_limited()
    }

    /// The directory of the store, where it has one.
    pub fn path(&self) -> Option<&Path> {
        self.dir.as_ref().map(StoreDir::path)
    }

    /// The local number that the next accepted message gets.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Closes the database and opens it again, keeping the lock. After a failed commit nothing is known about what the disk
    /// holds, so nothing of the old handle is used again.
    ///
    /// # Errors
    /// [`SpoolError`] as for [`Spool::open`]; the store then stays closed.
    pub fn reopen(&mut self) -> Result<(), SpoolError> {
        #[cfg(test)]
        if let Some(disk) = self.testing.disk.clone() {
            self.db = None;
            self.db = Some(on(disk)?);
            return self.prepare();
        }
        let Some(dir) = &self.dir else {
            return Err(SpoolError::Closed);
        };
        let path = dir.database_path();
        self.db = None;
        self.db = Some(create(&path, &self.growth)?);
        self.prepare()
    }

    /// Whether the file that is written to is still the one in the directory. Somebody may have removed it meanwhile, and
    /// then what it holds is gone with this process.
    pub fn is_there(&self) -> bool {
        self.file()
            .is_none_or(|path| dir::identity(&path).is_ok_and(|identity| identity == self.identity))
    }

    fn db(&self) -> Result<&Database, SpoolError> {
        self.db.as_ref().ok_or(SpoolError::Closed)
    }

    fn file(&self) -> Option<PathBuf> {
        self.dir.as_ref().map(StoreDir::database_path)
    }

    fn failed(&self, e: impl Into<redb::Error>) -> SpoolError {
        SpoolError::database(self.file().as_deref(), e)
    }

    /// Checks the format, makes the tables, and learns the name and the next number.
    fn prepare(&mut self) -> Result<(), SpoolError> {
        let known = {
            let txn = self.db()?.begin_read().map_err(|e| self.failed(e))?;
            schema::read_meta(&txn).map_err(|e| self.failed(e))?
        };
        match known {
            Some(meta) if meta.format != schema::FORMAT => Err(SpoolError::Format {
                path: self.file().unwrap_or_default(),
                found: meta.format,
            }),
            Some(meta) if meta.identity == self.identity => {
                (self.id, self.next_id) = (meta.spool_id, meta.next_id);
                Ok(())
            }
            known => {
                // New, or copied: a fresh name; the numbers of accepted messages go on.
                let id = schema::fresh_id();
                let next_id = known.map_or(0, |m| m.next_id);
                let mut txn = self.db()?.begin_write().map_err(|e| self.failed(e))?;
                txn.set_quick_repair(true);
                schema::start(&txn, &id, &self.identity, next_id).map_err(|e| self.failed(e))?;
                txn.commit().map_err(|e| self.failed(e))?;
                (self.id, self.next_id) = (id, next_id);
                Ok(())
            }
        }
    }
}

/// Makes a store aside and moves it into its place when it is whole: a kill meanwhile must not leave half a store there.
fn make(path: &Path) -> Result<(), SpoolError> {
    let aside = path.with_extension("new");
    match std::fs::remove_file(&aside) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(SpoolError::io(&aside, e)),
        Ok(()) | Err(_) => {}
    }
    let growth = growth::Growth::default();
    let db = create(&aside, &growth)?;
    let mut spool = Spool {
        db: Some(db),
        id: String::new(),
        next_id: 0,
        memory: None,
        identity: dir::identity(&aside)?,
        dir: None,
        growth,
        seen: seen::Seen::default(),
        #[cfg(test)]
        testing: Testing::default(),
    };
    spool.prepare()?;
    drop(spool);
    std::fs::rename(&aside, path).map_err(|e| SpoolError::io(path, e))?;
    // A file whose directory entry is lost in a power cut is lost too.
    dir::sync(path)
}

fn create(path: &Path, growth: &growth::Growth) -> Result<Database, SpoolError> {
    let failed = |e: redb::DatabaseError| SpoolError::database(Some(path), e);
    let file = growth.file(path).map_err(failed)?;
    let db = Database::builder()
        .set_cache_size(CACHE_BYTES)
        .create_with_backend(file);
    let db = db.map_err(failed)?;
    dir::make_private(path, 0o600).map_err(|e| SpoolError::io(path, e))?;
    Ok(db)
}

#[cfg(test)]
fn on(disk: disk::Disk) -> Result<Database, SpoolError> {
    let db = Database::builder()
        .set_cache_size(CACHE_BYTES)
        .create_with_backend(disk);
    db.map_err(|e| SpoolError::database(None, e))
}

#[cfg(test)]
mod check_tests;
#[cfg(test)]
pub(crate) mod crash_tests;
#[cfg(test)]
mod journal_tests;
#[cfg(test)]
mod queue_tests;
#[cfg(test)]
mod tests;
