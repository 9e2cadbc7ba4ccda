//! The resources of Strimzi's operator.

use super::{Found, Reader};
use crate::audit::fact::{Component, Dialect, Layer, Unit};
use crate::audit::read::sheet::{Item, Thing};
use crate::text::yaml::Node;
use std::collections::{HashMap, HashSet};

/// Reads one resource.
pub(super) fn read(reader: &Reader<'_>, resource: &Node, kind: &str, found: &mut Found) {
    let spec = resource.get("spec");
    let name = resource.get("metadata").and_then(|m| m.pair("name"));
    let finish = |mut unit: Unit| {
        if let Some(name) = name {
            reader.named(
                &mut unit,
                name.value.text().unwrap_or_default(),
                name.value.span,
                "strimzi",
            );
        }
        unit.carrier = Some("strimzi");
        unit
    };
    let settings = |node: Option<&Node>| node.map(|n| reader.settings(n)).unwrap_or_default();
    let Some(spec) = spec else {
        found
            .not_yet
            .get_or_insert("a resource of Strimzi without a spec".to_owned());
        return;
    };
    match kind {
        "Kafka" => found.units.push(finish(kafka(reader, spec))),
        "KafkaNodePool" => found.units.push(finish(pool(reader, resource, spec))),
        "KafkaTopic" => {
            let Some(name) = name else { return };
            let named = spec.pair("topicName").unwrap_or(name);
            let mut items = Vec::new();
            for (from, key) in [("replicas", "replication.factor"), ("partitions", "partitions")] {
                if let Some(pair) = spec.pair(from) {
                    items.push(reader.item(key, pair.key_span, &pair.value));
                }
            }
            items.extend(settings(spec.get("config")));
            let thing = Thing {
                layer: Layer::Topic,
                vhost: None,
                name: named.value.text().unwrap_or_default().to_owned(),
                span: named.value.span,
                items,
            };
            found.units.push(finish(reader.sheet.things(
                Dialect::KafkaTopics,
                Component::KafkaBroker,
                vec![thing],
            )));
        }
        "KafkaConnect" | "KafkaConnectS2I" => {
            let mut unit = reader.sheet.unit(
                Dialect::KafkaConnect,
                Component::KafkaConnect,
                settings(spec.get("config")),
            );
            unit.release = release(spec.text_at(&["version"]));
            unit.surroundings = reader.sheet.surroundings(pairs(reader, spec, &["replicas"]));
            found.units.push(finish(unit));
        }
        "KafkaConnector" => {
            let mut items = settings(spec.get("config"));
            if let Some(class) = spec.pair("class") {
                items.insert(0, reader.item("connector.class", class.key_span, &class.value));
            }
            found.units.push(finish(reader.sheet.unit(
                Dialect::KafkaConnector,
                Component::KafkaConnect,
                items,
            )));
        }
        "KafkaMirrorMaker2" => mirror(reader, spec, found, &finish),
        "KafkaBridge" => {
            for (section, dialect) in [
                ("producer", Dialect::KafkaProducer),
                ("consumer", Dialect::KafkaConsumer),
            ] {
                if let Some(config) = spec.at(&[section, "config"]) {
                    found.units.push(finish(reader.sheet.unit(
                        dialect,
                        Component::KafkaClients,
                        reader.settings(config),
                    )));
                }
            }
            found
                .not_yet
                .get_or_insert("a bridge without settings of its producer or consumer".to_owned());
        }
        "KafkaMirrorMaker" => {
            for (section, dialect) in [
                ("producer", Dialect::KafkaProducer),
                ("consumer", Dialect::KafkaConsumer),
            ] {
                let config = spec.at(&[section, "config"]);
                found.units.push(finish(reader.sheet.unit(
                    dialect,
                    Component::KafkaClients,
                    settings(config),
                )));
            }
        }
        _ => {
            found
                .not_yet
                .get_or_insert("a resource of Strimzi that holds no setting that decides on messages".to_owned());
        }
    }
}

fn release(version: Option<&str>) -> Option<(u16, u16, u16)> {
    let mut parts = version?.split('.').map(str::parse::<u16>);
    Some((
        parts.next()?.ok()?,
        parts.next()?.ok()?,
        parts.next().and_then(Result::ok).unwrap_or(0),
    ))
}

fn pairs(reader: &Reader<'_>, node: &Node, keys: &[&str]) -> Vec<Item> {
    let pairs = keys.iter().filter_map(|k| node.pair(k));
    pairs
        .map(|p| reader.item(p.key.clone(), p.key_span, &p.value))
        .collect()
}

/// The disks of a cluster or a pool: `storage.type` and `storage.deleteClaim`, once for every volume.
fn storage(reader: &Reader<'_>, spec: &Node) -> Vec<Item> {
    let Some(storage) = spec.get("storage") else {
        return Vec::new();
    };
    let volumes = storage.get("volumes").map(Node::list).unwrap_or_default();
    let one = [storage];
    let each: Vec<&Node> = if volumes.is_empty() {
        one.to_vec()
    } else {
        volumes.iter().map(AsRef::as_ref).collect()
    };
    let mut items = Vec::new();
    for volume in each {
        for key in ["type", "deleteClaim", "sizeLimit"] {
            if let Some(pair) = volume.pair(key) {
                items.push(reader.item(format!("storage.{key}"), pair.key_span, &pair.value));
            }
        }
    }
    items
}

