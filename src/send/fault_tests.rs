//! The real pump between a disk that fails and a broker that answers anything: what was accepted is never lost, and what is
//! told is what is there.
//!
//! Each case is one input file that is sent, interrupted by faults and crashes, and resumed until all of it is settled. After
//! every run its report and its receipts are held against the store, which is opened again, and against what the broker
//! really said. `MQSAFE_TEST_SEED` replays: the first case is the one of that seed.

mod broker;

use super::{Events, Form, Input, InputOptions, Observer, Options, Partitioner, Pump, Receipt, Report, Source, State};
use crate::hooks;
use crate::model::{Fate, Outcome, Signal, Stamp, Tally, Voids};
use crate::send::Event;
use crate::spool::crash_tests::Model;
use crate::spool::disk::{Crashes, Disk, Failing, Fault, Image, Syncs};
use crate::spool::{Spool, Target};
use broker::{Broker, Mood};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const BROKER: &str = "kafka://a:1";
const TOPIC: &str = "orders";

/// A message's identity as a stamp holds it.
type Id = (String, String, u64);

/// What was told of one message.
#[derive(Debug, Clone)]
struct Told {
    line: u64,
    fate: Fate,
    id: Option<Id>,
}

#[derive(Default)]
struct Ear(Vec<Told>);

impl Observer for Ear {
    fn receipt(&mut self, receipt: &Receipt<'_>) {
        let id = receipt.id;
        self.0.push(Told {
            line: receipt.line,
            fate: receipt.fate,
            id: id.map(|(producer, lane, seq)| (producer.to_owned(), lane.to_owned(), seq)),
        });
    }

    fn state(&mut self, _: &State) {}
}

/// What happened in all cases, so that a search that never met a fault does not pass for a good one.
#[derive(Default)]
struct Counts {
    cases: AtomicU64,
    runs: AtomicU64,
    disk_faults: AtomicU64,
    crashes: AtomicU64,
    settled_late: AtomicU64,
    refused: AtomicU64,
    in_doubt: AtomicU64,
    abandoned: AtomicU64,
}

impl Counts {
    fn words(&self) -> String {
        let n = |c: &AtomicU64| c.load(Ordering::Relaxed);
        format!(
            "{} cases of {} runs; {} faults of the disk, {} crashes, {} runs without a store at their end, \
             {} verdicts that could not be written down, {} refused, {} in doubt",
            n(&self.cases),
            n(&self.runs),
            n(&self.disk_faults),
            n(&self.crashes),
            n(&self.abandoned),
            n(&self.settled_late),
            n(&self.refused),
            n(&self.in_doubt)
        )
    }
}

/// Fails the case with these words unless it is so.
macro_rules! law {
    ($so:expr, $($words:tt)*) => {
        if !$so {
            return Err(format!($($words)*));
        }
    };
}

struct Case<'a> {
    rng: StdRng,
    broker: Broker,
    disk: Disk,
    /// What the disk held when `disk` was made of it.
    start: Image,
    file: PathBuf,
    /// The key and value of each line; `None` is a line that cannot be read.
    lines: Vec<Option<Vec<u8>>>,
    /// Lines that were reported as unreadable, over all runs.
    rejected: BTreeSet<u64>,
    counts: &'a Counts,
    planted: Planted,
}

/// What is wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Planted {
    Nothing,
    /// What is in doubt is reported as stored.
    Lies,
    /// The disk is one sync late.
    LateSyncs,
}

