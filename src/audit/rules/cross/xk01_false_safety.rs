//! X-K01: the producer asks for all, and the topic takes one for all.

use super::{acks, producers, topic_min_insync};
use crate::audit::judge::At;
use crate::audit::judge::{Judge, Say};
use crate::audit::role;
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::kafka::cluster::{copies_are_elsewhere, is_told_once};
use crate::audit::rules::kafka::{replicas, topics};

rule! {
    /// # What it finds
    /// A producer of the run with `acks=all` (also by default), and a topic with several copies, or a broker, whose effective
    /// `min.insync.replicas` is 1. Files belong together when they stand in the same directory, or below the nearest one that holds
    /// both.
    ///
    /// # How messages are lost
    /// "All" means all that are in sync at the moment. When the followers are behind, the leader alone acknowledges, and its death
    /// loses what the producer believes to be on several brokers.
    ///
    /// # Instead
    /// `min.insync.replicas=2` with a replication factor of 3.
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
    ///   replicas: 3
    ///   config:
    ///     min.insync.replicas: 1
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
    ///   config:
    ///     min.insync.replicas: 2
    /// ```
    /// `producer.properties`, beside it:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// acks=all
    /// ```
    ///
    /// # Source
    /// Kafka `Partition.checkEnoughReplicasReachOffset`; `min.insync.replicas` is 1 in every version.
    pub(crate) static RULE = {
        code: "X-K01",
        name: "acks-all-with-one-copy",
        title: "acks=all is asked for, and one copy is enough",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::KafkaTopic, Role::KafkaBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let asks = producers(judge).find_map(|unit| {
        let (value, setting) = acks(judge, unit)?;
        matches!(value.as_str(), "all" | "-1").then(|| {
            (
                setting.given.map_or_else(|| unit.top(), |f| f.place.clone()),
                setting.is_certain(),
            )
        })
    });
    let Some((place, certain)) = asks else { return };
    let unit = judge.unit;
    let mut found: Vec<(At, String)> = Vec::new();
    if role::is(unit, Role::KafkaTopic) {
        for topic in topics(unit) {
            if replicas(judge, topic).is_some_and(|(_, n)| n < 2) {
                continue;
            }
            if let Some((least, at)) = topic_min_insync(judge, topic)
                && least <= 1
            {
                found.push((at, format!("topic `{}`", topic.name)));
            }
        }
    } else if !is_told_once(judge) && !copies_are_elsewhere(judge) {
        let least = judge.setting("min.insync.replicas");
        if least
            .value
            .as_deref()
            .is_ok_and(|v| v.parse::<i64>().is_ok_and(|n| n <= 1))
        {
            found.push((judge.at(&least), "the broker".to_owned()));
        }
    }
    for (at, what) in found {
        judge.hit(
            at.related(&place, "asks for all copies").inferred(!certain),
            Say::new(
                format!("a producer asks for acks=all, and {what} takes one in-sync replica for all"),
                "the leader alone may acknowledge",
                "\"All\" means all that are in sync at the moment. The followers are behind, the leader alone acknowledges, and its death \
                 loses what the producer believes to be on several brokers.",
                "min.insync.replicas=2 with a replication factor of 3",
            ),
        );
    }
}