fn kafka(reader: &Reader<'_>, spec: &Node) -> Unit {
    let kafka = spec.get("kafka");
    let items = kafka
        .and_then(|k| k.get("config"))
        .map(|c| reader.settings(c))
        .unwrap_or_default();
    let mut unit = reader.sheet.unit(Dialect::KafkaBroker, Component::KafkaBroker, items);
    let Some(kafka) = kafka else { return unit };
    unit.release = release(kafka.text_at(&["version"]));
    let mut around = pairs(reader, kafka, &["replicas"]);
    around.extend(storage(reader, kafka));
    if let Some(rack) = kafka.get("rack").and_then(|r| r.pair("topologyKey")) {
        around.push(reader.item("rack.topologyKey", rack.key_span, &rack.value));
    }
    unit.surroundings = reader.sheet.surroundings(around);
    unit.brokers = kafka.text_at(&["replicas"]).and_then(|n| n.parse().ok());
    unit
}

fn pool(reader: &Reader<'_>, resource: &Node, spec: &Node) -> Unit {
    let mut unit = reader
        .sheet
        .unit(Dialect::KafkaNodePool, Component::KafkaBroker, Vec::new());
    let mut around = pairs(reader, spec, &["replicas"]);
    around.extend(storage(reader, spec));
    if let Some(roles) = spec.pair("roles") {
        around.push(reader.item("process.roles", roles.key_span, &roles.value));
    }
    if let Some(label) = resource
        .at(&["metadata", "labels"])
        .and_then(|l| l.pair("strimzi.io/cluster"))
    {
        around.push(reader.item("cluster", label.key_span, &label.value));
    }
    unit.surroundings = reader.sheet.surroundings(around);
    unit
}

/// Gives the disks and the number of pods of every pool to its cluster, where one file holds both.
pub(super) fn join_pools(found: &mut Found) {
    let text = |unit: &Unit, key: &str| {
        unit.surrounding(key)
            .next()
            .and_then(|f| f.value.text())
            .map(str::to_owned)
    };
    let pools: Vec<Unit> = found
        .units
        .iter()
        .filter(|u| u.dialect == Dialect::KafkaNodePool)
        .cloned()
        .collect();
    if pools.is_empty() {
        return;
    }
    let mut of_cluster: HashMap<String, Vec<&Unit>> = HashMap::new();
    for pool in &pools {
        if let Some(cluster) = text(pool, "cluster") {
            of_cluster.entry(cluster).or_default().push(pool);
        }
    }
    let clusters: HashSet<String> = found
        .units
        .iter()
        .filter(|u| u.dialect == Dialect::KafkaBroker && u.carrier == Some("strimzi"))
        .filter_map(|u| u.name.clone())
        .collect();
    found
        .units
        .retain(|u| u.dialect != Dialect::KafkaNodePool || !text(u, "cluster").is_some_and(|c| clusters.contains(&c)));
    for unit in found
        .units
        .iter_mut()
        .filter(|u| u.dialect == Dialect::KafkaBroker && u.carrier == Some("strimzi"))
    {
        let mut brokers = 0;
        let mut known = true;
        let own = unit.name.as_ref().and_then(|name| of_cluster.get(name));
        for pool in own.into_iter().flatten() {
            unit.surroundings.extend(
                pool.surroundings
                    .iter()
                    .filter(|f| f.key.starts_with("storage."))
                    .cloned(),
            );
            if text(pool, "process.roles").is_none_or(|r| r.contains("broker")) {
                match text(pool, "replicas").and_then(|n| n.parse::<usize>().ok()) {
                    Some(n) => brokers += n,
                    None => known = false,
                }
            }
        }
        if brokers > 0 {
            unit.brokers = Some(brokers).filter(|_| known);
        }
    }
}

/// Every mirror with the settings of its connectors together, and the workers of the target.
fn mirror(reader: &Reader<'_>, spec: &Node, found: &mut Found, finish: &dyn Fn(Unit) -> Unit) {
    let target = spec.at(&["target", "config"]);
    let name = spec.text_at(&["connectCluster"]);
    let clusters = spec.get("clusters").map(Node::list).unwrap_or_default();
    let worker = target.or_else(|| {
        let cluster = clusters.iter().find(|c| c.text_at(&["alias"]) == name)?;
        cluster.get("config")
    });
    if let Some(worker) = worker {
        found.units.push(finish(reader.sheet.unit(
            Dialect::KafkaConnect,
            Component::KafkaConnect,
            reader.settings(worker),
        )));
    }
    for mirror in spec.get("mirrors").map(Node::list).unwrap_or_default() {
        let mut items = Vec::new();
        for connector in ["heartbeatConnector", "checkpointConnector", "sourceConnector"] {
            if let Some(config) = mirror.at(&[connector, "config"]) {
                // What only belongs to the source is the mirror's; the others' own topics have names of their own.
                items.extend(reader.settings(config));
            }
        }
        let mut unit = finish(reader.sheet.unit(Dialect::KafkaMirror, Component::KafkaConnect, items));
        unit.head = Some(reader.sheet.place(mirror.span))
            .filter(|_| mirror.span.start < mirror.span.end)
            .map(|mut p| {
                p.span.end = p.span.start;
                p
            });
        found.units.push(unit);
    }
}
