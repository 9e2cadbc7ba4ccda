//! Facts of files of keys and values: Kafka's `.properties` and RocketMQ's `broker.conf`.

use super::sheet::{Sheet, layer_of};
use super::{Reading, own_names, programs, spring};
use crate::audit::fact::{Component, Dialect, Effect, Fact, FactValue, Place, Unit, Version};
use crate::audit::recognise::{self, Recognition};
use crate::audit::secret::{Masks, is_secret_name, is_secret_text, pem_regions};
use crate::audit::terms::rocketmq;
use crate::text::properties::{self, Entry, Properties};
use crate::text::{SourceFile, Span};
use std::collections::HashMap;
use std::sync::Arc;

/// Reads a file as `declared`, or as what its keys tell.
pub(super) fn read(file: &Arc<str>, source: &SourceFile, name: &str, declared: Option<Dialect>) -> Reading {
    judge(file, source, properties::parse(source), name, declared)
}

/// Reads these bytes of a file as a file of their own. What is indented as a whole is read as if it were not.
pub(super) fn read_at(
    file: &Arc<str>,
    source: &SourceFile,
    span: Span,
    name: &str,
    declared: Option<Dialect>,
) -> Reading {
    let bytes = source.bytes().get(span.range()).unwrap_or_default();
    let mut parsed = properties::parse(&SourceFile::new(bytes.to_vec()));
    let moved = |s: Span| Span::new(s.start + span.start, s.end + span.start);
    for e in &mut parsed.entries {
        e.key_span = moved(e.key_span);
        e.separator_span = moved(e.separator_span);
        e.value_span = moved(e.value_span);
    }
    if let Some(malformed) = &mut parsed.malformed {
        malformed.offset += span.start;
    }
    judge(file, source, parsed, name, declared)
}

fn judge(file: &Arc<str>, source: &SourceFile, parsed: Properties, name: &str, declared: Option<Dialect>) -> Reading {
    let recognition = match declared {
        Some(Dialect::Application) => Recognition::Framework,
        Some(dialect) => Recognition::Judged(vec![(dialect, recognise::component_of(dialect))]),
        None => recognise::properties(&parsed.entries, name),
    };
    let roles = match recognition {
        Recognition::Judged(roles) => roles,
        Recognition::Framework if parsed.malformed.is_none() => {
            let masks = masks(source, &parsed);
            let sheet = Sheet {
                file,
                source,
                masks: &masks,
                joined: &[],
            };
            return match spring::read_properties(&sheet, &parsed.entries, name, &breaks(source)) {
                Ok(units) => Reading::Units { units, masks },
                Err(at) => Reading::Malformed {
                    spot: source.spot(at),
                    what: spring::TOO_MANY.to_owned(),
                },
            };
        }
        Recognition::Program(program) if parsed.malformed.is_none() => {
            let masks = masks(source, &parsed);
            let sheet = Sheet {
                file,
                source,
                masks: &masks,
                joined: &[],
            };
            let units = programs::units(&sheet, program, &parsed.entries);
            return match units.is_empty() {
                true => Reading::NotYet(format!(
                    "it belongs to {}, and gives its clients no setting that is judged",
                    program.name()
                )),
                false => Reading::Units { units, masks },
            };
        }
        Recognition::Framework | Recognition::Program(_) => Vec::new(),
        Recognition::NotYet(what) => return Reading::NotYet(format!("it belongs to {what}, which is not judged yet")),
        Recognition::NotMessaging => {
            let masks = masks(source, &parsed);
            let sheet = Sheet {
                file,
                source,
                masks: &masks,
                joined: &[],
            };
            let items = parsed
                .entries
                .iter()
                .map(|e| sheet.item(e.key.as_str(), &e.value, e.key_span, e.value_span));
            if let Some(unit) = own_names::topics(&sheet, items).filter(|_| parsed.malformed.is_none()) {
                return Reading::Units {
                    units: vec![unit],
                    masks,
                };
            }
            return Reading::NotMessaging("no key in it tells a Kafka, RabbitMQ or RocketMQ configuration");
        }
    };
    if let Some(malformed) = &parsed.malformed {
        return Reading::Malformed {
            spot: source.spot(malformed.offset),
            what: malformed.what.to_owned(),
        };
    }
    let masks = masks(source, &parsed);
    let units = roles
        .into_iter()
        .map(|(dialect, component)| unit(file, source, &parsed, &masks, dialect, component))
        .collect();
    Reading::Units { units, masks }
}

