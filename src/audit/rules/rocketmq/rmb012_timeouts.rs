//! RMB012: a time-out of the producer below the broker's.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::named;

rule! {
    /// # What it finds
    /// `rocketmq.producer.send-message-timeout` (or `send-msg-timeout` of a binding), 3000 by default, below the `syncFlushTimeout`
    /// (5000) of a broker of the run that flushes synchronously, or not above the `slaveTimeout` (3000) of one that waits for a
    /// slave.
    ///
    /// # How messages are lost
    /// The client gives up first and sends again: duplicates, and the caller cannot tell a slow disk from a network fault.
    ///
    /// # Instead
    /// 6000 milliseconds or more at the client.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.producer.group=orders
    /// rocketmq.producer.send-message-timeout=3000
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.producer.group=orders
    /// rocketmq.producer.send-message-timeout=6000
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
    /// RocketMQ `MessageStoreConfig`: 5000 and 3000; `DefaultMQProducer`: 3000.
    pub(crate) static RULE = {
        code: "RMB012",
        name: "client-gives-up-first",
        title: "The client gives up before the broker does",
        evidence: &[Evidence::File],
        variants: &[],
        applies: &[Role::Application],
        check: check,
    };
}

/// What the client waits for unless it is told otherwise, in milliseconds.
const CLIENT_MS: i64 = 3000;

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let written = named(unit, "rocketmq.producer.", "send-message-timeout")
        .chain(named(unit, "spring.cloud.stream.rocketmq.", ".send-msg-timeout"))
        .next();
    let Some(fact) = written.or_else(|| named(unit, "rocketmq.producer.", "group").next()) else {
        return;
    };
    let ms = match written {
        Some(fact) => match fact.value.text().and_then(|v| v.trim().parse().ok()) {
            Some(ms) => ms,
            None => return,
        },
        None => CLIENT_MS,
    };
    for broker in judge.near(Role::RocketBroker) {
        let number = |key| {
            judge
                .setting_of(broker, key)
                .value
                .ok()
                .and_then(|v| v.parse::<i64>().ok())
                .unwrap_or(0)
        };
        let says = |key, value: &str| judge.setting_of(broker, key).value.as_deref() == Ok(value);
        let (key, limit) = if says("flushDiskType", "SYNC_FLUSH") {
            ("syncFlushTimeout", number("syncFlushTimeout"))
        } else if says("brokerRole", "SYNC_MASTER") {
            ("slaveTimeout", number("slaveTimeout"))
        } else {
            continue;
        };
        if ms > limit {
            continue;
        }
        let at = judge
            .at_fact(fact)
            .related(&broker.top(), format!("waits for {limit} ms ({key})"));
        judge.hit(
            at,
            Say::new(
                format!("the client waits for {ms} ms, the broker for {limit} ({key})"),
                "gives up first",
                "The client gives up while the broker still writes, and sends again: duplicates, and nobody can tell a slow disk from a \
                 network fault.",
                "send-message-timeout of 6000 or more",
            ),
        );
        return;
    }
}
