//! The file of a store, which grows no further than it may.

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};
use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How large the file may become, shared with the file itself.
#[derive(Debug, Clone)]
pub(super) struct Growth(Arc<State>);

#[derive(Debug)]
struct State {
    limit: AtomicU64,
    /// Only what is accepted is limited. That a message is confirmed must always find its room.
    limited: AtomicBool,
}

impl Default for Growth {
    fn default() -> Growth {
        Growth(Arc::new(State {
            limit: AtomicU64::new(u64::MAX),
            limited: AtomicBool::new(false),
        }))
    }
}

/// The limit counts until this is dropped.
pub(super) struct Limited(Growth);

impl Drop for Limited {
    fn drop(&mut self) {
        self.0.0.limited.store(false, Ordering::SeqCst);
    }
}

/// The cause inside the error of a change that would have made the file too large.
#[derive(Debug, thiserror::Error)]
#[error("its file would grow to {wanted} bytes, and may have {limit}")]
pub(super) struct Limit {
    wanted: u64,
    limit: u64,
}

impl Growth {
    pub(super) fn limit(&self, bytes: u64) {
        self.0.limit.store(bytes, Ordering::SeqCst);
    }

    pub(super) fn is_limited(&self) -> bool {
        self.0.limit.load(Ordering::SeqCst) != u64::MAX
    }

    pub(super) fn limited(&self) -> Limited {
        self.0.limited.store(true, Ordering::SeqCst);
        Limited(self.clone())
    }

    /// Opens the file, making it when there is none.
    pub(super) fn file(&self, path: &Path) -> Result<LimitedFile, DatabaseError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path)?;
        Ok(LimitedFile {
            file: FileBackend::new(file)?,
            growth: self.clone(),
        })
    }
}

/// A file that asks before it grows; in all else redb's own.
#[derive(Debug)]
pub(super) struct LimitedFile {
    file: FileBackend,
    growth: Growth,
}

impl StorageBackend for LimitedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, wanted: u64) -> io::Result<()> {
        let State { limit, limited } = &*self.growth.0;
        let limit = limit.load(Ordering::SeqCst);
        if limited.load(Ordering::SeqCst) && wanted > limit && wanted > self.file.len()? {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, Limit { wanted, limit }));
        }
        self.file.set_len(wanted)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;

    #[test]
    fn what_is_accepted_stays_below_the_limit_and_what_ends_is_written_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(StoreDir::lock(&dir.path().join("s")).unwrap()).unwrap();
        let target = spool.target("kafka://a:1", "orders").unwrap();
        let limit = spool.stats().unwrap().bytes + 4_000_000;
        spool.limit(limit);
        let value = vec![7; 10_000];
        let message = NewMessage {
            line: 1,
            place: Place::Now(0),
            key: None,
            value: Some(&value),
            headers: &[],
            tag: None,
        };
        let new = vec![message; 20];
        let accept = Change {
            accept: &new,
            ..Change::default()
        };
        let mut got = Vec::new();
        let refused = loop {
            match spool.commit(&target, &accept) {
                Ok(accepted) => got.extend(accepted),
                Err(e) => break e,
            }
            assert!(got.len() < 1000, "the limit was never reached");
        };
        assert!(refused.is_at_limit() && !got.is_empty(), "{refused}");
        spool.reopen().unwrap();
        assert!(spool.stats().unwrap().bytes <= limit);
        assert_eq!(spool.stats().unwrap().pending, got.len() as u64);
        // Each verdict in a change of its own, so that many pages are written.
        for a in &got {
            let settle = [Settled {
                attempts: 1,
                id: a.id,
                producer: target.producer.as_str().into(),
                partition: 0,
                seq: a.seq,
                verdict: Verdict::Failed("too large".into()),
            }];
            let change = Change {
                settle: &settle,
                ..Change::default()
            };
            spool.commit(&target, &change).unwrap();
        }
        assert_eq!(spool.stats().unwrap().failed, got.len() as u64);
    }
}
