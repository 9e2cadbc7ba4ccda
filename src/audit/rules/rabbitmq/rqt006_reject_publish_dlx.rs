//! RQT006: an overflow that the queue's type has not.

use super::topology::{Found, Kind, Topology};
use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A quorum queue whose `overflow` is `reject-publish-dlx`, by argument or policy.
    ///
    /// # How messages are lost
    /// The server writes a warning to its log and uses `drop-head`: the oldest messages are pushed out, exactly what the author
    /// wanted to avoid.
    ///
    /// # Instead
    /// `reject-publish`.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true,
    ///       "arguments": { "x-queue-type": "quorum", "x-overflow": "reject-publish-dlx" } }
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
    ///       "arguments": { "x-queue-type": "quorum", "x-overflow": "reject-publish" } }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ `rabbit_quorum_queue:overflow/3`, 3.10 to 4.3.
    pub(crate) static RULE = {
        code: "RQT006",
        name: "reject-publish-dlx-on-quorum",
        title: "A quorum queue does not know reject-publish-dlx, and drops instead",
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
        let Found::Set(overflow) = topology.of(unit, queue, "overflow") else {
            continue;
        };
        if topology.kind(unit, queue).0 != Kind::Quorum || overflow.value != "reject-publish-dlx" {
            continue;
        }
        let at = judge.at_fact(overflow.fact).of(queue).safe("reject-publish");
        judge.hit(
            at,
            Say::new(
                format!(
                    "quorum queue `{}` drops its oldest messages instead of refusing new ones",
                    queue.name
                ),
                "a quorum queue has no reject-publish-dlx",
                "The server writes a warning to its log and uses drop-head: confirmed messages are pushed out.",
                "overflow: reject-publish, with publisher confirms",
            ),
        );
    }
}
