//! Which partition a message goes to. Chosen here and not by the client, so that lane and number are fixed before the first attempt.

/// Chooses partitions.
#[derive(Debug, Clone)]
pub enum Partitioner {
    /// Always this one.
    Fixed(i32),
    /// By key as the Java client does it (murmur2); messages without a key go in turns.
    Key {
        /// Where the next message without a key goes, before the remainder.
        turn: u32,
        /// How many more messages go there.
        left: u32,
    },
}

/// Messages without a key stay on one partition for this many, as the Java client's sticky partitioner does, for full batches.
const STICKY: u32 = 500;

impl Partitioner {
    /// By key, with the turns of messages without one beginning at a partition that `seed` chooses.
    pub fn by_key(seed: u32) -> Partitioner {
        Partitioner::Key {
            turn: seed,
            left: STICKY,
        }
    }

    /// The partition that every message goes to, where there is one.
    pub fn fixed(&self) -> Option<i32> {
        match self {
            Partitioner::Fixed(partition) => Some(*partition),
            Partitioner::Key { .. } => None,
        }
    }

    /// The partition of a message with this key in a topic of `partitions` partitions.
    pub fn choose(&mut self, key: Option<&[u8]>, partitions: i32) -> i32 {
        let count = partitions.max(1);
        match (self, key) {
            (Partitioner::Fixed(partition), _) => *partition,
            (Partitioner::Key { .. }, Some(key)) => (murmur2(key) & 0x7fff_ffff) as i32 % count,
            (Partitioner::Key { turn, left }, None) => {
                if *left == 0 {
                    (*turn, *left) = (turn.wrapping_add(1), STICKY);
                }
                *left -= 1;
                (*turn % count.unsigned_abs()) as i32
            }
        }
    }
}

/// The hash that the Java client places keys by (Kafka `Utils.murmur2`, seed 0x9747b28c).
pub fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let mut h = 0x9747_b28c ^ (data.len() as u32);
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> R;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    for (i, byte) in rest.iter().enumerate() {
        h ^= u32::from(*byte) << (8 * i);
    }
    if !rest.is_empty() {
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_java_client_hashes() {
        // Kafka's own UtilsTest.testMurmur2.
        let known: [(&[u8], i32); 6] = [
            (b"21", -973932308),
            (b"foobar", -790332482),
            (b"a-little-bit-long-string", -985981536),
            (b"a-little-bit-longer-string", -1486304829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
            (b"abc", 479470107),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key) as i32, hash);
        }
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
