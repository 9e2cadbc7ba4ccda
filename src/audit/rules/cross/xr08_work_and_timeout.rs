//! X-R08: queues that take back what is still worked on.

use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::rabbitmq::topology::{Found, Kind, Topology};
use crate::audit::stated::Release;

rule! {
    /// # What it finds
    /// A queue whose `consumer-timeout`, by argument or policy, is below the profile's `work_ms`: how long a handler may work on one
    /// message. RQB005 looks at what a node says for all queues.
    ///
    /// # How messages are lost
    /// The channel is closed and the message redelivered: the work is done twice, and a delivery limit may end it deleted. Queues have
    /// a timeout of their own from 3.12 on; from 4.3 on only quorum queues are watched.
    ///
    /// # Instead
    /// A `consumer-timeout` for the queue above its slowest handler.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true,
    ///       "arguments": { "x-queue-type": "quorum", "x-consumer-timeout": 10000 } }
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
    ///       "arguments": { "x-queue-type": "quorum", "x-consumer-timeout": 600000 } }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ release notes of 3.12.0 and 4.3.0, `consumers.md`.
    pub(crate) static RULE = {
        code: "X-R08",
        name: "work-longer-than-timeout",
        title: "Work takes longer than a delivery may",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let release = judge.release();
    // Before, only the node has one.
    if release.is_some_and(|r| r < Release(3, 12, 0)) {
        return;
    }
    let topology = Topology::new(judge);
    let only_quorum = release.is_some_and(|r| r >= Release(4, 3, 0));
    let work_ms = judge.profile.thresholds.work_ms;
    for queue in unit.subjects_of(Layer::Queue) {
        if only_quorum && topology.kind(unit, queue).0 != Kind::Quorum {
            continue;
        }
        // A queue without a timeout of its own has the node's.
        let Found::Set(limit) = topology.of(unit, queue, "consumer-timeout") else {
            continue;
        };
        let Some(limit_ms) = limit.value.trim().parse::<i64>().ok().filter(|ms| *ms < work_ms) else {
            continue;
        };
        let at = judge.at_fact(limit.fact).of(queue);
        judge.hit(
            at,
            Say::new(
                format!("queue `{}` takes back what is not acknowledged within {limit_ms} ms", queue.name),
                "done twice",
                "The channel is closed and the message redelivered: the work is done twice, and a delivery limit may end it deleted.",
                format!("a consumer-timeout above the slowest handler, and not below {work_ms}"),
            ),
        );
    }
}
