//! RMP003: producers that try once, or not for long.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::named;

rule! {
    /// # What it finds
    /// `retry-times-when-send-failed` or `retry-times-when-send-async-failed` of 0, `max-attempts` of 1, `send-message-timeout` below
    /// 3000 milliseconds.
    ///
    /// # How messages are lost
    /// A broker restarts and the send fails for good. Retries only help within the time-out, which counts for all of them together.
    ///
    /// # Instead
    /// Two or more, 5000 milliseconds or more, and a local copy until it is stored.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.producer.group=orders
    /// rocketmq.producer.retry-times-when-send-failed=0
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.producer.group=orders
    /// rocketmq.producer.retry-times-when-send-failed=2
    /// ```
    ///
    /// # Source
    /// RocketMQ `DefaultMQProducer`: 2, 2, 3000 ms; rocketmq-clients `ProducerBuilder`: 3 attempts.
    pub(crate) static RULE = {
        code: "RMP003",
        name: "rocketmq-few-retries",
        title: "One restart of a broker fails the send",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: &[Role::Application],
        check: check,
    };
}

/// End of the key, the least that is enough, and what less means.
const LEAST: [(&str, i64, &str); 5] = [
    ("retry-times-when-send-failed", 1, "the first failure is final"),
    (
        "retry-times-when-send-async-failed",
        1,
        "the first failure of an asynchronous send is final",
    ),
    ("max-attempts", 2, "the first failure is final"),
    ("send-message-timeout", 3000, "over before another attempt can be made"),
    ("send-msg-timeout", 3000, "over before another attempt can be made"),
];

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for (key, least, meaning) in LEAST {
        let spring = named(unit, "rocketmq.producer.", key);
        for fact in spring.chain(named(unit, "spring.cloud.stream.rocketmq.", key)) {
            let Some(n) = fact.value.text().and_then(|v| v.trim().parse::<i64>().ok()) else {
                continue;
            };
            if n >= least {
                continue;
            }
            let at = judge.at_fact(fact);
            judge.hit(
                at,
                Say::new(
                    format!("{key} is {n}: {meaning}"),
                    "gives up too soon",
                    "A broker restarts, or its queue is busy, and the send fails for good. The message is lost unless the application keeps \
                     it.",
                    "two retries or more within 5000 ms or more, and a local copy until it is stored",
                ),
            );
        }
    }
}
