//! RQT010: dead-lettering that may lose what it moves.

use super::topology::{Found, Kind, Topology};
use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A quorum queue with a dead letter exchange whose `dead-letter-strategy` is not `at-least-once`. X-R05 looks at what that
    /// strategy needs besides.
    ///
    /// # How messages are lost
    /// Dead letters are published again without confirms. When the target is away at that moment they are lost, and the source has
    /// deleted them. Classic queues know no other way.
    ///
    /// # Instead
    /// `dead-letter-strategy: at-least-once` together with `overflow: reject-publish` and a `max-length`.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true,
    ///       "arguments": { "x-queue-type": "quorum", "x-dead-letter-exchange": "dlx" } }
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
    /// RabbitMQ `rabbit_quorum_queue:dlh/5`, `quorum-queues.md`: at-most-once by default.
    pub(crate) static RULE = {
        code: "RQT010",
        name: "unconfirmed-dead-letters",
        title: "Dead letters are published without waiting for a confirm",
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
        if topology.kind(unit, queue).0 != Kind::Quorum {
            continue;
        }
        let Found::Set(exchange) = topology.of(unit, queue, "dead-letter-exchange") else {
            continue;
        };
        let fact = match topology.of(unit, queue, "dead-letter-strategy") {
            Found::Set(strategy) if strategy.value == "at-least-once" => continue,
            Found::Set(strategy) => strategy.fact,
            Found::Absent => exchange.fact,
            Found::Unknown(why) => {
                judge.undecided(why);
                continue;
            }
        };
        let at = judge.at_fact(fact).of(queue);
        judge.hit(
            at,
            Say::new(
                format!(
                    "dead letters of quorum queue `{}` are published without a confirm",
                    queue.name
                ),
                "at most once",
                "When the target is away at that moment they are lost, and the source has deleted them already.",
                "x-dead-letter-strategy: at-least-once with overflow: reject-publish and a max-length",
            ),
        );
    }
}
