//! The questions, each about as much as one request can hold.

use super::super::wire::{Connection, words};
use super::seen::{DEFAULT, Directory, Partition, Setting, Synonym, Topic};
use crate::model::Unreached;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsSynonym;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::{
    ApiVersionsRequest, BrokerId, DescribeConfigsRequest, DescribeGroupsRequest, DescribeLogDirsRequest,
    DescribeQuorumRequest, GroupId, ListGroupsRequest, ListOffsetsRequest, MetadataRequest, OffsetFetchRequest,
    OffsetForLeaderEpochRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Kinds of what has settings (`ConfigResource.Type`).
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// So many topics are asked about in one request: with the settings below some megabytes of answer.
const TOPICS_AT_ONCE: usize = 2000;

/// Settings of topics that rules speak of. What is not in this list is not asked for.
const TOPIC_SETTINGS: [&str; 15] = [
    "min.insync.replicas",
    "unclean.leader.election.enable",
    "retention.ms",
    "retention.bytes",
    "segment.ms",
    "cleanup.policy",
    "delete.retention.ms",
    "min.compaction.lag.ms",
    "max.message.bytes",
    "message.timestamp.type",
    "message.timestamp.before.max.ms",
    "message.timestamp.after.max.ms",
    "flush.messages",
    "flush.ms",
    "remote.storage.enable",
];

/// An answer, or the code that the broker refuses with.
pub(super) type Answer<T> = Result<T, Refusal>;

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The broker refuses, by this code.
    Code(i16),
    /// It does not answer, or not so that we understand it.
    Unreached(String),
}

impl Refusal {
    /// Why, for a person.
    pub(super) fn words(&self) -> String {
        match self {
            Refusal::Code(code) => words(*code),
            Refusal::Unreached(why) => why.clone(),
        }
    }
}

impl From<Unreached> for Refusal {
    fn from(why: Unreached) -> Refusal {
        Refusal::Unreached(why.why)
    }
}

fn good(code: i16) -> Answer<()> {
    match code {
        0 => Ok(()),
        code => Err(Refusal::Code(code)),
    }
}

/// A connection whose requests are counted.
pub(super) struct Asker<'a> {
    pub(super) connection: Connection,
    pub(super) count: &'a AtomicU64,
}

/// What the metadata tells: brokers with host and rack, topics.
pub(super) struct Metadata {
    pub(super) brokers: BTreeMap<i32, (String, Option<String>)>,
    pub(super) topics: BTreeMap<String, Topic>,
    /// Topics that are there and cannot be told about, by their codes.
    pub(super) refused: Vec<(String, i16)>,
}

