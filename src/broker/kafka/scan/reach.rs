//! Reaching a cluster: the first connection, and where the topic lies.

use super::super::config::KafkaTarget;
use super::super::wire::ask::{self, Cluster};
use super::super::wire::{Connection, Limits, Settings};
use crate::model::Unreached;
use kafka_protocol::error::ResponseError as Code;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// How long one broker may take before the next is tried.
const EACH: Duration = Duration::from_secs(3);
/// How long a topic may stay unknown before that is the answer: one made a moment ago is not on every broker yet.
const PROPAGATION: Duration = Duration::from_secs(2);
/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection to some broker, and where that says the topic lies.
pub(super) type Reached = (Connection, Cluster);

/// The first of some brokers that answers, and where it says that the topic lies. An error of the topic is in the answer.
///
/// # Errors
/// Why the last of them does not answer, after `patience`, or at once when all of them refuse us.
pub(super) fn reach(
    target: &KafkaTarget,
    settings: &Settings,
    hosts: &[String],
    patience: Duration,
    limits: &Limits,
) -> Result<Reached, Unreached> {
    let start = Instant::now();
    let each = Limits {
        patience: patience.min(EACH),
        stop: Arc::clone(&limits.stop),
    };
    loop {
        let (mut last, mut refused) = (Unreached::new("no broker is named"), 0);
        for host in hosts {
            let answer = Connection::open(host, settings, &each).and_then(|mut connection| {
                let cluster = ask::cluster(&mut connection, &target.topic)?;
                Ok((connection, cluster))
            });
            match answer {
                Ok((_, cluster)) if is_young(&cluster) && start.elapsed() < PROPAGATION.min(patience) => {
                    last = Unreached::new("the topic is not known yet");
                }
                Ok(reached) => return Ok(reached),
                Err(why) => {
                    tracing::debug!("{host}: {}", why.why);
                    refused += usize::from(why.is_refusal());
                    last = why;
                }
            }
            if limits.is_stopped() {
                return Err(Unreached::new("stopped"));
            }
        }
        if refused == hosts.len() || start.elapsed() >= patience {
            return Err(last);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Whether the topic, or a part of it, may only not have come to this broker yet.
fn is_young(cluster: &Cluster) -> bool {
    [Code::UnknownTopicOrPartition, Code::LeaderNotAvailable]
        .iter()
        .any(|code| code.code() == cluster.error)
}

/// One attempt at any broker of the cluster.
///
/// # Errors
/// Why the last of them does not answer.
pub(super) fn again(
    target: &KafkaTarget,
    settings: &Settings,
    known: &Cluster,
    limits: &Limits,
) -> Result<Cluster, Unreached> {
    let mut hosts: Vec<String> = known.brokers.values().cloned().collect();
    hosts.extend(
        target
            .broker
            .hosts()
            .iter()
            .filter(|h| !known.brokers.values().any(|k| k == *h))
            .cloned(),
    );
    let mut last = Unreached::new("no broker is known");
    for host in &hosts {
        let answer = Connection::open(host, settings, limits).and_then(|mut c| ask::cluster(&mut c, &target.topic));
        match answer {
            Ok(cluster) => return Ok(cluster),
            Err(why) => last = why,
        }
        if limits.is_stopped() {
            break;
        }
    }
    Err(last)
}

/// The cluster, before anything is read; `None` when no broker answers in time.
pub(super) fn alone(target: &KafkaTarget, settings: &Settings, patience: Duration) -> Option<Reached> {
    let limits = Limits {
        patience,
        stop: Arc::new(AtomicBool::new(false)),
    };
    let reached = reach(target, settings, target.broker.hosts(), patience, &limits);
    reached.map_err(|why| tracing::debug!("{}", why.why)).ok()
}

/// As [`crate::model::Scan::is_compacted`].
pub(super) fn is_compacted(target: &KafkaTarget, settings: &Settings, patience: Duration) -> Option<bool> {
    let (mut connection, _) = alone(target, settings, patience)?;
    kept(&mut connection, &target.topic).compacted
}

/// As [`crate::model::Scan::hash_partitions`].
pub(super) fn partitions(cluster: &Cluster) -> Option<i32> {
    i32::try_from(cluster.partitions.len())
        .ok()
        .filter(|count| *count > 0 && cluster.error == 0)
}

/// As [`crate::model::Scan::log_ends`]: the end of the epoch that each leader leads in.
pub(super) fn log_ends(target: &KafkaTarget, settings: &Settings, patience: Duration) -> Vec<(i32, i64)> {
    let Some((_, cluster)) = alone(target, settings, patience) else {
        return Vec::new();
    };
    let limits = Limits {
        patience: patience.min(EACH),
        stop: Arc::new(AtomicBool::new(false)),
    };
    let mut ends = Vec::new();
    for (node, host) in &cluster.brokers {
        let its: Vec<_> = cluster
            .partitions
            .iter()
            .filter(|(_, place)| place.leader == *node)
            .collect();
        if its.is_empty() {
            continue;
        }
        let mut connection = match Connection::open(host, settings, &limits) {
            Ok(connection) => connection,
            Err(why) => {
                tracing::debug!("{host}: {}", why.why);
                continue;
            }
        };
        for (partition, place) in its {
            match ask::end_of_epoch(&mut connection, &target.topic, *partition, place.epoch, place.epoch) {
                Ok(end) => ends.extend(end.map(|(_, end)| (*partition, end))),
                Err(why) => {
                    tracing::debug!("{host}: {}", why.why);
                    break;
                }
            }
        }
    }
    ends
}

/// How a topic is kept, as far as the broker says it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Kept {
    /// Whether old values of a key are removed.
    pub(super) compacted: Option<bool>,
    /// Whether messages have the time of their append, which only grows.
    pub(super) append_time: Option<bool>,
}

/// Asks how a topic is kept. Whoever may not know does without.
pub(super) fn kept(connection: &mut Connection, topic: &str) -> Kept {
    match ask::settings(connection, topic, &["cleanup.policy", "message.timestamp.type"]) {
        Ok(found) => Kept {
            compacted: found.get("cleanup.policy").map(|policy| policy.contains("compact")),
            append_time: found.get("message.timestamp.type").map(|kind| kind == "LogAppendTime"),
        },
        Err(why) => {
            tracing::debug!("the settings of {topic} are not known: {}", why.why);
            Kept::default()
        }
    }
}
