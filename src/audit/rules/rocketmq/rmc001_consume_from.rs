//! RMC001: where a group without a position begins.

use crate::audit::fact::{Fact, Layer};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::named;
use crate::audit::terms::canonical::{MEMBERS_START, MEMBERS_UNPLACED};

rule! {
    /// # What it finds
    /// `consume-from-where` of `CONSUME_FROM_LAST_OFFSET`, or one of the deprecated words that mean the same, where a configuration says it;
    /// live, connected members of a group that say so, as every client does by default, in topics with messages where the group has no
    /// position.
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
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &[],
        applies: &[Role::Application, Role::RocketTopic],
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
    let last = |fact: &Fact| fact.value.text().is_some_and(|v| LAST.contains(&v.trim()));
    let say = |headline: String, story: String| {
        let label = "skips what is already there";
        Say::new(headline, label, story, "CONSUME_FROM_FIRST_OFFSET")
    };
    for fact in named(unit, "", "consume-from-where").filter(|f| last(f)) {
        let at = judge.at_fact(fact);
        let headline = "a group without a position starts at the end";
        let story = "A group that is new on a topic with messages in it skips all of them.";
        judge.hit(at, say(headline.to_owned(), story.to_owned()));
    }
    for group in unit.subjects_of(Layer::Consumer) {
        let start = unit.of(group, MEMBERS_START).filter(|f| last(f));
        let unplaced = unit.of(group, MEMBERS_UNPLACED).and_then(|f| f.value.text());
        if let Some((fact, unplaced)) = start.zip(unplaced) {
            let at = judge.at_fact(fact).of(group);
            let headline = format!("group `{}` starts at the end where it has no position", group.name);
            let story = format!(
                "Its members are connected, and it has none in {unplaced}. What waits there is skipped, but for queues whose very first \
                 message the broker still has in memory."
            );
            judge.hit(at, say(headline, story));
        }
    }
}
