//! X-K04: copies that cannot be made.

use crate::audit::judge::At;
use crate::audit::judge::{Judge, Say};
use crate::audit::role;
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::kafka::cluster::brokers;
use crate::audit::rules::kafka::{replicas, topics};

rule! {
    /// # What it finds
    /// A topic, `default.replication.factor` or an internal topic (3 by default) with more copies than the cluster of the run has
    /// brokers, where their number is known.
    ///
    /// # How messages are lost
    /// The creation fails. An internal topic never appears: consumers cannot commit, transactions cannot begin, and whoever does not
    /// look at the error loses its records.
    ///
    /// # Instead
    /// As many brokers as copies, or fewer copies.
    ///
    /// # Example
    /// `topic.yaml`, found:
    /// ```yaml
    /// apiVersion: kafka.strimzi.io/v1beta2
    /// kind: KafkaTopic
    /// metadata:
    ///   name: orders
    /// spec:
    ///   partitions: 6
    ///   replicas: 5
    /// ```
    /// `topic.yaml`, clean:
    /// ```yaml
    /// apiVersion: kafka.strimzi.io/v1beta2
    /// kind: KafkaTopic
    /// metadata:
    ///   name: orders
    /// spec:
    ///   partitions: 6
    ///   replicas: 3
    /// ```
    /// `docker-compose.yml`, beside it:
    /// ```yaml
    /// services:
    ///   kafka-1:
    ///     image: apache/kafka:4.1.0
    ///     environment:
    ///       KAFKA_NODE_ID: 1
    ///       KAFKA_PROCESS_ROLES: broker,controller
    ///       KAFKA_DEFAULT_REPLICATION_FACTOR: 3
    ///   kafka-2:
    ///     image: apache/kafka:4.1.0
    ///     environment:
    ///       KAFKA_NODE_ID: 2
    ///       KAFKA_PROCESS_ROLES: broker,controller
    ///       KAFKA_DEFAULT_REPLICATION_FACTOR: 3
    ///   kafka-3:
    ///     image: apache/kafka:4.1.0
    ///     environment:
    ///       KAFKA_NODE_ID: 3
    ///       KAFKA_PROCESS_ROLES: broker,controller
    ///       KAFKA_DEFAULT_REPLICATION_FACTOR: 3
    /// ```
    ///
    /// # Source
    /// Kafka `ReplicationControlManager`, `AutoTopicCreationManager`.
    pub(crate) static RULE = {
        code: "X-K04",
        name: "more-copies-than-brokers",
        title: "More copies are asked for than there are brokers",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::KafkaTopic, Role::KafkaBroker],
        check: check,
    };
}

/// Settings of a broker that count copies; those that are absent are 3 but for the first.
const COUNTS: [&str; 3] = [
    "default.replication.factor",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
];

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let own = Some(unit).filter(|_| role::is(unit, Role::KafkaBroker));
    let Some(cluster) = own.or_else(|| judge.near(Role::KafkaBroker).find(|u| brokers(u).is_some())) else {
        return;
    };
    let Some(count) = brokers(cluster) else { return };
    if role::is(unit, Role::KafkaTopic) {
        for topic in topics(unit) {
            let Some((fact, copies)) = replicas(judge, topic) else {
                continue;
            };
            if copies > count {
                let at = judge
                    .at_fact(fact)
                    .of(topic)
                    .related(&cluster.top(), format!("{count} brokers"));
                say(judge, at, &format!("topic `{}`", topic.name), copies, count);
            }
        }
        return;
    }
    // One broker is told once, by KB000.
    if count < 2 && !judge.context.pedantic {
        return;
    }
    for key in COUNTS {
        let setting = judge.setting(key);
        // Whoever writes no transactions never needs the log of transactions.
        if setting.given.is_none() && key != "offsets.topic.replication.factor" {
            continue;
        }
        let Some(copies) = setting.value.as_ref().ok().and_then(|v| v.parse::<i64>().ok()) else {
            continue;
        };
        if copies > count {
            let at = judge.at(&setting);
            say(judge, at, key, copies, count);
        }
    }
}

fn say(judge: &mut Judge<'_>, at: At, what: &str, copies: i64, brokers: i64) {
    judge.hit(
        at,
        Say::new(
            format!("{what}: {copies} copies on {brokers} {}", if brokers == 1 { "broker" } else { "brokers" }),
            "cannot be created",
            "The creation fails. Where the topic is one of the broker's own it never appears: consumers cannot commit, transactions cannot \
             begin, and whoever does not look at the error loses its records.",
            "as many brokers as copies, or fewer copies",
        ),
    );
}
