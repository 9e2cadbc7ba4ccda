//! KT006: a topic of events that is compacted.

use super::topics;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::text_of;

rule! {
    /// # What it finds
    /// A topic with `compact` in `cleanup.policy` whose name speaks of events, orders, payments, commands or messages; any other,
    /// unless its name speaks of state, as `KT006/perhaps-state`.
    ///
    /// # How messages are lost
    /// Compaction keeps the last value of each key: earlier events of the same key disappear by design, read or not. A consumer that
    /// is slower than `delete.retention.ms` misses deletions. Records without a key are refused.
    ///
    /// # Instead
    /// `cleanup.policy=delete` for events; `compact` only for state, where the last value is all that matters.
    ///
    /// # Example
    /// `topic.yaml`, found:
    /// ```yaml
    /// apiVersion: kafka.strimzi.io/v1beta2
    /// kind: KafkaTopic
    /// metadata:
    ///   name: order-events
    /// spec:
    ///   partitions: 6
    ///   replicas: 3
    ///   config:
    ///     cleanup.policy: compact
    /// ```
    /// `topic.yaml`, clean:
    /// ```yaml
    /// apiVersion: kafka.strimzi.io/v1beta2
    /// kind: KafkaTopic
    /// metadata:
    ///   name: order-events
    /// spec:
    ///   partitions: 6
    ///   replicas: 3
    ///   config:
    ///     cleanup.policy: delete
    /// ```
    ///
    /// # Source
    /// Kafka `TopicConfig`, `LogCleaner`.
    pub(crate) static RULE = {
        code: "KT006",
        name: "compacted-events",
        title: "Compaction deletes all but the last record of a key",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &["perhaps-state"],
        applies: &[Role::KafkaTopic],
        check: check,
    };
}

/// Parts of names that say that every record counts.
const EVENTS: [&str; 9] = [
    "event",
    "order",
    "payment",
    "command",
    "message",
    "notification",
    "transaction",
    "audit",
    "request",
];
/// Parts of names that say that the last value is all that matters.
const STATE: [&str; 13] = [
    "changelog",
    "config",
    "offset",
    "status",
    "schema",
    "state",
    "store",
    "table",
    "snapshot",
    "cache",
    "compact",
    "view",
    "lookup",
];

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for topic in topics(unit) {
        let Some((fact, policy)) = text_of(judge, topic, "cleanup.policy") else {
            continue;
        };
        if !policy
            .trim_matches(['[', ']'])
            .split(',')
            .any(|p| p.trim() == "compact")
        {
            continue;
        }
        let name = topic.name.to_lowercase();
        let speaks_of = |words: &[&str]| words.iter().any(|w| name.contains(w));
        if speaks_of(&STATE) {
            continue;
        }
        let at = judge.at_fact(fact).of(topic);
        judge.hit_as(
            (!speaks_of(&EVENTS)).then_some("perhaps-state"),
            at,
            Say::new(
                format!("topic `{}` keeps the last record of each key only", topic.name),
                "earlier ones disappear",
                "Compaction keeps the last value of each key. Earlier events of the same key disappear, read or not.",
                "cleanup.policy=delete for events; compact is for state, where the last value is all that matters",
            ),
        );
    }
}
