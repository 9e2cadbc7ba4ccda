//! The stamp: what `send` writes on every message so that a reader can prove that none is missing.
//!
//! The format lies in people's brokers and never changes: header `mqsafe-id` holds `SEQ PRODUCER LANE`, separated by one space,
//! and header `mqsafe-void` holds the numbers of this lane that were given and then refused for good (`17,20-22`).

use std::fmt;

/// The header that carries `SEQ PRODUCER LANE`.
pub const STAMP_HEADER: &str = "mqsafe-id";
/// The header that carries the stamp that a message had before it was sent anew.
pub const ORIGIN_HEADER: &str = "mqsafe-origin-id";
/// The header of a dead letter that says why its message failed for good.
pub const REASON_HEADER: &str = "mqsafe-failed-reason";
/// The header that counts how often a message was taken out of a broker and sent anew.
pub const REDRIVE_HEADER: &str = "mqsafe-redrive";
/// The header that carries the numbers that were given up before this message.
pub const VOID_HEADER: &str = "mqsafe-void";

/// The identity of one message. Borrowed, because a reader sees millions of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp<'a> {
    /// The number, from 1, consecutive within producer and lane.
    pub seq: u64,
    /// Who sent it; without spaces, stable over restarts.
    pub producer: &'a str,
    /// Where order holds; for Kafka `TOPIC/PARTITION`.
    pub lane: &'a str,
}

/// A stamp header that does not hold a stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the header is not `SEQ PRODUCER LANE`")]
pub struct CorruptStamp;

impl<'a> Stamp<'a> {
    /// Reads the value of [`STAMP_HEADER`].
    ///
    /// # Errors
    /// [`CorruptStamp`] when it is anything but a decimal number from 1, a producer and a lane with one space between each.
    pub fn parse(value: &'a [u8]) -> Result<Stamp<'a>, CorruptStamp> {
        let text = std::str::from_utf8(value).map_err(|_| CorruptStamp)?;
        let (seq, rest) = text.split_once(' ').ok_or(CorruptStamp)?;
        let (producer, lane) = rest.split_once(' ').ok_or(CorruptStamp)?;
        if producer.is_empty() || lane.is_empty() {
            return Err(CorruptStamp);
        }
        Ok(Stamp {
            seq: parse_number(seq).ok_or(CorruptStamp)?,
            producer,
            lane,
        })
    }
}

impl fmt::Display for Stamp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.seq, self.producer, self.lane)
    }
}

/// A decimal number from 1 in its only spelling: no sign, no leading zero.
fn parse_number(text: &str) -> Option<u64> {
    let canonical = !text.is_empty() && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    canonical.then(|| text.parse().ok()).flatten()
}

/// Inclusive ranges of numbers, in the spelling of [`VOID_HEADER`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Voids(Vec<(u64, u64)>);

impl Voids {
    /// Reads the value of [`VOID_HEADER`]. An empty text holds no number.
    ///
    /// # Errors
    /// [`CorruptStamp`] when it is not a list of numbers and `FROM-TO` ranges.
    pub fn parse(value: &[u8]) -> Result<Voids, CorruptStamp> {
        let text = std::str::from_utf8(value).map_err(|_| CorruptStamp)?;
        if text.is_empty() {
            return Ok(Voids::default());
        }
        let range = |part: &str| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let (from, to) = (parse_number(from)?, parse_number(to)?);
            (from <= to).then_some((from, to))
        };
        text.split(',')
            .map(range)
            .collect::<Option<Vec<_>>>()
            .map(Voids)
            .ok_or(CorruptStamp)
    }

    /// Adds one number and keeps the ranges sorted and joined.
    pub fn add(&mut self, seq: u64) {
        self.0.push((seq, seq));
        self.join();
    }

    /// Adds all numbers of another set.
    pub fn merge(&mut self, other: &Voids) {
        self.0.extend_from_slice(&other.0);
        self.join();
    }

    fn join(&mut self) {
        self.0.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::with_capacity(self.0.len());
        for &(from, to) in &self.0 {
            match joined.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                Some(_) | None => joined.push((from, to)),
            }
        }
        self.0 = joined;
    }

    /// Takes the first ranges out, as many as fit into `bytes` of text. A header that carried all of them could itself be too
    /// large for the topic; the rest is carried by the messages after it.
    #[must_use]
    pub fn take(&mut self, bytes: usize) -> Voids {
        let mut taken = Voids::default();
        while let Some(range) = self.0.get(taken.0.len()) {
            taken.0.push(*range);
            if taken.to_string().len() > bytes {
                taken.0.pop();
                break;
            }
        }
        self.0.drain(..taken.0.len());
        taken
    }

    /// Whether no number is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The inclusive ranges, in order.
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.0
    }
}

