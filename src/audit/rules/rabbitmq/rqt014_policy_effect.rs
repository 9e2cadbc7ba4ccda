//! RQT014: policies that match nothing, are outranked, or set what the queue's type ignores.

use super::topology::{Kind, Topology};
use crate::audit::fact::{Fact, Layer, Subject, Unit};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use std::collections::HashSet;

rule! {
    /// # What it finds
    /// Of the policies that match a queue only the one of the highest priority counts: one with a dead letter exchange or an overflow
    /// that is outranked by another without it. `delivery-limit` or `dead-letter-strategy` on classic queues, `overflow`,
    /// `message-ttl` or `dead-letter-exchange` on streams. A policy for queues that matches none of the file's queues is advice
    /// (`RQT014/matches-nothing`).
    ///
    /// # How messages are lost
    /// The author has written a dead letter exchange, and the queue has none: what is rejected is deleted.
    ///
    /// # Instead
    /// One policy for each queue, with everything in it; keys that its type knows.
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
    ///     { "name": "dead-letters", "vhost": "/", "pattern": "^orders", "apply-to": "queues", "priority": 0,
    ///       "definition": { "dead-letter-exchange": "dlx" } },
    ///     { "name": "lazy", "vhost": "/", "pattern": ".*", "apply-to": "queues", "priority": 10,
    ///       "definition": { "max-length": 100000 } }
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
    ///   ],
    ///   "policies": [
    ///     { "name": "dead-letters", "vhost": "/", "pattern": "^orders", "apply-to": "queues", "priority": 20,
    ///       "definition": { "dead-letter-exchange": "dlx", "max-length": 100000 } },
    ///     { "name": "lazy", "vhost": "/", "pattern": ".*", "apply-to": "queues", "priority": 10,
    ///       "definition": { "max-length": 100000 } }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ `policies.md`, `rabbit_classic_queue:capabilities/0` and those of the other types.
    pub(crate) static RULE = {
        code: "RQT014",
        name: "policy-without-effect",
        title: "A policy does not do what it says",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["matches-nothing"],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

/// Keys that decide whether a message is kept, and that a policy loses when another outranks it.
const MATTER: [&str; 4] = [
    "definition.dead-letter-exchange",
    "definition.overflow",
    "definition.dead-letter-strategy",
    "definition.delivery-limit",
];

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    if unit.subjects_of(Layer::Policy).next().is_none() {
        return;
    }
    let topology = Topology::new(judge);
    let mut matched: HashSet<*const Subject> = HashSet::new();
    let mut told: HashSet<*const Fact> = HashSet::new();
    let mut any = false;
    for (queue_unit, queue) in topology.queues() {
        any = true;
        let kind = topology.kind(queue_unit, queue).0;
        let policies = topology.policies_of(queue, kind);
        matched.extend(policies.iter().map(|(_, p)| std::ptr::from_ref::<Subject>(p)));
        let Some(((winner_unit, winner), losers)) = policies.split_first() else {
            continue;
        };
        for (loser_unit, loser) in losers.iter().filter(|(u, _)| std::ptr::eq(*u, unit)) {
            outranked(judge, &mut told, (loser_unit, loser), (winner_unit, winner), queue);
        }
        if std::ptr::eq(*winner_unit, unit) {
            ignored(judge, &mut told, winner, queue, kind);
        }
    }
    let understood = |p: &&Subject| {
        any && topology.is_closed()
            && matches!(
                apply_to(unit, p),
                "queues" | "classic_queues" | "quorum_queues" | "streams"
            )
    };
    for policy in unit.subjects_of(Layer::Policy).filter(understood) {
        if !matched.contains(&std::ptr::from_ref(policy)) {
            let at = judge.at_subject(policy, "pattern");
            judge.hit_as(
                Some("matches-nothing"),
                at,
                Say::new(
                    format!(
                        "policy `{}` matches none of the queues that are declared here",
                        policy.name
                    ),
                    "no queue has it",
                    "What the policy should keep, a dead letter exchange or a limit, no declared queue has.",
                    "correct the pattern, unless applications declare the queues that it is for",
                ),
            );
        }
    }
}

fn apply_to<'a>(unit: &'a Unit, policy: &Subject) -> &'a str {
    unit.of(policy, "apply-to")
        .and_then(|f| f.value.text())
        .unwrap_or("all")
}

fn outranked(
    judge: &mut Judge<'_>,
    told: &mut HashSet<*const Fact>,
    (loser_unit, loser): (&Unit, &Subject),
    (winner_unit, winner): (&Unit, &Subject),
    queue: &Subject,
) {
    for key in MATTER {
        let Some(fact) = loser_unit.of(loser, key) else {
            continue;
        };
        if winner_unit.of(winner, key).is_some() || !told.insert(std::ptr::from_ref(fact)) {
            continue;
        }
        let at = judge
            .at_fact(fact)
            .of(loser)
            .related(&winner.place, "outranks it, and does not set this");
        let name = key.trim_start_matches("definition.");
        judge.hit(
            at,
            Say::new(
                format!(
                    "queue `{}` does not get `{name}`: policy `{}` outranks `{}`",
                    queue.name, winner.name, loser.name
                ),
                "one policy counts for each queue",
                "Only the matching policy of the highest priority applies. What the other one should keep is lost.",
                "put everything that a queue needs into one policy",
            ),
        );
    }
}

fn ignored(judge: &mut Judge<'_>, told: &mut HashSet<*const Fact>, policy: &Subject, queue: &Subject, kind: Kind) {
    let unit = judge.unit;
    let keys: &[&str] = match kind {
        Kind::Classic => &["definition.delivery-limit", "definition.dead-letter-strategy"],
        Kind::Stream => &[
            "definition.overflow",
            "definition.message-ttl",
            "definition.dead-letter-exchange",
        ],
        Kind::Quorum | Kind::Unknown => &[],
    };
    let what = if kind == Kind::Classic {
        "classic queues"
    } else {
        "streams"
    };
    for fact in keys.iter().filter_map(|k| unit.of(policy, k)) {
        if !told.insert(std::ptr::from_ref(fact)) {
            continue;
        }
        let at = judge.at_fact(fact).of(policy);
        let name = fact.key.trim_start_matches("definition.");
        judge.hit(
            at,
            Say::new(
                format!("`{name}` does nothing on {what}, as `{}` is one", queue.name),
                "ignored by this type",
                "The server takes the policy and ignores the key. Whoever wrote it believes that it holds.",
                "a quorum queue, or a policy of its own for it",
            ),
        );
    }
}
