//! RMC005: automatic commits of a lite pull consumer.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::{is_true, named};

rule! {
    /// # What it finds
    /// `auto-commit` true for a RocketMQ pull consumer, where a configuration says so.
    ///
    /// # How messages are lost
    /// The next poll commits what was handed out before, done or not: work that was given to other threads is skipped after a crash.
    ///
    /// # Instead
    /// `auto-commit` false, and `commitSync` after the work.
    ///
    /// # Example
    /// With `--profile finance`.
    /// `application.properties`, found:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.pull-consumer.group=billing
    /// rocketmq.pull-consumer.auto-commit=true
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.pull-consumer.group=billing
    /// rocketmq.pull-consumer.auto-commit=false
    /// ```
    ///
    /// # Source
    /// RocketMQ `DefaultLitePullConsumerImpl`: true, every 5000 ms.
    pub(crate) static RULE = {
        code: "RMC005",
        name: "lite-pull-auto-commit",
        title: "Positions of a pull consumer are committed before the work is done",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: &[Role::Application],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for fact in named(unit, "rocketmq.", ".auto-commit").filter(|f| is_true(f)) {
        let at = judge.at_fact(fact);
        judge.hit(
            at,
            Say::new(
                "positions are committed by the next poll",
                "done or not",
                "The next poll commits what was handed out before. Work that was given to other threads is skipped after a crash.",
                "auto-commit=false, and commitSync after the work",
            ),
        );
    }
}
