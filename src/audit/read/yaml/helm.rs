//! Values of charts: Bitnami's Kafka and RabbitMQ, and RocketMQ's own, at the top or below the name of a dependency.

use super::{Found, Reader, embedded};
use crate::audit::fact::{Component, Dialect, Implied, Unit};
use crate::audit::read::images::{self, Image, Variable};
use crate::audit::read::sheet::Item;
use crate::audit::read::{Reading, properties, rabbitmq_conf};
use crate::text::Span;
use crate::text::yaml::{Node, Pair};

/// Reads a document of values; true when it was a chart's that is known here.
pub(super) fn read(reader: &Reader<'_>, document: &Node, found: &mut Found) -> bool {
    let mut any = chart(reader, document, None, found);
    for pair in document.map().iter().filter(|p| p.value.is_map()) {
        any |= chart(reader, &pair.value, Some(pair), found);
    }
    any
}

fn chart(reader: &Reader<'_>, values: &Node, head: Option<&Pair>, found: &mut Found) -> bool {
    let repository = values.text_at(&["image", "repository"]).unwrap_or_default();
    let has = |path: &[&str]| values.at(path).is_some();
    let named = |name: &str| head.is_some_and(|p| p.key == name);
    let is_kafka = repository.ends_with("/kafka") && repository.contains("bitnami")
        || has(&["kraft"]) && (has(&["controller"]) || has(&["listeners"]) || has(&["replicaCount"]))
        || has(&["controller", "controllerOnly"])
        || has(&["controller", "overrideConfiguration"])
        || has(&["broker", "overrideConfiguration"])
        || has(&["offsetsTopicReplicationFactor"])
        || is_told_by_variables(values)
        || named("kafka")
            && (has(&["controller", "replicaCount"])
                || has(&["overrideConfiguration"])
                || has(&["extraConfig"])
                || has(&["controller", "extraConfig"])
                || has(&["broker", "extraConfig"]));
    let is_rabbitmq = repository.ends_with("/rabbitmq") && repository.contains("bitnami")
        || has(&["clustering", "partitionHandling"])
        || has(&["rabbitmqClusterPartitionHandling"])
        || has(&["extraConfiguration"]) && (has(&["auth"]) || has(&["clustering"]) || named("rabbitmq"));
    if is_kafka {
        kafka(reader, values, head, found);
    } else if is_rabbitmq {
        rabbitmq(reader, values, head, found);
    } else if values
        .text_at(&["broker", "image", "repository"])
        .is_some_and(|r| r.contains("rocketmq"))
    {
        rocketmq(reader, values, found);
    } else {
        return false;
    }
    true
}

/// Whether values give a container the variables that only Bitnami's Kafka takes.
fn is_told_by_variables(values: &Node) -> bool {
    let variables = values.get("extraEnvVars").map(Node::list).unwrap_or_default();
    let names = variables.iter().filter_map(|v| v.text_at(&["name"]));
    names.into_iter().any(|name| name.starts_with("KAFKA_CFG_"))
}

/// A block or mapping of settings under one of the chart's names.
fn settings(reader: &Reader<'_>, values: &Node, keys: &[&str], items: &mut Vec<Item>) {
    for pair in keys.iter().filter_map(|k| values.pair(k)) {
        if pair.value.is_map() {
            items.extend(reader.settings(&pair.value));
        } else {
            block(reader, pair, Dialect::KafkaBroker, items);
        }
    }
}

/// The settings in a block, as those of a dialect.
fn block(reader: &Reader<'_>, pair: &Pair, dialect: Dialect, items: &mut Vec<Item>) {
    let Some(block) = pair.value.block(reader.text) else {
        return;
    };
    let read = properties::read_at(reader.sheet.file, reader.sheet.source, block, &pair.key, Some(dialect));
    if let Reading::Units { units, .. } = read {
        let facts = units.into_iter().flat_map(|u| u.facts);
        items.extend(facts.map(|f| Item {
            key: f.key,
            value: f.value,
            span: f.place.span,
            effect: f.effect,
        }));
    }
}

