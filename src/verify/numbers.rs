//! Sets of numbers as inclusive ranges: they grow with holes, not with numbers.
//!
//! A range takes 16 bytes. Ranges lie in short sorted stretches, so that adding one in the middle of a million moves few of them,
//! and a set of a handful, of which there may be tens of thousands, is one small block.

use std::ops::RangeInclusive;

/// Ranges of one stretch. More are split.
const MOST: usize = 256;

/// A set of numbers.
#[derive(Debug, Default, Clone)]
pub(super) struct Numbers {
    /// None is empty; all ranges are in order, and none touches the next.
    stretches: Vec<Vec<(u64, u64)>>,
}

impl PartialEq for Numbers {
    fn eq(&self, other: &Numbers) -> bool {
        self.pairs().eq(other.pairs())
    }
}

impl Eq for Numbers {}

impl Numbers {
    pub(super) fn new() -> Numbers {
        Numbers::default()
    }

    fn pairs(&self) -> impl Iterator<Item = &(u64, u64)> {
        self.stretches.iter().flatten()
    }

    /// Where the first range is that ends at a number or behind it.
    fn at(&self, number: u64) -> (usize, usize) {
        let stretch = self
            .stretches
            .partition_point(|s| s.last().is_some_and(|(_, end)| *end < number));
        let place = self
            .stretches
            .get(stretch)
            .map_or(0, |s| s.partition_point(|(_, end)| *end < number));
        (stretch, place)
    }

    /// The ranges from the first that ends at a number or behind it.
    fn from(&self, number: u64) -> impl Iterator<Item = (u64, u64)> {
        let (stretch, place) = self.at(number);
        let first = self
            .stretches
            .get(stretch)
            .and_then(|s| s.get(place..))
            .unwrap_or_default();
        let rest = self.stretches.get(stretch + 1..).unwrap_or_default();
        first.iter().chain(rest.iter().flatten()).copied()
    }

    pub(super) fn contains(&self, number: &u64) -> bool {
        self.from(*number).next().is_some_and(|(from, _)| from <= *number)
    }

    /// Takes out the ranges that begin at `last` or before, from a place on; gives the bounds of what was taken.
    fn take(&mut self, (stretch, place): (usize, usize), last: u64) -> Option<(u64, u64)> {
        let mut taken: Option<(u64, u64)> = None;
        let (mut at, mut emptied) = (stretch, 0);
        while let Some(ranges) = self.stretches.get_mut(at) {
            let from = if at == stretch { place } else { 0 };
            let count = ranges[from..].partition_point(|(begin, _)| *begin <= last);
            let is_to_its_end = from + count == ranges.len();
            if let (Some(first), Some(end)) = (ranges.get(from), ranges.get((from + count).wrapping_sub(1)))
                && count > 0
            {
                taken = Some((taken.map_or(first.0, |(begin, _)| begin), end.1));
            }
            ranges.drain(from..from + count);
            emptied += usize::from(ranges.is_empty());
            if !is_to_its_end {
                break;
            }
            at += 1;
        }
        if emptied > 0 {
            self.stretches.retain(|ranges| !ranges.is_empty());
        }
        taken
    }

    /// Adds a range that touches none.
    fn put(&mut self, range: (u64, u64)) {
        let (stretch, place) = self.at(range.0);
        let is_behind_all = stretch == self.stretches.len();
        let stretch = match self.stretches.len() {
            0 => {
                // Most sets hold few ranges.
                self.stretches.reserve_exact(1);
                self.stretches.push(Vec::new());
                0
            }
            len if is_behind_all && self.stretches[len - 1].len() < MOST => len - 1,
            len if is_behind_all => {
                self.stretches.push(Vec::new());
                len
            }
            _ => stretch,
        };
        let ranges = &mut self.stretches[stretch];
        if ranges.len() == ranges.capacity() {
            // Doubling would leave half of the memory unused.
            ranges.reserve_exact((ranges.len() / 4).max(1));
        }
        match is_behind_all {
            true => ranges.push(range),
            false => ranges.insert(place, range),
        }
        if ranges.len() > MOST {
            let rest = ranges.split_off(MOST / 2);
            self.stretches.insert(stretch + 1, rest);
        }
    }

