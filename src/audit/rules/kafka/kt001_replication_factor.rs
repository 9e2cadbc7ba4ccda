//! KT001: a topic is declared with one or two copies.

use super::{replicas, topics};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A topic whose declared replication factor is 1, or 2 (`KT001/two-copies`). A topic that leaves it to the broker (-1 or absent)
    /// is judged by KB001 where the broker is known. The broker's own topics (`__…`) follow KB006 and KB007.
    ///
    /// # How messages are lost
    /// With one copy the loss of one disk or node takes all of it, and while the node is down nothing can be read or written. With
    /// two, every restart leaves either one copy or no writes.
    ///
    /// # Instead
    /// A replication factor of 3 with `min.insync.replicas=2`. A topic that exists needs a reassignment.
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
    ///   replicas: 1
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
    ///
    /// # Source
    /// Kafka `TopicCommand`; Strimzi `KafkaTopicSpec`; terraform-provider-kafka; wherever a topic is declared.
    pub(crate) static RULE = {
        code: "KT001",
        name: "topic-with-few-copies",
        title: "A topic has too few copies",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &["two-copies"],
        applies: &[Role::KafkaTopic],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let wanted = judge.profile.thresholds.replication_factor;
    for topic in topics(unit) {
        let Some((fact, copies)) = replicas(judge, topic) else {
            continue;
        };
        if copies >= wanted {
            continue;
        }
        let at = judge.at_fact(fact).of(topic);
        let (variant, story) = match copies {
            1 => (
                None,
                "The loss of one disk or node takes all of it; while the node is down nothing can be read or written.",
            ),
            _ => (
                Some("two-copies"),
                "While one of the two is down, either nothing can be written with acks=all or it is written to one copy only.",
            ),
        };
        judge.hit_as(
            variant,
            at,
            Say::new(
                format!(
                    "topic `{}` has {copies} {}",
                    topic.name,
                    if copies == 1 { "copy" } else { "copies" }
                ),
                format!("the profile wants {wanted}"),
                story,
                "a replication factor of 3 with min.insync.replicas=2; a topic that exists needs a reassignment",
            ),
        );
    }
}
