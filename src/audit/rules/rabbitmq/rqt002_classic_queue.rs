//! RQT002: a classic queue where messages must survive.

use super::is_durable_queue;
use super::topology::{Kind, Topology, is_short_lived};
use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::is_true;
use crate::audit::stated::Release;

rule! {
    /// # What it finds
    /// A durable queue of type classic that is neither exclusive nor deleted by itself nor meant for answers, nor mirrored where the
    /// release is known to be 3.x; told one step lower where the type is left to the node's default. A virtual host whose `default_queue_type` is classic is told as advice
    /// (`RQT002/default-type`).
    ///
    /// # How messages are lost
    /// There is one copy: while the node is down the queue is away, and with the node's disk everything in it is lost. Since 3.13 a
    /// classic queue confirms without flushing, so a power cut takes confirmed persistent messages.
    ///
    /// # Instead
    /// `x-queue-type: quorum`. The type of a queue that exists cannot be changed: declare a new one and move the messages.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true,
    ///       "arguments": { "x-queue-type": "classic" } }
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
    /// RabbitMQ `rabbit_queue_type:fallback`, `rabbit_msg_store` ("no longer fsyncs", since 3.13.0).
    pub(crate) static RULE = {
        code: "RQT002",
        name: "classic-queue",
        title: "A queue has one copy, and what it confirms is not flushed",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["default-type"],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    const STORY: &str = "There is one copy: while the node is down the queue is away, and with its disk everything is lost. Since 3.13 a \
                         classic queue confirms without flushing, so a power cut takes confirmed messages.";
    let unit = judge.unit;
    let topology = Topology::new(judge);
    let mirrors = judge.release().is_some_and(|r| r < Release(4, 0, 0));
    for queue in unit.subjects_of(Layer::Queue) {
        let (kind, told) = topology.kind(unit, queue);
        let transient = !is_durable_queue(unit, queue) || unit.of(queue, "auto_delete").is_some_and(is_true);
        if kind == Kind::Unknown {
            judge.undecided("the type of a queue is filled in elsewhere");
        }
        if kind != Kind::Classic || transient || is_short_lived(unit, queue) {
            continue;
        }
        // Mirrored on 3.x: how well is RQT003's matter.
        if mirrors && topology.mirroring(queue).is_some() {
            continue;
        }
        let at = match told {
            Some(fact) => judge.at_fact(fact).of(queue),
            None => judge.at_subject(queue, "arguments.x-queue-type").inferred(true),
        };
        judge.hit(
            at,
            Say::new(
                match told {
                    Some(_) => format!("queue `{}` is a classic queue: one copy", queue.name),
                    None => format!(
                        "queue `{}` has no type, and is a classic queue unless the node's default says otherwise",
                        queue.name
                    ),
                },
                "one copy, confirmed before it is flushed",
                STORY,
                "x-queue-type: quorum; a queue that exists must be declared anew and its messages moved",
            ),
        );
    }
    for host in unit.subjects_of(Layer::VirtualHost) {
        let kind = ["default_queue_type", "metadata.default_queue_type"]
            .iter()
            .find_map(|k| unit.of(host, k));
        if let Some(fact) = kind.filter(|f| f.value.text() == Some("classic")) {
            let at = judge.at_fact(fact).of(host);
            judge.hit_as(
                Some("default-type"),
                at,
                Say::new(
                    format!(
                        "queues of virtual host `{}` are classic unless they say otherwise",
                        host.name
                    ),
                    "one copy by default",
                    STORY,
                    "default_queue_type: quorum",
                ),
            );
        }
    }
}
