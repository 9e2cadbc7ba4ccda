//! Kubernetes resources: pods in whatever controller, files in ConfigMaps, and the resources of the operators.

use super::containers::{self, Container};
use super::{Found, Reader, embedded, rabbitmq, strimzi, topics};
use crate::audit::fact::{Component, Dialect};
use crate::audit::read::images::Variable;
use crate::audit::read::sheet::Item;
use crate::text::Span;
use crate::text::yaml::Node;
use std::rc::Rc;

/// Reads one resource.
pub(super) fn read(reader: &Reader<'_>, resource: &Node, found: &mut Found) {
    let version = resource.text_at(&["apiVersion"]).unwrap_or_default();
    let kind = resource.text_at(&["kind"]).unwrap_or_default();
    match (version.split('/').next().unwrap_or_default(), kind) {
        ("kafka.strimzi.io", _) => strimzi::read(reader, resource, kind, found),
        ("rabbitmq.com", _) => rabbitmq::read(reader, resource, kind, found),
        ("rocketmq.apache.org", _) => rocketmq(reader, resource, kind, found),
        (group, _) if group.ends_with("jikkou.io") => {
            topics::jikkou(reader, resource, kind, found);
        }
        ("platform.confluent.io", _) => confluent(reader, resource, kind, found),
        (_, "ConfigMap" | "Secret") => files(reader, resource, found),
        (_, "List") => {
            for item in resource.get("items").map(Node::list).unwrap_or_default() {
                if item.get("kind").is_some_and(|k| k.text() != Some("List")) {
                    read(reader, item, found);
                }
            }
        }
        (_, "Pod") => pod(reader, resource, resource.get("spec"), None, found),
        (_, "CronJob") => pod(
            reader,
            resource,
            resource.at(&["spec", "jobTemplate", "spec", "template", "spec"]),
            None,
            found,
        ),
        (
            _,
            "Deployment"
            | "StatefulSet"
            | "DaemonSet"
            | "ReplicaSet"
            | "Job"
            | "DeploymentConfig"
            | "ReplicationController"
            | "Rollout",
        ) => {
            pod(
                reader,
                resource,
                resource.at(&["spec", "template", "spec"]),
                resource.get("spec"),
                found,
            );
        }
        (_, "Service" | "CustomResourceDefinition") => {}
        // Values and charts of operators that carry whole configurations: `HelmRelease`, `Application`, `Service` of Knative.
        (_, "HelmRelease" | "HelmChart" | "Application") => embedded::scan(reader, resource, found),
        _ => {}
    }
}

/// Every value of a ConfigMap is a file under its key.
fn files(reader: &Reader<'_>, resource: &Node, found: &mut Found) {
    for section in ["data", "stringData"] {
        for pair in resource.get(section).map(Node::map).unwrap_or_default() {
            let name = &pair.key;
            // Knative explains a ConfigMap in it, and nothing reads it.
            if name == "_example" {
                continue;
            }
            if !embedded::file(reader, pair, name, pair.key_span, found)
                && (name.ends_with(".yaml") || name.ends_with(".yml"))
            {
                inner_yaml(reader, pair, found);
            }
        }
    }
    // A ConfigMap that a pod takes its environment from.
    let name = resource.at(&["metadata"]).and_then(|m| m.pair("name"));
    let head = name.map_or(resource.span, |n| n.value.span);
    let name = name.and_then(|n| n.value.text()).unwrap_or_default();
    if let Some(data) = resource.get("data") {
        environment(reader, data, name, head, found);
    }
}

/// A mapping of variables alone, as a test harness or a template's values hold them; true when it was one.
pub(super) fn environment_file(reader: &Reader<'_>, document: &Node, found: &mut Found) -> bool {
    let before = found.units.len();
    if document.map().len() > 2 && document.map().iter().all(|p| p.value.text().is_some()) {
        environment(
            reader,
            document,
            reader.name,
            document.map().first().map_or(document.span, |p| p.key_span),
            found,
        );
    }
    found.units.len() > before
}

