//! KT004: a topic that lets a replica without the acknowledged records become leader.

use super::topics;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::is_true;

rule! {
    /// # What it finds
    /// A topic with `unclean.leader.election.enable=true`.
    ///
    /// # How messages are lost
    /// When no in-sync replica is alive, one that is behind becomes leader. The others cut their logs to its length: acknowledged
    /// records are deleted from all of them.
    ///
    /// # Instead
    /// Remove the setting.
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
    ///     unclean.leader.election.enable: true
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
    ///     unclean.leader.election.enable: false
    /// ```
    ///
    /// # Source
    /// Kafka `LogConfig`: true up to 0.10.2, false since 0.11.0 (KIP-106).
    pub(crate) static RULE = {
        code: "KT004",
        name: "topic-with-unclean-election",
        title: "A replica that is behind may become leader of this topic",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &[],
        applies: &[Role::KafkaTopic],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for topic in topics(unit) {
        let Some(fact) = unit.of(topic, "unclean.leader.election.enable").filter(|f| is_true(f)) else {
            continue;
        };
        let at = judge.at_fact(fact).of(topic).safe("false");
        judge.hit(
            at,
            Say::new(
                format!("topic `{}`: a replica that is behind may become leader", topic.name),
                "acknowledged records are cut off",
                "When no in-sync replica is alive, one that is behind becomes leader and the others cut their logs to its length. \
                 Acknowledged records are deleted from all of them.",
                "remove the setting (the default is false)",
            ),
        );
    }
}
