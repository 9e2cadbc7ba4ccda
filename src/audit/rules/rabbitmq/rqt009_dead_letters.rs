//! RQT009: no dead letter exchange, or one that leads nowhere.

use super::is_durable_queue;
use super::topology::{Found, Kind, Name, Topology, is_last_stop, is_short_lived, name};
use crate::audit::fact::{Layer, Subject};
use crate::audit::judge::At;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::is_true;

rule! {
    /// # What it finds
    /// A queue that is no dead letter queue itself and has no `dead-letter-exchange`; one whose exchange is not declared, or from
    /// which no binding leads to a queue (`RQT009/leads-nowhere`); a dead letter queue that is not durable, expires or limits what it
    /// holds (`RQT009/weak-end`). In manifests a policy elsewhere may supply the exchange: without all policies it is not decided.
    ///
    /// # How messages are lost
    /// A rejected message, one that expired or was delivered too often is deleted. Where the exchange does not exist, or nothing is
    /// bound to it, it is dropped without a word, for the target need not exist when the queue is declared.
    ///
    /// # Instead
    /// A dead letter exchange with a queue bound to it that lasts, and somebody who looks at that queue.
    ///
    /// # Example
    /// `definitions.json`, found:
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
    /// `definitions.json`, clean:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true,
    ///       "arguments": { "x-queue-type": "quorum", "x-dead-letter-exchange": "dlx" } },
    ///     { "name": "orders.dlq", "vhost": "/", "durable": true,
    ///       "arguments": { "x-queue-type": "quorum" } }
    ///   ],
    ///   "exchanges": [
    ///     { "name": "dlx", "vhost": "/", "type": "fanout", "durable": true }
    ///   ],
    ///   "bindings": [
    ///     { "source": "dlx", "vhost": "/", "destination": "orders.dlq", "destination_type": "queue", "routing_key": "" }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ `dlx.md`.
    pub(crate) static RULE = {
        code: "RQT009",
        name: "no-dead-letters",
        title: "What cannot be worked on is deleted, or dead-lettered into nothing",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["leads-nowhere", "weak-end"],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let topology = Topology::new(judge);
    let ends = topology.dead_letter_queues();
    for queue in unit.subjects_of(Layer::Queue) {
        let temporary = is_short_lived(unit, queue) || unit.of(queue, "auto_delete").is_some_and(is_true);
        let end = ends.contains(&name(queue));
        // What a restart deletes is RQT001's matter, but for the place where dead letters end.
        let transient = !end && !is_durable_queue(unit, queue);
        if topology.kind(unit, queue).0 == Kind::Stream || temporary || transient {
            continue;
        }
        if end {
            weak_end(judge, &topology, queue);
        }
        match topology.of(unit, queue, "dead-letter-exchange") {
            Found::Set(exchange) => {
                let at = judge.at_fact(exchange.fact).of(queue);
                let to = exchange.fact.value.text().unwrap_or_default();
                leads_nowhere(judge, &topology, queue, at, to);
            }
            Found::Unknown(why) if !end && !is_last_stop(&queue.name) => judge.undecided(why),
            Found::Absent if !end && !is_last_stop(&queue.name) => {
                let at = judge.at_subject(queue, "arguments.x-dead-letter-exchange");
                judge.hit(
                    at,
                    Say::new(
                        format!("queue `{}` has no dead letter exchange", queue.name),
                        "nowhere for what cannot be worked on",
                        "A message that is rejected, expires or is delivered too often is deleted.",
                        "x-dead-letter-exchange, best by a policy, with a queue that lasts bound to it",
                    ),
                );
            }
            Found::Unknown(_) | Found::Absent => {}
        }
    }
}

fn leads_nowhere<'a>(judge: &mut Judge<'a>, topology: &Topology<'a>, queue: &'a Subject, at: At, to: &'a str) {
    if !topology.is_closed() {
        return;
    }
    let vhost = queue.vhost.as_deref();
    let exchange: Name<'a> = (vhost, to);
    let why = if to.is_empty() {
        let key = match topology.of(judge.unit, queue, "dead-letter-routing-key") {
            Found::Set(key) => key.fact.value.text(),
            _ => None,
        };
        match key {
            Some(key) if topology.queue((vhost, key)).is_some() => return,
            Some(key) => format!(
                "dead letters of queue `{}` go to queue `{key}`, which is not declared",
                queue.name
            ),
            // Without a key each goes to the queue that its own key names, often this very one.
            None => return,
        }
    } else if to.starts_with("amq.") {
        if topology.has_bindings(exchange) {
            return;
        }
        format!(
            "dead letters of queue `{}` go to `{to}`, to which nothing is bound",
            queue.name
        )
    } else if topology.exchange(exchange).is_none() {
        format!(
            "dead letters of queue `{}` go to exchange `{to}`, which is not declared",
            queue.name
        )
    } else if topology.reached(exchange).is_empty() {
        format!(
            "dead letters of queue `{}` go to exchange `{to}`, from which no binding leads to a queue",
            queue.name
        )
    } else {
        return;
    };
    judge.hit_as(
        Some("leads-nowhere"),
        at,
        Say::new(
            why,
            "dropped without a word",
            "The target of dead letters need not exist when the queue is declared. When it does not, or leads to no queue, they are dropped.",
            "declare the exchange and a queue that lasts, and bind them",
        ),
    );
}

fn weak_end<'a>(judge: &mut Judge<'a>, topology: &Topology<'a>, queue: &'a Subject) {
    let unit = judge.unit;
    let mut why = Vec::new();
    if !is_durable_queue(unit, queue) {
        why.push("is not durable");
    }
    let own_dlx = matches!(topology.of(unit, queue, "dead-letter-exchange"), Found::Set(_));
    // A queue that dead-letters again after a while is one for retries.
    for (key, what) in [
        ("message-ttl", "deletes by age"),
        ("max-length", "drops when it is full"),
        ("max-length-bytes", "drops when it is full"),
    ] {
        if !own_dlx && matches!(topology.of(unit, queue, key), Found::Set(_)) && !why.contains(&what) {
            why.push(what);
        }
    }
    if why.is_empty() {
        return;
    }
    let at = judge.at_subject(queue, "durable");
    judge.hit_as(
        Some("weak-end"),
        at,
        Say::new(
            format!("dead letter queue `{}` {}", queue.name, why.join(" and ")),
            "the last place where these messages are",
            "What could not be worked on is kept here for somebody to look at, and is gone before anybody does.",
            "a durable queue without message-ttl and max-length",
        ),
    );
}