impl<'a> Case<'a> {
    fn new(seed: u64, dir: &std::path::Path, counts: &'a Counts, planted: Planted) -> Case<'a> {
        let mut rng = StdRng::seed_from_u64(seed);
        let count = rng.random_range(1..160);
        let mut text = Vec::new();
        let mut lines = Vec::new();
        for n in 1..=count {
            // Long lines, so that the file is read in several chunks, each of which is one commit.
            let length = rng.random_range(0..12_000);
            let value = format!("{n:06} {}", "x".repeat(length)).into_bytes();
            let is_message = !rng.random_ratio(1, 12);
            if is_message {
                text.extend_from_slice(format!("k{}:", n % 7).as_bytes());
            }
            text.extend_from_slice(&value);
            text.push(b'\n');
            lines.push(is_message.then_some(value));
        }
        let file = dir.join(format!("input-{seed}"));
        std::fs::write(&file, text).unwrap();
        let named = rng.random();
        Case {
            broker: Broker::new(rng.random(), named, planted == Planted::Lies),
            rng,
            disk: Disk::default(),
            start: Image::default(),
            file,
            lines,
            rejected: BTreeSet::new(),
            counts,
            planted,
        }
    }

    fn run(mut self) -> Result<(), String> {
        // A new store is made aside and moved into its place when it is whole.
        Spool::on(&self.disk).map_err(|e| e.to_string())?;
        self.mend_and_look()?;
        for _ in 0..self.rng.random_range(1..=4) {
            let mood = self.mood();
            self.broker.is_in(mood);
            self.plan_faults();
            self.one_run()?;
        }
        self.broker.is_in(Mood::default());
        // What the last run left is delivered, and then the rest of the file.
        for _ in 0..3 {
            let report = self.one_run()?;
            let done = report.as_ref().is_some_and(|r| {
                r.own.spooled + r.own.in_doubt + r.earlier.spooled + r.earlier.in_doubt == 0 && r.why.is_none()
            });
            if done {
                return self.judge_the_end();
            }
        }
        Err("with a good disk and a good broker it does not come to its end".to_owned())
    }

    fn mood(&mut self) -> Mood {
        let mut often = |most: u32| match self.rng.random_range(0..3) {
            0 => self.rng.random_range(0..=most),
            _ => 0,
        };
        Mood {
            full: often(30),
            parked: often(10),
            refused: often(20),
            not_sent: often(20),
            in_doubt: often(20),
            dies: often(3),
            unreachable: often(100),
            no_client: often(40),
        }
    }

    fn plan_faults(&mut self) {
        for _ in 0..self.rng.random_range(0..3) {
            let fault = match self.rng.random_range(0..3) {
                0 => Fault::Full,
                1 => Fault::Broken,
                _ => Fault::SyncFails,
            };
            let from = self.disk.changes() + self.rng.random_range(0..400);
            let to = from + self.rng.random_range(1..30);
            self.disk.fail(Failing { fault, from, to });
        }
    }

    fn options(&mut self) -> Options {
        let (connect, delivery, grace) = (400, 900, 300);
        Options {
            partitioner: Partitioner::by_key(self.rng.random()),
            ..Options::to_deliver(
                Duration::from_millis(connect),
                Duration::from_millis(delivery),
                Duration::from_millis(grace),
            )
        }
    }

    /// One process: it opens the store, sends what is left of the file, and ends or is killed; `None` when it could not begin.
    fn one_run(&mut self) -> Result<Option<Report>, String> {
        self.counts.runs.fetch_add(1, Ordering::Relaxed);
        let faults_before = self.disk.failed();
        let opened = Spool::on(&self.disk).and_then(|mut spool| {
            let target = spool.target(BROKER, TOPIC)?;
            let path = self.file.canonicalize().unwrap();
            let before = spool.input(&target, std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()))?;
            Ok((spool, target, before))
        });
        let (mut spool, target, before) = match opened {
            Ok(opened) => opened,
            Err(e) => {
                law!(self.disk.failed() > faults_before, "a good disk cannot be used: {e}");
                self.mend_and_look()?;
                return Ok(None);
            }
        };
        let held_before = Model::of(&spool).map_err(|e| e.to_string())?;
        let resumed_at = before.as_ref().map_or(0, |p| p.lines);
        let form = Form::Text {
            end: b"\n".to_vec(),
            key_delimiter: Some(b":".to_vec()),
        };
        let source = Source::file(&self.file, &form, before).map_err(|e| format!("it cannot be resumed: {e}"))?;
        let how = InputOptions {
            form,
            max_line_bytes: 1 << 20,
            ..InputOptions::default()
        };
        let (events, mut ear, options) = (Events::default(), Ear::default(), self.options());
        if self.rng.random_ratio(1, 6) {
            self.interrupt(&events);
        }
        let endpoint = Arc::new(self.broker.clone());
        let input = Some(Input::new(source, how).map_err(|e| e.to_string())?);
        let pump = Pump::new(&mut spool, target.clone(), endpoint, options, input, &mut ear, events);
        let ran = pump.and_then(Pump::run);
        if self.rng.random() {
            // The power fails before the store is closed.
            self.disk.cut();
        }
        drop(spool);
        let disk_failed = self.disk.failed() > faults_before;
        self.counts
            .disk_faults
            .fetch_add(self.disk.failed() - faults_before, Ordering::Relaxed);
        let held = self.mend_and_look()?;
        match ran {
            Ok(report) => {
                let run = Run {
                    report: &report,
                    told: &ear.0,
                    before: &held_before,
                    after: &held,
                    resumed_at,
                    disk_failed,
                };
                self.judge(&run, &target)?;
                Ok(Some(report))
            }
            Err(problem) => {
                law!(
                    held.next_id == held_before.next_id,
                    "it gave up with {problem}, and has accepted something"
                );
                Ok(None)
            }
        }
    }

