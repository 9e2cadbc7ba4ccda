//! KC005: records of transactions that never were.

use super::CONSUMERS;
use crate::audit::judge::{Judge, Say};
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `isolation.level=read_uncommitted`, written. X-K09 finds the default where a transactional producer is in the run.
    ///
    /// # How messages are lost
    /// Not a loss but the opposite: the consumer acts on records whose transaction is aborted afterwards. What it did because of them
    /// has no counterpart.
    ///
    /// # Instead
    /// `isolation.level=read_committed`. Spring writes `read-uncommitted` by itself, so it must stand on the typed key or under
    /// `consumer.properties`.
    ///
    /// # Example
    /// With `--profile finance`.
    /// `consumer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// group.id=billing
    /// isolation.level=read_uncommitted
    /// ```
    /// `consumer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// group.id=billing
    /// isolation.level=read_committed
    /// ```
    ///
    /// # Source
    /// Kafka `ConsumerConfig`: read_uncommitted in every version; librdkafka: read_committed since 1.2.0; Spring Boot
    /// `KafkaProperties.Consumer`.
    pub(crate) static RULE = {
        code: "KC005",
        name: "uncommitted-reads",
        title: "The consumer acts on records whose transaction may be aborted",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: CONSUMERS,
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let Some((level, value)) = judge.written("isolation.level") else {
        return;
    };
    if !value.eq_ignore_ascii_case("read_uncommitted") {
        return;
    }
    let at = judge.at(&level).safe("read_committed");
    judge.hit(
        at,
        Say::new(
            "records of aborted transactions are handed to the application",
            "before anybody knows whether they count",
            "The consumer acts on records whose transaction is aborted afterwards. What it did because of them has no counterpart.",
            "isolation.level=read_committed",
        ),
    );
}
