//! Celery: `celeryconfig.py`, settings of Django, and what an application's module sets. Of Python only plain settings are read: a name,
//! and a literal on the same line.

use super::Reading;
use super::sheet::{Item, Sheet};
use crate::audit::fact::{Component, Dialect, FactValue};
use crate::audit::secret::{Masks, is_secret_text, pem_regions};
use crate::text::{SourceFile, Span};
use std::sync::Arc;

/// Settings that are judged, and how they were called before Celery 4.
const SETTINGS: [(&str, &str); 4] = [
    ("task_acks_late", "celery_acks_late"),
    ("task_reject_on_worker_lost", "celery_reject_on_worker_lost"),
    ("task_acks_on_failure_or_timeout", "celery_acks_on_failure_or_timeout"),
    ("task_default_delivery_mode", "celery_default_delivery_mode"),
];

/// What tells where the tasks wait.
const BROKER: [&str; 3] = ["broker_url", "celery_broker_url", "broker"];

/// Whether a file of this name, in lower case, is worth opening on a walk.
pub(super) fn is_named(name: &str) -> bool {
    name.ends_with(".py") && (name.contains("celery") || name == "settings.py")
}

/// Reads the settings of Celery in a file of Python; `None` when it has none that is judged, or its tasks do not wait in RabbitMQ.
pub(super) fn read(file: &Arc<str>, source: &SourceFile) -> Option<Reading> {
    let text = source.utf8().ok()?;
    if !text.to_ascii_lowercase().contains("task_") && !text.contains("CELERY_") {
        return None;
    }
    let mut spans = pem_regions(source.bytes());
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if is_secret_text(line) {
            spans.push(Span::new(at, at + line.trim_end().len()));
        }
        at += line.len();
    }
    let masks = Masks::new(spans);
    let sheet = Sheet {
        file,
        source,
        masks: &masks,
        joined: &[],
    };
    let mut items: Vec<Item> = Vec::new();
    let (mut at, mut in_text) = (0, None);
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        if is_in_text(line, &mut in_text) {
            continue;
        }
        let Some(found) = setting(line) else { continue };
        let lower = found.name.to_ascii_lowercase();
        if BROKER.contains(&lower.as_str()) && is_elsewhere(found.value) {
            return None;
        }
        let named = SETTINGS.iter().find(|(new, old)| {
            lower == *new || lower == *old || lower.strip_prefix("celery_").is_some_and(|bare| bare == *new)
        });
        let Some((key, _)) = named else { continue };
        let Some(value) = literal(found.value) else { continue };
        let span = |part: &str| {
            let from = start + (part.as_ptr() as usize - line.as_ptr() as usize);
            Span::new(from, from + part.len())
        };
        items.push(sheet.typed(*key, value, span(found.name), span(found.value)));
    }
    if items.is_empty() {
        return None;
    }
    let unit = sheet.unit(Dialect::Application, Component::Application, items);
    Some(Reading::Units {
        units: vec![unit],
        masks,
    })
}

/// Follows texts of several lines, which are documentation; whether this line belongs to one.
fn is_in_text(line: &str, open: &mut Option<&'static str>) -> bool {
    if let Some(mark) = *open {
        if line.contains(mark) {
            *open = None;
        }
        return true;
    }
    for mark in ["\"\"\"", "'''"] {
        if let Some((_, rest)) = line.split_once(mark) {
            if !rest.contains(mark) {
                *open = Some(mark);
            }
            return true;
        }
    }
    false
}

/// A name and what it is set to.
struct Setting<'a> {
    name: &'a str,
    value: &'a str,
}

/// The setting on a line: `name = value`, `app.conf.name = value`, `name=value,` among arguments, `"name": value,` in a mapping.
fn setting(line: &str) -> Option<Setting<'_>> {
    let line = line.trim();
    let (left, right) = match line.split_once('=') {
        Some((left, right)) if !left.contains(':') => (left, right),
        _ => line.split_once(':')?,
    };
    // A comparison, and what is only a comment, sets nothing.
    if right.starts_with('=') || left.contains('#') {
        return None;
    }
    let name = left.trim().trim_matches(['"', '\'']);
    let name = name.rsplit('.').next().unwrap_or(name);
    let value = right.split(" #").next().unwrap_or(right).trim();
    let value = value.trim_end_matches([',', ')', '}']).trim_end();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (is_name && !value.is_empty()).then_some(Setting { name, value })
}

/// The value of a literal; `None` of what is computed.
fn literal(text: &str) -> Option<FactValue> {
    match text {
        "True" => return Some(FactValue::Bool(true)),
        "False" => return Some(FactValue::Bool(false)),
        _ => {}
    }
    let quoted = ['"', '\''].iter().find_map(|q| text.strip_prefix(*q)?.strip_suffix(*q));
    let is_number = text.chars().all(|c| c.is_ascii_digit());
    quoted
        .or(Some(text).filter(|_| is_number))
        .map(|t| FactValue::Text(t.to_owned()))
}

/// Whether the address of a broker is not RabbitMQ's.
fn is_elsewhere(value: &str) -> bool {
    let url = value.trim_matches(['"', '\'']);
    [
        "redis",
        "sentinel",
        "sqs",
        "memory",
        "filesystem",
        "kafka",
        "mongodb",
        "gcpubsub",
        "azure",
    ]
    .iter()
    .any(|scheme| url.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::found;

    #[test]
    fn every_way_to_set_it_is_read() {
        for text in [
            "task_acks_late = False\n",
            "CELERY_TASK_ACKS_LATE = False\n",
            "CELERY_ACKS_LATE=False  # faster\n",
            "app = Celery('a', broker='amqp://mq')\napp.conf.task_acks_late = False\n",
            "app.conf.update(\n    task_acks_late=False,\n    worker_prefetch_multiplier=1)\n",
            "app.conf.update({\n    'task_acks_late': False,\n})\n",
        ] {
            assert_eq!(found("RQC004", "celery.py", text).len(), 1, "{text}");
        }
        assert_eq!(
            found(
                "RQP003",
                "celeryconfig.py",
                "task_default_delivery_mode = 'transient'\n"
            )
            .len(),
            1
        );
        assert_eq!(found("RQC004", "celery.py", "task_acks_late = True\n").len(), 1);
    }

    #[test]
    fn what_is_safe_or_not_told_or_not_rabbitmqs_is_left_alone() {
        for text in [
            "task_acks_late = True\ntask_reject_on_worker_lost = True\n",
            "task_acks_late = env.bool('LATE')\n",
            "# task_acks_late = False\n",
            "\"\"\"\ntask_acks_late = False\n\"\"\"\n",
            "if task_acks_late == False:\n    pass\n",
            "broker_url = 'redis://cache/0'\ntask_acks_late = False\n",
        ] {
            assert!(found("RQC004", "celery.py", text).is_empty(), "{text}");
        }
    }
}
