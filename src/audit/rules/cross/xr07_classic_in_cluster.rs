//! X-R07: a classic queue where there are several nodes.

use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::is_true;
use crate::audit::rules::rabbitmq::is_durable_queue;
use crate::audit::rules::rabbitmq::topology::{Kind, Topology, is_short_lived};
use crate::audit::stated::Release;

rule! {
    /// # What it finds
    /// A classic queue that a policy with `ha-mode` matches, on 4.0 and later or where the release is not known; a classic queue
    /// beside a cluster of three nodes or more, unless it is on 3.x and mirrored.
    ///
    /// # How messages are lost
    /// An upgrade from 3.13 to 4.x turns a mirrored queue into one with a single copy, without an error. A cluster does not replicate
    /// classic queues: each lives on one node.
    ///
    /// # Instead
    /// Quorum queues, before the upgrade.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true }
    ///   ],
    ///   "policies": [
    ///     { "name": "ha-all", "vhost": "/", "pattern": ".*", "apply-to": "queues", "priority": 0,
    ///       "definition": { "ha-mode": "all" } }
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
    ///       "arguments": { "x-queue-type": "quorum" } }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ release notes of 4.0.1, `clustering.md`.
    pub(crate) static RULE = {
        code: "X-R07",
        name: "classic-queue-in-a-cluster",
        title: "A queue is believed to be mirrored, or to be replicated by the cluster",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let topology = Topology::new(judge);
    let release = judge.release();
    let mirrors = release.is_some_and(|r| r < Release(4, 0, 0));
    let cluster = judge.near(Role::RabbitNode).find_map(|u| {
        let fact = u.surrounding("replicas").next()?;
        fact.value
            .text()?
            .trim()
            .parse::<i64>()
            .ok()
            .filter(|n| *n >= 3)
            .map(|_| fact)
    });
    for queue in unit.subjects_of(Layer::Queue) {
        let (kind, told) = topology.kind(unit, queue);
        let short = is_short_lived(unit, queue) || unit.of(queue, "auto_delete").is_some_and(is_true);
        if kind != Kind::Classic || short || !is_durable_queue(unit, queue) {
            continue;
        }
        let mirroring = topology.mirroring(queue);
        // On 3.x it is replicated: how well is RQT003's matter.
        if mirrors && mirroring.is_some() {
            continue;
        }
        let at = match told {
            Some(fact) => judge.at_fact(fact).of(queue),
            None => judge.at_subject(queue, "arguments.x-queue-type"),
        };
        let (at, headline) = match (mirroring, cluster) {
            (Some(ha), _) => (
                at.related(&ha.place, "has no effect from 4.0 on")
                    .inferred(release.is_none()),
                format!(
                    "queue `{}` is mirrored by policy, which does nothing from 4.0 on",
                    queue.name
                ),
            ),
            (None, Some(nodes)) => (
                at.related(&nodes.place, "a cluster").inferred(told.is_none()),
                format!("queue `{}` is on one node of the cluster", queue.name),
            ),
            (None, None) => continue,
        };
        judge.hit(
            at,
            Say::new(
                headline,
                "one copy",
                "An upgrade to 4.x turns a mirrored queue into one with a single copy, without an error; and a cluster does not replicate \
                 classic queues. With the node's disk everything in the queue is lost.",
                "x-queue-type: quorum, before the upgrade",
            ),
        );
    }
}
