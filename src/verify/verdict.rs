//! From what was read to what it proves.

use super::tracker::{Lane, Tracker};
use crate::model::{Coverage, PartitionRead, ScanReport};

/// Counts of messages, one for each term of the contract that can be judged without the sender's journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records read.
    pub read: u64,
    /// Records with a readable stamp.
    pub stamped: u64,
    /// Numbers missing that nothing explains.
    pub gap: u64,
    /// Records whose id was read before.
    pub duplicate: u64,
    /// Records read after a larger number of their lane.
    pub reordered: u64,
    /// Records read outside their lane.
    pub moved: u64,
    /// Numbers below the log start or removed by compaction.
    pub expired: u64,
    /// Numbers given up by the sender, who said so.
    pub void: u64,
    /// Records whose stamp cannot be read.
    pub corrupt: u64,
}

/// One producer's numbers in one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneVerdict {
    /// Who sent them.
    pub producer: String,
    /// Where order holds.
    pub lane: String,
    /// Records read.
    pub read: u64,
    /// Smallest number read.
    pub first: u64,
    /// Largest number read.
    pub last: u64,
    /// Missing numbers, as inclusive ranges.
    pub gaps: Vec<(u64, u64)>,
    /// Numbers read more than once, as inclusive ranges.
    pub duplicates: Vec<(u64, u64)>,
    /// How often a number was read again.
    pub duplicate: u64,
    /// Records read after a larger number.
    pub reordered: u64,
    /// Records read outside the lane.
    pub moved: u64,
    /// Numbers that expired.
    pub expired: u64,
    /// Numbers given up.
    pub void: u64,
}

impl LaneVerdict {
    /// How many numbers are missing.
    pub fn gap(&self) -> u64 {
        count(&self.gaps)
    }

    /// Whether there is anything to say about this lane.
    pub fn is_clean(&self) -> bool {
        self.gaps.is_empty() && self.duplicate == 0 && self.reordered == 0 && self.moved == 0
    }
}

/// The verdict on one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// All lanes together.
    pub totals: Totals,
    /// Each lane, by producer and name.
    pub lanes: Vec<LaneVerdict>,
    /// Whether everything was read, and what is assumed where the broker would not say.
    pub coverage: Coverage,
    /// Whether a gap is certainly no compaction.
    pub gaps_are_proven: bool,
}

/// Judges what the tracker saw in a scan of `topic`.
pub fn judge(tracker: &Tracker, topic: &str, report: &ScanReport) -> Verdict {
    let mut totals = Totals {
        read: tracker.read,
        stamped: tracker.stamped,
        corrupt: tracker.corrupt,
        ..Totals::default()
    };
    let compacted = report.compacted == Some(true);
    let mut lanes = Vec::new();
    for (producer, name, lane) in tracker.all() {
        let verdict = judge_lane(producer, name, lane, beginning(name, topic, report), compacted);
        // A hostile stamp can claim any number; a sum that would overflow is as large as it gets.
        totals.gap = totals.gap.saturating_add(verdict.gap());
        totals.duplicate += verdict.duplicate;
        totals.reordered += verdict.reordered;
        totals.moved += verdict.moved;
        totals.expired = totals.expired.saturating_add(verdict.expired);
        totals.void = totals.void.saturating_add(verdict.void);
        lanes.push(verdict);
    }
    let gaps_are_proven = report.compacted.is_some();
    let coverage = match report.coverage() {
        Coverage::Complete if totals.gap > 0 && !gaps_are_proven => {
            Coverage::CompleteIf("the topic is not compacted, which the broker would not say".to_owned())
        }
        coverage => coverage,
    };
    Verdict {
        totals,
        lanes,
        coverage,
        gaps_are_proven,
    }
}

/// From where on the numbers of a lane must all be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    /// From 1: its log starts at 0.
    First,
    /// From the first number read: what was before has expired with the head of its log.
    FirstRead,
    /// Nowhere: its own partition was not read.
    NotRead,
}