impl Asker<'_> {
    fn ask<R: kafka_protocol::protocol::Request>(&mut self, most: i16, request: &R) -> Answer<R::Response> {
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(self.connection.ask(most, request)?)
    }

    /// Every topic that this user may describe, and every broker.
    pub(super) fn metadata(&mut self) -> Answer<Metadata> {
        let request = MetadataRequest::default()
            .with_topics(None)
            .with_allow_auto_topic_creation(false);
        let answer = self.ask(12, &request)?;
        let brokers = answer.brokers.into_iter().map(|b| {
            let host = match b.host.contains(':') {
                true => format!("[{}]:{}", b.host, b.port),
                false => format!("{}:{}", b.host, b.port),
            };
            let rack = b.rack.map(|r| r.to_string()).filter(|r| !r.is_empty());
            (b.node_id.0, (host, rack))
        });
        let brokers = brokers.collect();
        let (mut topics, mut refused) = (BTreeMap::new(), Vec::new());
        for topic in answer.topics {
            let Some(name) = topic.name.map(|n| n.0.to_string()) else {
                continue;
            };
            if topic.error_code != 0 {
                refused.push((name, topic.error_code));
                continue;
            }
            let mut partitions: Vec<Partition> = topic
                .partitions
                .into_iter()
                .map(|p| Partition {
                    id: p.partition_index,
                    leader: p.leader_id.0,
                    epoch: p.leader_epoch,
                    replicas: p.replica_nodes.iter().map(|r| r.0).collect(),
                    isr: p.isr_nodes.iter().map(|r| r.0).collect(),
                })
                .collect();
            partitions.sort_by_key(|p| p.id);
            topics.insert(
                name,
                Topic {
                    partitions,
                    settings: Vec::new(),
                },
            );
        }
        Ok(Metadata {
            brokers,
            topics,
            refused,
        })
    }

    /// The finalised features, and the newest `metadata.version` of the software; nothing of brokers before 2.7.
    pub(super) fn features(&mut self) -> Answer<(BTreeMap<String, i16>, Option<i16>)> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("mqsafe"))
            .with_client_software_version(StrBytes::from_static_str(crate::VERSION));
        let answer = self.ask(4, &request)?;
        good(answer.error_code)?;
        let newest = answer
            .supported_features
            .iter()
            .find(|f| f.name.as_str() == "metadata.version");
        let newest = newest.map(|f| f.max_version);
        let finalised = answer.finalized_features.iter();
        Ok((
            finalised.map(|f| (f.name.to_string(), f.max_version_level)).collect(),
            newest,
        ))
    }

    /// The settings of topics that rules speak of, by topic.
    pub(super) fn topic_settings(&mut self, names: &[&String]) -> Answer<Vec<(String, Answer<Vec<Setting>>)>> {
        let mut all = Vec::with_capacity(names.len());
        for some in names.chunks(TOPICS_AT_ONCE) {
            let keys: Vec<StrBytes> = TOPIC_SETTINGS.iter().map(|k| StrBytes::from_static_str(k)).collect();
            let resources = some.iter().map(|name| {
                DescribeConfigsResource::default()
                    .with_resource_type(TOPIC)
                    .with_resource_name(StrBytes::from_string((*name).clone()))
                    .with_configuration_keys(Some(keys.clone()))
            });
            all.extend(self.settings(resources.collect())?);
        }
        Ok(all)
    }

    /// All settings of the broker at the other end.
    pub(super) fn broker_settings(&mut self, id: i32) -> Answer<Vec<Setting>> {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(BROKER)
            .with_resource_name(StrBytes::from_string(id.to_string()))
            .with_configuration_keys(None);
        let mut all = self.settings(vec![resource])?;
        match all.pop() {
            Some((_, answer)) => answer,
            None => Err(Refusal::Unreached("it said nothing of itself".to_owned())),
        }
    }

    fn settings(&mut self, resources: Vec<DescribeConfigsResource>) -> Answer<Vec<(String, Answer<Vec<Setting>>)>> {
        // Not known to version 0, which is all that brokers before 1.1 speak.
        let tells_places = self
            .connection
            .version::<DescribeConfigsRequest>(4)
            .is_some_and(|v| v >= 1);
        let request = DescribeConfigsRequest::default()
            .with_resources(resources)
            .with_include_synonyms(tells_places);
        let answer = self.ask(4, &request)?;
        Ok(answer
            .results
            .into_iter()
            .map(|result| {
                let settings = good(result.error_code).map(|()| {
                    // A value that is null is secret, or there is none.
                    let known = result.configs.into_iter().filter(|c| !c.is_sensitive);
                    known
                        .filter_map(|c| {
                            Some(Setting {
                                key: c.name.to_string(),
                                value: c.value?.to_string(),
                                source: c.config_source,
                                places: match c.config_source {
                                    DEFAULT => Vec::new(),
                                    _ => c.synonyms.into_iter().filter_map(synonym).collect(),
                                },
                            })
                        })
                        .collect()
                });
                (result.resource_name.to_string(), settings)
            })
            .collect())
    }

    /// The log directories of the broker at the other end, and the bytes of each partition in them.
    pub(super) fn log_dirs(&mut self) -> Answer<(Vec<Directory>, BTreeMap<(String, i32), i64>)> {
        let answer = self.ask(4, &DescribeLogDirsRequest::default().with_topics(None))?;
        good(answer.error_code)?;
        // Before version 3 a broker that refuses answers with nothing at all; one that runs has a directory.
        if answer.results.is_empty() {
            return Err(Refusal::Code(
                kafka_protocol::error::ResponseError::ClusterAuthorizationFailed.code(),
            ));
        }
        let (mut directories, mut sizes) = (Vec::new(), BTreeMap::new());
        for result in answer.results {
            directories.push(Directory {
                path: result.log_dir.to_string(),
                error: good(result.error_code).err().map(|e| e.words()),
                total_bytes: result.total_bytes,
                usable_bytes: result.usable_bytes,
            });
            for topic in result.topics {
                let name = topic.name.0.to_string();
                for p in topic.partitions.iter().filter(|p| !p.is_future_key) {
                    sizes.insert((name.clone(), p.partition_index), p.partition_size);
                }
            }
        }
        Ok((directories, sizes))
    }

    /// The controllers that vote; `None` where there is no quorum, as with ZooKeeper.
    pub(super) fn voters(&mut self) -> Answer<Option<Vec<i32>>> {
        if self.connection.version::<DescribeQuorumRequest>(2).is_none() {
            return Ok(None);
        }
        let topic = TopicData::default()
            .with_topic_name(topic_name("__cluster_metadata"))
            .with_partitions(vec![PartitionData::default()]);
        let answer = self.ask(2, &DescribeQuorumRequest::default().with_topics(vec![topic]))?;
        good(answer.error_code)?;
        let Some(partition) = answer.topics.iter().flat_map(|t| &t.partitions).next() else {
            return Err(Refusal::Unreached("it said nothing of the quorum".to_owned()));
        };
        good(partition.error_code)?;
        Ok(Some(partition.current_voters.iter().map(|v| v.replica_id.0).collect()))
    }

    /// The groups that the broker at the other end coordinates and this user may describe, each with whether it may have members.
    pub(super) fn groups(&mut self) -> Answer<Vec<(String, bool)>> {
        let answer = self.ask(4, &ListGroupsRequest::default())?;
        good(answer.error_code)?;
        // Connect and others register groups of other kinds, which commit nothing.
        let reading = answer
            .groups
            .iter()
            .filter(|g| ["consumer", ""].contains(&g.protocol_type.as_str()));
        // Before version 4 no state is told.
        let may_have_members = |state: &str| !["Empty", "Dead"].contains(&state);
        Ok(reading
            .map(|g| (g.group_id.0.to_string(), may_have_members(&g.group_state)))
            .collect())
    }

    /// How many members each group has; those of the newer protocol are not told so.
    pub(super) fn members(&mut self, groups: &[String]) -> Answer<Vec<(String, Answer<usize>)>> {
        let request = DescribeGroupsRequest::default().with_groups(groups.iter().map(|g| group_id(g)).collect());
        let answer = self.ask(5, &request)?;
        let count = |g: kafka_protocol::messages::describe_groups_response::DescribedGroup| {
            let members = good(g.error_code).map(|()| g.members.len());
            (g.group_id.0.to_string(), members)
        };
        Ok(answer.groups.into_iter().map(count).collect())
    }

    /// Every committed position of groups.
    pub(super) fn committed(&mut self, groups: &[String]) -> Answer<Vec<(String, Answer<Committed>)>> {
        let mut all = Vec::new();
        if self.connection.version::<OffsetFetchRequest>(8).is_some_and(|v| v >= 8) {
            let asked = groups.iter().map(|g| {
                OffsetFetchRequestGroup::default()
                    .with_group_id(group_id(g))
                    .with_topics(None)
            });
            let request = OffsetFetchRequest::default().with_groups(asked.collect());
            for group in self.ask(8, &request)?.groups {
                let positions = good(group.error_code).map(|()| {
                    let of = |t: kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseTopics| {
                        let name = t.name.0.to_string();
                        let known = t.partitions.into_iter().filter(|p| p.error_code == 0);
                        known
                            .map(|p| (name.clone(), p.partition_index, p.committed_offset))
                            .collect::<Vec<_>>()
                    };
                    group.topics.into_iter().flat_map(of).collect()
                });
                all.push((group.group_id.0.to_string(), positions));
            }
            return Ok(all);
        }
        for group in groups {
            let request = OffsetFetchRequest::default()
                .with_group_id(group_id(group))
                .with_topics(None);
            let answer = self.ask(7, &request)?;
            let positions = good(answer.error_code).map(|()| {
                let of = |t: kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseTopic| {
                    let name = t.name.0.to_string();
                    let known = t.partitions.into_iter().filter(|p| p.error_code == 0);
                    known
                        .map(|p| (name.clone(), p.partition_index, p.committed_offset))
                        .collect::<Vec<_>>()
                };
                answer.topics.into_iter().flat_map(of).collect()
            });
            all.push((group.clone(), positions));
        }
        Ok(all)
    }

    /// The first offset of each partition whose record is not older than its time, or an end as the protocol numbers it.
    pub(super) fn offsets(
        &mut self,
        asked: &BTreeMap<(String, i32), i64>,
    ) -> Answer<BTreeMap<(String, i32), Answer<i64>>> {
        let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
        for ((topic, partition), time_ms) in asked {
            topics.entry(topic).or_default().push(
                ListOffsetsPartition::default()
                    .with_partition_index(*partition)
                    .with_current_leader_epoch(-1)
                    .with_timestamp(*time_ms),
            );
        }
        let topics = topics.into_iter().map(|(name, partitions)| {
            ListOffsetsTopic::default()
                .with_name(topic_name(name))
                .with_partitions(partitions)
        });
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(topics.collect());
        let mut all = BTreeMap::new();
        for topic in self.ask(7, &request)?.topics {
            for p in topic.partitions {
                let offset = good(p.error_code).map(|()| p.offset);
                all.insert((topic.name.0.to_string(), p.partition_index), offset);
            }
        }
        Ok(all)
    }

    /// Where the leader's log ends, replicated or not, of partitions with the epoch that it leads in.
    pub(super) fn log_ends(&mut self, asked: &[(String, i32, i32)]) -> Answer<BTreeMap<(String, i32), i64>> {
        let mut topics: BTreeMap<&str, Vec<OffsetForLeaderPartition>> = BTreeMap::new();
        for (topic, partition, epoch) in asked {
            topics.entry(topic).or_default().push(
                OffsetForLeaderPartition::default()
                    .with_partition(*partition)
                    .with_current_leader_epoch(*epoch)
                    .with_leader_epoch(*epoch),
            );
        }
        let topics = topics.into_iter().map(|(name, partitions)| {
            OffsetForLeaderTopic::default()
                .with_topic(topic_name(name))
                .with_partitions(partitions)
        });
        let request = OffsetForLeaderEpochRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(topics.collect());
        let mut all = BTreeMap::new();
        for topic in self.ask(4, &request)?.topics {
            for p in topic
                .partitions
                .iter()
                .filter(|p| p.error_code == 0 && p.end_offset >= 0)
            {
                all.insert((topic.topic.0.to_string(), p.partition), p.end_offset);
            }
        }
        Ok(all)
    }
}

/// A place that gives a value, where it tells which.
fn synonym(told: DescribeConfigsSynonym) -> Option<Synonym> {
    Some(Synonym {
        key: told.name.to_string(),
        value: told.value?.to_string(),
        source: told.source,
    })
}

/// Topic, partition and the next offset of each.
pub(super) type Committed = Vec<(String, i32, i64)>;

fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

fn group_id(name: &str) -> GroupId {
    GroupId(StrBytes::from_string(name.to_owned()))
}
