//! Applications on Spring Boot, Spring Cloud Stream, Quarkus and MicroProfile: what the framework hands to the client.
//!
//! A file is flattened to full names in the framework's own spelling. From these come one unit of the application, and one for every
//! producer and consumer of Kafka with the settings that the framework gives it, in its order of precedence.

use super::images::Variable;
use super::placeholder::{self, Syntax};
use super::sheet::{Item, Sheet};
use super::yaml::Reader;
use crate::audit::fact::{Component, Dialect, Effect, Implied, Unit};
use crate::audit::terms::kafka;
use crate::text::Span;
use crate::text::properties::Entry;
use crate::text::yaml::{Data, Node};
use std::collections::BTreeSet;

/// One setting under its full name.
#[derive(Debug, Clone)]
struct Flat {
    /// In the spelling of the framework's documentation: `spring.kafka.consumer.auto-offset-reset`.
    path: String,
    /// `None` for what is no text.
    value: Option<String>,
    key_span: Span,
    value_span: Span,
}

/// The settings of one profile; of none in particular when it has no name.
#[derive(Debug, Default)]
struct Part {
    profile: Option<(String, Span)>,
    flats: Vec<Flat>,
}

/// What a framework's name begins with when it is about messaging.
const PREFIXES: [&str; 9] = [
    "spring.kafka.",
    "spring.rabbitmq.",
    "spring.amqp.",
    "spring.cloud.stream.",
    "mp.messaging.",
    "rocketmq.name-server",
    "rocketmq.producer.",
    "rocketmq.consumer.",
    "rocketmq.push-consumer.",
];

/// Whether a name in a file of keys and values is one of a framework's that is about messaging.
pub(in crate::audit) fn is_framework_key(key: &str) -> bool {
    let path = canonical(
        key.strip_prefix('%')
            .and_then(|k| k.split_once('.'))
            .map_or(key, |(_, rest)| rest),
    );
    PREFIXES.iter().any(|p| path.starts_with(p)) || path == "kafka.bootstrap.servers"
}

/// Reads the documents of a YAML file; adds nothing when none of them is an application's.
pub(super) fn read_yaml(reader: &Reader<'_>, found: &mut super::yaml::Found) {
    let mut parts = Vec::new();
    let mut remarks = Vec::new();
    for document in reader.documents.iter().filter(|d| d.is_map()) {
        let mut flats = Vec::new();
        flatten("", document, &mut flats, 0);
        parts.extend(split_profiles(flats));
    }
    if !parts.iter().any(|p| p.flats.iter().any(|f| is_framework_key(&f.path))) {
        return;
    }
    for part in &mut parts {
        resolve(&reader.sheet, &mut part.flats, &mut remarks);
    }
    found.units.extend(units(&reader.sheet, reader.name, &parts, &remarks));
}

/// Reads a file of keys and values. `breaks` are the bytes where a line `#---` begins a new document.
pub(super) fn read_properties(sheet: &Sheet<'_>, entries: &[Entry], name: &str, breaks: &[usize]) -> Vec<Unit> {
    let mut documents: Vec<Vec<Flat>> = vec![Vec::new(); breaks.len() + 1];
    for e in entries {
        let number = breaks.partition_point(|b| *b <= e.key_span.start);
        if let Some(document) = documents.get_mut(number) {
            document.push(Flat {
                path: e.key.clone(),
                value: Some(e.value.clone()),
                key_span: e.key_span,
                value_span: e.value_span,
            });
        }
    }
    let mut parts: Vec<Part> = documents.into_iter().flat_map(split_profiles).collect();
    let mut remarks = Vec::new();
    for part in &mut parts {
        resolve(sheet, &mut part.flats, &mut remarks);
    }
    units(sheet, name, &parts, &remarks)
}

/// Reads the variables that give a container of an application its settings.
pub(super) fn read_environment(
    reader: &Reader<'_>,
    name: &str,
    head: Span,
    variables: &[Variable],
    found: &mut super::yaml::Found,
) {
    let flats: Vec<Flat> = variables
        .iter()
        .filter_map(|v| {
            Some(Flat {
                path: of_variable(&v.name)?,
                value: v.value.clone(),
                key_span: v.name_span,
                value_span: v.value_span,
            })
        })
        .collect();
    if flats.is_empty() {
        return;
    }
    let part = Part { profile: None, flats };
    for mut unit in units(&reader.sheet, "", &[part], &[]) {
        unit.fragment = Some("the application's own file may add it");
        reader.named(&mut unit, name, head, "environment");
        found.units.push(unit);
    }
}

