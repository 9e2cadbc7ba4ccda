//! X-K08: `latest` where positions expire.

use super::CONSUMERS;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A consumer with `auto.offset.reset=latest` (also by default) beside a broker of the run whose `offsets.retention.minutes` is
    /// shorter than its records are kept.
    ///
    /// # How messages are lost
    /// The group is stopped for longer than its positions are kept. When it comes back they are gone while the records are still
    /// there, and `latest` skips all of them.
    ///
    /// # Instead
    /// `earliest` or `none`, and positions that are kept at least as long as records.
    ///
    /// # Example
    /// `consumer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// group.id=billing
    /// auto.offset.reset=latest
    /// ```
    /// `consumer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// group.id=billing
    /// auto.offset.reset=earliest
    /// ```
    /// `server.properties`, beside it:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// offsets.retention.minutes=1440
    /// ```
    ///
    /// # Source
    /// Kafka `GroupMetadataManager`, `ConsumerConfig`.
    pub(crate) static RULE = {
        code: "X-K08",
        name: "latest-after-lost-offsets",
        title: "A group that loses its positions starts at the end",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: CONSUMERS,
        check: check,
    };
}

/// A week, in minutes: what a broker keeps of records by default.
const WEEK: i64 = 7 * 24 * 60;

fn check(judge: &mut Judge<'_>) {
    let reset = judge.setting("auto.offset.reset");
    if !reset
        .value
        .as_deref()
        .is_ok_and(|v| matches!(v, "latest" | "largest" | "end"))
    {
        return;
    }
    for broker in judge.near(Role::KafkaBroker) {
        let number = |key: &str| {
            broker
                .live(key)
                .and_then(|f| f.value.text()?.trim().parse::<i64>().ok())
        };
        let Some(fact) = broker.live("offsets.retention.minutes") else {
            continue;
        };
        let Some(minutes) = number("offsets.retention.minutes") else {
            continue;
        };
        let records = number("log.retention.ms")
            .map(|ms| if ms < 0 { WEEK } else { ms / 60_000 })
            .or_else(|| number("log.retention.minutes"))
            .or_else(|| number("log.retention.hours").map(|h| h.saturating_mul(60)))
            .unwrap_or(WEEK);
        if minutes >= records {
            continue;
        }
        let at = judge
            .at(&reset)
            .related(&fact.place, format!("positions are kept for {minutes} minutes"));
        judge.hit(
            at,
            Say::new(
                format!("positions expire after {minutes} minutes, records after {records}, and the reset skips what lies between"),
                "starts at the end",
                "The group is stopped for longer than its positions are kept. When it comes back the records are still there, and latest \
                 skips all of them.",
                "auto.offset.reset=earliest, and offsets.retention.minutes of at least what records are kept",
            ),
        );
        return;
    }
}