impl fmt::Display for Voids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, &(from, to)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            if from == to {
                write!(f, "{comma}{from}")?
            } else {
                write!(f, "{comma}{from}-{to}")?
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_frozen_format() {
        let stamp = Stamp {
            seq: 17,
            producer: "p7k2",
            lane: "orders/3",
        };
        assert_eq!(stamp.to_string(), "17 p7k2 orders/3");
        assert_eq!(Stamp::parse(b"17 p7k2 orders/3"), Ok(stamp));
        // A RabbitMQ lane may hold spaces; it is the rest of the text.
        assert_eq!(Stamp::parse(b"1 p ex|a key").map(|s| s.lane), Ok("ex|a key"));
        for bad in [
            "",
            "17",
            "17 p",
            "0 p l",
            "017 p l",
            "+1 p l",
            "-1 p l",
            "1  l",
            "1 p ",
            "x p l",
            "99999999999999999999 p l",
        ] {
            assert_eq!(Stamp::parse(bad.as_bytes()), Err(CorruptStamp), "{bad}");
        }
        assert_eq!(Stamp::parse(b"1 p \xff"), Err(CorruptStamp));
    }

    #[test]
    fn voids_in_the_frozen_format() {
        let mut voids = Voids::default();
        for n in [22, 17, 20, 21] {
            voids.add(n);
        }
        assert_eq!(voids.to_string(), "17,20-22");
        assert_eq!(Voids::parse(b"17,20-22"), Ok(voids));
        for bad in ["17,", ",", "0", "3-1", "1-", "a", "1 ,2"] {
            assert_eq!(Voids::parse(bad.as_bytes()), Err(CorruptStamp), "{bad}");
        }
    }

    #[test]
    fn a_header_carries_no_more_than_it_may() {
        let mut voids = Voids::default();
        (1..=500).step_by(2).for_each(|n| voids.add(n));
        let mut carried = Voids::default();
        while !voids.is_empty() {
            let taken = voids.take(50);
            assert!(!taken.is_empty() && taken.to_string().len() <= 50);
            carried.merge(&taken);
        }
        assert_eq!(carried.ranges().len(), 250);
    }

    proptest! {
        #[test]
        fn any_stamp_survives(seq in 1u64.., producer in "[!-~]{1,20}", lane in "[ -~ż]{1,30}") {
            let text = Stamp { seq, producer: &producer, lane: &lane }.to_string();
            prop_assert_eq!(Stamp::parse(text.as_bytes()), Ok(Stamp { seq, producer: &producer, lane: &lane }));
        }

        #[test]
        fn any_bytes_are_judged_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Stamp::parse(&bytes);
            let _ = Voids::parse(&bytes);
        }

        #[test]
        fn voids_hold_exactly_what_was_added(numbers in proptest::collection::btree_set(1u64..200, 0..60)) {
            let mut voids = Voids::default();
            for n in &numbers { voids.add(*n) }
            let back = Voids::parse(voids.to_string().as_bytes()).unwrap();
            let held: std::collections::BTreeSet<u64> = back.ranges().iter().flat_map(|&(a, b)| a..=b).collect();
            prop_assert_eq!(held, numbers);
        }
    }
}
