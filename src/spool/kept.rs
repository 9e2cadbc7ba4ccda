//! Every message that a store keeps, with what is known of it; and the journal of those that it no longer keeps.

use super::queue::QueueReader;
use super::schema;
use super::{Pending, Phase, Retry, Spool, SpoolError, Target, Way, together};
use redb::{ReadTransaction, ReadableDatabase, ReadableTable};
use std::ops::ControlFlow;

/// One message of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What it is.
    pub message: Pending,
    /// Where it stands.
    pub held: Held,
}

/// Where a message stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// It waits for its acknowledgement.
    Pending {
        /// What is known of it, when it came back.
        retry: Option<Retry>,
        /// Whether it may be stored. One with a lane that a killed run may have handed over counts as such.
        in_doubt: bool,
    },
    /// It was refused for good, or given up.
    Failed {
        /// Why.
        reason: String,
        /// Whether its number is void. A number that may be in the log is not.
        void: bool,
        /// How often it was tried.
        attempts: u32,
        /// When, in milliseconds since the Unix epoch.
        failed_ms: i64,
    },
    /// It is stored, and its consumption is awaited.
    Awaiting {
        /// When it was acknowledged, in milliseconds since the Unix epoch.
        confirmed_ms: i64,
        /// Until when it is to be consumed, in milliseconds since the Unix epoch.
        until_ms: i64,
        /// Its offset, where the broker told it.
        offset: Option<i64>,
        /// Why its consumer failed, when one reported that.
        failure: Option<String>,
    },
    /// It waits for its time, as the check of a message does.
    Scheduled {
        /// When that is, in milliseconds since the Unix epoch.
        due_ms: i64,
    },
    /// It belongs to a local action or a transaction.
    Undecided {
        /// The number of that in the store.
        group: u64,
        /// The action in words.
        words: String,
        /// Whether it is to be published, and only the broker's word is missing.
        decided: bool,
        /// Whether it may be stored: a commit was asked for, and its outcome is not known.
        in_doubt: bool,
    },
}

impl Held {
    /// Whether it may be sent again because nobody consumed it: its time is over, or its consumer failed.
    pub fn is_unconsumed(&self, now_ms: i64) -> bool {
        match self {
            Held::Awaiting { until_ms, failure, .. } => failure.is_some() || *until_ms <= now_ms,
            Held::Pending { .. } | Held::Failed { .. } | Held::Scheduled { .. } | Held::Undecided { .. } => false,
        }
    }
}

/// Which messages are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Which {
    /// Those that wait for their acknowledgement.
    pub pending: bool,
    /// Those that failed for good.
    pub failed: bool,
    /// Those that are stored and not yet consumed.
    pub awaiting: bool,
    /// Those that wait for their time.
    pub scheduled: bool,
    /// Those that belong to a local action of which it is not decided whether they are published. Once they are, they are pending.
    pub undecided: bool,
}

/// Consecutive numbers of one lane that were acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Who signed them.
    pub producer: String,
    /// Their lane.
    pub lane: String,
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
    /// The offset of the first, where the broker told it.
    pub offset: Option<i64>,
    /// When the last of them was acknowledged, in milliseconds since the Unix epoch.
    pub time_ms: i64,
}

/// What tells whether a waiting message may be stored.
pub(super) struct Doubt {
    untried_from: Option<u64>,
}

impl Doubt {
    pub(super) fn of(untried_from: Option<u64>) -> Doubt {
        Doubt { untried_from }
    }

    /// What is written counts; without it, whatever has a lane may have been handed over by a run that was killed.
    pub(super) fn about(&self, message: &Pending, retry: Option<&Retry>) -> bool {
        match retry {
            Some(retry) => retry.in_doubt,
            None => message.partition.is_some() && self.untried_from.is_none_or(|from| message.id < from),
        }
    }
}

