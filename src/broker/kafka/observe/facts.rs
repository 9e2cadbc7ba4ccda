//! From what a cluster told to the facts that rules judge: one unit for each broker, one for all topics.

use super::release;
use super::seen::{Cluster, DEFAULT, Node, Setting, Synonym, Topic};
use crate::audit::fact::{Component, Dialect, FactValue, Given, Layer, Unit};
use crate::audit::live::{Sheet, canonical};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where a value comes from (`DescribeConfigsResponse.ConfigSource`). Rules ask for those that have a name.
const fn origin(source: i8) -> &'static str {
    match source {
        1 => canonical::ORIGIN_TOPIC,
        2 => canonical::ORIGIN_BROKER,
        3 => canonical::ORIGIN_CLUSTER,
        4 => "the broker's own file",
        5 => canonical::ORIGIN_DEFAULT,
        _ => "",
    }
}

fn given(places: &[Synonym]) -> Vec<Given> {
    let one = |place: &Synonym| Given {
        origin: origin(place.source),
        key: place.key.clone(),
        value: place.value.clone(),
    };
    places.iter().map(one).collect()
}

/// A dynamic setting of one broker (`ConfigSource.DYNAMIC_BROKER_CONFIG`).
const DYNAMIC_BROKER: i8 = 2;

/// The units of a cluster. `takes` says which topics are asked for; the broker's own are always told.
pub(super) fn units(target: &Arc<str>, cluster: &Cluster, takes: &dyn Fn(&str) -> bool) -> Vec<Unit> {
    let release = cluster.newest_metadata_version.and_then(release::of);
    let mut units: Vec<Unit> = cluster
        .nodes
        .iter()
        .filter(|(_, node)| !node.settings.is_empty())
        .map(|(id, node)| broker(target, cluster, *id, node))
        .collect();
    units.push(topics(target, cluster, takes));
    for unit in &mut units {
        unit.release = release;
        unit.brokers = Some(cluster.nodes.len());
    }
    units
}

fn broker(target: &Arc<str>, cluster: &Cluster, id: i32, node: &Node) -> Unit {
    let mut sheet = Sheet::new(target);
    let text = |value: &str| FactValue::Text(value.to_owned());
    for Setting {
        key,
        value,
        source,
        places,
    } in &node.settings
    {
        // What a broker has for share groups says nothing while nobody set it: most clusters have no such group.
        if *source == DEFAULT && key.starts_with("group.share.") {
            continue;
        }
        sheet.put(Layer::Broker, key.clone(), text(value), origin(*source));
        sheet.given(given(places));
    }
    if let Some(own) = node
        .settings
        .iter()
        .find(|s| s.key == "min.insync.replicas" && s.source == DYNAMIC_BROKER)
    {
        sheet.put(
            Layer::Broker,
            canonical::DYNAMIC_BROKER_MIN_INSYNC,
            text(&own.value),
            canonical::ORIGIN_BROKER,
        );
        sheet.given(given(&own.places));
    }
    if let Some(elr) = cluster.features.get("eligible.leader.replicas.version") {
        sheet.put(Layer::Broker, canonical::ELR, text(&elr.to_string()), "");
    } else if cluster.newest_metadata_version.is_some() && !cluster.features.is_empty() {
        sheet.put(Layer::Broker, canonical::ELR, text("0"), "");
    }
    if let Some(voters) = &cluster.voters {
        sheet.put(Layer::Broker, canonical::VOTERS, text(&voters.len().to_string()), "");
    }
    let offline: Vec<&str> = node
        .directories
        .iter()
        .filter(|d| d.error.is_some())
        .map(|d| d.path.as_str())
        .collect();
    if !offline.is_empty() {
        sheet.put(
            Layer::Broker,
            canonical::OFFLINE_DIRECTORIES,
            text(&offline.join(",")),
            "",
        );
    }
    let fullest = node
        .directories
        .iter()
        .filter_map(|d| used_percent(d.total_bytes, d.usable_bytes))
        .max();
    if let Some(percent) = fullest {
        sheet.put(
            Layer::Broker,
            canonical::DISK_USED_PERCENT,
            text(&percent.to_string()),
            "",
        );
    }
    if let Some(rack) = &node.rack {
        sheet.surround(Layer::Broker, "rack", rack.clone());
    }
    sheet.unit(
        Dialect::KafkaBroker,
        Component::KafkaBroker,
        Some(format!("broker {id}")),
    )
}

/// How full a disk is; `None` where the broker does not say.
fn used_percent(total_bytes: i64, usable_bytes: i64) -> Option<i64> {
    (total_bytes > 0 && usable_bytes >= 0)
        .then(|| (total_bytes - usable_bytes).max(0).saturating_mul(100) / total_bytes)
}

fn topics(target: &Arc<str>, cluster: &Cluster, takes: &dyn Fn(&str) -> bool) -> Unit {
    let mut sheet = Sheet::new(target);
    let racks: Vec<String> = cluster
        .nodes
        .iter()
        .map(|(id, node)| format!("{id}={}", node.rack.as_deref().unwrap_or_default().replace(' ', "_")))
        .collect();
    sheet.surround(Layer::Broker, canonical::BROKERS, racks.join(" "));
    let lags = lags(cluster);
    for (name, topic) in &cluster.topics {
        if !takes(name) && !name.starts_with("__") {
            continue;
        }
        sheet.subject(Layer::Topic, None, name);
        one(&mut sheet, topic);
        for (key, value) in lags.get(name.as_str()).into_iter().flatten() {
            sheet.put(Layer::Topic, *key, FactValue::Text(value.clone()), "");
        }
    }
    sheet.unit(Dialect::KafkaTopics, Component::KafkaBroker, None)
}

