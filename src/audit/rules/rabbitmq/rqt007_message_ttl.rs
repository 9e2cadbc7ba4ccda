//! RQT007: a time to live without a dead letter exchange.

use super::topology::{ELSEWHERE, Found, Kind, Topology, is_short_lived};
use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::resolve::is_placeholder;
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A queue with `message-ttl`, by argument or policy, and without a dead letter exchange. A policy that no declared queue has is
    /// judged by itself, one step lower.
    ///
    /// # How messages are lost
    /// The consumer is down for longer than this: every message that waited is deleted when it comes to the head of the queue,
    /// confirmed or not.
    ///
    /// # Instead
    /// A dead letter exchange, or no time to live.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true,
    ///       "arguments": { "x-message-ttl": 60000 } }
    ///   ]
    /// }
    /// ```
    /// `definitions.json`, clean:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true,
    ///       "arguments": { "x-message-ttl": 60000, "x-dead-letter-exchange": "dlx" } }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ `ttl.md`; of an argument and a policy the lower one counts.
    pub(crate) static RULE = {
        code: "RQT007",
        name: "expiring-queue",
        title: "Messages expire in the queue and are deleted",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let topology = Topology::new(judge);
    for queue in unit.subjects_of(Layer::Queue) {
        if topology.kind(unit, queue).0 == Kind::Stream || is_short_lived(unit, queue) {
            continue;
        }
        let Found::Set(ttl) = topology.of(unit, queue, "message-ttl") else {
            continue;
        };
        // What the queue itself is given is found all the same, one step lower: a policy may name an exchange.
        let mut mended = false;
        match topology.of(unit, queue, "dead-letter-exchange") {
            Found::Set(_) => continue,
            Found::Unknown(ELSEWHERE) => mended = true,
            Found::Unknown(why) => {
                judge.undecided(why);
                continue;
            }
            Found::Absent => {}
        }
        let at = judge.at_fact(ttl.fact).of(queue).inferred(mended);
        judge.hit(
            at,
            Say::new(
                format!("messages in queue `{}` are deleted after {} ms", queue.name, ttl.value),
                if mended {
                    "and nowhere to go, unless a policy says so"
                } else {
                    "and nowhere to go"
                },
                "The consumer is down for longer than this: every message that waited is deleted, confirmed or not.",
                "a dead letter exchange, or no message-ttl",
            ),
        );
    }
    for policy in topology.policies_without_queues(unit) {
        let Some(ttl) = unit.of(policy, "definition.message-ttl") else {
            continue;
        };
        let has_exchange = unit.of(policy, "definition.dead-letter-exchange").is_some();
        if has_exchange || ttl.value.text().is_none_or(is_placeholder) {
            continue;
        }
        let at = judge.at_fact(ttl).of(policy).inferred(true);
        judge.hit(
            at,
            Say::new(
                format!(
                    "messages in queues with policy `{}` are deleted after {} ms",
                    policy.name,
                    ttl.value.show()
                ),
                "and nowhere to go, unless a queue names a dead letter exchange itself",
                "The consumer is down for longer than this: every message that waited is deleted, confirmed or not.",
                "a dead letter exchange, or no message-ttl",
            ),
        );
    }
}