    pub(super) fn insert(&mut self, range: RangeInclusive<u64>) {
        let (first, last) = range.into_inner();
        if first > last {
            return;
        }
        // What almost every range of a log is: behind all others.
        if let Some(end) = self.stretches.last_mut().and_then(|s| s.last_mut()) {
            if end.1.checked_add(1) == Some(first) {
                end.1 = last;
                return;
            }
            if end.1 < first {
                return self.put((first, last));
            }
        }
        let place = self.at(first.saturating_sub(1));
        let (mut from, mut to) = (first, last);
        if let Some((begin, end)) = self.take(place, last.saturating_add(1)) {
            (from, to) = (from.min(begin), to.max(end));
        }
        self.put((from, to));
    }

    pub(super) fn remove(&mut self, range: RangeInclusive<u64>) {
        let (first, last) = range.into_inner();
        if first > last {
            return;
        }
        let place = self.at(first);
        if let Some((begin, end)) = self.take(place, last) {
            if begin < first {
                self.put((begin, first - 1));
            }
            if end > last {
                self.put((last + 1, end));
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = RangeInclusive<u64>> {
        self.pairs().map(|(from, to)| *from..=*to)
    }

    /// The ranges that share a number with another, whole.
    pub(super) fn overlapping(&self, range: RangeInclusive<u64>) -> impl Iterator<Item = RangeInclusive<u64>> {
        let end = *range.end();
        self.from(*range.start())
            .take_while(move |(from, _)| *from <= end)
            .map(|(from, to)| from..=to)
    }

    /// What of a range is not in the set.
    pub(super) fn gaps(&self, range: &RangeInclusive<u64>) -> impl Iterator<Item = RangeInclusive<u64>> {
        let (mut next, end) = (Some(*range.start()), *range.end());
        let mut within = self.overlapping(range.clone());
        std::iter::from_fn(move || {
            loop {
                let from = next.filter(|from| *from <= end)?;
                let Some(known) = within.next() else {
                    next = None;
                    return Some(from..=end);
                };
                next = known.end().checked_add(1);
                if from < *known.start() {
                    return Some(from..=*known.start() - 1);
                }
            }
        })
    }

    pub(super) fn first(&self) -> Option<RangeInclusive<u64>> {
        let (from, to) = *self.stretches.first()?.first()?;
        Some(from..=to)
    }

    pub(super) fn last(&self) -> Option<RangeInclusive<u64>> {
        let (from, to) = *self.stretches.last()?.last()?;
        Some(from..=to)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }

    /// How many ranges.
    pub(super) fn len(&self) -> usize {
        self.stretches.iter().map(Vec::len).sum()
    }

    pub(super) fn clear(&mut self) {
        self.stretches.clear();
    }
}

impl Extend<RangeInclusive<u64>> for Numbers {
    fn extend<T: IntoIterator<Item = RangeInclusive<u64>>>(&mut self, ranges: T) {
        ranges.into_iter().for_each(|range| self.insert(range));
    }
}

impl FromIterator<RangeInclusive<u64>> for Numbers {
    fn from_iter<T: IntoIterator<Item = RangeInclusive<u64>>>(ranges: T) -> Numbers {
        let mut all = Numbers::new();
        all.extend(ranges);
        all
    }
}

/// How many numbers from one to the other, both included; as many as can be counted where a hostile stamp claims more.
pub(super) fn length(range: &RangeInclusive<u64>) -> u64 {
    (range.end() - range.start()).saturating_add(1)
}

/// How many numbers.
pub(super) fn count(numbers: &Numbers) -> u64 {
    numbers
        .iter()
        .fold(0, |sum, range| u64::saturating_add(sum, length(&range)))
}

/// The ranges in order.
pub(super) fn ranges(numbers: &Numbers) -> Vec<(u64, u64)> {
    numbers.pairs().copied().collect()
}

/// The numbers of `all` that are not in `without`.
pub(super) fn minus(all: &Numbers, without: &Numbers) -> Numbers {
    all.iter()
        .flat_map(|range| without.gaps(&range).collect::<Vec<_>>())
        .collect()
}

/// The numbers that are in both. Costs as much as the set with fewer ranges.
pub(super) fn both(a: &Numbers, b: &Numbers) -> Numbers {
    let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    few.iter()
        .flat_map(|range| {
            let (from, to) = range.clone().into_inner();
            many.overlapping(range)
                .map(move |other| from.max(*other.start())..=to.min(*other.end()))
        })
        .collect()
}

/// Adds all numbers of another set.
pub(super) fn add(to: &mut Numbers, more: &Numbers) {
    to.extend(more.iter());
}

/// The numbers from `from` on, up to `to`.
pub(super) fn within(numbers: &Numbers, from: u64, to: u64) -> Numbers {
    let mut window = Numbers::new();
    if from <= to {
        window.insert(from..=to);
    }
    both(&window, numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn check(numbers: &Numbers, judge: &BTreeSet<u64>, limit: u64) {
        let inside: BTreeSet<u64> = numbers.iter().flatten().collect();
        assert_eq!(&inside, judge);
        assert!(numbers.stretches.iter().all(|s| !s.is_empty() && s.len() <= MOST));
        let pairs = ranges(numbers);
        assert!(pairs.windows(2).all(|w| w[0].1 + 1 < w[1].0), "{pairs:?}");
        let outside: BTreeSet<u64> = numbers.gaps(&(0..=limit)).flatten().collect();
        assert_eq!(outside, (0..=limit).filter(|n| !judge.contains(n)).collect());
        assert!((0..=limit).all(|n| numbers.contains(&n) == judge.contains(&n)));
        assert_eq!(count(numbers), judge.len() as u64);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        /// The judge is a plain set of numbers.
        #[test]
        fn it_is_a_set(changes in prop::collection::vec((any::<bool>(), 0u64..2000, 0u64..8), 0..1200)) {
            let (mut numbers, mut judge) = (Numbers::new(), BTreeSet::new());
            for (no, (is_more, from, length)) in changes.iter().enumerate() {
                // Many small holes at first, so that there are several stretches.
                let (is_more, to) = match no < 900 {
                    true => (true, *from),
                    false => (*is_more, from + length),
                };
                match is_more {
                    true => {
                        numbers.insert(*from..=to);
                        judge.extend(*from..=to);
                    }
                    false => {
                        numbers.remove(*from..=to);
                        (*from..=to).for_each(|n| { judge.remove(&n); });
                    }
                }
            }
            check(&numbers, &judge, 2010);
            let backwards: Numbers = ranges(&numbers).into_iter().rev().map(|(from, to)| from..=to).collect();
            prop_assert_eq!(&backwards, &numbers);
            let (half, other) = (within(&numbers, 500, 1500), within(&numbers, 1000, 3000));
            check(&both(&half, &other), &judge.range(1000..=1500).copied().collect(), 2010);
            check(&minus(&half, &other), &judge.range(500..1000).copied().collect(), 2010);
        }
    }

    #[test]
    fn it_holds_the_ends_of_all_numbers() {
        let mut all: Numbers = [u64::MAX..=u64::MAX, 0..=0, 5..=u64::MAX - 1].into_iter().collect();
        assert_eq!(ranges(&all), [(0, 0), (5, u64::MAX)]);
        assert_eq!(all.gaps(&(0..=u64::MAX)).collect::<Vec<_>>(), [1..=4]);
        all.remove(7..=u64::MAX);
        assert_eq!(ranges(&all), [(0, 0), (5, 6)]);
        assert_eq!(all.gaps(&(3..=9)).collect::<Vec<_>>(), [3..=4, 7..=9]);
    }
}
