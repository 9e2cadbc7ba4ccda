//! X-K03: the copies of the topic and the in-sync replicas of the broker do not fit.

use crate::audit::judge::Judge;
use crate::audit::role;
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::kafka::kt003_in_sync_of_all::say;
use crate::audit::rules::kafka::{replicas, topics};

rule! {
    /// # What it finds
    /// A topic without `min.insync.replicas` of its own whose copies are as many as the broker's value, or fewer
    /// (`X-K03/more-than-copies`); a broker whose `default.replication.factor` and `min.insync.replicas` are both written and fit as
    /// little. KT003 looks at a topic that says both.
    ///
    /// # How messages are lost
    /// Equal: the restart of any one broker stops every write with `acks=all`. More: up to 3.6 nothing can be written; since 3.7 the
    /// number is lowered to the copies without a word, so a topic with one copy takes writes on one copy.
    ///
    /// # Instead
    /// One less than the copies: 2 of 3.
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
    ///   replicas: 2
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
    /// `server.properties`, beside it:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// min.insync.replicas=2
    /// ```
    ///
    /// # Source
    /// Kafka `Partition.effectiveMinIsr` (KAFKA-15583, 3.7.0).
    pub(crate) static RULE = {
        code: "X-K03",
        name: "inherited-in-sync-replicas-of-all",
        title: "The broker asks for as many in-sync replicas as the topic has, or more",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["more-than-copies"],
        applies: &[Role::KafkaTopic, Role::KafkaBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    if role::is(unit, Role::KafkaBroker) {
        let Some((factor, copies)) = judge.written_int("default.replication.factor") else {
            return;
        };
        let Some((least, n)) = judge.written_int("min.insync.replicas") else {
            return;
        };
        if n >= 2 && n >= copies && copies > 0 {
            let mut at = judge.at(&least);
            if let Some(fact) = factor.given {
                at = at.related(&fact.place, "the copies of topics made by default");
            }
            say(judge, at, copies, n, "topics made by default");
        }
        return;
    }
    let Some(broker) = judge.near(Role::KafkaBroker).next() else {
        return;
    };
    let inherited = judge.setting_of(broker, "min.insync.replicas");
    let Some(least) = inherited
        .value
        .as_ref()
        .ok()
        .and_then(|v| v.parse::<i64>().ok())
        .filter(|n| *n >= 2)
    else {
        return;
    };
    let place = inherited.given.map_or_else(|| broker.top(), |f| f.place.clone());
    for topic in topics(unit).filter(|t| unit.of(t, "min.insync.replicas").is_none()) {
        let Some((fact, copies)) = replicas(judge, topic) else {
            continue;
        };
        if least >= copies {
            let at = judge
                .at_fact(fact)
                .of(topic)
                .related(&place, "the broker's value, which the topic inherits");
            say(judge, at, copies, least, &format!("topic `{}`", topic.name));
        }
    }
}
