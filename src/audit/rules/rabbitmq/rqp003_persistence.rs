//! RQP003: transient messages.

use crate::audit::fact::{Effect, Fact, Layer, Subject};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::terms::canonical::WAITING_TRANSIENT;

rule! {
    /// # What it finds
    /// A delivery mode that a file shows: Spring Cloud Stream's `producer.delivery-mode: NON_PERSISTENT`, a shovel whose publish
    /// properties say `delivery_mode: 1`, Celery's `task_default_delivery_mode` or `delivery_mode` of 1 or `transient`. What is
    /// absent is not judged: Spring sends persistent messages by default. At a live broker a durable classic queue in which transient
    /// messages wait (`RQP003/waiting`).
    ///
    /// # How messages are lost
    /// A transient message in a durable classic queue is discarded when the node restarts. Quorum queues and streams store every
    /// message, but one that is dead-lettered from there into a classic queue is still transient.
    ///
    /// # Instead
    /// Delivery mode 2, `PERSISTENT`.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// spring.cloud.stream.rabbit.bindings.orders-out-0.producer.delivery-mode=NON_PERSISTENT
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// spring.cloud.stream.rabbit.bindings.orders-out-0.producer.delivery-mode=PERSISTENT
    /// ```
    ///
    /// # Source
    /// RabbitMQ `rabbit_basic`, `mc_amqpl`: absent is transient; since 4.2 that is so for AMQP 1.0 too.
    pub(crate) static RULE = {
        code: "RQP003",
        name: "transient-messages",
        title: "Messages are published so that a restart may discard them",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &["waiting"],
        applies: &[Role::Application, Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    for queue in unit.subjects_of(Layer::Queue) {
        let Some(fact) = unit.of(queue, WAITING_TRANSIENT) else {
            continue;
        };
        let at = judge.at_fact(fact).of(queue);
        judge.hit_as(
            Some("waiting"),
            at,
            Say::new(
                format!(
                    "{} messages in durable queue `{}` are transient",
                    fact.value.show(),
                    queue.name
                ),
                "a restart discards them",
                "The queue survives a restart of its node, and these messages do not, although they were confirmed.",
                "delivery mode 2 (persistent) in the publisher, or a quorum queue, which stores every message",
            ),
        );
    }
    for subject in &unit.subjects {
        for fact in unit.facts_of(subject).iter().filter(|f| is_transient(f)) {
            hit(judge, fact, Some(subject));
        }
    }
    if unit.subjects.is_empty() {
        for fact in unit
            .facts
            .iter()
            .filter(|f| f.effect == Effect::Live && is_transient(f))
        {
            hit(judge, fact, None);
        }
    }
}

fn is_transient(fact: &Fact) -> bool {
    let key = fact.key.to_lowercase().replace('-', "_");
    let value = fact
        .value
        .text()
        .unwrap_or_default()
        .trim()
        .to_lowercase()
        .replace('-', "_");
    key.ends_with("delivery_mode") && matches!(value.as_str(), "1" | "transient" | "non_persistent")
}

fn hit(judge: &mut Judge<'_>, fact: &Fact, subject: Option<&Subject>) {
    let at = judge.at_fact(fact);
    let at = match subject {
        Some(subject) => at.of(subject),
        None => at,
    };
    judge.hit(
        at,
        Say::new(
            "messages are published as transient",
            "a restart may discard them",
            "A transient message in a durable classic queue is discarded when the node restarts, although it was confirmed.",
            "delivery mode 2 (persistent)",
        ),
    );
}
