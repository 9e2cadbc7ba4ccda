//! KB008: the broker's default of how long records are kept.

use super::{broker_retention_ms, days_or_hours};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `log.retention.ms`, `.minutes` or `.hours` (the first that is written counts) below the profile's `retention_hours`; and, as
    /// `KB008/bytes`, a `log.retention.bytes` limit, which applies to each partition.
    ///
    /// # How messages are lost
    /// Segments go by age and size, whether or not they were read. A consumer that was down longer begins again where its reset
    /// policy puts it, and what expired meanwhile is lost to it.
    ///
    /// # Instead
    /// At least the longest outage of a consumer that must be survived, and the time to catch up.
    ///
    /// # Example
    /// `server.properties`, found:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// log.retention.hours=12
    /// ```
    /// `server.properties`, clean:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// log.retention.hours=168
    /// ```
    ///
    /// # Source
    /// Kafka `ServerLogConfigs`: 168 hours, no limit of bytes, in every version.
    pub(crate) static RULE = {
        code: "KB008",
        name: "short-default-retention",
        title: "Records expire before a slow consumer reads them, unless a topic says otherwise",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["bytes"],
        applies: &[Role::KafkaBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    const STORY: &str = "Segments are deleted whether or not they were read. A consumer that was down longer begins again where its reset \
                         policy puts it, and never sees what is gone.";
    let wanted = judge.profile.thresholds.retention_ms();
    if let Some((setting, Some(ms))) = broker_retention_ms(judge)
        && ms < wanted
    {
        let at = judge.at(&setting);
        judge.hit(
            at,
            Say::new(
                format!(
                    "records are kept for {}; the profile wants {}",
                    days_or_hours(ms),
                    days_or_hours(wanted)
                ),
                "the default of every topic",
                STORY,
                format!(
                    "log.retention.hours={} or more, or a longer retention.ms on the topics that matter",
                    wanted / 3_600_000
                ),
            ),
        );
    }
    if let Some((setting, bytes)) = judge.written_int("log.retention.bytes")
        && bytes >= 0
    {
        let at = judge.at(&setting);
        judge.hit_as(
            Some("bytes"),
            at,
            Say::new(
                format!("records go when a partition has {bytes} bytes, however young they are"),
                "shortens the retention by time",
                STORY,
                "remove the limit, or make it larger than the rate of writes times the longest outage",
            ),
        );
    }
}
