//! Where one message ends and the next begins, in bytes that come in pieces of any size.

/// Splits at a delimiter of one or more bytes, and holds what came of the message that is not whole yet.
pub(super) struct Frames {
    delimiter: Vec<u8>,
    /// Longer messages are not held.
    max: usize,
    /// What came of the message in earlier blocks.
    partial: Vec<u8>,
    /// How much of a message that is too long was thrown away.
    skipped: u64,
}

/// A message that ended in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// How many bytes of the block it took, with its delimiter.
    pub(super) consumed: usize,
    /// How many of its bytes came earlier.
    kept: usize,
    /// How many came in this block.
    rest: usize,
}

impl Frames {
    pub(super) fn new(delimiter: Vec<u8>, max: usize) -> Frames {
        Frames {
            delimiter,
            max,
            partial: Vec::new(),
            skipped: 0,
        }
    }

    /// The next message that ends in this block. `None` takes the whole block as a part of one that ends later.
    pub(super) fn next(&mut self, block: &[u8]) -> Option<Frame> {
        let found = self.end(block);
        if found.is_none() {
            self.keep(block);
        }
        found
    }

    /// What stands after the last delimiter, when anything does: a message all the same.
    pub(super) fn last(&self) -> Option<Frame> {
        (self.skipped > 0 || !self.partial.is_empty()).then_some(Frame {
            consumed: 0,
            kept: self.partial.len(),
            rest: 0,
        })
    }

    /// The bytes of a message in two parts, or its length when it is too long.
    pub(super) fn bytes<'a>(&'a self, frame: &Frame, block: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), u64> {
        let length = frame.kept + frame.rest;
        if self.skipped > 0 || length > self.max {
            return Err(self.skipped + length as u64);
        }
        Ok((&self.partial[..frame.kept], &block[..frame.rest]))
    }

    /// Forgets the message that was told, to begin the next.
    pub(super) fn clear(&mut self) {
        self.partial.clear();
        self.skipped = 0;
    }

    fn end(&self, block: &[u8]) -> Option<Frame> {
        let kept = self.partial.len();
        if let [byte] = self.delimiter[..] {
            let rest = block.iter().position(|b| *b == byte)?;
            return Some(Frame {
                consumed: rest + 1,
                kept,
                rest,
            });
        }
        let length = self.delimiter.len();
        // One that began in an earlier block comes before any that lies in this one.
        let before = kept.min(length - 1);
        if before > 0 {
            let mut seam = self.partial[kept - before..].to_vec();
            seam.extend_from_slice(&block[..block.len().min(length - 1)]);
            if let Some(at) = find(&seam, &self.delimiter) {
                return Some(Frame {
                    consumed: at + length - before,
                    kept: kept - before + at,
                    rest: 0,
                });
            }
        }
        find(block, &self.delimiter).map(|rest| Frame {
            consumed: rest + length,
            kept,
            rest,
        })
    }

    fn keep(&mut self, block: &[u8]) {
        // The last bytes may be the beginning of the delimiter, and then they are none of the message.
        let perhaps_end = self.delimiter.len() - 1;
        if self.skipped == 0 && self.partial.len() + block.len() <= self.max.saturating_add(perhaps_end) {
            self.partial.extend_from_slice(block);
            return;
        }
        let all = self.partial.len() + block.len();
        let stay = perhaps_end.min(all);
        let mut tail = self.partial[self.partial.len().saturating_sub(stay)..].to_vec();
        tail.extend_from_slice(&block[block.len().saturating_sub(stay)..]);
        tail.drain(..tail.len() - stay);
        self.skipped += (all - stay) as u64;
        self.partial = tail;
    }
}

/// Where a text begins in another.
pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len().max(1))
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The messages of bytes that come in pieces of these sizes; of those that are too long, the length.
    fn split(bytes: &[u8], delimiter: &[u8], max: usize, pieces: &[usize]) -> Vec<Result<Vec<u8>, u64>> {
        let mut frames = Frames::new(delimiter.to_vec(), max);
        let (mut got, mut rest, mut sizes) = (Vec::new(), bytes, pieces.iter().cycle());
        let told =
            |frames: &Frames, frame: &Frame, block: &[u8]| frames.bytes(frame, block).map(|(a, b)| [a, b].concat());
        while !rest.is_empty() {
            let (mut block, later) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            rest = later;
            while !block.is_empty() {
                let Some(frame) = frames.next(block) else { break };
                got.push(told(&frames, &frame, block));
                frames.clear();
                block = &block[frame.consumed..];
            }
            assert!(
                frames.partial.len() <= max.saturating_add(delimiter.len()),
                "more is held than may be"
            );
        }
        if let Some(frame) = frames.last() {
            got.push(told(&frames, &frame, &[]));
        }
        got
    }

    /// The same by looking at all bytes at once.
    fn plain(bytes: &[u8], delimiter: &[u8], max: usize) -> Vec<Result<Vec<u8>, u64>> {
        let judged = |m: &[u8]| {
            if m.len() > max {
                Err(m.len() as u64)
            } else {
                Ok(m.to_vec())
            }
        };
        let (mut got, mut rest) = (Vec::new(), bytes);
        while let Some(at) = find(rest, delimiter) {
            got.push(judged(&rest[..at]));
            rest = &rest[at + delimiter.len()..];
        }
        if !rest.is_empty() {
            got.push(judged(rest));
        }
        got
    }

    proptest! {
        /// Few different bytes and short delimiters, so that delimiters overlap themselves and lie on every seam.
        #[test]
        fn any_pieces_give_the_messages_of_the_whole(
            bytes in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), any::<u8>()], 0..300),
            delimiter in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b')], 1..5),
            pieces in proptest::collection::vec(1usize..40, 1..8),
            max in prop_oneof![Just(usize::MAX), 0usize..30],
        ) {
            prop_assert_eq!(split(&bytes, &delimiter, max, &pieces), plain(&bytes, &delimiter, max));
        }
    }

    #[test]
    fn a_delimiter_over_three_blocks() {
        let got = split(b"one<<>>two<<>>", b"<<>>", 100, &[4, 1, 1]);
        assert_eq!(got, [Ok(b"one".to_vec()), Ok(b"two".to_vec())]);
        // Exactly as long as allowed, and one more.
        assert_eq!(split(b"abcd--abcde--", b"--", 4, &[1]), [Ok(b"abcd".to_vec()), Err(5)]);
    }
}
