//! RQC003: a prefetch that is unlimited or very large.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::named;

rule! {
    /// # What it finds
    /// A `prefetch` of 0, which is unlimited, or above 250, Spring's default.
    ///
    /// # How messages are lost
    /// A crash redelivers the whole window, and on a quorum queue raises the count of every message in it: a few crashes reach the
    /// delivery limit for all of them together.
    ///
    /// # Instead
    /// 10 to 100.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.listener.simple.prefetch=0
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.listener.simple.prefetch=50
    /// ```
    ///
    /// # Source
    /// RabbitMQ `consumer-prefetch.md`; Spring AMQP: 250.
    pub(crate) static RULE = {
        code: "RQC003",
        name: "unbounded-prefetch",
        title: "One consumer holds too much at once",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &[],
        applies: &[Role::Application],
        check: check,
    };
}

/// What Spring hands out unless it is told otherwise.
const COMMON: i64 = 250;

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for fact in named(unit, "spring.rabbitmq.listener.", ".prefetch") {
        let Some(n) = fact.value.text().and_then(|v| v.trim().parse::<i64>().ok()) else {
            continue;
        };
        if n > 0 && n <= COMMON {
            continue;
        }
        let at = judge.at_fact(fact);
        judge.hit(
            at,
            Say::new(
                match n {
                    0 => "one consumer may hold the whole queue".to_owned(),
                    n => format!("one consumer may hold {n} messages"),
                },
                "all of them come back after a crash",
                "A crash redelivers the whole window, and on a quorum queue raises the count of every message in it towards the delivery \
                 limit.",
                "a prefetch of 10 to 100",
            ),
        );
    }
}
