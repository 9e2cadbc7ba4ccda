//! Which partitions are read, and in which order: first those where a known client would have put the keys.

use crate::model::KeyHash;
use std::collections::BTreeSet;

/// What decides where a key can be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placing {
    /// Only this client wrote; all known ones count when there is none.
    pub only: Option<KeyHash>,
    /// Only where a known client would have put the keys.
    pub pruned: bool,
    /// How many partitions the topic had before.
    pub earlier_counts: Vec<i32>,
}

/// What is to be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Only these partitions; all when empty.
    pub partitions: Vec<i32>,
    /// Of those, these come first.
    pub first: Vec<i32>,
    /// Under which assumption that is every place where the keys can be; `None` when it is so under any.
    pub assumption: Option<String>,
}

impl Placing {
    /// Whether partitions are to be left out.
    pub const fn leaves_out(&self) -> bool {
        self.pruned || self.only.is_some()
    }

    /// Which partitions of `count` are read for these keys. `asked` are those that the user named, all when empty; `keys` is
    /// `None` where it cannot be said which keys a match has.
    pub fn plan(&self, keys: Option<&[Vec<u8>]>, count: i32, asked: &[i32]) -> Plan {
        let whole = Plan {
            partitions: asked.to_vec(),
            ..Plan::default()
        };
        let Some(first) = keys.and_then(|keys| self.places(keys, count)) else {
            return whole;
        };
        let is_asked = |p: &i32| asked.is_empty() || asked.contains(p);
        let first: Vec<i32> = first.into_iter().filter(is_asked).collect();
        if !self.leaves_out() {
            return Plan { first, ..whole };
        }
        let left_out = match asked.is_empty() {
            true => (0..count.max(0)).any(|p| !first.contains(&p)),
            false => asked.iter().any(|p| !first.contains(p)),
        };
        if !left_out || first.is_empty() {
            // With nothing to read the answer would be no answer.
            return Plan { first, ..whole };
        }
        Plan {
            assumption: Some(self.assumption(count)),
            partitions: first.clone(),
            first,
        }
    }

    /// Every partition where one of the keys can be by these hashes; `None` where a client puts one of them anywhere.
    fn places(&self, keys: &[Vec<u8>], count: i32) -> Option<BTreeSet<i32>> {
        let hashes = self.only.map_or(KeyHash::ALL.to_vec(), |only| vec![only]);
        let counts = self.earlier_counts.iter().copied().chain([count]);
        let mut places = BTreeSet::new();
        for count in counts.filter(|count| *count > 0) {
            for key in keys {
                for hash in &hashes {
                    places.insert(hash.partition(Some(key), count)?);
                }
            }
        }
        // A topic that became smaller was made anew; what it had before is gone.
        places.retain(|p| *p < count);
        Some(places)
    }

    fn assumption(&self, count: i32) -> String {
        let hashes = match self.only {
            Some(only) => only.name().to_owned(),
            None => "murmur2, crc32 or fnv1a".to_owned(),
        };
        let mut counts: Vec<String> = self.earlier_counts.iter().map(i32::to_string).collect();
        counts.push(count.to_string());
        format!(
            "every writer placed the key by {hashes} among {} partitions",
            counts.join(" or ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(key: &[u8]) -> Vec<Vec<u8>> {
        vec![key.to_vec()]
    }

    #[test]
    fn everything_is_read_unless_told_otherwise() {
        let all = Placing::default();
        let plan = all.plan(Some(&keys(b"foobar")), 16, &[]);
        assert!(plan.partitions.is_empty() && plan.assumption.is_none());
        // murmur2 of "foobar" is -790332482 (Kafka's UtilsTest).
        assert!(plan.first.contains(&((-790332482i32 & 0x7fff_ffff) % 16)) && plan.first.len() <= 3);
        assert_eq!(all.plan(None, 16, &[3]).partitions, [3]);
    }

    #[test]
    fn what_is_left_out_is_an_assumption() {
        let murmur2 = Placing {
            only: Some(KeyHash::Murmur2),
            ..Placing::default()
        };
        let plan = murmur2.plan(Some(&keys(b"foobar")), 16, &[]);
        assert_eq!(plan.partitions, [(-790332482i32 & 0x7fff_ffff) % 16]);
        assert!(plan.assumption.unwrap().contains("by murmur2 among 16 partitions"));
        // One partition is all of the topic.
        assert_eq!(murmur2.plan(Some(&keys(b"foobar")), 1, &[]).assumption, None);
        // librdkafka puts an empty key anywhere; Java does not.
        assert!(murmur2.plan(Some(&keys(b"")), 16, &[]).assumption.is_some());
        let pruned = Placing {
            pruned: true,
            ..Placing::default()
        };
        assert_eq!(pruned.plan(Some(&keys(b"")), 16, &[]), Plan::default());
        let grown = Placing {
            earlier_counts: vec![4],
            ..murmur2
        };
        let plan = grown.plan(Some(&keys(b"foobar")), 16, &[]);
        assert!(plan.partitions.contains(&((-790332482i32 & 0x7fff_ffff) % 4)));
        assert!(plan.assumption.unwrap().contains("4 or 16"));
    }

    #[test]
    fn what_the_user_names_is_kept() {
        let pruned = Placing {
            pruned: true,
            ..Placing::default()
        };
        let first = pruned.plan(Some(&keys(b"k")), 64, &[]).first;
        let other = (0..64).find(|p| !first.contains(p)).unwrap();
        // None of the known clients would have put it there: it is read all the same.
        assert_eq!(pruned.plan(Some(&keys(b"k")), 64, &[other]).partitions, [other]);
        let plan = pruned.plan(Some(&keys(b"k")), 64, &[first[0], other]);
        assert_eq!(plan.partitions, [first[0]]);
        assert!(plan.assumption.is_some());
    }

    proptest! {
        /// Wherever a known client put a key, before or after the topic grew, it is read.
        #[test]
        fn no_place_of_a_known_client_is_left_out(
            all in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..9), 1..5), before in 1i32..40, more in 0i32..40,
            hash in 0usize..3, only: bool, late: bool,
        ) {
            let (hash, count) = (KeyHash::ALL[hash], before + more);
            let placing = Placing { only: only.then_some(hash), pruned: true, earlier_counts: vec![before] };
            let plan = placing.plan(Some(&all), count, &[]);
            for key in &all {
                let at = hash.partition(Some(key), if late { count } else { before }).unwrap();
                prop_assert!(plan.first.contains(&at));
                prop_assert!(plan.partitions.is_empty() || plan.partitions.contains(&at));
            }
        }
    }
}
