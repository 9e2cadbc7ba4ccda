//! What a person does to single messages: try again, give another lane, forget. Each call is one synced transaction.

use super::change::Lanes;
use super::kept::Doubt;
use super::queue::Queue;
use super::schema::{self, FailedRow, RetryRow};
use super::seen;
use super::{Pending, Retry, Spool, SpoolError, Target};
use crate::model::Voids;
use redb::{ReadableTable, Table, WriteTransaction};

/// What became of a message that is to be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retried {
    /// The local number that it had.
    pub was: u64,
    /// The local number that it has now.
    pub id: u64,
    /// What it is sent as.
    pub how: Again,
}

/// What a message is sent as when it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// The same: lane and number are kept, so a reader takes a second arrival for a duplicate.
    Same,
    /// A new number of its lane, because the old one is void.
    NewNumber,
    /// It gets a lane and a number when the broker is asked next. The old number is void, unless it may be stored.
    NewLane {
        /// Whether the old number is void.
        void: bool,
    },
}

/// How the new lane of a message is chosen when the broker is asked next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NewLane {
    /// What the store keeps of the way; none is the usual one. It does not know what it is.
    pub wish: Option<i32>,
}

/// What became of a message that was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// Its local number.
    pub id: u64,
    /// Whether its number is void: either for long, or from now on because it is certainly not stored.
    pub void: bool,
}

impl Spool {
    /// Makes messages pending again: failed ones, stored ones that nobody consumed, and with `relane` also those that wait in a lane, each with a new
    /// lane and number.
    ///
    /// Messages that the store does not keep, or that wait already, are left out of the answer.
    ///
    /// # Errors
    /// [`SpoolError`]; nothing was changed then, as far as this process may assume.
    pub fn retry(&mut self, target: &Target, ids: &[u64], relane: Option<NewLane>) -> Result<Vec<Retried>, SpoolError> {
        let first = self.next_id;
        let (next_id, done) = self.write(|txn| {
            let mut tending = Tending::begin(txn, target, first)?;
            let mut done = Vec::with_capacity(ids.len());
            for id in ids {
                if let Some(how) = tending.retry(*id, relane)? {
                    let now = if how == Again::Same { *id } else { tending.next_id - 1 };
                    done.push(Retried { was: *id, id: now, how });
                }
            }
            let next_id = tending.end(first)?;
            let moved = done
                .iter()
                .filter(|r| r.was != r.id)
                .map(|r| (r.was, Some(r.id)))
                .collect();
            seen::moved(txn, target, &moved)?;
            Ok((next_id, done))
        })?;
        self.next_id = next_id;
        Ok(done)
    }

    /// Forgets messages for good. Those that the store does not keep are left out of the answer.
    ///
    /// # Errors
    /// [`SpoolError`]; nothing was changed then, as far as this process may assume.
    pub fn forget(&mut self, target: &Target, ids: &[u64]) -> Result<Vec<Dropped>, SpoolError> {
        let first = self.next_id;
        self.write(|txn| {
            let mut tending = Tending::begin(txn, target, first)?;
            let mut done = Vec::with_capacity(ids.len());
            for id in ids {
                if let Some(void) = tending.forget(*id)? {
                    done.push(Dropped { id: *id, void });
                }
            }
            tending.end(first)?;
            let dropped = done.iter().map(|gone| (gone.id, None)).collect();
            seen::moved(txn, target, &dropped)?;
            Ok(done)
        })
    }
}

type Messages<'t, V> = Table<'t, (u32, u64), V>;

/// The tables while a person's wish is carried out.
struct Tending<'t> {
    txn: &'t WriteTransaction,
    target: &'t Target,
    queue: Queue<'t>,
    failed: Messages<'t, FailedRow<'static>>,
    retries: Messages<'t, RetryRow<'static>>,
    awaiting: Messages<'t, schema::AwaitingRow<'static>>,
    lanes: Lanes<'t>,
    doubt: Doubt,
    next_id: u64,
}

