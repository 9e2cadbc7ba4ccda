//! The resources of RabbitMQ's cluster operator and topology operator.

use super::{Found, Reader};
use crate::audit::fact::{Component, Dialect, FactValue, Implied, Layer};
use crate::audit::read::sheet::{Item, Thing};
use crate::audit::read::{Reading, rabbitmq_conf};
use crate::text::yaml::{Node, Pair};

/// Reads one resource.
pub(super) fn read(reader: &Reader<'_>, resource: &Node, kind: &str, found: &mut Found) {
    let name = resource.get("metadata").and_then(|m| m.pair("name"));
    let spec = resource.get("spec");
    let layer = match kind {
        "RabbitmqCluster" => {
            cluster(reader, name, spec, found);
            return;
        }
        "Queue" => Layer::Queue,
        "Exchange" => Layer::Exchange,
        "Binding" => Layer::Binding,
        "Policy" => Layer::Policy,
        "OperatorPolicy" => Layer::OperatorPolicy,
        "Vhost" => Layer::VirtualHost,
        "Shovel" => Layer::Shovel,
        _ => {
            found.not_yet.get_or_insert(
                "a resource of RabbitMQ's operators that holds no setting that decides on messages".to_owned(),
            );
            return;
        }
    };
    let Some(spec) = spec else { return };
    let own = if layer == Layer::Binding { "source" } else { "name" };
    let Some(named) = spec.pair(own).or(name) else { return };
    let mut items = Vec::new();
    for pair in spec.map() {
        let key = match pair.key.as_str() {
            "name" | "source" | "vhost" | "rabbitmqClusterReference" | "uriSecret" => continue,
            "autoDelete" => "auto_delete".to_owned(),
            "applyTo" => "apply-to".to_owned(),
            "destinationType" => "destination_type".to_owned(),
            "defaultQueueType" => "default_queue_type".to_owned(),
            "ackMode" => "ack-mode".to_owned(),
            "arguments" | "definition" => {
                for inner in pair.value.map() {
                    items.push(reader.typed(format!("{}.{}", pair.key, inner.key), inner.key_span, &inner.value));
                }
                continue;
            }
            key => key.to_owned(),
        };
        items.push(reader.typed(key, pair.key_span, &pair.value));
    }
    // The field is false when it is left out, and the operator always sends it.
    if layer == Layer::Exchange && spec.get("durable").is_none() {
        items.push(
            reader
                .sheet
                .typed("durable", FactValue::Bool(false), named.value.span, named.value.span),
        );
    }
    found.topology.push(Thing {
        layer,
        vhost: Some(spec.text_at(&["vhost"]).unwrap_or("/").to_owned()).filter(|_| layer != Layer::VirtualHost),
        name: named.value.text().unwrap_or_default().to_owned(),
        span: named.value.span,
        items,
    });
}

const fn implied(key: &'static str, value: &'static str) -> Implied {
    Implied {
        key,
        value,
        assumes: None,
    }
}

fn cluster(reader: &Reader<'_>, name: Option<&Pair>, spec: Option<&Node>, found: &mut Found) {
    let rabbitmq = spec.and_then(|s| s.get("rabbitmq"));
    let config = rabbitmq.and_then(|r| r.pair("additionalConfig"));
    let mut units = Vec::new();
    if let Some(block) = config.and_then(|c| c.value.block(reader.text)) {
        match rabbitmq_conf::read_at(reader.sheet.file, reader.sheet.source, block) {
            Reading::Units { units: read, .. } => units = read,
            Reading::Malformed { .. } => {
                found.malformed.get_or_insert((
                    block.start,
                    "the settings in `additionalConfig` cannot be read".to_owned(),
                ));
                return;
            }
            Reading::NotYet(_) | Reading::NotMessaging(_) => {}
        }
    }
    let mut unit = units.pop().unwrap_or_else(|| {
        reader
            .sheet
            .unit(Dialect::RabbitmqConf, Component::RabbitMq, Vec::new())
    });
    unit.implied = vec![
        implied("cluster_partition_handling", "pause_minority"),
        implied("disk_free_limit.absolute", "2GB"),
    ];
    if rabbitmq.and_then(|r| r.get("advancedConfig")).is_some() {
        unit.fragment = Some("the advanced configuration may override it");
    }
    let mut around: Vec<Item> = Vec::new();
    // Left out it is one.
    match spec.and_then(|s| s.pair("replicas")) {
        Some(replicas) => around.push(reader.item("replicas", replicas.key_span, &replicas.value)),
        None => {
            if let Some(name) = name {
                around.push(reader.sheet.item("replicas", "1", name.value.span, name.value.span));
            }
        }
    }
    for key in ["storage", "emptyDir", "storageClassName"] {
        if let Some(pair) = spec.and_then(|s| s.get("persistence")).and_then(|p| p.pair(key)) {
            around.push(reader.item(format!("persistence.{key}"), pair.key_span, &pair.value));
        }
    }
    if let Some(image) = spec.and_then(|s| s.pair("image")) {
        around.push(reader.item("image", image.key_span, &image.value));
        unit.release = image
            .value
            .text()
            .and_then(|t| crate::audit::read::images::release(crate::audit::read::images::Image::RabbitMq, t));
    }
    // The pods of the operator keep their names.
    if let Some(name) = name {
        around.push(
            reader
                .sheet
                .item("hostname", "stable", name.value.span, name.value.span),
        );
        reader.named(
            &mut unit,
            name.value.text().unwrap_or_default(),
            name.value.span,
            "operator",
        );
    }
    unit.surroundings = reader.sheet.surroundings(around);
    found.units.push(unit);
}
