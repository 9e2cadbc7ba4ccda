//! Compose files: every service with its image, environment, command and disks.

use super::containers::{self, Container};
use super::kubernetes;
use super::{Found, Reader};
use crate::audit::read::images::Variable;
use crate::audit::read::placeholder::{self, Syntax};
use crate::audit::read::sheet::Item;
use crate::text::Span;
use crate::text::yaml::{Node, Pair};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Whether a document is a compose file: `services`, each with an image or a build, or the first version's services at the top.
pub(super) fn is_compose(document: &Node) -> bool {
    let is_service = |node: &Node| {
        ["image", "build", "environment", "container_name"]
            .iter()
            .any(|k| node.get(k).is_some())
    };
    match document.get("services") {
        Some(services) => services.map().iter().any(|p| is_service(&p.value)),
        None => {
            document.map().iter().any(|p| p.value.text_at(&["image"]).is_some())
                && document.map().iter().all(|p| p.value.is_map() && is_service(&p.value))
        }
    }
}

/// The files of variables that services name, as they are written, in the order of the file.
pub(super) fn environment_files(documents: &[Rc<Node>]) -> Vec<&str> {
    let compose = documents.iter().filter(|d| is_compose(d));
    compose
        .flat_map(|d| d.get("services").unwrap_or(d).map())
        .flat_map(|service| named_files(&service.value))
        .collect()
}

/// The files of variables of one service: a path, a list of paths, or of mappings with `path`. Of those that set the same, the last counts.
fn named_files(service: &Node) -> Vec<&str> {
    let Some(node) = service.get("env_file") else {
        return Vec::new();
    };
    match node.text() {
        Some(text) => vec![text],
        None => node
            .list()
            .iter()
            .filter_map(|e| e.text().or_else(|| e.text_at(&["path"])))
            .collect(),
    }
}

/// The variables that a service takes from files, and whether every file of them is at hand.
fn variables_of_files(reader: &Reader<'_>, service: &Node) -> (Vec<Variable>, bool) {
    let (mut out, mut whole): (Vec<Variable>, bool) = (Vec::new(), true);
    for path in named_files(service) {
        let Some(joined) = reader.sheet.joined.iter().find(|j| j.written == path) else {
            whole = false;
            continue;
        };
        let text = joined.source.utf8().unwrap_or_default();
        for mut variable in kubernetes::variables_in(text, |start, end| joined.span(start, end)) {
            if let Some(default) = variable
                .value
                .as_deref()
                .and_then(|v| placeholder::defaults(v, Syntax::Compose))
            {
                variable.value = Some(default);
            }
            out.retain(|v| v.name != variable.name);
            out.push(variable);
        }
    }
    (out, whole)
}

/// Reads every service.
pub(super) fn read(reader: &Reader<'_>, document: &Node, found: &mut Found) {
    let services = document.get("services").unwrap_or(document);
    let first = found.units.len();
    let named = document.get("volumes");
    let mut brokers = 0;
    for pair in services.map().iter().filter(|p| p.value.is_map()) {
        let copies = pair
            .value
            .text_at(&["deploy", "replicas"])
            .or_else(|| pair.value.text_at(&["scale"]))
            .and_then(|n| n.parse::<usize>().ok())
            .unwrap_or(1);
        brokers += service(reader, pair, named, found) * copies.max(1);
    }
    for unit in found.units.iter_mut().skip(first) {
        if unit.dialect == crate::audit::fact::Dialect::KafkaBroker && unit.carrier == Some("compose") {
            unit.brokers = Some(brokers);
        }
    }
    separate_clusters(found, first);
}

/// Brokers whose quorum or ZooKeeper differ are brokers of different clusters.
fn separate_clusters(found: &mut Found, first: usize) {
    let keys = [
        "controller.quorum.voters",
        "controller.quorum.bootstrap.servers",
        "zookeeper.connect",
    ];
    let cluster = |unit: &crate::audit::fact::Unit| -> Option<String> {
        keys.iter()
            .find_map(|key| unit.live(key)?.value.text().map(|v| format!("{key}={v}")))
    };
    let of: Vec<Option<String>> = found.units.iter().skip(first).map(cluster).collect();
    let id = |unit: &crate::audit::fact::Unit| -> Option<String> {
        ["node.id", "broker.id"]
            .iter()
            .find_map(|key| unit.live(key)?.value.text().map(str::to_owned))
    };
    let mut members: HashMap<&str, usize> = HashMap::new();
    let mut ids: HashSet<(&str, String)> = HashSet::new();
    for (unit, cluster) in found.units.iter().skip(first).zip(&of) {
        let Some(cluster) = cluster else { continue };
        // Two with the same number never run side by side: a file for tests holds a cluster's broker in several ways.
        if id(unit).is_none_or(|id| ids.insert((cluster, id))) {
            *members.entry(cluster).or_default() += 1;
        }
    }
    if members.is_empty() {
        return;
    }
    for (i, unit) in found
        .units
        .iter_mut()
        .skip(first)
        .enumerate()
        .filter(|(_, u)| u.brokers.is_some())
    {
        // One that does not tell its cluster may belong to any of them.
        unit.brokers = of.get(i).and_then(|own| members.get(own.as_deref()?).copied());
    }
}

