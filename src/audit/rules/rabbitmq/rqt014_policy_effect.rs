//! RQT014: policies that match nothing, are outranked, or are left out for what the queue's type does not know.

use super::topology::{Kind, Match, Topology};
use crate::audit::fact::{Fact, Layer, Subject, Unit};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use std::collections::HashSet;

rule! {
    /// # What it finds
    /// Of the policies that match a queue only the one of the highest priority counts: one with a dead letter exchange or an overflow
    /// that is outranked by another without it. A policy with a key that the queue's type does not know: the server leaves out all of
    /// it for that queue. Told are `delivery-limit` and `dead-letter-strategy` on classic queues, `overflow`, `message-ttl` and
    /// `dead-letter-exchange` on streams, and any other such key where a dead letter exchange or an overflow goes with it. A policy for
    /// queues that matches none of the file's queues is advice (`RQT014/matches-nothing`).
    ///
    /// # How messages are lost
    /// The author has written a dead letter exchange, and the queue has none: what is rejected is deleted. One `delivery-limit` in a
    /// policy for all queues, and classic queues get nothing of it; one `ha-mode`, and quorum queues get nothing.
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
    /// RabbitMQ `policies.md`, `rabbit_queue_type:is_policy_applicable/2`, `rabbit_classic_queue:capabilities/0` and those of the other
    /// types.
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
        matched.extend(policies.iter().map(|p| std::ptr::from_ref::<Subject>(p.subject)));
        let (holding, barred): (Vec<_>, Vec<_>) = policies.iter().partition(|p| p.bars.is_empty());
        let own = |p: &&&Match<'_>| std::ptr::eq(p.unit, unit);
        let winner = holding.first().copied();
        for policy in barred.iter().filter(own) {
            left_out(judge, &mut told, policy, winner, queue, kind);
        }
        let Some(winner) = winner else { continue };
        for loser in holding.iter().skip(1).filter(own) {
            outranked(judge, &mut told, loser, winner, queue);
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
    loser: &Match<'_>,
    winner: &Match<'_>,
    queue: &Subject,
) {
    for key in MATTER {
        let Some(fact) = loser.unit.of(loser.subject, key) else {
            continue;
        };
        if winner.unit.of(winner.subject, key).is_some() || !told.insert(std::ptr::from_ref(fact)) {
            continue;
        }
        let at = judge
            .at_fact(fact)
            .of(loser.subject)
            .related(&winner.subject.place, "outranks it, and does not set this");
        let name = key.trim_start_matches("definition.");
        judge.hit(
            at,
            Say::new(
                format!(
                    "queue `{}` does not get `{name}`: policy `{}` outranks `{}`",
                    queue.name, winner.subject.name, loser.subject.name
                ),
                "one policy counts for each queue",
                "Only the matching policy of the highest priority applies. What the other one should keep is lost.",
                "put everything that a queue needs into one policy",
            ),
        );
    }
}

/// A policy that the queue does not get, for a key that its type does not know.
fn left_out(
    judge: &mut Judge<'_>,
    told: &mut HashSet<*const Fact>,
    policy: &Match<'_>,
    winner: Option<&Match<'_>>,
    queue: &Subject,
    kind: Kind,
) {
    let (what, believed): (&str, &[&str]) = match kind {
        Kind::Classic => (
            "classic queue",
            &["definition.delivery-limit", "definition.dead-letter-strategy"],
        ),
        Kind::Quorum => ("quorum queue", &[]),
        Kind::Stream => (
            "stream",
            &[
                "definition.overflow",
                "definition.message-ttl",
                "definition.dead-letter-exchange",
            ],
        ),
        Kind::Unknown => return,
    };
    let set = |p: &Match<'_>, key: &str| p.unit.of(p.subject, key).is_some();
    let is_bar = |key: &str| policy.bars.iter().any(|f| f.key == key);
    // What a queue of this type could have, and another policy does not give it.
    let lost: Vec<String> = MATTER
        .iter()
        .filter(|key| set(policy, key) && !is_bar(key) && !winner.is_some_and(|w| set(w, key)))
        .map(|key| format!("`{}`", key.trim_start_matches("definition.")))
        .collect();
    let believed = policy.bars.iter().find(|f| believed.contains(&f.key.as_str()));
    let Some(bar) = believed.or_else(|| policy.bars.first().filter(|_| !lost.is_empty())) else {
        return;
    };
    if !told.insert(std::ptr::from_ref(*bar)) {
        return;
    }
    let at = judge.at_fact(bar).of(policy.subject);
    let name = bar.key.trim_start_matches("definition.");
    let with_it = match lost.is_empty() {
        true => String::new(),
        false => format!(", nor its {}", lost.join(", ")),
    };
    judge.hit(
        at,
        Say::new(
            format!(
                "{what} `{}` does not get policy `{}`, whose `{name}` its type does not know{with_it}",
                queue.name, policy.subject.name
            ),
            "left out for this type",
            "The server takes the policy, and leaves out all of it for a queue whose type does not know one of its keys. Whoever wrote it \
             believes that it holds.",
            "a policy for each type of queue, with keys that it knows",
        ),
    );
}
