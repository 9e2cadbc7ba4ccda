//! A second look at what is missing: whether it lies in a transaction, and what lies beside it.
//!
//! It reads what a reader of uncommitted messages is given, with the headers of batches, and keeps only what concerns the numbers
//! that are missing, so that its memory grows with them.

use super::home::Facts;
use super::numbers::Numbers;
use super::verdict::Verdict;
use crate::model::{BatchHeader, Control, Record};
use std::collections::{BTreeMap, HashMap};

/// Holes whose neighbours are looked for; a report with more names the first of them. What explains a number is looked for in all.
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

/// A missing number that was found: its lane, by number, and itself.
type Found = (usize, u64);

/// One lane in which numbers are missing.
#[derive(Debug, Default)]
struct Holed {
    producer: String,
    lane: String,
    /// Everything that is missing in it.
    missing: Numbers,
    /// The holes whose neighbours are looked for.
    holes: Vec<usize>,
}

/// A second look.
#[derive(Debug, Default)]
pub struct Second {
    holes: Vec<Hole>,
    lanes: Vec<Holed>,
    /// The lanes by `PRODUCER LANE`.
    by_name: HashMap<String, usize>,
    headers: HashMap<i32, BatchHeader>,
    /// Missing numbers that were found in a transaction that is open, by partition and producer id.
    open: HashMap<(i32, i64), Vec<Found>>,
    aborted: Vec<Found>,
    /// Missing numbers that are there by now.
    late: Vec<Found>,
    /// Missing numbers that lie in other places of the broker.
    elsewhere: BTreeMap<Elsewhere, Vec<Found>>,
    /// Holes whose neighbours were not looked for.
    pub left_out: usize,
}

/// What another place of the broker is, in which a missing number was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Elsewhere {
    /// Prepared messages of transactions, before they are committed.
    Half,
    /// Messages that wait for their time.
    Timer,
    /// Copies of messages that a consumer gave back, to get them again.
    Retry,
    /// Copies of messages that a consumer gave back for good.
    DeadLetters,
}

impl Elsewhere {
    /// A word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Elsewhere::Half => "half",
            Elsewhere::Timer => "timer",
            Elsewhere::Retry => "retry",
            Elsewhere::DeadLetters => "dead-letters",
        }
    }

    /// What a number that was found there is.
    pub const fn words(self) -> &'static str {
        match self {
            Elsewhere::Half | Elsewhere::Timer => {
                "missing numbers that wait in a place of the broker before they come to the topic"
            }
            Elsewhere::Retry => {
                "missing numbers of which a copy is in the retry topic of a group: a consumer has had them"
            }
            Elsewhere::DeadLetters => {
                "missing numbers of which a copy is in the dead-letter topic of a group: a consumer has had them"
            }
        }
    }

    /// Whether what lies there is still to come to the topic.
    const fn is_before(self) -> bool {
        matches!(self, Elsewhere::Half | Elsewhere::Timer)
    }
}

impl Second {
    /// A look at the holes of a verdict.
    pub fn new(verdict: &Verdict) -> Second {
        let mut second = Second::default();
        for lane in verdict
            .lanes
            .iter()
            .filter(|lane| !(lane.lost.is_empty() && lane.gaps.is_empty()))
        {
            let mut holed = Holed {
                producer: lane.producer.clone(),
                lane: lane.lane.clone(),
                ..Holed::default()
            };
            let lost = lane.lost.iter().map(|range| (*range, true));
            for (numbers, is_lost) in lost.chain(lane.gaps.iter().map(|range| (*range, false))) {
                holed.missing.insert(numbers.0..=numbers.1);
                if second.holes.len() >= MOST {
                    second.left_out += 1;
                    continue;
                }
                holed.holes.push(second.holes.len());
                second.holes.push(Hole {
                    producer: lane.producer.clone(),
                    lane: lane.lane.clone(),
                    numbers,
                    is_lost,
                    before: None,
                    after: None,
                });
            }
            let name = format!("{} {}", lane.producer, lane.lane);
            second.by_name.insert(name, second.lanes.len());
            second.lanes.push(holed);
        }
        second
    }

    /// Whether there is anything to look at.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
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

    /// A message with its stamp.
    pub fn insert(&mut self, record: &Record<'_>) {
        let Some(Ok(stamp)) = record.stamp() else { return };
        let name = format!("{} {}", stamp.producer, stamp.lane);
        self.insert_as(record, &name, stamp.seq);
    }

    /// A message that is number `seq` of `PRODUCER LANE`.
    pub fn insert_as(&mut self, record: &Record<'_>, name: &str, seq: u64) {
        let Some((no, lane)) = self.by_name.get(name).and_then(|no| Some((*no, self.lanes.get(*no)?))) else {
            return;
        };
        let header = self
            .headers
            .get(&record.partition)
            .filter(|header| (header.base_offset..=header.last_offset).contains(&record.offset));
        if lane.missing.contains(&seq) {
            match header.filter(|header| header.transactional) {
                // It is there for a reader of uncommitted messages.
                Some(header) => {
                    let key = (record.partition, header.producer_id);
                    self.open.entry(key).or_default().push((no, seq));
                }
                // It came after the first look had ended.
                None => self.late.push((no, seq)),
            }
        }
        let neighbour = || Neighbour {
            seq,
            partition: record.partition,
            node: record.node.map(str::to_owned),
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            leader_epoch: header.map(|header| header.leader_epoch).filter(|epoch| *epoch >= 0),
        };
        for no in &lane.holes {
            let Some(hole) = self.holes.get_mut(*no) else { continue };
            let (first, last) = hole.numbers;
            if seq < first && hole.before.as_ref().is_none_or(|known| known.seq < seq) {
                hole.before = Some(neighbour());
            }
            if seq > last && hole.after.as_ref().is_none_or(|known| known.seq > seq) {
                hole.after = Some(neighbour());
            }
        }
    }

