//! Terraform: topics of Kafka, and queues, exchanges, bindings and policies of RabbitMQ.

use super::sheet::{Item, Sheet, Thing};
use super::{Reading, properties};
use crate::audit::fact::{Component, Dialect, FactValue, Layer, Unit};
use crate::audit::secret::{Masks, is_secret_name, is_secret_text, pem_regions};
use crate::text::hcl::{self, Attribute, Block, Body, Value};
use crate::text::{SourceFile, Span};
use std::sync::Arc;

/// What resources of messaging are called, at least in part.
const WORDS: [&str; 4] = ["kafka", "rabbitmq_", "_msk_", "rocketmq"];

/// Reads a file of Terraform.
pub(super) fn read(file: &Arc<str>, source: &SourceFile) -> Reading {
    const OTHER: Reading = Reading::NotMessaging("it is Terraform without a resource of Kafka, RabbitMQ or RocketMQ");
    let Ok(text) = source.utf8() else {
        return Reading::NotMessaging("it is not a text file");
    };
    if !WORDS.iter().any(|w| text.contains(w)) {
        return OTHER;
    }
    let body = match hcl::parse(text) {
        Ok(body) => body,
        Err(e) if text.contains("\"kafka_topic\"") || text.contains("\"rabbitmq_") => {
            return Reading::Malformed {
                spot: source.spot(e.offset),
                what: e.what.to_owned(),
            };
        }
        Err(_) => return OTHER,
    };
    let mut spans = pem_regions(source.bytes());
    mask(&body, &mut spans);
    let masks = Masks::new(spans);
    let sheet = Sheet {
        file,
        source,
        masks: &masks,
        joined: &[],
    };
    let (mut topics, mut topology, mut units, mut not_yet) = (Vec::new(), Vec::new(), Vec::new(), None);
    for block in body.blocks_of("resource") {
        let [(kind, _), (label, label_span)] = block.labels.as_slice() else {
            continue;
        };
        match kind.as_str() {
            "kafka_topic" => topics.push(topic(
                &sheet,
                block,
                label,
                *label_span,
                "name",
                &["replication_factor"],
            )),
            "confluent_kafka_topic" => topics.push(topic(&sheet, block, label, *label_span, "topic_name", &[])),
            "aiven_kafka_topic" => {
                topics.push(topic(&sheet, block, label, *label_span, "topic_name", &["replication"]))
            }
            // What else provides clusters of Kafka.
            kind if kind.ends_with("kafka_topic") => {
                let name = if block.body.get("topic_name").is_some() {
                    "topic_name"
                } else {
                    "name"
                };
                let factor = ["replication_factor", "replication", "replicas"];
                topics.push(topic(&sheet, block, label, *label_span, name, &factor));
            }
            "rabbitmq_queue" => topology.push(thing(&sheet, block, Layer::Queue, "name", label, *label_span)),
            "rabbitmq_exchange" => topology.push(thing(&sheet, block, Layer::Exchange, "name", label, *label_span)),
            "rabbitmq_policy" => topology.push(thing(&sheet, block, Layer::Policy, "name", label, *label_span)),
            "rabbitmq_operator_policy" => {
                topology.push(thing(&sheet, block, Layer::OperatorPolicy, "name", label, *label_span))
            }
            "rabbitmq_binding" => topology.push(thing(&sheet, block, Layer::Binding, "source", label, *label_span)),
            "rabbitmq_shovel" => topology.push(thing(&sheet, block, Layer::Shovel, "name", label, *label_span)),
            "aws_msk_configuration" => {
                if let Some(a) = block
                    .body
                    .get("server_properties")
                    .filter(|a| matches!(a.value, Value::Heredoc(_)))
                {
                    let read = properties::read_at(file, source, a.value_span, label, Some(Dialect::KafkaBroker));
                    if let Reading::Units { units: read, .. } = read {
                        units.extend(read.into_iter().map(|u| named(&sheet, u, label, *label_span)));
                    }
                }
            }
            kind if WORDS.iter().any(|w| kind.contains(w)) => {
                not_yet = Some("its resources hold no setting that decides on messages".to_owned());
            }
            _ => {}
        }
    }
    if !topics.is_empty() {
        let mut unit = sheet.things(Dialect::KafkaTopics, Component::KafkaBroker, topics);
        unit.carrier = Some("terraform");
        units.push(unit);
    }
    if !topology.is_empty() {
        let mut unit = sheet.things(Dialect::RabbitmqDefinitions, Component::RabbitMq, topology);
        unit.carrier = Some("terraform");
        unit.fragment = Some("other files may declare bindings and policies");
        units.push(unit);
    }
    match (units.is_empty(), not_yet) {
        (false, _) => Reading::Units { units, masks },
        (true, Some(what)) => Reading::NotYet(what),
        (true, None) => OTHER,
    }
}

fn named(sheet: &Sheet<'_>, mut unit: Unit, name: &str, span: Span) -> Unit {
    unit.name = Some(name.to_owned());
    unit.head = Some(sheet.place(span));
    unit.carrier = Some("terraform");
    unit
}

fn mask(body: &Body, spans: &mut Vec<Span>) {
    for attribute in &body.attributes {
        mask_attribute(attribute, spans);
    }
    for block in &body.blocks {
        mask(&block.body, spans);
    }
}

fn mask_attribute(attribute: &Attribute, spans: &mut Vec<Span>) {
    let text = match &attribute.value {
        Value::Text(text) | Value::Heredoc(text) => text.as_str(),
        Value::Object(inner) => {
            inner.iter().for_each(|a| mask_attribute(a, spans));
            ""
        }
        _ => "",
    };
    if is_secret_name(&attribute.name) || is_secret_text(text) || attribute.name.ends_with("uri") {
        spans.push(attribute.value_span);
    }
}

