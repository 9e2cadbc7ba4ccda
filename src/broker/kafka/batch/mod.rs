//! Record batches as they lie in a Kafka log, walked in place: today's format (2) and the message sets of before (0 and 1).
//!
//! A pure decoder. No bytes make it panic, and none make it allocate more than the ceiling it was given.

mod codec;
mod lz4;
mod old;
mod read;
mod snappy;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) mod write;

use crate::model::{BatchHeader, Control, Headers};
use codec::Codec;
pub(super) use codec::Space;
pub(super) use read::Reader;
use std::ops::ControlFlow;

/// Bytes before the part of a batch that its length counts: the base offset and the length itself.
const PREFIX: usize = 12;
/// Where every format keeps its number.
const MAGIC_AT: usize = 16;
/// The whole header of format 2.
const HEADER: usize = 61;
/// Where the part of format 2 begins that its checksum covers.
const CHECKED_AT: usize = 21;

/// Why bytes are not a batch, in words that go on from "the batch at offset …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// The checksum does not fit the bytes.
    #[error("is damaged: its checksum does not fit")]
    Checksum,
    /// The bytes contradict the format.
    #[error("is damaged: {0}")]
    Damaged(&'static str),
    /// A format or codec that is not known here.
    #[error("is of a kind that is not read here: {0}")]
    Unknown(String),
    /// It would need more memory than it may.
    #[error("has more than {0} bytes when decompressed, and no more are read")]
    TooLarge(usize),
}

/// The batches of one answer, one after the other. A batch that is cut off at the end is not among them: a broker cuts where it
/// reaches the bytes that were asked for.
#[derive(Debug, Clone)]
pub(super) struct Frames<'a> {
    left: &'a [u8],
}

impl<'a> Frames<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Frames<'a> {
        Frames { left: bytes }
    }

    /// The size of the batch that is cut off here, where that much of it is there.
    pub(super) fn cut_off_bytes(&self) -> Option<usize> {
        let length = Reader(self.left.get(8..)?).i32()?;
        Some(PREFIX + usize::try_from(length).ok()?)
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let magic = *self.left.get(MAGIC_AT)?;
        let mut head = Reader(self.left);
        let (base_offset, length) = (head.i64()?, head.i32()?);
        let least = match magic {
            0 => old::LEAST_BYTES,
            1 => old::LEAST_BYTES + 8,
            2 => HEADER - PREFIX,
            _ => {
                self.left = &[];
                return Some(Err(Fault::Unknown(format!("format {magic}"))));
            }
        };
        let Some(length) = usize::try_from(length).ok().filter(|length| *length >= least) else {
            self.left = &[];
            return Some(Err(Fault::Damaged("its length cannot be")));
        };
        let (bytes, left) = self.left.split_at_checked(PREFIX + length)?;
        self.left = left;
        Some(Ok(Frame {
            base_offset,
            magic,
            bytes,
        }))
    }
}

