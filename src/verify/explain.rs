//! A second look at what is missing: whether it lies in a transaction, and what lies beside it.
//!
//! It reads what a reader of uncommitted messages is given, with the headers of batches, and keeps only what concerns the numbers
//! that are missing, so that its memory grows with them.

use super::home::Facts;
use super::numbers::Numbers;
use super::verdict::Verdict;
use crate::model::{BatchHeader, Control, Record};
use std::collections::{BTreeMap, HashMap};

/// Holes that are looked at; a report with more names of them the first.
const MOST: usize = 200;

/// A message beside a hole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Its number.
    pub seq: u64,
    /// The partition.
    pub partition: i32,
    /// The broker of a RocketMQ queue.
    pub node: Option<String>,
    /// Its offset.
    pub offset: i64,
    /// Its time, in milliseconds since the Unix epoch.
    pub timestamp_ms: Option<i64>,
    /// The epoch of the leader that took it, where the log says so.
    pub leader_epoch: Option<i32>,
}

/// A hole with its neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// Who sent what is missing.
    pub producer: String,
    /// Its lane.
    pub lane: String,
    /// The missing numbers, both included.
    pub numbers: (u64, u64),
    /// Whether they were acknowledged.
    pub is_lost: bool,
    /// The message with the largest number below.
    pub before: Option<Neighbour>,
    /// The message with the smallest number above.
    pub after: Option<Neighbour>,
}

/// Transactions of one partition: missing numbers that were found in the one that is open, by producer id.
type Open = HashMap<(i32, i64), Vec<(usize, u64)>>;

/// A second look.
#[derive(Debug, Default)]
pub struct Second {
    holes: Vec<Hole>,
    lanes: HashMap<String, Vec<usize>>,
    missing: BTreeMap<(String, String), Numbers>,
    headers: HashMap<i32, BatchHeader>,
    open: Open,
    aborted: Vec<(usize, u64)>,
    /// Missing numbers that are there by now.
    late: Vec<(usize, u64)>,
    /// Missing numbers that lie in other places of the broker, by what such a place is.
    elsewhere: BTreeMap<&'static str, Vec<(usize, u64)>>,
    /// Holes that were not looked at.
    pub left_out: usize,
}

impl Second {
    /// A look at the holes of a verdict.
    pub fn new(verdict: &Verdict) -> Second {
        let mut second = Second::default();
        for lane in &verdict.lanes {
            let lost = lane.lost.iter().map(|range| (*range, true));
            for (numbers, is_lost) in lost.chain(lane.gaps.iter().map(|range| (*range, false))) {
                let name = (lane.producer.clone(), lane.lane.clone());
                second.missing.entry(name).or_default().insert(numbers.0..=numbers.1);
                if second.holes.len() >= MOST {
                    second.left_out += 1;
                    continue;
                }
                second
                    .lanes
                    .entry(format!("{} {}", lane.producer, lane.lane))
                    .or_default()
                    .push(second.holes.len());
                second.holes.push(Hole {
                    producer: lane.producer.clone(),
                    lane: lane.lane.clone(),
                    numbers,
                    is_lost,
                    before: None,
                    after: None,
                });
            }
        }
        second
    }

    /// Whether there is anything to look at.
    pub fn is_empty(&self) -> bool {
        self.holes.is_empty()
    }

    /// The header of the batch that comes next.
    pub fn header(&mut self, partition: i32, header: &BatchHeader) {
        self.headers.insert(partition, *header);
        let Some(control) = header.control else { return };
        let ended = self.open.remove(&(partition, header.producer_id)).unwrap_or_default();
        match control {
            Control::Abort => self.aborted.extend(ended),
            Control::Commit | Control::Other(_) => self.late.extend(ended),
        }
    }

    /// A message.
    pub fn insert(&mut self, record: &Record<'_>) {
        let Some(Ok(stamp)) = record.stamp() else { return };
        let header = self
            .headers
            .get(&record.partition)
            .filter(|header| (header.base_offset..=header.last_offset).contains(&record.offset));
        let name = format!("{} {}", stamp.producer, stamp.lane);
        let Some(its) = self.lanes.get(&name) else { return };
        for &no in its {
            let Some(hole) = self.holes.get_mut(no) else { continue };
            let (first, last) = hole.numbers;
            if (first..=last).contains(&stamp.seq) {
                match header.filter(|header| header.transactional) {
                    // It is there for a reader of uncommitted messages.
                    Some(header) => {
                        let key = (record.partition, header.producer_id);
                        self.open.entry(key).or_default().push((no, stamp.seq));
                    }
                    // It came after the first look had ended.
                    None => self.late.push((no, stamp.seq)),
                }
                continue;
            }
            let neighbour = || Neighbour {
                seq: stamp.seq,
                partition: record.partition,
                node: record.node.map(str::to_owned),
                offset: record.offset,
                timestamp_ms: record.timestamp_ms,
                leader_epoch: header.map(|header| header.leader_epoch).filter(|epoch| *epoch >= 0),
            };
            if stamp.seq < first && hole.before.as_ref().is_none_or(|known| known.seq < stamp.seq) {
                hole.before = Some(neighbour());
            }
            if stamp.seq > last && hole.after.as_ref().is_none_or(|known| known.seq > stamp.seq) {
                hole.after = Some(neighbour());
            }
        }
    }

    /// A message of another place of the broker, in which messages wait before they come here: what is missing here and lies there is
    /// not lost.
    pub fn insert_elsewhere(&mut self, what: &'static str, record: &Record<'_>) {
        let Some(Ok(stamp)) = record.stamp() else { return };
        let Some(its) = self.lanes.get(&format!("{} {}", stamp.producer, stamp.lane)) else {
            return;
        };
        let is_its = |no: &&usize| {
            let hole = self.holes.get(**no);
            hole.is_some_and(|hole| (hole.numbers.0..=hole.numbers.1).contains(&stamp.seq))
        };
        if let Some(no) = its.iter().find(is_its) {
            self.elsewhere.entry(what).or_default().push((*no, stamp.seq));
        }
    }

