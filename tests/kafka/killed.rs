//! `kill -9` of `send` at random moments, again and again over one input.

#![cfg(feature = "test-hooks")]

use crate::cluster::{self, Cluster};
use crate::judge::{self, Told};
use crate::support;
use crate::tool::{self, Case};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Prints past the capture of the test runner: these figures belong to the output of every run, also of a good one.
macro_rules! said {
    ($($words:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr().lock(), $($words)*);
    }};
}

/// The phases in the order of the counters that `MQSAFE_TEST_PHASES` holds.
const PHASES: [&str; 5] = ["read", "synced", "sent", "acknowledged", "committed"];
const LINE_BYTES: usize = 100;
/// A kill falls within so long a time after the mark that it waits for.
const WINDOW: Duration = Duration::from_millis(200);

/// How many messages a run brought to each phase.
fn counters(path: &Path) -> [u64; 5] {
    let bytes = std::fs::read(path).unwrap_or_default();
    let at = |i: usize| {
        bytes
            .get(i * 8..i * 8 + 8)
            .map_or(0, |b| u64::from_le_bytes(b.try_into().unwrap()))
    };
    std::array::from_fn(at)
}

/// Whether messages stood in each phase: brought there, and not to the next. `waiting` were synced by earlier runs.
fn standing([read, synced, sent, acknowledged, committed]: [u64; 5], waiting: u64) -> [bool; 5] {
    [
        read > synced,
        synced + waiting > sent,
        sent > acknowledged,
        acknowledged > committed,
        committed > 0,
    ]
}

/// One series of kills over one input, and what it left.
struct Series {
    histogram: [u32; 5],
    /// Kills before any line was read.
    before: u32,
    late: u32,
    faults: Vec<String>,
    duplicates: u64,
}

struct Plan {
    kills: u32,
    /// Lines of the input to begin with.
    lines: usize,
    planted: bool,
}

fn send(case: &Case<'_>, input: &Path, phases: &Path, planted: bool) -> Command {
    let _ = std::fs::remove_file(phases);
    let mut send = case.send(&["--resume", "--delivery-timeout", "60s"]);
    send.arg(input).env("MQSAFE_TEST_PHASES", phases);
    if planted {
        send.env("MQSAFE_TEST_PUBLISH_FIRST", "1");
    }
    send
}

fn series(cluster: &Cluster, plan: &Plan, rng: &mut StdRng) -> Series {
    let case = Case::new(cluster, "killed", 3);
    let mut lines = judge::lines(0, plan.lines, LINE_BYTES);
    let input = case.file("input", &judge::text(&lines));
    let phases = case.path("phases");
    let mut series = Series {
        histogram: [0; 5],
        before: 0,
        late: 0,
        faults: Vec::new(),
        duplicates: 0,
    };
    let mut kills = 0;
    while kills < plan.kills {
        let (waiting, _, _) = case.stats();
        let mut running = tool::start(send(&case, &input, &phases, plan.planted));
        // A random moment after a random mark: whatever the speed of the machine, the kills fall into all phases.
        // The last one is waited for more often, because a run comes to it last.
        let mark = rng.random_range(0..=PHASES.len() + 2).min(PHASES.len());
        while mark > 0 && counters(&phases)[mark - 1] == 0 && !running.is_over() {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(WINDOW.mul_f64(rng.random()));
        if running.kill() {
            kills += 1;
            let counters = counters(&phases);
            series.before += u32::from(counters[0] == 0);
            for (count, stood) in series.histogram.iter_mut().zip(standing(counters, waiting)) {
                *count += u32::from(stood);
            }
            running.wait().expect(-9);
        } else {
            // The input had come to its end: it grows, and the kill is tried again.
            running.wait().expect(0);
            series.late += 1;
            lines.extend(judge::lines(lines.len(), plan.lines, LINE_BYTES));
            std::fs::write(&input, judge::text(&lines)).unwrap();
        }
    }
    tool::run(send(&case, &input, &phases, false)).expect(0);
    let (pending, failed, _) = case.stats();
    assert_eq!((pending, failed), (0, 0));
    let verified = case.verify(&[]);
    let told = Told {
        gap: verified.total("gap"),
        duplicate: verified.total("duplicate"),
        corrupt: verified.total("corrupt"),
    };
    series.faults = judge::faults(&lines, &cluster.read(&case.topic), told);
    series.duplicates = told.duplicate;
    if verified.code != i32::from(told.gap + told.corrupt > 0) {
        series.faults.push(format!("verify exits {}", verified.code));
    }
    series
}

fn seeded() -> StdRng {
    let given = std::env::var("MQSAFE_TEST_SEED").ok().and_then(|s| s.parse().ok());
    let seed = given.unwrap_or_else(rand::random::<u64>);
    said!("MQSAFE_TEST_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

#[test]
fn killed_at_random_moments_and_resumed_nothing_is_missing() {
    let test = "killed_at_random_moments_and_resumed_nothing_is_missing";
    let Some(cluster) = cluster::shared(test) else { return };
    let mut rng = seeded();
    let kills = if support::full() { 200 } else { 20 };
    let plan = Plan {
        kills,
        // About what twenty runs come to before they are killed: one run over all of it takes some seconds.
        lines: 3000 * kills as usize,
        planted: false,
    };
    let begun = Instant::now();
    let series = series(&cluster, &plan, &mut rng);
    said!("{kills} kills in {:.0?}, {} too late", begun.elapsed(), series.late);
    said!("kills with messages in the phase:");
    said!("  {:<13}{:>4}", "before", series.before);
    for (name, count) in PHASES.iter().zip(series.histogram) {
        said!("  {name:<13}{count:>4}");
    }
    said!("{} duplicates, each named by verify", series.duplicates);
    assert_eq!(series.faults, [] as [&str; 0]);
    let least = if support::full() { 20 } else { 1 };
    assert!(
        series.histogram.iter().all(|count| *count >= least),
        "a phase was never hit: {:?}",
        series.histogram
    );
}

/// The canary: with the fault planted (published before the store has it on disk) the same judge must find something.
#[test]
fn publishing_before_the_commit_is_found() {
    let Some(cluster) = cluster::shared("publishing_before_the_commit_is_found") else {
        return;
    };
    let mut rng = seeded();
    for round in 1..=5 {
        let plan = Plan {
            kills: 4,
            lines: 40_000,
            planted: true,
        };
        let series = series(&cluster, &plan, &mut rng);
        if !series.faults.is_empty() {
            said!("found in round {round}: {:?}", series.faults);
            return;
        }
    }
    panic!("the planted fault was not found in 5 rounds of 4 kills");
}
