//! KT003: no copy may be down, or more is asked for than exists.

use super::{int_of, replicas, topics};
use crate::audit::judge::At;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::stated::Release;

rule! {
    /// # What it finds
    /// A topic that declares both, with `min.insync.replicas` equal to its replication factor of 2 or more, or above it
    /// (`KT003/more-than-copies`). X-K03 compares a topic with its broker.
    ///
    /// # How messages are lost
    /// Equal: the restart of any one broker stops every write with `acks=all`, and an impatient producer drops what it cannot write.
    /// Above: up to 3.6 nothing can be written; since 3.7 it is lowered to the number of copies without a word, so that one copy with
    /// "2 in sync" accepts writes on one copy.
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
    ///   replicas: 3
    ///   config:
    ///     min.insync.replicas: 3
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
    /// Kafka `Partition.effectiveMinIsr`: absent in 3.6.2, present in 3.7.0 (KAFKA-15583).
    pub(crate) static RULE = {
        code: "KT003",
        name: "in-sync-replicas-of-all",
        title: "As many in-sync replicas are asked for as there are copies, or more",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &["more-than-copies"],
        applies: &[Role::KafkaTopic],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for topic in topics(unit) {
        let Some((factor, copies)) = replicas(judge, topic) else {
            continue;
        };
        let Some((fact, least)) = int_of(judge, topic, "min.insync.replicas") else {
            continue;
        };
        if least < copies || least < 2 {
            continue;
        }
        let at = judge
            .at_fact(fact)
            .of(topic)
            .related(&factor.place, "the copies that there are");
        say(judge, at, copies, least, &format!("topic `{}`", topic.name));
    }
}

/// Says what it means that `least` of `copies` must be in sync.
pub(in crate::audit::rules) fn say(judge: &mut Judge<'_>, at: At, copies: i64, least: i64, what: &str) {
    if least == copies {
        judge.hit(
            at,
            Say::new(
                format!("{what}: all {copies} copies must be in sync, so one restart stops every write"),
                "no copy may be down",
                "While any one broker restarts, every write with acks=all fails. A producer whose patience is shorter drops what it cannot \
                 write.",
                "min.insync.replicas of one less than the copies: 2 of 3",
            ),
        );
        return;
    }
    let story = match judge.release() {
        Some(r) if r >= Release(3, 7, 0) => {
            "The broker lowers the number to the copies that exist, without a word: a write is on that many and no more."
        }
        Some(_) => "Nothing can be written with acks=all: more copies must be in sync than there are.",
        None => {
            "Up to 3.6 nothing can be written with acks=all. Since 3.7 the broker lowers the number to the copies that exist, without a \
             word: a write is on that many and no more."
        }
    };
    judge.hit_as(
        Some("more-than-copies"),
        at,
        Say::new(
            format!(
                "{what}: {least} in-sync replicas are asked for, of {copies} {}",
                if copies == 1 { "copy" } else { "copies" }
            ),
            "more than there are",
            story,
            "a replication factor of 3 with min.insync.replicas=2",
        ),
    );
}
