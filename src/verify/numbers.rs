//! Sets of numbers as inclusive ranges: they grow with holes, not with numbers.

use rangemap::RangeInclusiveSet;
use std::ops::RangeInclusive;

/// A set of numbers.
pub(super) type Numbers = RangeInclusiveSet<u64>;

/// How many numbers from one to the other, both included; as many as can be counted where a hostile stamp claims more.
pub(super) fn length(range: &RangeInclusive<u64>) -> u64 {
    (range.end() - range.start()).saturating_add(1)
}

/// How many numbers.
pub(super) fn count(numbers: &Numbers) -> u64 {
    numbers
        .iter()
        .fold(0, |sum, range| u64::saturating_add(sum, length(range)))
}

/// The ranges in order.
pub(super) fn ranges(numbers: &Numbers) -> Vec<(u64, u64)> {
    numbers.iter().map(|range| (*range.start(), *range.end())).collect()
}

/// The numbers of `all` that are not in `without`.
pub(super) fn minus(all: &Numbers, without: &Numbers) -> Numbers {
    all.iter().flat_map(|range| without.gaps(range)).collect()
}

/// The numbers that are in both. Costs as much as the set with fewer ranges.
pub(super) fn both(a: &Numbers, b: &Numbers) -> Numbers {
    let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    few.iter()
        .flat_map(|range| {
            many.overlapping(range)
                .map(|other| *range.start().max(other.start())..=*range.end().min(other.end()))
        })
        .collect()
}

/// Adds all numbers of another set.
pub(super) fn add(to: &mut Numbers, more: &Numbers) {
    to.extend(more.iter().cloned());
}

/// The numbers from `from` on, up to `to`.
pub(super) fn within(numbers: &Numbers, from: u64, to: u64) -> Numbers {
    let mut window = Numbers::new();
    if from <= to {
        window.insert(from..=to);
    }
    both(&window, numbers)
}
