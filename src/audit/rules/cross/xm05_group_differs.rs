//! X-M05: applications that share a group and nothing else.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::rocketmq::rmc003_subscriptions::compare;

rule! {
    /// # What it finds
    /// Two applications of the run with the same consumer group and a different message model, order, start or number of attempts.
    /// RMC003 looks at what they subscribe to.
    ///
    /// # How messages are lost
    /// The broker knows one of the two set-ups at a time: a message that one member would retry is given up by the other, and one
    /// that both should see is seen by one.
    ///
    /// # Instead
    /// One group for each application; the same settings for every member.
    ///
    /// # Example
    /// `two/application.properties`, found:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.consumer.group=billing
    /// rocketmq.consumer.message-model=BROADCASTING
    /// ```
    /// `two/application.properties`, clean:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.consumer.group=billing
    /// rocketmq.consumer.message-model=CLUSTERING
    /// ```
    /// `one/application.properties`, beside it:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.consumer.group=billing
    /// rocketmq.consumer.message-model=CLUSTERING
    /// ```
    ///
    /// # Source
    /// RocketMQ `ConsumerManager`, `bestPractice/07subscribe.md`.
    pub(crate) static RULE = {
        code: "X-M05",
        name: "group-members-differ",
        title: "Members of one group are set up differently",
        evidence: &[Evidence::File],
        variants: &[],
        applies: &[Role::Application],
        check: check,
    };
}

/// What every member of a group must agree on, beside what it subscribes to.
const SAME: [&str; 4] = [
    "message-model",
    "consume-mode",
    "consume-from-where",
    "max-reconsume-times",
];

fn check(judge: &mut Judge<'_>) {
    for consumer in ["rocketmq.consumer", "rocketmq.push-consumer"] {
        compare(judge, consumer, &SAME, |key, mine, theirs| {
            Say::new(
                format!("the same group has {key} `{mine}` here and `{theirs}` there"),
                "which one holds depends on who spoke last",
                "The broker knows one of the two set-ups at a time: a message that one member would retry is given up by the other.",
                "a group of its own for each application, or the same settings for every member",
            )
        });
    }
}
