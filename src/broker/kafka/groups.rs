//! How far consumer groups have come in a topic, and which topics look like places of its copies.

use super::config::KafkaTarget;
use super::context::{Asking, LastError, hear};
use super::endpoint::checked;
use crate::connect::Connection;
use crate::model::{Follow, Following, GroupPosition, Problem, Result};
use crate::query::copies_of;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many groups are asked for at the same time.
const AT_ONCE: usize = 4;
/// One answer.
const ANSWER: Duration = Duration::from_secs(5);

/// The readers of one topic.
pub struct KafkaFollow {
    target: KafkaTarget,
}

impl KafkaFollow {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// As for a scan of the topic.
    pub fn new(connection: &Connection, topic: &str) -> Result<KafkaFollow> {
        let target = KafkaTarget::new(connection, topic)?;
        checked(&target)?;
        Ok(KafkaFollow { target })
    }

    /// A client that belongs to no group, or asks as one without joining it.
    fn client(&self, group: Option<&str>) -> KafkaResult<BaseConsumer<Asking>> {
        let mut config = self.target.consumer(true);
        if let Some(group) = group {
            config.set("group.id", group);
        }
        let client = config.create_with_context(Asking::new(&self.target, LastError::default()))?;
        hear(&client);
        Ok(client)
    }

    /// Where one group stands; nothing when it never committed an offset of the topic.
    fn positions(
        &self,
        group: &str,
        is_online: Option<bool>,
        ends: &[(i32, Option<(i64, i64)>)],
    ) -> KafkaResult<Vec<GroupPosition>> {
        let client = self.client(Some(group))?;
        let mut asked = TopicPartitionList::new();
        for (partition, _) in ends {
            asked.add_partition(&self.target.topic, *partition);
        }
        let committed = client.committed_offsets(asked, ANSWER)?;
        let mut positions = Vec::new();
        for (partition, end) in ends {
            let Some(found) = committed.find_partition(&self.target.topic, *partition) else {
                continue;
            };
            found.error()?;
            let next = match found.offset() {
                Offset::Offset(next) => Some(next),
                Offset::Beginning | Offset::End | Offset::Stored | Offset::Invalid | Offset::OffsetTail(_) => None,
            };
            positions.push(GroupPosition {
                group: group.to_owned(),
                partition: *partition,
                next,
                start: end.map(|(start, _)| start),
                end: end.map(|(_, end)| end),
                is_online,
                ..GroupPosition::default()
            });
        }
        Ok(positions)
    }
}

impl Follow for KafkaFollow {
    fn follow(&mut self, places: &[(Option<String>, i32)], patience: Duration) -> Result<Following> {
        let (topic, start) = (self.target.topic.as_str(), Instant::now());
        let left = || patience.saturating_sub(start.elapsed());
        let cannot = |why: &dyn std::fmt::Display| {
            Problem::unknown(format!("the readers of {topic} are not known")).because(why)
        };
        let client = self.client(None).map_err(|e| cannot(&e))?;
        let all = client.fetch_metadata(None, left()).map_err(|e| cannot(&e))?;
        let mut known = Following {
            copies: copies_of(topic, all.topics().iter().map(|t| t.name())),
            ..Following::default()
        };
        let ends: Vec<(i32, Option<(i64, i64)>)> = places
            .iter()
            .map(|(_, partition)| {
                let ends = client.fetch_watermarks(topic, *partition, ANSWER.min(left()));
                (*partition, ends.ok())
            })
            .collect();
        if places.is_empty() {
            return Ok(known);
        }
        let groups = client
            .fetch_group_list(None, left().max(ANSWER))
            .map_err(|e| cannot(&e));
        let groups: Vec<(String, Option<bool>)> = match groups {
            Ok(groups) => groups
                .groups()
                .iter()
                // Producers of Connect and Streams register other kinds of groups, which commit nothing.
                .filter(|group| ["consumer", ""].contains(&group.protocol_type()))
                .map(|group| (group.name().to_owned(), state(group.state())))
                .collect(),
            Err(why) => {
                known.unknown.push(why.to_string());
                Vec::new()
            }
        };
        let (turn, positions, failures) = (AtomicUsize::new(0), Mutex::default(), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(groups.len()) {
                scope.spawn(|| {
                    while let Some((group, is_online)) = groups.get(turn.fetch_add(1, Ordering::Relaxed)) {
                        let asked = match left().is_zero() {
                            true => Err("there was no time left to ask".to_owned()),
                            false => self.positions(group, *is_online, &ends).map_err(|e| e.to_string()),
                        };
                        match asked {
                            Ok(its) => {
                                let mut all: std::sync::MutexGuard<'_, Vec<GroupPosition>> =
                                    positions.lock().unwrap_or_else(PoisonError::into_inner);
                                all.extend(its);
                            }
                            Err(why) => failures
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .push(format!("group {group}: {why}")),
                        }
                    }
                });
            }
        });
        known.groups = positions.into_inner().unwrap_or_else(PoisonError::into_inner);
        // A group that never committed here and has nobody here reads something else.
        let has_any: std::collections::BTreeSet<String> = known
            .groups
            .iter()
            .filter(|g| g.next.is_some())
            .map(|g| g.group.clone())
            .collect();
        known.groups.retain(|g| has_any.contains(&g.group));
        known
            .groups
            .sort_by(|a, b| (&a.group, a.partition).cmp(&(&b.group, b.partition)));
        known
            .unknown
            .extend(failures.into_inner().unwrap_or_else(PoisonError::into_inner));
        Ok(known)
    }
}

/// Whether a group in this state has members; brokers may not tell of groups of the newer protocol here.
fn state(state: &str) -> Option<bool> {
    match state {
        "Stable" | "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling" => Some(true),
        "Empty" => Some(false),
        _ => None,
    }
}
