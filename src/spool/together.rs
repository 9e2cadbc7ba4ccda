//! Groups of messages that are published in a way of their own: all of them in one transaction, or each prepared at its broker
//! before a local action and handed out after it.
//!
//! They stay among the undecided until the broker's last word on them is known, so nobody who delivers what merely waits ever
//! offers one of them by itself. Two tables of their own, made at first use: a store without them has no such group.

use super::queue::Queue;
use super::schema;
use super::undecided::Group;
use super::{Accepted, Pending, Spool, SpoolError, Target};
use redb::{ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction};

/// `(target, group)` to `(in which way, how far it is, the name that the broker knows it by)`.
pub(super) const TOGETHER: TableDefinition<(u32, u64), (u8, u8, &str)> = TableDefinition::new("together");
/// `(target, group, local id)` to what the broker needs to find the message again.
pub(super) const HANDLES: TableDefinition<(u32, u64, u64), &str> = TableDefinition::new("handles");

/// In which way a group is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In one transaction.
    Transaction,
    /// Each is prepared at its broker before the action, and handed out after it.
    Prepared,
}

/// How far a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Whether it is to be published is not decided.
    Open,
    /// It is to be published. Of a transaction no commit was asked for yet.
    Decided,
    /// A commit was asked for: its outcome must be found out before anything else is done.
    Committing,
}

/// How a group is published, and how far that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Together {
    /// In which way.
    pub way: Way,
    /// How far it is.
    pub phase: Phase,
    /// The name that the broker knows it by: a transactional id, the producer of prepared messages.
    pub name: String,
}

impl Way {
    const fn code(self) -> u8 {
        match self {
            Way::Transaction => 1,
            Way::Prepared => 2,
        }
    }
}

impl Phase {
    const fn code(self) -> u8 {
        match self {
            Phase::Open => 0,
            Phase::Decided => 1,
            Phase::Committing => 2,
        }
    }
}

impl Together {
    pub(super) fn from_row((way, phase, name): (u8, u8, &str)) -> Option<Together> {
        let way = match way {
            1 => Way::Transaction,
            2 => Way::Prepared,
            _ => return None,
        };
        let phase = match phase {
            0 => Phase::Open,
            1 => Phase::Decided,
            2 => Phase::Committing,
            _ => return None,
        };
        Some(Together {
            way,
            phase,
            name: name.to_owned(),
        })
    }
}

/// The row of a group, where there is one.
pub(super) fn of(txn: &ReadTransaction, at: (u32, u64)) -> Result<Option<Together>, redb::Error> {
    let table = match txn.open_table(TOGETHER) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    Ok(table.get(at)?.and_then(|row| Together::from_row(row.value())))
}

/// Every group that is decided, with its target.
pub(super) fn decided(txn: &ReadTransaction) -> Result<Vec<(u32, u64)>, redb::Error> {
    let table = match txn.open_table(TOGETHER) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(e) => return Err(e.into()),
    };
    let mut groups = Vec::new();
    for row in table.iter()? {
        let (key, row) = row?;
        if Together::from_row(row.value()).is_some_and(|t| t.phase != Phase::Open) {
            groups.push(key.value());
        }
    }
    Ok(groups)
}

/// Forgets how a group was to be published.
pub(super) fn end(txn: &WriteTransaction, (target, no): (u32, u64)) -> Result<(), redb::Error> {
    txn.open_table(TOGETHER)?.remove((target, no))?;
    let mut handles = txn.open_table(HANDLES)?;
    handles.retain_in((target, no, 0)..=(target, no, u64::MAX), |_, _| false)?;
    Ok(())
}

