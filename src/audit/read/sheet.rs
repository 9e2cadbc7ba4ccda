//! What the readers of structured files share: from a key and a value with their bytes to facts and units.

use super::beside::Joined;
use crate::audit::fact::{Component, Dialect, Effect, Fact, FactValue, Layer, Place, Subject, Unit};
use crate::audit::secret::{Masks, is_secret_name, is_secret_text};
use crate::text::{SourceFile, Span};
use std::collections::HashMap;
use std::sync::Arc;

/// One setting under the name that its component knows it by.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// The name.
    pub key: String,
    /// The value.
    pub value: FactValue,
    /// From the key to the end of the value.
    pub span: Span,
    /// Whether it counts.
    pub effect: Effect,
}

/// A file that facts are taken from.
#[derive(Clone, Copy)]
pub(super) struct Sheet<'a> {
    pub file: &'a Arc<str>,
    pub source: &'a SourceFile,
    pub masks: &'a Masks,
    /// Files that it names, whose bytes count as standing behind its own.
    pub joined: &'a [Arc<Joined>],
}

/// The part of a setup that the settings of a dialect are about.
pub(super) const fn layer_of(dialect: Dialect) -> Layer {
    match dialect {
        Dialect::KafkaProducer | Dialect::LibrdkafkaProducer => Layer::Producer,
        Dialect::KafkaConsumer | Dialect::LibrdkafkaConsumer => Layer::Consumer,
        Dialect::KafkaConnect | Dialect::KafkaMirror => Layer::Worker,
        Dialect::KafkaConnector => Layer::Connector,
        Dialect::KafkaStreams => Layer::Streams,
        Dialect::Application => Layer::Application,
        Dialect::KafkaTopics | Dialect::RocketmqTopics => Layer::Topic,
        Dialect::KafkaBroker
        | Dialect::KafkaClient
        | Dialect::KafkaNodePool
        | Dialect::RabbitmqDefinitions
        | Dialect::RabbitmqConf
        | Dialect::RocketmqBroker
        | Dialect::RocketmqController => Layer::Broker,
    }
}

impl Sheet<'_> {
    /// A place in the file.
    pub(super) fn place(&self, span: Span) -> Place {
        if span.start > self.source.bytes().len()
            && let Some(place) = self.joined.iter().rev().find_map(|j| j.place(span))
        {
            return place;
        }
        Place {
            file: self.file.clone(),
            span,
            spot: self.source.spot(span.start),
        }
    }

    /// The line that a byte stands on.
    pub(super) fn line(&self, at: usize) -> usize {
        self.place(Span::new(at, at)).spot.line
    }

    /// A setting whose value is this text; a secret is dropped here.
    pub(super) fn item(&self, key: impl Into<String>, text: &str, key_span: Span, value_span: Span) -> Item {
        self.typed(key, FactValue::Text(text.to_owned()), key_span, value_span)
    }

    /// A setting with this value.
    pub(super) fn typed(&self, key: impl Into<String>, value: FactValue, key_span: Span, value_span: Span) -> Item {
        let key = key.into();
        let secret = is_secret_name(&key)
            || self.masks.touch(value_span)
            || self.joined.iter().any(|j| j.is_masked(value_span))
            || matches!(&value, FactValue::Text(text) if is_secret_text(text));
        // A value that an anchor or an environment brings from elsewhere is pointed at by itself.
        let span = if value_span.start >= key_span.end {
            Span::new(key_span.start, value_span.end)
        } else if value_span.start == value_span.end {
            key_span
        } else {
            value_span
        };
        Item {
            key,
            value: if secret { FactValue::Secret } else { value },
            span,
            effect: Effect::Live,
        }
    }

    fn fact(&self, item: Item, layer: Layer) -> Fact {
        Fact {
            place: self.place(item.span),
            key: item.key,
            value: item.value,
            layer,
            effect: item.effect,
        }
    }

    /// Facts of surroundings.
    pub(super) fn surroundings(&self, items: Vec<Item>) -> Vec<Fact> {
        items.into_iter().map(|i| self.fact(i, Layer::Broker)).collect()
    }

    /// A unit of settings in rising order of precedence: of a key that comes twice the last counts.
    pub(super) fn unit(&self, dialect: Dialect, component: Component, mut items: Vec<Item>) -> Unit {
        let mut last: HashMap<String, usize> = HashMap::new();
        for item in items.iter_mut().rev().filter(|i| i.effect == Effect::Live) {
            match last.get(&item.key) {
                Some(line) => item.effect = Effect::Overridden { by_line: *line },
                None => {
                    last.insert(item.key.clone(), self.line(item.span.start));
                }
            }
        }
        let layer = layer_of(dialect);
        let facts = items.into_iter().map(|i| self.fact(i, layer)).collect();
        Unit::new(self.file.clone(), dialect, component, facts, Vec::new())
    }

    /// A unit of named things.
    pub(super) fn things(&self, dialect: Dialect, component: Component, things: Vec<Thing>) -> Unit {
        let (mut facts, mut subjects) = (Vec::new(), Vec::new());
        for thing in things {
            let first = facts.len();
            facts.extend(thing.items.into_iter().map(|i| self.fact(i, thing.layer)));
            subjects.push(Subject {
                layer: thing.layer,
                vhost: thing.vhost,
                // A name is taken from the same line as a secret when the line is a command.
                name: match is_secret_text(&thing.name) {
                    true => "***".to_owned(),
                    false => thing.name,
                },
                place: self.place(thing.span),
                facts: first..facts.len(),
            });
        }
        Unit::new(self.file.clone(), dialect, component, facts, subjects)
    }
}

/// A named thing on its way into a unit.
#[derive(Debug, Clone)]
pub(super) struct Thing {
    pub layer: Layer,
    pub vhost: Option<String>,
    pub name: String,
    /// Where it is named.
    pub span: Span,
    pub items: Vec<Item>,
}
