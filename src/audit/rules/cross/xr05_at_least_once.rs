//! X-R05: a strategy that lacks what it needs.

use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::rabbitmq::topology::{Found, Kind, Topology};

rule! {
    /// # What it finds
    /// A quorum queue with `dead-letter-strategy: at-least-once` whose effective `overflow` is not `reject-publish`; on quorum queues
    /// a policy's overflow beats the argument's.
    ///
    /// # How messages are lost
    /// The server writes a line to its log and moves dead letters at most once: without confirms, and lost when the target is away.
    ///
    /// # Instead
    /// `overflow: reject-publish`, in the place that counts, and a `max-length`.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true,
    ///       "arguments": { "x-queue-type": "quorum", "x-dead-letter-exchange": "dlx",
    ///         "x-dead-letter-strategy": "at-least-once" } }
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
    ///       "arguments": { "x-queue-type": "quorum", "x-dead-letter-exchange": "dlx",
    ///         "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish" } }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ `rabbit_quorum_queue:dlh/5`, `quorum-queues.md`.
    pub(crate) static RULE = {
        code: "X-R05",
        name: "silently-at-most-once",
        title: "At-least-once dead-lettering falls back to at-most-once",
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
        let Found::Set(strategy) = topology.of(unit, queue, "dead-letter-strategy") else {
            continue;
        };
        if topology.kind(unit, queue).0 != Kind::Quorum || strategy.value != "at-least-once" {
            continue;
        }
        let mut at = judge.at_fact(strategy.fact).of(queue);
        match topology.of(unit, queue, "overflow") {
            Found::Set(overflow) if overflow.value == "reject-publish" => continue,
            Found::Set(overflow) => at = at.related(&overflow.fact.place, "the overflow that counts"),
            Found::Absent => {}
            Found::Unknown(why) => {
                judge.undecided(why);
                continue;
            }
        }
        judge.hit(
            at,
            Say::new(
                format!("dead letters of quorum queue `{}` are moved at most once after all", queue.name),
                "needs overflow: reject-publish",
                "Without reject-publish the server writes a line to its log and moves dead letters without confirms: lost when the target is \
                 away.",
                "overflow: reject-publish and a max-length, in the policy where a policy sets the overflow",
            ),
        );
    }
}
