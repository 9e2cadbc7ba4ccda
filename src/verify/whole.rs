//! What all pieces say together, lane by lane: what is in memory and what is on the shelf, merged in the order of the lanes.

use super::lane::Lane;
use super::log::Counts;
use super::numbers::Numbers;
use super::shelf::Run;
use super::tracker::{Place, Tracker};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// The stretches of one place that were read, and what lies between them.
struct Holes {
    /// The first offset of each piece, and the end of the last hole before it.
    pieces: Vec<(i64, Option<i64>)>,
    /// The end of the last hole of all.
    last: Option<i64>,
}

/// What one lane is in one piece: the place, the piece, and the lane.
type Part<'a> = (u32, u32, Cow<'a, Lane>);

impl Tracker {
    /// What all pieces say together: counts, and each lane by producer and name, in no order. `window` tells of a place from where to
    /// where (exclusive) it was to be read.
    pub(super) fn each<'a>(
        &'a self,
        window: impl Fn(&Place) -> Option<(i64, i64)>,
        mut tell: impl FnMut(&'a str, &'a str, Cow<'a, Lane>),
    ) -> Counts {
        let (mut counts, mut places) = (Counts::default(), Vec::new());
        let (mut memory, mut runs) = (Vec::<(u32, u32, u32, &Lane)>::new(), Vec::<Run<'_>>::new());
        // The next lane of each run, by its number.
        let mut next = BinaryHeap::new();
        for (place_no, (place, pieces)) in (0u32..).zip(self.pieces()) {
            let window = window(place);
            let mut end = window.map(|(start, _)| start);
            let (mut hole, mut known) = (None, Vec::with_capacity(pieces.len()));
            for (piece_no, piece) in (0u32..).zip(pieces) {
                counts.add(piece.counts);
                if end.is_some_and(|end| end < piece.from) {
                    hole = Some(piece.from);
                }
                end = Some(piece.to);
                known.push((piece.from, hole));
                let lanes = piece.lanes.iter();
                memory.extend(lanes.map(|(number, lane)| (*number, place_no, piece_no, lane)));
                if let (Some(shelved), Some(shelves)) = (&piece.shelved, &self.shelves) {
                    let mut run = shelves.open(shelved);
                    if let Some((number, lane)) = run.next() {
                        next.push(Reverse(Next(number, place_no, piece_no, runs.len(), lane)));
                    }
                    runs.push(run);
                }
            }
            if let Some((to, (_, planned))) = end.zip(window)
                && to < planned
            {
                hole = Some(planned);
            }
            places.push(Holes {
                pieces: known,
                last: hole,
            });
        }
        memory.sort_unstable_by_key(|(number, place, piece, _)| (*number, *place, *piece));
        let mut memory = memory.into_iter().peekable();
        let mut parts: Vec<Part<'a>> = Vec::new();
        loop {
            let here = memory.peek().map(|(number, ..)| *number);
            let there = next.peek().map(|Reverse(Next(number, ..))| *number);
            let Some(number) = here.into_iter().chain(there).min() else {
                return counts;
            };
            while let Some((_, place, piece, lane)) = memory.next_if(|(no, ..)| *no == number) {
                parts.push((place, piece, Cow::Borrowed(lane)));
            }
            while let Some(Reverse(Next(no, place, piece, run, lane))) = next.pop() {
                if no != number {
                    next.push(Reverse(Next(no, place, piece, run, lane)));
                    break;
                }
                parts.push((place, piece, Cow::Owned(lane)));
                if let Some((no, lane)) = runs.get_mut(run).and_then(Run::next) {
                    next.push(Reverse(Next(no, place, piece, run, lane)));
                }
            }
            parts.sort_unstable_by_key(|(place, piece, _)| (*place, *piece));
            if let Some(lane) = joined(parts.drain(..), &places) {
                let (producer, name) = self.name(number);
                tell(producer, name, lane);
            }
        }
    }

    /// Every number of every lane, wherever it was read.
    pub(super) fn numbers(&self) -> BTreeMap<(&str, &str), Numbers> {
        let mut all = BTreeMap::new();
        self.each(
            |_| None,
            |producer, name, lane| {
                all.insert((producer, name), lane.numbers());
            },
        );
        all
    }
}

/// The next lane of a run: its number, its place, its piece, the run, and the lane itself, which has no order.
struct Next(u32, u32, u32, usize, Lane);

impl Next {
    fn key(&self) -> (u32, usize) {
        (self.0, self.3)
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Next) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Next {}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Next) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Next {
    fn cmp(&self, other: &Next) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// One lane of all its parts, which come in the order of their places and, within each, of its log.
fn joined<'a>(parts: impl Iterator<Item = Part<'a>>, places: &[Holes]) -> Option<Cow<'a, Lane>> {
    let mut whole: Option<Cow<'a, Lane>> = None;
    // Where the lane was last seen in the place that is looked at.
    let mut last: Option<(u32, i64)> = None;
    let ends = |whole: &mut Option<Cow<'a, Lane>>, last: Option<(u32, i64)>| {
        let Some((place, from)) = last else { return };
        let hole = places.get(place as usize).and_then(|holes| holes.last);
        // What a hole after the last time may hold is not missing.
        if hole.is_some_and(|hole| from < hole)
            && let Some(whole) = whole
        {
            whole.to_mut().all_after_is_unread();
        }
    };
    for (place, piece, lane) in parts {
        if last.is_some_and(|(known, _)| known != place) {
            ends(&mut whole, last.take());
        }
        let holes = places.get(place as usize)?;
        let (from, hole) = *holes.pieces.get(piece as usize)?;
        let smallest = lane.seen().first().map_or(0, |range| *range.start());
        // The first time in this place: what a hole before it may hold is not missing.
        let is_behind_a_hole = hole.is_some() && smallest > 1 && last.is_none();
        let is_whole = last.is_none_or(|(_, known)| hole.is_none_or(|hole| known >= hole));
        if smallest > 0 {
            last = Some((place, from));
        }
        let known = match &mut whole {
            Some(known) => {
                known.to_mut().then(&lane, is_whole);
                known
            }
            None => whole.insert(lane),
        };
        if is_behind_a_hole {
            known.to_mut().rare().unread.insert(1..=smallest - 1);
        }
    }
    ends(&mut whole, last);
    whole
}
