//! Programs that make topics of their own, and say how many copies these have under names of their own: `audit.kafka.topic.replicationFactor`.

use super::placeholder::{self, Syntax};
use super::sheet::{Item, Sheet, Thing};
use crate::audit::fact::{Component, Dialect, FactValue, Layer, Unit};

/// Words in names that are about other topics, or that a broker, Connect or Streams knows.
const OTHERS: [&str; 14] = [
    "balancer",
    "cfg",
    "confluent",
    "connect",
    "license",
    "metrics",
    "offset",
    "remote",
    "schema",
    "share",
    "state",
    "storage",
    "stream",
    "transaction",
];

/// Whether a full name says how many copies a program's topics have.
pub(super) fn says_copies(path: &str) -> bool {
    let lower = path.to_lowercase();
    let bare: String = lower.chars().filter(|c| !matches!(c, '.' | '-' | '_')).collect();
    bare.contains("kafka")
        && (bare.ends_with("replicationfactor") || bare.ends_with("replicafactor"))
        && !OTHERS.iter().any(|word| bare.contains(word))
}

/// The unit of such settings, where there are any.
pub(super) fn topics(sheet: &Sheet<'_>, items: impl Iterator<Item = Item>) -> Option<Unit> {
    let things: Vec<Thing> = items.filter(|i| says_copies(&i.key)).filter_map(topic).collect();
    if things.is_empty() {
        return None;
    }
    let mut unit = sheet.things(Dialect::KafkaTopics, Component::KafkaBroker, things);
    unit.carrier = Some("program");
    Some(unit)
}

fn topic(mut item: Item) -> Option<Thing> {
    let FactValue::Text(text) = &item.value else {
        return None;
    };
    let given = placeholder::defaults(text, Syntax::Spring).unwrap_or_else(|| text.clone());
    given.trim().parse::<u8>().ok()?;
    let name = item.key.rsplit_once('.').map_or(item.key.as_str(), |(above, _)| above);
    let (name, span) = (name.to_owned(), item.span);
    item.key = "replication.factor".to_owned();
    item.value = FactValue::Text(given.trim().to_owned());
    Some(Thing {
        layer: Layer::Topic,
        vhost: None,
        name,
        span,
        items: vec![item],
    })
}
