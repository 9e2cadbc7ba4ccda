//! Facts of RabbitMQ's exported definitions.

use crate::audit::fact::{Component, Dialect, Effect, Fact, FactValue, Layer, Place, Subject, Unit};
use crate::audit::secret::{Masks, is_secret_name, is_secret_text};
use crate::text::json::{Object, ObjectProp, Value, get, get_str};
use crate::text::{SourceFile, Span};
use std::collections::HashMap;
use std::sync::Arc;

struct Reader<'s> {
    file: &'s Arc<str>,
    source: &'s SourceFile,
    /// Bytes that stand before the text that was parsed.
    skip: usize,
    facts: Vec<Fact>,
    subjects: Vec<Subject>,
    masks: Vec<Span>,
}

/// Reads queues, exchanges and bindings. `skip` is the length of the byte order mark.
pub(super) fn read(file: &Arc<str>, source: &SourceFile, root: &Object<'_>, skip: usize) -> (Unit, Masks) {
    let mut reader = Reader {
        file,
        source,
        skip,
        facts: Vec::new(),
        subjects: Vec::new(),
        masks: Vec::new(),
    };
    reader.mask_object(root);
    for (list, layer) in [
        ("queues", Layer::Queue),
        ("exchanges", Layer::Exchange),
        ("bindings", Layer::Binding),
        ("policies", Layer::Policy),
        ("vhosts", Layer::VirtualHost),
        ("parameters", Layer::Shovel),
    ] {
        let elements = get(root, list).and_then(|p| p.value.as_array());
        for object in elements
            .into_iter()
            .flat_map(|a| &a.elements)
            .filter_map(Value::as_object)
        {
            if layer != Layer::Shovel || get_str(object, "component") == Some("shovel") {
                reader.subject(layer, object);
            } else if get_str(object, "component") == Some("operator_policy") {
                reader.subject(Layer::OperatorPolicy, object);
            }
        }
    }
    let mut unit = Unit::new(
        file.clone(),
        Dialect::RabbitmqDefinitions,
        Component::RabbitMq,
        reader.facts,
        reader.subjects,
    );
    if get(root, "bindings").is_none() {
        unit.fragment = Some("the file has no list of bindings");
    }
    unit.release = ["rabbit_version", "rabbitmq_version"]
        .iter()
        .find_map(|key| release(get_str(root, key)?));
    (unit, Masks::new(reader.masks))
}

/// The release of the node that exported them: `3.13.7`, or `4.0.0-beta.1`.
fn release(text: &str) -> Option<(u16, u16, u16)> {
    let mut parts = text.split(['.', '-', '+']).map(str::parse::<u16>);
    Some((
        parts.next()?.ok()?,
        parts.next()?.ok()?,
        parts.next().and_then(Result::ok).unwrap_or(0),
    ))
}