/// Where lines `#---` or `!---` begin another document of a Spring application.
fn breaks(source: &SourceFile) -> Vec<usize> {
    let mut at = 0;
    let mut out = Vec::new();
    for line in source.bytes().split_inclusive(|b| *b == b'\n') {
        if line.starts_with(b"#---") || line.starts_with(b"!---") {
            out.push(at);
        }
        at += line.len();
    }
    out
}

fn masks(source: &SourceFile, parsed: &Properties) -> Masks {
    let mut spans = pem_regions(source.bytes());
    for e in &parsed.entries {
        if is_secret_name(&e.key) || is_secret_text(&e.value) {
            spans.push(e.value_span);
        }
    }
    Masks::new(spans)
}

fn unit(
    file: &Arc<str>,
    source: &SourceFile,
    parsed: &Properties,
    masks: &Masks,
    dialect: Dialect,
    component: Component,
) -> Unit {
    let layer = layer_of(dialect);
    let java = component != Component::Librdkafka;
    let last: HashMap<&str, usize> = parsed
        .entries
        .iter()
        .enumerate()
        .map(|(i, e)| (e.key.as_str(), i))
        .collect();
    let facts: Vec<Fact> = parsed
        .entries
        .iter()
        .enumerate()
        // A line of a pasted key reads as a setting whose name is the secret.
        .filter(|(_, e)| !masks.touch(e.key_span))
        .map(|(i, e)| Fact {
            key: e.key.clone(),
            value: value(e, masks),
            place: place(file, source, e),
            layer,
            effect: match last.get(e.key.as_str()).and_then(|l| parsed.entries.get(*l)) {
                Some(winner) if last.get(e.key.as_str()) != Some(&i) => Effect::Overridden {
                    by_line: source.spot(winner.key_span.start).line,
                },
                _ if java && i == 0 && e.key_span.start == source.byte_order_mark() && e.key_span.start > 0 => {
                    Effect::ByteOrderMark
                }
                _ => Effect::Live,
            },
        })
        .collect();
    let since_5 = facts.iter().any(|f| rocketmq::known(&f.key).is_some_and(|k| k.since_5));
    let mut unit = Unit::new(file.clone(), dialect, component, facts, Vec::new());
    if component == Component::RocketMq && since_5 {
        unit.version = Version::RocketMq5;
    }
    let template = parsed
        .entries
        .iter()
        .any(|e| ["{%", "{{", "<%", "<#"].iter().any(|mark| e.key.starts_with(mark)));
    // A file of nothing but variables is what a program fills in and joins with others.
    let filled_in = !parsed.entries.is_empty()
        && parsed
            .entries
            .iter()
            .all(|e| e.value.starts_with("${") && e.value.ends_with('}'));
    unit.fragment = (template || filled_in).then_some("the file is a template that may add it");
    unit
}

fn value(e: &Entry, masks: &Masks) -> FactValue {
    if masks.touch(e.value_span) {
        FactValue::Secret
    } else {
        FactValue::Text(e.value.clone())
    }
}

fn place(file: &Arc<str>, source: &SourceFile, e: &Entry) -> Place {
    Place {
        file: file.clone(),
        span: Span::new(e.key_span.start, e.value_span.end.max(e.key_span.end)),
        spot: source.spot(e.key_span.start),
    }
}