/// Names that are written with dashes, which a variable has not.
const DASHED: [&str; 38] = [
    "spring.kafka.bootstrap-servers",
    "spring.kafka.client-id",
    "spring.kafka.producer.batch-size",
    "spring.kafka.producer.bootstrap-servers",
    "spring.kafka.producer.buffer-memory",
    "spring.kafka.producer.client-id",
    "spring.kafka.producer.compression-type",
    "spring.kafka.producer.key-serializer",
    "spring.kafka.producer.transaction-id-prefix",
    "spring.kafka.producer.value-serializer",
    "spring.kafka.consumer.auto-commit-interval",
    "spring.kafka.consumer.auto-offset-reset",
    "spring.kafka.consumer.bootstrap-servers",
    "spring.kafka.consumer.client-id",
    "spring.kafka.consumer.enable-auto-commit",
    "spring.kafka.consumer.fetch-max-wait",
    "spring.kafka.consumer.group-id",
    "spring.kafka.consumer.isolation-level",
    "spring.kafka.consumer.key-deserializer",
    "spring.kafka.consumer.max-poll-records",
    "spring.kafka.consumer.max-poll-interval",
    "spring.kafka.consumer.value-deserializer",
    "spring.kafka.listener.ack-mode",
    "spring.kafka.listener.async-acks",
    "spring.kafka.streams.application-id",
    "spring.kafka.streams.replication-factor",
    "spring.rabbitmq.publisher-confirm-type",
    "spring.rabbitmq.publisher-confirms",
    "spring.rabbitmq.publisher-returns",
    "spring.rabbitmq.listener.simple.acknowledge-mode",
    "spring.rabbitmq.listener.simple.default-requeue-rejected",
    "spring.rabbitmq.listener.direct.acknowledge-mode",
    "spring.rabbitmq.listener.direct.default-requeue-rejected",
    "spring.rabbitmq.listener.simple.missing-queues-fatal",
    "spring.cloud.stream.kafka.binder.required-acks",
    "spring.cloud.stream.kafka.binder.replication-factor",
    "spring.cloud.stream.kafka.binder.auto-create-topics",
    "spring.cloud.stream.kafka.binder.min-partition-count",
];

/// The full name that a variable binds to, when it is one of a framework's.
fn of_variable(name: &str) -> Option<String> {
    let begins = [
        "SPRING_KAFKA_",
        "SPRING_RABBITMQ_",
        "SPRING_CLOUD_STREAM_",
        "MP_MESSAGING_",
    ];
    if !begins.iter().any(|b| name.starts_with(b)) {
        return None;
    }
    let squashed = |text: &str| {
        text.chars()
            .filter(|c| !matches!(c, '.' | '-' | '_'))
            .collect::<String>()
    };
    let lower = name.to_lowercase();
    let bare = squashed(&lower);
    if let Some(known) = DASHED.iter().find(|k| squashed(k) == bare) {
        return Some((*known).to_owned());
    }
    Some(lower.replace('_', "."))
}

fn flatten(prefix: &str, node: &Node, flats: &mut Vec<Flat>, depth: usize) {
    if depth > 24 {
        return;
    }
    for pair in node.map() {
        let own = pair.key.trim_start_matches('[').trim_end_matches(']');
        let path = if prefix.is_empty() {
            own.to_owned()
        } else {
            format!("{prefix}.{own}")
        };
        match &pair.value.data {
            Data::Map(_) => flatten(&path, &pair.value, flats, depth + 1),
            Data::List(list) => {
                if list.iter().all(|n| n.text().is_some()) {
                    let words: Vec<&str> = list.iter().filter_map(|n| n.text()).collect();
                    flats.push(Flat {
                        path,
                        value: Some(words.join(",")),
                        key_span: pair.key_span,
                        value_span: pair.value.span,
                    });
                }
            }
            // An empty value still binds, to nothing.
            Data::Text { text, .. } => flats.push(Flat {
                path,
                value: Some(text.clone()),
                key_span: pair.key_span,
                value_span: pair.value.span,
            }),
        }
    }
}

