//! Messages of the formats 0 and 1, from before Kafka 0.11: each has a checksum and a length of its own, and a compressed set of
//! them is the value of another message.

use super::codec::{Codec, Space};
use super::read::Reader;
use super::{Batch, Body, Entry, Fault, NO_HEADERS};
use crate::model::BatchHeader;
use std::ops::ControlFlow;

/// The least that the length of a message counts: checksum, format, attributes, and two lengths. Format 1 has a time too.
pub(super) const LEAST_BYTES: usize = 14;

/// The messages below one message of the log.
#[derive(Debug)]
pub(super) enum Messages<'b> {
    /// The message itself.
    One(Entry<'b>),
    /// Those that it holds.
    Many {
        magic: u8,
        bytes: &'b [u8],
        /// What makes an offset of the log of one of theirs.
        base_offset: i64,
        /// The time of the log's append, which counts for each.
        append_ms: Option<i64>,
    },
}

impl<'b> Messages<'b> {
    pub(super) fn each(&self, mut each: impl FnMut(Entry<'b>) -> ControlFlow<()>) -> Result<(), Fault> {
        match self {
            Messages::One(entry) => {
                let _ = each(*entry);
                Ok(())
            }
            Messages::Many {
                magic,
                bytes,
                base_offset,
                append_ms,
            } => {
                for inner in Inner(bytes) {
                    let (offset, this, body) = inner?;
                    if this != *magic {
                        return Err(Fault::Damaged("a message has another format than what holds it"));
                    }
                    let (attributes, mut entry) = message(this, body).ok_or(ENDS_EARLY)?;
                    if Codec::of(attributes.into())? != Codec::None {
                        return Err(Fault::Damaged("a compressed message holds compressed messages"));
                    }
                    entry.offset = base_offset.wrapping_add(offset);
                    entry.timestamp_ms = append_ms.or(entry.timestamp_ms);
                    if each(entry).is_break() {
                        break;
                    }
                }
                Ok(())
            }
        }
    }
}

const ENDS_EARLY: Fault = Fault::Damaged("a message ends too early");

/// The offset, the format and what follows it of each message of a set.
struct Inner<'b>(&'b [u8]);

impl<'b> Iterator for Inner<'b> {
    type Item = Result<(i64, u8, &'b [u8]), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let mut left = Reader(self.0);
        self.0 = &[];
        let mut split = || {
            let (offset, length) = (left.i64()?, left.i32()?);
            let message = left.take(usize::try_from(length).ok()?)?;
            // The checksum of what was compressed covers these bytes too.
            let (magic, body) = message.get(4..)?.split_first()?;
            Some((offset, *magic, body))
        };
        let found = split();
        if found.is_some() {
            self.0 = left.0;
        }
        Some(found.ok_or(ENDS_EARLY))
    }
}

/// The attributes of a message, and the message without its offset; `body` begins behind the format.
fn message(magic: u8, body: &[u8]) -> Option<(i8, Entry<'_>)> {
    let mut left = Reader(body);
    let attributes = left.i8()?;
    let timestamp_ms = match magic {
        0 => None,
        _ => Some(left.i64()?).filter(|ms| *ms >= 0),
    };
    let entry = Entry {
        offset: 0,
        timestamp_ms,
        key: left.sized_by_i32()?,
        value: left.sized_by_i32()?,
        headers: NO_HEADERS,
    };
    left.0.is_empty().then_some((attributes, entry))
}

/// Opens the message at `offset`; `body` begins behind the format.
pub(super) fn open<'b>(magic: u8, offset: i64, body: &'b [u8], space: &'b mut Space) -> Result<Batch<'b>, Fault> {
    let (attributes, entry) = message(magic, body).ok_or(ENDS_EARLY)?;
    let codec = Codec::of(attributes.into())?;
    let append_ms = entry.timestamp_ms.filter(|_| attributes & 0x08 != 0);
    let (messages, first, count) = if codec == Codec::None {
        (Messages::One(Entry { offset, ..entry }), offset, 1)
    } else {
        let packed = entry
            .value
            .ok_or(Fault::Damaged("a compressed message holds nothing"))?;
        let bytes = codec.expand(packed, space)?;
        let (mut first, mut last, mut count) = (None, 0, 0u32);
        for inner in Inner(bytes) {
            let (at, ..) = inner?;
            first = first.or(Some(at));
            last = at;
            count = count.saturating_add(1);
        }
        let first = first.ok_or(Fault::Damaged("a compressed message holds nothing"))?;
        // Format 1 counts from the first of the set, and says of the whole which offset the last one has.
        let base_offset = if magic == 0 { 0 } else { offset.wrapping_sub(last) };
        let messages = Messages::Many {
            magic,
            bytes,
            base_offset,
            append_ms,
        };
        (messages, base_offset.wrapping_add(first), count)
    };
    Ok(Batch {
        header: BatchHeader {
            base_offset: first,
            last_offset: offset,
            leader_epoch: -1,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            control: None,
            transactional: false,
            max_timestamp_ms: entry.timestamp_ms.unwrap_or(-1),
            count,
        },
        is_control: false,
        body: Body::Messages(messages),
    })
}
