//! Programs that move messages and have names of their own for a client's settings: Vector, Redpanda Connect (once Benthos) and the
//! drivers of OpenMessaging's benchmark.

use super::{Found, Reader};
use crate::audit::fact::{Component, Dialect, Implied, Layer};
use crate::audit::read::sheet::{Item, Thing};
use crate::text::yaml::{Node, Pair};
use crate::text::{SourceFile, Span, properties};

/// Reads a document; true when it was one of theirs with Kafka in it.
pub(super) fn read(reader: &Reader<'_>, document: &Node, found: &mut Found) -> bool {
    let before = found.units.len();
    vector(reader, document, found);
    benchmark(reader, document, found);
    for (section, dialect) in [("input", Dialect::KafkaConsumer), ("output", Dialect::KafkaProducer)] {
        if let Some(node) = document.get(section) {
            connect(reader, node, dialect, found, 0);
        }
    }
    for (section, dialect) in [
        ("input_resources", Dialect::KafkaConsumer),
        ("output_resources", Dialect::KafkaProducer),
    ] {
        for node in document.get(section).map(Node::list).unwrap_or_default() {
            connect(reader, node, dialect, found, 0);
        }
    }
    found.units.len() > before
}

const fn implied(key: &'static str, value: &'static str) -> Implied {
    Implied {
        key,
        value,
        assumes: None,
    }
}

/// What Vector calls a setting of librdkafka.
const VECTOR: [(&str, &str); 6] = [
    ("auto_offset_reset", "auto.offset.reset"),
    ("bootstrap_servers", "bootstrap.servers"),
    ("commit_interval_ms", "auto.commit.interval.ms"),
    ("group_id", "group.id"),
    ("message_timeout_ms", "delivery.timeout.ms"),
    ("session_timeout_ms", "session.timeout.ms"),
];

fn vector(reader: &Reader<'_>, document: &Node, found: &mut Found) {
    for (section, dialect) in [
        ("sources", Dialect::LibrdkafkaConsumer),
        ("sinks", Dialect::LibrdkafkaProducer),
    ] {
        for pair in document.get(section).map(Node::map).unwrap_or_default() {
            if pair.value.text_at(&["type"]) != Some("kafka") {
                continue;
            }
            let mut items = Vec::new();
            for (name, key) in VECTOR {
                if let Some(setting) = pair.value.pair(name) {
                    items.push(reader.item(key, setting.key_span, &setting.value));
                }
            }
            // They come last and win.
            if let Some(options) = pair.value.get("librdkafka_options") {
                items.extend(reader.settings(options));
            }
            let mut unit = reader.sheet.unit(dialect, Component::Librdkafka, items);
            if dialect == Dialect::LibrdkafkaConsumer {
                // Vector stores offsets itself, once a message is delivered.
                unit.implied = vec![implied("enable.auto.offset.store", "false")];
            }
            reader.named(&mut unit, &pair.key, pair.key_span, "vector");
            found.units.push(unit);
        }
    }
}

/// Looks for Kafka below an input or output: brokers, fallbacks, retries and switches hold further ones.
fn connect(reader: &Reader<'_>, node: &Node, dialect: Dialect, found: &mut Found, depth: usize) {
    if depth > 24 {
        return;
    }
    for pair in node.map() {
        match (pair.key.as_str(), dialect) {
            ("kafka" | "kafka_franz" | "redpanda", Dialect::KafkaProducer) if pair.value.is_map() => {
                producer(reader, pair, found);
            }
            ("kafka" | "kafka_franz" | "redpanda", _) if pair.value.is_map() => consumer(reader, pair, found),
            // The way in between holds no client of its own.
            ("processors" | "pipeline" | "mapping", _) => {}
            _ => connect(reader, &pair.value, dialect, found, depth + 1),
        }
    }
    for element in node.list() {
        connect(reader, element, dialect, found, depth + 1);
    }
}