/// A document's settings by profile: Spring names one for the whole document, Quarkus before a key.
fn split_profiles(flats: Vec<Flat>) -> Vec<Part> {
    let mut whole = Part::default();
    let mut quarkus: Vec<Part> = Vec::new();
    for mut flat in flats {
        if let Some((profile, rest)) = flat.path.strip_prefix('%').and_then(|p| p.split_once('.')) {
            let (profile, rest) = (profile.trim_matches('"').to_owned(), rest.to_owned());
            flat.path = canonical(&rest);
            match quarkus
                .iter_mut()
                .find(|p| p.profile.as_ref().is_some_and(|(n, _)| *n == profile))
            {
                Some(part) => part.flats.push(flat),
                None => quarkus.push(Part {
                    profile: Some((profile, flat.key_span)),
                    flats: vec![flat],
                }),
            }
            continue;
        }
        flat.path = canonical(&flat.path);
        if matches!(
            flat.path.as_str(),
            "spring.config.activate.on-profile" | "spring.profiles"
        ) {
            whole.profile = flat.value.clone().map(|v| (v, flat.value_span));
        }
        whole.flats.push(flat);
    }
    quarkus.insert(0, whole);
    quarkus
}

/// A full name in the spelling of the documentation: dashes, lower case, dots for brackets. What a raw map holds stays as it is.
fn canonical(path: &str) -> String {
    let path = path.replace('[', ".").replace(']', "").replace("..", ".");
    if !(path.starts_with("spring") || path.starts_with("rocketmq")) {
        return path;
    }
    let mut out: Vec<String> = Vec::new();
    let (mut raw, mut name) = (false, false);
    for segment in path.split('.') {
        if raw || name {
            out.push(segment.to_owned());
            name = false;
            continue;
        }
        let dashed = kebab(segment);
        raw = matches!(
            dashed.as_str(),
            "properties" | "configuration" | "producer-properties" | "consumer-properties" | "admin-properties"
        );
        name = matches!(dashed.as_str(), "bindings" | "binders");
        out.push(dashed);
    }
    out.join(".")
}

fn kebab(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len() + 4);
    let mut last_lower = false;
    for c in segment.chars() {
        if c == '_' {
            out.push('-');
            last_lower = false;
        } else {
            if c.is_uppercase() && last_lower {
                out.push('-');
            }
            last_lower = c.is_lowercase() || c.is_ascii_digit();
            out.extend(c.to_lowercase());
        }
    }
    out
}

/// Puts the default of every placeholder in its place, and says so.
fn resolve(sheet: &Sheet<'_>, flats: &mut [Flat], remarks: &mut Vec<(usize, String)>) {
    for flat in flats.iter_mut().filter(|f| is_framework_key(&f.path)) {
        let Some(value) = flat.value.as_deref() else { continue };
        if let Some(resolved) = placeholder::defaults(value, Syntax::Spring) {
            if !crate::audit::secret::is_secret_name(&flat.path) {
                remarks.push((
                    sheet.line(flat.value_span.start),
                    format!(
                        "`{}` is a placeholder; its default is judged, and the environment may give another value",
                        last(&flat.path)
                    ),
                ));
            }
            flat.value = Some(resolved);
        }
    }
}

/// The last part of a name that is worth showing.
fn last(path: &str) -> &str {
    PREFIXES.iter().find_map(|p| path.strip_prefix(p)).unwrap_or(path)
}

/// The units of all parts: of what holds always, and of every profile on top of that.
fn units(sheet: &Sheet<'_>, name: &str, parts: &[Part], remarks: &[(usize, String)]) -> Vec<Unit> {
    let base: Vec<Flat> = parts
        .iter()
        .filter(|p| p.profile.is_none())
        .flat_map(|p| p.flats.clone())
        .collect();
    let mut out = Vec::new();
    let about = |flats: &[Flat]| flats.iter().any(|f| is_framework_key(&f.path));
    if about(&base) {
        out.extend(emit(sheet, &base));
    }
    let profiles: BTreeSet<&str> = parts
        .iter()
        .filter_map(|p| Some(p.profile.as_ref()?.0.as_str()))
        .collect();
    for profile in profiles {
        let own = parts
            .iter()
            .filter(|p| p.profile.as_ref().is_some_and(|(n, _)| n == profile));
        let (mut flats, mut head) = (Vec::new(), None);
        for part in own {
            head = head.or(part.profile.as_ref().map(|(_, span)| *span));
            flats.extend(part.flats.clone());
        }
        if !about(&flats) {
            continue;
        }
        let whole: Vec<Flat> = base.iter().cloned().chain(flats).collect();
        for mut unit in emit(sheet, &whole) {
            unit.name = Some(format!("profile {profile}"));
            unit.head = head.map(|h| sheet.place(h));
            out.push(unit);
        }
    }
    // A file of one profile stands beside the one of all.
    let lower = name.to_lowercase();
    let of_profile = lower.starts_with("application-") || lower.starts_with("bootstrap-");
    for unit in &mut out {
        unit.carrier = Some("framework");
        unit.remarks = remarks.to_vec();
        if of_profile {
            unit.fragment.get_or_insert("the application's main file may add it");
        }
    }
    out
}

