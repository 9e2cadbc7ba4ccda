//! What a crash at any point leaves of a store: everything that was committed, and nothing by halves.
//!
//! A killed process leaves the page cache behind, so a kill proves nothing about syncing. Here the disk is a model: see
//! [`super::disk`] for what it keeps and what it may lose. Random series of changes run on it; then every point of what was
//! done to the disk is taken as the moment of a crash, several images of what may be left are made, and each is opened and
//! compared with what the contract says must be there. Recoveries are crashed again.
//!
//! `MQSAFE_TEST_SEED` replays: the first series is the one of that seed.

mod history;
mod model;

use super::Spool;
use super::disk::{Crashes, Disk, Image, Syncs};
use crate::hooks;
use history::{History, Store, next_op};
pub(crate) use model::Model;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::HashSet;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Prints past the capture of the test runner: these figures belong to the output of every run, also of a good one.
macro_rules! said {
    ($($words:tt)*) => {{
        let _ = writeln!(std::io::stderr().lock(), $($words)*);
    }};
}

/// A crash of the recovery from a crash of a recovery is looked at, and no more.
const DEEPEST: u32 = 3;

/// What is done wrong on purpose.
#[derive(Debug, Clone, Copy)]
struct Planted {
    syncs: Syncs,
    /// Commits that accept something are not synced.
    unsynced: bool,
}

const NOTHING: Planted = Planted {
    syncs: Syncs::Honest,
    unsynced: false,
};

/// What a search through crashes saw.
#[derive(Default)]
struct Seen {
    /// Hashes of the images that were opened.
    images: Mutex<HashSet<u64>>,
    opened: AtomicU64,
    /// Of them, images of a crashed recovery.
    nested: AtomicU64,
    histories: AtomicU64,
    faults: Mutex<Vec<String>>,
    stop: AtomicBool,
}

impl Seen {
    fn distinct(&self) -> usize {
        self.images.lock().unwrap().len()
    }
}

/// One series of changes, and its crashes.
struct Search<'a> {
    seen: &'a Seen,
    rng: StdRng,
    planted: Planted,
    /// Images of this series that were looked at, with what they may hold: the same image may be right later and wrong now.
    known: HashSet<(u64, usize)>,
}

/// Searches until so many distinct images were opened, or a fault was found.
fn search(seed: u64, states: usize, planted: Planted) -> Seen {
    let seen = Seen::default();
    let next = AtomicU64::new(seed);
    let workers = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while seen.distinct() < states && !seen.stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let found = catch_unwind(AssertUnwindSafe(|| one_history(&seen, seed, planted)));
                    seen.histories.fetch_add(1, Ordering::Relaxed);
                    let fault = match found {
                        Ok(Ok(())) => continue,
                        Ok(Err(fault)) => fault,
                        Err(panic) => format!("it panics: {}", words_of(&*panic)),
                    };
                    seen.stop.store(true, Ordering::Relaxed);
                    seen.faults
                        .lock()
                        .unwrap()
                        .push(format!("MQSAFE_TEST_SEED={seed}: {fault}"));
                }
            });
        }
    });
    seen
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
        .unwrap_or_default()
}

fn one_history(seen: &Seen, seed: u64, planted: Planted) -> Result<(), String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let history = History::new(&mut rng, planted.unsynced);
    let mut search = Search {
        seen,
        rng,
        planted,
        known: HashSet::new(),
    };
    let mut crashes = Crashes::new(Image::default(), &history.log, planted.syncs);
    let mut done = 0;
    while crashes.step(&mut search.rng) {
        done += 1;
        if done < history.made || seen.stop.load(Ordering::Relaxed) {
            continue;
        }
        let may_hold = history.may_hold(done);
        for _ in 0..samples(&crashes) {
            let image = crashes.image(&mut search.rng);
            search.look(image, may_hold, 1).map_err(|fault| {
                let under_way = history.words(done);
                format!(
                    "after {done} of {} changes of the disk, in {under_way}: {fault}",
                    history.log.len()
                )
            })?;
        }
    }
    Ok(())
}

/// How many images are made at a point: of few open writes there are few.
fn samples(crashes: &Crashes<'_>) -> usize {
    crashes.variety().clamp(1, 4)
}

