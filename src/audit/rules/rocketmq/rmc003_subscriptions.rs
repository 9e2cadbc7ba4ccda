//! RMC003: two consumers of one group that do not want the same.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// Two applications of the run with the same `rocketmq.consumer.group` and different `topic` or `selector-expression`.
    ///
    /// # How messages are lost
    /// The broker keeps one subscription for each group. What it filters out for one member it never gives to the other, and nobody
    /// else gets it.
    ///
    /// # Instead
    /// One group for each application.
    ///
    /// # Example
    /// `refunds/application.properties`, found:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.consumer.group=billing
    /// rocketmq.consumer.topic=refunds
    /// ```
    /// `refunds/application.properties`, clean:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.consumer.group=refunds
    /// rocketmq.consumer.topic=refunds
    /// ```
    /// `billing/application.properties`, beside it:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.consumer.group=billing
    /// rocketmq.consumer.topic=orders
    /// ```
    ///
    /// # Source
    /// RocketMQ `bestPractice/07subscribe.md`; `ConsumerManager`.
    pub(crate) static RULE = {
        code: "RMC003",
        name: "differing-subscriptions",
        title: "Members of one group subscribe to different things",
        evidence: &[Evidence::File],
        variants: &[],
        applies: &[Role::Application],
        check: check,
    };
}

/// What every member of a group must agree on.
const SAME: [&str; 2] = ["topic", "selector-expression"];

fn check(judge: &mut Judge<'_>) {
    for consumer in ["rocketmq.consumer", "rocketmq.push-consumer"] {
        compare(judge, consumer, &SAME, |key, mine, theirs| {
            Say::new(
                format!("the same group subscribes to {key} `{mine}` here and `{theirs}` there"),
                "one subscription counts for the group",
                "The broker keeps one subscription for each group. What it filters out for one member is delivered to nobody.",
                "a group of its own for each application",
            )
        });
    }
}

/// Tells every key in which another application of the same group says something else. Each pair is told once, at the later file.
pub(in crate::audit::rules) fn compare(
    judge: &mut Judge<'_>,
    consumer: &str,
    keys: &[&str],
    say: impl Fn(&str, &str, &str) -> Say,
) {
    let unit = judge.unit;
    let text = |u: &crate::audit::fact::Unit, key: &str| {
        u.live(&format!("{consumer}.{key}"))
            .and_then(|f| f.value.text())
            .map(|v| v.trim().to_owned())
            .filter(|v| !crate::audit::resolve::is_placeholder(v))
    };
    let Some(group) = text(unit, "group") else { return };
    let others: Vec<_> = judge
        .beside(Role::Application)
        .filter(|u| u.file < unit.file && text(u, "group").as_ref() == Some(&group))
        .collect();
    for key in keys {
        let Some((fact, mine)) = unit.live(&format!("{consumer}.{key}")).zip(text(unit, key)) else {
            continue;
        };
        let other = others.iter().find_map(|u| {
            let theirs = text(u, key).filter(|t| *t != mine)?;
            Some((u.live(&format!("{consumer}.{key}"))?, theirs))
        });
        if let Some((there, theirs)) = other {
            let at = judge
                .at_fact(fact)
                .related(&there.place, "the same group says something else here");
            judge.hit(at, say(key, &mine, &theirs));
        }
    }
}