fn service(reader: &Reader<'_>, pair: &Pair, named: Option<&Node>, found: &mut Found) -> usize {
    let node = &pair.value;
    let mut remarks = Vec::new();
    let own = variables(reader, node.get("environment"), &mut remarks);
    let (mut variables, whole) = variables_of_files(reader, node);
    // What stands in the service itself wins.
    variables.retain(|v| !own.iter().any(|o| o.name == v.name));
    variables.extend(own);
    let mut words = containers::words_of(reader, node.get("entrypoint"));
    words.extend(containers::words_of(reader, node.get("command")));
    let (surroundings, mounts_file) = surroundings(reader, node, named);
    containers::read(
        reader,
        Container {
            name: &pair.key,
            head: pair.key_span,
            image: node.get("image"),
            variables,
            words,
            surroundings,
            partial: mounts_file || !whole || node.get("extends").is_some(),
            carrier: "compose",
            remarks,
        },
        found,
    )
}

/// The environment: a mapping, or a list of `NAME=value`.
fn variables(reader: &Reader<'_>, node: Option<&Node>, remarks: &mut Vec<(usize, String)>) -> Vec<Variable> {
    let Some(node) = node else { return Vec::new() };
    let mut out = Vec::new();
    for pair in node.map() {
        let value = (!pair.value.is_null()).then(|| pair.value.text()).flatten();
        out.push(Variable {
            name: pair.key.clone(),
            value: value.map(|v| containers::resolved(reader, v, pair.value.span, remarks)),
            name_span: pair.key_span,
            value_span: pair.value.span,
        });
    }
    for element in node.list() {
        let Some(text) = element.text() else { continue };
        let text = text.trim();
        let (name, value) = text.split_once('=').map_or((text, None), |(n, v)| (n, Some(v)));
        let raw = reader.text.get(element.span.range()).unwrap_or_default();
        let start = element.span.start + usize::from(raw.starts_with(['"', '\'']));
        let end =
            element.span.end - usize::from(raw.len() > 1 && raw.ends_with(['"', '\'']) && raw.starts_with(['"', '\'']));
        let equals = raw.find('=').map_or(end, |i| element.span.start + i);
        out.push(Variable {
            name: name.trim().to_owned(),
            value: value.map(|v| containers::resolved(reader, v, element.span, remarks)),
            name_span: Span::new(start, equals),
            value_span: Span::new((equals + 1).min(end), end),
        });
    }
    out
}

/// Disks, host name and number of copies; and whether a file of settings is mounted.
fn surroundings(reader: &Reader<'_>, node: &Node, named: Option<&Node>) -> (Vec<Item>, bool) {
    let sheet = &reader.sheet;
    let (mut items, mut mounts_file) = (Vec::new(), false);
    if let Some(hostname) = node.pair("hostname") {
        items.push(reader.item("hostname", hostname.key_span, &hostname.value));
    }
    if let Some(replicas) = node.at(&["deploy"]).and_then(|d| d.pair("replicas")) {
        items.push(reader.item("replicas", replicas.key_span, &replicas.value));
    }
    for element in node.get("volumes").map(Node::list).unwrap_or_default() {
        let (source, target, kind) = match element.text() {
            Some(text) => {
                let mut parts = text.split(':').collect::<Vec<_>>();
                if parts.len() > 1
                    && parts.last().is_some_and(|p| {
                        p.split(',')
                            .all(|o| matches!(o, "ro" | "rw" | "z" | "Z" | "cached" | "delegated" | "consistent"))
                    })
                {
                    parts.pop();
                }
                let target = parts.pop().unwrap_or_default().to_owned();
                let source = parts.join(":");
                (source, target, "volume")
            }
            None => (
                element.text_at(&["source"]).unwrap_or_default().to_owned(),
                element.text_at(&["target"]).unwrap_or_default().to_owned(),
                if element.text_at(&["type"]) == Some("tmpfs") {
                    "tmpfs"
                } else {
                    "volume"
                },
            ),
        };
        let is_settings = [".properties", ".conf", ".config", ".cfg", ".json", ".env"]
            .iter()
            .any(|e| target.ends_with(e))
            || target.ends_with("/secrets/kafka")
            || target.contains("/etc/kafka") && !target.contains("/secrets") && !target.contains("jaas")
            || target.contains("/mnt/shared/config")
            || target.contains("/etc/rabbitmq")
            || target.ends_with("/config");
        mounts_file |= is_settings && !target.contains("jaas") && !target.contains("enabled_plugins");
        // A named volume may be declared to live in memory.
        let memory = named
            .and_then(|v| v.at(&[source.as_str(), "driver_opts", "type"]))
            .and_then(Node::text)
            == Some("tmpfs");
        let kind = if memory { "tmpfs" } else { kind };
        // A volume without a source is as anonymous as the image's own.
        let kind = if source.is_empty() && kind == "volume" {
            "volume.anonymous"
        } else {
            kind
        };
        items.push(sheet.item(kind, &target, element.span, element.span));
    }
    let tmpfs = node.get("tmpfs");
    let one = tmpfs.filter(|t| t.text().is_some()).into_iter();
    for element in one.chain(tmpfs.map(Node::list).unwrap_or_default().iter().map(AsRef::as_ref)) {
        let text = element.text().unwrap_or_default();
        let target = text.split(':').next().unwrap_or(text);
        items.push(sheet.item("tmpfs", target, element.span, element.span));
    }
    (items, mounts_file || node.get("configs").is_some())
}
