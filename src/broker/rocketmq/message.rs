//! Stored messages as a broker hands them out (`MessageDecoder`): a walk over the bytes, nothing is copied.
//!
//! The codec of `rocketmq-protocol` gives properties as a map of text, which loses their order and what is not UTF-8.

use super::outgoing::{NAME_END, PROPERTY_END, is_system};
use crate::model::Record;

/// `MessageDecoder.MESSAGE_MAGIC_CODE` and `…_V2`, whose topic has a longer length.
const MAGIC: i32 = -626_843_481;
const MAGIC_V2: i32 = -626_843_477;

/// `MessageSysFlag`.
const COMPRESSED: i32 = 1;
const BORN_HOST_V6: i32 = 1 << 4;
const STORE_HOST_V6: i32 = 1 << 5;
const INNER_BATCH: i32 = 1 << 7;
const COMPRESSION_KIND: i32 = 7 << 8;

/// One message, borrowed from the answer that held it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored<'a> {
    pub(super) queue: i32,
    pub(super) offset: i64,
    pub(super) stored_ms: i64,
    pub(super) topic: &'a [u8],
    pub(super) body: &'a [u8],
    /// Where it lies in the commit log of its broker.
    pub(super) physical: i64,
    /// The address of that broker, and its port.
    store_host: &'a [u8],
    flags: i32,
    properties: &'a [u8],
}

/// How a body was made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Zlib,
    /// `CompressionType`: 1 is LZ4 and 2 is zstd.
    Other(i32),
}

/// The bytes that are left.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| "a message is cut off".to_owned())?;
        self.0 = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| "a message is cut off".to_owned())
    }

    fn i16(&mut self) -> Result<i16, String> {
        self.fixed().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32, String> {
        self.fixed().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64, String> {
        self.fixed().map(i64::from_be_bytes)
    }
}

fn length(n: impl TryInto<usize>) -> Result<usize, String> {
    n.try_into().map_err(|_| "a message has a negative length".to_owned())
}

/// Takes the first message out of `rest`; `None` at the end.
///
/// # Errors
/// That it cannot be read, and so nothing after it.
pub(super) fn next<'a>(rest: &mut &'a [u8]) -> Result<Option<Stored<'a>>, String> {
    if rest.is_empty() {
        return Ok(None);
    }
    let mut all = Bytes(rest);
    let size = length(all.i32()?)?;
    let inner = size.checked_sub(4).ok_or_else(|| "a message has no size".to_owned())?;
    let mut bytes = Bytes(all.take(inner)?);
    let magic = bytes.i32()?;
    if magic != MAGIC && magic != MAGIC_V2 {
        return Err(format!(
            "a message begins with {magic:#x}, which is no message of RocketMQ"
        ));
    }
    let _body_crc = bytes.i32()?;
    let queue = bytes.i32()?;
    let _flag = bytes.i32()?;
    let offset = bytes.i64()?;
    let physical = bytes.i64()?;
    let flags = bytes.i32()?;
    let _born_ms = bytes.i64()?;
    let host = |v6: bool| if v6 { 20 } else { 8 };
    bytes.take(host(flags & BORN_HOST_V6 != 0))?;
    let stored_ms = bytes.i64()?;
    let store_host = bytes.take(host(flags & STORE_HOST_V6 != 0))?;
    let _reconsume_times = bytes.i32()?;
    let _prepared_transaction_offset = bytes.i64()?;
    let body_length = length(bytes.i32()?)?;
    let body = bytes.take(body_length)?;
    let topic_length = match magic {
        MAGIC_V2 => length(bytes.i16()?)?,
        _ => usize::from(bytes.fixed::<1>()?[0]),
    };
    let topic = bytes.take(topic_length)?;
    let properties_length = length(bytes.i16()?)?;
    let properties = bytes.take(properties_length)?;
    *rest = all.0;
    Ok(Some(Stored {
        queue,
        offset,
        stored_ms,
        topic,
        body,
        physical,
        store_host,
        flags,
        properties,
    }))
}

