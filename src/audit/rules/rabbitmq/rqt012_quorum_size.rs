//! RQT012: a quorum that one loss ends.

use super::topology::{Found, Kind, Topology};
use crate::audit::fact::{Fact, Layer};
use crate::audit::judge::At;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::terms::canonical::MEMBERS;

rule! {
    /// # What it finds
    /// `x-quorum-initial-group-size`, `target-group-size` or the node's `quorum_queue.initial_cluster_size` below 3 or even; a live
    /// queue with fewer than 3 `members`.
    ///
    /// # How messages are lost
    /// One member is one copy. Two have no majority when one is away: the queue stops. When a majority is lost for good the queue
    /// must be deleted with what is in it.
    ///
    /// # Instead
    /// 3, or 5; `quorum_queue.continuous_membership_reconciliation.enabled = true` for queues that are made while nodes are away.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true,
    ///       "arguments": { "x-queue-type": "quorum", "x-quorum-initial-group-size": 1 } }
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
    ///       "arguments": { "x-queue-type": "quorum", "x-quorum-initial-group-size": 3 } }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ `quorum-queues.md`: 3, or fewer where there are fewer nodes.
    pub(crate) static RULE = {
        code: "RQT012",
        name: "small-quorum",
        title: "A quorum queue has too few members, or an even number",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RabbitTopology, Role::RabbitNode],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    if let Some((setting, n)) = judge.written_int("quorum_queue.initial_cluster_size") {
        let at = judge.at(&setting);
        weigh(judge, at, n, "quorum queues");
    }
    if unit.subjects.is_empty() {
        return;
    }
    let topology = Topology::new(judge);
    for queue in unit.subjects_of(Layer::Queue) {
        if topology.kind(unit, queue).0 != Kind::Quorum {
            continue;
        }
        let what = format!("quorum queue `{}`", queue.name);
        // What it has counts more than what it began with.
        let mut sizes: Vec<&Fact> = [MEMBERS, "arguments.x-quorum-initial-group-size"]
            .iter()
            .find_map(|k| unit.of(queue, k))
            .into_iter()
            .collect();
        if let Found::Set(target) = topology.of(unit, queue, "target-group-size") {
            sizes.push(target.fact);
        }
        for fact in sizes {
            if let Some(n) = fact.value.text().and_then(|v| v.trim().parse().ok()) {
                let at = judge.at_fact(fact).of(queue);
                weigh(judge, at, n, &what);
            }
        }
    }
}

fn weigh(judge: &mut Judge<'_>, at: At, members: i64, what: &str) {
    if members >= 3 && members % 2 == 1 || members < 1 {
        return;
    }
    judge.hit(
        at,
        Say::new(
            match members {
                1 => format!("{what}: one member is one copy"),
                n => format!("{what}: {n} members survive no more losses than {}", n - 1),
            },
            "no majority after a loss",
            "With one member its disk has the only copy; with two the queue stops when either is away. When a majority is lost for good, \
             the queue must be deleted with what is in it.",
            "three members, or five",
        ),
    );
}
