//! Fetching: the request, and the answer walked where it lies (Kafka's protocol guide, "Fetch API").

use super::Connection;
use super::ask::name;
use crate::broker::kafka::batch::Reader;
use crate::model::Unreached;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest};
use uuid::Uuid;

/// The newest version that is walked here.
const NEWEST: i16 = 16;
/// From this version on a topic is named by its id.
const BY_ID: i16 = 13;
/// From this version on lengths are varints and fields may be tagged.
const FLEXIBLE: i16 = 12;
/// How long a broker may wait for messages. There are some below the end that is read to, except in a log that was compacted.
const WAIT_MS: i32 = 100;

/// Where to go on in a partition.
#[derive(Debug, Clone, Copy)]
pub(in crate::broker::kafka) struct Want {
    pub(in crate::broker::kafka) partition: i32,
    pub(in crate::broker::kafka) epoch: i32,
    pub(in crate::broker::kafka) offset: i64,
    pub(in crate::broker::kafka) most_bytes: i32,
}

/// What stays the same from fetch to fetch.
#[derive(Debug, Clone)]
pub(in crate::broker::kafka) struct Fetcher {
    topic: String,
    topic_id: Uuid,
    committed: bool,
    version: i16,
}

impl Fetcher {
    /// How this topic is fetched over this connection.
    ///
    /// # Errors
    /// When the broker speaks no version that is spoken here.
    pub(in crate::broker::kafka) fn new(
        connection: &Connection,
        topic: &str,
        topic_id: Uuid,
        committed: bool,
    ) -> Result<Fetcher, Unreached> {
        let most = if topic_id.is_nil() { BY_ID - 1 } else { NEWEST };
        let version = connection
            .version::<FetchRequest>(most)
            .ok_or_else(|| Unreached::new(format!("{} fetches in no version that is known here", connection.host)))?;
        Ok(Fetcher {
            topic: topic.to_owned(),
            topic_id,
            committed,
            version,
        })
    }

    /// Asks for messages. No rack is named, so that only leaders are read from.
    ///
    /// # Errors
    /// When the broker does not take the request.
    pub(in crate::broker::kafka) fn send(
        &self,
        connection: &mut Connection,
        wants: &[Want],
        most_bytes: i32,
    ) -> Result<i32, Unreached> {
        let one = |want: &Want| {
            FetchPartition::default()
                .with_partition(want.partition)
                .with_current_leader_epoch(want.epoch)
                .with_fetch_offset(want.offset)
                .with_log_start_offset(-1)
                .with_partition_max_bytes(want.most_bytes)
        };
        let topic = FetchTopic::default()
            .with_topic(name(&self.topic))
            .with_topic_id(self.topic_id)
            .with_partitions(wants.iter().map(one).collect());
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(WAIT_MS)
            .with_min_bytes(1)
            .with_max_bytes(most_bytes)
            .with_isolation_level(self.committed.into())
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        connection.send(&request, self.version)
    }

    /// The answer with this number, walked where it lies; `None` when the bytes are not that.
    pub(in crate::broker::kafka) fn read<'a>(&self, bytes: &'a [u8], number: i32) -> Option<Answer<'a>> {
        read(bytes, number, self.version)
    }
}

/// What a fetch brought.
#[derive(Debug)]
pub(in crate::broker::kafka) struct Answer<'a> {
    /// How long the broker wants to be left alone.
    pub(in crate::broker::kafka) throttle_ms: i32,
    /// An error of the whole, 0 for none.
    pub(in crate::broker::kafka) error: i16,
    /// What it brought of each partition, in the order of the request.
    pub(in crate::broker::kafka) parts: Vec<Part<'a>>,
}

/// What a fetch brought of one partition.
#[derive(Debug)]
pub(in crate::broker::kafka) struct Part<'a> {
    pub(in crate::broker::kafka) partition: i32,
    pub(in crate::broker::kafka) error: i16,
    /// Where replicated messages end.
    pub(in crate::broker::kafka) high_watermark: i64,
    /// Where messages end that are not held back by an open transaction; -1 where the broker does not say.
    pub(in crate::broker::kafka) stable_end: i64,
    /// Where the log begins; -1 where the broker does not say.
    pub(in crate::broker::kafka) log_start: i64,
    /// Producers whose transactions were aborted, and from which offset on.
    pub(in crate::broker::kafka) aborted: Vec<(i64, i64)>,
    /// Batches; the last may be cut off.
    pub(in crate::broker::kafka) records: &'a [u8],
}

/// Lengths and tags as one version has them.
struct Wire<'a> {
    left: Reader<'a>,
    is_flexible: bool,
}

impl<'a> Wire<'a> {
    /// The length of a list or of bytes; 0 for null.
    fn length(&mut self) -> Option<usize> {
        let length = match self.is_flexible {
            true => i64::from(self.left.unsigned_varint()?) - 1,
            false => i64::from(self.left.i32()?),
        };
        Some(usize::try_from(length).unwrap_or(0))
    }

    fn tags(&mut self) -> Option<()> {
        if !self.is_flexible {
            return Some(());
        }
        for _ in 0..self.left.unsigned_varint()? {
            self.left.unsigned_varint()?;
            let length = self.left.unsigned_varint()?;
            self.left.take(usize::try_from(length).ok()?)?;
        }
        Some(())
    }
}

