//! RQC002: rejection without requeue where no dead letter exchange is known.

use crate::audit::fact::{Fact, Unit};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::{is_false, is_true, named};

rule! {
    /// # What it finds
    /// Spring's `default-requeue-rejected: false`, or listener `retry.enabled: true` (the last attempt rejects); Spring Cloud
    /// Stream's `requeue-rejected: false` without `auto-bind-dlq`; SmallRye's `failure-strategy=reject`, also by default
    /// (`RQC002/by-default`), without `auto-bind-dlq`. Where the queues are in the run X-R04 looks at them instead.
    ///
    /// # How messages are lost
    /// A rejected message goes to the queue's dead letter exchange. Without one it is deleted. Spring rejects what it cannot convert
    /// whatever is set.
    ///
    /// # Instead
    /// A dead letter exchange for the queue, and a queue for what ends there.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.listener.simple.default-requeue-rejected=false
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// spring.rabbitmq.host=mq
    /// spring.rabbitmq.listener.simple.default-requeue-rejected=true
    /// ```
    ///
    /// # Source
    /// Spring AMQP `ConditionalRejectingErrorHandler`; Spring Boot `AbstractRabbitListenerContainerFactoryConfigurer`; Spring Cloud
    /// Stream `RabbitConsumerProperties`; SmallRye: reject.
    pub(crate) static RULE = {
        code: "RQC002",
        name: "rejected-and-discarded",
        title: "A message that fails is rejected, and nothing takes it",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &["by-default"],
        applies: &[Role::Application],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    if judge.near(Role::RabbitTopology).next().is_some() {
        return;
    }
    for (fact, by_default) in rejections(judge.unit) {
        let at = judge.at_fact(fact);
        judge.hit_as(
            by_default.then_some("by-default"),
            at,
            Say::new(
                match by_default {
                    true => "a message that fails is rejected by default, and no dead letter exchange is known",
                    false => "a message that fails is rejected, and no dead letter exchange is known",
                },
                "deleted unless the queue has a dead letter exchange",
                "A rejected message goes to the queue's dead letter exchange. Without one it is deleted.",
                "give the queue a dead letter exchange, or let the framework bind one (auto-bind-dlq)",
            ),
        );
    }
}

/// What makes a consumer reject without requeue, and whether that is only the default.
pub(in crate::audit::rules) fn rejections(unit: &Unit) -> Vec<(&Fact, bool)> {
    let mut found: Vec<(&Fact, bool)> = Vec::new();
    found.extend(
        named(unit, "spring.rabbitmq.listener.", ".default-requeue-rejected")
            .filter(|f| is_false(f))
            .map(|f| (f, false)),
    );
    found.extend(
        named(unit, "spring.rabbitmq.listener.", ".retry.enabled")
            .filter(|f| is_true(f))
            .map(|f| (f, false)),
    );
    for fact in named(unit, "spring.cloud.stream.rabbit.", ".consumer.requeue-rejected").filter(|f| is_false(f)) {
        let bound = unit.live(&fact.key.replace(".requeue-rejected", ".auto-bind-dlq"));
        if !bound.is_some_and(is_true) {
            found.push((fact, false));
        }
    }
    for connector in named(unit, "mp.messaging.incoming.", ".connector") {
        let other = |name: &str| unit.live(&connector.key.replace(".connector", name));
        if connector.value.text() != Some("smallrye-rabbitmq") || other(".auto-bind-dlq").is_some_and(is_true) {
            continue;
        }
        match other(".failure-strategy") {
            None => found.push((connector, true)),
            Some(strategy) if strategy.value.text() == Some("reject") => found.push((strategy, false)),
            Some(_) => {}
        }
    }
    found
}
