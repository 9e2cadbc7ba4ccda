//! Readers: from the bytes of a file to the facts in it. A new dialect is a new reader; no rule changes.

mod beside;
mod celery;
mod definitions;
mod images;
mod own_names;
mod placeholder;
mod programs;
mod properties;
mod rabbitmq_conf;
mod script;
mod sheet;
mod spring;
mod terraform;
mod words;
mod yaml;

pub(in crate::audit) use beside::{Beside, Joined};
pub(in crate::audit) use spring::is_framework_key;

use super::fact::{Dialect, Unit};
use super::recognise;
use super::secret::Masks;
use crate::text::{SourceFile, Span, Spot, json};
use std::path::Path;
use std::sync::Arc;

/// What reading a file came to.
#[derive(Debug)]
pub(super) enum Reading {
    /// Facts, one unit for each dialect.
    Units {
        /// The units.
        units: Vec<Unit>,
        /// What must not be shown of the file.
        masks: Masks,
    },
    /// It is one of the dialects, and cannot be read as one.
    Malformed {
        /// Where.
        spot: Spot,
        /// Why; nothing of the file's own text.
        what: String,
    },
    /// About messaging, of a kind that is not judged yet.
    NotYet(String),
    /// Nothing says that it is about messaging.
    NotMessaging(&'static str),
}

/// Name endings of files that are looked into when a directory is walked. They may stand anywhere after the first dot, as in
/// `server.properties.j2`.
const LOOKED_INTO: [&str; 14] = [
    "properties",
    "conf",
    "cfg",
    "cnf",
    "config",
    "json",
    "ini",
    "yaml",
    "yml",
    "tf",
    "tofu",
    "tpl",
    "sh",
    "bash",
];

/// Name endings that say that a file is in a language that no reader knows.
const OTHER_LANGUAGES: [(&str, &str); 10] = [
    ("toml", "TOML"),
    ("xml", "XML"),
    ("md", "Markdown"),
    ("java", "source code"),
    ("py", "source code"),
    ("go", "source code"),
    ("rs", "source code"),
    ("js", "source code"),
    ("ts", "source code"),
    ("cs", "source code"),
];

/// Whether a file that was found on a walk is worth opening.
pub(super) fn is_looked_into(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    is_environment(&name) || celery::is_named(&name) || name.split('.').skip(1).any(|part| LOOKED_INTO.contains(&part))
}

/// Whether a name is that of a file of variables, as containers are given by `env_file`: `.env`, `.env.prod`, `kafka.env`.
fn is_environment(name: &str) -> bool {
    name == ".env" || name.starts_with(".env.") || name.ends_with(".env")
}

/// Reads a file as `declared`, or as what it turns out to be; `beside` finds the files that it names.
pub(super) fn read(
    file: &Arc<str>,
    path: &Path,
    source: &SourceFile,
    declared: Option<Dialect>,
    beside: Option<&Beside<'_>>,
) -> Reading {
    if let Some(dialect) = declared {
        return match dialect {
            Dialect::RabbitmqDefinitions => read_definitions(file, source, whole(source), &file_name(path), true),
            Dialect::RabbitmqConf => rabbitmq_conf::read(file, source),
            _ if is_yaml(path) => yaml::read(file, source, &file_name(path), Some(dialect), beside),
            _ => properties::read(file, source, &file_name(path), Some(dialect)),
        };
    }
    let extension = path
        .extension()
        .map(|e| e.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    if extension == "py"
        && let Some(reading) = celery::read(file, source)
    {
        return reading;
    }
    if let Some((_, language)) = OTHER_LANGUAGES.iter().find(|(e, _)| *e == extension) {
        return Reading::NotYet(format!("{language} is not read yet"));
    }
    if matches!(extension.as_str(), "sh" | "bash") {
        return script::read(file, source);
    }
    let name = file_name(path);
    if is_yaml(path) {
        return yaml::read(file, source, &name, None, beside);
    }
    if is_environment(&name) {
        return yaml::read_environment(file, source, &name);
    }
    if matches!(extension.as_str(), "tf" | "tofu" | "hcl") || name.ends_with(".tf.json") {
        return terraform::read(file, source);
    }
    if source.bytes().contains(&0) {
        return Reading::NotMessaging("it is not a text file");
    }
    let first = source
        .bytes()
        .iter()
        .skip(source.byte_order_mark())
        .find(|b| !b.is_ascii_whitespace());
    // A template also begins with a brace: `{{ …` or `{% …`.
    let template = source
        .bytes()
        .windows(2)
        .find(|w| w[0] == b'{')
        .is_some_and(|w| matches!(w[1], b'{' | b'%' | b'#'));
    if extension == "json" || (matches!(first, Some(b'{' | b'[')) && !template && extension != "ini") {
        let json = read_definitions(file, source, whole(source), &name, false);
        if matches!(json, Reading::NotMessaging(_)) && source.bytes().len() < MAX_OTHER_JSON_BYTES {
            // A resource or a connector may be written as JSON, which YAML holds.
            let other = yaml::read(file, source, &name, None, beside);
            if matches!(other, Reading::Units { .. } | Reading::NotYet(_)) {
                return other;
            }
        }
        if let (Reading::NotMessaging(_), Some((spot, what))) = (&json, broken_connector(source)) {
            return Reading::Malformed { spot, what };
        }
        if extension == "json" || !matches!(json, Reading::NotMessaging(_)) || matches!(first, Some(b'{')) {
            return json;
        }
    }
    if source.utf8().is_ok_and(rabbitmq_conf::is_conf) {
        return rabbitmq_conf::read(file, source);
    }
    let read = properties::read(file, source, &name, None);
    // A file whose name tells nothing may be YAML all the same.
    let looks_nested = || {
        source.utf8().is_ok_and(|t| {
            t.lines()
                .any(|l| l.trim_end() == "---" || l.starts_with("apiVersion:") || l.starts_with("services:"))
        })
    };
    match read {
        Reading::NotMessaging(_) if looks_nested() => yaml::read(file, source, &name, None, beside),
        read => read,
    }
}

/// Where and why a file that names the class of a connector is no JSON.
fn broken_connector(source: &SourceFile) -> Option<(Spot, String)> {
    let text = source.utf8().ok()?;
    if source.bytes().len() >= MAX_OTHER_JSON_BYTES || !text.contains("\"connector.class\"") {
        return None;
    }
    let skip = source.byte_order_mark();
    let error = json::parse(text.get(skip..)?).err()?;
    Some((source.spot(skip + error.offset), error.what))
}

/// How large a JSON file may be that is no RabbitMQ definitions and is yet looked into: the largest real connector has some kilobytes.
const MAX_OTHER_JSON_BYTES: usize = 1024 * 1024;

/// The bytes of a file without its byte order mark.
fn whole(source: &SourceFile) -> Span {
    Span::new(source.byte_order_mark(), source.bytes().len())
}

/// Whether a name says YAML, itself or before what a template engine adds.
fn is_yaml(path: &Path) -> bool {
    let name = file_name(path).to_lowercase();
    let mut parts = name.rsplit('.');
    let is = |part: Option<&str>| matches!(part, Some("yaml" | "yml"));
    let last = parts.next();
    is(last)
        || matches!(
            last,
            Some("j2" | "tpl" | "tmpl" | "template" | "erb" | "sample" | "example" | "dist")
        ) && is(parts.next())
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Reads these bytes of a file as RabbitMQ's definitions.
fn read_definitions_at(file: &Arc<str>, source: &SourceFile, span: Span, name: &str) -> Reading {
    read_definitions(file, source, span, name, false)
}

fn read_definitions(file: &Arc<str>, source: &SourceFile, span: Span, name: &str, declared: bool) -> Reading {
    const OTHER: Reading = Reading::NotMessaging("it is JSON, but not RabbitMQ definitions");
    let names = recognise::definitions_names(source.bytes().get(span.range()).unwrap_or_default());
    // Two of its names, or one and the name of the file: what cannot be parsed then was meant to be definitions.
    let meant = declared || names >= 2 || names == 1 && name.to_lowercase().contains("definition");
    if !declared && names == 0 {
        return OTHER;
    }
    let malformed = |offset: usize, what: String| {
        if !meant {
            return OTHER;
        }
        Reading::Malformed {
            spot: source.spot(offset),
            what,
        }
    };
    let text = match source.utf8() {
        Ok(text) => text,
        Err(offset) => return malformed(offset, "JSON must be UTF-8".to_owned()),
    };
    let skip = span.start;
    let value = match json::parse(text.get(span.range()).unwrap_or_default()) {
        Ok(value) => value,
        Err(e) => return malformed(skip + e.offset, e.what),
    };
    match value.as_object() {
        Some(root) if declared || recognise::is_definitions(root) => {
            let (unit, masks) = definitions::read(file, source, root, skip);
            Reading::Units {
                units: vec![unit],
                masks,
            }
        }
        None if declared => malformed(skip, "RabbitMQ definitions are one JSON object".to_owned()),
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests;
