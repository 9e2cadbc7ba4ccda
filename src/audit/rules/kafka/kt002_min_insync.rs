//! KT002: a topic that one in-sync replica is enough for.

use super::{int_of, replicas, topics};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::terms::canonical::ORIGIN_TOPIC;

rule! {
    /// # What it finds
    /// A topic with several copies, or an unknown number, whose `min.insync.replicas` is below the profile's; or that has none of its
    /// own where the broker in the run has less (`KT002/inherited`). Without a broker in the run an absent value is not decided.
    ///
    /// # How messages are lost
    /// Followers fall behind, the in-sync set shrinks to the leader, and `acks=all` still succeeds. When the leader dies then, what
    /// it acknowledged alone is gone. A topic's own 1 defeats a good default of the cluster.
    ///
    /// # Instead
    /// `min.insync.replicas` of one less than the copies: 2 of 3.
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
    ///
    /// # Source
    /// Kafka `TopicConfig`, `ServerLogConfigs`: 1 in every version.
    pub(crate) static RULE = {
        code: "KT002",
        name: "topic-with-one-in-sync-replica",
        title: "acks=all is satisfied by one copy of this topic",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &["inherited"],
        applies: &[Role::KafkaTopic],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let wanted = judge.profile.thresholds.min_insync_replicas;
    let broker = judge.near(Role::KafkaBroker).next();
    for topic in topics(unit) {
        let copies = replicas(judge, topic);
        if copies.is_some_and(|(_, n)| n < 2) {
            continue;
        }
        let (variant, at, least) = if unit.of(topic, "min.insync.replicas").is_some() {
            let Some((fact, least)) = int_of(judge, topic, "min.insync.replicas") else {
                continue;
            };
            // At a running broker every topic has the value; where it is the broker's, the broker is told of it too.
            let inherited = unit.is_live() && unit.origin_of(topic, "min.insync.replicas") != Some(ORIGIN_TOPIC);
            (inherited.then_some("inherited"), judge.at_fact(fact).of(topic), least)
        } else {
            let Some(broker) = broker else {
                judge
                    .undecided("a topic has no `min.insync.replicas`, and no broker in the run tells what it inherits");
                continue;
            };
            let inherited = judge.setting_of(broker, "min.insync.replicas");
            let Some(least) = inherited.value.as_ref().ok().and_then(|v| v.parse().ok()) else {
                continue;
            };
            let at = judge.at_subject(topic, "min.insync.replicas");
            let place = inherited.given.map_or_else(|| broker.top(), |f| f.place.clone());
            (
                Some("inherited"),
                at.related(&place, "the broker's value, which the topic inherits"),
                least,
            )
        };
        if least >= wanted {
            continue;
        }
        let at = match wanted == 2 && copies.is_some_and(|(_, n)| n >= 3) {
            true => at.safe("2"),
            false => at,
        };
        judge.hit_as(
            variant,
            at,
            Say::new(
                format!("topic `{}`: acks=all is satisfied by {least} in-sync {}", topic.name, if least == 1 { "replica" } else { "replicas" }),
                format!("the profile wants {wanted}"),
                "Followers fall behind, the in-sync set shrinks to the leader, and acks=all still succeeds. When the leader dies then, \
                 what it acknowledged alone is gone.",
                "min.insync.replicas=2 with a replication factor of 3",
            ),
        );
    }
}
