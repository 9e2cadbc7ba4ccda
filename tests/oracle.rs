//! `verify` against a second opinion: a checker that is written from the definitions, shares nothing with it, and judges the same
//! histories, each read in pieces by several readers in any order, stopped, saved, and joined.
#![cfg(feature = "test-hooks")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panic and prints what it measured"
)]

#[path = "oracle/checker.rs"]
mod checker;
#[path = "oracle/history.rs"]
mod history;

use checker::{Fate, Given, World};
use history::{Dice, History};
use mqsafe::model::{PartitionRead, Record, ScanReport, Stamp};
use mqsafe::verify::{self, Acked, Beside, Facts, Place, State, Truth};

/// Histories of each kind.
const HISTORIES: u64 = 20_000;
const TOPIC: &str = "t";

fn producer(no: usize) -> String {
    format!("p{no}")
}

fn lane(no: usize) -> String {
    format!("{TOPIC}/{no}")
}

/// Feeds a stretch of a partition to a reader.
fn feed(state: &mut State, world: &World, partition: usize, (from, to): (i64, i64)) {
    state.tracker.pause();
    for (offset, given) in world.parts[partition].records.range(from..to) {
        let stamp = match given {
            Given::Plain => None,
            Given::Corrupt => Some("5 x".to_owned()),
            Given::Stamped(producer_no, lane_no, seq, _) => Some(
                Stamp {
                    seq: *seq,
                    producer: &producer(*producer_no),
                    lane: &lane(*lane_no),
                }
                .to_string(),
            ),
        };
        let voids = match given {
            Given::Stamped(.., voids) if !voids.is_empty() => {
                Some(voids.iter().map(u64::to_string).collect::<Vec<_>>().join(","))
            }
            _ => None,
        };
        let mut headers: Vec<(&[u8], Option<&[u8]>)> = Vec::new();
        headers.extend(stamp.iter().map(|s| (&b"mqsafe-id"[..], Some(s.as_bytes()))));
        headers.extend(voids.iter().map(|v| (&b"mqsafe-void"[..], Some(v.as_bytes()))));
        let record = Record {
            partition: partition as i32,
            offset: *offset,
            headers: headers.into(),
            ..Record::default()
        };
        state.tracker.insert(TOPIC, &record);
    }
    state.tracker.cover(None, partition as i32, from, to);
}

fn saved(state: &mut State) -> Vec<u8> {
    let mut bytes = Vec::new();
    state.write(&mut bytes).unwrap();
    bytes
}

fn saved_and_restored(state: &mut State) -> State {
    // What did not fit into memory is written in the pieces in which it was put away; read, it is whole again.
    let mut again = State::read(&saved(state)[..]).unwrap();
    let bytes = saved(&mut again);
    let mut third = State::read(&bytes[..]).unwrap();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        String::from_utf8(saved(&mut third)).unwrap()
    );
    again
}

/// Reads a world as several readers do, each some pieces of it, in any order.
fn read(dice: &mut Dice, world: &World, fault: Option<verify::Fault>) -> State {
    let fresh = || {
        let partition = |(no, part): (usize, &checker::Part)| PartitionRead {
            partition: no as i32,
            from: part.start,
            to: part.end,
            ..PartitionRead::default()
        };
        let mut state = State {
            topic: TOPIC.to_owned(),
            report: ScanReport {
                partitions: world.parts.iter().enumerate().map(partition).collect(),
                compacted: Some(world.compacted),
                ..ScanReport::default()
            },
            ..State::default()
        };
        state.tracker.fault = fault;
        state
    };
    let mut pieces = Vec::new();
    for (no, part) in world.parts.iter().enumerate() {
        for &(from, to) in &part.stretches {
            let mut at = from;
            while at < to {
                let next = (at + 1 + dice.below((to - at) as usize * 2) as i64).min(to);
                pieces.push((no, (at, next)));
                at = next;
            }
        }
    }
    for i in (1..pieces.len()).rev() {
        pieces.swap(i, dice.below(i + 1));
    }
    let readers = 1 + dice.below(3);
    let mut states: Vec<State> = (0..readers).map(|_| fresh()).collect();
    for state in &mut states {
        // Some have next to no memory.
        if dice.has(50) {
            state.tracker.shelve(Box::<Pile>::default(), dice.below(4));
        }
    }
    for (no, stretch) in pieces {
        let reader = dice.below(readers);
        feed(&mut states[reader], world, no, stretch);
        states[reader].tracker.spill();
        if dice.has(10) {
            // Handed over once more: the same position is not another message.
            feed(&mut states[reader], world, no, stretch);
        }
        if dice.has(5) {
            states[reader] = saved_and_restored(&mut states[reader]);
            states[reader].tracker.fault = fault;
        }
    }
    let mut whole = states.remove(dice.below(states.len()));
    while !states.is_empty() {
        whole.merge(states.remove(dice.below(states.len()))).unwrap();
    }
    whole.reconcile();
    assert_eq!(whole.tracker.broken(), None);
    whole
}