/// One batch as it lies in the log; of the old formats one message, which may hold others compressed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    /// The first offset; in the old formats the last, which is the same when nothing is compressed.
    pub(super) base_offset: i64,
    magic: u8,
    bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    fn i64_at(&self, at: usize) -> i64 {
        self.bytes.get(at..).and_then(|bytes| Reader(bytes).i64()).unwrap_or(-1)
    }

    fn i32_at(&self, at: usize) -> i32 {
        self.bytes.get(at..).and_then(|bytes| Reader(bytes).i32()).unwrap_or(-1)
    }

    fn i16_at(&self, at: usize) -> i16 {
        self.bytes.get(at..).and_then(|bytes| Reader(bytes).i16()).unwrap_or(-1)
    }

    /// The last offset that is part of it, whether a message is left there or not. `None` when it contradicts itself.
    pub(super) fn last_offset(&self) -> Option<i64> {
        if self.magic < 2 {
            return Some(self.base_offset).filter(|offset| *offset >= 0);
        }
        let delta = self.i32_at(23);
        let last = self.base_offset.checked_add(delta.into())?;
        (delta >= 0 && self.base_offset >= 0).then_some(last)
    }

    /// Who leads since when, as the batch was written; -1 in the old formats.
    pub(super) fn leader_epoch(&self) -> i32 {
        if self.magic < 2 { -1 } else { self.i32_at(12) }
    }

    /// No message of it is younger (milliseconds since the Unix epoch); `None` when it does not say.
    pub(super) fn max_timestamp_ms(&self) -> Option<i64> {
        let time = match self.magic {
            0 => -1,
            1 => self.i64_at(18),
            _ => self.i64_at(35),
        };
        (time >= 0).then_some(time)
    }

    /// Whether [`Frame::base_offset`] is the first offset; of a compressed message of the old formats it is the last.
    pub(super) const fn is_first_offset_known(&self) -> bool {
        self.magic >= 2
    }

    /// Whether it holds messages outside of every transaction.
    pub(super) fn is_plain(&self) -> bool {
        self.magic < 2 || self.i16_at(21) & 0x30 == 0
    }

    /// How many of its offsets lie in a window.
    pub(super) fn offsets_in(&self, (first, end): (i64, i64)) -> u64 {
        let last = self
            .last_offset()
            .map_or(self.base_offset, |last| last.saturating_add(1));
        (last.min(end) - self.base_offset.max(first)).max(0).unsigned_abs()
    }

    /// Checks the batch without opening it.
    ///
    /// # Errors
    /// When it is damaged.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if self.is_sound() { Ok(()) } else { Err(Fault::Checksum) }
    }

    /// Whether its checksum fits.
    fn is_sound(&self) -> bool {
        if self.magic < 2 {
            let stored = self.i32_at(PREFIX).cast_unsigned();
            return crc32fast::hash(&self.bytes[MAGIC_AT..]) == stored;
        }
        let stored = self.i32_at(17).cast_unsigned();
        crc32c::crc32c(&self.bytes[CHECKED_AT..]) == stored
    }

    /// Checks the batch, and decompresses it into `space` where it is compressed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn open<'b>(&self, space: &'b mut Space) -> Result<Batch<'b>, Fault>
    where
        'a: 'b,
    {
        self.check()?;
        if self.magic < 2 {
            return old::open(self.magic, self.base_offset, &self.bytes[MAGIC_AT + 1..], space);
        }
        self.open_v2(space, true)
    }

    /// As [`Frame::open`], but without the messages, which need not be unpacked then.
    pub(super) fn open_header<'b>(&self, space: &'b mut Space) -> Result<Batch<'b>, Fault>
    where
        'a: 'b,
    {
        if self.magic < 2 {
            return self.open(space);
        }
        self.check()?;
        self.open_v2(space, false)
    }

    fn open_v2<'b>(&self, space: &'b mut Space, with_messages: bool) -> Result<Batch<'b>, Fault>
    where
        'a: 'b,
    {
        let attributes = self.i16_at(21);
        let last_offset = self.last_offset().ok_or(Fault::Damaged("its offsets cannot be"))?;
        let count = u32::try_from(self.i32_at(57)).map_err(|_| Fault::Damaged("its count cannot be"))?;
        let (base_ms, max_ms) = (self.i64_at(27), self.i64_at(35));
        let packed = &self.bytes[HEADER..];
        let codec = Codec::of(attributes)?;
        // A batch that compaction has emptied keeps its header, and its codec too.
        let is_control = attributes & 0x20 != 0;
        let records = if count == 0 || !(with_messages || is_control) {
            &[][..]
        } else {
            codec.expand(packed, space)?
        };
        let control = match is_control && count > 0 {
            true => Some(mark(records).ok_or(Fault::Damaged("its mark cannot be read"))?),
            false => None,
        };
        Ok(Batch {
            header: BatchHeader {
                base_offset: self.base_offset,
                last_offset,
                leader_epoch: self.i32_at(12),
                producer_id: self.i64_at(43),
                producer_epoch: self.i16_at(51),
                base_sequence: self.i32_at(53),
                control,
                transactional: attributes & 0x10 != 0,
                max_timestamp_ms: max_ms,
                count,
            },
            is_control,
            body: Body::Records {
                bytes: records,
                base_ms,
                append_ms: (attributes & 0x08 != 0).then_some(max_ms),
            },
        })
    }
}

