//! RMC001: where a group without a position begins.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::named;

rule! {
    /// # What it finds
    /// `consume-from-where` of `CONSUME_FROM_LAST_OFFSET`, or one of the deprecated words that mean the same, where a configuration says it.
    ///
    /// # How messages are lost
    /// A group that is new on a topic with messages in it skips all of them.
    ///
    /// # Instead
    /// `CONSUME_FROM_FIRST_OFFSET`.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.consumer.group=billing
    /// rocketmq.consumer.consume-from-where=CONSUME_FROM_LAST_OFFSET
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.consumer.group=billing
    /// rocketmq.consumer.consume-from-where=CONSUME_FROM_FIRST_OFFSET
    /// ```
    ///
    /// # Source
    /// RocketMQ `RebalancePushImpl`, `ConsumerManageProcessor`: the end; the gRPC client's proxy begins at the end too.
    pub(crate) static RULE = {
        code: "RMC001",
        name: "starts-at-the-end",
        title: "A new group starts at the end of the topic",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: &[Role::Application],
        check: check,
    };
}

const LAST: [&str; 4] = [
    "CONSUME_FROM_LAST_OFFSET",
    "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
    "CONSUME_FROM_MIN_OFFSET",
    "CONSUME_FROM_MAX_OFFSET",
];

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for fact in
        named(unit, "", "consume-from-where").filter(|f| f.value.text().is_some_and(|v| LAST.contains(&v.trim())))
    {
        let at = judge.at_fact(fact);
        judge.hit(
            at,
            Say::new(
                "a group without a position starts at the end",
                "skips what is already there",
                "A group that is new on a topic with messages in it skips all of them.",
                "CONSUME_FROM_FIRST_OFFSET",
            ),
        );
    }
}
