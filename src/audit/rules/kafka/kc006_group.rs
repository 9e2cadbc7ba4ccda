//! KC006: a group id that changes, or a time to work in that is too short.

use super::CONSUMERS;
use crate::audit::judge::{Judge, Say};
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A `group.id` that is filled in from something random; `max.poll.interval.ms` of less than 30 seconds.
    ///
    /// # How messages are lost
    /// A group that is new at every start has no position: with `latest` it skips everything that came while it was away. When the
    /// work on a batch takes longer than the interval, the consumer is thrown out, its commit fails, and the records are worked on
    /// twice.
    ///
    /// # Instead
    /// A fixed `group.id`; an interval longer than the slowest batch, or fewer records with `max.poll.records`. `group.instance.id`
    /// has nothing to do with loss.
    ///
    /// # Example
    /// `consumer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// group.id=billing-${random.uuid}
    /// ```
    /// `consumer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// group.id=billing
    /// ```
    ///
    /// # Source
    /// Kafka `ConsumerConfig`: 300000, 500 records.
    pub(crate) static RULE = {
        code: "KC006",
        name: "unstable-group",
        title: "The consumer is a new group at every start, or is thrown out of it while it works",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &[],
        applies: CONSUMERS,
        check: check,
    };
}

/// Shorter than any batch with one slow database call in it, in milliseconds.
const VERY_SHORT_MS: i64 = 30_000;

fn check(judge: &mut Judge<'_>) {
    let group = judge.setting("group.id");
    let random = group.given.and_then(|f| f.value.text()).is_some_and(|v| {
        let v = v.to_lowercase();
        v.contains("${random") || v.contains("uuid") || v.contains("$random")
    });
    if random {
        let at = judge.at(&group);
        judge.hit(
            at,
            Say::new(
                "group.id is different at every start",
                "a new group, without a position",
                "A group that is new at every start has no position. With auto.offset.reset=latest it skips everything that came while it \
                 was away; with earliest it repeats everything.",
                "a fixed group.id",
            ),
        );
    }
    let Some((interval, ms)) = judge.written_int("max.poll.interval.ms") else {
        return;
    };
    if ms < VERY_SHORT_MS {
        let at = judge.at(&interval);
        judge.hit(
            at,
            Say::new(
                format!("a batch must be done within {ms} ms, or the consumer is thrown out"),
                "shorter than slow work",
                "When the work on a batch takes longer, the consumer is thrown out of its group and its commit fails. The records are \
                 worked on twice; what was committed before the work is lost.",
                "leave max.poll.interval.ms at 300000, and hand out fewer records with max.poll.records",
            ),
        );
    }
}