impl<'t> Tending<'t> {
    fn begin(txn: &'t WriteTransaction, target: &'t Target, next_id: u64) -> Result<Tending<'t>, redb::Error> {
        let untried = txn.open_table(schema::UNTRIED)?.get(target.no)?.map(|id| id.value());
        Ok(Tending {
            txn,
            target,
            queue: Queue::open(txn)?,
            failed: txn.open_table(schema::FAILED)?,
            retries: txn.open_table(schema::RETRIES)?,
            awaiting: txn.open_table(schema::AWAITING)?,
            lanes: Lanes::new(target),
            doubt: Doubt::of(untried),
            next_id,
        })
    }

    fn end(self, first: u64) -> Result<u64, redb::Error> {
        self.lanes.store(self.txn)?;
        self.queue.store()?;
        if self.next_id != first {
            let mut meta = self.txn.open_table(schema::META)?;
            meta.insert("next_id", self.next_id.to_string().as_str())?;
        }
        Ok(self.next_id)
    }

    /// Makes one message pending; `None` when it is not there, or waits and is not to have another lane.
    fn retry(&mut self, id: u64, relane: Option<NewLane>) -> Result<Option<Again>, redb::Error> {
        let at = (self.target.no, id);
        if let Some((reason, void, message)) = take_failed(&mut self.failed, at)? {
            if let Some(new) = relane {
                self.without_lane(message, new, &reason)?;
                return Ok(Some(Again::NewLane { void }));
            }
            if void {
                self.with_new_number(message, &reason)?;
                return Ok(Some(Again::NewNumber));
            }
            self.as_it_was(&message, &reason)?;
            return Ok(Some(Again::Same));
        }
        if let Some((message, failure)) = self.take_awaiting(at)? {
            let reason = failure.map_or_else(
                || "it was not consumed in time".to_owned(),
                |why| format!("its consumer failed: {why}"),
            );
            self.as_it_was(&message, &reason)?;
            return Ok(Some(Again::Same));
        }
        let Some(new) = relane else { return Ok(None) };
        // What has no lane gets one anyway.
        let has_lane = |queue: &Queue<'_>, spot| queue.read(spot, |body| Ok(body.1 > 0));
        let spot = self.queue.find(at)?;
        let waits = spot.map_or(Ok(false), |spot| has_lane(&self.queue, spot))?;
        if !waits {
            return Ok(None);
        }
        let Some((message, void)) = self.take_pending(at)? else {
            return Ok(None);
        };
        self.without_lane(message, new, "it was given another lane")?;
        Ok(Some(Again::NewLane { void }))
    }

    /// Forgets one message; says whether its number is void.
    fn forget(&mut self, id: u64) -> Result<Option<bool>, redb::Error> {
        let at = (self.target.no, id);
        if let Some((_, void, _)) = take_failed(&mut self.failed, at)? {
            return Ok(Some(void));
        }
        if self.take_awaiting(at)?.is_some() || self.take_scheduled(at)? {
            return Ok(Some(false));
        }
        Ok(self.take_pending(at)?.map(|(_, void)| void))
    }

    /// Takes a waiting message out. Its number becomes void when it is certainly not stored.
    fn take_pending(&mut self, at: (u32, u64)) -> Result<Option<(Pending, bool)>, redb::Error> {
        let Some(spot) = self.queue.find(at)? else {
            return Ok(None);
        };
        let message = self.queue.read(spot, |body| Ok(Pending::from_body(at.1, body)))?;
        self.queue.remove(spot)?;
        let retry = self.retries.remove(at)?.map(|row| Retry::from_row(row.value()));
        let void = message.seq > 0 && !self.doubt.about(&message, retry.as_ref());
        if let Some(partition) = message.partition {
            // What it carried is told once more: nobody may have read it.
            let mut news = Voids::parse(message.voids.as_bytes()).unwrap_or_default();
            if void {
                news.add(message.seq);
            }
            self.lanes.give_back(self.txn, &message.producer, partition, &news)?;
        }
        Ok(Some((message, void)))
    }

    /// Takes out what waits for its time; whether it was there.
    fn take_scheduled(&mut self, at: (u32, u64)) -> Result<bool, redb::Error> {
        let mut scheduled = self.txn.open_table(schema::SCHEDULED)?;
        let mut key = None;
        for row in scheduled.iter()? {
            let (due_ms, target, id) = row?.0.value();
            if (target, id) == at {
                key = Some((due_ms, target, id));
                break;
            }
        }
        match key {
            Some(key) => Ok(scheduled.remove(key)?.is_some()),
            None => Ok(false),
        }
    }

    fn take_awaiting(&mut self, at: (u32, u64)) -> Result<Option<(Pending, Option<String>)>, redb::Error> {
        let Some(row) = self.awaiting.remove(at)? else {
            return Ok(None);
        };
        let (_, _, _, failure, body) = row.value();
        let (message, failure) = (Pending::from_body(at.1, body), failure.map(str::to_owned));
        drop(row);
        let lane = self.target.lane(message.partition.unwrap_or(-1));
        self.txn
            .open_table(schema::AWAITED)?
            .remove((message.producer.as_str(), lane.as_str(), message.seq))?;
        Ok(Some((message, failure)))
    }

    /// The same message again. One with a number may be stored, so that stays what it is.
    fn as_it_was(&mut self, message: &Pending, reason: &str) -> Result<(), redb::Error> {
        let at = (self.target.no, message.id);
        self.queue.insert(at, &message.body())?;
        self.retries.insert(at, (0, 0, message.seq > 0, reason))?;
        Ok(())
    }

    /// As a new message at the end of its lane: a later number must not be handed over before an earlier one.
    fn with_new_number(&mut self, mut message: Pending, reason: &str) -> Result<(), redb::Error> {
        let Some(partition) = message.partition else {
            let same = NewLane { wish: message.wish };
            return self.without_lane(message, same, reason);
        };
        let producer = &self.target.producer;
        (message.seq, message.voids) = self.lanes.take(self.txn, producer, partition)?;
        message.producer.clone_from(producer);
        self.add(&message, reason)
    }

    /// As a new message that has no lane yet.
    fn without_lane(&mut self, mut message: Pending, new: NewLane, reason: &str) -> Result<(), redb::Error> {
        (message.partition, message.wish, message.seq) = (None, new.wish, 0);
        message.voids.clear();
        message.producer.clone_from(&self.target.producer);
        self.add(&message, reason)
    }

    fn add(&mut self, message: &Pending, reason: &str) -> Result<(), redb::Error> {
        let at = (self.target.no, self.next_id);
        self.queue.insert(at, &message.body())?;
        self.retries.insert(at, (0, 0, false, reason))?;
        self.next_id += 1;
        Ok(())
    }
}

fn take_failed(
    failed: &mut Messages<'_, FailedRow<'static>>,
    at: (u32, u64),
) -> Result<Option<(String, bool, Pending)>, redb::Error> {
    let Some(row) = failed.remove(at)? else {
        return Ok(None);
    };
    let (reason, void, _, _, body) = row.value();
    Ok(Some((reason.to_owned(), void, Pending::from_body(at.1, body))))
}
