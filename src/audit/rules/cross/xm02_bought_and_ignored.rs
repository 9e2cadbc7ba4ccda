//! X-M02: a synchronous broker with a client that ignores its answer.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::{is_false, named};

rule! {
    /// # What it finds
    /// A broker of the run with `SYNC_FLUSH` or `SYNC_MASTER`, beside an application that sends one way, asks messages not to wait,
    /// or has `retry-next-server` false.
    ///
    /// # How messages are lost
    /// The broker waited for the disk or the slave and tells in the status that it was in vain. The client returns that as a success,
    /// or did not wait at all.
    ///
    /// # Instead
    /// A synchronous send, a look at the status, `retry-next-server: true`.
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
    /// `broker.conf`, beside it:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// flushDiskType = SYNC_FLUSH
    /// ```
    ///
    /// # Source
    /// RocketMQ `DefaultMQProducerImpl.sendDefaultImpl`, `Message.isWaitStoreMsgOK`.
    pub(crate) static RULE = {
        code: "X-M02",
        name: "synchronous-and-ignored",
        title: "The broker waits for disk or slave, and the client does not look",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::Application],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let one_way = |v: &str| v.trim().replace(['_', '-'], "").eq_ignore_ascii_case("oneway");
    let ignores = named(unit, "rocketmq.producer.", "retry-next-server")
        .chain(named(unit, "spring.cloud.stream.rocketmq.", ".retry-another-broker"))
        .chain(named(unit, "", "wait-store-msg-ok"))
        .find(|f| is_false(f))
        .or_else(|| {
            named(unit, "spring.cloud.stream.rocketmq.", ".send-type").find(|f| f.value.text().is_some_and(one_way))
        });
    let Some(fact) = ignores else { return };
    let waits = judge.near(Role::RocketBroker).find_map(|u| {
        let says = |key: &'static str, value: &str| {
            judge
                .setting_of(u, key)
                .given
                .filter(|_| judge.setting_of(u, key).value.as_deref() == Ok(value))
        };
        says("flushDiskType", "SYNC_FLUSH").or_else(|| says("brokerRole", "SYNC_MASTER"))
    });
    let Some(waits) = waits else { return };
    let at = judge.at_fact(fact).related(&waits.place, "the broker waits");
    judge.hit(
        at,
        Say::new(
            "the broker waits for disk or slave, and the client does not look",
            "the answer is not used",
            "The broker waited and tells in the status that it was in vain. The client returns that as a success, or did not wait at all.",
            "a synchronous send, a comparison of the status with SEND_OK, and retry-next-server: true",
        ),
    );
}
