//! What frameworks hand to the clients of Kafka: Spring Boot, the binder of Spring Cloud Stream, SmallRye.

use super::Flat;
use crate::audit::fact::{Component, Dialect, Effect, Implied, Unit};
use crate::audit::read::sheet::{Item, Sheet};
use crate::audit::terms::kafka;
use std::collections::BTreeSet;

/// How a typed value is turned into the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// `1s`, `500ms`, `PT1S`, or a number of milliseconds.
    Duration,
    /// `32MB`, or a number of bytes.
    Size,
    /// `read-committed` or `READ_COMMITTED`.
    Word,
}

const PRODUCER: [(&str, &str, Kind); 10] = [
    ("acks", "acks", Kind::Text),
    ("batch-size", "batch.size", Kind::Size),
    ("bootstrap-servers", "bootstrap.servers", Kind::Text),
    ("buffer-memory", "buffer.memory", Kind::Size),
    ("client-id", "client.id", Kind::Text),
    ("compression-type", "compression.type", Kind::Text),
    ("key-serializer", "key.serializer", Kind::Text),
    ("retries", "retries", Kind::Text),
    ("transaction-id-prefix", "transactional.id", Kind::Text),
    ("value-serializer", "value.serializer", Kind::Text),
];

const CONSUMER: [(&str, &str, Kind); 14] = [
    ("auto-commit-interval", "auto.commit.interval.ms", Kind::Duration),
    ("auto-offset-reset", "auto.offset.reset", Kind::Text),
    ("bootstrap-servers", "bootstrap.servers", Kind::Text),
    ("client-id", "client.id", Kind::Text),
    ("enable-auto-commit", "enable.auto.commit", Kind::Text),
    ("fetch-max-wait", "fetch.max.wait.ms", Kind::Duration),
    ("fetch-min-size", "fetch.min.bytes", Kind::Size),
    ("group-id", "group.id", Kind::Text),
    ("heartbeat-interval", "heartbeat.interval.ms", Kind::Duration),
    ("isolation-level", "isolation.level", Kind::Word),
    ("key-deserializer", "key.deserializer", Kind::Text),
    ("max-poll-interval", "max.poll.interval.ms", Kind::Duration),
    ("max-poll-records", "max.poll.records", Kind::Text),
    ("value-deserializer", "value.deserializer", Kind::Text),
];

pub(super) fn item(sheet: &Sheet<'_>, key: impl Into<String>, flat: &Flat, kind: Kind) -> Item {
    let value = flat.value.as_deref().unwrap_or_default();
    let value = match kind {
        Kind::Text => value.to_owned(),
        Kind::Duration => duration_ms(value).map_or_else(|| value.to_owned(), |ms| ms.to_string()),
        Kind::Size => size_bytes(value).map_or_else(|| value.to_owned(), |bytes| bytes.to_string()),
        Kind::Word => value.to_lowercase().replace('-', "_"),
    };
    match flat.value {
        Some(_) => sheet.item(key, &value, flat.key_span, flat.value_span),
        None => sheet.typed(
            key,
            crate::audit::fact::FactValue::Composite,
            flat.key_span,
            flat.value_span,
        ),
    }
}

/// A number with a unit behind it.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim()))?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn duration_ms(text: &str) -> Option<u64> {
    let iso = text.trim().to_ascii_uppercase();
    let text = iso.strip_prefix("PT").unwrap_or(text);
    scaled(
        text,
        &[
            ("", 1),
            ("ms", 1),
            ("s", 1000),
            ("m", 60_000),
            ("h", 3_600_000),
            ("d", 86_400_000),
        ],
    )
}