/// What does not fit into memory, in memory.
#[derive(Debug, Default)]
struct Pile(Vec<u8>);

impl verify::Shelf for Pile {
    fn put(&mut self, bytes: &[u8]) -> std::io::Result<u64> {
        self.0.extend_from_slice(bytes);
        Ok((self.0.len() - bytes.len()) as u64)
    }

    fn get(&mut self, at: u64, bytes: &mut [u8]) -> std::io::Result<()> {
        bytes.copy_from_slice(&self.0[at as usize..at as usize + bytes.len()]);
        Ok(())
    }
}

fn truth(world: &World) -> Option<Truth> {
    let mut truth = Truth::default();
    for ((producer_no, lane_no), sender) in world.journal.as_ref()? {
        let (producer, lane) = (producer(*producer_no), lane(*lane_no));
        for (first, last, offset) in &sender.runs {
            let acked = Acked {
                first: *first,
                last: *last,
                offset: *offset,
                time_ms: None,
            };
            truth.acked(&producer, &lane, acked);
        }
        for (seq, fate) in &sender.fates {
            match fate {
                Fate::Acked => {}
                Fate::Open => truth.unconfirmed(&producer, &lane, *seq),
                Fate::Void => truth.void(&producer, &lane, *seq),
            }
        }
    }
    Some(truth)
}

fn judged(state: &mut State, world: &World) -> verify::Verdict {
    let truth = truth(world);
    let mut facts = Facts::default();
    facts.aborted_read = Some(0);
    for (no, part) in world.parts.iter().enumerate() {
        let place = Place {
            node: None,
            partition: no as i32,
        };
        facts.log_ends.extend(part.log_end.map(|end| (place, end)));
    }
    for ((producer_no, lane_no), numbers) in &world.aborted {
        for seq in numbers {
            facts.found_aborted(&producer(*producer_no), &lane(*lane_no), *seq);
        }
    }
    let beside = Beside {
        truth: truth.as_ref(),
        facts: Some(&facts),
    };
    verify::judge(&mut state.tracker, TOPIC, &state.report, beside)
}

fn numbers(ranges: &[(u64, u64)]) -> Vec<u64> {
    ranges.iter().flat_map(|(from, to)| *from..=*to).collect()
}

/// The verdict in the words of the checker.
fn plain(verdict: &verify::Verdict) -> checker::Verdict {
    let mut lanes = std::collections::BTreeMap::new();
    for its in &verdict.lanes {
        let name = (
            its.producer[1..].parse().unwrap(),
            its.lane[TOPIC.len() + 1..].parse().unwrap(),
        );
        let lane = checker::Lane {
            read: its.read,
            gaps: numbers(&its.gaps),
            lost: numbers(&its.lost),
            unseen: numbers(&its.unseen),
            repeated: numbers(&its.duplicates),
            duplicate: its.duplicate,
            reordered: its.reordered,
            moved: its.moved,
            expired: its.expired,
            void: its.void,
            unconfirmed_missing: its.unconfirmed_missing,
            recovered: its.recovered,
            aborted: its.aborted,
        };
        lanes.insert(name, lane);
    }
    checker::Verdict {
        read: verdict.totals.read,
        stamped: verdict.totals.stamped,
        corrupt: verdict.totals.corrupt,
        lanes,
    }
}

