//! Which partition a message goes to. Chosen here and not by the client, so that lane and number are fixed before the first attempt.

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

/// The clients whose choice of a partition by key is followed. A key that two writers place differently is out of order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyHash {
    /// Java's client (`BuiltInPartitioner`), and librdkafka's `murmur2_random`. An empty key is a key.
    #[default]
    Murmur2,
    /// librdkafka's default, `consistent_random`. An empty key is none.
    Crc32,
    /// Sarama's `NewHashPartitioner`, and librdkafka's `fnv1a_random`. An empty key is a key, and each message without one goes
    /// anywhere.
    Fnv1a,
}

/// Messages without a key stay on one partition for this many, as the sticky partitioners of Java and librdkafka do, for full
/// batches.
const STICKY: u32 = 500;

impl KeyHash {
    /// Where the client puts this key, before the remainder; `None` where it takes it for no key.
    fn place(self, key: &[u8]) -> Option<u32> {
        match self {
            KeyHash::Murmur2 => Some(murmur2(key) & 0x7fff_ffff),
            KeyHash::Crc32 if key.is_empty() => None,
            KeyHash::Crc32 => Some(crc32(key)),
            // Sarama takes the remainder of a signed number and then its sign away, which is the same.
            KeyHash::Fnv1a => Some(fnv1a(key).cast_signed().unsigned_abs()),
        }
    }

    /// How many messages without a key go to one partition before the next is drawn.
    const fn sticky(self) -> u32 {
        match self {
            KeyHash::Murmur2 | KeyHash::Crc32 => STICKY,
            KeyHash::Fnv1a => 1,
        }
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
            left: hash.sticky(),
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
        let count = partitions.max(1).unsigned_abs();
        let place = match self {
            Partitioner::Fixed(partition) => return *partition,
            Partitioner::Key { hash, turn, left } => key.and_then(|key| hash.place(key)).unwrap_or_else(|| {
                if *left == 0 {
                    let next = match hash {
                        // Java and librdkafka draw one too; taking turns fills partitions evenly with fewer messages.
                        KeyHash::Murmur2 | KeyHash::Crc32 => turn.wrapping_add(1),
                        KeyHash::Fnv1a => rand::rng().random(),
                    };
                    (*turn, *left) = (next, hash.sticky());
                }
                *left -= 1;
                *turn
            }),
        };
        (place % count).cast_signed()
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

/// CRC-32 as in zlib, which librdkafka places keys by (`rdcrc32.h`).
fn crc32(data: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let (mut row, mut bit) = (i as u32, 0);
            while bit < 8 {
                row = if row & 1 == 1 {
                    0xedb8_8320 ^ (row >> 1)
                } else {
                    row >> 1
                };
                bit += 1;
            }
            table[i] = row;
            i += 1;
        }
        table
    };
    !data.iter().fold(u32::MAX, |crc, byte| {
        TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8)
    })
}

/// FNV-1a of 32 bits, which Sarama places keys by.
fn fnv1a(data: &[u8]) -> u32 {
    data.iter().fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
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
    fn as_librdkafka_and_sarama_hash() {
        // The check value of CRC-32 (ISO-HDLC).
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        // librdkafka's rdfnv1a.c, which has them from Go's hash/fnv with Sarama's handling of the sign.
        let known: [(&[u8], u32); 4] = [
            (b"kafka", 0x0d33_c4e1),
            (b"giberish123456789", 0x77a5_8295),
            (b"1234", 0x023b_dd03),
            (b"", 0x7ee3_623b),
        ];
        for (key, hash) in known {
            assert_eq!(KeyHash::Fnv1a.place(key), Some(hash), "{key:?}");
        }
    }

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
