//! RMC002: the broadcasting model.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::named;

rule! {
    /// # What it finds
    /// `message-model` of `BROADCASTING`.
    ///
    /// # How messages are lost
    /// A message that fails is logged and dropped: no retry, no dead letters. Positions lie in a file below the home directory, which
    /// is gone with the container.
    ///
    /// # Instead
    /// `CLUSTERING` for work that must be done.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.consumer.group=billing
    /// rocketmq.consumer.message-model=BROADCASTING
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.consumer.group=billing
    /// rocketmq.consumer.message-model=CLUSTERING
    /// ```
    ///
    /// # Source
    /// RocketMQ `ConsumeMessageConcurrentlyService.processConsumeResult`, `LocalFileOffsetStore`: CLUSTERING.
    pub(crate) static RULE = {
        code: "RMC002",
        name: "broadcasting",
        title: "A message that fails is dropped, and positions lie in a local file",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: &[Role::Application],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let keys = ["rocketmq.", "spring.cloud.stream.rocketmq."];
    for prefix in keys {
        let broadcasting = |v: &str| v.trim().eq_ignore_ascii_case("BROADCASTING");
        for fact in named(unit, prefix, "message-model").filter(|f| f.value.text().is_some_and(broadcasting)) {
            let at = judge.at_fact(fact);
            judge.hit(
                at,
                Say::new(
                    "a message that fails is dropped",
                    "no retry, no dead letters",
                    "A message that fails is logged and dropped. Positions lie in a file of the consumer, which is gone with its container.",
                    "message-model: CLUSTERING for work that must be done",
                ),
            );
        }
    }
}
