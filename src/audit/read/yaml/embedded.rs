//! Whole files inside YAML: a properties file in a block, a mapping of dotted keys, a connector.

use super::containers;
use super::{Found, Reader};
use crate::audit::fact::{Component, Dialect, FactValue, Layer, Unit};
use crate::audit::read::placeholder::{self, Syntax};
use crate::audit::read::sheet::{Item, Thing};
use crate::audit::read::{Reading, own_names, properties, rabbitmq_conf, read_definitions_at, words};
use crate::audit::recognise::{self, Recognition};
use crate::text::Span;
use crate::text::yaml::{Node, Pair};
use std::collections::HashSet;

/// How many mappings of one document are looked into. A release's values have some thousand.
const MAX_SCANNED: usize = 20_000;

/// Reads the text of a value as a file of this name; true when it was one.
pub(super) fn file(reader: &Reader<'_>, pair: &Pair, name: &str, head: Span, found: &mut Found) -> bool {
    let Some(text) = pair.value.given() else { return false };
    if text.len() < 4 {
        return false;
    }
    let sheet = reader.sheet;
    // The lines of a block stand in the file as they are; what is quoted on one line is read where it stands, if nothing is escaped in it.
    let span = match pair.value.block(reader.text) {
        Some(block) => block,
        None => pair.value.span,
    };
    let raw = reader.text.get(span.range()).unwrap_or_default();
    let inner = raw.trim_matches(['"', '\'']);
    let at = span.start + raw.find(inner).unwrap_or(0);
    if pair.value.block(reader.text).is_none() && inner.contains('\\') {
        return false;
    }
    let lower = name.to_lowercase();
    let reading = if inner.trim_start().starts_with('{') {
        read_definitions_at(sheet.file, sheet.source, Span::new(at, at + inner.len()), &lower)
    } else if lower.ends_with(".yaml") || lower.ends_with(".yml") {
        return false;
    } else if rabbitmq_conf::is_conf(inner) {
        rabbitmq_conf::read_at(sheet.file, sheet.source, Span::new(at, at + inner.len()))
    } else {
        properties::read_at(sheet.file, sheet.source, Span::new(at, at + inner.len()), &lower, None)
    };
    match reading {
        Reading::Units { units, .. } => {
            let mut any = false;
            for mut unit in units.into_iter().filter(|u| u.dialect != Dialect::KafkaClient) {
                reader.named(&mut unit, name, head, "embedded");
                found.units.push(unit);
                any = true;
            }
            any
        }
        Reading::Malformed { .. } => {
            found
                .malformed
                .get_or_insert((span.start, format!("the file in `{}` cannot be read", short(name))));
            true
        }
        Reading::NotYet(what) => {
            found.not_yet.get_or_insert(what);
            false
        }
        Reading::NotMessaging(_) => commands(reader, &pair.value, name, head, found),
    }
}

/// Reads what the commands of a script make, in a pipeline, a playbook or a mounted file; true when they make anything.
fn commands(reader: &Reader<'_>, node: &Node, name: &str, head: Span, found: &mut Found) -> bool {
    const TOOLS: [&str; 5] = [
        "kafka-topics",
        "kafka-configs",
        "rabbitmqadmin",
        "rabbitmqctl",
        "mqadmin",
    ];
    let text = node.text().unwrap_or_default();
    if !TOOLS.iter().any(|t| text.contains(t)) {
        return false;
    }
    let (sheet, words) = (&reader.sheet, containers::words_of(reader, Some(node)));
    let (before, things) = (found.units.len(), found.topology.len());
    for (dialect, component, made) in [
        (
            Dialect::KafkaTopics,
            Component::KafkaBroker,
            words::topics(sheet, &words),
        ),
        (
            Dialect::RocketmqTopics,
            Component::RocketMq,
            words::rocketmq_topics(sheet, &words),
        ),
    ] {
        if !made.is_empty() {
            let mut unit = sheet.things(dialect, component, made);
            reader.named(&mut unit, name, head, "commands");
            found.units.push(unit);
        }
    }
    found.topology.extend(words::rabbitmq_things(sheet, &words));
    found.units.len() > before || found.topology.len() > things
}

fn short(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(60).collect()
}

/// A connector as it is posted to Connect: its settings, or a name beside them.
pub(super) fn connector(reader: &Reader<'_>, document: &Node, found: &mut Found) -> bool {
    let settings = match (document.get("connector.class"), document.get("config")) {
        (Some(_), _) => document,
        (None, Some(config)) if config.get("connector.class").is_some() => config,
        _ => return false,
    };
    let items = reader.settings(settings);
    let mut unit = reader
        .sheet
        .unit(Dialect::KafkaConnector, Component::KafkaConnect, items);
    if let Some(name) = document.pair("name") {
        reader.named(
            &mut unit,
            name.value.text().unwrap_or_default(),
            name.value.span,
            "connector",
        );
    }
    found.units.push(unit);
    true
}

