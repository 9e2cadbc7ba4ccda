//! RMP002: weak statuses that are returned and not thrown.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::{is_false, named};

rule! {
    /// # What it finds
    /// `rocketmq.producer.retry-next-server` (or `retry-another-broker` of a binding) false, or absent beside a producer group
    /// (`RMP002/by-default`). The binder of Spring Cloud Alibaba and the gRPC client (`rocketmq.producer.endpoints`) turn a weak
    /// status into an error.
    ///
    /// # How messages are lost
    /// The remoting client returns `FLUSH_DISK_TIMEOUT`, `FLUSH_SLAVE_TIMEOUT` and `SLAVE_NOT_AVAILABLE` without an exception. Code
    /// that only catches exceptions takes them for stored.
    ///
    /// # Instead
    /// Compare `SendResult.getSendStatus()` with `SEND_OK`; `retry-next-server: true` tries another broker, at the price of
    /// duplicates.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.producer.group=orders
    /// rocketmq.producer.retry-next-server=false
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.producer.group=orders
    /// rocketmq.producer.retry-next-server=true
    /// ```
    ///
    /// # Source
    /// RocketMQ `DefaultMQProducerImpl.sendDefaultImpl`, `SendMessageProcessor`: false; rocketmq-clients `StatusChecker`.
    pub(crate) static RULE = {
        code: "RMP002",
        name: "unchecked-send-status",
        title: "A send that was not stored safely counts as a success",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &["by-default"],
        applies: &[Role::Application],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let retry = unit
        .live("rocketmq.producer.retry-next-server")
        .or_else(|| named(unit, "spring.cloud.stream.rocketmq.", ".retry-another-broker").next());
    let grpc = unit.live("rocketmq.producer.endpoints").is_some();
    let group = unit
        .live("rocketmq.producer.group")
        .filter(|_| !grpc && unit.fragment.is_none());
    let (at, by_default) = match (retry, group) {
        (Some(fact), _) if is_false(fact) => (judge.at_fact(fact), false),
        (None, Some(group)) => (judge.at_fact(group), true),
        _ => return,
    };
    judge.hit_as(
        by_default.then_some("by-default"),
        at,
        Say::new(
            match by_default {
                true => "retry-next-server is not set: a weak status is returned as a success",
                false => "a weak status is returned as a success",
            },
            "no exception is thrown",
            "The client returns FLUSH_DISK_TIMEOUT, FLUSH_SLAVE_TIMEOUT and SLAVE_NOT_AVAILABLE without an exception. Code that only \
             catches exceptions takes them for stored.",
            "compare the send status with SEND_OK; retry-next-server: true tries another broker, at the price of duplicates",
        ),
    );
}