/// Where a lane must begin. A lane that is at home in another topic begins with its first number only when every log here does.
fn beginning(lane: &str, topic: &str, report: &ScanReport) -> Beginning {
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

fn judge_lane(producer: &str, name: &str, lane: &Lane, beginning: Beginning, compacted: bool) -> LaneVerdict {
    let numbers = lane.numbers();
    let first = numbers.first().map_or(0, |r| *r.start());
    let last = numbers.last().map_or(0, |r| *r.end());
    let (start, mut expired) = match beginning {
        Beginning::First | Beginning::NotRead => (1, 0),
        Beginning::FirstRead => (first, first.saturating_sub(1)),
    };
    let mut known = numbers;
    let mut void = 0;
    for range in lane.voids.iter() {
        void = u64::saturating_add(void, length(*range.start(), *range.end()));
        known.insert(range.clone());
    }
    let mut gaps: Vec<(u64, u64)> = Vec::new();
    if start <= last && last > 0 && beginning != Beginning::NotRead {
        gaps.extend(known.gaps(&(start..=last)).map(|gap| (*gap.start(), *gap.end())));
    }
    if compacted {
        expired = u64::saturating_add(expired, count(&gaps));
        gaps.clear();
    }
    LaneVerdict {
        producer: producer.to_owned(),
        lane: name.to_owned(),
        read: lane.read,
        first,
        last,
        gaps,
        duplicates: lane.repeated.iter().map(|r| (*r.start(), *r.end())).collect(),
        duplicate: lane.duplicates,
        reordered: lane.reordered,
        moved: lane.moved,
        expired,
        void,
    }
}

fn count(ranges: &[(u64, u64)]) -> u64 {
    ranges
        .iter()
        .fold(0, |sum, &(from, to)| u64::saturating_add(sum, length(from, to)))
}

/// Numbers from one to the other, both included.
fn length(from: u64, to: u64) -> u64 {
    (to - from).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Record, Stamp};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Feeds `(partition, producer, lane partition, number, voids)` as records of topic `t`.
    fn verdict(records: &[(i32, &str, i32, u64, &str)], from: i64) -> Verdict {
        let mut tracker = Tracker::default();
        for (offset, (partition, producer, home, seq, voids)) in records.iter().enumerate() {
            let lane = format!("t/{home}");
            let stamp = Stamp {
                seq: *seq,
                producer,
                lane: &lane,
            }
            .to_string();
            let mut headers: Vec<(&[u8], Option<&[u8]>)> = vec![(b"mqsafe-id", Some(stamp.as_bytes()))];
            if !voids.is_empty() {
                headers.push((b"mqsafe-void", Some(voids.as_bytes())));
            }
            let record = Record {
                partition: *partition,
                offset: offset as i64,
                headers: headers.into(),
                ..Record::default()
            };
            tracker.insert("t", &record);
        }
        let partitions = (0..3)
            .map(|partition| PartitionRead {
                partition,
                from,
                ..PartitionRead::default()
            })
            .collect();
        judge(
            &tracker,
            "t",
            &ScanReport {
                partitions,
                compacted: Some(false),
                ..ScanReport::default()
            },
        )
    }

    #[test]
    fn each_term_of_the_contract() {
        let v = verdict(
            &[
                (0, "p", 0, 1, ""),
                (0, "p", 0, 4, "3"),
                (0, "p", 0, 6, ""),
                (0, "p", 0, 5, ""),
                (0, "p", 0, 4, ""),
            ],
            0,
        );
        let lane = &v.lanes[0];
        assert_eq!((lane.first, lane.last, lane.gaps.as_slice()), (1, 6, &[(2, 2)][..]));
        assert_eq!(
            (lane.reordered, lane.duplicate, lane.duplicates.as_slice(), lane.void),
            (1, 1, &[(4, 4)][..], 1)
        );
        assert_eq!(
            (v.totals.gap, v.totals.moved, v.totals.read, v.totals.stamped),
            (1, 0, 5, 5)
        );
    }

    #[test]
    fn missing_from_the_start_is_a_gap_only_while_the_log_start_is_zero() {
        assert_eq!(verdict(&[(0, "p", 0, 3, "")], 0).totals.gap, 2);
        let later = verdict(&[(0, "p", 0, 3, "")], 7).totals;
        assert_eq!((later.gap, later.expired), (0, 2));
    }

    #[test]
    fn a_stamp_outside_its_lane_is_moved_and_not_missing() {
        let totals = verdict(&[(0, "p", 0, 1, ""), (1, "p", 0, 2, ""), (0, "p", 0, 3, "")], 0).totals;
        assert_eq!((totals.moved, totals.gap, totals.duplicate), (1, 0, 0));
    }

    #[test]
    fn a_copy_outside_its_lane_is_moved_in_whatever_order_the_places_are_read() {
        let home = [(0, "p", 0, 1, ""), (0, "p", 0, 2, ""), (0, "p", 0, 3, "")];
        let copies = [(1, "p", 0, 1, ""), (2, "p", 0, 1, "")];
        for at in 0..=home.len() {
            let mut records = home.to_vec();
            records.splice(at..at, copies);
            let t = verdict(&records, 0).totals;
            assert_eq!((t.moved, t.duplicate, t.reordered, t.gap), (2, 0, 0, 0));
        }
    }

    #[test]
    fn producers_and_lanes_are_counted_apart() {
        let v = verdict(&[(0, "a", 0, 1, ""), (0, "b", 0, 1, ""), (1, "a", 1, 1, "")], 0);
        assert_eq!(v.lanes.len(), 3);
        assert!(v.lanes.iter().all(LaneVerdict::is_clean));
    }

    #[test]
    fn a_lane_whose_partition_was_left_out_has_no_gaps() {
        assert_eq!(verdict(&[(0, "p", 7, 500, "")], 0).totals.gap, 0);
        assert_eq!(verdict(&[(0, "p", 1, 500, "")], 0).totals.gap, 499);
    }

    #[test]
    fn lanes_of_every_broker_have_their_beginning() {
        let queue = |node: &str, partition, from| PartitionRead {
            node: Some(node.to_owned()),
            partition,
            from,
            ..PartitionRead::default()
        };
        let rocket = ScanReport {
            partitions: vec![queue("a", 0, 7), queue("b", 0, 0)],
            ..ScanReport::default()
        };
        assert_eq!(beginning("t/a/0", "t", &rocket), Beginning::FirstRead);
        assert_eq!(beginning("t/b/0", "t", &rocket), Beginning::First);
        assert_eq!(beginning("t/c/0", "t", &rocket), Beginning::NotRead);
        let stream = ScanReport {
            partitions: vec![PartitionRead::default()],
            ..ScanReport::default()
        };
        assert_eq!(beginning("|t", "t", &stream), Beginning::First);
        assert_eq!(beginning("ex|key", "t", &stream), Beginning::FirstRead);
        // A mirror of another topic.
        assert_eq!(beginning("u/0", "t", &stream), Beginning::First);
    }

    #[test]
    fn a_gap_is_proven_only_when_compaction_is_ruled_out() {
        let mut tracker = Tracker::default();
        let headers: Vec<(&[u8], Option<&[u8]>)> = vec![(b"mqsafe-id", Some(b"2 p t/0"))];
        tracker.insert(
            "t",
            &Record {
                headers: headers.into(),
                ..Record::default()
            },
        );
        let of = |compacted| {
            let partitions = vec![PartitionRead::default()];
            judge(
                &tracker,
                "t",
                &ScanReport {
                    partitions,
                    compacted,
                    ..ScanReport::default()
                },
            )
        };
        let unknown = of(None);
        assert_eq!((unknown.totals.gap, unknown.gaps_are_proven), (1, false));
        assert!(matches!(unknown.coverage, Coverage::CompleteIf(_)));
        assert_eq!(
            (
                of(Some(false)).totals.gap,
                of(Some(true)).totals.gap,
                of(Some(true)).totals.expired
            ),
            (1, 0, 1)
        );
    }

    #[test]
    fn hostile_numbers_do_not_overflow() {
        let top = format!("1-{}", u64::MAX);
        let v = verdict(
            &[
                (0, "p", 0, u64::MAX, ""),
                (0, "p", 0, u64::MAX, ""),
                (0, "p", 0, 1, ""),
                (0, "q", 0, u64::MAX, ""),
            ],
            0,
        );
        assert_eq!((v.totals.gap, v.totals.duplicate), (u64::MAX, 1));
        assert_eq!(
            verdict(&[(0, "p", 0, 2, &top), (0, "q", 0, 2, &top)], 0).totals.void,
            u64::MAX
        );
    }

    proptest! {
        /// A checker written from the definitions, with plain maps.
        #[test]
        fn as_a_plain_count_says(numbers in proptest::collection::vec(1u64..40, 0..120)) {
            let records: Vec<_> = numbers.iter().map(|n| (0, "p", 0, *n, "")).collect();
            let v = verdict(&records, 0);
            let mut times: BTreeMap<u64, u64> = BTreeMap::new();
            let (mut reordered, mut largest) = (0, 0);
            for n in &numbers {
                let seen = times.entry(*n).or_default();
                if *seen == 0 && *n < largest { reordered += 1 }
                *seen += 1;
                largest = largest.max(*n);
            }
            let missing = (1..=largest).filter(|n| !times.contains_key(n)).count() as u64;
            let again: u64 = times.values().map(|n| n - 1).sum();
            prop_assert_eq!((v.totals.gap, v.totals.duplicate, v.totals.reordered), (missing, again, reordered));
            let listed: Vec<u64> = v.lanes.iter().flat_map(|l| &l.gaps).flat_map(|&(a, b)| a..=b).collect();
            prop_assert_eq!(listed, (1..=largest).filter(|n| !times.contains_key(n)).collect::<Vec<_>>());
        }
    }
}
