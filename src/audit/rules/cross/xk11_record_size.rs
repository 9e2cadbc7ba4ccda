//! X-K11: a limit of the producer above the topic's.

use super::PRODUCERS;
use crate::audit::fact::{Component, Fact, Layer};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A producer's `max.request.size` (librdkafka: `message.max.bytes`), also by default, above `max.message.bytes` of a topic of
    /// the run that sets it, or above the broker's `message.max.bytes` that is written.
    ///
    /// # How messages are lost
    /// A record that is too large is refused for good. Whoever looks at no result loses exactly the large ones.
    ///
    /// # Instead
    /// The same limit on both sides; the broker compares after compression.
    ///
    /// # Example
    /// `producer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// max.request.size=5242880
    /// ```
    /// `producer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// max.request.size=1048576
    /// ```
    /// `topic.yaml`, beside it:
    /// ```yaml
    /// apiVersion: kafka.strimzi.io/v1beta2
    /// kind: KafkaTopic
    /// metadata:
    ///   name: orders
    /// spec:
    ///   partitions: 6
    ///   replicas: 3
    ///   config:
    ///     max.message.bytes: 1048588
    /// ```
    ///
    /// # Source
    /// Kafka `UnifiedLog.analyzeAndValidateRecords`, `ProducerConfig`, librdkafka `CONFIGURATION.md`.
    pub(crate) static RULE = {
        code: "X-K11",
        name: "record-larger-than-topic",
        title: "The producer sends records that the topic refuses",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: PRODUCERS,
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let key = match judge.unit.component {
        Component::Librdkafka => "message.max.bytes",
        _ => "max.request.size",
    };
    let limit = judge.setting(key);
    let Some(bytes) = limit.value.as_ref().ok().and_then(|v| v.parse::<i64>().ok()) else {
        return;
    };
    let number = |f: &Fact| f.value.text().and_then(|v| v.trim().parse::<i64>().ok());
    let smaller = |f: &&Fact| number(f).is_some_and(|n| n < bytes);
    let refuses = judge.near_any(&[Role::KafkaTopic, Role::KafkaBroker]).find_map(|unit| {
        let topics = unit.subjects_of(Layer::Topic);
        let mut told = topics
            .filter_map(|t| unit.of(t, "max.message.bytes"))
            .chain(unit.live("message.max.bytes"));
        told.find(smaller)
    });
    let Some(refuses) = refuses else { return };
    let at = judge.at(&limit).related(&refuses.place, "refuses what is larger");
    judge.hit(
        at,
        Say::new(
            format!("records of up to {bytes} bytes are sent, and {} are taken", refuses.value.show()),
            "refused for good",
            "A record that is too large is refused, and no retry helps. Whoever looks at no result loses exactly the large ones.",
            "the same limit on both sides",
        ),
    );
}
