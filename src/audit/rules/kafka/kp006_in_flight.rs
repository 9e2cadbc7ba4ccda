//! KP006: more than one request is on its way while nothing keeps them in order.

use super::PRODUCERS;
use crate::audit::judge::{Judge, Say};
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `max.in.flight.requests.per.connection` (librdkafka also `max.in.flight`) of more than 1 while idempotence is off, or of more
    /// than 5 while it is on; or librdkafka's `queuing.strategy=lifo`.
    ///
    /// # How messages are lost
    /// Batch 1 fails and is retried while batch 2 succeeds: a consumer that keeps the last value of a key ends on the older one. With
    /// idempotence and more than 5, a Java client before 4.0 switches idempotence off with no more than a warning, and one of 4.0 or
    /// later refuses to start.
    ///
    /// # Instead
    /// At most 5 together with `enable.idempotence=true`; or 1.
    ///
    /// # Example
    /// `producer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// enable.idempotence=false
    /// max.in.flight.requests.per.connection=5
    /// ```
    /// `producer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// enable.idempotence=true
    /// max.in.flight.requests.per.connection=5
    /// ```
    ///
    /// # Source
    /// Kafka `ProducerConfig`: 5 in every version; librdkafka `CONFIGURATION.md`: 1000000 without idempotence, 5 with it.
    pub(crate) static RULE = {
        code: "KP006",
        name: "reordering-in-flight",
        title: "A retried batch may land behind a later one",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: PRODUCERS,
        check: check,
    };
}

/// The most that an idempotent producer keeps in order.
const KEPT_IN_ORDER: i64 = 5;

fn check(judge: &mut Judge<'_>) {
    lifo(judge);
    let Some((in_flight, count)) = judge.written_int("max.in.flight.requests.per.connection") else {
        return;
    };
    let weak = |key, values: &[&str]| judge.quiet(key).is_some_and(|v| values.contains(&v.as_str()));
    // Weak acks or no retries switch idempotence off where it is not written.
    let silenced =
        judge.setting("enable.idempotence").given.is_none() && (weak("acks", &["0", "1"]) || weak("retries", &["0"]));
    let on = match judge
        .quiet("enable.idempotence")
        .map(|v| v.to_ascii_lowercase())
        .as_deref()
    {
        Some("true" | "1" | "t") => !silenced,
        Some("false" | "0" | "f") => false,
        _ => return,
    };
    let (headline, label) = match (on, count) {
        (false, 2..) => (
            format!("{count} requests on their way at once, and no idempotence to keep them in order"),
            "a retry lands behind a later batch",
        ),
        (true, n) if n > KEPT_IN_ORDER => (
            format!("{count} requests on their way at once: idempotence keeps {KEPT_IN_ORDER} in order"),
            "idempotence is off before 4.0, an error since",
        ),
        _ => return,
    };
    let at = judge.at(&in_flight);
    judge.hit(
        at,
        Say::new(
            headline,
            label,
            "Batch 1 fails and is retried while batch 2 succeeds. A consumer that keeps the last value of a key ends on the older one.",
            "enable.idempotence=true with max.in.flight.requests.per.connection of 5 or less",
        ),
    );
}

fn lifo(judge: &mut Judge<'_>) {
    let Some((strategy, value)) = judge.written("queuing.strategy") else {
        return;
    };
    if value == "lifo" {
        let at = judge.at(&strategy);
        judge.hit(
            at,
            Say::new(
                "queuing.strategy=lifo: the newest record is sent first",
                "turns the order round whenever there is a queue",
                "As soon as records wait, the newest go first and the oldest run into their time-out first.",
                "remove the line (the default is fifo)",
            ),
        );
    }
}