fn environment(reader: &Reader<'_>, data: &Node, name: &str, head: Span, found: &mut Found) {
    let variables: Vec<Variable> = data
        .map()
        .iter()
        .filter(|p| {
            p.key
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        })
        .map(|p| Variable {
            name: p.key.clone(),
            value: p.value.text().map(str::to_owned),
            name_span: p.key_span,
            value_span: p.value.span,
        })
        .collect();
    given_by_a_file(reader, variables, name, head, found);
}

/// The variables in lines of `NAME=value`; `export` may stand before a name and quotes around a value.
pub(super) fn lines_of_variables(reader: &Reader<'_>, found: &mut Found) {
    let variables = variables_in(reader.text, Span::new);
    let head = Span::new(0, 0);
    given_by_a_file(reader, variables, reader.name, head, found);
}

/// The variables in lines of a text, with the spans of its bytes as `span` has them.
pub(super) fn variables_in(text: &str, span: impl Fn(usize, usize) -> Span) -> Vec<Variable> {
    let mut variables = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let bare = line.trim_start().trim_start_matches("export ").trim_start();
        let Some((name, value)) = bare.split_once('=').filter(|_| !bare.starts_with('#')) else {
            continue;
        };
        let name_at = start + line.len() - bare.len();
        let value_at = name_at + name.len() + 1;
        // What follows a blank and `#` is a comment, unless quotes hold it.
        let value = value.trim_end();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let end = match quote {
            Some(quote) => value
                .get(1..)
                .and_then(|rest| rest.find(quote))
                .map_or(value.len(), |i| i + 2),
            None => value.find(" #").unwrap_or(value.len()),
        };
        let raw = value.get(..end).unwrap_or(value).trim_end();
        variables.push(Variable {
            name: name.trim().to_owned(),
            value: Some(raw.trim_matches(['"', '\'']).to_owned()),
            name_span: span(name_at, name_at + name.trim_end().len()),
            value_span: span(value_at, value_at + raw.len()),
        });
    }
    variables
}

/// Variables that containers take from a file. The container itself may set others.
fn given_by_a_file(reader: &Reader<'_>, variables: Vec<Variable>, name: &str, head: Span, found: &mut Found) {
    if !variables.is_empty() {
        let container = Container {
            name,
            head,
            image: None,
            variables,
            words: Vec::new(),
            surroundings: Vec::new(),
            partial: true,
            carrier: "environment",
            remarks: Vec::new(),
        };
        containers::read(reader, container, found);
    }
}

/// How many bytes are copied to read YAML in YAML: each time all that stands before it.
const MAX_COPIED: usize = 16 * 1024 * 1024;

/// A YAML file in a block: read for itself, its places moved to where it stands.
fn inner_yaml(reader: &Reader<'_>, pair: &crate::text::yaml::Pair, found: &mut Found) {
    let Some(block) = pair.value.block(reader.text) else {
        return;
    };
    let (first, raw) = (block.start, reader.text.get(block.range()).unwrap_or_default());
    found.copied = found.copied.saturating_add(block.end);
    if found.copied > MAX_COPIED {
        found
            .malformed
            .get_or_insert((first, "more files inside of the file than are read".to_owned()));
        return;
    }
    // Blank everything before, so that every byte keeps its place; a file in a file in a file is not followed.
    let blank: String = reader
        .text
        .get(..first)
        .unwrap_or_default()
        .bytes()
        .map(|b| if b == b'\n' { '\n' } else { ' ' })
        .collect();
    let text = format!("{blank}{raw}");
    let Ok(documents) = crate::text::yaml::parse(&text) else {
        return;
    };
    let inner = Reader {
        text: &text,
        documents: &documents,
        name: &pair.key,
        ..*reader
    };
    crate::audit::read::spring::read_yaml(&inner, found);
}

