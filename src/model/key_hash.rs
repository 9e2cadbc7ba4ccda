//! How clients choose the partition of a key. Pure, because both who sends and who looks for a key must know it.

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

impl KeyHash {
    /// Where the client puts this key, before the remainder; `None` where it takes it for no key.
    pub fn place(self, key: &[u8]) -> Option<u32> {
        match self {
            KeyHash::Murmur2 => Some(murmur2(key) & 0x7fff_ffff),
            KeyHash::Crc32 if key.is_empty() => None,
            KeyHash::Crc32 => Some(crc32(key)),
            // Sarama takes the remainder of a signed number and then its sign away, which is the same.
            KeyHash::Fnv1a => Some(fnv1a(key).cast_signed().unsigned_abs()),
        }
    }

    /// All of them.
    pub const ALL: [KeyHash; 3] = [KeyHash::Murmur2, KeyHash::Crc32, KeyHash::Fnv1a];

    /// Its name, as it is typed.
    pub const fn name(self) -> &'static str {
        match self {
            KeyHash::Murmur2 => "murmur2",
            KeyHash::Crc32 => "crc32",
            KeyHash::Fnv1a => "fnv1a",
        }
    }

    /// The partition of a key in a topic of `count` partitions; `None` where the client puts it anywhere: no key, or one that it
    /// takes for none.
    pub fn partition(self, key: Option<&[u8]>, count: i32) -> Option<i32> {
        let place = self.place(key?)?;
        Some((place % count.max(1).unsigned_abs()).cast_signed())
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
    fn no_key_has_no_partition() {
        for hash in KeyHash::ALL {
            assert_eq!(hash.partition(None, 4), None);
            assert!((0..4).contains(&hash.partition(Some(b"k"), 4).unwrap()));
            assert_eq!(hash.partition(Some(b"k"), 0), Some(0));
        }
        assert_eq!(KeyHash::Crc32.partition(Some(b""), 4), None);
        assert!(KeyHash::Murmur2.partition(Some(b""), 4).is_some());
    }
}
