//! What the sender knows: which numbers it gave, and what became of them.

use super::numbers::{self, Numbers};
use std::collections::BTreeMap;

/// Acknowledged numbers of one lane, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acked {
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
    /// The offset of the first, where the broker told it. Those after it lie at least as many offsets later.
    pub offset: Option<i64>,
    /// When the last of them was acknowledged, in milliseconds since the Unix epoch.
    pub time_ms: Option<i64>,
}

/// What the sender knows of one lane.
#[derive(Debug, Default, Clone)]
pub(super) struct Known {
    pub(super) acked: Numbers,
    /// In order of their first numbers; they may touch, and overlap where several journals know the same.
    pub(super) runs: Vec<Acked>,
    /// Numbers that may be stored, are not yet sent, or were refused without being void.
    pub(super) open: Numbers,
    pub(super) voids: Numbers,
}

/// A journal: what one or several senders know of the lanes of a topic. It must have been read before the scan began, so that
/// what it calls acknowledged was there by then.
#[derive(Debug, Default, Clone)]
pub struct Truth {
    lanes: BTreeMap<(String, String), Known>,
    is_sorted: bool,
}

impl Truth {
    fn lane(&mut self, producer: &str, lane: &str) -> &mut Known {
        self.lanes.entry((producer.to_owned(), lane.to_owned())).or_default()
    }

    /// These numbers were acknowledged.
    pub fn acked(&mut self, producer: &str, lane: &str, acked: Acked) {
        if acked.first == 0 || acked.first > acked.last {
            return;
        }
        let known = self.lane(producer, lane);
        known.acked.insert(acked.first..=acked.last);
        known.runs.push(acked);
        self.is_sorted = false;
    }

    /// This number was given, and was not acknowledged: it may be stored or not.
    pub fn unconfirmed(&mut self, producer: &str, lane: &str, seq: u64) {
        self.lane(producer, lane).open.insert(seq..=seq);
    }

    /// This number was given up, and is in no log for certain.
    pub fn void(&mut self, producer: &str, lane: &str, seq: u64) {
        self.lane(producer, lane).voids.insert(seq..=seq);
    }

    /// Whether it knows of no lane.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// How many numbers were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.lanes
            .values()
            .fold(0, |sum, known| u64::saturating_add(sum, numbers::count(&known.acked)))
    }

    pub(super) fn sort(&mut self) {
        if !self.is_sorted {
            for known in self.lanes.values_mut() {
                known.runs.sort_by_key(|run| (run.first, run.last, run.offset));
            }
            self.is_sorted = true;
        }
    }

    pub(super) fn lanes(&self) -> impl Iterator<Item = ((&str, &str), &Known)> {
        self.lanes
            .iter()
            .map(|((producer, lane), known)| ((producer.as_str(), lane.as_str()), known))
    }

    pub(super) fn of(&self, producer: &str, lane: &str) -> Option<&Known> {
        // Few enough lanes that a key of its own does not matter.
        self.lanes.get(&(producer.to_owned(), lane.to_owned()))
    }
}
