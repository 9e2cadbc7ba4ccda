//! RQT005: a limit of length, and nothing that happens to what does not fit.

use super::topology::{ELSEWHERE, Found, Kind, Topology};
use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::resolve::is_placeholder;
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A queue with `max-length` or `max-length-bytes`, by argument or policy, whose `overflow` is `drop-head` (also by default) and
    /// that has no dead letter exchange. A policy that no declared queue has is judged by itself, one step lower.
    ///
    /// # How messages are lost
    /// Consumers are slow or away. When the queue is full each new message pushes out the oldest: confirmed, persistent, and gone
    /// without an error to anybody.
    ///
    /// # Instead
    /// `overflow: reject-publish` and publisher confirms; or a dead letter exchange.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true,
    ///       "arguments": { "x-max-length": 1000 } }
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
    ///       "arguments": { "x-max-length": 1000, "x-overflow": "reject-publish" } }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ `maxlength.md`: `drop-head` by default; only messages that are ready count.
    pub(crate) static RULE = {
        code: "RQT005",
        name: "dropped-when-full",
        title: "A full queue drops its oldest messages without a word",
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
        if topology.kind(unit, queue).0 == Kind::Stream {
            continue;
        }
        let limit =
            ["max-length", "max-length-bytes"]
                .into_iter()
                .find_map(|key| match topology.of(unit, queue, key) {
                    Found::Set(found) => Some((key, found)),
                    _ => None,
                });
        let Some((key, limit)) = limit else { continue };
        // What the queue itself is given is found all the same, one step lower: a policy may mend it.
        let mut mended = false;
        let overflow = match topology.of(unit, queue, "overflow") {
            Found::Set(found) if found.value != "drop-head" => continue,
            Found::Unknown(ELSEWHERE) => {
                mended = true;
                None
            }
            Found::Unknown(why) => {
                judge.undecided(why);
                continue;
            }
            Found::Set(found) => Some(found),
            Found::Absent => None,
        };
        match topology.of(unit, queue, "dead-letter-exchange") {
            Found::Set(_) => continue,
            Found::Unknown(ELSEWHERE) => mended = true,
            Found::Unknown(why) => {
                judge.undecided(why);
                continue;
            }
            Found::Absent => {}
        }
        let mut at = judge.at_fact(limit.fact).of(queue).inferred(mended);
        if let Some(overflow) = overflow {
            at = at.related(&overflow.fact.place, "drops the oldest");
        }
        judge.hit(
            at,
            Say::new(
                format!("queue `{}` drops its oldest messages at {key} {}", queue.name, limit.value),
                if mended { "no word to anybody, unless a policy says so" } else { "no word to anybody" },
                "Consumers are slow or away. Each new message pushes out the oldest: confirmed, persistent, and gone without an error.",
                "overflow: reject-publish with publisher confirms, or a dead letter exchange",
            ),
        );
    }
    for policy in topology.policies_without_queues(unit) {
        let set = |key: &str| unit.of(policy, &format!("definition.{key}"));
        let limit = ["max-length", "max-length-bytes"]
            .into_iter()
            .find_map(|key| Some((key, set(key)?)));
        let Some((key, limit)) = limit else { continue };
        let drops = set("overflow").is_none_or(|f| f.value.text() == Some("drop-head"));
        if !drops || set("dead-letter-exchange").is_some() || limit.value.text().is_none_or(is_placeholder) {
            continue;
        }
        let at = judge.at_fact(limit).of(policy).inferred(true);
        judge.hit(
            at,
            Say::new(
                format!(
                    "queues with policy `{}` drop their oldest messages at {key} {}",
                    policy.name,
                    limit.value.show()
                ),
                "no word to anybody, unless a queue names a dead letter exchange itself",
                "Consumers are slow or away. Each new message pushes out the oldest: confirmed, persistent, and gone without an error.",
                "overflow: reject-publish with publisher confirms, or a dead letter exchange",
            ),
        );
    }
}