impl Reader<'_> {
    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(start + self.skip, end + self.skip)
    }

    fn place(&self, prop: &ObjectProp<'_>) -> Place {
        let span = self.span(prop.range.start, prop.range.end);
        Place {
            file: self.file.clone(),
            span,
            spot: self.source.spot(span.start),
        }
    }

    fn subject(&mut self, layer: Layer, object: &Object<'_>) {
        let name_key = if layer == Layer::Binding { "source" } else { "name" };
        let (Some(name), Some(named_at)) = (get_str(object, name_key), get(object, name_key)) else {
            return;
        };
        let first = self.facts.len();
        for prop in &object.properties {
            let key = prop.name.as_str();
            match (&prop.value, key) {
                (Value::Object(arguments), "arguments" | "definition") => {
                    for argument in &arguments.properties {
                        self.fact(layer, format!("{key}.{}", argument.name.as_str()), argument);
                    }
                }
                (Value::Object(value), "value") if layer == Layer::OperatorPolicy => self.operator_policy(value),
                (Value::Object(value), "value" | "metadata") => self.flat(layer, "", value),
                (
                    _,
                    "durable" | "auto_delete" | "exclusive" | "internal" | "type" | "destination" | "destination_type"
                    | "routing_key" | "pattern" | "apply-to" | "priority" | "default_queue_type",
                ) => {
                    self.fact(layer, key.to_owned(), prop);
                }
                _ => {}
            }
        }
        self.mark_repeated(first);
        self.subjects.push(Subject {
            layer,
            vhost: get_str(object, "vhost").map(str::to_owned),
            name: name.to_owned(),
            place: self.place(named_at),
            facts: first..self.facts.len(),
        });
    }

    /// Facts of a shovel or of a virtual host: what they hold stands without the name of what holds it.
    fn flat(&mut self, layer: Layer, prefix: &str, object: &Object<'_>) {
        for prop in &object.properties {
            let key = format!("{prefix}{}", prop.name.as_str());
            match &prop.value {
                Value::Object(inner) if prefix.is_empty() => self.flat(layer, &format!("{key}."), inner),
                _ if key.ends_with("uri") || key == "description" || key == "tags" => {}
                _ => self.fact(layer, key, prop),
            }
        }
    }

    fn operator_policy(&mut self, object: &Object<'_>) {
        for prop in &object.properties {
            match &prop.value {
                Value::Object(definition) if prop.name.as_str() == "definition" => {
                    for inner in &definition.properties {
                        self.fact(
                            Layer::OperatorPolicy,
                            format!("definition.{}", inner.name.as_str()),
                            inner,
                        );
                    }
                }
                _ => self.fact(Layer::OperatorPolicy, prop.name.as_str().to_owned(), prop),
            }
        }
    }

    /// Marks every fact of the last object whose key comes again in it. An object that is judged has few keys.
    fn mark_repeated(&mut self, first: usize) {
        let Some(facts) = self.facts.get_mut(first..) else {
            return;
        };
        let mut last: HashMap<String, usize> = HashMap::new();
        for fact in facts.iter_mut().rev() {
            match last.get(&fact.key) {
                Some(line) => fact.effect = Effect::Overridden { by_line: *line },
                None => {
                    last.insert(fact.key.clone(), fact.place.spot.line);
                }
            }
        }
    }

    fn fact(&mut self, layer: Layer, key: String, prop: &ObjectProp<'_>) {
        let value = if is_secret_name(&key) {
            FactValue::Secret
        } else {
            match &prop.value {
                Value::StringLit(s) if is_secret_text(&s.value) => FactValue::Secret,
                Value::StringLit(s) => FactValue::Text(s.value.to_string()),
                Value::NumberLit(n) => FactValue::Text(n.value.to_owned()),
                Value::BooleanLit(b) => FactValue::Bool(b.value),
                Value::NullKeyword(_) => FactValue::Null,
                Value::Object(_) | Value::Array(_) => FactValue::Composite,
            }
        };
        self.facts.push(Fact {
            key,
            value,
            place: self.place(prop),
            layer,
            effect: Effect::Live,
        });
    }

    /// Definitions are often one line, so a finding's line may hold the hash of every password.
    fn mask_object(&mut self, object: &Object<'_>) {
        for prop in &object.properties {
            let range = value_range(&prop.value);
            if is_secret_name(prop.name.as_str()) || prop.name.as_str().ends_with("uri") {
                self.masks.push(self.span(range.0, range.1));
            } else {
                self.mask_value(&prop.value);
            }
        }
    }

    fn mask_value(&mut self, value: &Value<'_>) {
        match value {
            Value::Object(object) => self.mask_object(object),
            Value::Array(array) => array.elements.iter().for_each(|v| self.mask_value(v)),
            Value::StringLit(s) if is_secret_text(&s.value) => {
                self.masks.push(self.span(s.range.start, s.range.end));
            }
            _ => {}
        }
    }
}

fn value_range(value: &Value<'_>) -> (usize, usize) {
    let range = match value {
        Value::StringLit(v) => v.range,
        Value::NumberLit(v) => v.range,
        Value::BooleanLit(v) => v.range,
        Value::NullKeyword(v) => v.range,
        Value::Object(v) => v.range,
        Value::Array(v) => v.range,
    };
    (range.start, range.end)
}
