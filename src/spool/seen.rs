//! What the business calls the messages that were accepted lately, so that one of them given again is not sent again.
//!
//! A table of its own, made at first use: a store without it remembers nothing, and is of the same format.

use super::{Spool, SpoolError, Target, schema};
use redb::{ReadableDatabase, ReadableTable, TableDefinition, TableError, TableHandle, WriteTransaction};
use std::collections::HashMap;
use std::sync::Mutex;

/// `(target, id)` to the moment of acceptance in ms since the epoch, and the local number.
pub(super) const SEEN: TableDefinition<(u32, &[u8]), (i64, u64)> = TableDefinition::new("seen");

/// With each id that is remembered so many old ones are looked at, so that the table is gone through faster than it grows.
const LOOKED_AT: usize = 2;
const LOOKED_AT_LEAST: usize = 16;

/// Ids to remember with the messages of one change.
#[derive(Debug, Clone, Copy)]
pub struct Remember<'a> {
    /// Which of the accepted messages, and what the business calls it.
    pub ids: &'a [(usize, &'a [u8])],
    /// How long an id is remembered, in milliseconds; older ones are forgotten little by little.
    pub window_ms: i64,
}

/// Where the search for old ids goes on.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Option<(u32, Vec<u8>)>>);

impl Spool {
    /// For each id the moment at which its message was accepted, if that was within the window and the message was not refused
    /// for good since: who mends the cause of a refusal may send it again.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn seen(
        &self,
        target: &Target,
        ids: &[&[u8]],
        window_ms: i64,
        now_ms: i64,
    ) -> Result<Vec<Option<i64>>, SpoolError> {
        let read = || -> Result<Vec<Option<i64>>, redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            let table = match txn.open_table(SEEN) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok(vec![None; ids.len()]),
                Err(e) => return Err(e.into()),
            };
            let failed = txn.open_table(schema::FAILED)?;
            let mut seen = Vec::with_capacity(ids.len());
            for id in ids {
                let row = table.get((target.no, *id))?.map(|row| row.value());
                seen.push(match row {
                    Some((at, local))
                        if !is_old(at, window_ms, now_ms) && failed.get((target.no, local))?.is_none() =>
                    {
                        Some(at)
                    }
                    Some(_) | None => None,
                });
            }
            Ok(seen)
        };
        read().map_err(|e| self.failed(e))
    }
}

/// Forgets the ids of messages that are dropped, and keeps those of messages that get another local number.
pub(super) fn moved(
    txn: &WriteTransaction,
    target: &Target,
    moved: &HashMap<u64, Option<u64>>,
) -> Result<(), redb::Error> {
    if moved.is_empty() || !txn.list_tables()?.any(|table| table.name() == SEEN.name()) {
        return Ok(());
    }
    let mut table = txn.open_table(SEEN)?;
    let mut rows = Vec::new();
    for row in table.range((target.no, [].as_slice())..)? {
        let (key, value) = row?;
        let ((no, id), (at, local)) = (key.value(), value.value());
        if no != target.no {
            break;
        }
        if let Some(now) = moved.get(&local) {
            rows.push((id.to_vec(), at, *now));
        }
    }
    for (id, at, now) in rows {
        match now {
            None => drop(table.remove((target.no, id.as_slice()))?),
            Some(now) => drop(table.insert((target.no, id.as_slice()), (at, now))?),
        }
    }
    Ok(())
}

/// A clock that was put back makes nothing old.
fn is_old(at: i64, window_ms: i64, now_ms: i64) -> bool {
    now_ms.saturating_sub(at) > window_ms
}

