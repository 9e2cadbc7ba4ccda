//! RQT011: a limit of deliveries and nowhere for what exceeds it.

use super::topology::{Found, Kind, Topology, is_last_stop, name};
use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::stated::Release;

rule! {
    /// # What it finds
    /// A quorum queue with a `delivery-limit`, written or by the default of 4.0 and later (20) where the version is known, and
    /// without a dead letter exchange; and a limit of -1 (`RQT011/unlimited`).
    ///
    /// # How messages are lost
    /// The delivery after the limit deletes the message. With a prefetch above 1 everything that was unacknowledged goes with it, for
    /// its count is raised together. From 4.0 to 4.2 every requeue counts. Without a limit one message that cannot be worked on comes
    /// back for ever and may fill the disk.
    ///
    /// # Instead
    /// Keep the limit, and add a dead letter exchange.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true,
    ///       "arguments": { "x-queue-type": "quorum", "x-delivery-limit": 5 } }
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
    ///       "arguments": { "x-queue-type": "quorum", "x-delivery-limit": 5, "x-dead-letter-exchange": "dlx" } }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ `rabbit_quorum_queue` `DEFAULT_DELIVERY_LIMIT`; release notes of 4.0.1 and 4.3.0: since 4.3 only failures count.
    pub(crate) static RULE = {
        code: "RQT011",
        name: "delivery-limit-without-dead-letters",
        title: "A message that is delivered too often is deleted",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["unlimited"],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

/// What 4.0 and later give a quorum queue that says nothing.
const DEFAULT: &str = "20";

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let topology = Topology::new(judge);
    let limited_by_default = judge.release().is_some_and(|r| r >= Release(4, 0, 0));
    let ends = topology.dead_letter_queues();
    for queue in unit.subjects_of(Layer::Queue) {
        if topology.kind(unit, queue).0 != Kind::Quorum || ends.contains(&name(queue)) || is_last_stop(&queue.name) {
            continue;
        }
        let (at, limit, whence) = match topology.of(unit, queue, "delivery-limit") {
            Found::Set(limit) => (judge.at_fact(limit.fact).of(queue), limit.value, ""),
            Found::Absent if limited_by_default => (
                judge.at_subject(queue, "arguments.x-delivery-limit"),
                DEFAULT.to_owned(),
                ", which is the default since 4.0",
            ),
            Found::Absent | Found::Unknown(_) => continue,
        };
        if limit.starts_with('-') {
            judge.hit_as(
                Some("unlimited"),
                at,
                Say::new(
                    format!("queue `{}` delivers a message without end", queue.name),
                    "no limit",
                    "One message that cannot be worked on comes back for ever, blocks what is behind it, and may fill the disk.",
                    "keep the limit of 20, and add a dead letter exchange",
                ),
            );
            continue;
        }
        match topology.of(unit, queue, "dead-letter-exchange") {
            Found::Set(_) => continue,
            Found::Unknown(why) => {
                judge.undecided(why);
                continue;
            }
            Found::Absent => {}
        }
        judge.hit(
            at,
            Say::new(
                format!(
                    "queue `{}` deletes a message after {limit} deliveries{whence}",
                    queue.name
                ),
                "no dead letter exchange",
                "A consumer that fails, up to 4.2 also one that only puts messages back, reaches the limit, and the message is deleted. \
                 With a prefetch above 1 what was handed out together goes together.",
                "keep the limit, and add a dead letter exchange",
            ),
        );
    }
}
