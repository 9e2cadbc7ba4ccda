//! RMT001: topics that come into being by being named.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `autoCreateTopicEnable=true`, also by default, which is told one step lower.
    ///
    /// # How messages are lost
    /// The first send creates the topic on the brokers that received it, with four queues: when one of them is down the topic is
    /// away. A misspelt topic collects what nobody reads.
    ///
    /// # Instead
    /// `autoCreateTopicEnable=false`, and `mqadmin updateTopic -c` for the whole cluster.
    ///
    /// # Example
    /// `broker.conf`, found:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// autoCreateTopicEnable = true
    /// ```
    /// `broker.conf`, clean:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// autoCreateTopicEnable = false
    /// ```
    ///
    /// # Source
    /// RocketMQ `BrokerConfig`, `TopicConfigManager`: true.
    pub(crate) static RULE = {
        code: "RMT001",
        name: "rocketmq-auto-created-topics",
        title: "A misspelt topic is created on whichever broker hears of it first",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RocketBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let create = judge.setting("autoCreateTopicEnable");
    let absent = create.given.is_none() && create.ineffective.is_none();
    let slave = judge.quiet("brokerRole").as_deref() == Some("SLAVE");
    if slave || absent && judge.unit.fragment.is_some() || create.value.as_deref() != Ok("true") {
        return;
    }
    let at = judge.at(&create).inferred(absent);
    judge.hit(
        at,
        Say::new(
            match absent {
                true => "autoCreateTopicEnable is not set, and the default is true",
                false => "topics are created by being named",
            },
            "on the broker that hears of it first",
            "The first send creates the topic on the brokers that received it: when one of them is down the topic is away. A misspelt topic \
             collects what nobody reads.",
            "autoCreateTopicEnable=false, and mqadmin updateTopic -c for the whole cluster",
        ),
    );
}
