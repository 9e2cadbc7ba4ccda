//! YAML: what kind of file each document is, by what it says, and the reader for it.

mod compose;
mod containers;
mod embedded;
mod helm;
mod kubernetes;
mod pipelines;
mod rabbitmq;
mod strimzi;
mod topics;

use super::Reading;
use super::beside::Beside;
use super::sheet::{Item, Sheet, Thing};
use super::spring;
use crate::audit::fact::{Component, Dialect, FactValue, Unit};
use crate::audit::secret::{Masks, is_secret_name, is_secret_text, pem_regions};
use crate::text::yaml::{self, Data, Node, Style};
use crate::text::{SourceFile, Span};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

/// One of these words stands in every file that is about messaging, in whatever case.
const WORDS: [&str; 16] = [
    "kafka",
    "rabbit",
    "rocketmq",
    "bootstrap.servers",
    "messaging",
    "amqp",
    "namesrv",
    "connector.class",
    "platform.confluent.io",
    "replication",
    "num.partitions",
    "min.insync",
    "server.properties",
    "flushdisktype",
    "brokerrole",
    "auto.offset.reset",
];

/// What reading the documents of a file came to, while it goes on.
#[derive(Default)]
pub(super) struct Found {
    pub units: Vec<Unit>,
    /// Queues, exchanges, bindings and policies of all documents, which belong together.
    pub topology: Vec<Thing>,
    /// What is about messaging and not judged.
    pub not_yet: Option<String>,
    /// An embedded file that cannot be read: where, and why.
    pub malformed: Option<(usize, String)>,
    /// Bytes that were copied to read files inside of files.
    pub copied: usize,
}

/// One file while it is read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub sheet: Sheet<'a>,
    pub text: &'a str,
    pub name: &'a str,
    pub documents: &'a [Rc<Node>],
}

/// Reads a file as YAML. `name` is its bare name, `declared` a dialect that its keys are said to be of.
pub(super) fn read(
    file: &Arc<str>,
    source: &SourceFile,
    name: &str,
    declared: Option<Dialect>,
    beside: Option<&Beside<'_>>,
) -> Reading {
    const OTHER: Reading = Reading::NotMessaging("nothing in it tells a Kafka, RabbitMQ or RocketMQ configuration");
    let text = match source.utf8() {
        Ok(text) => text,
        Err(_) => return Reading::NotMessaging("it is not a text file"),
    };
    let lower = text.to_ascii_lowercase();
    if declared.is_none() && !WORDS.iter().any(|w| lower.contains(w)) {
        return OTHER;
    }
    let documents = match yaml::parse(text) {
        Ok(documents) => documents,
        Err(_) if is_template(text) || text.contains("{{") && text.contains("}}") => return template(&lower),
        Err(e) if declared.is_some() || is_meant(&lower, name) => {
            return Reading::Malformed {
                spot: source.spot(e.offset),
                what: e.what,
            };
        }
        Err(_) => return OTHER,
    };
    let masks = masks(text, source, &documents);
    let named = compose::environment_files(&documents);
    let joined = match beside {
        Some(beside) if declared.is_none() => beside.environments(&named, source.bytes().len()),
        _ => Vec::new(),
    };
    let reader = Reader {
        sheet: Sheet {
            file,
            source,
            masks: &masks,
            joined: &joined,
        },
        text,
        name,
        documents: &documents,
    };
    let mut found = Found::default();
    match declared {
        Some(dialect) => reader.declared(dialect, &mut found),
        None => reader.recognised(&mut found),
    }
    if is_template(text) {
        for unit in &mut found.units {
            unit.fragment.get_or_insert("the file is a template that may add it");
        }
    }
    if !found.topology.is_empty() {
        let things = std::mem::take(&mut found.topology);
        let mut unit = reader
            .sheet
            .things(Dialect::RabbitmqDefinitions, Component::RabbitMq, things);
        unit.fragment = Some("other resources may declare bindings and policies");
        let commands = reader.documents.iter().any(|d| compose::is_compose(d));
        unit.carrier = Some(if commands { "compose" } else { "kubernetes" });
        found.units.push(unit);
    }
    match (found.malformed, found.units.is_empty(), found.not_yet) {
        (Some((at, what)), _, _) => Reading::Malformed {
            spot: source.spot(at),
            what,
        },
        (None, false, _) => Reading::Units {
            units: found.units,
            masks,
        },
        (None, true, Some(what)) => Reading::NotYet(what),
        (None, true, None) => OTHER,
    }
}

