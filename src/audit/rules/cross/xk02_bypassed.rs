//! X-K02: a producer that the topic's protection does not reach.

use super::PRODUCERS;
use super::acks;
use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A producer with `acks=0` or `acks=1` beside a topic or a broker of the run with `min.insync.replicas` of 2 or more.
    ///
    /// # How messages are lost
    /// `min.insync.replicas` is looked at for `acks=all` only. This producer's records are acknowledged by the leader alone, or by
    /// nobody, whatever the topic says.
    ///
    /// # Instead
    /// `acks=all`.
    ///
    /// # Example
    /// `producer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// acks=1
    /// ```
    /// `producer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// acks=all
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
    ///     min.insync.replicas: 2
    /// ```
    ///
    /// # Source
    /// Kafka `Partition.appendRecordsToLeader`: the check is for `acks == -1`.
    pub(crate) static RULE = {
        code: "X-K02",
        name: "bypassed-in-sync-replicas",
        title: "The topic asks for two copies, and the producer does not wait for them",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: PRODUCERS,
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let Some((value, setting)) = acks(judge, judge.unit) else {
        return;
    };
    if !matches!(value.as_str(), "0" | "1") {
        return;
    }
    let two = |text: Option<&str>| text.and_then(|v| v.trim().parse::<i64>().ok()).is_some_and(|n| n >= 2);
    let asked = judge.near_any(&[Role::KafkaTopic, Role::KafkaBroker]).find_map(|unit| {
        let topics = unit.subjects_of(Layer::Topic);
        let mut told = topics
            .filter_map(|t| unit.of(t, "min.insync.replicas"))
            .chain(unit.live("min.insync.replicas"));
        told.find(|f| two(f.value.text()))
    });
    let Some(asked) = asked else { return };
    let at = judge
        .at(&setting)
        .related(&asked.place, "asks for two copies, of acks=all only")
        .inferred(!setting.is_certain())
        .safe("all");
    judge.hit(
        at,
        Say::new(
            format!("acks={value}: min.insync.replicas={} is not looked at for this producer", asked.value.show()),
            "goes past the protection",
            "The check is made for acks=all only. The leader alone acknowledges, or nobody, and a record can vanish although the topic asks \
             for two copies.",
            "acks=all",
        ),
    );
}