fn pod(reader: &Reader<'_>, resource: &Node, spec: Option<&Node>, controller: Option<&Node>, found: &mut Found) {
    let Some(spec) = spec else { return };
    let replicas = controller.and_then(|c| c.pair("replicas"));
    let copies = replicas.and_then(|r| r.value.given()?.parse::<usize>().ok());
    let stateful = resource.text_at(&["kind"]) == Some("StatefulSet");
    let templates = controller
        .and_then(|c| c.get("volumeClaimTemplates"))
        .map(Node::list)
        .unwrap_or_default();
    for container in spec.get("containers").map(Node::list).unwrap_or_default() {
        let Some(name) = container.pair("name") else { continue };
        let mut surroundings: Vec<Item> = Vec::new();
        if let Some(replicas) = replicas {
            surroundings.push(reader.item("replicas", replicas.key_span, &replicas.value));
        }
        if stateful {
            // The pods of a StatefulSet keep their names.
            surroundings.push(
                reader
                    .sheet
                    .item("hostname", "stable", name.value.span, name.value.span),
            );
        }
        let mut partial = container.get("envFrom").is_some();
        for mount in container.get("volumeMounts").map(Node::list).unwrap_or_default() {
            let Some(path) = mount.pair("mountPath") else { continue };
            let kind = volume_kind(mount.text_at(&["name"]), spec, templates);
            partial |= kind == "volume.config"
                && path
                    .value
                    .text()
                    .is_some_and(|p| !p.contains("jmx") && !p.contains("metrics"));
            if kind != "volume.config" {
                surroundings.push(reader.item(kind, path.key_span, &path.value));
            }
        }
        let mut words = containers::words_of(reader, container.get("command"));
        words.extend(containers::words_of(reader, container.get("args")));
        let before = found.units.len();
        let brokers = containers::read(
            reader,
            Container {
                name: name.value.text().unwrap_or_default(),
                head: name.value.span,
                image: container.get("image"),
                variables: variables(container),
                words,
                surroundings,
                partial,
                carrier: "kubernetes",
                remarks: Vec::new(),
            },
            found,
        );
        for unit in found
            .units
            .iter_mut()
            .skip(before)
            .filter(|u| u.dialect == Dialect::KafkaBroker)
        {
            unit.brokers = copies
                .filter(|_| brokers > 0)
                .or(Some(1).filter(|_| controller.is_some() && replicas.is_none() && brokers > 0));
        }
    }
}

/// What stands behind a mount: `tmpfs` for memory, `volume.ephemeral` for what dies with the pod.
fn volume_kind(name: Option<&str>, spec: &Node, templates: &[Rc<Node>]) -> &'static str {
    if templates.iter().any(|t| t.text_at(&["metadata", "name"]) == name) {
        return "volume";
    }
    let volumes = spec.get("volumes").map(Node::list).unwrap_or_default();
    let Some(volume) = volumes.iter().find(|v| v.text_at(&["name"]) == name) else {
        return "volume";
    };
    if let Some(empty) = volume.get("emptyDir") {
        return if empty.text_at(&["medium"]) == Some("Memory") {
            "tmpfs"
        } else {
            "volume.ephemeral"
        };
    }
    let config = ["configMap", "secret", "projected", "downwardAPI"];
    if config.iter().any(|k| volume.get(k).is_some()) {
        "volume.config"
    } else {
        "volume"
    }
}

fn variables(container: &Node) -> Vec<Variable> {
    let list = container.get("env").map(Node::list).unwrap_or_default();
    list.iter()
        .filter_map(|entry| {
            let name = entry.pair("name")?;
            let value = entry.pair("value");
            let from = entry.get("valueFrom").is_some();
            Some(Variable {
                name: name.value.text()?.to_owned(),
                value: match value {
                    Some(value) => value.value.text().map(str::to_owned),
                    None if from => None,
                    None => Some(String::new()),
                },
                name_span: name.value.span,
                value_span: value.map_or(name.value.span, |v| v.value.span),
            })
        })
        .collect()
}