/// A batch that was checked and decompressed.
#[derive(Debug)]
pub(super) struct Batch<'b> {
    /// What it says of itself.
    pub(super) header: BatchHeader,
    /// Whether it holds a mark and no message.
    pub(super) is_control: bool,
    body: Body<'b>,
}

#[derive(Debug)]
enum Body<'b> {
    /// Records of format 2.
    Records {
        bytes: &'b [u8],
        base_ms: i64,
        append_ms: Option<i64>,
    },
    /// Messages of the formats before.
    Messages(old::Messages<'b>),
}

/// One message of a batch, borrowed from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'b> {
    pub(super) offset: i64,
    /// Milliseconds since the Unix epoch, where the format keeps them.
    pub(super) timestamp_ms: Option<i64>,
    pub(super) key: Option<&'b [u8]>,
    pub(super) value: Option<&'b [u8]>,
    /// The number of headers and the headers, not looked at yet.
    headers: &'b [u8],
}

impl<'b> Entry<'b> {
    /// Its headers.
    ///
    /// # Errors
    /// When they contradict their format.
    pub(super) fn headers(&self) -> Result<Headers<'b>, Fault> {
        let mut reader = Reader(self.headers);
        let count = reader.varint().and_then(|count| usize::try_from(count).ok());
        count
            .and_then(|count| Headers::kafka(count, reader.0))
            .ok_or(Fault::Damaged("the headers of a message cannot be read"))
    }
}

/// No headers, as format 2 writes it.
const NO_HEADERS: &[u8] = &[0];

impl<'b> Batch<'b> {
    /// Each message in the order of offsets, until `each` breaks.
    ///
    /// # Errors
    /// What is wrong with the batch; the messages before it were handed over.
    pub(super) fn each(&self, mut each: impl FnMut(Entry<'b>) -> ControlFlow<()>) -> Result<(), Fault> {
        match &self.body {
            Body::Messages(messages) => messages.each(each),
            Body::Records {
                bytes,
                base_ms,
                append_ms,
            } => {
                let mut left = Reader(bytes);
                let end = self.header.last_offset;
                for _ in 0..self.header.count {
                    let (entry, delta) = record(&mut left, self.header.base_offset, *base_ms)
                        .ok_or(Fault::Damaged("a message ends too early"))?;
                    if delta < 0 || entry.offset > end {
                        return Err(Fault::Damaged("a message has an offset of another batch"));
                    }
                    let timestamp_ms = append_ms.or(entry.timestamp_ms).filter(|ms| *ms >= 0);
                    if each(Entry { timestamp_ms, ..entry }).is_break() {
                        return Ok(());
                    }
                }
                match left.0.is_empty() {
                    true => Ok(()),
                    false => Err(Fault::Damaged("more follows its last message")),
                }
            }
        }
    }
}

/// One record of format 2, and how far its offset is from the first.
#[inline]
fn record<'b>(left: &mut Reader<'b>, base_offset: i64, base_ms: i64) -> Option<(Entry<'b>, i32)> {
    let length = left.varint()?;
    let mut inner = Reader(left.take(usize::try_from(length).ok()?)?);
    let _attributes = inner.take(1)?;
    let time = inner.varlong()?;
    let delta = inner.varint()?;
    let entry = Entry {
        offset: base_offset.wrapping_add(delta.into()),
        timestamp_ms: Some(base_ms.wrapping_add(time)),
        key: inner.sized()?,
        value: inner.sized()?,
        headers: inner.0,
    };
    Some((entry, delta))
}

/// What a control batch marks: the key of its only record is a version and a type (Kafka `ControlRecordType`).
fn mark(records: &[u8]) -> Option<Control> {
    let (entry, _) = record(&mut Reader(records), 0, 0)?;
    let mut key = Reader(entry.key?);
    let _version = key.i16()?;
    Some(match key.i16()? {
        0 => Control::Abort,
        1 => Control::Commit,
        other => Control::Other(other),
    })
}