impl<'a> Stored<'a> {
    /// How its body is compressed, if it is (`MessageSysFlag.getCompressionType`: brokers before 5.0 know only zlib, as 0).
    pub(super) fn compression(&self) -> Option<Compression> {
        if self.flags & COMPRESSED == 0 {
            return None;
        }
        Some(match (self.flags & COMPRESSION_KIND) >> 8 {
            0 | 3 => Compression::Zlib,
            other => Compression::Other(other),
        })
    }

    /// Whether its body is a batch of messages (topics of type BatchCQ), which count as several offsets.
    pub(super) fn is_batch(&self) -> bool {
        self.flags & INNER_BATCH != 0
    }

    /// For tests: one that was stored at this place and time.
    #[cfg(test)]
    pub(super) fn at(physical: i64, stored_ms: i64) -> Stored<'a> {
        Stored {
            queue: 0,
            offset: physical,
            stored_ms,
            topic: b"t",
            body: b"",
            physical,
            store_host: b"",
            flags: 0,
            properties: b"",
        }
    }

    /// Names and values, in their order.
    fn properties(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.properties.split(|b| *b == PROPERTY_END).filter_map(|one| {
            let end = one.iter().position(|b| *b == NAME_END)?;
            Some((&one[..end], &one[end + 1..]))
        })
    }

    /// The value of one property.
    pub(super) fn property(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.properties()
            .find(|(this, _)| *this == name)
            .map(|(_, value)| value)
    }

    /// The text of keys, `KEY KEY …`.
    pub(super) fn keys(&self) -> Option<&'a [u8]> {
        self.property(b"KEYS")
    }

    /// Whether it can be found by this key.
    pub(super) fn has_key(&self, key: &[u8]) -> bool {
        self.keys()
            .is_some_and(|keys| keys == key || keys.split(|b| *b == b' ').any(|one| one == key))
    }

    /// What Java's client calls the offset id (`MessageDecoder.createMessageId`): the broker's address and where it lies there.
    pub(super) fn offset_id(&self) -> String {
        let place = self.physical.to_be_bytes();
        self.store_host
            .iter()
            .chain(&place)
            .map(|b| format!("{b:02X}"))
            .collect()
    }

    /// As the rest of the program reads it. Of several keys one that is looked for is its key.
    pub(super) fn record(&self, node: &'a str, value: &'a [u8], wanted: &'a [Vec<u8>]) -> Record<'a> {
        let mut record = Record {
            partition: self.queue,
            offset: self.offset,
            timestamp_ms: Some(self.stored_ms),
            key: self.keys(),
            value: Some(value),
            node: Some(node),
            ..Record::default()
        };
        let mut headers = Vec::new();
        for (name, value) in self.properties() {
            let system = std::str::from_utf8(name)
                .ok()
                .filter(|name| is_system(name))
                .zip(std::str::from_utf8(value).ok());
            match system {
                Some(("TAGS", tag)) => record.tag = Some(tag),
                Some(("KEYS", keys)) => {
                    let is_its = |w: &&Vec<u8>| w.as_slice() != keys.as_bytes() && self.has_key(w);
                    if let Some(wanted) = wanted.iter().find(is_its) {
                        record.key = Some(wanted.as_slice());
                        record.properties.push(("KEYS", keys));
                    }
                }
                Some(property) => record.properties.push(property),
                None if name == b"KEYS" => {}
                None => headers.push((name, Some(value))),
            }
        }
        record.headers = headers.into();
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rocketmq_protocol::protocol::body::message_codec::decode_message_frame;

    fn stored(flags: i32, body: &[u8], topic: &[u8], properties: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for n in [0, MAGIC, 7, 3, 9] {
            bytes.extend_from_slice(&i32::to_be_bytes(n));
        }
        bytes.extend_from_slice(&11i64.to_be_bytes());
        bytes.extend_from_slice(&13i64.to_be_bytes());
        bytes.extend_from_slice(&flags.to_be_bytes());
        bytes.extend_from_slice(&17i64.to_be_bytes());
        bytes.resize(bytes.len() + if flags & BORN_HOST_V6 != 0 { 20 } else { 8 }, 1);
        bytes.extend_from_slice(&19i64.to_be_bytes());
        bytes.resize(bytes.len() + if flags & STORE_HOST_V6 != 0 { 20 } else { 8 }, 1);
        bytes.extend_from_slice(&[0; 12]);
        bytes.extend_from_slice(&(body.len() as i32).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes.push(topic.len() as u8);
        bytes.extend_from_slice(topic);
        bytes.extend_from_slice(&(properties.len() as i16).to_be_bytes());
        bytes.extend_from_slice(properties);
        let size = (bytes.len() as i32).to_be_bytes();
        bytes[..4].copy_from_slice(&size);
        bytes
    }

    #[test]
    fn a_message_becomes_a_record() {
        let properties = b"KEYS\x01a b\x02h\x01\xff\x02TAGS\x01red\x02CLUSTER\x01c\x02mqsafe-id\x011 p t/n/3\x02";
        let mut bytes = stored(BORN_HOST_V6, b"body", b"t", properties);
        bytes.extend(stored(0, b"x", b"t", b""));
        let mut rest = &bytes[..];
        let first = next(&mut rest).unwrap().unwrap();
        let record = first.record("n", first.body, &[]);
        assert_eq!(
            (record.partition, record.offset, record.timestamp_ms),
            (3, 11, Some(19))
        );
        assert_eq!((record.key, record.value), (Some(&b"a b"[..]), Some(&b"body"[..])));
        assert_eq!((record.tag, record.node), (Some("red"), Some("n")));
        assert_eq!(record.properties, [("CLUSTER", "c")]);
        assert_eq!(record.headers.iter().next().unwrap(), (&b"h"[..], Some(&b"\xff"[..])));
        assert_eq!(record.stamp().unwrap().unwrap().seq, 1);
        assert!(record.is_in("t/n/3", "t"));
        assert_eq!(first.offset_id().len(), 32);
        assert!(first.offset_id().ends_with("000000000000000D"), "{}", first.offset_id());
        let wanted = [b"b".to_vec()];
        let found = first.record("n", first.body, &wanted);
        assert_eq!(found.key, Some(&b"b"[..]));
        assert_eq!(found.properties, [("KEYS", "a b"), ("CLUSTER", "c")]);
        assert!(next(&mut rest).unwrap().unwrap().keys().is_none());
        assert!(next(&mut rest).unwrap().is_none());
    }

    #[test]
    fn flags_tell_of_compression_and_batches() {
        let flags = |flags| {
            let bytes = stored(flags, b"", b"t", b"");
            let message = next(&mut &bytes[..]).unwrap().unwrap();
            (message.compression(), message.is_batch())
        };
        assert_eq!(flags(0), (None, false));
        assert_eq!(flags(1), (Some(Compression::Zlib), false));
        assert_eq!(flags(1 | 3 << 8), (Some(Compression::Zlib), false));
        assert_eq!(flags(1 | 2 << 8), (Some(Compression::Other(2)), false));
        assert_eq!(flags(1 << 7), (None, true));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0usize..300) {
            let mut rest = &bytes[..];
            while let Ok(Some(message)) = next(&mut rest) {
                let _ = message.record("n", message.body, &[b"k".to_vec()]);
            }
            let whole = stored(0, &bytes, b"t", b"KEYS\x01k\x02");
            let mut part = &whole[..cut.min(whole.len() - 1)];
            prop_assert!(!matches!(next(&mut part), Ok(Some(_))));
        }

        /// The kept crate reads the same out of what it can read.
        #[test]
        fn it_reads_what_the_codec_reads(body in prop::collection::vec(any::<u8>(), 0..50), key in "[a-z]{1,9}", v6 in any::<bool>()) {
            let flags = if v6 { BORN_HOST_V6 | STORE_HOST_V6 } else { 0 };
            let properties = format!("KEYS\u{1}{key}\u{2}");
            let bytes = stored(flags, &body, b"topic", properties.as_bytes());
            let ours = next(&mut &bytes[..]).unwrap().unwrap();
            let theirs = decode_message_frame(&mut bytes::Bytes::copy_from_slice(&bytes)).unwrap();
            prop_assert_eq!((ours.queue, ours.offset, ours.stored_ms), (theirs.queue_id, theirs.queue_offset, theirs.store_timestamp));
            prop_assert_eq!(ours.body, &theirs.body[..]);
            prop_assert_eq!(ours.topic, theirs.topic.as_bytes());
            prop_assert_eq!(ours.keys(), Some(key.as_bytes()));
        }
    }
}
