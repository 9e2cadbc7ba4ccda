//! RMP004: the opt-out of a single message.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::{is_false, named};

rule! {
    /// # What it finds
    /// `wait-store-msg-ok` false where a configuration says so. In code it is `Message.setWaitStoreMsgOK(false)`, the property
    /// `WAIT`.
    ///
    /// # How messages are lost
    /// The broker answers without waiting for the flush or for the slave, however synchronous it is configured.
    ///
    /// # Instead
    /// Leave it true.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.producer.group=orders
    /// rocketmq.producer.wait-store-msg-ok=false
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// rocketmq.name-server=mq:9876
    /// rocketmq.producer.group=orders
    /// rocketmq.producer.wait-store-msg-ok=true
    /// ```
    ///
    /// # Source
    /// RocketMQ `Message`, `CommitLog.needHandleHA`: true.
    pub(crate) static RULE = {
        code: "RMP004",
        name: "not-waiting-for-store",
        title: "A message asks not to wait for its copies",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: &[Role::Application],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for fact in named(unit, "", "wait-store-msg-ok").filter(|f| is_false(f)) {
        let at = judge.at_fact(fact);
        judge.hit(
            at,
            Say::new(
                "messages ask not to wait for flush and slave",
                "acknowledged at once",
                "The broker answers before the message is on disk or at the slave, however synchronous it is configured.",
                "leave it true",
            ),
        );
    }
}
