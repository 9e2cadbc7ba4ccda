//! RMP001: one-way sends.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::named;

rule! {
    /// # What it finds
    /// Spring Cloud Stream's `producer.send-type: OneWay`. In code it is `sendOneway`.
    ///
    /// # How messages are lost
    /// The message is written to the socket and forgotten: whatever goes wrong at the broker, nobody hears of it.
    ///
    /// # Instead
    /// `Sync` or `Async`, and a look at the result.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// spring.cloud.stream.rocketmq.binder.name-server=mq:9876
    /// spring.cloud.stream.rocketmq.bindings.orders-out-0.producer.send-type=OneWay
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// spring.cloud.stream.rocketmq.binder.name-server=mq:9876
    /// spring.cloud.stream.rocketmq.bindings.orders-out-0.producer.send-type=Sync
    /// ```
    ///
    /// # Source
    /// Spring Cloud Alibaba `RocketMQProducerProperties.SendType`: Sync; RocketMQ `DefaultMQProducer.sendOneway`.
    pub(crate) static RULE = {
        code: "RMP001",
        name: "one-way-send",
        title: "Nothing is awaited after a send",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: &[Role::Application],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let one_way = |v: &str| v.trim().replace(['_', '-'], "").eq_ignore_ascii_case("oneway");
    for fact in
        named(unit, "spring.cloud.stream.rocketmq.", ".send-type").filter(|f| f.value.text().is_some_and(one_way))
    {
        let at = judge.at_fact(fact);
        judge.hit(
            at,
            Say::new(
                "nothing is awaited after a send",
                "nobody hears of an error",
                "The message is written to the socket and forgotten. Whatever goes wrong at the broker, nobody hears of it.",
                "send-type: Sync, and a look at the result",
            ),
        );
    }
}