/// The resources of RocketMQ's operator.
fn rocketmq(reader: &Reader<'_>, resource: &Node, kind: &str, found: &mut Found) {
    let Some(spec) = resource.get("spec") else { return };
    let name = resource.get("metadata").and_then(|m| m.pair("name"));
    if kind != "Broker" {
        found
            .not_yet
            .get_or_insert("a resource of RocketMQ's operator without settings of a broker".to_owned());
        return;
    }
    // The operator gives roles and names itself, and takes the rest from a ConfigMap.
    let mut unit = reader
        .sheet
        .unit(Dialect::RocketmqBroker, Component::RocketMq, Vec::new());
    unit.fragment = Some("the ConfigMap of the broker may add it");
    let mut items = Vec::new();
    for key in ["size", "replicaPerGroup", "storageMode", "brokerImage"] {
        if let Some(pair) = spec.pair(key) {
            items.push(match (key, pair.value.text()) {
                ("storageMode", Some("EmptyDir")) => {
                    reader
                        .sheet
                        .item("storage.type", "ephemeral", pair.key_span, pair.value.span)
                }
                ("storageMode", _) => reader.item("storage.type", pair.key_span, &pair.value),
                _ => reader.item(key, pair.key_span, &pair.value),
            });
        }
    }
    unit.surroundings = reader.sheet.surroundings(items);
    if let Some(name) = name {
        reader.named(
            &mut unit,
            name.value.text().unwrap_or_default(),
            name.value.span,
            "operator",
        );
    }
    found.units.push(unit);
}

/// Confluent's operator: `configOverrides.server` is a list of `key=value`.
fn confluent(reader: &Reader<'_>, resource: &Node, kind: &str, found: &mut Found) {
    let (dialect, component) = match kind {
        "Kafka" | "KRaftController" => (Dialect::KafkaBroker, Component::KafkaBroker),
        "Connect" => (Dialect::KafkaConnect, Component::KafkaConnect),
        "KafkaTopic" => {
            topics::confluent(reader, resource, found);
            return;
        }
        "Connector" => {
            confluent_connector(reader, resource, found);
            return;
        }
        _ => {
            found
                .not_yet
                .get_or_insert("a resource of Confluent's operator that is not judged".to_owned());
            return;
        }
    };
    let overrides = resource
        .at(&["spec", "configOverrides", "server"])
        .map(Node::list)
        .unwrap_or_default();
    let items = overrides.iter().filter_map(|line| {
        let (key, value) = line.text()?.split_once('=')?;
        Some(reader.sheet.item(key.trim(), value.trim(), line.span, line.span))
    });
    let mut unit = reader.sheet.unit(dialect, component, items.collect());
    unit.fragment = Some("the operator writes settings of its own");
    if let Some(name) = resource.get("metadata").and_then(|m| m.pair("name")) {
        reader.named(
            &mut unit,
            name.value.text().unwrap_or_default(),
            name.value.span,
            "operator",
        );
    }
    unit.brokers = resource
        .text_at(&["spec", "replicas"])
        .and_then(|n| n.parse().ok())
        .filter(|_| kind == "Kafka");
    found.units.push(unit);
}

/// A connector of Confluent's operator: its class beside its settings.
fn confluent_connector(reader: &Reader<'_>, resource: &Node, found: &mut Found) {
    let Some(spec) = resource.get("spec") else { return };
    let mut items = Vec::new();
    if let Some(class) = spec.pair("class") {
        items.push(reader.item("connector.class", class.key_span, &class.value));
    }
    items.extend(spec.get("configs").map(|c| reader.settings(c)).unwrap_or_default());
    let mut unit = reader
        .sheet
        .unit(Dialect::KafkaConnector, Component::KafkaConnect, items);
    if let Some(name) = resource.get("metadata").and_then(|m| m.pair("name")) {
        reader.named(
            &mut unit,
            name.value.text().unwrap_or_default(),
            name.value.span,
            "operator",
        );
    }
    found.units.push(unit);
}
