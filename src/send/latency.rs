//! How long messages took, in a fixed number of counters.

/// Each power of two is cut into so many equal parts, which bounds the error of an answer to a sixteenth.
const PARTS: u64 = 16;
const PARTS_BITS: u32 = PARTS.ilog2();

/// Times in milliseconds, counted in slots that grow with them.
#[derive(Debug, Clone)]
pub(super) struct Times {
    counts: Vec<u64>,
    all: u64,
    max: u64,
}

/// What a person is told of them, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// Half of the messages took no longer.
    pub p50: u64,
    /// All but one of a hundred took no longer.
    pub p99: u64,
    /// None took longer.
    pub max: u64,
}

impl Default for Times {
    fn default() -> Times {
        Times {
            counts: vec![0; slot(u64::MAX) + 1],
            all: 0,
            max: 0,
        }
    }
}

/// Exact below [`PARTS`]; above, the exponent and the first bits after the leading one.
fn slot(ms: u64) -> usize {
    if ms < PARTS {
        return ms as usize;
    }
    let shift = ms.ilog2() - PARTS_BITS;
    ((u64::from(shift) + 1) * PARTS + (ms >> shift) - PARTS) as usize
}

/// The largest time of a slot.
fn largest(slot: usize) -> u64 {
    let slot = slot as u64;
    if slot < PARTS {
        return slot;
    }
    let shift = slot / PARTS - 1;
    // The last slot ends where the numbers end.
    ((u128::from(PARTS + slot % PARTS + 1) << shift) - 1).min(u128::from(u64::MAX)) as u64
}

impl Times {
    pub(super) fn add(&mut self, ms: u64) {
        self.counts[slot(ms)] += 1;
        self.all += 1;
        self.max = self.max.max(ms);
    }

    /// `None` when nothing was counted.
    pub(super) fn latency(&self) -> Option<Latency> {
        (self.all > 0).then(|| Latency {
            p50: self.percent(50),
            p99: self.percent(99),
            max: self.max,
        })
    }

    fn percent(&self, percent: u64) -> u64 {
        let rank = (u128::from(self.all) * u128::from(percent)).div_ceil(100);
        let mut seen = 0;
        for (slot, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= rank {
                return largest(slot).min(self.max);
            }
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_time_has_its_slot() {
        for ms in (0..100_000).chain([u64::MAX, u64::MAX / 2, 1 << 40]) {
            let slot = slot(ms);
            assert!(largest(slot) >= ms && (slot == 0 || largest(slot - 1) < ms), "{ms}");
        }
        assert_eq!(Times::default().latency(), None);
    }

    proptest! {
        #[test]
        fn an_answer_is_never_too_small_and_little_too_large(mut times in proptest::collection::vec(0u64..1_000_000, 1..400)) {
            let mut counted = Times::default();
            for ms in &times { counted.add(*ms) }
            times.sort_unstable();
            let got = counted.latency().unwrap();
            for (percent, got) in [(50, got.p50), (99, got.p99)] {
                let exact = times[(times.len() * percent).div_ceil(100) - 1];
                prop_assert!(got >= exact && got <= exact + exact / PARTS, "{got} for {exact}");
            }
            prop_assert_eq!(got.max, *times.last().unwrap());
        }
    }
}
