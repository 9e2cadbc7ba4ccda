//! RQP004: an expiration in the message itself.

use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A shovel whose publish properties set `expiration`; Spring Cloud Stream's `producer.ttl`-like properties are the queue's and
    /// belong to RQT007. In applications the property is set in code.
    ///
    /// # How messages are lost
    /// The message expires in the queue and is discarded, unless the queue has a dead letter exchange. `0` means: dropped unless
    /// somebody takes it at once.
    ///
    /// # Instead
    /// Leave it out, or give the queue a dead letter exchange.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "parameters": [
    ///     {
    ///       "component": "shovel", "vhost": "/", "name": "to-dc2",
    ///       "value": { "src-uri": "amqp://", "src-queue": "orders", "dest-uri": "amqp://dc2", "dest-queue": "orders", "dest-publish-properties": { "expiration": "60000" } }
    ///     }
    ///   ]
    /// }
    /// ```
    /// `definitions.json`, clean:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "parameters": [
    ///     {
    ///       "component": "shovel", "vhost": "/", "name": "to-dc2",
    ///       "value": { "src-uri": "amqp://", "src-queue": "orders", "dest-uri": "amqp://dc2", "dest-queue": "orders", "dest-publish-properties": { "delivery_mode": 2 } }
    ///     }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ `ttl.md`.
    pub(crate) static RULE = {
        code: "RQP004",
        name: "expiring-messages",
        title: "Messages carry a time after which they are discarded",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: &[Role::RabbitTopology, Role::Application],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for shovel in unit.subjects_of(Layer::Shovel) {
        for fact in unit
            .facts_of(shovel)
            .iter()
            .filter(|f| f.key.ends_with("properties.expiration"))
        {
            let at = judge.at_fact(fact).of(shovel);
            judge.hit(
                at,
                Say::new(
                    format!("every message that the shovel moves expires after {} ms", fact.value.show()),
                    "discarded unless the queue has a dead letter exchange",
                    "The message waits in the destination longer than this, because its consumer is down, and is discarded.",
                    "remove the expiration, or give the destination queue a dead letter exchange",
                ),
            );
        }
    }
}