impl Spool {
    /// Says that a group is published in this way; nothing is decided yet.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn publish_together(&mut self, target: &Target, group: u64, way: Way, name: &str) -> Result<(), SpoolError> {
        self.write(|txn| {
            let row = (way.code(), Phase::Open.code(), name);
            txn.open_table(TOGETHER)?.insert((target.no, group), row)?;
            Ok(())
        })
    }

    /// Writes down how far a group is, and where the broker has its messages: of those that are named, what was known before is
    /// forgotten.
    ///
    /// # Errors
    /// [`SpoolError`]; nothing may be done then that stands on it.
    pub fn advance(
        &mut self,
        target: &Target,
        group: u64,
        phase: Phase,
        handles: &[(u64, String)],
    ) -> Result<(), SpoolError> {
        self.write(|txn| {
            let mut together = txn.open_table(TOGETHER)?;
            let row = together
                .get((target.no, group))?
                .map(|row| (row.value().0, row.value().2.to_owned()));
            if let Some((way, name)) = row {
                together.insert((target.no, group), (way, phase.code(), name.as_str()))?;
            }
            let mut table = txn.open_table(HANDLES)?;
            // Where an earlier transaction was written says nothing about this one.
            if phase == Phase::Committing {
                table.retain_in((target.no, group, 0)..=(target.no, group, u64::MAX), |_, _| false)?;
            }
            for (id, handle) in handles {
                table.insert((target.no, group, *id), handle.as_str())?;
            }
            Ok(())
        })
    }

    /// Where the broker has messages of a group, by local number.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn handles(&self, target: &Target, group: u64) -> Result<Vec<(u64, String)>, SpoolError> {
        let read = || -> Result<Vec<(u64, String)>, redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            let table = match txn.open_table(HANDLES) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                Err(e) => return Err(e.into()),
            };
            let mut handles = Vec::new();
            for row in table.range((target.no, group, 0)..=(target.no, group, u64::MAX))? {
                let (key, handle) = row?;
                handles.push((key.value().2, handle.value().to_owned()));
            }
            Ok(handles)
        };
        read().map_err(|e| self.failed(e))
    }

    /// Messages of a group from a local number on, at most so many and about so many bytes, and at least one when there is one.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn group_page(
        &self,
        target: &Target,
        group: u64,
        from: u64,
        messages: usize,
        bytes: usize,
    ) -> Result<Vec<Pending>, SpoolError> {
        let read = || -> Result<Vec<Pending>, redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            let table = txn.open_table(schema::UNDECIDED)?;
            let (mut page, mut size) = (Vec::new(), 0);
            for row in table.range((target.no, group, from)..=(target.no, group, u64::MAX))? {
                let (key, body) = row?;
                let message = Pending::from_body(key.value().2, body.value());
                size += message.size();
                page.push(message);
                if page.len() >= messages || size >= bytes {
                    break;
                }
            }
            Ok(page)
        };
        read().map_err(|e| self.failed(e))
    }

    /// Gives messages of a group their lane and number, in the order given. Those that have one already keep it and are left out of
    /// the answer.
    ///
    /// # Errors
    /// [`SpoolError`]; none has got one then, as far as this process may assume.
    pub fn place_group(
        &mut self,
        target: &Target,
        group: u64,
        wanted: &[(u64, i32)],
    ) -> Result<Vec<Accepted>, SpoolError> {
        self.write(|txn| {
            let mut lanes = super::change::Lanes::new(target);
            let mut undecided = txn.open_table(schema::UNDECIDED)?;
            let mut got = Vec::with_capacity(wanted.len());
            for &(id, partition) in wanted {
                let at = (target.no, group, id);
                let Some(mut message) = undecided
                    .get(at)?
                    .map(|row| Pending::from_body(id, row.value()))
                    .filter(|message| message.seq == 0)
                else {
                    continue;
                };
                let (seq, voids) = lanes.take(txn, &target.producer, partition)?;
                message.producer.clone_from(&target.producer);
                (message.partition, message.seq, message.voids) = (Some(partition), seq, voids.clone());
                undecided.insert(at, message.body())?;
                got.push(Accepted { id, seq, voids });
            }
            lanes.store(txn)?;
            Ok(got)
        })
    }

    /// The groups of a target that are to be published and are not yet, the oldest first.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn to_publish(&self, target: &Target) -> Result<Vec<Group>, SpoolError> {
        let all = self.undecided()?.into_iter();
        let of_target = all.filter(|(t, group)| t.no == target.no && group.is_decided());
        Ok(of_target.map(|(_, group)| group).collect())
    }
}

/// Makes messages of a group wait like all others.
pub(super) fn release(
    txn: &WriteTransaction,
    (target, group): (u32, u64),
    ids: impl Iterator<Item = u64>,
) -> Result<(), redb::Error> {
    let mut undecided = txn.open_table(schema::UNDECIDED)?;
    let mut queue = Queue::open(txn)?;
    let mut handles = txn.open_table(HANDLES)?;
    for id in ids {
        if let Some(body) = undecided.remove((target, group, id))? {
            queue.insert((target, id), &body.value())?;
        }
        handles.remove((target, group, id))?;
    }
    queue.store()
}

/// Whether a group has no message left.
pub(super) fn is_empty(txn: &WriteTransaction, (target, group): (u32, u64)) -> Result<bool, redb::Error> {
    let undecided = txn.open_table(schema::UNDECIDED)?;
    let mut left = undecided.range((target, group, 0)..=(target, group, u64::MAX))?;
    Ok(left.next().is_none())
}
