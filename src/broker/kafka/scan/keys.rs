//! The keys that are looked for, compared by the million.

use std::collections::HashSet;

/// Bits of the filter that most keys do not pass.
const FILTER_BITS: usize = 1 << 16;

/// A set of keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    one: Option<Vec<u8>>,
    many: HashSet<Vec<u8>>,
    filter: Vec<u64>,
}

impl Keys {
    pub(super) fn new(keys: &[Vec<u8>]) -> Keys {
        if let [one] = keys {
            return Keys {
                one: Some(one.clone()),
                ..Keys::default()
            };
        }
        let mut filter = vec![0; if keys.is_empty() { 0 } else { FILTER_BITS / 64 }];
        for bit in keys.iter().map(|key| bit(key)) {
            if let Some(word) = filter.get_mut(bit / 64) {
                *word |= 1 << (bit % 64);
            }
        }
        Keys {
            one: None,
            many: keys.iter().cloned().collect(),
            filter,
        }
    }

    /// Whether only some keys are wanted.
    pub(super) fn is_filter(&self) -> bool {
        self.one.is_some() || !self.many.is_empty()
    }

    #[inline]
    pub(super) fn has(&self, key: Option<&[u8]>) -> bool {
        let Some(key) = key else { return false };
        if let Some(one) = &self.one {
            return one.as_slice() == key;
        }
        let bit = bit(key);
        self.filter
            .get(bit / 64)
            .is_some_and(|word| word & (1 << (bit % 64)) != 0)
            && self.many.contains(key)
    }
}

/// A place in the filter, from the length and both ends of a key.
fn bit(key: &[u8]) -> usize {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let word = |bytes: &[u8]| bytes.iter().fold(0u64, |all, byte| (all << 8) | u64::from(*byte));
    let end = key.len().min(8);
    let mixed = word(&key[..end])
        .wrapping_mul(ODD)
        .rotate_left(29)
        .wrapping_add(word(&key[key.len() - end..]))
        .wrapping_add(key.len() as u64)
        .wrapping_mul(ODD);
    (mixed >> 48) as usize % FILTER_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_many_and_none() {
        let all: Vec<Vec<u8>> = (0..3000).map(|i| format!("key-{i}").into_bytes()).collect();
        let many = Keys::new(&all);
        assert!(all.iter().all(|key| many.has(Some(key))));
        assert!((3000..9000).all(|i| !many.has(Some(format!("key-{i}").as_bytes()))));
        assert!(!many.has(None) && !many.has(Some(b"")));
        let one = Keys::new(&[Vec::new()]);
        assert!(one.is_filter() && one.has(Some(b"")) && !one.has(None) && !one.has(Some(b"a")));
        assert!(!Keys::new(&[]).is_filter());
    }
}
