//! KT007: retention counts from the time in the record.

use super::{int_of, topics};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::stated::Release;

rule! {
    /// # What it finds
    /// A topic that says `message.timestamp.type=CreateTime`, keeps records for less than the profile's `retention_hours`, and does
    /// not bound how old a timestamp may be; and `message.timestamp.difference.max.ms`, which 4.0 removed.
    ///
    /// # How messages are lost
    /// Retention looks at the largest timestamp of a segment. Records that are replayed, or copied from a database with the time of
    /// the change, are old when they arrive and are deleted at the next check. Since 4.0 a record from a clock that is an hour ahead
    /// is refused.
    ///
    /// # Instead
    /// `message.timestamp.type=LogAppendTime`, or `message.timestamp.before.max.ms`.
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
    ///     message.timestamp.type: CreateTime
    ///     retention.ms: 86400000
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
    ///     message.timestamp.type: LogAppendTime
    ///     retention.ms: 86400000
    /// ```
    ///
    /// # Source
    /// Kafka `UnifiedLog.deleteRetentionMsBreachedSegments`; KIP-937, KIP-1030.
    pub(crate) static RULE = {
        code: "KT007",
        name: "expiry-by-producers-clock",
        title: "Records expire by a time that the producer writes",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &[],
        applies: &[Role::KafkaTopic],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let wanted = judge.profile.thresholds.retention_ms();
    let removed = judge.release().is_none_or(|r| r >= Release(4, 0, 0));
    for topic in topics(unit) {
        if let Some(fact) = unit
            .of(topic, "message.timestamp.difference.max.ms")
            .filter(|_| removed)
        {
            let at = judge.at_fact(fact).of(topic).inferred(judge.release().is_none());
            judge.hit(
                at,
                Say::new(
                    format!("topic `{}`: the bound on timestamps has no effect from 4.0 on", topic.name),
                    "4.0 removed this key",
                    "Retention looks at the time in the record. What is old when it arrives is deleted at the next check.",
                    "message.timestamp.before.max.ms and message.timestamp.after.max.ms",
                ),
            );
        }
        let create = unit
            .of(topic, "message.timestamp.type")
            .filter(|f| f.value.text().is_some_and(|v| v.trim() == "CreateTime"));
        let (Some(create), None) = (create, unit.of(topic, "message.timestamp.before.max.ms")) else {
            continue;
        };
        let Some((retention, ms)) = int_of(judge, topic, "retention.ms") else {
            continue;
        };
        if ms < 0 || ms >= wanted {
            continue;
        }
        let at = judge
            .at_fact(create)
            .of(topic)
            .related(&retention.place, "counted from the time in the record");
        judge.hit(
            at,
            Say::new(
                format!("topic `{}` deletes by the time that producers write", topic.name),
                "old when it arrives, deleted at the next check",
                "Records that are replayed, or copied with the time of a change, are old when they arrive, and retention deletes them at \
                 the next check, read or not.",
                "message.timestamp.type=LogAppendTime, or message.timestamp.before.max.ms",
            ),
        );
    }
}
