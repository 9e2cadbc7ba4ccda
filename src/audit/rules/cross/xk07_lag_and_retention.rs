//! X-K07: a backlog that is older than retention allows.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::int_of;
use crate::audit::rules::kafka::{days_or_hours, topics};
use crate::audit::terms::canonical::{COMMITTED, GROUP, LAG_OLDEST_MS, LOG_START};

rule! {
    /// # What it finds
    /// A live topic whose oldest record that a group has not read is older than half of `retention.ms`; a committed position before
    /// the start of the log (`X-K07/already-lost`).
    ///
    /// # How messages are lost
    /// Retention deletes segments whether or not they were read. The group then begins where its reset policy puts it.
    ///
    /// # Instead
    /// Raise `retention.ms` now, then find out why the group is slow.
    ///
    /// # Example
    /// A cluster answers the retention of a topic and the age of the oldest record that a group has not read. `@` begins what was asked, `-` a thing by its name; below it stands what was told.
    /// Recorded, found:
    /// ```facts
    /// @ kafka-topic live
    /// - topic orders
    /// retention.ms=86400000
    /// @lag.oldest-ms=80000000
    /// ```
    /// Recorded, clean:
    /// ```facts
    /// @ kafka-topic live
    /// - topic orders
    /// retention.ms=604800000
    /// @lag.oldest-ms=80000000
    /// ```
    ///
    /// # Source
    /// Kafka `UnifiedLog.deleteRetentionMsBreachedSegments`; OffsetFetch and ListOffsets tell both sides.
    pub(crate) static RULE = {
        code: "X-K07",
        name: "lag-near-retention",
        title: "What a group has not read yet is about to expire",
        evidence: &[Evidence::Live],
        variants: &["already-lost"],
        applies: &[Role::KafkaTopic],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for topic in topics(unit) {
        let group = unit
            .of(topic, GROUP)
            .map_or_else(|| "a group".to_owned(), |f| f.value.show());
        if let (Some((fact, committed)), Some((_, start))) =
            (int_of(judge, topic, COMMITTED), int_of(judge, topic, LOG_START))
            && committed < start
        {
            let at = judge.at_fact(fact).of(topic);
            judge.hit_as(
                Some("already-lost"),
                at,
                Say::new(
                    format!("topic `{}`: {} records expired before {group} read them", topic.name, start - committed),
                    "before the start of the log",
                    "The group's position lies before the start of the log. It begins where its reset policy puts it, and what lay between \
                     is gone.",
                    "a longer retention.ms, and the source of the records if it still has them",
                ),
            );
        }
        let Some((fact, age)) = int_of(judge, topic, LAG_OLDEST_MS) else {
            continue;
        };
        let Some((retention, keeps)) = int_of(judge, topic, "retention.ms") else {
            continue;
        };
        if keeps < 0 || age < keeps / 2 {
            continue;
        }
        let at = judge
            .at_fact(fact)
            .of(topic)
            .related(&retention.place, "what the topic keeps");
        judge.hit(
            at,
            Say::new(
                format!("topic `{}`: {group} has unread records of {} and older, and {} are kept", topic.name, days_or_hours(age), days_or_hours(keeps)),
                "about to expire unread",
                "Retention deletes segments whether or not they were read. At this lag the group loses the oldest of them soon.",
                "raise retention.ms now, then find out why the group is slow",
            ),
        );
    }
}