impl Spool {
    /// Shows every message of these kinds, in the order of targets and local numbers, until told to stop.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn each(
        &self,
        which: Which,
        mut visit: impl FnMut(&Target, Kept) -> ControlFlow<()>,
    ) -> Result<(), SpoolError> {
        let targets = self.targets()?;
        let mut read = || -> Result<(), redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            for target in &targets {
                if each_of(&txn, target, which, 0..=u64::MAX, &mut visit)?.is_break() {
                    return Ok(());
                }
            }
            Ok(())
        };
        read().map_err(|e| self.failed(e))
    }

    /// The message with this local number, wherever it stands.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn find(&self, id: u64) -> Result<Option<(Target, Kept)>, SpoolError> {
        let all = Which {
            pending: true,
            failed: true,
            awaiting: true,
            scheduled: true,
            undecided: true,
        };
        let targets = self.targets()?;
        let mut found = None;
        let mut read = || -> Result<(), redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            for target in &targets {
                let mut take = |target: &Target, kept: Kept| {
                    found = Some((target.clone(), kept));
                    ControlFlow::Break(())
                };
                if each_of(&txn, target, all, id..=id, &mut take)?.is_break() {
                    return Ok(());
                }
            }
            Ok(())
        };
        read().map_err(|e| self.failed(e))?;
        Ok(found)
    }

    /// The journal: every run of acknowledged numbers, by producer and lane, until told to stop.
    ///
    /// # Errors
    /// [`SpoolError`] when the store fails.
    pub fn runs(&self, mut visit: impl FnMut(Run) -> ControlFlow<()>) -> Result<(), SpoolError> {
        let mut read = || -> Result<(), redb::Error> {
            let txn = self.db.as_ref().ok_or(redb::Error::PreviousIo)?.begin_read()?;
            for row in txn.open_table(schema::CONFIRMED)?.iter()? {
                let (key, row) = row?;
                let ((producer, lane, first), (last, offset, time_ms)) = (key.value(), row.value());
                let run = Run {
                    producer: producer.to_owned(),
                    lane: lane.to_owned(),
                    first,
                    last,
                    offset: (offset >= 0).then_some(offset),
                    time_ms,
                };
                if visit(run).is_break() {
                    break;
                }
            }
            Ok(())
        };
        read().map_err(|e| self.failed(e))
    }
}

fn each_of(
    txn: &ReadTransaction,
    target: &Target,
    which: Which,
    ids: std::ops::RangeInclusive<u64>,
    visit: &mut impl FnMut(&Target, Kept) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, redb::Error> {
    let wanted = ids.clone();
    let ids = (target.no, *ids.start())..=(target.no, *ids.end());
    if which.pending {
        let retries = txn.open_table(schema::RETRIES)?;
        let doubt = Doubt::of(txn.open_table(schema::UNTRIED)?.get(target.no)?.map(|id| id.value()));
        let seen = QueueReader::open(txn)?.visit(ids.clone(), |at, body| {
            let message = Pending::from_body(at.1, body);
            let retry = retries.get(at)?.map(|row| Retry::from_row(row.value()));
            let in_doubt = doubt.about(&message, retry.as_ref());
            let held = Held::Pending { retry, in_doubt };
            Ok(visit(target, Kept { message, held }))
        })?;
        if seen.is_break() {
            return Ok(seen);
        }
    }
    if which.failed {
        for row in txn.open_table(schema::FAILED)?.range(ids.clone())? {
            let (key, row) = row?;
            let (reason, void, attempts, failed_ms, body) = row.value();
            let message = Pending::from_body(key.value().1, body);
            let held = Held::Failed {
                reason: reason.to_owned(),
                void,
                attempts,
                failed_ms,
            };
            if visit(target, Kept { message, held }).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    if which.awaiting {
        for row in txn.open_table(schema::AWAITING)?.range(ids)? {
            let (key, row) = row?;
            let (confirmed_ms, until_ms, offset, failure, body) = row.value();
            let message = Pending::from_body(key.value().1, body);
            let held = Held::Awaiting {
                confirmed_ms,
                until_ms,
                offset: (offset >= 0).then_some(offset),
                failure: failure.map(str::to_owned),
            };
            if visit(target, Kept { message, held }).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    if which.scheduled {
        for row in txn.open_table(schema::SCHEDULED)?.iter()? {
            let (key, body) = row?;
            let (due_ms, its, id) = key.value();
            if its != target.no || !wanted.contains(&id) {
                continue;
            }
            let (message, held) = (Pending::from_body(id, body.value()), Held::Scheduled { due_ms });
            if visit(target, Kept { message, held }).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    if which.undecided || which.pending {
        let groups = txn.open_table(schema::GROUPS)?;
        for row in txn
            .open_table(schema::UNDECIDED)?
            .range((target.no, 0, 0)..=(target.no, u64::MAX, u64::MAX))?
        {
            let (key, body) = row?;
            let (_, group, id) = key.value();
            if !wanted.contains(&id) {
                continue;
            }
            let together = together::of(txn, (target.no, group))?;
            let (way, phase) = together.map_or((Way::Transaction, Phase::Open), |t| (t.way, t.phase));
            let decided = phase != Phase::Open;
            if !(if decided { which.pending } else { which.undecided }) {
                continue;
            }
            let words = groups.get((target.no, group))?.map(|row| row.value().2.to_owned());
            let held = Held::Undecided {
                group,
                words: words.unwrap_or_default(),
                decided,
                // The broker hands a prepared message out by itself once it was told so when it asked.
                in_doubt: phase == Phase::Committing || (decided && way == Way::Prepared),
            };
            let message = Pending::from_body(id, body.value());
            if visit(target, Kept { message, held }).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}
