//! RQT003: policies that mirror classic queues.

use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::stated::Release;

rule! {
    /// # What it finds
    /// A policy with `ha-mode` or another `ha-` key: on 4.0 and later it does nothing; on 3.x it is told when an unsynchronised
    /// mirror may be promoted (`ha-promote-on-failure` absent or `always`, or no `ha-sync-mode: automatic`). Without a known version
    /// both answers are given.
    ///
    /// # How messages are lost
    /// On 4.x there is one copy, and the operator believes there are several. On 3.x a mirror that has not caught up is promoted, and
    /// what it misses is gone.
    ///
    /// # Instead
    /// Quorum queues. On 3.x until then: `ha-sync-mode: automatic`, `ha-promote-on-failure: when-synced`, and confirms.
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
    /// RabbitMQ 3.13 `ha.md`; release notes of 4.0.1: mirroring was removed.
    pub(crate) static RULE = {
        code: "RQT003",
        name: "classic-mirroring",
        title: "Mirroring does nothing on 4.x, and loses messages on 3.x",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let release = judge.release();
    let removed = release.is_some_and(|r| r >= Release(4, 0, 0));
    for policy in unit.subjects_of(Layer::Policy) {
        let says = |key: &str, value: &str| unit.of(policy, key).and_then(|f| f.value.text()) == Some(value);
        let Some(fact) = unit
            .facts_of(policy)
            .iter()
            .find(|f| f.key.starts_with("definition.ha-"))
        else {
            continue;
        };
        let fact = unit.of(policy, "definition.ha-mode").unwrap_or(fact);
        let synced =
            says("definition.ha-sync-mode", "automatic") && says("definition.ha-promote-on-failure", "when-synced");
        if synced && release.is_some() && !removed {
            continue;
        }
        // Whoever has set up the best that 3.x can do is wrong on 4.x only.
        let at = judge.at_fact(fact).of(policy).inferred(synced && !removed);
        let on_3 = "a mirror that has not caught up is promoted, and what it misses is gone";
        judge.hit(
            at,
            Say::new(
                match removed {
                    true => format!("policy `{}` mirrors nothing: mirroring was removed in 4.0", policy.name),
                    false => format!("policy `{}` mirrors classic queues", policy.name),
                },
                "one copy on 4.x",
                match (removed, release) {
                    (true, _) => "The keys have no effect. Each queue has one copy, and whoever wrote the policy believes there are more.".to_owned(),
                    (false, Some(_)) => format!("When the leader fails, {on_3}."),
                    (false, None) => format!("On 4.0 and later the keys have no effect and each queue has one copy. On 3.x, when the leader fails, {on_3}."),
                },
                "quorum queues; on 3.x until then ha-sync-mode: automatic and ha-promote-on-failure: when-synced",
            ),
        );
    }
}