fn producer(reader: &Reader<'_>, pair: &Pair, found: &mut Found) {
    let mut items = Vec::new();
    let node = &pair.value;
    if let Some(all) = node.pair("ack_replicas").filter(|p| p.value.given().is_some()) {
        // True asks for all in-sync copies, false for the leader alone.
        items.push(match all.value.text() {
            Some("true") => reader.sheet.item("acks", "all", all.key_span, all.value.span),
            Some("false") => reader.sheet.item("acks", "1", all.key_span, all.value.span),
            _ => reader.item("acks", all.key_span, &all.value),
        });
    }
    for (name, key) in [
        ("idempotent_write", "enable.idempotence"),
        ("max_retries", "retries"),
        ("client_id", "client.id"),
    ] {
        if let Some(setting) = node.pair(name) {
            items.push(reader.item(key, setting.key_span, &setting.value));
        }
    }
    let mut unit = reader
        .sheet
        .unit(Dialect::KafkaProducer, Component::UnknownKafkaClient, items);
    unit.implied = match pair.key.as_str() {
        "kafka" => vec![
            implied("acks", "1"),
            implied("enable.idempotence", "false"),
            // Without a limit; Redpanda Connect holds the message until it is written.
            implied("retries", "2147483647"),
        ],
        _ => vec![
            implied("acks", "all"),
            implied("enable.idempotence", "true"),
            implied("retries", "2147483647"),
        ],
    };
    reader.named(&mut unit, &pair.key, pair.key_span, "redpanda-connect");
    found.units.push(unit);
}

fn consumer(reader: &Reader<'_>, pair: &Pair, found: &mut Found) {
    let mut items = Vec::new();
    let node = &pair.value;
    if let Some(group) = node.pair("consumer_group") {
        items.push(reader.item("group.id", group.key_span, &group.value));
    }
    match (node.pair("start_from_oldest"), node.pair("start_offset")) {
        (_, Some(offset)) => items.push(reader.item("auto.offset.reset", offset.key_span, &offset.value)),
        (Some(oldest), None) => items.push(match oldest.value.text() {
            Some("true") => reader
                .sheet
                .item("auto.offset.reset", "earliest", oldest.key_span, oldest.value.span),
            Some("false") => reader
                .sheet
                .item("auto.offset.reset", "latest", oldest.key_span, oldest.value.span),
            _ => reader.item("auto.offset.reset", oldest.key_span, &oldest.value),
        }),
        (None, None) => {}
    }
    let mut unit = reader
        .sheet
        .unit(Dialect::KafkaConsumer, Component::UnknownKafkaClient, items);
    // Offsets are committed after the output has taken a message.
    unit.implied = vec![
        implied("enable.auto.commit", "false"),
        implied("auto.offset.reset", "earliest"),
    ];
    reader.named(&mut unit, &pair.key, pair.key_span, "redpanda-connect");
    found.units.push(unit);
}

/// A driver of OpenMessaging's benchmark: files of Java's clients in blocks, and the topics that it creates.
fn benchmark(reader: &Reader<'_>, document: &Node, found: &mut Found) {
    if !document
        .text_at(&["driverClass"])
        .is_some_and(|class| class.contains("Kafka"))
    {
        return;
    }
    let common = document
        .pair("commonConfig")
        .map_or_else(Vec::new, |p| lines(reader, p));
    for (name, dialect) in [
        ("producerConfig", Dialect::KafkaProducer),
        ("consumerConfig", Dialect::KafkaConsumer),
    ] {
        let Some(pair) = document.pair(name) else { continue };
        let mut items = common.clone();
        items.extend(lines(reader, pair));
        let mut unit = reader.sheet.unit(dialect, Component::KafkaClients, items);
        reader.named(&mut unit, name, pair.key_span, "benchmark");
        found.units.push(unit);
    }
    let mut items = document.pair("topicConfig").map_or_else(Vec::new, |p| lines(reader, p));
    let Some(copies) = document.pair("replicationFactor") else {
        return;
    };
    items.push(reader.item("replication.factor", copies.key_span, &copies.value));
    let topic = Thing {
        layer: Layer::Topic,
        vhost: None,
        name: "of the benchmark".to_owned(),
        span: copies.key_span,
        items,
    };
    let mut unit = reader
        .sheet
        .things(Dialect::KafkaTopics, Component::KafkaBroker, vec![topic]);
    reader.named(&mut unit, "topicConfig", copies.key_span, "benchmark");
    found.units.push(unit);
}

/// The settings of a file of Java's clients that stands in a block.
fn lines(reader: &Reader<'_>, pair: &Pair) -> Vec<Item> {
    let Some(block) = pair.value.block(reader.text) else {
        return Vec::new();
    };
    let text = reader.text.get(block.range()).unwrap_or_default();
    let parsed = properties::parse(&SourceFile::new(text.as_bytes().to_vec()));
    let moved = |s: Span| Span::new(s.start + block.start, s.end + block.start);
    let entries = parsed.entries.into_iter();
    entries
        .map(|e| {
            reader
                .sheet
                .item(e.key, &e.value, moved(e.key_span), moved(e.value_span))
        })
        .collect()
}
