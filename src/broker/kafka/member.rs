//! Membership in a consumer group, for its assignment alone: Kafka divides the partitions, our own scanner reads them.
//!
//! The group is one for this purpose. Joining the group of an application would take partitions away from it, and committing there
//! would make it skip messages; so a group that has a member or an offset of somebody else is refused.

use super::config::{self, KafkaTarget};
use super::context::{Asking, LastError, hear};
use super::endpoint::checked;
use crate::connect::Connection;
use crate::model::{Member, Problem, Result, Share};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

/// The name of our members, and the mark on our offsets.
const OURS: &str = "mqsafe-verify";
/// One answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How long it may take until the group has given a share, even an empty one.
const JOIN: Duration = Duration::from_secs(60);
/// How finely it is polled.
const SLICE: Duration = Duration::from_millis(100);
/// How often an old member is looked for whose session is not over yet.
const SESSION: &str = "10000";

/// A member of a group.
pub struct KafkaMember {
    target: KafkaTarget,
    group: String,
    consumer: Option<BaseConsumer<Asking>>,
    last_error: LastError,
}

impl KafkaMember {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// As for a scan of the topic.
    pub fn new(connection: &Connection, topic: &str, group: &str) -> Result<KafkaMember> {
        let target = KafkaTarget::new(connection, topic)?;
        checked(&target)?;
        Ok(KafkaMember {
            target,
            group: group.to_owned(),
            consumer: None,
            last_error: LastError::default(),
        })
    }

    fn cannot(&self, why: &dyn std::fmt::Display) -> Problem {
        Problem::unknown(format!("group {} cannot be joined", self.group))
            .because(why)
            .next("ask for READ on the group, or give each reader some partitions with -p")
    }

    fn client(&self) -> Result<BaseConsumer<Asking>> {
        let mut config = self.target.consumer(true);
        config.set("group.id", &self.group);
        config.set("client.id", OURS);
        config.set("session.timeout.ms", SESSION);
        config.set("partition.assignment.strategy", "range");
        // A partition whose offset was never committed is not read by this client anyway.
        config.set("auto.offset.reset", "latest");
        let client: BaseConsumer<Asking> = config
            .create_with_context(Asking::new(&self.target, self.last_error.clone()))
            .map_err(|e| config::refused(&e, &self.target.properties))?;
        hear(&client);
        Ok(client)
    }

    fn partitions(&self, client: &BaseConsumer<Asking>) -> Result<Vec<i32>> {
        let topic = &self.target.topic;
        let known = client
            .fetch_metadata(Some(topic), ANSWER)
            .map_err(|e| self.cannot(&e))?;
        let all = known.topics().iter().find(|t| t.name() == topic);
        let mut all: Vec<i32> = all.iter().flat_map(|t| t.partitions()).map(|p| p.id()).collect();
        all.sort_unstable();
        match all.is_empty() {
            true => Err(
                Problem::absent(format!("topic {topic} does not exist on {}", self.target.broker))
                    .next("check its spelling; an absent topic is not an empty one"),
            ),
            false => Ok(all),
        }
    }

    /// What was committed to the group, which must be ours.
    fn committed(&self, client: &BaseConsumer<Asking>, all: &[i32]) -> Result<TopicPartitionList> {
        let mut asked = TopicPartitionList::new();
        for partition in all {
            asked.add_partition(&self.target.topic, *partition);
        }
        let committed = client.committed_offsets(asked, ANSWER).map_err(|e| self.cannot(&e))?;
        let is_foreign = |p: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            matches!(p.offset(), Offset::Offset(_)) && p.metadata() != OURS
        };
        match committed.elements().iter().any(is_foreign) {
            true => Err(self.foreign("offsets were committed to it by somebody else")),
            false => Ok(committed),
        }
    }

    fn foreign(&self, why: &str) -> Problem {
        Problem::usage(format!("group {} is somebody else's", self.group))
            .because(why)
            .next("give --group a name of its own: joining takes partitions away from the members that are there")
    }

    fn join(&mut self) -> Result<()> {
        if self.consumer.is_some() {
            return Ok(());
        }
        let client = self.client()?;
        let all = self.partitions(&client)?;
        self.committed(&client, &all)?;
        let groups = client
            .fetch_group_list(Some(&self.group), ANSWER)
            .map_err(|e| self.cannot(&e))?;
        let members = groups
            .groups()
            .iter()
            .filter(|g| g.name() == self.group)
            .flat_map(|g| g.members());
        if let Some(other) = members.into_iter().find(|m| m.client_id() != OURS) {
            return Err(self.foreign(&format!(
                "{} at {} is a member of it",
                other.client_id(),
                other.client_host()
            )));
        }
        client
            .subscribe(&[&self.target.topic])
            .map_err(|e: KafkaError| self.cannot(&e))?;
        self.consumer = Some(client);
        Ok(())
    }
}

