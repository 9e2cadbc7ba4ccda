//! KC008: more consumers than partitions.

use super::topics;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::terms::canonical::IDLE_MEMBERS;

rule! {
    /// # What it finds
    /// A live group with more members than the topics that it reads have partitions.
    ///
    /// # How messages are lost
    /// None are: some members get nothing. Whoever added them to catch up with a backlog has not, and retention goes on deleting what
    /// is unread. More partitions later are read from their end by consumers with `auto.offset.reset=latest` (KC002).
    ///
    /// # Instead
    /// More partitions, with `auto.offset.reset=earliest`, or fewer members.
    ///
    /// # Example
    /// A cluster answers which group has members without a partition. `@` begins what was asked, `-` a thing by its name; below it stands what was told.
    /// Recorded, found:
    /// ```facts
    /// @ kafka-topic live
    /// - topic orders
    /// @group.idle=group `billing` has 5 members for 3 partitions
    /// ```
    /// Recorded, clean:
    /// ```facts
    /// @ kafka-topic live
    /// - topic orders
    /// partitions=6
    /// ```
    ///
    /// # Source
    /// Kafka `AbstractPartitionAssignor`; DescribeGroups tells the members.
    pub(crate) static RULE = {
        code: "KC008",
        name: "members-without-partition",
        title: "Members of a group have nothing to read",
        evidence: &[Evidence::Live],
        variants: &[],
        applies: &[Role::KafkaTopic],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for topic in topics(unit) {
        let Some(fact) = unit.of(topic, IDLE_MEMBERS) else {
            continue;
        };
        let at = judge.at_fact(fact).of(topic);
        judge.hit(
            at,
            Say::new(
                format!("topic `{}`: {}", topic.name, fact.value.show()),
                "some read nothing",
                "Members that were added to catch up with a backlog get no partition, and retention goes on deleting what is unread.",
                "more partitions, with auto.offset.reset=earliest, or fewer members",
            ),
        );
    }
}
