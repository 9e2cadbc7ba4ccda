//! KC004: nowhere for a record that cannot be worked on.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::{is_false, named};

rule! {
    /// # What it finds
    /// Spring Cloud Stream's `enable-dlq: false` written for a Kafka binding; SmallRye's `failure-strategy=ignore`. What is absent is
    /// not judged: an error handler in code may do the same.
    ///
    /// # How messages are lost
    /// The framework tries a few times, then logs the record and commits past it. Nobody else ever sees it.
    ///
    /// # Instead
    /// A dead letter topic: `enable-dlq: true`, `failure-strategy=dead-letter-queue`, a `DeadLetterPublishingRecoverer`; and somebody
    /// who reads it.
    ///
    /// # Example
    /// `application.properties`, found:
    /// ```properties
    /// mp.messaging.incoming.orders.connector=smallrye-kafka
    /// mp.messaging.incoming.orders.failure-strategy=ignore
    /// ```
    /// `application.properties`, clean:
    /// ```properties
    /// mp.messaging.incoming.orders.connector=smallrye-kafka
    /// mp.messaging.incoming.orders.failure-strategy=dead-letter-queue
    /// ```
    ///
    /// # Source
    /// spring-kafka `DefaultErrorHandler` (ten attempts, then log and commit); Spring Cloud Stream
    /// `KafkaConsumerProperties.enableDlq`: false; SmallRye `failure-strategy`: fail.
    pub(crate) static RULE = {
        code: "KC004",
        name: "skipped-poison-records",
        title: "A record that fails repeatedly is skipped for good",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: &[Role::Application],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let dlq = named(unit, "spring.cloud.stream.kafka.", ".consumer.enable-dlq").filter(|f| is_false(f));
    let ignore =
        named(unit, "mp.messaging.incoming.", ".failure-strategy").filter(|f| f.value.text() == Some("ignore"));
    for fact in dlq.chain(ignore) {
        let at = judge.at_fact(fact);
        judge.hit(
            at,
            Say::new(
                "a record that fails repeatedly is skipped for good",
                "no dead letter topic",
                "After a few attempts the framework logs the record and commits past it. Nobody else ever sees it.",
                "a dead letter topic (enable-dlq: true, failure-strategy: dead-letter-queue), and somebody who reads it",
            ),
        );
    }
}