/// The verdict, and the first difference between the two opinions.
fn both(seed: u64, history: &History, fault: Option<verify::Fault>) -> (verify::Totals, Option<String>) {
    let mut state = read(&mut Dice::new(seed ^ 0x5eed), &history.world, fault);
    let verdict = judged(&mut state, &history.world);
    let (told, expected) = (plain(&verdict), checker::check(&history.world));
    let difference = (told != expected).then(|| {
        format!(
            "history {seed}\ntold     {told:?}\nexpected {expected:?}\n{:?}",
            history.world
        )
    });
    (verdict.totals, difference)
}

#[test]
fn the_verdict_is_that_of_a_checker_written_from_the_definitions() {
    let (mut lost, mut provable, mut kinds) = (0, 0, [0u64; 8]);
    for seed in 0..HISTORIES {
        let history = history::history(seed, false);
        if let (_, Some(difference)) = both(seed, &history, None) {
            panic!("{difference}");
        }
        let expected = checker::check(&history.world);
        let of = |pick: fn(&checker::Lane) -> u64| expected.lanes.values().map(pick).sum::<u64>();
        let found = of(|lane| lane.lost.len() as u64);
        let all_known = history
            .world
            .journal
            .as_ref()
            .is_some_and(|j| expected.lanes.keys().all(|k| j.contains_key(k)));
        if history.is_provable && all_known {
            // The checker itself is held to what was planted.
            assert_eq!(found as usize, history.planted, "history {seed}: {:?}", history.world);
            provable += history.planted;
        }
        lost += found;
        let counts = [
            of(|lane| lane.gaps.len() as u64),
            of(|lane| lane.unseen.len() as u64),
            of(|lane| lane.duplicate),
            of(|lane| lane.reordered),
            of(|lane| lane.moved),
            of(|lane| lane.expired),
            of(|lane| lane.recovered),
            of(|lane| lane.aborted),
        ];
        kinds.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
    }
    println!(
        "lost {lost}, of them planted and proven {provable}; gap, unseen, duplicate, reordered, moved, expired, recovered, aborted: {kinds:?}"
    );
    assert!(
        provable > 1000 && kinds.iter().all(|n| *n > 500),
        "histories that show too little: {provable} {kinds:?}"
    );
}

#[test]
fn no_alarm_is_raised_where_nothing_went_wrong() {
    for seed in 0..HISTORIES {
        let history = history::history(seed, true);
        assert_eq!(history.planted, 0);
        let (totals, difference) = both(seed, &history, None);
        assert!(difference.is_none(), "{}", difference.unwrap_or_default());
        let alarms = [
            totals.lost.unwrap_or(0),
            totals.gap,
            totals.duplicate,
            totals.reordered,
            totals.moved,
            totals.corrupt,
        ];
        assert_eq!(alarms, [0; 6], "history {seed}: {totals:?}\n{:?}", history.world);
    }
}

/// A comparison that cannot fail proves nothing.
#[test]
fn canary_each_fault_planted_in_the_tracker_is_found() {
    for fault in [
        verify::Fault::ForgetsVoids,
        verify::Fault::TakesMovedForHome,
        verify::Fault::CountsAgain,
        verify::Fault::ForgetsTheLast,
        verify::Fault::ForgetsTheShelf,
    ] {
        let found = (0..2_000).find(|seed| both(*seed, &history::history(*seed, false), Some(fault)).1.is_some());
        assert!(found.is_some(), "{fault:?} was not found");
    }
}

/// The second opinion must be one: no line of it may name the program.
#[test]
fn the_checker_uses_nothing_of_the_program() {
    for text in [include_str!("oracle/checker.rs"), include_str!("oracle/history.rs")] {
        let named = text.lines().filter(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains("mqsafe") || code.contains("crate::") || code.contains("rangemap")
        });
        assert_eq!(named.collect::<Vec<_>>(), [] as [&str; 0]);
        let used = text.lines().filter(|line| line.starts_with("use "));
        assert!(used.clone().count() > 0);
        for line in used {
            assert!(
                line.starts_with("use std::") || line.starts_with("use super::checker::"),
                "{line}"
            );
        }
    }
}