/// Settings that the older releases of the chart had names of their own for.
const TYPED: [(&str, &str); 12] = [
    ("autoCreateTopicsEnable", "auto.create.topics.enable"),
    ("defaultReplicationFactor", "default.replication.factor"),
    ("logFlushIntervalMessages", "log.flush.interval.messages"),
    ("logFlushIntervalMs", "log.flush.interval.ms"),
    ("logRetentionBytes", "log.retention.bytes"),
    ("logRetentionHours", "log.retention.hours"),
    ("logsDirs", "log.dirs"),
    ("maxMessageBytes", "message.max.bytes"),
    ("numPartitions", "num.partitions"),
    ("offsetsTopicReplicationFactor", "offsets.topic.replication.factor"),
    ("transactionStateLogMinIsr", "transaction.state.log.min.isr"),
    (
        "transactionStateLogReplicationFactor",
        "transaction.state.log.replication.factor",
    ),
];

fn kafka(reader: &Reader<'_>, values: &Node, head: Option<&Pair>, found: &mut Found) {
    let mut items = Vec::new();
    for (name, key) in TYPED {
        // `_10000` was the chart's way to keep a number from becoming 1e4.
        if let Some(pair) = values.pair(name) {
            items.push(match pair.value.given().and_then(|t| t.strip_prefix('_')) {
                Some(number) => reader.sheet.item(key, number, pair.key_span, pair.value.span),
                None => reader.item(key, pair.key_span, &pair.value),
            });
        }
    }
    const NAMES: [&str; 4] = ["config", "extraConfig", "extraConfigYaml", "overrideConfiguration"];
    settings(reader, values, &NAMES, &mut items);
    for part in ["controller", "broker"] {
        if let Some(values) = values.get(part) {
            settings(reader, values, &NAMES, &mut items);
        }
    }
    let variables: Vec<Variable> = values
        .get("extraEnvVars")
        .map(Node::list)
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| {
            let (name, value) = (entry.pair("name")?, entry.pair("value")?);
            Some(Variable {
                name: name.value.text()?.to_owned(),
                value: value.value.text().map(str::to_owned),
                name_span: name.value.span,
                value_span: value.value.span,
            })
        })
        .collect();
    items.extend(images::settings(&reader.sheet, Image::BitnamiKafka, &variables));
    let mut unit = reader.sheet.unit(Dialect::KafkaBroker, Component::KafkaBroker, items);
    unit.implied = vec![Implied {
        key: "log.dirs",
        value: "/bitnami/kafka/data",
        assumes: None,
    }];
    let count = |path: &[&str]| values.text_at(path).and_then(|n| n.parse::<usize>().ok());
    let controllers = count(&["controller", "replicaCount"])
        .filter(|_| values.text_at(&["controller", "controllerOnly"]) != Some("true"));
    unit.brokers = match (controllers, count(&["broker", "replicaCount"])) {
        (None, None) => count(&["replicaCount"]),
        (a, b) => Some(a.unwrap_or(0) + b.unwrap_or(0)).filter(|n| *n > 0),
    };
    let mut around = Vec::new();
    for part in [Some(values), values.get("controller"), values.get("broker")]
        .into_iter()
        .flatten()
    {
        disks(reader, part, &mut around);
    }
    unit.surroundings = reader.sheet.surroundings(around);
    if unit.facts.is_empty() && unit.brokers.is_none() {
        unit.fragment = Some("other values of the chart may add it");
    }
    finish(reader, unit, values, head, found);
}

/// `persistence.enabled: false` is a disk that dies with its pod.
fn disks(reader: &Reader<'_>, values: &Node, around: &mut Vec<Item>) {
    let enabled = values.get("persistence").and_then(|p| p.pair("enabled"));
    if let Some(pair) = enabled.filter(|p| p.value.text() == Some("false")) {
        around.push(
            reader
                .sheet
                .item("storage.type", "ephemeral", pair.key_span, pair.value.span),
        );
    }
    if let Some(pair) = values.pair("replicaCount") {
        around.push(reader.item("replicas", pair.key_span, &pair.value));
    }
}

