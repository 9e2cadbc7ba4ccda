//! Which partition a message goes to. Chosen here and not by the client, so that lane and number are fixed before the first attempt.

use super::places::Wish;
use crate::model::KeyHash;
use rand::Rng;

/// Chooses partitions.
#[derive(Debug, Clone)]
pub enum Partitioner {
    /// Always this one.
    Fixed(i32),
    /// By key.
    Key {
        /// As which client does it.
        hash: KeyHash,
        /// Where the next message without a key goes, before the remainder.
        turn: u32,
        /// How many more messages go there.
        left: u32,
    },
}

/// Messages without a key stay on one partition for this many, as the sticky partitioners of Java and librdkafka do, for full
/// batches.
const STICKY: u32 = 500;

/// How many messages without a key go to one partition before the next is drawn.
const fn sticky(hash: KeyHash) -> u32 {
    match hash {
        KeyHash::Murmur2 | KeyHash::Crc32 => STICKY,
        KeyHash::Fnv1a => 1,
    }
}

impl Partitioner {
    /// By key as the Java client does it, with the turns of messages without one beginning at a partition that `seed` chooses.
    pub fn by_key(seed: u32) -> Partitioner {
        Partitioner::by(KeyHash::default(), seed)
    }

    /// By key as one of the clients does it.
    pub fn by(hash: KeyHash, seed: u32) -> Partitioner {
        Partitioner::Key {
            hash,
            turn: seed,
            left: sticky(hash),
        }
    }

    /// The partition that every message goes to, where there is one.
    pub fn fixed(&self) -> Option<i32> {
        match self {
            Partitioner::Fixed(partition) => Some(*partition),
            Partitioner::Key { .. } => None,
        }
    }

    /// What it asks for, of a message that asks for nothing itself.
    pub(super) fn wish(&self) -> Wish {
        match self {
            Partitioner::Fixed(partition) => Wish::Lane(*partition),
            Partitioner::Key { hash, .. } => Wish::ByKey(*hash),
        }
    }

    /// The partition of a message with this key in a topic of `partitions` partitions.
    #[cfg(test)]
    pub(super) fn choose(&mut self, key: Option<&[u8]>, partitions: i32) -> i32 {
        match self.wish() {
            Wish::ByKey(hash) => self.by_hash(hash, key, partitions),
            other => panic!("{other:?} is no hash"),
        }
    }

    /// The partition of a message with this key in a topic of `partitions` partitions, by the hash that its own run chose, which
    /// need not be this one's. Turns are taken as ever.
    pub(super) fn by_hash(&mut self, hash: KeyHash, key: Option<&[u8]>, partitions: i32) -> i32 {
        let count = partitions.max(1).unsigned_abs();
        let place = key.and_then(|key| hash.place(key)).unwrap_or_else(|| match self {
            Partitioner::Fixed(_) => rand::rng().random(),
            Partitioner::Key { turn, left, .. } => {
                if *left == 0 {
                    let next = match hash {
                        // Java and librdkafka draw one too; taking turns fills partitions evenly with fewer messages.
                        KeyHash::Murmur2 | KeyHash::Crc32 => turn.wrapping_add(1),
                        KeyHash::Fnv1a => rand::rng().random(),
                    };
                    (*turn, *left) = (next, sticky(hash));
                }
                *left -= 1;
                *turn
            }
        });
        (place % count).cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_empty_key_is_placed_as_each_client_does() {
        let spread = |hash, key: Option<&[u8]>| {
            let mut partitioner = Partitioner::by(hash, 3);
            let chosen: Vec<i32> = (0..4000).map(|_| partitioner.choose(key, 8)).collect();
            let stays = chosen.windows(2).filter(|pair| pair[0] == pair[1]).count();
            (chosen.iter().collect::<std::collections::BTreeSet<_>>().len(), stays)
        };
        assert_eq!(spread(KeyHash::Murmur2, None), (8, 3992));
        assert_eq!(spread(KeyHash::Crc32, None), (8, 3992));
        let (all, stays) = spread(KeyHash::Fnv1a, None);
        assert!(all == 8 && (250..1000).contains(&stays), "{stays}");
        assert_eq!(spread(KeyHash::Murmur2, Some(b"")), (1, 3999));
        assert_eq!(spread(KeyHash::Crc32, Some(b"")), (8, 3992));
        assert_eq!(spread(KeyHash::Fnv1a, Some(b"")), (1, 3999));
    }

    #[test]
    fn every_choice_is_a_partition_and_turns_reach_all() {
        let mut by_key = Partitioner::by_key(u32::MAX);
        let mut seen = std::collections::BTreeSet::new();
        for i in 0..5000u32 {
            let key = i.to_le_bytes();
            assert!((0..7).contains(&by_key.choose(Some(&key), 7)));
            seen.insert(by_key.choose(None, 3));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(by_key.choose(Some(b""), 5), by_key.choose(Some(b""), 5));
    }
}