/// Reads a file of variables: lines of `NAME=value`, as containers are given by `env_file`.
pub(super) fn read_environment(file: &Arc<str>, source: &SourceFile, name: &str) -> Reading {
    const OTHER: Reading = Reading::NotMessaging("no variable in it is one of Kafka, RabbitMQ or RocketMQ");
    let Ok(text) = source.utf8() else { return OTHER };
    let mut spans = pem_regions(source.bytes());
    mask_lines(text, Span::new(0, text.len()), &mut spans);
    let masks = Masks::new(spans);
    let reader = Reader {
        sheet: Sheet {
            file,
            source,
            masks: &masks,
            joined: &[],
        },
        text,
        name,
        documents: &[],
    };
    let mut found = Found::default();
    kubernetes::lines_of_variables(&reader, &mut found);
    match found.units.is_empty() {
        true => OTHER,
        false => Reading::Units {
            units: found.units,
            masks,
        },
    }
}

/// Whether lines of it belong to a template's language.
pub(super) fn is_template(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with("{{") || line.starts_with("{%") || line.starts_with("<%") || line.starts_with("<#")
    }) || text.contains("{{-")
}

fn template(lower: &str) -> Reading {
    let about = [
        "kafka_",
        "min.insync",
        "rabbitmq.conf",
        "rabbitmq_",
        "brokerrole",
        "flushdisktype",
        "server.properties",
        "bootstrap.servers",
        "kafka.strimzi.io",
        "rabbitmq.com/",
    ];
    match about.iter().any(|a| lower.contains(a)) {
        true => Reading::NotYet(
            "it is a template that decides only when it is rendered; render it (helm template, kustomize build) and audit that".to_owned(),
        ),
        false => Reading::NotMessaging("it is a template that names no setting of Kafka, RabbitMQ or RocketMQ"),
    }
}

/// Whether a text that is not YAML was meant to be one of the files that are read here.
fn is_meant(lower: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    let has = |word: &str| lower.contains(word);
    let resource = has("apiversion:") && has("kind:");
    resource && (has("strimzi.io/") || has("rabbitmq.com/") || has("rocketmq.apache.org/") || has("kafka_"))
        || has("services:")
            && (has("image:") || has("environment:"))
            && (has("kafka_") || has("rabbitmq") || has("connect_"))
        || (name.starts_with("application") || name.starts_with("bootstrap"))
            && (has("spring:") && (has("kafka:") || has("rabbitmq:") || has("stream:")) || has("messaging:"))
}

/// What must not be shown: values by their name or text, each line of a block for itself.
fn masks(text: &str, source: &SourceFile, documents: &[Rc<Node>]) -> Masks {
    let mut spans = pem_regions(source.bytes());
    let mut seen: HashSet<*const Node> = HashSet::new();
    for document in documents {
        mask(text, document, false, &mut spans, &mut seen);
    }
    Masks::new(spans)
}

fn mask(text: &str, node: &Rc<Node>, secret: bool, spans: &mut Vec<Span>, seen: &mut HashSet<*const Node>) {
    if !secret && !seen.insert(Rc::as_ptr(node)) {
        return;
    }
    match &node.data {
        Data::Text { text: value, style } => {
            if secret || *style == Style::Quoted && is_secret_text(value) {
                spans.push(node.span);
            } else if let Some(block) = node.block(text) {
                mask_lines(text, block, spans);
            } else {
                mask_lines(text, node.span, spans);
            }
        }
        Data::List(list) => list.iter().for_each(|n| mask(text, n, secret, spans, seen)),
        Data::Map(map) => {
            let named = |name: &str| map.iter().find(|p| p.key == name).and_then(|p| p.value.text());
            let is_secret_kind = named("kind") == Some("Secret");
            let is_secret_variable = named("name").is_some_and(is_secret_name);
            for pair in map {
                let held = is_secret_kind && matches!(pair.key.as_str(), "data" | "stringData");
                let variable = is_secret_variable && pair.key == "value";
                let named = is_secret_name(&pair.key) && pair.value.text().is_some();
                mask(text, &pair.value, secret || held || variable || named, spans, seen);
            }
        }
    }
}