impl Search<'_> {
    /// Opens what a crash left, and compares; for some, crashes what opening it and going on did.
    fn look(&mut self, image: Image, may_hold: &[Model], depth: u32) -> Result<(), String> {
        let hash = image.hash();
        if !self.known.insert((hash, may_hold.as_ptr() as usize)) {
            return Ok(());
        }
        self.seen.images.lock().unwrap().insert(hash);
        self.seen.opened.fetch_add(1, Ordering::Relaxed);
        self.seen.nested.fetch_add(u64::from(depth > 1), Ordering::Relaxed);
        let disk = Disk::holding(image.clone());
        let (spool, held) = recover(&disk, may_hold)?;
        let again = depth < DEEPEST && self.rng.random_ratio(1, if depth == 1 { 80 } else { 60 });
        if !again {
            // The machine is switched off: what closing would do costs time and shows nothing new.
            disk.cut();
            drop(spool);
            return Ok(());
        }
        self.crash_again(image, spool, held, disk, may_hold, depth + 1)
    }

    /// The recovery, one more change and the end of the process are crashed too. What the recovered store once showed must
    /// stay: somebody may have acted on it.
    fn crash_again(
        &mut self,
        image: Image,
        spool: Spool,
        held: Model,
        disk: Disk,
        may_hold: &[Model],
        depth: u32,
    ) -> Result<(), String> {
        let recovered = disk.done();
        let mut store = Store::with(spool, &disk, held.clone(), self.planted.unsynced);
        // This compares too: the numbers that are given now are the next ones, none of them was given before.
        store.run(&next_op(&held, &mut self.rng, false));
        let changed = disk.done();
        let both = [held, store.model.clone()];
        drop(store);
        let log = disk.take_log();
        let mut crashes = Crashes::new(image, &log, self.planted.syncs);
        let mut done = 0;
        while crashes.step(&mut self.rng) {
            done += 1;
            let may_hold = match done {
                _ if done < recovered => may_hold,
                _ if done == recovered => &both[..1],
                _ if done < changed => &both,
                _ => &both[1..],
            };
            for _ in 0..samples(&crashes).min(2) {
                let image = crashes.image(&mut self.rng);
                let looked = self.look(image, may_hold, depth);
                looked.map_err(|fault| format!("crashed again after {done} of {}: {fault}", log.len()))?;
            }
        }
        Ok(())
    }
}

/// Opens a store after a crash. It holds one of these states, whole; which one.
fn recover(disk: &Disk, may_hold: &[Model]) -> Result<(Spool, Model), String> {
    let spool = Spool::on(disk).map_err(|e| format!("the store does not open: {e}"))?;
    let held = Model::of(&spool).map_err(|e| format!("the store cannot be read: {e}"))?;
    let mut differences = Vec::new();
    for model in may_hold {
        match model.difference(&held) {
            None => return Ok((spool, held)),
            Some(difference) => differences.push(difference),
        }
    }
    Err(format!(
        "it holds what it may not:\n    {}",
        differences.join("\n  nor:\n    ")
    ))
}

fn tell(what: &str, seen: &Seen, begun: Instant) {
    said!(
        "{what}: {} distinct states of the disk after a crash in {:.1?}; {} opened, {} of them crashed while recovering; {} series",
        seen.distinct(),
        begun.elapsed(),
        seen.opened.load(Ordering::Relaxed),
        seen.nested.load(Ordering::Relaxed),
        seen.histories.load(Ordering::Relaxed)
    );
}

#[test]
fn any_crash_leaves_what_was_committed_and_nothing_by_halves() {
    let (seed, begun) = (hooks::test_seed(), Instant::now());
    said!("MQSAFE_TEST_SEED={seed}");
    let states = if hooks::test_full() { 1_000_000 } else { 100_000 };
    let seen = search(seed, states, NOTHING);
    tell("crash model", &seen, begun);
    assert_eq!(*seen.faults.lock().unwrap(), [] as [String; 0]);
    assert!(seen.distinct() >= states);
    assert!(seen.nested.load(Ordering::Relaxed) as usize >= states / 20);
}

/// The canary: on a disk whose syncs come one too late, or with a commit that is not synced, the same search finds a fault.
#[test]
fn a_missing_sync_is_found() {
    let planted = [
        Planted {
            syncs: Syncs::OneLate,
            unsynced: false,
        },
        Planted {
            syncs: Syncs::Honest,
            unsynced: true,
        },
    ];
    for planted in planted {
        let (seed, begun) = (hooks::test_seed(), Instant::now());
        said!("MQSAFE_TEST_SEED={seed}");
        let seen = search(seed, 20_000, planted);
        tell(&format!("{planted:?}"), &seen, begun);
        let faults = seen.faults.lock().unwrap();
        let fault = faults.first().unwrap_or_else(|| panic!("{planted:?} was not found"));
        said!("found: {}", fault.lines().next().unwrap_or_default());
        assert!(!fault.contains("panics: after"), "the model itself is wrong: {fault}");
    }
}
