//! RMC004: how often a message is tried again.

use crate::audit::judge::At;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::named;

rule! {
    /// # What it finds
    /// `max-reconsume-times` (or a group's live `retryMaxTimes`) of 0; -1 together with `orderly`.
    ///
    /// # How messages are lost
    /// With 0 the first failure sends the message to the dead letter topic of the group, which expires with the other files. Orderly
    /// consumption with the default tries without end and blocks the queue behind the message.
    ///
    /// # Instead
    /// 16 for concurrent consumers, a limit for orderly ones, and somebody who reads `%DLQ%` topics.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// rocketmq.push-consumer.endpoints=proxy:8081
    /// rocketmq.push-consumer.max-reconsume-times=0
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// rocketmq.push-consumer.endpoints=proxy:8081
    /// rocketmq.push-consumer.max-reconsume-times=16
    /// ```
    ///
    /// # Source
    /// RocketMQ `DefaultMQPushConsumer`: -1, which is 16 for concurrent and no limit for orderly consumers.
    pub(crate) static RULE = {
        code: "RMC004",
        name: "reconsume-limit",
        title: "A failed message is given up at once, or blocks its queue for ever",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &[],
        applies: &[Role::Application, Role::RocketTopic],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let orderly = named(unit, "rocketmq.", "consume-mode")
        .any(|f| f.value.text().is_some_and(|v| v.trim().eq_ignore_ascii_case("ORDERLY")));
    let mut found: Vec<(At, String, Option<&str>)> = Vec::new();
    for fact in named(unit, "rocketmq.", "consumer.max-reconsume-times") {
        let value = fact.value.text().unwrap_or_default().trim().to_owned();
        found.push((judge.at_fact(fact), value, None));
    }
    for group in &unit.subjects {
        if let Some(fact) = unit.of(group, "retryMaxTimes") {
            let value = fact.value.text().unwrap_or_default().trim().to_owned();
            found.push((judge.at_fact(fact).of(group), value, Some(group.name.as_str())));
        }
    }
    for (at, value, group) in found {
        let (headline, story) = match value.as_str() {
            "0" => (
                "the first failure is final",
                "The message goes to the dead letter topic of its group at once, and expires there with the other files unless somebody reads \
                 it.",
            ),
            "-1" if orderly => (
                "one message that cannot be worked on blocks its queue for ever",
                "An orderly consumer tries it without end; what is behind it waits, and expires by age.",
            ),
            _ => continue,
        };
        judge.hit(
            at,
            Say::new(
                match group {
                    Some(group) => format!("group `{group}`: {headline}"),
                    None => headline.to_owned(),
                },
                "no second chance, or no end",
                story,
                "16, and somebody who reads the %DLQ% topic of the group",
            ),
        );
    }
}