fn one(sheet: &mut Sheet, topic: &Topic) {
    let mut put = |key: &str, value: String, origin| sheet.put(Layer::Topic, key, FactValue::Text(value), origin);
    // The weakest partition: a reassignment may have left one behind.
    let copies = topic.partitions.iter().map(|p| p.replicas.len()).min().unwrap_or(0);
    put("replication.factor", copies.to_string(), "");
    put("partitions", topic.partitions.len().to_string(), "");
    let list = |ids: &[i32]| ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
    let assignment: Vec<String> = topic
        .partitions
        .iter()
        .map(|p| format!("{}={}", p.id, list(&p.replicas)))
        .collect();
    put(canonical::ASSIGNMENT, assignment.join(" "), "");
    let least = topic.settings.iter().find(|s| s.key == "min.insync.replicas");
    let least = least.and_then(|s| s.value.parse::<usize>().ok()).unwrap_or(1);
    let of = |is: &dyn Fn(&super::seen::Partition) -> bool| {
        let ids: Vec<i32> = topic.partitions.iter().filter(|p| is(p)).map(|p| p.id).collect();
        (!ids.is_empty()).then(|| list(&ids))
    };
    let states = [
        (canonical::OFFLINE, of(&|p| p.leader < 0)),
        // Since 3.7 no more are asked for than there are replicas; before, the topic is found to be unwritable by another rule.
        (
            canonical::UNDER_MIN_INSYNC,
            of(&|p| p.leader >= 0 && p.isr.len() < least.min(p.replicas.len())),
        ),
        (
            canonical::UNDER_REPLICATED,
            of(&|p| p.leader >= 0 && p.isr.len() < p.replicas.len() && p.isr.len() >= least.min(p.replicas.len())),
        ),
    ];
    for (key, partitions) in states {
        if let Some(partitions) = partitions {
            put(key, partitions, "");
        }
    }
    for Setting {
        key,
        value,
        source,
        places,
    } in &topic.settings
    {
        sheet.put(
            Layer::Topic,
            key.as_str(),
            FactValue::Text(value.clone()),
            origin(*source),
        );
        sheet.given(given(places));
    }
}

type Lags<'a> = BTreeMap<&'a str, Vec<(&'static str, String)>>;

/// What groups have not read, by topic: of each kind the worst.
fn lags(cluster: &Cluster) -> Lags<'_> {
    let mut all: Lags<'_> = BTreeMap::new();
    let topics: BTreeSet<&str> = cluster.positions.iter().map(|p| p.topic.as_str()).collect();
    for topic in topics {
        let its: Vec<_> = cluster.positions.iter().filter(|p| p.topic == topic).collect();
        let mut facts = Vec::new();
        let missed = |p: &super::seen::Position| p.start.map_or(0, |start| start - p.committed);
        if let Some(worst) = its.iter().max_by_key(|p| missed(p)).filter(|p| missed(p) > 0) {
            facts.push((canonical::COMMITTED, worst.committed.to_string()));
            facts.push((canonical::LOG_START, worst.start.unwrap_or_default().to_string()));
            facts.push((
                canonical::GROUP,
                format!("group `{}`, partition {}", worst.group, worst.partition),
            ));
        }
        let behind = its
            .iter()
            .filter(|p| p.half.is_some_and(|half| p.committed.max(p.start.unwrap_or(0)) < half));
        if let (Some(worst), Some(keeps)) = (behind.min_by_key(|p| p.committed), retention_ms(cluster, topic)) {
            facts.push((canonical::LAG_OLDEST_MS, (keeps / 2).to_string()));
            if facts.iter().all(|(key, _)| *key != canonical::GROUP) {
                facts.push((
                    canonical::GROUP,
                    format!("group `{}`, partition {}", worst.group, worst.partition),
                ));
            }
        }
        let idle = idle(cluster, topic);
        if !idle.is_empty() {
            facts.push((canonical::IDLE_MEMBERS, idle.join("; ")));
        }
        if !facts.is_empty() {
            all.insert(topic, facts);
        }
    }
    all
}

/// Groups that read this topic and have more members than all the topics that they read have partitions.
fn idle(cluster: &Cluster, topic: &str) -> Vec<String> {
    let mut found = Vec::new();
    let groups: BTreeSet<&str> = cluster
        .positions
        .iter()
        .filter(|p| p.topic == topic)
        .map(|p| p.group.as_str())
        .collect();
    for group in groups {
        let Some(members) = cluster.members.get(group) else {
            continue;
        };
        let read: BTreeSet<&str> = cluster
            .positions
            .iter()
            .filter(|p| p.group == group)
            .map(|p| p.topic.as_str())
            .collect();
        let partitions: usize = read
            .iter()
            .filter_map(|t| cluster.topics.get(*t))
            .map(|t| t.partitions.len())
            .sum();
        if partitions > 0 && *members > partitions {
            found.push(format!(
                "group `{group}` has {members} members for {partitions} partitions"
            ));
        }
    }
    found
}

/// How long a topic keeps its records; `None` for ever, or when it is not known.
pub(super) fn retention_ms(cluster: &Cluster, topic: &str) -> Option<i64> {
    let topic = cluster.topics.get(topic)?;
    let get = |key: &str| topic.settings.iter().find(|s| s.key == key).map(|s| s.value.as_str());
    // What is only compacted never expires.
    if get("cleanup.policy").is_some_and(|p| !p.contains("delete")) {
        return None;
    }
    get("retention.ms")?.parse().ok().filter(|ms| *ms > 0)
}
