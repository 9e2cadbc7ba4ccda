//! Messages that belong to a local action: they are stored and synced before the action begins, have neither lane nor number, and
//! nobody is offered them before its outcome is known and synced too.
//!
//! A group of them is *held* while its input is read, *begun* once the action may have started, and gone when it was decided: by
//! committing it its messages wait like all others, by rolling it back they have failed. A crash leaves it held (the action never
//! began, so it did not happen) or begun (nobody but the action itself knows).

use super::change::Lanes;
use super::queue::Queue;
use super::schema::{self, Body};
use super::{NewMessage, Pending, Phase, Spool, SpoolError, Target, Together, together};
use crate::model::Voids;
use redb::{ReadableDatabase, ReadableTable, WriteTransaction};

/// One local action and its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its number in the store.
    pub no: u64,
    /// Where its messages go: the number of the target.
    pub(super) target: u32,
    /// Whether the action may have begun.
    pub begun: bool,
    /// When its first message was accepted, in milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// What the action is, in words.
    pub words: String,
    /// How many messages belong to it.
    pub messages: u64,
    /// How it is published, where that is not simply one by one.
    pub together: Option<Together>,
}

impl Group {
    /// Whether it is to be published, and only the broker's word is missing.
    pub fn is_decided(&self) -> bool {
        self.together.as_ref().is_some_and(|t| t.phase != Phase::Open)
    }
}

impl Spool {
    /// A name for a group that no other store has, for the action to write down with what it does.
    pub fn group_name(&self, no: u64) -> String {
        format!("{}-{no}", self.id)
    }

    /// Makes a group; its number is a local number of the store.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn begin_group(&mut self, target: &Target, words: &str, now_ms: i64) -> Result<u64, SpoolError> {
        let no = self.next_id;
        self.write(|txn| {
            txn.open_table(schema::GROUPS)?
                .insert((target.no, no), (false, now_ms, words))?;
            let next = (no + 1).to_string();
            txn.open_table(schema::META)?.insert("next_id", next.as_str())?;
            Ok(())
        })?;
        self.next_id = no + 1;
        Ok(no)
    }

    /// Writes down that the action may begin from now on.
    ///
    /// # Errors
    /// [`SpoolError`]; the action must not begin then.
    pub fn begin_action(&mut self, target: &Target, no: u64) -> Result<(), SpoolError> {
        self.write(|txn| {
            let mut groups = txn.open_table(schema::GROUPS)?;
            let row = groups
                .get((target.no, no))?
                .map(|row| (row.value().1, row.value().2.to_owned()));
            if let Some((since_ms, words)) = row {
                groups.insert((target.no, no), (true, since_ms, words.as_str()))?;
            }
            Ok(())
        })
    }

    /// Decides a group: its messages wait from now on, or have failed with this reason. Returns the local number of each, and its line of the input.
    ///
    /// # Errors
    /// [`SpoolError`]; it is not decided then, as far as this process may assume.
    pub fn decide(
        &mut self,
        target: &Target,
        no: u64,
        rolled_back: Option<&str>,
        now_ms: i64,
    ) -> Result<Vec<(u64, u64)>, SpoolError> {
        self.write(|txn| {
            // What a commit was asked for may be with the readers.
            let row = txn
                .open_table(together::TOGETHER)?
                .get((target.no, no))?
                .and_then(|row| Together::from_row(row.value()));
            let committing = row.is_some_and(|t| t.phase == Phase::Committing);
            let mut undecided = txn.open_table(schema::UNDECIDED)?;
            let mut messages = Vec::new();
            for row in undecided.range((target.no, no, 0)..=(target.no, no, u64::MAX))? {
                let (key, body) = row?;
                messages.push(Pending::from_body(key.value().2, body.value()));
            }
            let mut queue = Queue::open(txn)?;
            let mut lanes = Lanes::new(target);
            for message in &messages {
                undecided.remove((target.no, no, message.id))?;
                let at = (target.no, message.id);
                match rolled_back {
                    None => queue.insert(at, &message.body())?,
                    Some(why) => {
                        // A number that was given is void, because no reader gets to see it.
                        let void = message.seq > 0 && !committing;
                        let row = (why, void, 0, now_ms, message.body());
                        txn.open_table(schema::FAILED)?.insert(at, row)?;
                        let mut news = Voids::parse(message.voids.as_bytes()).unwrap_or_default();
                        if void {
                            news.add(message.seq);
                        }
                        if let Some(partition) = message.partition {
                            lanes.give_back(txn, &message.producer, partition, &news)?;
                        }
                    }
                }
            }
            drop(undecided);
            queue.store()?;
            lanes.store(txn)?;
            together::end(txn, (target.no, no))?;
            txn.open_table(schema::GROUPS)?.remove((target.no, no))?;
            Ok(messages.iter().map(|m| (m.id, m.line)).collect())
        })
    }

    /// The messages of a group: the local number of each, and its line of the input.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn group_messages(&self, target: &Target, no: u64) -> Result<Vec<(u64, u64)>, SpoolError> {
        let read = || -> Result<Vec<(u64, u64)>, redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            let table = txn.open_table(schema::UNDECIDED)?;
            let mut messages = Vec::new();
            for row in table.range((target.no, no, 0)..=(target.no, no, u64::MAX))? {
                let (key, body) = row?;
                messages.push((key.value().2, body.value().3));
            }
            Ok(messages)
        };
        read().map_err(|e| self.failed(e))
    }

    /// Groups without a decision, with the target of each.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn undecided(&self) -> Result<Vec<(Target, Group)>, SpoolError> {
        let targets = self.targets()?;
        let read = || -> Result<Vec<(Target, Group)>, redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            let undecided = txn.open_table(schema::UNDECIDED)?;
            let mut groups = Vec::new();
            for row in txn.open_table(schema::GROUPS)?.iter()? {
                let (key, row) = row?;
                let ((target, no), (begun, since_ms, words)) = (key.value(), row.value());
                let messages = undecided.range((target, no, 0)..=(target, no, u64::MAX))?.count() as u64;
                let group = Group {
                    no,
                    target,
                    begun,
                    since_ms,
                    words: words.to_owned(),
                    messages,
                    together: together::of(&txn, (target, no))?,
                };
                if let Some(its) = targets.iter().find(|t| t.no == target) {
                    groups.push((its.clone(), group));
                }
            }
            Ok(groups)
        };
        read().map_err(|e| self.failed(e))
    }
}

/// Stores messages of a group; returns the next local number.
pub(super) fn hold(
    txn: &WriteTransaction,
    target: &Target,
    no: u64,
    new: &[NewMessage<'_>],
    first_id: u64,
    await_ms: u64,
    now_ms: i64,
) -> Result<u64, redb::Error> {
    let mut undecided = txn.open_table(schema::UNDECIDED)?;
    let mut id = first_id;
    for m in new {
        let wish = match m.place {
            super::Place::Now(_) => -1,
            super::Place::Later(wish) => wish.unwrap_or(-1),
        };
        let headers = m.headers.to_vec();
        let body: Body<'_> = (
            wish,
            0,
            now_ms,
            m.line,
            &target.producer,
            "",
            m.key,
            m.value,
            headers,
            m.tag,
            await_ms,
        );
        undecided.insert((target.no, no, id), body)?;
        id += 1;
    }
    Ok(id)
}
