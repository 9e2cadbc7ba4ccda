//! X-R01: refusals that nobody hears.

use super::unconfirmed;
use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::rabbitmq::topology::{Found, Topology};

rule! {
    /// # What it finds
    /// A queue with `overflow: reject-publish` beside an application of the run that publishes without confirms.
    ///
    /// # How messages are lost
    /// The queue is full and refuses the newest messages with a nack. A publisher without confirms never hears it: they vanish
    /// without a word.
    ///
    /// # Instead
    /// `publisher-confirm-type: correlated`, and a resend.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.publisher-confirm-type=none
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.publisher-confirm-type=correlated
    /// ```
    /// `definitions.json`, beside it:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true,
    ///       "arguments": { "x-max-length": 1000, "x-overflow": "reject-publish" } }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ `maxlength.md`, `confirms.md`.
    pub(crate) static RULE = {
        code: "X-R01",
        name: "refused-without-confirms",
        title: "A full queue refuses messages, and the publisher does not listen",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let Some((publisher, certain)) = judge.near(Role::Application).find_map(unconfirmed) else {
        return;
    };
    let topology = Topology::new(judge);
    for queue in unit.subjects_of(Layer::Queue) {
        let Found::Set(overflow) = topology.of(unit, queue, "overflow") else {
            continue;
        };
        if !overflow.value.starts_with("reject-publish") {
            continue;
        }
        let at = judge
            .at_fact(overflow.fact)
            .of(queue)
            .related(&publisher, "publishes without confirms")
            .inferred(!certain);
        judge.hit(
            at,
            Say::new(
                format!("queue `{}` refuses messages when it is full, and a publisher does not listen", queue.name),
                "a nack that nobody hears",
                "The queue is full and refuses the newest messages. A publisher without confirms never hears it: they vanish without a word.",
                "publisher-confirm-type: correlated, and a resend",
            ),
        );
    }
}
