//! RMC002: the broadcasting model.

use crate::audit::fact::{Fact, Layer};
use crate::audit::judge::{At, Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::named;
use crate::audit::terms::canonical::MEMBERS_MODEL;

rule! {
    /// # What it finds
    /// `message-model` of `BROADCASTING`, in a file or of the members of a group that are connected.
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
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &[],
        applies: &[Role::Application, Role::RocketTopic],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let broadcasting = |fact: &Fact| {
        let value = fact.value.text();
        value.is_some_and(|v| v.trim().eq_ignore_ascii_case("BROADCASTING"))
    };
    let mut found: Vec<(At, Option<&str>)> = Vec::new();
    for prefix in ["rocketmq.", "spring.cloud.stream.rocketmq."] {
        let facts = named(unit, prefix, "message-model").filter(|f| broadcasting(f));
        found.extend(facts.map(|fact| (judge.at_fact(fact), None)));
    }
    for group in unit.subjects_of(Layer::Consumer) {
        if let Some(fact) = unit.of(group, MEMBERS_MODEL).filter(|f| broadcasting(f)) {
            found.push((judge.at_fact(fact).of(group), Some(group.name.as_str())));
        }
    }
    for (at, group) in found {
        judge.hit(
            at,
            Say::new(
                match group {
                    Some(group) => format!("group `{group}`: a message that fails is dropped"),
                    None => "a message that fails is dropped".to_owned(),
                },
                "no retry, no dead letters",
                "A message that fails is logged and dropped. Positions lie in a file of the consumer, which is gone with its container.",
                "message-model: CLUSTERING for work that must be done",
            ),
        );
    }
}