fn read(bytes: &[u8], number: i32, version: i16) -> Option<Answer<'_>> {
    let mut wire = Wire {
        left: Reader(bytes),
        is_flexible: version >= FLEXIBLE,
    };
    if wire.left.i32()? != number {
        return None;
    }
    wire.tags()?;
    let throttle_ms = wire.left.i32()?;
    let mut error = 0;
    if version >= 7 {
        error = wire.left.i16()?;
        wire.left.i32()?;
    }
    let mut parts = Vec::new();
    for _ in 0..wire.length()? {
        if version >= BY_ID {
            wire.left.take(16)?;
        } else if wire.is_flexible {
            let length = wire.length()?;
            wire.left.take(length)?;
        } else {
            let length = wire.left.i16()?;
            wire.left.take(usize::try_from(length).ok()?)?;
        }
        for _ in 0..wire.length()? {
            parts.push(part(&mut wire, version)?);
        }
        wire.tags()?;
    }
    wire.tags()?;
    Some(Answer {
        throttle_ms,
        error,
        parts,
    })
}

fn part<'a>(wire: &mut Wire<'a>, version: i16) -> Option<Part<'a>> {
    let partition = wire.left.i32()?;
    let error = wire.left.i16()?;
    let high_watermark = wire.left.i64()?;
    let stable_end = wire.left.i64()?;
    let log_start = if version >= 5 { wire.left.i64()? } else { -1 };
    let mut aborted = Vec::new();
    for _ in 0..wire.length()? {
        aborted.push((wire.left.i64()?, wire.left.i64()?));
        wire.tags()?;
    }
    if version >= 11 {
        // Another replica that would be nearer; only the leader is read.
        wire.left.i32()?;
    }
    let length = wire.length()?;
    let records = wire.left.take(length)?;
    wire.tags()?;
    Some(Part {
        partition,
        error,
        high_watermark,
        stable_end,
        log_start,
        aborted,
        records,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::{Bytes, BytesMut};
    use kafka_protocol::messages::fetch_response::{
        AbortedTransaction, EpochEndOffset, FetchableTopicResponse, PartitionData,
    };
    use kafka_protocol::messages::{FetchResponse, ProducerId, ResponseHeader};
    use kafka_protocol::protocol::{Encodable, HeaderVersion};
    use proptest::prelude::*;

    /// An answer as the crate writes it, with all that it may hold.
    fn written(version: i16) -> Vec<u8> {
        let mut of_one = PartitionData::default()
            .with_partition_index(4)
            .with_high_watermark(900)
            .with_last_stable_offset(800)
            .with_aborted_transactions(Some(vec![
                AbortedTransaction::default()
                    .with_producer_id(ProducerId(7))
                    .with_first_offset(100),
            ]))
            .with_records(Some(Bytes::from_static(b"batches")));
        if version >= 5 {
            of_one = of_one.with_log_start_offset(3);
        }
        if version >= 12 {
            of_one = of_one.with_diverging_epoch(EpochEndOffset::default().with_epoch(1).with_end_offset(2));
        }
        let other = PartitionData::default()
            .with_partition_index(5)
            .with_error_code(6)
            .with_aborted_transactions(None)
            .with_records(None);
        let mut topic = FetchableTopicResponse::default().with_partitions(vec![of_one, other]);
        topic = match version >= BY_ID {
            true => topic.with_topic_id(Uuid::from_u128(5)),
            false => topic.with_topic(name("orders")),
        };
        let answer = FetchResponse::default()
            .with_throttle_time_ms(11)
            .with_responses(vec![topic]);
        let mut out = BytesMut::new();
        ResponseHeader::default()
            .with_correlation_id(42)
            .encode(&mut out, FetchResponse::header_version(version))
            .unwrap();
        answer.encode(&mut out, version).unwrap();
        out.to_vec()
    }

    #[test]
    fn every_version_is_walked_as_the_crate_writes_it() {
        for version in 4..=NEWEST {
            let bytes = written(version);
            let answer = read(&bytes, 42, version).unwrap_or_else(|| panic!("version {version}"));
            assert_eq!((answer.throttle_ms, answer.error, answer.parts.len()), (11, 0, 2));
            let part = &answer.parts[0];
            assert_eq!((part.partition, part.error, part.records), (4, 0, &b"batches"[..]));
            assert_eq!((part.high_watermark, part.stable_end), (900, 800), "version {version}");
            assert_eq!(part.log_start, if version >= 5 { 3 } else { -1 });
            assert_eq!(part.aborted, [(7, 100)]);
            let other = &answer.parts[1];
            assert_eq!((other.partition, other.error, other.records.len()), (5, 6, 0));
            assert!(read(&bytes, 43, version).is_none());
            assert!(read(&bytes[..bytes.len() - 1], 42, version).is_none());
        }
    }

    proptest! {
        #[test]
        fn arbitrary_answers_are_judged(version in 4..=NEWEST, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = bytes;
            if bytes.len() >= 4 {
                bytes[..4].copy_from_slice(&42i32.to_be_bytes());
            }
            let _ = read(&bytes, 42, version);
        }

        #[test]
        fn changed_answers_are_judged(version in 4..=NEWEST, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = written(version);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = read(&bytes, 42, version);
        }
    }
}
