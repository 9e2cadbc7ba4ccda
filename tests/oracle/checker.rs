//! What a verdict must be, number by number, from the definitions alone. It is slow, plain, and knows nothing of the program:
//! no interval sets, no pieces, nothing to share a mistake with.

use std::collections::{BTreeMap, BTreeSet};

/// A record that a reader is given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Given {
    /// Without a stamp.
    Plain,
    /// With a stamp that cannot be read.
    Corrupt,
    /// `(producer, partition of its lane, number)`, and the numbers given up that it carries.
    Stamped(usize, usize, u64, Vec<u64>),
}

/// One partition as it is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    /// The log start, and the planned end (exclusive).
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Where the log of the leader ends, when the broker says it.
    pub(crate) log_end: Option<i64>,
    /// The stretches that were read; none touches the next.
    pub(crate) stretches: Vec<(i64, i64)>,
    /// What lies there, for a reader of committed messages.
    pub(crate) records: BTreeMap<i64, Given>,
}

/// What the sender knows of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    Acked,
    Open,
    Void,
}

/// What the sender knows of one lane: its numbers, and for each run of acknowledged ones `(first, last, offset of the first)`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sender {
    pub(crate) fates: BTreeMap<u64, Fate>,
    pub(crate) runs: Vec<(u64, u64, Option<i64>)>,
}

/// Everything that a verdict is made from.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) parts: Vec<Part>,
    pub(crate) compacted: bool,
    /// Numbers found in aborted transactions, by producer and lane.
    pub(crate) aborted: BTreeMap<(usize, usize), BTreeSet<u64>>,
    pub(crate) journal: Option<BTreeMap<(usize, usize), Sender>>,
}

/// The verdict on one lane.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Lane {
    pub(crate) read: u64,
    pub(crate) gaps: Vec<u64>,
    pub(crate) lost: Vec<u64>,
    pub(crate) unseen: Vec<u64>,
    pub(crate) repeated: Vec<u64>,
    pub(crate) duplicate: u64,
    pub(crate) reordered: u64,
    pub(crate) moved: u64,
    pub(crate) expired: u64,
    pub(crate) void: u64,
    pub(crate) unconfirmed_missing: u64,
    pub(crate) recovered: u64,
    pub(crate) aborted: u64,
}

/// The verdict on a world.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) read: u64,
    pub(crate) stamped: u64,
    pub(crate) corrupt: u64,
    pub(crate) lanes: BTreeMap<(usize, usize), Lane>,
}

impl Part {
    fn was_read(&self, offset: i64) -> bool {
        self.stretches.iter().any(|(from, to)| offset >= *from && offset < *to)
    }

    fn is_wholly_read(&self) -> bool {
        (self.start..self.end).all(|offset| self.was_read(offset))
    }
}

pub(crate) fn check(world: &World) -> Verdict {
    let mut verdict = Verdict::default();
    let mut names = BTreeSet::new();
    for (offset, given, part) in all(world) {
        if !part.was_read(offset) {
            continue;
        }
        verdict.read += 1;
        match given {
            Given::Plain => {}
            Given::Corrupt => verdict.corrupt += 1,
            Given::Stamped(producer, lane, ..) => {
                verdict.stamped += 1;
                names.insert((*producer, *lane));
            }
        }
    }
    for name in world.journal.iter().flatten().map(|(name, _)| *name) {
        if name.1 < world.parts.len() {
            names.insert(name);
        }
    }
    for name in names {
        verdict.lanes.insert(name, lane(world, name));
    }
    verdict
}

fn all(world: &World) -> impl Iterator<Item = (i64, &Given, &Part)> {
    let parts = world.parts.iter();
    parts.flat_map(|part| part.records.iter().map(move |(offset, given)| (*offset, given, part)))
}