    fn interrupt(&mut self, events: &Events) {
        let (sender, rng) = (events.sender.clone(), &mut self.rng);
        let (first, second) = (rng.random_range(0..400), rng.random::<bool>());
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(first));
            let _ = sender.send(Event::Stop(Signal::Interrupt));
            if second {
                std::thread::sleep(Duration::from_millis(50));
                let _ = sender.send(Event::Stop(Signal::Interrupt));
            }
        });
    }

    /// The process is over, with or without a crash of the machine; the disk works again. What the store holds.
    fn mend_and_look(&mut self) -> Result<Model, String> {
        self.disk.mend();
        let log = self.disk.take_log();
        let syncs = match self.planted {
            Planted::LateSyncs => Syncs::OneLate,
            Planted::Nothing | Planted::Lies => Syncs::Honest,
        };
        let mut crashes = Crashes::new(self.start.clone(), &log, syncs);
        while crashes.step(&mut self.rng) {}
        // Also without a crash the machine may go down later: what a failed sync has dropped comes to light then.
        self.start = crashes.image(&mut self.rng);
        self.disk = Disk::holding(self.start.clone());
        self.counts.crashes.fetch_add(1, Ordering::Relaxed);
        let spool = Spool::on(&self.disk).map_err(|e| format!("the store does not open after the run: {e}"))?;
        let held = Model::of(&spool).map_err(|e| format!("the store cannot be read after the run: {e}"))?;
        Ok(held)
    }

    /// What a run told is what there is.
    fn judge(&mut self, run: &Run<'_>, target: &Target) -> Result<(), String> {
        let Run {
            report,
            told,
            before,
            after,
            ..
        } = run;
        let mut counted = Tally::default();
        told.iter().for_each(|t| counted.count(t.fate, 1));
        let of = |fate: Fate| told.iter().filter(move |t| t.fate == fate);
        let no = after
            .targets
            .iter()
            .position(|t| t.1 == target.topic)
            .ok_or("the target is gone")? as u32;
        self.counts.refused.fetch_add(report.own.refused, Ordering::Relaxed);
        self.counts.in_doubt.fetch_add(report.own.in_doubt, Ordering::Relaxed);
        let abandoned = report
            .troubles
            .iter()
            .any(|t| t.what.contains("cannot be opened again"));
        let unreadable = report
            .troubles
            .iter()
            .any(|t| t.what.contains("cannot be read to the end"));
        let interrupted = matches!(report.outcome, Outcome::Interrupted(_));
        self.counts.abandoned.fetch_add(u64::from(abandoned), Ordering::Relaxed);
        law!(
            run.disk_failed || !(abandoned || unreadable),
            "a good disk is given up: {:?}",
            report.troubles
        );

        // Told once, and the sums are those of the receipts; what cannot be read any more is counted as in doubt.
        let lines: Vec<u64> = told.iter().map(|t| t.line).collect();
        let different: BTreeSet<u64> = lines.iter().copied().collect();
        law!(lines.len() == different.len(), "a line has two receipts");
        law!(
            counted == report.own
                || ((abandoned || unreadable)
                    && counted.in_doubt + counted.spooled <= report.own.in_doubt + report.own.spooled),
            "receipts {counted}, report {}",
            report.own
        );

        // What is called stored was said by the broker to be stored, and so for refused.
        self.broker.truth(|truth| {
            let said = |t: &Told, by: &HashSet<String>| t.id.as_ref().is_some_and(|id| by.contains(&stamp(id)));
            for t in of(Fate::Stored) {
                law!(
                    said(t, &truth.said_stored),
                    "line {} is told as stored, and the broker never said so",
                    t.line
                );
            }
            for t in of(Fate::Refused) {
                law!(
                    said(t, &truth.said_refused),
                    "line {} is told as refused, and the broker never said so",
                    t.line
                );
            }
            for (lane, numbers) in &after.confirmed {
                for number in numbers {
                    let id = (lane.0.clone(), lane.1.clone(), *number);
                    law!(
                        truth.said_stored.contains(&stamp(&id)),
                        "{id:?} is confirmed, and the broker never said so"
                    );
                }
            }
            for (reason, message, _) in after.failed.values() {
                let id = id_of(after, no, message);
                law!(
                    truth.said_refused.contains(&stamp(&id)),
                    "{id:?} has failed ({reason}), and was never refused"
                );
            }
            Ok(())
        })?;

        // Everything accepted is in the store, pending or settled, once.
        let own = after.next_id - before.next_id;
        let settled =
            |model: &Model| model.confirmed.values().map(|n| n.len() as u64).sum::<u64>() + model.failed.len() as u64;
        let accepted = report.own.accepted();
        law!(
            own == accepted || (abandoned && own > accepted),
            "accepted {accepted}, and the store gave {own} numbers"
        );
        law!(
            after.pending.len() as u64 + settled(after) == after.next_id,
            "{} pending and {} settled of {} accepted",
            after.pending.len(),
            settled(after),
            after.next_id
        );
        let waiting: BTreeMap<u64, &crate::spool::Pending> = after
            .pending
            .values()
            .filter(|m| m.id >= before.next_id)
            .map(|m| (m.line, m))
            .collect();
        for t in of(Fate::InDoubt).chain(of(Fate::Spooled)) {
            let kept = waiting.contains_key(&t.line);
            law!(kept, "line {} is told as {}, and is not pending", t.line, t.fate.word());
        }
        for t in of(Fate::Stored).chain(of(Fate::Refused)) {
            let late = waiting.contains_key(&t.line);
            self.counts.settled_late.fetch_add(u64::from(late), Ordering::Relaxed);
            law!(
                !late || run.disk_failed,
                "line {} is settled, and is pending on a good disk",
                t.line
            );
        }
        // A message that was certainly never with the broker is called spooled only then.
        self.broker.truth(|truth| {
            let stored: HashSet<&str> = truth.stored.iter().map(|s| s.stamp.as_str()).collect();
            for t in of(Fate::Spooled) {
                let there = t.id.as_ref().is_some_and(|id| stored.contains(stamp(id).as_str()));
                law!(!there, "line {} is told as spooled, and the broker has it", t.line);
            }
            Ok(())
        })?;

        // The input goes on after what was accepted or told as rejected.
        let progress = after.inputs.values().next().map_or(0, |p| p.lines);
        law!(
            progress >= run.resumed_at,
            "the input went back from {} to {progress}",
            run.resumed_at
        );
        self.rejected.extend(of(Fate::Rejected).map(|t| t.line));
        for line in run.resumed_at + 1..=progress {
            let known = match self.lines[line as usize - 1] {
                Some(_) => different.contains(&line) || abandoned || unreadable,
                None => self.rejected.contains(&line),
            };
            law!(known, "line {line} was passed, and nothing was told of it");
        }
        law!(
            report.lines == progress || abandoned || (report.lines == 0 && progress == run.resumed_at),
            "it says that line {} was the last, and the store says {progress}",
            report.lines
        );
        let left = report.own.in_doubt + report.own.spooled + report.earlier.in_doubt + report.earlier.spooled;
        let good = report.outcome == Outcome::Good;
        law!(
            !good || (left == 0 && report.own.refused + report.own.rejected == 0),
            "exit 0 with {}",
            report.own
        );
        law!(
            left == 0 || good || interrupted || report.outcome != Outcome::Good,
            "{left} left, and exit 0"
        );
        Ok(())
    }

    /// In the end every line is with the broker, or was refused or rejected; under one identity, and every number is accounted for.
    fn judge_the_end(mut self) -> Result<(), String> {
        self.counts.cases.fetch_add(1, Ordering::Relaxed);
        let held = self.mend_and_look()?;
        law!(held.pending.is_empty(), "{} are pending in the end", held.pending.len());
        let failed: BTreeMap<Id, (u64, bool)> = held
            .failed
            .iter()
            .map(|((no, _), (_, message, void))| (id_of(&held, *no, message), (message.line, *void)))
            .collect();
        let lines = &self.lines;
        self.broker.truth(|truth| {
            let mut ids_of: BTreeMap<u64, BTreeSet<Id>> = BTreeMap::new();
            let mut void: BTreeMap<(String, String), Voids> = BTreeMap::new();
            for stored in &truth.stored {
                let stamp = Stamp::parse(stored.stamp.as_bytes()).map_err(|e| e.to_string())?;
                let line: u64 = String::from_utf8_lossy(&stored.value[..6])
                    .parse()
                    .map_err(|_| "a strange value")?;
                let whole = lines[line as usize - 1].as_deref() == Some(&stored.value[..]);
                law!(whole, "line {line} has changed on its way");
                let id = (stamp.producer.to_owned(), stamp.lane.to_owned(), stamp.seq);
                if let Some(voids) = &stored.voids {
                    let voids = Voids::parse(voids.as_bytes()).map_err(|e| e.to_string())?;
                    void.entry((id.0.clone(), id.1.clone())).or_default().merge(&voids);
                }
                ids_of.entry(line).or_default().insert(id);
            }
            for (id, (line, void)) in &failed {
                // One that may be stored is given up without a word to the readers, and only such a one.
                let is_there = ids_of.get(line).is_some_and(|ids| ids.contains(id));
                law!(!(*void && is_there), "line {line} is stored, and its number is void");
                ids_of.entry(*line).or_default().insert(id.clone());
            }
            let mut numbers: BTreeMap<(String, String), BTreeSet<u64>> = BTreeMap::new();
            for (n, line) in lines.iter().enumerate() {
                let n = n as u64 + 1;
                let ids = ids_of.get(&n).map_or(0, BTreeSet::len);
                law!(line.is_some() == (ids == 1), "line {n} is there under {ids} numbers");
                law!(
                    line.is_some() || self.rejected.contains(&n),
                    "line {n} was rejected, and nobody was told"
                );
            }
            let mut seen = BTreeSet::new();
            for (producer, lane, seq) in ids_of.values().flatten() {
                law!(
                    seen.insert((producer, lane, seq)),
                    "{producer} {lane} {seq} is the number of two lines"
                );
                numbers
                    .entry((producer.clone(), lane.clone()))
                    .or_default()
                    .insert(*seq);
            }
            for (lane, numbers) in &numbers {
                let (next, left) = held.lanes.get(lane).ok_or("a lane is unknown")?;
                law!(
                    numbers.iter().copied().eq(1..*next),
                    "lane {lane:?} gave {next}, and has {numbers:?}"
                );
                // A number that was given up is told to the readers, now or with the next message; a number that is there never.
                let mut void = void.remove(lane).unwrap_or_default();
                void.merge(left);
                let void: BTreeSet<u64> = void.ranges().iter().flat_map(|(a, b)| *a..=*b).collect();
                let given_up: BTreeSet<u64> = failed
                    .iter()
                    .filter(|(id, (_, void))| *void && (&id.0, &id.1) == (&lane.0, &lane.1))
                    .map(|(id, _)| id.2)
                    .collect();
                law!(void == given_up, "lane {lane:?}: void {void:?}, given up {given_up:?}");
            }
            Ok(())
        })
    }
}

