//! Commands of Kafka's own tools.

use super::{hosts, quoted};
use crate::audit::fact::{Dialect, Subject, Unit};
use crate::audit::judge::Hit;
use crate::audit::terms::canonical::{ASSIGNMENT, BROKERS, ORIGIN_BROKER, ORIGIN_TOPIC};
use crate::config::Profile;
use std::collections::{BTreeMap, BTreeSet};

/// Settings of a broker that may be changed while it runs (Kafka `DynamicBrokerConfig`), of those that rules speak of, with the safe value.
const DYNAMIC: [(&str, Safe); 5] = [
    ("min.insync.replicas", Safe::MinInSync),
    ("unclean.leader.election.enable", Safe::Is("false")),
    ("log.retention.ms", Safe::Retention),
    ("log.retention.bytes", Safe::Is("-1")),
    ("log.cleanup.policy", Safe::Is("delete")),
];

/// The same of a topic.
const OF_TOPIC: [(&str, Safe); 6] = [
    ("min.insync.replicas", Safe::MinInSync),
    ("unclean.leader.election.enable", Safe::Is("false")),
    ("retention.ms", Safe::Retention),
    ("retention.bytes", Safe::Is("-1")),
    ("cleanup.policy", Safe::Is("delete")),
    ("message.timestamp.type", Safe::Is("LogAppendTime")),
];

#[derive(Clone, Copy)]
enum Safe {
    Is(&'static str),
    /// What the profile wants, as far as there are copies.
    MinInSync,
    /// As long as the profile wants.
    Retention,
}

pub(super) fn command(unit: &Unit, subject: Option<&Subject>, hit: &Hit, profile: &Profile) -> Option<String> {
    match (unit.dialect, subject) {
        (Dialect::KafkaTopics, Some(topic)) => of_topic(unit, topic, hit, profile),
        (Dialect::KafkaBroker, _) => of_broker(unit, hit, profile),
        _ => None,
    }
}

fn of_topic(unit: &Unit, topic: &Subject, hit: &Hit, profile: &Profile) -> Option<String> {
    let target = &unit.file;
    let copies = text(unit, topic, "replication.factor")?.parse::<i64>().ok()?;
    let key = hit.key.as_str();
    if key == "replication.factor" || hit.rule.code == "KT003" && copies < profile.thresholds.replication_factor {
        return reassign(unit, topic, profile.thresholds.replication_factor);
    }
    // Unread records are about to expire: kept twice as long as now, and the age that is told is half of what is kept.
    if hit.rule.code == "X-K07" && key == crate::audit::terms::canonical::LAG_OLDEST_MS {
        let age: i64 = hit.value.as_deref()?.parse().ok()?;
        return Some(set_topic(
            target,
            &topic.name,
            "retention.ms",
            &age.saturating_mul(4).to_string(),
        ));
    }
    let (key, safe) = OF_TOPIC.into_iter().find(|(known, _)| *known == key)?;
    let value = match safe {
        Safe::Is(value) => value.to_owned(),
        Safe::Retention => profile.thresholds.retention_ms().to_string(),
        Safe::MinInSync if copies < 2 => return None,
        Safe::MinInSync => profile
            .thresholds
            .min_insync_replicas
            .min(copies - 1)
            .max(1)
            .to_string(),
    };
    // Nothing is gained by the value that it has.
    if hit.value.as_deref() == Some(&value) {
        return reassign(unit, topic, profile.thresholds.replication_factor);
    }
    // A value of the topic's own that only has to go.
    if text(unit, topic, key).is_some()
        && unit.origin_of(topic, key) == Some(ORIGIN_TOPIC)
        && matches!(safe, Safe::Is("-1"))
    {
        return Some(format!(
            "{} --delete-config {}",
            alter(target, "topics", &topic.name),
            quoted(key)
        ));
    }
    Some(set_topic(target, &topic.name, key, &value))
}

fn of_broker(unit: &Unit, hit: &Hit, profile: &Profile) -> Option<String> {
    let target = &unit.file;
    if hit.key == crate::audit::terms::canonical::ELR {
        return Some(format!(
            "kafka-features.sh --bootstrap-server {} upgrade --feature eligible.leader.replicas.version=1",
            quoted(hosts(target))
        ));
    }
    if hit.key == crate::audit::terms::canonical::DYNAMIC_BROKER_MIN_INSYNC {
        let value = profile.thresholds.min_insync_replicas.to_string();
        return Some(set_brokers(target, "min.insync.replicas", &value));
    }
    let (key, safe) = DYNAMIC.into_iter().find(|(known, _)| *known == hit.key)?;
    let value = match safe {
        Safe::Is(value) => value.to_owned(),
        Safe::Retention => profile.thresholds.retention_ms().to_string(),
        Safe::MinInSync => profile.thresholds.min_insync_replicas.to_string(),
    };
    // What is set for this broker alone stands above the cluster's default.
    let at = unit.facts.iter().rposition(|f| f.key == key);
    let own = at.and_then(|i| unit.origin(i)) == Some(ORIGIN_BROKER);
    let node = unit.name.as_deref().and_then(|n| n.strip_prefix("broker "));
    match node.filter(|_| own) {
        Some(node) => Some(format!(
            "{} --delete-config {} && {}",
            alter(target, "brokers", node),
            quoted(key),
            set_brokers(target, key, &value)
        )),
        None => Some(set_brokers(target, key, &value)),
    }
}

/// Sets a value of one topic.
pub(in crate::audit) fn set_topic(target: &str, topic: &str, key: &str, value: &str) -> String {
    format!(
        "{} --add-config {}",
        alter(target, "topics", topic),
        quoted(&format!("{key}={value}"))
    )
}

/// Sets a value of all brokers that have none of their own.
fn set_brokers(target: &str, key: &str, value: &str) -> String {
    format!(
        "kafka-configs.sh --bootstrap-server {} --alter --entity-type brokers --entity-default --add-config {}",
        quoted(hosts(target)),
        quoted(&format!("{key}={value}"))
    )
}

/// Takes a dynamic value away, of one broker or, without one, of all.
pub(in crate::audit) fn unset_broker(target: &str, node: Option<&str>, key: &str) -> String {
    let whom = match node {
        Some(node) => alter(target, "brokers", node),
        None => format!(
            "kafka-configs.sh --bootstrap-server {} --alter --entity-type brokers --entity-default",
            quoted(hosts(target))
        ),
    };
    format!("{whom} --delete-config {}", quoted(key))
}

fn alter(target: &str, kind: &str, name: &str) -> String {
    format!(
        "kafka-configs.sh --bootstrap-server {} --alter --entity-type {kind} --entity-name {}",
        quoted(hosts(target)),
        quoted(name)
    )
}

fn text<'u>(unit: &'u Unit, topic: &Subject, key: &str) -> Option<&'u str> {
    unit.of(topic, key)?.value.text()
}