/// The units of one set of settings.
fn emit(sheet: &Sheet<'_>, flats: &[Flat]) -> Vec<Unit> {
    let mut out = Vec::new();
    let of_framework = flats.iter().filter(|f| is_framework_key(&f.path));
    let items = of_framework
        .map(|f| item(sheet, f.path.clone(), f, Kind::Text))
        .collect();
    out.push(sheet.unit(Dialect::Application, Component::Application, items));
    boot(sheet, flats, &mut out);
    let names: BTreeSet<&str> = flats
        .iter()
        .filter_map(|f| {
            f.path
                .strip_prefix("spring.cloud.stream.binders.")?
                .split_once(".environment.")
                .map(|(name, _)| name)
        })
        .collect();
    for name in names {
        let prefix = format!("spring.cloud.stream.binders.{name}.environment.");
        let inner: Vec<Flat> = flats
            .iter()
            .filter_map(|f| {
                Some(Flat {
                    path: canonical(f.path.strip_prefix(&prefix)?),
                    ..f.clone()
                })
            })
            .collect();
        boot(sheet, &inner, &mut out);
        stream(sheet, &inner, &mut out);
    }
    stream(sheet, flats, &mut out);
    smallrye(sheet, flats, &mut out);
    out
}

/// How a typed value is turned into the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
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

fn item(sheet: &Sheet<'_>, key: impl Into<String>, flat: &Flat, kind: Kind) -> Item {
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
fn boot(sheet: &Sheet<'_>, flats: &[Flat], out: &mut Vec<Unit>) {
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
fn stream(sheet: &Sheet<'_>, flats: &[Flat], out: &mut Vec<Unit>) {
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

/// Gives the unit of a binding its name, and the place of the first setting of that binding.
fn name_binding(sheet: &Sheet<'_>, flats: &[Flat], unit: &mut Unit, prefix: &str, name: Option<&str>) {
    let Some(name) = name else { return };
    let own = format!("{prefix}{name}.");
    let first = flats.iter().find(|f| f.path.starts_with(&own));
    unit.head = first.map(|f| sheet.place(f.key_span));
    unit.name = Some(format!("binding {name}"));
}

/// Channels of MicroProfile Reactive Messaging, as SmallRye and Quarkus have them.
fn smallrye(sheet: &Sheet<'_>, flats: &[Flat], out: &mut Vec<Unit>) {
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
    let common = raw(sheet, flats, "mp.messaging.connector.smallrye-kafka.");
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
            if !value(&format!("{own}connector")).map_or(!other, is_kafka) {
                continue;
            }
            let settings = raw(sheet, flats, &own);
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
    fn every_spelling_comes_to_one() {
        for (written, full) in [
            (
                "spring.kafka.consumer.autoOffsetReset",
                "spring.kafka.consumer.auto-offset-reset",
            ),
            (
                "spring.kafka.consumer.auto_offset_reset",
                "spring.kafka.consumer.auto-offset-reset",
            ),
            (
                "spring.kafka.producer.properties[enable.idempotence]",
                "spring.kafka.producer.properties.enable.idempotence",
            ),
            (
                "spring.cloud.stream.rabbit.bindings.myIn.consumer.autoBindDlq",
                "spring.cloud.stream.rabbit.bindings.myIn.consumer.auto-bind-dlq",
            ),
            (
                "mp.messaging.incoming.myIn.failure-strategy",
                "mp.messaging.incoming.myIn.failure-strategy",
            ),
            (
                "rocketmq.producer.sendMessageTimeout",
                "rocketmq.producer.send-message-timeout",
            ),
        ] {
            assert_eq!(canonical(written), full);
        }
        for (variable, full) in [
            (
                "SPRING_KAFKA_CONSUMER_AUTOOFFSETRESET",
                Some("spring.kafka.consumer.auto-offset-reset"),
            ),
            (
                "SPRING_KAFKA_CONSUMER_AUTO_OFFSET_RESET",
                Some("spring.kafka.consumer.auto-offset-reset"),
            ),
            (
                "SPRING_KAFKA_PRODUCER_PROPERTIES_ENABLE_IDEMPOTENCE",
                Some("spring.kafka.producer.properties.enable.idempotence"),
            ),
            ("SPRING_DATASOURCE_URL", None),
        ] {
            assert_eq!(of_variable(variable).as_deref(), full);
        }
    }

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