fn mask_lines(text: &str, span: Span, spans: &mut Vec<Span>) {
    let mut at = span.start;
    for line in text.get(span.range()).unwrap_or_default().split_inclusive('\n') {
        let name = line.split(['=', ':']).next().unwrap_or_default();
        if name.len() < line.len() && is_secret_name(name) || is_secret_text(line) {
            spans.push(Span::new(at, at + line.trim_end().len()));
        }
        at += line.len();
    }
}

impl<'a> Reader<'a> {
    /// Every document by what it says.
    fn recognised(&self, found: &mut Found) {
        let first = found.units.len();
        spring::read_yaml(self, found);
        let is_spring = found.units.len() > first;
        for document in self.documents {
            if document.get("apiVersion").is_some() && document.get("kind").is_some() {
                kubernetes::read(self, document, found);
            } else if compose::is_compose(document) {
                compose::read(self, document, found);
            } else if !topics::read(self, document, found)
                && !embedded::connector(self, document, found)
                && !kubernetes::environment_file(self, document, found)
                && !helm::read(self, document, found)
                && !pipelines::read(self, document, found)
                && !is_spring
            {
                embedded::scan(self, document, found);
            }
        }
        strimzi::join_pools(found);
    }

    /// The keys of every document as those of one dialect.
    fn declared(&self, dialect: Dialect, found: &mut Found) {
        if dialect == Dialect::Application {
            spring::read_yaml(self, found);
            return;
        }
        let component = crate::audit::recognise::component_of(dialect);
        for document in self.documents.iter().filter(|d| d.is_map()) {
            let items = self.settings(document);
            found.units.push(self.sheet.unit(dialect, component, items));
        }
    }

    /// The settings of a mapping under their whole names: nested ones with dots between.
    pub(super) fn settings(&self, node: &Node) -> Vec<Item> {
        let mut items = Vec::new();
        self.nested("", node, &mut items, 0);
        items
    }

    fn nested(&self, prefix: &str, node: &Node, items: &mut Vec<Item>, depth: usize) {
        for pair in node.map() {
            let key = match prefix {
                "" => pair.key.clone(),
                prefix => format!("{prefix}.{}", pair.key),
            };
            match &pair.value.data {
                Data::Map(_) if depth < 8 => self.nested(&key, &pair.value, items, depth + 1),
                _ => items.push(self.item(key, pair.key_span, &pair.value)),
            }
        }
    }

    /// A setting whose value a program reads as text.
    pub(super) fn item(&self, key: impl Into<String>, key_span: Span, node: &Node) -> Item {
        let value = match &node.data {
            Data::Text { .. } if node.is_null() => FactValue::Null,
            Data::Text { text, .. } => FactValue::Text(text.clone()),
            Data::List(list) if list.iter().all(|n| n.text().is_some()) => {
                let words: Vec<&str> = list.iter().filter_map(|n| n.text()).collect();
                FactValue::Text(words.join(","))
            }
            _ => FactValue::Composite,
        };
        self.sheet.typed(key, value, key_span, node.span)
    }

    /// A setting whose value a program reads as YAML has it: `true` is a truth.
    pub(super) fn typed(&self, key: impl Into<String>, key_span: Span, node: &Node) -> Item {
        let value = match &node.data {
            Data::Text { .. } if node.is_null() => FactValue::Null,
            Data::Text { text, style } => match (style, text.as_str()) {
                (Style::Plain, "true" | "True" | "TRUE") => FactValue::Bool(true),
                (Style::Plain, "false" | "False" | "FALSE") => FactValue::Bool(false),
                _ => FactValue::Text(text.clone()),
            },
            _ => FactValue::Composite,
        };
        self.sheet.typed(key, value, key_span, node.span)
    }

    /// Gives a unit its name and the place where it begins.
    pub(super) fn named(&self, unit: &mut Unit, name: &str, span: Span, carrier: &'static str) {
        unit.name = Some(name.to_owned());
        unit.head = Some(self.sheet.place(span));
        unit.carrier = Some(carrier);
    }
}