fn size_bytes(text: &str) -> Option<u64> {
    scaled(
        text,
        &[("", 1), ("B", 1), ("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30)],
    )
}

fn under<'f>(flats: &'f [Flat], prefix: &str) -> Vec<(&'f str, &'f Flat)> {
    flats
        .iter()
        .filter_map(|f| Some((f.path.strip_prefix(prefix)?, f)))
        .collect()
}

fn raw(sheet: &Sheet<'_>, flats: &[Flat], prefix: &str) -> Vec<Item> {
    under(flats, prefix)
        .into_iter()
        .map(|(key, f)| item(sheet, key, f, Kind::Text))
        .collect()
}

fn typed(sheet: &Sheet<'_>, flats: &[Flat], prefix: &str, table: &[(&str, &str, Kind)]) -> Vec<Item> {
    under(flats, prefix)
        .into_iter()
        .filter_map(|(name, f)| {
            let (_, key, kind) = table.iter().find(|(n, _, _)| *n == name)?;
            Some(item(sheet, *key, f, *kind))
        })
        .collect()
}

const fn implied(key: &'static str, value: &'static str, assumes: Option<&'static str>) -> Implied {
    Implied { key, value, assumes }
}

/// Kafka in Spring Boot.
pub(super) fn boot(sheet: &Sheet<'_>, flats: &[Flat], out: &mut Vec<Unit>) {
    let common = raw(sheet, flats, "spring.kafka.properties.");
    let shared: Vec<Item> = typed(sheet, flats, "spring.kafka.", &PRODUCER)
        .into_iter()
        .filter(|i| matches!(i.key.as_str(), "bootstrap.servers" | "client.id"))
        .collect();
    let tells = |keys: &[&str]| {
        common
            .iter()
            .any(|i| keys.contains(&i.key.as_str()) && !kafka::WEAK.contains(&i.key.as_str()))
    };
    let has = |prefix: &str| flats.iter().any(|f| f.path.starts_with(prefix));
    if has("spring.kafka.producer.") || tells(&kafka::PRODUCER) {
        let mut items = [shared.clone(), common.clone()].concat();
        items.extend(typed(sheet, flats, "spring.kafka.producer.", &PRODUCER));
        items.extend(raw(sheet, flats, "spring.kafka.producer.properties."));
        out.push(sheet.unit(Dialect::KafkaProducer, Component::KafkaClients, items));
    }
    if has("spring.kafka.consumer.") || has("spring.kafka.listener.") || tells(&kafka::CONSUMER) {
        let mut items = [shared.clone(), common.clone()].concat();
        for item in items.iter_mut().filter(|i| i.key == "isolation.level") {
            item.effect = Effect::Ignored {
                why: "Spring Boot always writes spring.kafka.consumer.isolation-level over it",
            };
        }
        items.extend(typed(sheet, flats, "spring.kafka.consumer.", &CONSUMER));
        items.extend(raw(sheet, flats, "spring.kafka.consumer.properties."));
        let mut unit = sheet.unit(Dialect::KafkaConsumer, Component::KafkaClients, items);
        unit.implied = vec![
            implied("enable.auto.commit", "false", None),
            implied("isolation.level", "read_uncommitted", None),
        ];
        out.push(unit);
    }
    if has("spring.kafka.streams.") {
        let mut items = [shared, common].concat();
        let table = [
            ("application-id", "application.id", Kind::Text),
            ("replication-factor", "replication.factor", Kind::Text),
            ("bootstrap-servers", "bootstrap.servers", Kind::Text),
        ];
        items.extend(typed(sheet, flats, "spring.kafka.streams.", &table));
        items.extend(raw(sheet, flats, "spring.kafka.streams.properties."));
        out.push(sheet.unit(Dialect::KafkaStreams, Component::KafkaStreams, items));
    }
}

/// The Kafka binder of Spring Cloud Stream.
pub(super) fn stream(sheet: &Sheet<'_>, flats: &[Flat], out: &mut Vec<Unit>) {
    const BINDER: &str = "spring.cloud.stream.kafka.binder.";
    const BINDINGS: &str = "spring.cloud.stream.kafka.bindings.";
    let has = |prefix: &str| flats.iter().any(|f| f.path.starts_with(prefix));
    let of_binding = |side: &str| -> BTreeSet<&str> {
        let with = format!(".{side}.");
        flats
            .iter()
            .filter_map(|f| {
                f.path
                    .strip_prefix(BINDINGS)?
                    .split_once(with.as_str())
                    .map(|(name, _)| name)
            })
            .collect()
    };
    let common = raw(sheet, flats, &format!("{BINDER}configuration."));
    let boot = [
        raw(sheet, flats, "spring.kafka.properties."),
        typed(sheet, flats, "spring.kafka.producer.", &PRODUCER)
            .into_iter()
            .filter(|i| i.key != "acks")
            .collect(),
        raw(sheet, flats, "spring.kafka.producer.properties."),
    ]
    .concat();
    transactional(sheet, flats, &boot, &common, out);
    let outputs = of_binding("producer");
    if has(&format!("{BINDER}required-acks")) || has(&format!("{BINDER}producer-properties.")) || !outputs.is_empty() {
        let binder = [
            boot,
            common.clone(),
            typed(sheet, flats, BINDER, &[("required-acks", "acks", Kind::Text)]),
            raw(sheet, flats, &format!("{BINDER}producer-properties.")),
        ]
        .concat();
        let names: Vec<Option<&str>> = if outputs.is_empty() {
            vec![None]
        } else {
            outputs.into_iter().map(Some).collect()
        };
        for name in names {
            let mut items = binder.clone();
            if let Some(name) = name {
                let prefix = format!("{BINDINGS}{name}.producer.");
                let table = [
                    ("compression-type", "compression.type", Kind::Text),
                    ("buffer-size", "batch.size", Kind::Text),
                    ("batch-timeout", "linger.ms", Kind::Text),
                ];
                items.extend(typed(sheet, flats, &prefix, &table));
                items.extend(raw(sheet, flats, &format!("{prefix}configuration.")));
            }
            let mut unit = sheet.unit(Dialect::KafkaProducer, Component::KafkaClients, items);
            name_binding(sheet, flats, &mut unit, BINDINGS, name);
            unit.implied = vec![implied(
                "acks",
                "1",
                Some("Spring Cloud Stream 5.0.1 or earlier (all later)"),
            )];
            out.push(unit);
        }
    }
    streams_binder(sheet, flats, out);
    let inputs = of_binding("consumer");
    if has(&format!("{BINDER}consumer-properties.")) || !inputs.is_empty() {
        let binder = [common, raw(sheet, flats, &format!("{BINDER}consumer-properties."))].concat();
        let names: Vec<Option<&str>> = if inputs.is_empty() {
            vec![None]
        } else {
            inputs.into_iter().map(Some).collect()
        };
        let grouped = flats
            .iter()
            .any(|f| f.path.starts_with("spring.cloud.stream.bindings.") && f.path.ends_with(".group"));
        for name in names {
            let mut items = binder.clone();
            if let Some(name) = name {
                let prefix = format!("{BINDINGS}{name}.consumer.");
                items.extend(typed(
                    sheet,
                    flats,
                    &prefix,
                    &[("start-offset", "auto.offset.reset", Kind::Text)],
                ));
                items.extend(raw(sheet, flats, &format!("{prefix}configuration.")));
            }
            let mut unit = sheet.unit(Dialect::KafkaConsumer, Component::KafkaClients, items);
            name_binding(sheet, flats, &mut unit, BINDINGS, name);
            unit.implied = vec![
                implied("enable.auto.commit", "false", None),
                implied("auto.offset.reset", if grouped { "earliest" } else { "latest" }, None),
            ];
            out.push(unit);
        }
    }
}

/// The producer of the binder's transactions, which has settings of its own.
fn transactional(sheet: &Sheet<'_>, flats: &[Flat], boot: &[Item], common: &[Item], out: &mut Vec<Unit>) {
    const TRANSACTION: &str = "spring.cloud.stream.kafka.binder.transaction.";
    let own = raw(sheet, flats, &format!("{TRANSACTION}producer.configuration."));
    let prefix = typed(
        sheet,
        flats,
        TRANSACTION,
        &[("transaction-id-prefix", "transactional.id", Kind::Text)],
    );
    if own.is_empty() {
        return;
    }
    let head = own.first().map(|i| sheet.place(i.span));
    let items = [boot.to_vec(), common.to_vec(), prefix, own].concat();
    let mut unit = sheet.unit(Dialect::KafkaProducer, Component::KafkaClients, items);
    unit.name = Some("transactions of the binder".to_owned());
    unit.head = head;
    out.push(unit);
}

/// The Kafka Streams binder of Spring Cloud Stream.
fn streams_binder(sheet: &Sheet<'_>, flats: &[Flat], out: &mut Vec<Unit>) {
    const BINDER: &str = "spring.cloud.stream.kafka.streams.binder.";
    if !flats.iter().any(|f| f.path.starts_with(BINDER)) {
        return;
    }
    let mut items = raw(sheet, flats, &format!("{BINDER}configuration."));
    let table = [
        ("application-id", "application.id", Kind::Text),
        ("brokers", "bootstrap.servers", Kind::Text),
        ("replication-factor", "replication.factor", Kind::Text),
    ];
    items.extend(typed(sheet, flats, BINDER, &table));
    for (name, flat) in under(flats, BINDER) {
        if matches!(name, "deserialization-exception-handler" | "serde-error") {
            let handler = match flat.value.as_deref() {
                Some("logAndContinue" | "log-and-continue") => {
                    "org.apache.kafka.streams.errors.LogAndContinueExceptionHandler"
                }
                Some("logAndFail" | "log-and-fail") => "org.apache.kafka.streams.errors.LogAndFailExceptionHandler",
                Some(other) => other,
                None => continue,
            };
            items.push(sheet.item(
                "deserialization.exception.handler",
                handler,
                flat.key_span,
                flat.value_span,
            ));
        }
    }
    out.push(sheet.unit(Dialect::KafkaStreams, Component::KafkaStreams, items));
}

/// Gives the unit of a binding its name, and the place of the first setting of that binding.
fn name_binding(sheet: &Sheet<'_>, flats: &[Flat], unit: &mut Unit, prefix: &str, name: Option<&str>) {
    let Some(name) = name else { return };
    let own = format!("{prefix}{name}.");
    let first = flats.iter().find(|f| f.path.starts_with(&own));
    unit.head = first.map(|f| sheet.place(f.key_span));
    unit.name = Some(format!("binding {name}"));
}

/// Channels of MicroProfile Reactive Messaging, as SmallRye and Quarkus have them.
pub(super) fn smallrye(sheet: &Sheet<'_>, flats: &[Flat], out: &mut Vec<Unit>) {
    let is_kafka = |v: &str| v.contains("kafka");
    let value = |path: &str| {
        flats
            .iter()
            .rev()
            .find(|f| f.path == path)
            .and_then(|f| f.value.as_deref())
    };
    let other = flats.iter().any(|f| {
        f.path.starts_with("mp.messaging.")
            && f.path.ends_with(".connector")
            && f.value.as_deref().is_some_and(|v| !is_kafka(v))
    });
    // What only a channel of Kafka has, or only an application that knows Kafka.
    const SIGNS: [&str; 9] = [
        "acks",
        "auto.offset.reset",
        "bootstrap.servers",
        "dead-letter-queue.topic",
        "group.id",
        "key.deserializer",
        "key.serializer",
        "value.deserializer",
        "value.serializer",
    ];
    let knows_kafka = flats.iter().any(|f| {
        f.path.starts_with("kafka.")
            || f.path.starts_with("mp.messaging.connector.smallrye-kafka.")
            || f.path.starts_with("mp.messaging.")
                && f.path.ends_with(".connector")
                && f.value.as_deref().is_some_and(is_kafka)
    });
    // Quarkus hands every `kafka.` setting to every channel; those of the connector, and of the channel, stand above them.
    let mut common = raw(sheet, flats, "kafka.");
    common.retain(|i| {
        !["producers.", "consumers.", "streams."]
            .iter()
            .any(|p| i.key.starts_with(p))
    });
    common.extend(raw(sheet, flats, "mp.messaging.connector.smallrye-kafka."));
    for (side, dialect) in [
        ("outgoing", Dialect::KafkaProducer),
        ("incoming", Dialect::KafkaConsumer),
    ] {
        let prefix = format!("mp.messaging.{side}.");
        let channels: BTreeSet<String> = under(flats, &prefix)
            .iter()
            .filter_map(|(rest, _)| channel(rest))
            .collect();
        for name in channels {
            let own = format!("{prefix}{name}.");
            // Without a connector Quarkus takes the only one that is there.
            let settings = raw(sheet, flats, &own);
            let signed = || settings.iter().any(|i| SIGNS.contains(&i.key.as_str()));
            if !value(&format!("{own}connector")).map_or_else(|| !other && (knows_kafka || signed()), is_kafka) {
                continue;
            }
            let first = settings.first().map(|i| i.span);
            let items = [common.clone(), settings].concat();
            let mut unit = sheet.unit(dialect, Component::KafkaClients, items);
            unit.name = Some(format!("channel {}", name.trim_matches('"')));
            unit.head = first.map(|s| sheet.place(s));
            unit.implied = match dialect {
                Dialect::KafkaProducer => vec![implied("acks", "1", None)],
                _ => vec![
                    implied("enable.auto.commit", "false", None),
                    implied("auto.offset.reset", "latest", None),
                ],
            };
            out.push(unit);
        }
    }
}

/// Kafka Streams in Quarkus: every `kafka-streams.` setting is one of Kafka Streams.
pub(super) fn quarkus_streams(sheet: &Sheet<'_>, flats: &[Flat], out: &mut Vec<Unit>) {
    let own = raw(sheet, flats, "kafka-streams.");
    let has = flats.iter().any(|f| f.path.starts_with("quarkus.kafka-streams."));
    if own.is_empty() && !has {
        return;
    }
    let table = [
        ("application-id", "application.id", Kind::Text),
        ("bootstrap-servers", "bootstrap.servers", Kind::Text),
    ];
    let items = [typed(sheet, flats, "quarkus.kafka-streams.", &table), own].concat();
    out.push(sheet.unit(Dialect::KafkaStreams, Component::KafkaStreams, items));
}

/// Micronaut's clients, each under a name, and the producer of Debezium Server.
pub(super) fn named_clients(sheet: &Sheet<'_>, flats: &[Flat], out: &mut Vec<Unit>) {
    let servers: Vec<Item> = flats
        .iter()
        .filter(|f| f.path == "kafka.bootstrap.servers")
        .map(|f| item(sheet, "bootstrap.servers", f, Kind::Text))
        .collect();
    for (prefix, dialect) in [
        ("kafka.producers.", Dialect::KafkaProducer),
        ("kafka.consumers.", Dialect::KafkaConsumer),
    ] {
        let names: BTreeSet<&str> = under(flats, prefix)
            .iter()
            .filter_map(|(rest, _)| rest.split_once('.').map(|(name, _)| name))
            .collect();
        for name in names {
            let own = raw(sheet, flats, &format!("{prefix}{name}."));
            let head = own.first().map(|i| sheet.place(i.span));
            let mut unit = sheet.unit(dialect, Component::KafkaClients, [servers.clone(), own].concat());
            unit.name = Some(name.to_owned());
            unit.head = head;
            if dialect == Dialect::KafkaConsumer {
                // The annotation on the listener decides, which stands in the code.
                unit.fragment = Some("an annotation in the code may give it");
            }
            out.push(unit);
        }
    }
    let debezium = raw(sheet, flats, "debezium.sink.kafka.producer.");
    if !debezium.is_empty() {
        out.push(sheet.unit(Dialect::KafkaProducer, Component::KafkaClients, debezium));
    }
}

/// The name of a channel at the begin of what follows its direction; it may stand in quotes and then hold dots.
fn channel(rest: &str) -> Option<String> {
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split_once("\".").map(|(name, _)| format!("\"{name}\"")),
        None => rest.split_once('.').map(|(name, _)| name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes() {
        assert_eq!(duration_ms("5s"), Some(5000));
        assert_eq!(duration_ms("PT1M"), Some(60_000));
        assert_eq!(duration_ms("250"), Some(250));
        assert_eq!(duration_ms("soon"), None);
        assert_eq!(size_bytes("32MB"), Some(33_554_432));
        assert_eq!(size_bytes("99999999999999999999GB"), None);
    }
}
