//! RQT008: a queue that goes with its consumer or when it is idle.

use super::is_reserved;
use super::topology::{Found, Topology, is_short_lived};
use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::is_true;

rule! {
    /// # What it finds
    /// A queue with `auto_delete`, `exclusive` or `expires` that is not named by the broker and not meant for answers. A policy
    /// with `expires` that no declared queue has is judged by itself, one step lower.
    ///
    /// # How messages are lost
    /// The last consumer goes, for a deployment or a fault, and the queue is deleted with everything in it. What is published until
    /// it is declared again is unroutable. `expires` deletes the whole idle queue, and its messages are not dead-lettered.
    ///
    /// # Instead
    /// A queue that stays; expire messages if you must, not the queue.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true, "auto_delete": true }
    ///   ]
    /// }
    /// ```
    /// `definitions.json`, clean:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ `queues.md`, `dlx.md`, `ttl.md`.
    pub(crate) static RULE = {
        code: "RQT008",
        name: "vanishing-queue",
        title: "The queue deletes itself with what is in it",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &[],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let topology = Topology::new(judge);
    for queue in unit.subjects_of(Layer::Queue) {
        let exclusive = unit.of(queue, "exclusive").filter(|f| is_true(f));
        if is_reserved(&queue.name) || exclusive.is_none() && is_short_lived(unit, queue) {
            continue;
        }
        let deleted = unit.of(queue, "auto_delete").filter(|f| is_true(f));
        let found = match (deleted, exclusive, topology.of(unit, queue, "expires")) {
            (Some(fact), ..) => Some((fact, "when its last consumer goes")),
            (None, Some(fact), _) => Some((fact, "when the connection that declared it closes")),
            (None, None, Found::Set(expires)) => Some((expires.fact, "when nobody has used it for a while")),
            _ => None,
        };
        let Some((fact, when)) = found else { continue };
        let at = judge.at_fact(fact).of(queue);
        judge.hit(
            at,
            Say::new(
                format!("queue `{}` is deleted, with everything in it, {when}", queue.name),
                "not dead-lettered",
                "A deployment or a fault takes the consumer away, and the queue goes with what waits in it. What is published until it is \
                 declared again is dropped as unroutable.",
                "a queue that stays: no auto_delete, exclusive or expires",
            ),
        );
    }
    for policy in topology.policies_without_queues(unit) {
        let Some(expires) = unit.of(policy, "definition.expires") else {
            continue;
        };
        let at = judge.at_fact(expires).of(policy).inferred(true);
        judge.hit(
            at,
            Say::new(
                format!(
                    "queues with policy `{}` are deleted, with everything in them, when nobody has used them for a while",
                    policy.name
                ),
                "not dead-lettered",
                "A deployment or a fault takes the consumer away, and the queue goes with what waits in it. What is published until it is \
                 declared again is dropped as unroutable.",
                "no expires on queues that other services feed",
            ),
        );
    }
}