fn value(value: &Value) -> FactValue {
    match value {
        Value::Text(text) | Value::Heredoc(text) | Value::Number(text) => FactValue::Text(text.clone()),
        Value::Bool(truth) => FactValue::Bool(*truth),
        Value::Null => FactValue::Null,
        Value::List(_) | Value::Object(_) | Value::Other => FactValue::Composite,
    }
}

fn item(sheet: &Sheet<'_>, key: impl Into<String>, attribute: &Attribute) -> Item {
    sheet.typed(key, value(&attribute.value), attribute.name_span, attribute.value_span)
}

/// The name that a resource gives, or its label when that is an expression.
fn name_of(block: &Block, key: &str, label: &str, span: Span) -> (String, Span) {
    match block.body.get(key) {
        Some(Attribute {
            value: Value::Text(text),
            value_span,
            ..
        }) => (text.clone(), *value_span),
        _ => (label.to_owned(), span),
    }
}

fn topic(sheet: &Sheet<'_>, block: &Block, label: &str, span: Span, name: &str, factor: &[&str]) -> Thing {
    let (name, span) = name_of(block, name, label, span);
    let mut items = Vec::new();
    for a in &block.body.attributes {
        match a.name.as_str() {
            key if factor.contains(&key) => items.push(item(sheet, "replication.factor", a)),
            "partitions" | "partitions_count" => items.push(item(sheet, "partitions", a)),
            "min_insync_replicas" | "retention_ms" | "retention_bytes" | "cleanup_policy" => {
                items.push(item(sheet, a.name.replace('_', "."), a));
            }
            "config" => {
                if let Value::Object(settings) = &a.value {
                    // A program reads every setting of a topic as text.
                    items.extend(settings.iter().map(|s| match &s.value {
                        Value::Bool(truth) => sheet.item(s.name.clone(), &truth.to_string(), s.name_span, s.value_span),
                        _ => item(sheet, s.name.clone(), s),
                    }));
                }
            }
            _ => {}
        }
    }
    // Blocks of providers of clusters, whose keys are written with underscores.
    for config in block
        .body
        .blocks_of("config")
        .chain(block.body.blocks_of("topic_config"))
    {
        items.extend(
            config
                .body
                .attributes
                .iter()
                .map(|a| item(sheet, a.name.replace('_', "."), a)),
        );
    }
    Thing {
        layer: Layer::Topic,
        vhost: None,
        name,
        span,
        items,
    }
}

fn thing(sheet: &Sheet<'_>, block: &Block, layer: Layer, name: &str, label: &str, label_span: Span) -> Thing {
    let (name, span) = name_of(block, name, label, label_span);
    let mut items = Vec::new();
    collect(sheet, &block.body, &mut items);
    let inner = ["settings", "policy", "info"];
    for nested in inner.iter().flat_map(|kind| block.body.blocks_of(kind)) {
        collect(sheet, &nested.body, &mut items);
    }
    // The provider sends false for what is left out.
    let has_durable = items.iter().any(|i| i.key == "durable");
    if matches!(layer, Layer::Queue | Layer::Exchange) && !has_durable {
        items.push(sheet.typed("durable", FactValue::Bool(false), span, span));
    }
    let vhost = match block.body.get("vhost").map(|a| &a.value) {
        Some(Value::Text(vhost)) => vhost.clone(),
        None => "/".to_owned(),
        // What an expression names is one virtual host for the whole file, as far as anybody can see.
        Some(_) => "(expression)".to_owned(),
    };
    Thing {
        layer,
        vhost: Some(vhost),
        name,
        span,
        items,
    }
}

fn collect(sheet: &Sheet<'_>, body: &Body, items: &mut Vec<Item>) {
    for a in &body.attributes {
        match (a.name.as_str(), &a.value) {
            ("name" | "vhost" | "source" | "depends_on" | "count" | "for_each" | "provider", _) => {}
            ("arguments" | "definition", Value::Object(inner)) => {
                items.extend(inner.iter().map(|i| item(sheet, format!("{}.{}", a.name, i.name), i)));
            }
            ("arguments_json", Value::Object(inner)) => {
                items.extend(inner.iter().map(|i| item(sheet, format!("arguments.{}", i.name), i)));
            }
            ("arguments_json", Value::Heredoc(text)) => json_arguments(sheet, a, text, items),
            ("apply_to", _) => items.push(item(sheet, "apply-to", a)),
            ("ack_mode", _) => items.push(item(sheet, "ack-mode", a)),
            (key, _) => items.push(item(sheet, key, a)),
        }
    }
}

/// Arguments as JSON in a heredoc, each where it stands.
fn json_arguments(sheet: &Sheet<'_>, attribute: &Attribute, text: &str, items: &mut Vec<Item>) {
    let Ok(parsed) = crate::text::json::parse(text) else {
        return;
    };
    let at = attribute.value_span.start;
    for prop in parsed.as_object().map(|o| o.properties.as_slice()).unwrap_or_default() {
        use crate::text::json::Value as Json;
        let value = match &prop.value {
            Json::StringLit(s) => FactValue::Text(s.value.to_string()),
            Json::NumberLit(n) => FactValue::Text(n.value.to_owned()),
            Json::BooleanLit(b) => FactValue::Bool(b.value),
            Json::NullKeyword(_) => FactValue::Null,
            Json::Object(_) | Json::Array(_) => FactValue::Composite,
        };
        let span = Span::new(at + prop.range.start, at + prop.range.end);
        items.push(sheet.typed(format!("arguments.{}", prop.name.as_str()), value, span, span));
    }
}
