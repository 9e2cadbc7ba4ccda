//! States as they lie in files: whole or refused, joined or refused.

use super::super::home::ByLane;
use super::super::numbers::Numbers;
use super::*;
use crate::model::{Coverage, Record};

fn history(broker: &str, partition: i32) -> State {
    let mut state = State {
        broker: broker.to_owned(),
        topic: "t".to_owned(),
        how: "read_committed".to_owned(),
        aborted_read: Some(2),
        ..State::default()
    };
    for (offset, n) in [(0, 1), (1, 2), (2, 5), (3, 5), (5, 4)] {
        let stamp = format!("{n} p t/{partition}");
        let headers: Vec<(&[u8], Option<&[u8]>)> = vec![(b"mqsafe-id", Some(stamp.as_bytes()))];
        state.tracker.insert(
            "t",
            &Record {
                partition,
                offset,
                headers: headers.into(),
                ..Record::default()
            },
        );
    }
    let read = PartitionRead {
        partition,
        to: 6,
        read_to: 6,
        records: 5,
        bytes: 50,
        ..PartitionRead::default()
    };
    state.scanned(ScanReport {
        partitions: vec![read],
        compacted: Some(false),
        ..ScanReport::default()
    });
    let name = || ("p".to_owned(), format!("t/{partition}"));
    let found = |n: u64| ByLane::from([(name(), Numbers::from_iter([n..=n]))]);
    state.excuses = Excuses {
        aborted: found(3),
        held_back: found(7),
        set_aside: found(9),
    };
    state.is_looked = true;
    state
}

fn bytes(state: &mut State) -> Vec<u8> {
    let mut bytes = Vec::new();
    state.write(&mut bytes).unwrap();
    bytes
}

#[test]
fn it_is_read_as_it_was_written_and_no_damage_is_taken_for_another_history() {
    let whole = bytes(&mut history("kafka://h:1", 0));
    let mut again = State::read(&whole[..]).unwrap();
    assert_eq!(String::from_utf8(bytes(&mut again)), String::from_utf8(whole.clone()));
    assert!(again.is_looked && again.excuses == history("kafka://h:1", 0).excuses);
    // Cut off anywhere; but for the last line break, which holds nothing.
    for end in 0..whole.len() - 1 {
        assert!(State::read(&whole[..end]).is_err(), "cut at {end}");
    }
    // One byte of it another.
    for at in 0..whole.len() - 1 {
        for flip in [1, 2, 0x10, 0x80] {
            let mut damaged = whole.clone();
            damaged[at] ^= flip;
            assert!(
                State::read(&damaged[..]).is_err(),
                "byte {at}: {}",
                String::from_utf8_lossy(&damaged)
            );
        }
    }
    // A line that is there twice, or not at all.
    let lines: Vec<&[u8]> = whole.split_inclusive(|b| *b == b'\n').collect();
    for no in 0..lines.len() {
        let (without, twice) = (
            [&lines[..no], &lines[no + 1..]].concat().concat(),
            [&lines[..=no], &lines[no..]].concat().concat(),
        );
        assert!(
            State::read(&without[..]).is_err() && State::read(&twice[..]).is_err(),
            "line {no}"
        );
    }
}

