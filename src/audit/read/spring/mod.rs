//! Applications on Spring Boot, Spring Cloud Stream, Quarkus and MicroProfile: what the framework hands to the client.
//!
//! A file is flattened to full names in the framework's own spelling. From these come one unit of the application, and one for every
//! producer and consumer of Kafka with the settings that the framework gives it, in its order of precedence.

mod clients;
mod names;

use super::images::Variable;
use super::placeholder::{self, Syntax};
use super::sheet::Sheet;
use super::yaml::Reader;
use crate::audit::fact::{Component, Dialect, Effect, FactValue, Unit};
use crate::text::Span;
use crate::text::properties::Entry;
use crate::text::yaml::{Data, Node};
use clients::{Kind, boot, item, named_clients, quarkus_streams, smallrye, stream};
use names::{canonical, of_variable};
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
const PREFIXES: [&str; 15] = [
    "spring.kafka.",
    "spring.rabbitmq.",
    "spring.amqp.",
    "spring.cloud.stream.",
    "mp.messaging.",
    "rocketmq.name-server",
    "rocketmq.producer.",
    "rocketmq.consumer.",
    "rocketmq.push-consumer.",
    "rocketmq.pull-consumer.",
    "debezium.sink.kafka.",
    "kafka.producers.",
    "kafka.consumers.",
    "kafka-streams.",
    "quarkus.kafka-streams.",
];

/// Whether a name in a file of keys and values is one of a framework's that is about messaging.
pub(in crate::audit) fn is_framework_key(key: &str) -> bool {
    let begins = ["%", "spring", "mp.", "rocketmq", "kafka", "quarkus.", "debezium."];
    if !begins.iter().any(|b| key.starts_with(b)) {
        return false;
    }
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
    if let Some(at) = too_many(&parts) {
        found.malformed.get_or_insert((at, TOO_MANY.to_owned()));
        return;
    }
    for part in &mut parts {
        resolve(&reader.sheet, &mut part.flats, &mut remarks);
    }
    found.units.extend(units(&reader.sheet, reader.name, &parts, &remarks));
}

/// Reads a file of keys and values. `breaks` are the bytes where a line `#---` begins a new document.
///
/// # Errors
/// The byte of a setting when there are too many to be told apart.
pub(super) fn read_properties(
    sheet: &Sheet<'_>,
    entries: &[Entry],
    name: &str,
    breaks: &[usize],
) -> Result<Vec<Unit>, usize> {
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
    if let Some(at) = too_many(&parts) {
        return Err(at);
    }
    for part in &mut parts {
        resolve(sheet, &mut part.flats, &mut remarks);
    }
    Ok(units(sheet, name, &parts, &remarks))
}

/// Why a file of an application may be left unread.
pub(super) const TOO_MANY: &str = "more profiles, bindings and channels than are read";

/// How often a setting is looked at: once for every profile and every binding. Real files stay below some thousand.
const MAX_LOOKS: usize = 50_000_000;

/// Where the last setting stands of a file that has too many profiles and bindings for its length.
fn too_many(parts: &[Part]) -> Option<usize> {
    let profiles: BTreeSet<&str> = parts
        .iter()
        .filter_map(|p| Some(p.profile.as_ref()?.0.as_str()))
        .collect();
    let flats = || parts.iter().flat_map(|p| &p.flats);
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for mark in [
        ".bindings.",
        ".binders.",
        ".outgoing.",
        ".incoming.",
        ".producers.",
        ".consumers.",
    ] {
        let with = flats().filter(|f| f.path.contains(mark));
        names.extend(with.filter_map(|f| f.path.split_once(mark)?.1.split('.').next()));
    }
    let looks = flats()
        .count()
        .saturating_mul(profiles.len() + 1)
        .saturating_mul(names.len() + 1);
    (looks > MAX_LOOKS).then(|| flats().last().map_or(0, |f| f.key_span.start))
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
    let always = out.len();
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
            // What a profile leaves as it is, but for where the brokers are, is told of the file once.
            let known = out.iter().take(always);
            if unit.dialect != Dialect::Application && known.clone().any(|u| is_same(u, &unit)) {
                continue;
            }
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

/// Whether two units differ in nothing but where the brokers are and who speaks with them.
fn is_same(a: &Unit, b: &Unit) -> bool {
    let place = [
        "bootstrap.servers",
        "client.id",
        "security.",
        "ssl.",
        "sasl.",
        "schema.registry.",
    ];
    let settings = |unit: &Unit| -> Vec<(String, FactValue)> {
        let live = unit.facts.iter().filter(|f| f.effect == Effect::Live);
        let told = live.filter(|f| !place.iter().any(|p| f.key.starts_with(p)));
        let mut out: Vec<_> = told.map(|f| (f.key.clone(), f.value.clone())).collect();
        out.sort_by(|a, b| a.0.cmp(&b.0));
        out
    };
    a.dialect == b.dialect && a.name == b.name && settings(a) == settings(b)
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
    named_clients(sheet, flats, &mut out);
    quarkus_streams(sheet, flats, &mut out);
    out
}