fn lane(world: &World, name: (usize, usize)) -> Lane {
    let mut verdict = Lane::default();
    let Some(part) = world.parts.get(name.1) else {
        panic!("a lane of no partition");
    };
    // Where each number was read: in its lane by offset, elsewhere by count.
    let (mut home, mut away): (Vec<(i64, u64)>, Vec<u64>) = (Vec::new(), Vec::new());
    let mut voids = BTreeSet::new();
    for (no, other) in world.parts.iter().enumerate() {
        for (offset, given) in &other.records {
            let Given::Stamped(producer, its, number, carried) = given else {
                continue;
            };
            if (*producer, *its) != name || !other.was_read(*offset) {
                continue;
            }
            if no == name.1 {
                home.push((*offset, *number));
            } else {
                away.push(*number);
            }
            voids.extend(carried.iter().copied());
        }
    }
    let sender = world.journal.as_ref().and_then(|journal| journal.get(&name));
    let fate = |n: u64| sender.and_then(|sender| sender.fates.get(&n).copied());
    for (n, fate) in sender.iter().flat_map(|sender| &sender.fates) {
        if *fate == Fate::Void {
            voids.insert(*n);
        }
    }
    let none = BTreeSet::new();
    let in_aborted = world.aborted.get(&name).unwrap_or(&none);
    let is_read = |n: u64| home.iter().any(|(_, m)| *m == n) || away.contains(&n);
    let largest = home
        .iter()
        .map(|(_, n)| *n)
        .chain(away.iter().copied())
        .max()
        .unwrap_or(0);
    let smallest = home
        .iter()
        .map(|(_, n)| *n)
        .chain(away.iter().copied())
        .min()
        .unwrap_or(0);
    let told = sender.iter().flat_map(|s| s.fates.keys());
    let ever = told.chain(in_aborted).max().copied().unwrap_or(0);
    verdict.read = (home.len() + away.len()) as u64;
    verdict.moved = away.len() as u64;
    verdict.void = voids.len() as u64;
    // What was before the first number read has expired with the head of its log.
    let begins = if part.start == 0 { 1 } else { smallest };
    for n in 1..=largest.max(ever) {
        let mut positions: Vec<i64> = home
            .iter()
            .filter(|(_, m)| *m == n)
            .map(|(offset, _)| *offset)
            .collect();
        positions.sort_unstable();
        if positions.len() > 1 {
            verdict.repeated.push(n);
            verdict.duplicate += positions.len() as u64 - 1;
        }
        if let Some(first) = positions.first()
            && home.iter().any(|(offset, m)| offset < first && *m > n)
        {
            verdict.reordered += 1;
        }
        let mut is_expired = n < begins;
        if is_read(n) {
            verdict.recovered += u64::from(fate(n) == Some(Fate::Open));
        } else if in_aborted.contains(&n) && fate(n) != Some(Fate::Acked) {
            // What was acknowledged was committed, so that it must be there.
            verdict.aborted += 1;
        } else if voids.contains(&n) {
            // Said by the sender.
        } else {
            match fate(n) {
                Some(Fate::Acked) => match absent(part, sender, n, &home) {
                    Absent::Lost if world.compacted => is_expired = true,
                    Absent::Lost => verdict.lost.push(n),
                    Absent::Unseen => verdict.unseen.push(n),
                    Absent::Expired => is_expired = true,
                },
                Some(Fate::Open) => verdict.unconfirmed_missing += 1,
                Some(Fate::Void) => {}
                None => {
                    if n >= begins && n <= largest && !may_be_unread(part, &home, n) {
                        if world.compacted {
                            is_expired = true;
                        } else {
                            verdict.gaps.push(n);
                        }
                    }
                }
            }
        }
        verdict.expired += u64::from(is_expired);
    }
    verdict
}

/// Whether a number may lie in what nobody read: after all that was read of its lane before a hole, and before all after it.
fn may_be_unread(part: &Part, home: &[(i64, u64)], n: u64) -> bool {
    let mut holes = Vec::new();
    let mut next = part.start;
    for (from, to) in &part.stretches {
        if *from > next {
            holes.push(*from);
        }
        next = next.max(*to);
    }
    if next < part.end {
        holes.push(part.end);
    }
    holes.iter().any(|hole| {
        let before = home
            .iter()
            .filter(|(offset, _)| offset < hole)
            .map(|(_, m)| *m)
            .max()
            .unwrap_or(0);
        // Of what follows the hole, the first stretch in which the lane was read.
        let after = part
            .stretches
            .iter()
            .filter(|(from, _)| from >= hole)
            .find_map(|(from, to)| {
                let inside = home.iter().filter(|(offset, _)| offset >= from && offset < to);
                inside.map(|(_, m)| *m).min()
            });
        n > before && after.is_none_or(|after| n < after)
    })
}

enum Absent {
    Lost,
    Unseen,
    Expired,
}

/// What became of an acknowledged number that was not read.
fn absent(part: &Part, sender: Option<&Sender>, n: u64, home: &[(i64, u64)]) -> Absent {
    let run = sender.and_then(|s| s.runs.iter().find(|(first, last, _)| *first <= n && n <= *last));
    let Some((first, _, offset)) = run else {
        panic!("{n} is acknowledged and in no run");
    };
    // It lies at this offset or later; the first of a run lies exactly there.
    let at_least = offset.map(|offset| offset + (n - first) as i64);
    if n == *first
        && let Some(exact) = at_least
    {
        return if exact < part.start {
            Absent::Expired
        } else if part.was_read(exact) || part.log_end.is_some_and(|end| exact >= end) {
            Absent::Lost
        } else {
            Absent::Unseen
        };
    }
    let is_after_something_read = home.iter().any(|(_, m)| *m < n);
    if part.start > 0 && at_least.is_none_or(|offset| offset < part.start) && !is_after_something_read {
        return Absent::Expired;
    }
    if !part.is_wholly_read() {
        return Absent::Unseen;
    }
    if part.log_end.is_some_and(|end| end <= part.end) {
        return Absent::Lost;
    }
    let is_before_something_read = home.iter().any(|(_, m)| *m > n);
    if is_before_something_read && at_least.is_none_or(|offset| offset < part.end) {
        return Absent::Lost;
    }
    Absent::Unseen
}
