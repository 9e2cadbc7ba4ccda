//! X-R02: one link of three that is transient.

use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role;
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::rabbitmq::is_durable_queue;
use crate::audit::rules::rabbitmq::topology::{Kind, Topology, is_short_lived};
use crate::audit::rules::{is_false, named};

rule! {
    /// # What it finds
    /// A queue that is not durable bound to an exchange that is; a publisher of the run that sends transient messages beside durable
    /// classic queues.
    ///
    /// # How messages are lost
    /// All three must survive a restart. A transient queue loses persistent messages with itself; a durable classic queue discards
    /// transient ones.
    ///
    /// # Instead
    /// Durable queue, durable exchange, delivery mode 2.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "exchanges": [
    ///     { "name": "shop", "vhost": "/", "type": "topic", "durable": true }
    ///   ],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": false }
    ///   ],
    ///   "bindings": [
    ///     { "source": "shop", "vhost": "/", "destination": "orders", "destination_type": "queue", "routing_key": "order.#" }
    ///   ]
    /// }
    /// ```
    /// `definitions.json`, clean:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "exchanges": [
    ///     { "name": "shop", "vhost": "/", "type": "topic", "durable": true }
    ///   ],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true }
    ///   ],
    ///   "bindings": [
    ///     { "source": "shop", "vhost": "/", "destination": "orders", "destination_type": "queue", "routing_key": "order.#" }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ `queues.md`, `rabbit_basic`.
    pub(crate) static RULE = {
        code: "X-R02",
        name: "broken-durability-chain",
        title: "Message, queue and exchange do not all survive a restart",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RabbitTopology, Role::Application],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    const FIX: &str = "a durable queue, a durable exchange, and delivery mode 2 (persistent)";
    let unit = judge.unit;
    let topology = Topology::new(judge);
    if role::is(unit, Role::RabbitTopology) {
        for binding in unit.subjects_of(Layer::Binding) {
            let Some(to) = unit.of(binding, "destination").and_then(|f| f.value.text()) else {
                continue;
            };
            let vhost = binding.vhost.as_deref();
            let (Some((queue_unit, queue)), Some((source_unit, source))) = (
                topology.queue((vhost, to)),
                topology.exchange((vhost, binding.name.as_str())),
            ) else {
                continue;
            };
            let exchange_lasts = !source_unit.of(source, "durable").is_some_and(is_false);
            let Some(durable) = queue_unit.of(queue, "durable").filter(|f| is_false(f)) else {
                continue;
            };
            if !exchange_lasts || is_durable_queue(queue_unit, queue) || is_short_lived(queue_unit, queue) {
                continue;
            }
            let at = judge
                .at_fact(durable)
                .of(queue)
                .related(&source.place, "the exchange survives a restart");
            judge.hit(
                at,
                Say::new(
                    format!("durable exchange `{}` feeds queue `{}`, which a restart deletes", source.name, queue.name),
                    "one link of three",
                    "The queue is deleted with everything in it, persistent messages too, and what the exchange gets afterwards routes \
                     nowhere.",
                    FIX,
                ),
            );
        }
        return;
    }
    let transient = |v: &str| v.trim().to_lowercase().replace('-', "_") == "non_persistent";
    for fact in
        named(unit, "spring.cloud.stream.rabbit.", ".delivery-mode").filter(|f| f.value.text().is_some_and(transient))
    {
        let classic = topology
            .queues()
            .filter(|(u, q)| is_durable_queue(u, q) && topology.kind(u, q).0 == Kind::Classic);
        // The first by name, so that the answer does not depend on the order of a map.
        let Some((_, queue)) = classic.min_by_key(|(_, q)| &q.name) else {
            continue;
        };
        let at = judge
            .at_fact(fact)
            .related(&queue.place, "a durable queue that discards transient messages");
        judge.hit(
            at,
            Say::new(
                format!("transient messages are published beside durable queue `{}`", queue.name),
                "one link of three",
                "The queue survives a restart of its node, and the messages in it do not.",
                FIX,
            ),
        );
    }
}