/// The reassignment that gives each partition of a topic so many copies: those that it has, and others where they are fewest, another
/// rack first. `None` where there are too few brokers.
fn reassign(unit: &Unit, topic: &Subject, wanted: i64) -> Option<String> {
    let wanted = usize::try_from(wanted).ok()?;
    let racks = racks(unit.surrounding(BROKERS).next()?.value.text()?);
    let assignment = text(unit, topic, ASSIGNMENT)?;
    if racks.len() < wanted {
        return None;
    }
    let mut load: BTreeMap<i32, usize> = racks.keys().map(|id| (*id, 0)).collect();
    let mut partitions = Vec::new();
    for entry in assignment.split(' ') {
        let (partition, replicas) = entry.split_once('=')?;
        let replicas: Vec<i32> = replicas.split(',').filter_map(|r| r.parse().ok()).collect();
        for replica in &replicas {
            *load.entry(*replica).or_default() += 1;
        }
        partitions.push((partition.parse::<i32>().ok()?, replicas));
    }
    let mut entries = Vec::new();
    for (partition, mut replicas) in partitions {
        while replicas.len() < wanted {
            let held: BTreeSet<Option<&str>> = replicas.iter().map(|r| racks.get(r).copied().flatten()).collect();
            let next = racks
                .iter()
                .filter(|(id, _)| !replicas.contains(id))
                .min_by_key(|(id, rack)| (rack.is_some() && held.contains(rack), load.get(id).copied(), **id))
                .map(|(id, _)| *id)?;
            *load.entry(next).or_default() += 1;
            replicas.push(next);
        }
        let list: Vec<String> = replicas.iter().map(i32::to_string).collect();
        entries.push(format!(
            "{{\"topic\":\"{}\",\"partition\":{partition},\"replicas\":[{}]}}",
            topic.name,
            list.join(",")
        ));
    }
    let plan = format!("{{\"version\":1,\"partitions\":[{}]}}", entries.join(","));
    Some(format!(
        "printf %s {} > reassign.json && kafka-reassign-partitions.sh --bootstrap-server {} --reassignment-json-file reassign.json --execute",
        quoted(&plan),
        quoted(hosts(&unit.file))
    ))
}

/// `1=eu-1a 2=eu-1b 3=` as brokers and their racks. A rack may hold anything but a space.
fn racks(text: &str) -> BTreeMap<i32, Option<&str>> {
    text.split(' ')
        .filter_map(|entry| {
            let (id, rack) = entry.split_once('=')?;
            Some((id.parse().ok()?, Some(rack).filter(|r| !r.is_empty())))
        })
        .collect()
}
