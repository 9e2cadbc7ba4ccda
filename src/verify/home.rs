//! Where a lane lies, what of that place was read, and what may be concluded from it.

use super::numbers::{self, Numbers};
use super::tracker::{Place, Tracker};
use super::truth::{Acked, Known};
use crate::model::{PartitionRead, ScanReport};
use std::collections::BTreeMap;

/// Numbers by producer and lane.
pub(super) type ByLane = BTreeMap<(String, String), Numbers>;

/// Numbers that were not read and are not missing, because they were found elsewhere.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Excuses {
    /// In aborted transactions.
    pub(super) aborted: ByLane,
    /// In transactions that are open, or behind one, or in places where they wait.
    pub(super) held_back: ByLane,
    /// In places where consumers put what they gave back.
    pub(super) set_aside: ByLane,
}

impl Excuses {
    /// Adds what others found.
    pub(super) fn merge(&mut self, other: Excuses) {
        for (all, theirs) in [
            (&mut self.aborted, other.aborted),
            (&mut self.held_back, other.held_back),
            (&mut self.set_aside, other.set_aside),
        ] {
            for (name, more) in theirs {
                numbers::add(all.entry(name).or_default(), &more);
            }
        }
    }

    /// Without what was waiting: by now it may have come, or never will.
    #[must_use]
    pub fn lasting(&self) -> Excuses {
        Excuses {
            held_back: ByLane::new(),
            ..self.clone()
        }
    }
}

/// What the broker said of its logs beside the messages, as far as it was asked.
#[derive(Debug, Default, Clone)]
pub struct Facts {
    /// The log start of each place after the scan.
    pub log_starts: BTreeMap<Place, i64>,
    /// Where the log of each place ends on its leader (exclusive), whether all of it may be read yet or not.
    pub log_ends: BTreeMap<Place, i64>,
    /// Why numbers that were not read are not missing.
    pub(super) excuses: Excuses,
    /// Records of aborted transactions that a reader of committed ones was given; `None` when nobody looked.
    pub aborted_read: Option<u64>,
    /// When the reading began, in milliseconds since the Unix epoch, where the journal was read later than that: what was acknowledged
    /// since then may have come behind what was read.
    pub began_ms: Option<i64>,
    /// Whether messages leave the place by being consumed, so that what is missing says nothing.
    pub is_consumed: bool,
}

impl Facts {
    /// What is known from before.
    pub fn excuse(&mut self, excuses: Excuses) {
        self.excuses.merge(excuses);
    }

    /// Why numbers that were not read are not missing, as far as it was found.
    pub fn excuses(&self) -> &Excuses {
        &self.excuses
    }

    /// A missing number was found in an aborted transaction.
    pub fn found_aborted(&mut self, producer: &str, lane: &str, seq: u64) {
        let name = (producer.to_owned(), lane.to_owned());
        self.excuses.aborted.entry(name).or_default().insert(seq..=seq);
    }

    /// A copy of a missing number was found where consumers put what they gave back.
    pub fn found_set_aside(&mut self, producer: &str, lane: &str, seq: u64) {
        let name = (producer.to_owned(), lane.to_owned());
        self.excuses.set_aside.entry(name).or_default().insert(seq..=seq);
    }

    /// A missing number was found in a transaction that is open.
    pub fn found_held_back(&mut self, producer: &str, lane: &str, seq: u64) {
        let name = (producer.to_owned(), lane.to_owned());
        self.excuses.held_back.entry(name).or_default().insert(seq..=seq);
    }
}

/// From where on the numbers of a lane must all be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// From 1: its log starts at 0.
    First,
    /// From the first number read: what was before has expired with the head of its log.
    FirstRead,
    /// Nowhere: its own partition was not read.
    NotRead,
}

/// Where a lane must begin. A lane that is at home in another topic begins with its first number only when every log here does.
pub(super) fn beginning(lane: &str, topic: &str, report: &ScanReport) -> Beginning {
    let of = |partition: &PartitionRead| {
        if partition.from == 0 {
            Beginning::First
        } else {
            Beginning::FirstRead
        }
    };
    if let Some(home) = report.partitions.iter().find(|p| p.is_home_of(lane, topic)) {
        return of(home);
    }
    if lane.strip_prefix(topic).is_some_and(|rest| rest.starts_with('/')) {
        return Beginning::NotRead;
    }
    // An exchange may have been bound to this queue long after the lane began.
    if lane.contains('|') && lane.strip_prefix('|') != Some(topic) {
        return Beginning::FirstRead;
    }
    report
        .partitions
        .iter()
        .map(of)
        .find(|b| *b == Beginning::FirstRead)
        .unwrap_or(Beginning::First)
}

/// What was read of the place of a lane.
#[derive(Debug, Clone)]
pub(super) struct Home {
    /// Where the log starts, by the last answer.
    start: i64,
    /// Where reading ended by plan (exclusive).
    end: i64,
    /// What was read.
    covered: Vec<(i64, i64)>,
    /// Where the log ends on its leader.
    log_end: Option<i64>,
    /// When the reading began, where that is before the journal was read.
    began_ms: Option<i64>,
    /// Whether numbers that are missing in it prove anything.
    is_judged: bool,
    /// Whether they prove something only between numbers that were read: an exchange may have been bound to the queue for a time.
    is_bound: bool,
}