/// A run and what it left.
struct Run<'r> {
    report: &'r Report,
    told: &'r [Told],
    before: &'r Model,
    after: &'r Model,
    resumed_at: u64,
    disk_failed: bool,
}

fn id_of(model: &Model, target: u32, message: &crate::spool::Pending) -> Id {
    let lane = model.lane(target, message.partition.unwrap_or(-1));
    (message.producer.clone(), lane, message.seq)
}

fn stamp((producer, lane, seq): &Id) -> String {
    let (producer, lane, seq) = (producer.as_str(), lane.as_str(), *seq);
    Stamp { seq, producer, lane }.to_string()
}

/// Runs cases side by side, because they mostly wait; the faults that were found.
fn cases(seed: u64, count: u64, planted: Planted) -> (Counts, Vec<String>) {
    let (dir, counts) = (tempfile::tempdir().unwrap(), Counts::default());
    let (next, faults) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count || !faults.lock().unwrap().is_empty() {
                        return;
                    }
                    let seed = seed.wrapping_add(n);
                    // A store that a planted fault has broken may be beyond reading: that is found, too.
                    let case = || Case::new(seed, dir.path(), &counts, planted).run();
                    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(case));
                    let fault = match ran {
                        Ok(ran) => ran.err(),
                        Err(_) => Some("it panics".to_owned()),
                    };
                    if let Some(fault) = fault {
                        faults.lock().unwrap().push(format!("MQSAFE_TEST_SEED={seed}: {fault}"));
                    }
                }
            });
        }
    });
    (counts, faults.into_inner().unwrap())
}

