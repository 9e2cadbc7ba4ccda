//! Work on many things at once whose results are taken in order, so that a report is the same on every machine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Fewer things than this for each thread are done sooner than a thread is started.
const WORTH_A_THREAD: usize = 16;

/// More threads than this only wait for the disk, and for the one that takes.
const MAX_THREADS: usize = 8;

/// Lets `work` do every item on as many threads as are worth it, and `take` have the results in the order of the items.
pub(super) fn in_order<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> T + Sync, take: impl FnMut(&I, T)) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    in_order_on(
        cores.min(MAX_THREADS).min(items.len() / WORTH_A_THREAD),
        items,
        work,
        take,
    );
}

fn in_order_on<I: Sync, T: Send>(
    threads: usize,
    items: &[I],
    work: impl Fn(&I) -> T + Sync,
    mut take: impl FnMut(&I, T),
) {
    if threads < 2 {
        for item in items {
            take(item, work(item));
        }
        return;
    }
    let next = AtomicUsize::new(0);
    let (done, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (done, next, work) = (done.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    if done.send((at, work(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        // What came before its turn.
        let mut early = BTreeMap::new();
        let mut turn = 0;
        for (at, result) in results {
            early.insert(at, result);
            while let Some((item, result)) = items.get(turn).zip(early.remove(&turn)) {
                take(item, result);
                turn += 1;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_is_taken_once_and_in_order() {
        let items: Vec<usize> = (0..500).collect();
        for threads in [0, 1, 2, 5] {
            let mut taken = Vec::new();
            let slow_at_first = |i: &usize| {
                if *i == 0 {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                i * 2
            };
            in_order_on(threads, &items, slow_at_first, |i, double| taken.push((*i, double)));
            let all: Vec<(usize, usize)> = items.iter().map(|i| (*i, i * 2)).collect();
            assert_eq!(taken, all, "{threads} threads");
        }
    }

    #[test]
    fn nothing_to_do_is_done() {
        in_order(&[] as &[u8], |_| (), |_, ()| panic!("there is nothing"));
    }
}
