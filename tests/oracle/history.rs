//! Histories of a topic, made up from a seed: what senders did, what became of it, and how it was read.

use super::checker::{Fate, Given, Part, Sender, World};
use std::collections::{BTreeMap, BTreeSet};

/// Numbers that look random and are the same every time (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to `end`, which is not among them.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// Whether something happens that does so `percent` times of a hundred.
    pub(crate) fn has(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A history, and what was planted in it.
pub(crate) struct History {
    pub(crate) world: World,
    /// Acknowledged messages that are in no log and should be.
    pub(crate) planted: usize,
    /// Whether every one of those must be found: there is a journal, all was read, and nothing excuses it.
    pub(crate) is_provable: bool,
}

#[derive(Default)]
struct Log {
    records: BTreeMap<i64, Given>,
    end: i64,
}

impl Log {
    fn append(&mut self, given: Given) -> i64 {
        let offset = self.end;
        self.records.insert(offset, given);
        self.end += 1;
        offset
    }
}

struct Sending {
    next: u64,
    /// Numbers given up that no message has carried yet.
    voids: Vec<u64>,
    /// Acknowledged numbers with their offsets.
    acked: Vec<(u64, i64)>,
    fates: BTreeMap<u64, Fate>,
    /// A message that is overtaken by the next ones.
    held: Option<(u64, Vec<u64>)>,
}

/// One history. In a clean one no message is missing without a reason, and none is there twice or out of order.
pub(crate) fn history(seed: u64, is_clean: bool) -> History {
    let mut dice = Dice::new(seed);
    let grown = 1 + dice.below(4);
    let mut partitions = if dice.has(30) { 1 + dice.below(grown) } else { grown };
    let mut producers = 1 + dice.below(3);
    let mut logs: Vec<Log> = (0..grown).map(|_| Log::default()).collect();
    let mut sending: BTreeMap<(usize, usize), Sending> = BTreeMap::new();
    let mut aborted: BTreeMap<(usize, usize), BTreeSet<u64>> = BTreeMap::new();
    let has_journal = dice.has(67);
    // How often something goes wrong, so that some histories have one fault and others many.
    let trouble = if is_clean { 0 } else { [2, 8, 25][dice.below(3)] };
    let mut planted = 0;
    let steps = 5 + dice.below(60);
    for step in 0..steps {
        if partitions < grown && dice.has(10) {
            partitions += 1;
        }
        if dice.has(3) && producers < 5 {
            // A restart under a new name: numbers begin at 1 again, in lanes of their own.
            producers += 1;
        }
        let (producer, lane) = (dice.below(producers), dice.below(partitions));
        let its = sending.entry((producer, lane)).or_insert_with(|| Sending {
            next: 1,
            voids: Vec::new(),
            acked: Vec::new(),
            fates: BTreeMap::new(),
            held: None,
        });
        let n = its.next;
        its.next += 1;
        let log = &mut logs[lane];
        let stamped = |n: u64, voids: Vec<u64>| Given::Stamped(producer, lane, n, voids);
        // What ends without the message in the log: given up, in doubt and not there, or in an aborted transaction.
        match dice.below(20) {
            0 => {
                its.fates.insert(n, Fate::Void);
                its.voids.push(n);
                continue;
            }
            1 if has_journal => {
                its.fates.insert(n, Fate::Open);
                continue;
            }
            2 => {
                log.end += 2;
                aborted.entry((producer, lane)).or_default().insert(n);
                its.fates.insert(n, Fate::Open);
                if dice.has(50) {
                    continue;
                }
                // Sent again under its number, and committed.
            }
            // The mark of a transaction.
            3 => log.end += 1,
            4 => {
                log.append(Given::Plain);
            }
            _ => {}
        }
        if dice.has(trouble) {
            match dice.below(6) {
                // Acknowledged, and then gone: what comes next lies where it lay.
                0 | 1 => {
                    its.acked.push((n, log.end));
                    its.fates.insert(n, Fate::Acked);
                    planted += 1;
                    continue;
                }
                2 => {
                    log.append(stamped(n, Vec::new()));
                    its.fates.insert(n, Fate::Open);
                    for _ in 0..dice.below(3) {
                        logs[dice.below(grown)].append(Given::Plain);
                    }
                    logs[lane].append(stamped(n, Vec::new()));
                    continue;
                }
                3 if its.held.is_none() => {
                    its.held = Some((n, std::mem::take(&mut its.voids)));
                    its.fates.insert(n, Fate::Open);
                    continue;
                }
                4 => {
                    let elsewhere = dice.below(partitions);
                    logs[elsewhere].append(Given::Stamped(producer, lane, n, Vec::new()));
                    its.fates.insert(n, Fate::Open);
                    continue;
                }
                5 => {
                    log.append(Given::Corrupt);
                }
                _ => {}
            }
        }
        let offset = log.append(stamped(n, std::mem::take(&mut its.voids)));
        its.fates.insert(n, Fate::Acked);
        its.acked.push((n, offset));
        if (dice.has(40) || step + 8 > steps)
            && let Some((late, voids)) = its.held.take()
        {
            log.append(Given::Stamped(producer, lane, late, voids));
        }
    }
    let world = reading(&mut dice, logs, is_clean, aborted);
    let mut world = World {
        journal: has_journal.then(|| journal(&mut dice, sending)),
        ..world
    };
    // Nobody tells of numbers that were acknowledged in a lane whose journal is not there.
    if !is_clean
        && let Some(journal) = &mut world.journal
        && dice.has(15)
    {
        let some = journal.keys().nth(dice.below(journal.len())).copied();
        some.map(|name| journal.remove(&name));
    }
    let is_provable = has_journal
        && !world.compacted
        && world.journal.as_ref().is_some_and(|j| !j.is_empty())
        && world
            .parts
            .iter()
            .all(|p| p.start == 0 && p.log_end == Some(p.end) && p.stretches.as_slice() == [(0, p.end)]);
    History {
        world,
        planted,
        is_provable,
    }
}

/// How the logs are kept and read.
fn reading(dice: &mut Dice, logs: Vec<Log>, is_clean: bool, aborted: BTreeMap<(usize, usize), BTreeSet<u64>>) -> World {
    let compacted = dice.has(10);
    let mut parts = Vec::new();
    for log in logs {
        let mut part = Part {
            end: log.end,
            records: log.records,
            log_end: dice.has(70).then_some(log.end),
            ..Part::default()
        };
        if dice.has(20) && part.end > 0 {
            part.start = dice.below(part.end as usize) as i64;
        }
        if compacted {
            let kept = part
                .records
                .keys()
                .filter(|_| !dice.has(30))
                .copied()
                .collect::<BTreeSet<_>>();
            part.records.retain(|offset, _| kept.contains(offset));
        }
        // Not yet replicated, or behind an open transaction: it lies there, and nobody may read it.
        if dice.has(15) && part.end > part.start {
            let held = 1 + dice.below((part.end - part.start) as usize) as i64;
            part.end -= held;
        }
        let (start, end) = (part.start, part.end);
        part.records.retain(|offset, _| *offset >= start && *offset < end);
        if start < end {
            part.stretches.push((start, end));
            if dice.has(if is_clean { 10 } else { 20 }) {
                part.stretches = holes(dice, start, end);
            }
        }
        parts.push(part);
    }
    World {
        parts,
        compacted,
        aborted,
        journal: None,
    }
}

/// Stretches that were read where something kept readers from the rest.
fn holes(dice: &mut Dice, start: i64, end: i64) -> Vec<(i64, i64)> {
    let mut cuts: Vec<i64> = (0..4)
        .map(|_| start + dice.below((end - start + 1) as usize) as i64)
        .collect();
    match dice.below(3) {
        // Stopped before the end, the most common.
        0 | 1 => vec![(start, cuts[0])],
        _ => {
            cuts.sort_unstable();
            vec![(cuts[0], cuts[1]), (cuts[2], cuts[3])]
        }
    }
    .into_iter()
    .filter(|(from, to)| from < to)
    .fold(Vec::new(), |mut all: Vec<(i64, i64)>, (from, to)| {
        match all.last_mut() {
            Some(last) if last.1 >= from => last.1 = to,
            _ => all.push((from, to)),
        }
        all
    })
}

/// What the senders wrote down: runs of acknowledged numbers, and only where the first of each lies.
fn journal(dice: &mut Dice, sending: BTreeMap<(usize, usize), Sending>) -> BTreeMap<(usize, usize), Sender> {
    let tells_offsets = dice.has(75);
    let sender = |its: Sending| {
        let mut runs: Vec<(u64, u64, Option<i64>)> = Vec::new();
        let acked = its.acked.iter().filter(|(n, _)| its.fates.get(n) == Some(&Fate::Acked));
        for (n, offset) in acked {
            match runs.last_mut() {
                Some((_, last, _)) if *last + 1 == *n => *last = *n,
                _ => runs.push((*n, *n, tells_offsets.then_some(*offset))),
            }
        }
        Sender { fates: its.fates, runs }
    };
    sending.into_iter().map(|(name, its)| (name, sender(its))).collect()
}
