//! Which numbers of which lane were read, and how.
//!
//! Interval sets, not counters: memory grows with gaps and not with messages. One record costs two look-ups and no allocation.

use crate::model::{Record, VOID_HEADER, Voids};
use rangemap::RangeInclusiveSet;
use std::collections::HashMap;

/// All that was read, by producer and lane.
#[derive(Debug, Default)]
pub struct Tracker {
    lanes: Vec<Lane>,
    places: HashMap<String, HashMap<String, usize>>,
    /// Records read.
    pub read: u64,
    /// Records with a stamp that can be read.
    pub stamped: u64,
    /// Records with a stamp that cannot.
    pub corrupt: u64,
}

/// One producer's numbers in one lane.
#[derive(Debug, Default, Clone)]
pub(super) struct Lane {
    /// Numbers read, except those of `run`.
    seen: RangeInclusiveSet<u64>,
    /// The numbers that are being read one after the other just now; disjoint from `seen`.
    run: Option<(u64, u64)>,
    /// Numbers read outside the lane. They are not missing; whether they are copies or came late, their place does not tell.
    away: RangeInclusiveSet<u64>,
    pub(super) voids: RangeInclusiveSet<u64>,
    /// Numbers read more than once.
    pub(super) repeated: RangeInclusiveSet<u64>,
    pub(super) read: u64,
    pub(super) duplicates: u64,
    pub(super) reordered: u64,
    pub(super) moved: u64,
    largest: u64,
}

impl Lane {
    /// A number read in its lane, where order holds.
    fn insert(&mut self, seq: u64) {
        self.read += 1;
        let is_new = match self.run {
            Some((first, last)) if last.checked_add(1) == Some(seq) && !self.seen.contains(&seq) => {
                self.run = Some((first, seq));
                true
            }
            Some((first, last)) if (first..=last).contains(&seq) => false,
            _ if self.seen.contains(&seq) => false,
            ended => {
                if let Some((first, last)) = ended {
                    self.seen.insert(first..=last);
                }
                self.run = Some((seq, seq));
                true
            }
        };
        match (is_new, seq < self.largest) {
            (false, _) => {
                self.duplicates += 1;
                self.repeated.insert(seq..=seq);
            }
            (true, true) => self.reordered += 1,
            (true, false) => {}
        }
        self.largest = self.largest.max(seq);
    }

    /// A number read elsewhere. Two places are read in no order, so it is moved and nothing else.
    fn insert_away(&mut self, seq: u64) {
        self.read += 1;
        self.moved += 1;
        self.away.insert(seq..=seq);
    }

    /// Every number that was read.
    pub(super) fn numbers(&self) -> RangeInclusiveSet<u64> {
        let mut all = self.seen.clone();
        all.extend(self.away.iter().cloned());
        if let Some((first, last)) = self.run {
            all.insert(first..=last);
        }
        all
    }
}

impl Tracker {
    /// Takes note of one record of a topic.
    pub fn insert(&mut self, topic: &str, record: &Record<'_>) {
        self.read += 1;
        let stamp = match record.stamp() {
            None => return,
            Some(Err(_)) => {
                self.corrupt += 1;
                return;
            }
            Some(Ok(stamp)) => stamp,
        };
        let voids = match record.header(VOID_HEADER).map(Voids::parse) {
            None => None,
            Some(Ok(voids)) => Some(voids),
            Some(Err(_)) => {
                self.corrupt += 1;
                return;
            }
        };
        self.stamped += 1;
        let lane = self.lane(stamp.producer, stamp.lane);
        if record.is_in(stamp.lane, topic) {
            lane.insert(stamp.seq);
        } else {
            lane.insert_away(stamp.seq);
        }
        for &(from, to) in voids.iter().flat_map(|v| v.ranges()) {
            lane.voids.insert(from..=to);
        }
    }

    fn lane(&mut self, producer: &str, lane: &str) -> &mut Lane {
        // Names become texts of their own once for each lane, not for each record.
        let known = self.places.get(producer).and_then(|lanes| lanes.get(lane)).copied();
        let at = known.unwrap_or_else(|| {
            self.lanes.push(Lane::default());
            let at = self.lanes.len() - 1;
            self.places
                .entry(producer.to_owned())
                .or_default()
                .insert(lane.to_owned(), at);
            at
        });
        &mut self.lanes[at]
    }

    /// Every lane with its producer and its name, in their order.
    pub(super) fn all(&self) -> Vec<(&str, &str, &Lane)> {
        let mut all: Vec<(&str, &str, &Lane)> = Vec::with_capacity(self.lanes.len());
        for (producer, lanes) in &self.places {
            all.extend(
                lanes
                    .iter()
                    .map(|(lane, at)| (producer.as_str(), lane.as_str(), &self.lanes[*at])),
            );
        }
        all.sort_unstable_by_key(|(producer, lane, _)| (*producer, *lane));
        all
    }
}
