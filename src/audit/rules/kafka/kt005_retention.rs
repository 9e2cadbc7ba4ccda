//! KT005: a topic that deletes by age or size sooner than the profile allows.

use super::{days_or_hours, int_of, topics};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A topic with `retention.ms` below the profile's `retention_hours`; or, as `KT005/bytes`, with a `retention.bytes` limit, which
    /// applies to each partition. Topics that are only compacted are left alone.
    ///
    /// # How messages are lost
    /// Segments are deleted whether or not they were read. A group that lags behind gets "offset out of range" and begins again where
    /// its reset policy puts it: what expired is lost to it.
    ///
    /// # Instead
    /// At least the longest outage of a consumer that must be survived, and the time to catch up. Watch the lag.
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
    ///     retention.ms: 3600000
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
    ///     retention.ms: 604800000
    /// ```
    ///
    /// # Source
    /// Kafka `TopicConfig`: 604800000, no limit of bytes; bytes count for each partition.
    pub(crate) static RULE = {
        code: "KT005",
        name: "short-retention",
        title: "Records of this topic expire before a slow consumer reads them",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &["bytes"],
        applies: &[Role::KafkaTopic],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    const STORY: &str = "Segments are deleted whether or not they were read. A group that lags behind begins again where its reset policy \
                         puts it, and never sees what is gone.";
    let unit = judge.unit;
    let wanted = judge.profile.thresholds.retention_ms();
    for topic in topics(unit) {
        let policy = unit.of(topic, "cleanup.policy").and_then(|f| f.value.text());
        // Kafka Streams gives the changelog of a windowed store both, and keeps it as long as its windows are: nobody reads it late.
        let is_windows = |p: &str| p.contains("compact") && topic.name.ends_with("-changelog");
        if policy.is_some_and(|p| p.trim() == "compact" || is_windows(p)) {
            continue;
        }
        if let Some((fact, ms)) = int_of(judge, topic, "retention.ms")
            && ms >= 0
            && ms < wanted
        {
            let at = judge.at_fact(fact).of(topic);
            judge.hit(
                at,
                Say::new(
                    format!(
                        "topic `{}` keeps records for {}; the profile wants {}",
                        topic.name,
                        days_or_hours(ms),
                        days_or_hours(wanted)
                    ),
                    "deleted unread",
                    STORY,
                    format!("retention.ms={wanted} or more"),
                ),
            );
        }
        if let Some((fact, bytes)) = int_of(judge, topic, "retention.bytes")
            && bytes >= 0
        {
            let at = judge.at_fact(fact).of(topic);
            judge.hit_as(
                Some("bytes"),
                at,
                Say::new(
                    format!(
                        "topic `{}` deletes when a partition has {bytes} bytes, however young they are",
                        topic.name
                    ),
                    "shortens the retention by time",
                    STORY,
                    "remove the limit, or make it larger than the rate of writes times the longest outage",
                ),
            );
        }
    }
}
