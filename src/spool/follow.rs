//! What follows from a verdict, in the same transaction: a dead letter for a message that failed for good, a check of one that is
//! stored. Neither can be forgotten by a crash between the two.

use super::queue::Queue;
use super::schema::{self, Body, Headers};
use super::{Pending, Spool, SpoolError, Target};
use crate::model::{ORIGIN_HEADER, REASON_HEADER, Stamp};
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata, WriteTransaction};

/// What is to follow from verdicts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Follow<'a> {
    /// Where a copy of each message goes that failed for good.
    pub dead_letter: Option<&'a Target>,
    /// Where a check of each stored message goes, and how many milliseconds after its acknowledgement.
    pub check: Option<(&'a Target, u64)>,
}

/// What follows from one commit, in the order of its verdicts.
#[derive(Debug, Default)]
pub(super) struct Followers {
    failed: Vec<(Pending, String)>,
    stored: Vec<Pending>,
}

impl Followers {
    pub(super) fn failed(&mut self, follow: &Follow<'_>, id: u64, body: Body<'_>, why: &str) {
        if follow.dead_letter.is_some() {
            self.failed.push((Pending::from_body(id, body), why.to_owned()));
        }
    }

    pub(super) fn stored(&mut self, follow: &Follow<'_>, id: u64, body: Body<'_>) {
        if follow.check.is_some() {
            self.stored.push(Pending::from_body(id, body));
        }
    }

    /// Writes them down; returns the next local number.
    pub(super) fn store(
        self,
        txn: &WriteTransaction,
        from: &Target,
        follow: &Follow<'_>,
        mut next_id: u64,
        now_ms: i64,
    ) -> Result<u64, redb::Error> {
        let stamp = |message: &Pending| {
            let lane = message.partition.map(|no| from.lane(no)).unwrap_or_default();
            Stamp {
                seq: message.seq,
                producer: &message.producer,
                lane: &lane,
            }
            .to_string()
        };
        if let Some(to) = follow.dead_letter {
            let mut queue = Queue::open(txn)?;
            for (message, why) in &self.failed {
                let stamp = stamp(message);
                let mut headers: Headers<'_> = message
                    .headers
                    .iter()
                    .filter(|(name, _)| name != ORIGIN_HEADER)
                    .map(|(name, value)| (name.as_str(), value.as_deref()))
                    .collect();
                if message.seq > 0 {
                    headers.push((ORIGIN_HEADER, Some(stamp.as_bytes())));
                }
                headers.push((REASON_HEADER, Some(why.as_bytes())));
                let body = body_to(
                    to,
                    now_ms,
                    message.key.as_deref(),
                    message.value.as_deref(),
                    headers,
                    message.tag.as_deref(),
                );
                queue.insert((to.no, next_id), &body)?;
                next_id += 1;
            }
            queue.store()?;
        }
        if let Some((to, after_ms)) = follow.check {
            let due_ms = now_ms.saturating_add(i64::try_from(after_ms).unwrap_or(i64::MAX));
            let mut scheduled = txn.open_table(schema::SCHEDULED)?;
            for message in &self.stored {
                let stamp = stamp(message);
                let headers = vec![(ORIGIN_HEADER, Some(stamp.as_bytes()))];
                let body = body_to(
                    to,
                    now_ms,
                    message.key.as_deref(),
                    Some(stamp.as_bytes()),
                    headers,
                    None,
                );
                scheduled.insert((due_ms, to.no, next_id), body)?;
                next_id += 1;
            }
        }
        Ok(next_id)
    }
}

/// A message that gets its lane and number when its own topic is known.
fn body_to<'a>(
    to: &'a Target,
    now_ms: i64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: Headers<'a>,
    tag: Option<&'a str>,
) -> Body<'a> {
    (-1, 0, now_ms, 0, &to.producer, "", key, value, headers, tag, 0)
}

/// Checks that wait for their time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scheduled {
    /// How many.
    pub count: u64,
    /// When the first is due, in milliseconds since the Unix epoch.
    pub first_ms: Option<i64>,
}

impl Spool {
    /// Makes the checks pending whose time has come; returns how many.
    ///
    /// # Errors
    /// [`SpoolError`]; none of them is pending then, as far as this process may assume.
    pub fn release_due(&mut self, now_ms: i64) -> Result<u64, SpoolError> {
        if self.scheduled()?.first_ms.is_none_or(|first| first > now_ms) {
            return Ok(0);
        }
        self.write(|txn| {
            let mut scheduled = txn.open_table(schema::SCHEDULED)?;
            let mut queue = Queue::open(txn)?;
            let mut released = 0;
            loop {
                let Some(row) = scheduled.range(..=(now_ms, u32::MAX, u64::MAX))?.next().transpose()? else {
                    queue.store()?;
                    return Ok(released);
                };
                let (due_ms, to, id) = row.0.value();
                let message = Pending::from_body(id, row.1.value());
                drop(row);
                scheduled.remove((due_ms, to, id))?;
                queue.insert((to, id), &message.body())?;
                released += 1;
            }
        })
    }

    /// What waits for its time.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn scheduled(&self) -> Result<Scheduled, SpoolError> {
        let read = || -> Result<Scheduled, redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            let table = txn.open_table(schema::SCHEDULED)?;
            let first = table.iter()?.next().transpose()?.map(|(key, _)| key.value().0);
            Ok(Scheduled {
                count: table.len()?,
                first_ms: first,
            })
        };
        read().map_err(|e| self.failed(e))
    }
}
