//! Each term of the contract, by hand.

use super::super::home::beginning;
use super::*;
use crate::model::{PartitionRead, Record, Stamp};
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
        &mut tracker,
        "t",
        &ScanReport {
            partitions,
            compacted: Some(false),
            ..ScanReport::default()
        },
        Beside::default(),
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
    let mut of = |compacted| {
        let partitions = vec![PartitionRead::default()];
        judge(
            &mut tracker,
            "t",
            &ScanReport {
                partitions,
                compacted,
                ..ScanReport::default()
            },
            Beside::default(),
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

/// A RabbitMQ stream, read whole, with numbers of one lane published through an exchange.
fn bound(lane: &str, numbers: &[u64], acked: u64) -> Totals {
    let (exchange, key) = lane.split_once('|').unwrap();
    let mut tracker = Tracker::default();
    for (offset, seq) in numbers.iter().enumerate() {
        let stamp = format!("{seq} p {lane}");
        let headers: Vec<(&[u8], Option<&[u8]>)> = vec![(b"mqsafe-id", Some(stamp.as_bytes()))];
        tracker.insert(
            "t",
            &Record {
                offset: offset as i64,
                headers: headers.into(),
                exchange: Some(exchange),
                routing_key: Some(key),
                ..Record::default()
            },
        );
    }
    let end = numbers.len() as i64;
    let report = ScanReport {
        partitions: vec![PartitionRead {
            to: end,
            read_to: end,
            ..PartitionRead::default()
        }],
        compacted: Some(false),
        ..ScanReport::default()
    };
    let mut truth = Truth::default();
    truth.acked(
        "p",
        lane,
        crate::verify::Acked {
            first: 1,
            last: acked,
            offset: None,
            time_ms: None,
        },
    );
    let mut facts = Facts::default();
    let place = Place {
        node: None,
        partition: 0,
    };
    facts.log_ends.insert(place, end);
    let beside = Beside {
        truth: Some(&truth),
        facts: Some(&facts),
    };
    judge(&mut tracker, "t", &report, beside).totals
}

#[test]
fn what_was_published_to_a_queue_that_is_bound_is_lost_only_between_what_came() {
    let of = |lane, numbers: &[u64]| {
        let totals = bound(lane, numbers, 6);
        (totals.lost, totals.gap, totals.unseen)
    };
    // To the queue itself: everything that was acknowledged must be there.
    assert_eq!(of("|t", &[1, 2, 4]), (Some(3), 0, Some(0)));
    // It may have been bound after 2 and until 5.
    assert_eq!(of("ex|key", &[3, 5]), (Some(1), 0, Some(3)));
    // Other keys may go elsewhere, so that the journal proves nothing; what nobody explains stays a gap.
    assert_eq!(of("ex|*", &[3, 5]), (Some(0), 1, Some(0)));
}

/// A state is judged with a journal that was read later: a message in doubt was sent again by then, behind everything that was read.
#[test]
fn what_was_acknowledged_after_the_reading_began_is_not_lost() {
    let read = || {
        let mut tracker = Tracker::default();
        for (offset, seq) in [1, 2, 4, 6].iter().enumerate() {
            let stamp = format!("{seq} p t/0");
            let headers: Vec<(&[u8], Option<&[u8]>)> = vec![(b"mqsafe-id", Some(stamp.as_bytes()))];
            tracker.insert(
                "t",
                &Record {
                    offset: offset as i64,
                    headers: headers.into(),
                    ..Record::default()
                },
            );
        }
        tracker
    };
    let report = ScanReport {
        partitions: vec![PartitionRead {
            to: 4,
            read_to: 4,
            ..PartitionRead::default()
        }],
        compacted: Some(false),
        ..ScanReport::default()
    };
    let mut truth = Truth::default();
    let acked = |first, last, offset, time_ms| crate::verify::Acked {
        first,
        last,
        offset,
        time_ms: Some(time_ms),
    };
    truth.acked("p", "t/0", acked(1, 4, Some(0), 50));
    truth.acked("p", "t/0", acked(5, 5, Some(3), 50));
    truth.acked("p", "t/0", acked(6, 6, Some(3), 10));
    let told = |began_ms: Option<i64>| {
        let facts = Facts {
            began_ms,
            ..Facts::default()
        };
        let beside = Beside {
            truth: Some(&truth),
            facts: Some(&facts),
        };
        let totals = judge(&mut read(), "t", &report, beside).totals;
        (totals.lost, totals.unseen, totals.gap)
    };
    // 3 is missing, and 5: where it was to lie something else was read.
    assert_eq!(told(None), (Some(2), Some(0), 0));
    assert_eq!(told(Some(51)), (Some(2), Some(0), 0));
    assert_eq!(told(Some(40)), (Some(1), Some(1), 0));
}

/// A copy that a consumer has had is neither lost nor waited for.
#[test]
fn what_was_set_aside_is_neither_missing_nor_unseen() {
    let v = |found: fn(&mut Facts)| {
        let mut tracker = Tracker::default();
        for (offset, seq) in [(0, 1), (9, 4)] {
            let stamp = format!("{seq} p t/0");
            let headers: Vec<(&[u8], Option<&[u8]>)> = vec![(b"mqsafe-id", Some(stamp.as_bytes()))];
            tracker.insert(
                "t",
                &Record {
                    offset,
                    headers: headers.into(),
                    ..Record::default()
                },
            );
        }
        let report = ScanReport {
            partitions: vec![PartitionRead {
                to: 10,
                read_to: 10,
                ..PartitionRead::default()
            }],
            compacted: Some(false),
            ..ScanReport::default()
        };
        let mut truth = Truth::default();
        truth.acked(
            "p",
            "t/0",
            crate::verify::Acked {
                first: 1,
                last: 3,
                offset: Some(0),
                time_ms: None,
            },
        );
        let mut facts = Facts::default();
        found(&mut facts);
        let beside = Beside {
            truth: Some(&truth),
            facts: Some(&facts),
        };
        let totals = judge(&mut tracker, "t", &report, beside).totals;
        (totals.lost, totals.unseen, totals.gap)
    };
    assert_eq!(v(|_| ()), (Some(2), Some(0), 0));
    assert_eq!(v(|facts| facts.found_set_aside("p", "t/0", 3)), (Some(1), Some(0), 0));
    assert_eq!(v(|facts| facts.found_held_back("p", "t/0", 3)), (Some(1), Some(1), 0));
}