impl Seen {
    /// Remembers the ids of messages that get local numbers from `first_id` on, and forgets some old ones.
    pub(super) fn remember(
        &self,
        txn: &WriteTransaction,
        target: &Target,
        remember: &Remember<'_>,
        first_id: u64,
        now_ms: i64,
    ) -> Result<(), redb::Error> {
        let mut table = txn.open_table(SEEN)?;
        let mut cursor = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let from = match cursor.take() {
            Some((no, id)) if no == target.no => id,
            Some(_) | None => Vec::new(),
        };
        let (mut old, mut last) = (Vec::new(), None);
        let looked_at = remember.ids.len() * LOOKED_AT + LOOKED_AT_LEAST;
        for row in table.range((target.no, from.as_slice())..)?.take(looked_at) {
            let (key, value) = row?;
            let (no, id) = key.value();
            if no != target.no {
                break;
            }
            if is_old(value.value().0, remember.window_ms, now_ms) {
                old.push(id.to_vec());
            }
            last = Some(id.to_vec());
        }
        // At the end it begins anew; one row is looked at twice.
        *cursor = last.filter(|last| *last != from).map(|last| (target.no, last));
        drop(cursor);
        for id in old {
            table.remove((target.no, id.as_slice()))?;
        }
        for (index, id) in remember.ids {
            table.insert((target.no, *id), (now_ms, first_id + *index as u64))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::SEEN;
    use redb::ReadableTableMetadata;
    use std::path::Path;

    fn open(path: &Path) -> Spool {
        Spool::open(StoreDir::lock(path).unwrap()).unwrap()
    }

    fn accept(spool: &mut Spool, target: &Target, ids: &[String], now_ms: i64) -> Vec<Accepted> {
        let message = NewMessage {
            line: 1,
            place: Place::Now(0),
            key: None,
            value: None,
            headers: &[],
            tag: None,
        };
        let (new, ids): (Vec<_>, Vec<_>) = (
            vec![message; ids.len()],
            ids.iter().map(|id| id.as_bytes()).enumerate().collect(),
        );
        let change = Change {
            accept: &new,
            remember: Some(Remember {
                ids: &ids,
                window_ms: 1000,
            }),
            now_ms,
            ..Change::default()
        };
        spool.commit(target, &change).unwrap()
    }

    fn seen(spool: &Spool, target: &Target, ids: &[&str], now_ms: i64) -> Vec<Option<i64>> {
        let ids: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes()).collect();
        spool.seen(target, &ids, 1000, now_ms).unwrap()
    }

    #[test]
    fn an_id_is_remembered_for_its_target_and_its_time_and_over_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let mut spool = open(&path);
        let (a, b) = (
            spool.target("kafka://a:1", "a").unwrap(),
            spool.target("kafka://a:1", "b").unwrap(),
        );
        assert_eq!(seen(&spool, &a, &["x"], 5), [None], "nothing was ever remembered");
        accept(&mut spool, &a, &["x".into(), "y".into()], 10);
        drop(spool);
        let spool = open(&path);
        assert_eq!(seen(&spool, &a, &["x", "z", "y"], 1010), [Some(10), None, Some(10)]);
        assert_eq!(seen(&spool, &a, &["x"], 1011), [None]);
        // The clock went back.
        assert_eq!(seen(&spool, &a, &["x"], -99), [Some(10)]);
        assert_eq!(seen(&spool, &b, &["x"], 20), [None]);
    }

    #[test]
    fn what_was_refused_for_good_may_be_sent_again() {
        let mut spool = Spool::in_memory().unwrap();
        let target = spool.target("kafka://a:1", "a").unwrap();
        let got = accept(&mut spool, &target, &["x".into(), "y".into()], 10);
        let settle = [
            (&got[0], Verdict::Failed("too large".into())),
            (&got[1], Verdict::Confirmed(None)),
        ]
        .map(|(a, verdict)| Settled {
            attempts: 1,
            id: a.id,
            producer: target.producer.as_str().into(),
            partition: 0,
            seq: a.seq,
            verdict,
        });
        let change = Change {
            settle: &settle,
            ..Change::default()
        };
        spool.commit(&target, &change).unwrap();
        assert_eq!(seen(&spool, &target, &["x", "y"], 20), [None, Some(10)]);
        // And then it counts again.
        accept(&mut spool, &target, &["x".into()], 30);
        assert_eq!(seen(&spool, &target, &["x"], 40), [Some(30)]);
    }

    #[test]
    fn what_is_dropped_may_be_given_again_and_what_is_retried_keeps_its_name() {
        let mut spool = Spool::in_memory().unwrap();
        let target = spool.target("kafka://a:1", "a").unwrap();
        let got = accept(&mut spool, &target, &["x".into(), "y".into(), "z".into()], 10);
        assert_eq!(spool.forget(&target, &[got[0].id]).unwrap().len(), 1);
        assert_eq!(seen(&spool, &target, &["x", "y"], 20), [None, Some(10)]);
        // Another lane is another local number.
        let retried = spool
            .retry(&target, &[got[1].id, got[2].id], Some(crate::spool::NewLane::default()))
            .unwrap();
        assert!(retried.iter().all(|r| r.was != r.id), "{retried:?}");
        assert_eq!(seen(&spool, &target, &["y", "z"], 20), [Some(10), Some(10)]);
        spool.forget(&target, &[retried[0].id]).unwrap();
        assert_eq!(seen(&spool, &target, &["y", "z"], 20), [None, Some(10)]);
    }

    #[test]
    fn old_ids_are_forgotten_as_it_goes() {
        let mut spool = Spool::in_memory().unwrap();
        let target = spool.target("kafka://a:1", "a").unwrap();
        let mut most = 0;
        for round in 0..200i64 {
            let ids: Vec<String> = (0..10)
                .map(|n| format!("{:x}", (round * 10 + n) * 0x9e37_79b9 % 0xffff_fffb))
                .collect();
            // Ten ids every 100 ms, each remembered for a second: about a hundred count.
            accept(&mut spool, &target, &ids, round * 100);
            assert!(
                seen(&spool, &target, &[&ids[0], &ids[9]], round * 100)
                    .iter()
                    .all(Option::is_some)
            );
            let txn = redb::ReadableDatabase::begin_read(spool.db().unwrap()).unwrap();
            most = most.max(txn.open_table(SEEN).unwrap().len().unwrap());
        }
        assert!((100..400).contains(&most), "{most}");
    }
}