    /// A message of another place of the broker, in which messages wait before they come here, or come to from here: what is missing
    /// here and lies there is not lost.
    pub fn insert_elsewhere(&mut self, place: Elsewhere, record: &Record<'_>) {
        let Some(Ok(stamp)) = record.stamp() else { return };
        let name = format!("{} {}", stamp.producer, stamp.lane);
        self.insert_elsewhere_as(place, &name, stamp.seq);
    }

    /// As [`Second::insert_elsewhere`], for number `seq` of `PRODUCER LANE`.
    pub fn insert_elsewhere_as(&mut self, place: Elsewhere, name: &str, seq: u64) {
        let Some((no, lane)) = self.by_name.get(name).and_then(|no| Some((*no, self.lanes.get(*no)?))) else {
            return;
        };
        if lane.missing.contains(&seq) {
            self.elsewhere.entry(place).or_default().push((no, seq));
        }
    }

    /// How many of the missing numbers were found in other places.
    pub fn elsewhere(&self) -> impl Iterator<Item = (Elsewhere, u64)> {
        self.elsewhere.iter().map(|(place, found)| {
            let mut found = found.clone();
            found.sort_unstable();
            found.dedup();
            (*place, found.len() as u64)
        })
    }

    /// Tells what was found, and gives the holes with their neighbours.
    pub fn finish(self, facts: &mut Facts) -> Vec<Hole> {
        let lanes = &self.lanes;
        let name = |no: usize| lanes.get(no).map(|its| (its.producer.as_str(), its.lane.as_str()));
        for &(no, seq) in &self.aborted {
            if let Some((producer, lane)) = name(no) {
                facts.found_aborted(producer, lane, seq);
            }
        }
        let is_before = |(place, found): (&Elsewhere, _)| place.is_before().then_some(found);
        // These came late, or no mark has ended their transaction yet.
        let waiting = self.elsewhere.iter().filter_map(is_before).flatten();
        for &(no, seq) in self.open.values().flatten().chain(&self.late).chain(waiting) {
            if let Some((producer, lane)) = name(no) {
                facts.found_held_back(producer, lane, seq);
            }
        }
        let aside = self.elsewhere.iter().filter(|(place, _)| !place.is_before());
        for &(no, seq) in aside.flat_map(|(_, found)| found) {
            if let Some((producer, lane)) = name(no) {
                facts.found_set_aside(producer, lane, seq);
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
        assert_eq!(facts.excuses.aborted[&name].iter().collect::<Vec<_>>(), [3..=3]);
        assert_eq!(
            facts.excuses.held_back[&name].iter().collect::<Vec<_>>(),
            [4..=4, 6..=6]
        );
        let seqs: Vec<_> = holes
            .iter()
            .map(|hole| (hole.before.as_ref().map(|n| n.seq), hole.after.as_ref().map(|n| n.seq)))
            .collect();
        assert_eq!(seqs, [(Some(2), Some(5)), (Some(5), Some(9))]);
        assert_eq!(holes[0].before.as_ref().and_then(|n| n.leader_epoch), Some(4));
    }

    #[test]
    fn every_missing_number_is_looked_for_and_not_only_those_that_are_shown() {
        let gaps: Vec<(u64, u64)> = (1..=1000).map(|n| (2 * n, 2 * n)).collect();
        let mut second = Second::new(&verdict(gaps));
        assert_eq!((second.holes.len(), second.left_out), (MOST, 1000 - MOST));
        second.header(0, &header(0, 2000, 7, None));
        (1..=500).for_each(|n| give(&mut second, n, 2 * n as u64));
        second.header(0, &header(2001, 2001, 7, Some(Control::Abort)));
        second.insert_elsewhere_as(Elsewhere::Timer, "p t/0", 1800);
        second.insert_elsewhere_as(Elsewhere::Retry, "p t/0", 1802);
        second.insert_elsewhere_as(Elsewhere::DeadLetters, "p t/0", 2000);
        // These are missing nowhere.
        second.insert_elsewhere_as(Elsewhere::DeadLetters, "p t/0", 2001);
        second.insert_elsewhere_as(Elsewhere::DeadLetters, "q t/0", 2);
        let found: Vec<_> = second.elsewhere().map(|(place, n)| (place.word(), n)).collect();
        assert_eq!(found, [("timer", 1), ("retry", 1), ("dead-letters", 1)]);
        let mut facts = Facts::default();
        second.finish(&mut facts);
        let name = ("p".to_owned(), "t/0".to_owned());
        let count = |sets: &BTreeMap<(String, String), Numbers>| crate::verify::numbers::count(&sets[&name]);
        assert_eq!(
            (
                count(&facts.excuses.aborted),
                count(&facts.excuses.held_back),
                count(&facts.excuses.set_aside)
            ),
            (500, 1, 2)
        );
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
