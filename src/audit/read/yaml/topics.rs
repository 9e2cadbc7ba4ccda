//! Topic descriptors: Julie, Jikkou, topicctl, Confluent's operator, and topic lists of charts.

use super::{Found, Reader};
use crate::audit::fact::{Component, Dialect, Layer, Unit};
use crate::audit::read::sheet::{Item, Thing};
use crate::text::yaml::{Node, Pair};

/// Reads a document of Julie or a chart's list of topics; true when it was one.
pub(super) fn read(reader: &Reader<'_>, document: &Node, found: &mut Found) -> bool {
    julie(reader, document, found) || provisioning(reader, document, found)
}

/// The names under which descriptors say replication, partitions and their settings.
const REPLICATION: [&str; 6] = [
    "replication-factor",
    "replicationFactor",
    "replication_factor",
    "replicas",
    "replication.factor",
    "numReplicas",
];
const PARTITIONS: [&str; 5] = [
    "partitions",
    "num.partitions",
    "partitionCount",
    "numPartitions",
    "partitionsCount",
];

/// One topic: a mapping with its name, what it says of copies, and its settings.
fn topic(reader: &Reader<'_>, name: &Pair, fields: &Node, settings: &[&str]) -> Thing {
    let mut items: Vec<Item> = Vec::new();
    for pair in fields.map() {
        push_counted(reader, pair, &mut items);
        if settings.contains(&pair.key.as_str()) {
            for inner in pair.value.map() {
                if !push_counted(reader, inner, &mut items) {
                    items.push(reader.item(inner.key.clone(), inner.key_span, &inner.value));
                }
            }
        }
    }
    Thing {
        layer: Layer::Topic,
        vhost: None,
        name: name.value.text().unwrap_or_default().to_owned(),
        span: name.value.span,
        items,
    }
}

fn push_counted(reader: &Reader<'_>, pair: &Pair, items: &mut Vec<Item>) -> bool {
    let key = match pair.key.as_str() {
        k if REPLICATION.contains(&k) => "replication.factor",
        k if PARTITIONS.contains(&k) => "partitions",
        _ => return false,
    };
    // A map of placements, as some descriptors have under such a name, is no number.
    if pair.value.text().is_some() {
        items.push(reader.item(key, pair.key_span, &pair.value));
    }
    true
}

fn unit(reader: &Reader<'_>, topics: Vec<Thing>, carrier: &'static str) -> Unit {
    let mut unit = reader
        .sheet
        .things(Dialect::KafkaTopics, Component::KafkaBroker, topics);
    unit.carrier = Some(carrier);
    unit
}

/// A topology of Julie: projects with topics; plans of it, and topics outside of projects.
fn julie(reader: &Reader<'_>, document: &Node, found: &mut Found) -> bool {
    let projects = document.get("projects").map(Node::list).unwrap_or_default();
    let is_julie = document.get("context").is_some()
        && (document.get("projects").is_some() || document.get("special_topics").is_some());
    if !is_julie {
        return plans(reader, document, found);
    }
    let lists = projects
        .iter()
        .filter_map(|p| p.get("topics"))
        .chain(document.get("special_topics"))
        .chain(document.get("specialTopics"));
    let mut topics = Vec::new();
    for entry in lists.flat_map(|l| l.list()) {
        if let Some(name) = entry.pair("name") {
            topics.push(topic(reader, name, entry, &["config"]));
        }
    }
    let mut unit = unit(reader, topics, "julie");
    unit.fragment = Some("a plan or the defaults of Julie may add it");
    if unit.subjects.is_empty() {
        found
            .not_yet
            .get_or_insert("a topology of Julie without topics".to_owned());
    } else {
        found.units.push(unit);
    }
    true
}

/// Plans of Julie: settings that topics share by the name of a plan.
fn plans(reader: &Reader<'_>, document: &Node, found: &mut Found) -> bool {
    let plans = document.get("plans").map(Node::map).unwrap_or_default();
    let is_plan = |p: &Pair| p.value.get("config").is_some() || p.value.get("alias").is_some();
    if plans.is_empty() || !plans.iter().all(is_plan) {
        return false;
    }
    let topics = plans.iter().map(|plan| Thing {
        name: plan.key.clone(),
        span: plan.key_span,
        ..topic(reader, plan, &plan.value, &["config"])
    });
    let topics: Vec<Thing> = topics.collect();
    found.units.push(unit(reader, topics, "julie"));
    true
}

/// `provisioning.topics` of Bitnami's chart and topic lists of other charts, wherever they stand below the top.
fn provisioning(reader: &Reader<'_>, document: &Node, found: &mut Found) -> bool {
    let mut topics = Vec::new();
    let at_top = document.get("provisioning").into_iter();
    let below = document.map().iter().filter_map(|p| p.value.get("provisioning"));
    for section in at_top.chain(below) {
        let default = section.pair("replicationFactor");
        for entry in section.get("topics").map(Node::list).unwrap_or_default() {
            let Some(name) = entry.pair("name") else { continue };
            let mut thing = topic(reader, name, entry, &["config"]);
            if let (Some(default), true) = (default, !thing.items.iter().any(|i| i.key == "replication.factor")) {
                thing
                    .items
                    .push(reader.item("replication.factor", default.key_span, &default.value));
            }
            topics.push(thing);
        }
    }
    if !topics.is_empty() {
        found.units.push(unit(reader, topics, "helm"));
    }
    // The rest of the values is still to be looked into.
    false
}

/// Resources of Jikkou.
pub(super) fn jikkou(reader: &Reader<'_>, resource: &Node, kind: &str, found: &mut Found) {
    let one = [resource];
    let resources: Vec<&Node> = match kind {
        "KafkaTopic" => one.to_vec(),
        "KafkaTopicList" => resource
            .get("items")
            .map(Node::list)
            .unwrap_or_default()
            .iter()
            .map(AsRef::as_ref)
            .collect(),
        _ => {
            found
                .not_yet
                .get_or_insert("a resource of Jikkou that declares no topic".to_owned());
            return;
        }
    };
    let topics: Vec<Thing> = resources
        .into_iter()
        .filter_map(|r| {
            let name = r.get("metadata")?.pair("name")?;
            Some(topic(reader, name, r.get("spec")?, &["configs"]))
        })
        .collect();
    if !topics.is_empty() {
        let mut unit = unit(reader, topics, "jikkou");
        unit.fragment = resource
            .at(&["spec", "configMapRefs"])
            .map(|_| "a map of settings may add it");
        found.units.push(unit);
    }
}

/// `KafkaTopic` of Confluent's operator.
pub(super) fn confluent(reader: &Reader<'_>, resource: &Node, found: &mut Found) {
    let (Some(name), Some(spec)) = (
        resource.get("metadata").and_then(|m| m.pair("name")),
        resource.get("spec"),
    ) else {
        return;
    };
    let topics = vec![topic(reader, spec.pair("name").unwrap_or(name), spec, &["configs"])];
    found.units.push(unit(reader, topics, "operator"));
}
