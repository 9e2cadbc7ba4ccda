//! KB009: committed offsets expire before the records do.

use super::broker_retention_ms;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `offsets.retention.minutes` written and shorter than the broker keeps records by default (a week where that is unlimited).
    ///
    /// # How messages are lost
    /// The time counts from the moment when the group is empty. A consumer that is stopped for longer, over holidays or for a
    /// migration, has no position when it comes back: `latest` skips everything that waited for it.
    ///
    /// # Instead
    /// At least as long as records are kept; the default is a week since 2.0.
    ///
    /// # Example
    /// `server.properties`, found:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// offsets.retention.minutes=1440
    /// ```
    /// `server.properties`, clean:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// offsets.retention.minutes=10080
    /// ```
    ///
    /// # Source
    /// Kafka `GroupCoordinatorConfig`: 1440 up to 1.1, 10080 since 2.0 (KIP-186).
    pub(crate) static RULE = {
        code: "KB009",
        name: "short-offsets-retention",
        title: "A group that is stopped for long loses its positions before its records",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::KafkaBroker],
        check: check,
    };
}

/// A week, in minutes: what a broker keeps by default of records and of offsets.
const WEEK: i64 = 7 * 24 * 60;

fn check(judge: &mut Judge<'_>) {
    let retention = judge.setting("offsets.retention.minutes");
    if retention.given.is_none() && (!retention.is_certain() || judge.unit.fragment.is_some()) {
        return;
    }
    let Some(minutes) = judge.int(&retention) else { return };
    let records = broker_retention_ms(judge).map_or(WEEK, |(_, ms)| ms.map_or(WEEK, |ms| ms / 60_000));
    if minutes >= records {
        return;
    }
    let at = judge.at(&retention);
    judge.hit(
        at,
        Say::new(
            format!("positions are kept for {minutes} minutes, records for {records}"),
            "counted from the moment when the group is empty",
            "A group that is stopped for longer has no position when it comes back, although its records are still there: \
             auto.offset.reset=latest skips all of them.",
            format!("offsets.retention.minutes={} or more", records.max(WEEK)),
        ),
    );
}
