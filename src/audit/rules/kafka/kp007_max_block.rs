//! KP007: a full buffer makes `send` throw at once.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

/// Shorter than a leader election, in milliseconds.
const VERY_SHORT_MS: i64 = 1000;

rule! {
    /// # What it finds
    /// A Java producer with `max.block.ms` of 0, or of less than a second.
    ///
    /// # How messages are lost
    /// When the buffer is full or metadata is not there yet, as in every outage, `send` throws instead of waiting. Code without a handler
    /// drops the record. What is in the buffer when the process ends without `flush` or `close` is lost too; no setting prevents that.
    ///
    /// # Instead
    /// Leave it at 60000, give `buffer.memory` room for the rate of sends times the outage to be survived, and put records aside locally
    /// when `send` throws.
    ///
    /// # Example
    /// `producer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// max.block.ms=0
    /// ```
    /// `producer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// max.block.ms=60000
    /// ```
    ///
    /// # Source
    /// Kafka `ProducerConfig`: 60000, `buffer.memory` 33554432. librdkafka has no such key: it answers `QUEUE_FULL` at once.
    pub(crate) static RULE = {
        code: "KP007",
        name: "send-without-waiting",
        title: "A full buffer makes send throw at once",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: &[Role::KafkaProducer],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let block = judge.setting("max.block.ms");
    if block.given.is_none() {
        return;
    }
    let Some(ms) = judge.int(&block) else { return };
    if ms >= VERY_SHORT_MS {
        return;
    }
    let at = judge.at(&block);
    judge.hit(
        at,
        Say {
            headline: format!("max.block.ms={ms}: send throws as soon as the buffer is full"),
            label: "shorter than a leader election".to_owned(),
            story: "In an outage the buffer fills, or metadata is missing, and send throws instead of waiting. Code that does not handle \
                    that drops the record; a process that then ends without flush drops the buffer too."
                .to_owned(),
            fix: "leave max.block.ms at 60000, size buffer.memory for the outage, and put records aside when send throws".to_owned(),
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::found;

    #[test]
    fn too_short_to_wait() {
        assert_eq!(
            found("KP007", "p.properties", "max.block.ms=0"),
            ["high 1:1 max.block.ms=0"]
        );
        assert_eq!(
            found("KP007", "p.properties", "max.block.ms=999"),
            ["high 1:1 max.block.ms=999"]
        );
        for text in ["max.block.ms=1000", "acks=all"] {
            assert!(found("KP007", "p.properties", text).is_empty(), "{text}");
        }
    }
}