/// What became of acknowledged numbers that were not read.
#[derive(Debug, Default)]
pub(super) struct Missing {
    pub(super) lost: Numbers,
    pub(super) unseen: Numbers,
    pub(super) expired: Numbers,
}

/// Whether any of a run was acknowledged after the reading began.
pub(super) fn is_later(run: &Acked, began_ms: Option<i64>) -> bool {
    began_ms.is_some_and(|began| run.time_ms.is_none_or(|time| time >= began))
}

impl Home {
    /// The place of a lane; `None` when it has none here.
    pub(super) fn of(lane: &str, topic: &str, report: &ScanReport, facts: &Facts, tracker: &Tracker) -> Option<Home> {
        let is_queue = lane.contains('|');
        let read = match is_queue {
            // An exchange has no place of its own; what was routed to the queue lies there.
            true => report.partitions.first(),
            false => report.partitions.iter().find(|p| p.is_home_of(lane, topic)),
        }?;
        let place = Place {
            node: read.node.clone(),
            partition: read.partition,
        };
        let later = facts.log_starts.get(&place).copied().unwrap_or(read.from);
        Some(Home {
            start: read.from.max(later),
            end: read.to,
            covered: tracker.covered(read.node.as_deref(), read.partition),
            log_end: facts.log_ends.get(&place).copied(),
            began_ms: facts.began_ms,
            // Of the lane of a whole exchange a queue may get some routing keys only.
            is_judged: !(facts.is_consumed || is_queue && lane.ends_with("|*")),
            is_bound: is_queue && lane.strip_prefix('|') != Some(topic),
        })
    }

    /// Whether numbers that are missing here prove anything.
    pub(super) fn is_judged(&self) -> bool {
        self.is_judged
    }

    fn has_read(&self, offset: i64) -> bool {
        self.covered.iter().any(|(from, to)| (*from..*to).contains(&offset))
    }

    /// Whether everything from the log start to the planned end was read.
    fn is_whole(&self) -> bool {
        self.start >= self.end
            || self
                .covered
                .iter()
                .any(|(from, to)| *from <= self.start && *to >= self.end)
    }

    /// Whether a lane of which nothing was read here may be in what was not read.
    pub(super) fn may_hide_all(&self, read: &Numbers) -> bool {
        read.is_empty() && !self.is_whole()
    }

    /// Sorts acknowledged numbers that were not read. `read` are those that were read in the lane.
    pub(super) fn sort(&self, missing: &Numbers, known: &Known, read: &Numbers) -> Missing {
        let mut sorted = Missing::default();
        let mut left = missing.clone();
        if self.is_bound {
            let between = match (read.first(), read.last()) {
                (Some(first), Some(last)) => numbers::within(missing, *first.start(), *last.end()),
                _ => Numbers::new(),
            };
            sorted.unseen = numbers::minus(missing, &between);
            left = between;
        }
        for run in &known.runs {
            let its: Vec<(u64, u64)> = left
                .overlapping(run.first..=run.last)
                .map(|r| (*r.start().max(&run.first), *r.end().min(&run.last)))
                .collect();
            for (first, last) in its {
                left.remove(first..=last);
                self.sort_run(&mut sorted, run, first, last, read);
            }
        }
        sorted
    }

    fn sort_run(&self, sorted: &mut Missing, run: &Acked, mut first: u64, last: u64, read: &Numbers) {
        // Of the first number of a run the offset is known exactly.
        if first == run.first
            && let Some(offset) = run.offset
        {
            let to = if offset < self.start {
                &mut sorted.expired
            } else if self.has_read(offset) || self.is_cut(offset) {
                &mut sorted.lost
            } else {
                &mut sorted.unseen
            };
            to.insert(first..=first);
            if first == last {
                return;
            }
            first += 1;
        }
        // Of those after it only that they lie so many offsets later at least: from which number on all are at an offset or behind it.
        let at_least = |offset: i64| {
            run.offset.map_or(u64::MAX, |known| {
                run.first
                    .saturating_add(offset.saturating_sub(known).max(0).unsigned_abs())
            })
        };
        if self.start > 0 {
            let reached = read.first().map_or(u64::MAX, |range| *range.start());
            let within = reached.min(at_least(self.start));
            if first < within {
                let end = last.min(within - 1);
                sorted.expired.insert(first..=end);
                if end == last {
                    return;
                }
                first = end + 1;
            }
        }
        if !self.is_whole() || is_later(run, self.began_ms) {
            sorted.unseen.insert(first..=last);
            return;
        }
        let end_is_read = self.log_end.is_some_and(|end| end <= self.end);
        if end_is_read {
            sorted.lost.insert(first..=last);
            return;
        }
        // What is above the last number that was read may wait for its replication, or behind an open transaction.
        // One with a larger one after it in the log lies before the end, unless its own offset says otherwise.
        let largest = read.last().map_or(0, |range| *range.end());
        let end = last.min(largest).min(at_least(self.end).saturating_sub(1));
        if first <= end {
            sorted.lost.insert(first..=end);
            if end == last {
                return;
            }
            first = end + 1;
        }
        sorted.unseen.insert(first..=last);
    }

    /// Whether the log of the leader ends before an offset that was acknowledged: it was cut.
    fn is_cut(&self, offset: i64) -> bool {
        self.log_end.is_some_and(|end| offset >= end)
    }
}