    /// How many of the missing numbers were found in other places.
    pub fn elsewhere(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.elsewhere.iter().map(|(what, found)| {
            let mut found = found.clone();
            found.sort_unstable();
            found.dedup();
            (*what, found.len() as u64)
        })
    }

    /// Tells what was found in transactions, and gives the holes with their neighbours.
    pub fn finish(self, facts: &mut Facts) -> Vec<Hole> {
        let holes = &self.holes;
        let name = |no: usize| holes.get(no).map(|hole| (hole.producer.as_str(), hole.lane.as_str()));
        for &(no, seq) in &self.aborted {
            if let Some((producer, lane)) = name(no) {
                facts.found_aborted(producer, lane, seq);
            }
        }
        // These came late, or no mark has ended their transaction yet.
        for &(no, seq) in self
            .open
            .values()
            .flatten()
            .chain(&self.late)
            .chain(self.elsewhere.values().flatten())
        {
            if let Some((producer, lane)) = name(no) {
                facts.found_held_back(producer, lane, seq);
            }
        }
        self.holes
    }
}

/// Counts messages of aborted transactions that a reader of committed ones was given nevertheless.
#[derive(Debug, Default)]
pub struct AbortedRead {
    headers: HashMap<i32, BatchHeader>,
    given: HashMap<(i32, i64), u64>,
    /// How many there were.
    pub count: u64,
}

impl AbortedRead {
    /// The header of the batch that comes next.
    pub fn header(&mut self, partition: i32, header: &BatchHeader) {
        self.headers.insert(partition, *header);
        if let Some(control) = header.control {
            let given = self.given.remove(&(partition, header.producer_id)).unwrap_or(0);
            match control {
                Control::Abort => self.count += given,
                Control::Commit | Control::Other(_) => {}
            }
        }
    }

    /// Messages that were handed over, all of one partition.
    pub fn batch(&mut self, records: &[Record<'_>]) {
        let Some(first) = records.first() else { return };
        let header = self.headers.get(&first.partition).filter(|header| header.transactional);
        if let Some(header) = header {
            *self.given.entry((first.partition, header.producer_id)).or_default() += records.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::LaneVerdict;

    fn header(base: i64, last: i64, producer_id: i64, control: Option<Control>) -> BatchHeader {
        BatchHeader {
            base_offset: base,
            last_offset: last,
            leader_epoch: 4,
            producer_id,
            producer_epoch: 0,
            base_sequence: 0,
            control,
            transactional: true,
            max_timestamp_ms: 0,
            count: 1,
        }
    }

    fn verdict(gaps: Vec<(u64, u64)>) -> Verdict {
        Verdict {
            totals: crate::verify::Totals::default(),
            lanes: vec![LaneVerdict {
                producer: "p".to_owned(),
                lane: "t/0".to_owned(),
                gaps,
                ..LaneVerdict::default()
            }],
            coverage: crate::model::Coverage::Complete,
            gaps_are_proven: true,
        }
    }

    fn give(second: &mut Second, offset: i64, seq: u64) {
        let stamp = format!("{seq} p t/0");
        let headers: Vec<(&[u8], Option<&[u8]>)> = vec![(b"mqsafe-id", Some(stamp.as_bytes()))];
        second.insert(&Record {
            offset,
            headers: headers.into(),
            timestamp_ms: Some(offset * 10),
            ..Record::default()
        });
    }

    #[test]
    fn missing_numbers_are_found_in_transactions_and_holes_have_neighbours() {
        let mut second = Second::new(&verdict(vec![(3, 4), (6, 6)]));
        second.header(0, &header(0, 1, 9, None));
        give(&mut second, 0, 2);
        give(&mut second, 1, 5);
        second.header(0, &header(2, 3, 7, None));
        give(&mut second, 2, 3);
        second.header(0, &header(4, 4, 7, Some(Control::Abort)));
        second.header(0, &header(5, 5, 8, None));
        give(&mut second, 5, 6);
        second.header(0, &header(6, 6, 11, None));
        give(&mut second, 6, 9);
        let plain = BatchHeader {
            transactional: false,
            ..header(7, 7, -1, None)
        };
        second.header(0, &plain);
        give(&mut second, 7, 4);
        let mut facts = Facts::default();
        let holes = second.finish(&mut facts);
        let name = ("p".to_owned(), "t/0".to_owned());
        assert_eq!(facts.aborted[&name].iter().collect::<Vec<_>>(), [3..=3]);
        assert_eq!(facts.held_back[&name].iter().collect::<Vec<_>>(), [4..=4, 6..=6]);
        let seqs: Vec<_> = holes
            .iter()
            .map(|hole| (hole.before.as_ref().map(|n| n.seq), hole.after.as_ref().map(|n| n.seq)))
            .collect();
        assert_eq!(seqs, [(Some(2), Some(5)), (Some(5), Some(9))]);
        assert_eq!(holes[0].before.as_ref().and_then(|n| n.leader_epoch), Some(4));
    }

    #[test]
    fn what_an_aborted_transaction_gave_to_a_reader_is_counted() {
        let mut aborted = AbortedRead::default();
        let records = [Record::default(), Record::default()];
        for (end, count) in [(Control::Commit, 0), (Control::Abort, 2)] {
            aborted.header(0, &header(0, 1, 7, None));
            aborted.batch(&records);
            aborted.header(0, &header(2, 2, 7, Some(end)));
            assert_eq!(aborted.count, count);
        }
    }
}
