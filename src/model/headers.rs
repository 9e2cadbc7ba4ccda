//! The headers of a message, taken apart only when somebody looks at them.

/// One header: its name, which is text only by convention, and its value, which may be null.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// The headers of a message in their order; a name may come twice.
///
/// Most messages of a scan are looked at only for their key, so headers that lie in one piece of bytes stay there.
#[derive(Debug, Clone, Default)]
pub struct Headers<'a>(Kept<'a>);

#[derive(Debug, Clone)]
enum Kept<'a> {
    /// Taken apart already.
    Pairs(Vec<Header<'a>>),
    /// As a Kafka record keeps them.
    Kafka(&'a [u8]),
}

impl Default for Kept<'_> {
    fn default() -> Self {
        Kept::Kafka(&[])
    }
}

impl<'a> Headers<'a> {
    /// Headers as a Kafka record of format 2 keeps them after their number: for each the length and the bytes of its name and of
    /// its value, each length a zigzag varint, -1 for a null value. `None` when the bytes are anything else than `count` of these.
    pub fn kafka(count: usize, bytes: &'a [u8]) -> Option<Headers<'a>> {
        let mut left = bytes;
        for _ in 0..count {
            (_, left) = split(left)?;
        }
        left.is_empty().then_some(Headers(Kept::Kafka(bytes)))
    }

    /// One after the other.
    pub fn iter(&self) -> HeaderIter<'a, '_> {
        match &self.0 {
            Kept::Pairs(pairs) => HeaderIter {
                pairs: pairs.iter(),
                bytes: &[],
            },
            Kept::Kafka(bytes) => HeaderIter {
                pairs: [].iter(),
                bytes,
            },
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Kept::Pairs(pairs) => pairs.is_empty(),
            Kept::Kafka(bytes) => bytes.is_empty(),
        }
    }
}

impl<'a> From<Vec<Header<'a>>> for Headers<'a> {
    fn from(pairs: Vec<Header<'a>>) -> Self {
        Headers(Kept::Pairs(pairs))
    }
}

impl<'a> FromIterator<Header<'a>> for Headers<'a> {
    fn from_iter<I: IntoIterator<Item = Header<'a>>>(pairs: I) -> Self {
        Headers(Kept::Pairs(pairs.into_iter().collect()))
    }
}

impl<'a, 'h> IntoIterator for &'h Headers<'a> {
    type Item = Header<'a>;
    type IntoIter = HeaderIter<'a, 'h>;

    fn into_iter(self) -> HeaderIter<'a, 'h> {
        self.iter()
    }
}

/// Headers one after the other.
#[derive(Debug, Clone)]
pub struct HeaderIter<'a, 'h> {
    pairs: std::slice::Iter<'h, Header<'a>>,
    bytes: &'a [u8],
}

impl<'a> Iterator for HeaderIter<'a, '_> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        if let Some(pair) = self.pairs.next() {
            return Some(*pair);
        }
        // All of it was looked at when the headers were made.
        let (header, left) = split(self.bytes)?;
        self.bytes = left;
        Some(header)
    }
}

/// The first header, and what follows it.
fn split(bytes: &[u8]) -> Option<(Header<'_>, &[u8])> {
    let (length, bytes) = varint(bytes)?;
    let (name, bytes) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    let (length, bytes) = varint(bytes)?;
    if length == -1 {
        return Some(((name, None), bytes));
    }
    let (value, bytes) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    Some(((name, Some(value)), bytes))
}

/// A zigzag varint of at most 32 bits, and what follows it.
fn varint(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let mut value = 0u32;
    for (i, byte) in bytes.iter().enumerate().take(5) {
        value |= u32::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            let number = (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
            return Some((number, &bytes[i + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] = b"\x02a\x04bc\x00\x01";

    #[test]
    fn both_kinds_are_read_alike() {
        let expected: Vec<Header<'_>> = vec![(b"a", Some(b"bc")), (b"", None)];
        let bytes = Headers::kafka(2, TWO).unwrap();
        assert_eq!(bytes.iter().collect::<Vec<_>>(), expected);
        assert_eq!(Headers::from(expected.clone()).iter().collect::<Vec<_>>(), expected);
        assert!(!bytes.is_empty() && Headers::default().is_empty());
        assert!(Headers::kafka(0, b"").unwrap().iter().next().is_none());
    }

    #[test]
    fn what_is_no_list_of_headers_is_none() {
        for (count, bytes) in [
            (1, TWO),
            (3, TWO),
            (2, &TWO[..TWO.len() - 1]),
            (1, b"\x01"),
            (1, b"\x00\x03"),
            (1, b"\xff\xff\xff\xff\xff\xff"),
            (0, b"\x00"),
        ] {
            assert!(Headers::kafka(count, bytes).is_none(), "{count} {bytes:?}");
        }
    }
}