#[test]
fn whatever_the_disk_and_the_broker_do_nothing_accepted_is_lost() {
    let (seed, begun) = (hooks::test_seed(), Instant::now());
    let count = if hooks::test_full() { 2000 } else { 200 };
    let (counts, faults) = cases(seed, count, Planted::Nothing);
    let _ = writeln!(
        std::io::stderr().lock(),
        "MQSAFE_TEST_SEED={seed}\npump on a failing disk: {} in {:.1?}",
        counts.words(),
        begun.elapsed()
    );
    assert_eq!(faults, [] as [String; 0]);
    let n = |c: &AtomicU64| c.load(Ordering::Relaxed);
    assert_eq!(n(&counts.cases), count);
    for met in [
        &counts.disk_faults,
        &counts.settled_late,
        &counts.refused,
        &counts.in_doubt,
    ] {
        assert!(n(met) > 0, "the search met too little: {}", counts.words());
    }
}

/// The canary: a client that calls stored what is in doubt, and a disk that forgets, are found by the same judge.
#[test]
fn what_is_planted_is_found() {
    for planted in [Planted::Lies, Planted::LateSyncs] {
        let (counts, faults) = cases(hooks::test_seed(), 60, planted);
        let found = faults
            .first()
            .unwrap_or_else(|| panic!("{planted:?} was not found: {}", counts.words()));
        let _ = writeln!(
            std::io::stderr().lock(),
            "{planted:?} is found: {}",
            found.lines().next().unwrap_or_default()
        );
    }
}