/// Whoever writes a state by hand can write what no log says; it is an answer or an error, and no panic.
#[test]
fn what_no_log_says_is_no_panic() {
    let top = u64::MAX;
    let signed = |lines: &[String]| {
        let mut text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let sum = hex(&Sha256::digest(&text));
        let _ = writeln!(text, r#"{{"end":{{"lines":{},"sha256":"{sum}"}}}}"#, lines.len() + 1);
        text
    };
    let head = String::from_utf8(bytes(&mut State::default()))
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    let piece = |from: i64, to: i64| {
        format!(
            r#"{{"piece":{{"node":null,"partition":0,"from":{from},"to":{to},"read":{top},"stamped":{top},"corrupt":{top}}}}}"#
        )
    };
    let lane = format!(
        r#"{{"lane":{{"name":"p t/0","home":{top},"seen":[[0,{top}]],"moved":{top},"away":[[0,{top}]],"voids":[[0,{top}]],"late":[[0,{top}]]}}}}"#
    );
    let partition = format!(
        r#"{{"partition":{{"node":null,"partition":0,"from":0,"to":{0},"read_to":{0},"records":{top},"bytes":{top},"times_ms":null,"error":null}}}}"#,
        i64::MAX
    );
    let lines = [
        head.clone(),
        partition,
        piece(0, 5),
        lane.clone(),
        piece(5, i64::MAX),
        lane.clone(),
    ];
    let read = || State::read(signed(&lines).as_bytes()).unwrap();
    let mut state = read();
    state.merge(read()).unwrap();
    let facts = crate::verify::Facts::default();
    let beside = crate::verify::Beside {
        truth: None,
        facts: Some(&facts),
    };
    let verdict = crate::verify::judge(&mut state.tracker, "t", &state.report, beside);
    assert_eq!(verdict.totals.read, top);
    for bad in [piece(-1, 5), piece(i64::MIN, i64::MAX), piece(9, 3), lane.clone()] {
        assert!(
            State::read(signed(&[head.clone(), bad.clone()]).as_bytes()).is_err(),
            "{bad}"
        );
    }
    for name in ["p", "", " "] {
        let odd = lane.replace("p t/0", name);
        let state = State::read(signed(&[head.clone(), piece(0, 5), odd]).as_bytes());
        let _ = state.map(|mut state| bytes(&mut state));
    }
}

#[test]
fn only_states_of_one_place_are_one_and_the_same_twice_is_the_same() {
    let mut twice = history("kafka://a:1,b:1", 0);
    twice.merge(history("kafka://b:1,c:1", 0)).unwrap();
    assert_eq!(bytes(&mut twice), bytes(&mut history("kafka://a:1,b:1", 0)));
    let mut both = history("kafka://a:1", 0);
    both.merge(history("kafka://a:1", 1)).unwrap();
    assert_eq!((both.aborted_read, both.tracker.handed), (Some(4), 10));
    for (mine, its) in [
        ("kafka://a:1", "kafka://b:1"),
        ("kafka://a:1", "rocketmq://a:1"),
        ("amqp://u@a:1/x", "amqp://u@a:1/y"),
    ] {
        let mut state = history(mine, 0);
        assert!(
            matches!(state.merge(history(its, 1)), Err(BadState::Other(..))),
            "{mine} {its}"
        );
    }
    let mut other = history("kafka://a:1", 1);
    other.topic = "u".to_owned();
    assert!(matches!(
        history("kafka://a:1", 0).merge(other),
        Err(BadState::Other(..))
    ));
    assert!(is_one_place("amqp://u@a:1/x", "amqp://v@a:1/x"));
}

/// A partition whose leader does not answer is not an empty one, also not when another was read to its end.
#[test]
fn what_could_not_be_asked_for_is_never_complete() {
    let read = |partition, to, error: Option<&str>| PartitionRead {
        partition,
        to,
        read_to: to,
        error: error.map(str::to_owned),
        ..PartitionRead::default()
    };
    let report = |partitions| ScanReport {
        partitions,
        ..ScanReport::default()
    };
    let mut state = State::default();
    state.scanned(report(vec![
        read(0, 0, Some("its offsets cannot be asked: no answer")),
        read(1, 5, None),
        read(2, 0, None),
    ]));
    assert_eq!(
        state.report.coverage(),
        Coverage::Partial("partition 0: its offsets cannot be asked: no answer".to_owned())
    );
    // A look at another partition says nothing of it.
    state.scanned(report(vec![read(1, 6, None)]));
    assert!(!state.report.coverage().is_complete());
    // Another look at it, or another reader, may have better luck.
    state.scanned(report(vec![read(0, 3, None)]));
    assert_eq!(state.report.coverage(), Coverage::Complete);
}