/// Takes what the client has to say. Messages are not wanted: the scanner reads them.
fn poll(consumer: &BaseConsumer<Asking>, topic: &str) -> Vec<i32> {
    let _ = consumer.poll(SLICE);
    let assigned = consumer.assignment().ok();
    if let Some(assigned) = assigned.as_ref().filter(|assigned| assigned.count() > 0) {
        let _ = consumer.pause(assigned);
    }
    let mut mine: Vec<i32> = assigned
        .iter()
        .flat_map(|assigned| assigned.elements())
        .filter(|p| p.topic() == topic)
        .map(|p| p.partition())
        .collect();
    mine.sort_unstable();
    mine
}

impl Member for KafkaMember {
    fn share(&mut self, settled: Duration, go_on: &mut dyn FnMut() -> bool) -> Result<Option<Share>> {
        self.join()?;
        let Some(consumer) = &self.consumer else {
            return Err(self.cannot(&"there is no client"));
        };
        let (began, mut since, mut mine) = (Instant::now(), Instant::now(), Vec::new());
        loop {
            if !go_on() {
                return Ok(None);
            }
            let now = poll(consumer, &self.target.topic);
            // An empty share may be one, when there are more members than partitions.
            let patience = if now.is_empty() {
                settled.max(Duration::from_secs(15))
            } else {
                settled
            };
            if now != mine {
                (mine, since) = (now, Instant::now());
            } else if since.elapsed() >= patience {
                break;
            }
            if began.elapsed() >= JOIN {
                return Err(self.cannot(&"its members come and go, and the shares do not settle"));
            }
        }
        let all = self.partitions(consumer)?;
        let committed = self.committed(consumer, &all)?;
        let offset = |partition: i32| {
            let found = committed.find_partition(&self.target.topic, partition)?;
            match found.offset() {
                Offset::Offset(offset) => Some(offset),
                Offset::Beginning | Offset::End | Offset::Stored | Offset::Invalid | Offset::OffsetTail(_) => None,
            }
        };
        Ok(Some(Share {
            mine: mine
                .into_iter()
                .map(|partition| (partition, offset(partition)))
                .collect(),
            all,
        }))
    }

    fn stay(&self) {
        if let Some(consumer) = &self.consumer {
            poll(consumer, &self.target.topic);
        }
    }

    fn read_up_to(&mut self, partitions: &[(i32, i64)]) -> Result<()> {
        let Some(consumer) = &self.consumer else {
            return Err(self.cannot(&"there is no client"));
        };
        let mine = poll(consumer, &self.target.topic);
        let mut list = TopicPartitionList::new();
        for (partition, offset) in partitions.iter().filter(|(partition, _)| mine.contains(partition)) {
            list.add_partition_offset(&self.target.topic, *partition, Offset::Offset(*offset))
                .map_err(|e| self.cannot(&e))?;
            if let Some(mut added) = list.find_partition(&self.target.topic, *partition) {
                added.set_metadata(OURS);
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        consumer.commit(&list, CommitMode::Sync).map_err(|e| {
            Problem::unknown(format!("group {} did not take how far was read", self.group))
                .because(e)
                .next("its members read that again; the verdict stays the same")
        })
    }
}