fn rabbitmq(reader: &Reader<'_>, values: &Node, head: Option<&Pair>, found: &mut Found) {
    let mut items = Vec::new();
    if let Some(pair) = values.get("clustering").and_then(|c| c.pair("partitionHandling")) {
        items.push(reader.item("cluster_partition_handling", pair.key_span, &pair.value));
    }
    if let Some(pair) = values.pair("rabbitmqClusterPartitionHandling") {
        items.push(reader.item("cluster_partition_handling", pair.key_span, &pair.value));
    }
    for pair in ["configuration", "extraConfiguration"]
        .iter()
        .filter_map(|k| values.pair(k))
    {
        let Some(block) = pair.value.block(reader.text) else {
            continue;
        };
        match rabbitmq_conf::read_at(reader.sheet.file, reader.sheet.source, block) {
            Reading::Units { units, .. } => items.extend(units.into_iter().flat_map(|u| u.facts).map(|f| Item {
                key: f.key,
                value: f.value,
                span: f.place.span,
                effect: f.effect,
            })),
            Reading::Malformed { .. } => {
                // The chart's own language stands in it.
                items.push(reader.sheet.typed(
                    "configuration",
                    crate::audit::fact::FactValue::Composite,
                    pair.key_span,
                    pair.key_span,
                ));
            }
            Reading::NotYet(_) | Reading::NotMessaging(_) => {}
        }
    }
    let mut unit = reader.sheet.unit(Dialect::RabbitmqConf, Component::RabbitMq, items);
    unit.implied = vec![Implied {
        key: "cluster_partition_handling",
        value: "autoheal",
        assumes: None,
    }];
    let mut around = Vec::new();
    disks(reader, values, &mut around);
    // The chart's pods are a StatefulSet's and keep their names.
    let span = head.map_or(values.span, |p| p.key_span);
    around.push(reader.sheet.item(
        "hostname",
        "stable",
        Span::new(span.start, span.start),
        Span::new(span.start, span.start),
    ));
    unit.surroundings = reader.sheet.surroundings(around);
    for pair in values
        .get("loadDefinition")
        .into_iter()
        .chain(values.get("extraSecrets"))
        .flat_map(|n| n.map())
    {
        for file in pair.value.map() {
            embedded::file(reader, file, &file.key, file.key_span, found);
        }
    }
    finish(reader, unit, values, head, found);
}

fn rocketmq(reader: &Reader<'_>, values: &Node, found: &mut Found) {
    let Some(broker) = values.pair("broker") else { return };
    let mut items = Vec::new();
    for pair in ["config", "conf"].iter().filter_map(|k| broker.value.pair(k)) {
        if pair.value.is_map() && pair.key == "config" {
            items.extend(reader.settings(&pair.value));
        } else {
            block(reader, pair, Dialect::RocketmqBroker, &mut items);
        }
    }
    let mut unit = reader.sheet.unit(Dialect::RocketmqBroker, Component::RocketMq, items);
    // The chart's template gives this where the values do not.
    unit.implied = vec![Implied {
        key: "flushDiskType",
        value: "SYNC_FLUSH",
        assumes: None,
    }];
    let mut around = Vec::new();
    disks(reader, &broker.value, &mut around);
    unit.surroundings = reader.sheet.surroundings(around);
    reader.named(&mut unit, "broker", broker.key_span, "helm");
    found.units.push(unit);
}

fn finish(reader: &Reader<'_>, mut unit: Unit, values: &Node, head: Option<&Pair>, found: &mut Found) {
    let (name, span) = match head {
        Some(pair) => (pair.key.as_str(), pair.key_span),
        None => (reader.name, values.map().first().map_or(values.span, |p| p.key_span)),
    };
    reader.named(&mut unit, name, span, "helm");
    unit.release = values.text_at(&["image", "tag"]).and_then(|tag| {
        let (image, name) = match unit.dialect {
            Dialect::KafkaBroker => (Image::BitnamiKafka, "bitnami/kafka"),
            _ => (Image::RabbitMq, "rabbitmq"),
        };
        images::release(image, &format!("{name}:{tag}"))
    });
    found.units.push(unit);
}