/// Looks for mappings of dotted keys and blocks that are whole configurations, wherever they stand: values of charts, drivers of
/// benchmarks, settings of frameworks.
pub(super) fn scan(reader: &Reader<'_>, document: &Node, found: &mut Found) {
    let mut budget = MAX_SCANNED;
    walk(reader, document, None, found, &mut budget);
    let (sheet, known) = (&reader.sheet, &found.units);
    let is_new = |i: &Item| {
        let mut facts = known.iter().flat_map(|u| &u.facts);
        own_names::says_copies(&i.key) && !facts.any(|f| f.place.span.start == i.span.start)
    };
    let own = own_names::topics(sheet, reader.settings(document).into_iter().filter(is_new));
    found.units.extend(own);
}

fn walk(reader: &Reader<'_>, node: &Node, head: Option<&Pair>, found: &mut Found, budget: &mut usize) {
    if *budget == 0 {
        return;
    }
    *budget -= 1;
    if node.is_map() {
        if let Some(pair) = node.pair("policies") {
            policies(reader, &pair.value, found);
        }
        if let Some(head) = head
            && (dotted(reader, node, head, found) || nested_conf(reader, node, head, found))
        {
            return;
        }
        for pair in node.map() {
            if pair.value.text().is_some_and(|t| t.contains('\n')) {
                file(reader, pair, &pair.key, pair.key_span, found);
            } else {
                commands(reader, &pair.value, &pair.key, pair.key_span, found);
                walk(reader, &pair.value, Some(pair), found, budget);
            }
        }
    }
    for element in node.list() {
        if let Some(head) = head {
            commands(reader, element, &head.key, head.key_span, found);
        }
        walk(reader, element, head, found, budget);
    }
}

/// Policies of RabbitMQ in the values of a chart or program: a list of mappings, each with a pattern and what it defines.
fn policies(reader: &Reader<'_>, list: &Node, found: &mut Found) {
    for policy in list.list() {
        let (Some(name), Some(definition)) = (policy.pair("name"), policy.get("definition")) else {
            continue;
        };
        if policy.text_at(&["pattern"]).is_none() || !definition.is_map() {
            continue;
        }
        let keys = ["pattern", "apply-to", "priority"];
        let mut items: Vec<Item> = keys
            .iter()
            .filter_map(|key| policy.pair(key))
            .map(|pair| reader.typed(pair.key.clone(), pair.key_span, &pair.value))
            .collect();
        for pair in definition.map() {
            items.push(reader.typed(format!("definition.{}", pair.key), pair.key_span, &pair.value));
        }
        found.topology.push(Thing {
            layer: Layer::Policy,
            vhost: Some(policy.text_at(&["vhost"]).unwrap_or("/").to_owned()),
            name: name.value.text().unwrap_or_default().to_owned(),
            span: name.value.span,
            items,
        });
    }
}

/// Whether a mapping holds the settings of a RabbitMQ node, nested as YAML has it, and the unit of it.
fn nested_conf(reader: &Reader<'_>, node: &Node, head: &Pair, found: &mut Found) -> bool {
    if node.text_at(&["cluster_partition_handling"]).is_none() {
        return false;
    }
    let mut unit = reader
        .sheet
        .unit(Dialect::RabbitmqConf, Component::RabbitMq, reader.settings(node));
    reader.named(&mut unit, &head.key, head.key_span, "values");
    unit.fragment = Some("the values of a chart or program may add it elsewhere");
    found.units.push(unit);
    true
}

/// Whether a mapping holds settings under their own dotted names, and the units of them.
fn dotted(reader: &Reader<'_>, node: &Node, head: &Pair, found: &mut Found) -> bool {
    let keys: HashSet<&str> = node.map().iter().map(|p| p.key.as_str()).collect();
    if !keys.iter().any(|k| k.contains('.')) {
        return false;
    }
    let Recognition::Judged(roles) = recognise::keys(&keys, &head.key) else {
        return false;
    };
    let mut any = false;
    for (dialect, component) in roles {
        if matches!(dialect, Dialect::KafkaClient | Dialect::RocketmqBroker) {
            continue;
        }
        let mut items = reader.settings(node);
        let remarks = resolve(reader, &mut items);
        let mut unit: Unit = reader.sheet.unit(dialect, component, items);
        unit.remarks = remarks;
        reader.named(&mut unit, &head.key, head.key_span, "values");
        unit.fragment = Some("the values of a chart or program may add it elsewhere");
        found.units.push(unit);
        any = true;
    }
    any
}

/// Puts the default of every placeholder in its place, as Spring and its like do with values of any name; and says so.
fn resolve(reader: &Reader<'_>, items: &mut [Item]) -> Vec<(usize, String)> {
    let mut remarks = Vec::new();
    for item in items {
        let default = match &item.value {
            FactValue::Text(text) => placeholder::defaults(text, Syntax::Spring),
            _ => None,
        };
        if let Some(default) = default {
            remarks.push((
                reader.sheet.line(item.span.start),
                format!(
                    "`{}` is a placeholder; its default is judged, and the environment may give another value",
                    item.key
                ),
            ));
            item.value = FactValue::Text(default);
        }
    }
    remarks
}
