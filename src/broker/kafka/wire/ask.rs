//! Questions about a topic: where it lies, between which offsets, and how it is kept.

use super::{Connection, words};
use crate::model::Unreached;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::{
    BrokerId, DescribeConfigsRequest, ListOffsetsRequest, MetadataRequest, OffsetForLeaderEpochRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// A question by time that means the first offset there is.
pub(in crate::broker::kafka) const EARLIEST: i64 = -2;
/// A question by time that means the offset after the last.
pub(in crate::broker::kafka) const LATEST: i64 = -1;
/// The kind of a topic among what has settings (`ConfigResource.Type`).
const TOPIC: i8 = 2;

/// Where a topic lies.
#[derive(Debug, Clone, Default)]
pub(in crate::broker::kafka) struct Cluster {
    /// `host:port` of each broker.
    pub(in crate::broker::kafka) brokers: HashMap<i32, String>,
    /// An error of the topic as a whole, 0 for none.
    pub(in crate::broker::kafka) error: i16,
    /// The topic's own id; nil where the broker knows none.
    pub(in crate::broker::kafka) topic_id: Uuid,
    /// Each partition.
    pub(in crate::broker::kafka) partitions: BTreeMap<i32, Place>,
}

/// Who leads a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::broker::kafka) struct Place {
    /// The leader; -1 while there is none.
    pub(in crate::broker::kafka) leader: i32,
    /// Since when; -1 where the broker does not say.
    pub(in crate::broker::kafka) epoch: i32,
    /// An error of the partition, 0 for none.
    pub(in crate::broker::kafka) error: i16,
}

/// Where a topic lies, as one broker knows it. A topic that is not there stays so.
pub(in crate::broker::kafka) fn cluster(connection: &mut Connection, topic: &str) -> Result<Cluster, Unreached> {
    let wanted = MetadataRequestTopic::default().with_name(Some(name(topic)));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![wanted]))
        .with_allow_auto_topic_creation(false);
    // From version 4 on a broker can be told not to make the topic.
    if connection
        .version::<MetadataRequest>(12)
        .is_none_or(|version| version < 4)
    {
        return Err(Unreached::new(format!("{} is older than Kafka 0.11", connection.host)));
    }
    let answer = connection.ask(12, &request)?;
    let brokers = answer.brokers.iter().map(|b| {
        let host = b.host.as_str();
        let address = match host.contains(':') {
            true => format!("[{host}]:{}", b.port),
            false => format!("{host}:{}", b.port),
        };
        (b.node_id.0, address)
    });
    let brokers = brokers.collect();
    let this = |t: &&kafka_protocol::messages::metadata_response::MetadataResponseTopic| {
        t.name.as_ref().is_some_and(|n| n.0.as_str() == topic)
    };
    let Some(found) = answer.topics.iter().find(this) else {
        return Err(Unreached::new(format!("{} said nothing of {topic}", connection.host)));
    };
    let partitions = found.partitions.iter().map(|p| {
        let place = Place {
            leader: p.leader_id.0,
            epoch: p.leader_epoch,
            error: p.error_code,
        };
        (p.partition_index, place)
    });
    Ok(Cluster {
        brokers,
        error: found.error_code,
        topic_id: found.topic_id,
        partitions: partitions.collect(),
    })
}

/// The first offset of each partition whose message is not older than a time, or one of the ends; -1 where there is none.
pub(in crate::broker::kafka) fn offsets(
    connection: &mut Connection,
    topic: &str,
    partitions: &[(i32, i32)],
    time_ms: i64,
    committed: bool,
) -> Result<BTreeMap<i32, Result<i64, i16>>, Unreached> {
    let one = |(partition, epoch): &(i32, i32)| {
        ListOffsetsPartition::default()
            .with_partition_index(*partition)
            .with_current_leader_epoch(*epoch)
            .with_timestamp(time_ms)
    };
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(committed.into())
        .with_topics(vec![
            ListOffsetsTopic::default()
                .with_name(name(topic))
                .with_partitions(partitions.iter().map(one).collect()),
        ]);
    // Version 2 is the first that knows of transactions; 7 the last that says nothing new to us.
    if connection
        .version::<ListOffsetsRequest>(7)
        .is_none_or(|version| version < 2)
    {
        return Err(Unreached::new(format!("{} is older than Kafka 0.11", connection.host)));
    }
    let answer = connection.ask(7, &request)?;
    let all = answer.topics.iter().flat_map(|t| &t.partitions);
    let known = |code: i16, offset: i64| if code == 0 { Ok(offset) } else { Err(code) };
    Ok(all
        .map(|p| (p.partition_index, known(p.error_code, p.offset)))
        .collect())
}

/// Where the messages of an epoch end, as the leader of today knows it.
pub(in crate::broker::kafka) fn end_of_epoch(
    connection: &mut Connection,
    topic: &str,
    partition: i32,
    current: i32,
    epoch: i32,
) -> Result<Option<(i32, i64)>, Unreached> {
    let one = OffsetForLeaderPartition::default()
        .with_partition(partition)
        .with_current_leader_epoch(current)
        .with_leader_epoch(epoch);
    let request = OffsetForLeaderEpochRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(vec![
            OffsetForLeaderTopic::default()
                .with_topic(name(topic))
                .with_partitions(vec![one]),
        ]);
    if connection.version::<OffsetForLeaderEpochRequest>(4).is_none() {
        return Ok(None);
    }
    let answer = connection.ask(4, &request)?;
    let found = answer.topics.iter().flat_map(|t| &t.partitions).next();
    Ok(found
        .filter(|p| p.error_code == 0 && p.end_offset >= 0)
        .map(|p| (p.leader_epoch, p.end_offset)))
}

/// The values of a topic's settings, where this user may know them.
pub(in crate::broker::kafka) fn settings(
    connection: &mut Connection,
    topic: &str,
    names: &[&'static str],
) -> Result<HashMap<String, String>, Unreached> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(StrBytes::from_string(topic.to_owned()))
        .with_configuration_keys(Some(names.iter().map(|n| StrBytes::from_static_str(n)).collect()));
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let answer = connection.ask(4, &request)?;
    let Some(result) = answer.results.first() else {
        return Err(Unreached::new(format!("{} said nothing of {topic}", connection.host)));
    };
    if result.error_code != 0 {
        return Err(Unreached::new(words(result.error_code)));
    }
    let pair = |c: &kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult| {
        Some((c.name.to_string(), c.value.as_ref()?.to_string()))
    };
    Ok(result.configs.iter().filter_map(pair).collect())
}

pub(super) fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}
