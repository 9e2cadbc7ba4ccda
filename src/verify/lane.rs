//! What was read of one producer's numbers in one lane, in one piece of a log; and how two pieces become one.

use super::numbers::{self, Numbers};

/// One producer's numbers in one lane.
///
/// Nothing here is a counter that depends on the order in which pieces are read: what is a duplicate or out of order follows from
/// the sets, so that pieces joined in the order of the log say the same as the whole log read at once.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Lane {
    /// Numbers read in the lane, except those of `run`.
    seen: Numbers,
    /// The numbers that are being read one after the other just now; disjoint from `seen`.
    run: Option<(u64, u64)>,
    /// The largest number read in the lane.
    largest: u64,
    /// Records read in the lane.
    home: u64,
    /// What most lanes do not have.
    rare: Option<Box<Rare>>,
}

/// What most lanes do not have.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Rare {
    /// Numbers read outside the lane. They are not missing; whether they are copies or came late, their place does not tell.
    pub(super) away: Numbers,
    /// Records read outside the lane.
    pub(super) moved: u64,
    /// Numbers that the sender gave up.
    pub(super) voids: Numbers,
    /// Numbers read more than once in the lane.
    pub(super) repeated: Numbers,
    /// Numbers that were first read after a larger one.
    pub(super) late: Numbers,
    /// Numbers that may lie in a part of the log that nobody read.
    pub(super) unread: Numbers,
}

impl Lane {
    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(super) fn seldom(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    /// A number read in its lane, where order holds.
    pub(super) fn insert(&mut self, seq: u64) {
        self.home += 1;
        // What almost every record of a healthy log is.
        if let Some((_, last)) = &mut self.run
            && last.checked_add(1) == Some(seq)
            && seq > self.largest
        {
            *last = seq;
            self.largest = seq;
            return;
        }
        let is_new = match self.run {
            Some((first, last)) if (first..=last).contains(&seq) => false,
            _ if self.seen.contains(&seq) => false,
            Some((first, last)) if last.checked_add(1) == Some(seq) => {
                self.run = Some((first, seq));
                true
            }
            ended => {
                if let Some((first, last)) = ended {
                    self.seen.insert(first..=last);
                }
                self.run = Some((seq, seq));
                true
            }
        };
        match (is_new, seq < self.largest) {
            (false, _) => self.rare().repeated.insert(seq..=seq),
            (true, true) => self.rare().late.insert(seq..=seq),
            (true, false) => {}
        }
        self.largest = self.largest.max(seq);
    }

    /// Consecutive numbers read in the lane, one after the other.
    pub(super) fn insert_all(&mut self, first: u64, last: u64) {
        // Where all of them are new and larger, they are one step.
        let follows = first > self.largest && first <= last;
        if !follows {
            (first..=last).for_each(|seq| self.insert(seq));
            return;
        }
        self.insert(first);
        if let Some((_, end)) = &mut self.run {
            *end = last;
            self.largest = last;
            self.home += last - first;
        }
    }

    /// A number read elsewhere. Two places are read in no order, so it is moved and nothing else.
    pub(super) fn insert_away(&mut self, seq: u64) {
        let rare = self.rare();
        rare.moved += 1;
        rare.away.insert(seq..=seq);
    }

    /// Moves the current run to the others.
    pub(super) fn settle(&mut self) {
        if let Some((first, last)) = self.run.take() {
            self.seen.insert(first..=last);
        }
    }

    /// Numbers read in the lane; only of a settled lane.
    pub(super) fn seen(&self) -> &Numbers {
        debug_assert!(self.run.is_none(), "the lane is not settled");
        &self.seen
    }

    /// Records read, wherever they lay.
    pub(super) fn read(&self) -> u64 {
        self.home.saturating_add(self.moved())
    }

    /// Records read in the lane.
    pub(super) fn read_home(&self) -> u64 {
        self.home
    }

    /// Records read outside the lane.
    pub(super) fn moved(&self) -> u64 {
        self.rare.as_ref().map_or(0, |rare| rare.moved)
    }

    /// How often a number was read again.
    pub(super) fn duplicates(&self) -> u64 {
        self.home.saturating_sub(numbers::count(&self.seen))
    }

    /// Records read after a larger number.
    pub(super) fn reordered(&self) -> u64 {
        self.rare.as_ref().map_or(0, |rare| numbers::count(&rare.late))
    }

    /// Every number that was read.
    pub(super) fn numbers(&self) -> Numbers {
        let mut all = self.seen.clone();
        if let Some(rare) = &self.rare {
            numbers::add(&mut all, &rare.away);
        }
        all
    }

    /// How many ranges are held, which is what memory grows with.
    pub(super) fn weight(&self) -> usize {
        let rare = self.rare.as_ref().map_or(0, |r| {
            r.away.len() + r.voids.len() + r.repeated.len() + r.late.len() + r.unread.len()
        });
        self.seen.len() + usize::from(self.run.is_some()) + rare
    }

    /// A lane as it was saved.
    pub(super) fn restored(seen: Numbers, home: u64, rare: Rare) -> Lane {
        let largest = seen.last().map_or(0, |range| *range.end());
        Lane {
            seen,
            run: None,
            largest,
            home,
            rare: (rare != Rare::default()).then(|| Box::new(rare)),
        }
    }

    /// What is larger than every number read may lie in a part of the log that nobody read.
    pub(super) fn all_after_is_unread(&mut self) {
        if let Some(next) = self.largest.checked_add(1) {
            self.rare().unread.insert(next..=u64::MAX);
        }
    }

    /// Adds what was read of the same lane in a later piece of the log. Both are settled.
    ///
    /// `is_whole` says that nothing lies between the two pieces. Otherwise numbers between the largest of this piece and the
    /// smallest of the next may lie in what nobody read.
    pub(super) fn then(&mut self, next: &Lane, is_whole: bool) {
        let theirs = next.seldom();
        if !next.seen.is_empty() {
            let again = numbers::both(&self.seen, &next.seen);
            let mut late = match self.largest {
                0 => Numbers::new(),
                largest => numbers::within(&next.seen, 0, largest - 1),
            };
            if let Some(rare) = theirs {
                numbers::add(&mut late, &rare.late);
            }
            let late = numbers::minus(&late, &self.seen);
            if !late.is_empty() {
                numbers::add(&mut self.rare().late, &late);
            }
            if !again.is_empty() {
                numbers::add(&mut self.rare().repeated, &again);
            }
            let smallest = next.seen.first().map_or(0, |range| *range.start());
            if !is_whole && smallest > self.largest.saturating_add(1) {
                let between = self.largest + 1..=smallest - 1;
                self.rare().unread.insert(between);
            }
            numbers::add(&mut self.seen, &next.seen);
            self.largest = self.largest.max(next.largest);
            self.home = self.home.saturating_add(next.home);
        }
        if let Some(theirs) = theirs {
            let rare = self.rare();
            numbers::add(&mut rare.away, &theirs.away);
            numbers::add(&mut rare.voids, &theirs.voids);
            numbers::add(&mut rare.repeated, &theirs.repeated);
            numbers::add(&mut rare.unread, &theirs.unread);
            rare.moved = rare.moved.saturating_add(theirs.moved);
        }
    }
}
