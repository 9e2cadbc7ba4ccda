//! What was read of one place, in pieces.

use super::lane::Lane;
use super::shelf::Shelved;
use std::collections::{BTreeMap, HashMap};

/// What a piece of a log holds beside the lanes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    /// Records read.
    pub(super) read: u64,
    /// Records with a stamp that can be read.
    pub(super) stamped: u64,
    /// Records with a stamp that cannot.
    pub(super) corrupt: u64,
}

impl Counts {
    /// As many as can be counted, whatever a state claims.
    pub(super) fn add(&mut self, more: Counts) {
        self.read = self.read.saturating_add(more.read);
        self.stamped = self.stamped.saturating_add(more.stamped);
        self.corrupt = self.corrupt.saturating_add(more.corrupt);
    }
}

/// A stretch of offsets of one place that was read from its first to its last.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) from: i64,
    /// Exclusive.
    pub(super) to: i64,
    pub(super) counts: Counts,
    /// By the number of the lane's name.
    pub(super) lanes: HashMap<u32, Lane>,
    /// Where its lanes are kept outside of memory; then there are none here, and it is not joined with others.
    pub(super) shelved: Option<Shelved>,
}

impl Piece {
    fn settle(&mut self) {
        self.lanes.values_mut().for_each(Lane::settle);
    }

    /// Adds a later piece of the same place.
    fn then(&mut self, next: Piece) {
        let is_whole = self.to >= next.from;
        self.to = next.to;
        self.counts.add(next.counts);
        for (name, lane) in next.lanes {
            match self.lanes.entry(name) {
                std::collections::hash_map::Entry::Occupied(mut known) => known.get_mut().then(&lane, is_whole),
                std::collections::hash_map::Entry::Vacant(new) => {
                    new.insert(lane);
                }
            }
        }
    }
}

/// What was read of one place.
#[derive(Debug, Default, Clone)]
pub(super) struct Log {
    /// Pieces that are over, settled, by their first offset; none touches the next.
    pub(super) done: BTreeMap<i64, Piece>,
    /// The piece that grows now.
    pub(super) open: Option<Piece>,
    /// Where the next piece that is over begins: what is read from there on is known.
    limit: i64,
}

impl Log {
    pub(super) fn close(&mut self) {
        let Some(mut piece) = self.open.take() else { return };
        piece.settle();
        if let Some((&before, known)) = self.done.range(..piece.from).next_back()
            && known.to == piece.from
            && known.shelved.is_none()
            && let Some(mut whole) = self.done.remove(&before)
        {
            whole.then(piece);
            piece = whole;
        }
        let follows = |after: &Piece| after.shelved.is_none();
        if self.done.get(&piece.to).is_some_and(follows)
            && let Some(after) = self.done.remove(&piece.to)
        {
            piece.then(after);
        }
        self.done.insert(piece.from, piece);
    }

    /// Whether this position was read before.
    pub(super) fn has(&self, offset: i64) -> bool {
        let before = self.done.range(..=offset).next_back();
        before.is_some_and(|(_, piece)| offset < piece.to)
    }

    /// The piece that a record at this offset goes to; `None` when it was read before.
    pub(super) fn piece(&mut self, offset: i64) -> Option<&mut Piece> {
        let fits = self
            .open
            .as_ref()
            .is_some_and(|open| offset >= open.to && offset < self.limit);
        if !fits {
            self.close();
            if self.has(offset) {
                return None;
            }
            self.limit = self.done.range(offset..).next().map_or(i64::MAX, |(from, _)| *from);
            self.open = Some(Piece {
                from: offset,
                to: offset,
                ..Piece::default()
            });
        }
        let open = self.open.as_mut()?;
        open.to = offset.saturating_add(1);
        Some(open)
    }

    /// All of a stretch was read.
    pub(super) fn cover(&mut self, from: i64, to: i64) {
        self.close();
        let before = self.done.range(..from).next_back();
        let from = before.map_or(from, |(_, piece)| from.max(piece.to));
        if from >= to {
            return;
        }
        if self.done.range(from..to).any(|(_, piece)| piece.shelved.is_some()) {
            return self.fill(from, to);
        }
        let mut whole = Piece {
            from,
            to: from,
            ..Piece::default()
        };
        while let Some((&at, _)) = self.done.range(from..to).next() {
            let Some(mut piece) = self.done.remove(&at) else { break };
            piece.from = whole.to;
            whole.then(piece);
        }
        whole.to = whole.to.max(to);
        // Joined with its neighbours, as every piece that is over.
        self.open = Some(whole);
        self.close();
    }

    /// As [`Log::cover`], where what is between stays in pieces.
    fn fill(&mut self, from: i64, to: i64) {
        let (mut holes, mut at) = (Vec::new(), from);
        for piece in self.done.range(from..to).map(|(_, piece)| piece) {
            holes.push((at, piece.from));
            at = piece.to;
        }
        holes.push((at, to));
        for (from, to) in holes.into_iter().filter(|(from, to)| from < to) {
            self.open = Some(Piece {
                from,
                to,
                ..Piece::default()
            });
            self.close();
        }
    }
}
