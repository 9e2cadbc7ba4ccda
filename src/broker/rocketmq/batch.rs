//! Several messages of one queue in one request (`MessageBatch`, `MessageDecoder.encodeMessages`).
//!
//! The broker appends them one behind the other, with consecutive offsets, or none of them (`CommitLog.asyncPutMessages`). Each
//! keeps its own properties, so keys are indexed and tags are matched as if it came alone.

use super::outgoing::Ready;

/// What one request carries at most. Beside every body the broker writes up to 218 bytes that do not stand in the request, into
/// a buffer of its `maxMessageSize` (4 MiB) and 64 KiB: with this many messages they always fit those 64 KiB.
pub(super) const MOST_MESSAGES: usize = 256;
pub(super) const MOST_BYTES: usize = 512 << 10;
/// The length of properties is a short, and for a batch the broker does not look whether what it adds (a checksum) makes it
/// too long. A message that comes near goes alone, where it looks.
const MOST_PROPERTIES: usize = 16 << 10;
/// A batch has one time of birth: messages that were accepted further apart go separately.
const APART_MS: u64 = 1_000;
/// Total size, magic number, checksum, flag, length of the body, length of the properties.
const OVERHEAD: usize = 4 * 5 + 2;

/// How many of the messages that wait go into the next request; at least 1. `keyless` says whether those without a key may be
/// in a batch: a compaction topic takes none, and only for a single message the broker looks.
pub(super) fn together<'a>(waiting: impl Iterator<Item = &'a Ready>, most_bytes: usize, keyless: bool) -> usize {
    let (mut count, mut bytes, mut born_ms) = (0, 0, None);
    for message in waiting.take(MOST_MESSAGES) {
        bytes += OVERHEAD + message.body.len() + message.properties.len();
        let born_ms = *born_ms.get_or_insert(message.timestamp_ms);
        let fits = bytes <= most_bytes
            && message.properties.len() <= MOST_PROPERTIES
            && message.timestamp_ms.abs_diff(born_ms) <= APART_MS
            && (keyless || message.has_key);
        if !fits {
            break;
        }
        count += 1;
    }
    count.max(1)
}

/// The body of a batch.
pub(super) fn encode<'a>(messages: impl Iterator<Item = &'a Ready>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        let (body, properties) = (&message.body, message.properties.as_bytes());
        // `together` keeps all of these far below what their lengths can say.
        let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
        bytes.extend_from_slice(&size(OVERHEAD + body.len() + properties.len()));
        // Magic number, checksum and flag: the broker writes its own.
        bytes.extend_from_slice(&[0; 12]);
        bytes.extend_from_slice(&size(body.len()));
        bytes.extend_from_slice(body);
        bytes.extend_from_slice(&u16::try_from(properties.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend_from_slice(properties);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn ready(body: usize, properties: usize, timestamp_ms: i64, has_key: bool) -> Ready {
        Ready {
            properties: "p".repeat(properties),
            body: Bytes::from(vec![b'b'; body]),
            timestamp_ms,
            has_key,
        }
    }

    fn count(messages: &[Ready], most_bytes: usize, keyless: bool) -> usize {
        together(messages.iter(), most_bytes, keyless)
    }

    #[test]
    fn a_batch_ends_where_the_next_message_does_not_fit() {
        let small = vec![ready(10, 10, 0, true); 1000];
        assert_eq!(count(&small, MOST_BYTES, false), MOST_MESSAGES);
        assert_eq!(count(&small, 42 * 7, false), 7);
        assert_eq!(count(&small, 0, false), 1);
        let large = [ready(MOST_BYTES, 0, 0, true), ready(1, 1, 0, true)];
        assert_eq!(count(&large, MOST_BYTES, false), 1);
        let reversed = [ready(1, 1, 0, true), ready(MOST_BYTES, 0, 0, true)];
        assert_eq!(count(&reversed, MOST_BYTES, false), 1);
        let late = [
            ready(1, 1, 5_000, true),
            ready(1, 1, 6_000, true),
            ready(1, 1, 6_001, true),
        ];
        assert_eq!(count(&late, MOST_BYTES, false), 2);
        let propertied = [
            ready(1, 1, 0, true),
            ready(1, MOST_PROPERTIES + 1, 0, true),
            ready(1, 1, 0, true),
        ];
        assert_eq!(count(&propertied, MOST_BYTES, false), 1);
        assert_eq!(count(&propertied[1..], MOST_BYTES, false), 1);
    }

    #[test]
    fn messages_without_a_key_go_alone_unless_the_topic_is_known_to_take_them() {
        let mixed = [ready(1, 1, 0, true), ready(1, 1, 0, false), ready(1, 1, 0, true)];
        assert_eq!(count(&mixed, MOST_BYTES, false), 1);
        assert_eq!(count(&mixed[1..], MOST_BYTES, false), 1);
        assert_eq!(count(&mixed, MOST_BYTES, true), 3);
    }

    #[test]
    fn it_is_encoded_as_the_java_client_does() {
        let message = Ready {
            properties: "k\u{1}v\u{2}".to_owned(),
            body: Bytes::from_static(b"xy"),
            timestamp_ms: 0,
            has_key: false,
        };
        let one = b"\0\0\0\x1c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02xy\0\x04k\x01v\x02";
        assert_eq!(encode([&message].into_iter()), one);
        assert_eq!(encode([&message, &message].into_iter()), [&one[..], &one[..]].concat());
    }

    proptest! {
        /// `MessageDecoder.decodeMessage`, read again: what goes in comes out.
        #[test]
        fn what_is_encoded_is_decoded(messages in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..50), "[a-zäö]{0,20}"), 1..20)) {
            let all: Vec<Ready> = messages
                .iter()
                .map(|(body, properties)| Ready {
                    properties: properties.clone(),
                    body: Bytes::copy_from_slice(body),
                    timestamp_ms: 0,
                    has_key: false,
                })
                .collect();
            let bytes = encode(all.iter());
            let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
            let mut at = 0;
            for (body, properties) in &messages {
                let size = number(at);
                let length = number(at + 16);
                prop_assert_eq!(&bytes[at + 20..at + 20 + length], &body[..]);
                let short = at + 20 + length;
                let length = usize::from(u16::from_be_bytes(bytes[short..short + 2].try_into().unwrap()));
                prop_assert_eq!(&bytes[short + 2..short + 2 + length], properties.as_bytes());
                prop_assert_eq!(size, short + 2 + length - at);
                at += size;
            }
            prop_assert_eq!(at, bytes.len());
        }
    }
}
