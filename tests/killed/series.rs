//! `kill -9` of `send` at random moments, again and again over one input, on each broker.

use crate::broker::{self, Broker};
use crate::support;
use crate::tool::{self, Case, counters};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::RwLock;
use std::time::{Duration, Instant};

/// Prints past the capture of the test runner: these figures belong to the output of every run, also of a good one.
macro_rules! said {
    ($($words:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr().lock(), $($words)*);
    }};
}

pub(crate) use said;

static QUIET: RwLock<()> = RwLock::new(());

/// Read by those that only use the brokers, written by those that disturb them.
pub(crate) fn quiet() -> &'static RwLock<()> {
    &QUIET
}

/// The phases in the order of the counters that `MQSAFE_TEST_PHASES` holds.
const PHASES: [&str; 5] = ["read", "synced", "sent", "acknowledged", "committed"];
/// A kill falls within so long a time after the mark that it waits for, more often early than late.
const WINDOW: Duration = Duration::from_millis(200);

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
#[derive(Default)]
struct Series {
    histogram: [u32; 5],
    /// Kills before any line was read.
    before: u32,
    late: u32,
    lines: usize,
    again: u64,
    faults: Vec<String>,
}

struct Plan {
    kills: u32,
    /// How often a kill must have found messages in each phase.
    least: u32,
    planted: bool,
}

fn series(broker: &dyn Broker, plan: &Plan, rng: &mut StdRng) -> Series {
    let mut case = Case::new(broker);
    let mut series = Series::default();
    let mut kills = 0;
    let mut stats = case.stats();
    // Some more where no kill has fallen into one of the phases yet.
    while kills < plan.kills || (kills < 3 * plan.kills && series.histogram.iter().any(|n| *n < plan.least)) {
        // A run has about as much to do as it can before it is killed; what waits already counts.
        let unread = case.lines.len() as u64 - stats.accepted();
        let a_run = broker.lines_a_run();
        if unread < 2 * a_run as u64 {
            case.grow(if stats.pending > 2 * a_run as u64 {
                a_run / 8
            } else {
                a_run
            });
        }
        let mut send = case.send(&["--delivery-timeout", "60s"]);
        if plan.planted {
            send.env("MQSAFE_TEST_PUBLISH_FIRST", "1");
        }
        let mut running = tool::start(send);
        // A random moment after a random mark: whatever the speed of the machine, the kills fall into all phases.
        // The last one is waited for more often, because a run comes to it last.
        let mark = rng.random_range(0..=PHASES.len() + 2).min(PHASES.len());
        while mark > 0 && counters(&case.phases())[mark - 1] == 0 && !running.is_over() {
            std::thread::sleep(Duration::from_micros(200));
        }
        let when: f64 = rng.random();
        std::thread::sleep(WINDOW.mul_f64(when * when * when));
        let killed = running.kill();
        let done = running.wait();
        // It may end by itself just before the signal comes.
        if killed && done.code == -9 {
            kills += 1;
            let counters = counters(&case.phases());
            series.before += u32::from(counters[0] == 0);
            for (count, stood) in series.histogram.iter_mut().zip(standing(counters, stats.pending)) {
                *count += u32::from(stood);
            }
            let after = case.stats();
            series.faults.extend(judge_kill(stats, after, counters));
            stats = after;
        } else {
            // It had come to its end before.
            series.faults.extend(case.judge_run(&done, stats));
            series.late += 1;
            stats = case.stats();
        }
        if plan.planted && !series.faults.is_empty() {
            return series;
        }
    }
    series.lines = case.lines.len();
    (series.faults, series.again) = case.end(std::mem::take(&mut series.faults));
    series
}

/// A killed run says nothing, but it left marks outside: what had passed a mark is in the store.
pub(crate) fn judge_kill(before: tool::Stats, after: tool::Stats, counters: [u64; 5]) -> Vec<String> {
    let [read, synced, _, acknowledged, committed] = counters;
    let laws = [
        (
            after.accepted() >= before.accepted() + synced,
            "what was committed is not there",
        ),
        (
            after.accepted() <= before.accepted() + read,
            "more was accepted than was read",
        ),
        (
            after.confirmed >= before.confirmed + committed,
            "a confirmation that was committed is not there",
        ),
        (
            after.confirmed <= before.confirmed + acknowledged,
            "something is confirmed that was never acknowledged",
        ),
        (after.failed == 0, "something was refused"),
    ];
    let broken = laws.iter().filter(|(holds, _)| !holds);
    broken
        .map(|(_, what)| format!("{what}: before {before:?}, after {after:?}, marks {counters:?}"))
        .collect()
}

/// The seed of a random test, which is said.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("MQSAFE_TEST_SEED").ok().and_then(|s| s.parse().ok());
    let seed = given.unwrap_or_else(rand::random::<u64>);
    said!("MQSAFE_TEST_SEED={seed}");
    seed
}

/// Runs something on all brokers that are up, side by side; each says what was wrong.
pub(crate) fn on_each(test: &str, run: impl Fn(&dyn Broker, StdRng) -> Vec<String> + Sync) {
    let _quiet = quiet().read().unwrap_or_else(|e| e.into_inner());
    let (brokers, seed, run) = (broker::all(test), seed(), &run);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = brokers
            .iter()
            .enumerate()
            .map(|(n, broker)| {
                let rng = StdRng::seed_from_u64(seed.wrapping_add(n as u64));
                scope.spawn(move || (broker.name(), run(&**broker, rng)))
            })
            .collect();
        running
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| ("a broker", vec!["it panicked; see above".to_owned()]))
            })
            .flat_map(|(name, wrong)| wrong.into_iter().map(move |what| format!("{name}: {what}")))
            .collect()
    });
    assert_eq!(wrong, [] as [String; 0]);
}

#[test]
fn killed_at_random_moments_and_resumed_nothing_is_missing() {
    let kills = if support::full() { 200 } else { 60 };
    let least = if support::full() { 20 } else { 1 };
    on_each(
        "killed_at_random_moments_and_resumed_nothing_is_missing",
        |broker, mut rng| {
            let begun = Instant::now();
            let plan = Plan {
                kills,
                least,
                planted: false,
            };
            let mut series = series(broker, &plan, &mut rng);
            let mut text = format!(
                "{}: {kills} kills in {:.0?}, {} runs ended before; {} lines, {} of them there again\n  kills with messages in the phase:",
                broker.name(),
                begun.elapsed(),
                series.late,
                series.lines,
                series.again
            );
            text += &format!(" before {}", series.before);
            for (name, count) in PHASES.iter().zip(series.histogram) {
                text += &format!(", {name} {count}");
            }
            said!("{text}");
            if series.histogram.iter().any(|count| *count < least) {
                series
                    .faults
                    .push(format!("a phase was not hit {least} times: {:?}", series.histogram));
            }
            series.faults
        },
    );
}

/// The canary: with the fault planted (published before the store has it on disk) the same judge must find something.
#[test]
fn publishing_before_the_commit_is_found() {
    on_each("publishing_before_the_commit_is_found", |broker, mut rng| {
        for round in 1..=15 {
            let plan = Plan {
                kills: 6,
                least: 0,
                planted: true,
            };
            let series = series(broker, &plan, &mut rng);
            if let Some(fault) = series.faults.first() {
                said!("{}: found in round {round}: {fault}", broker.name());
                return Vec::new();
            }
        }
        vec!["the planted fault was not found in 15 rounds of 6 kills".to_owned()]
    });
}
