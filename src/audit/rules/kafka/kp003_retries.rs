//! KP003: a producer that gives up at the first hiccup.

use super::PRODUCERS;
use crate::audit::judge::{Judge, Say};
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `retries` (librdkafka also `message.send.max.retries`) of 0, or of fewer than the profile's `retries`.
    ///
    /// # How messages are lost
    /// A change of leader answers with an error that heals within seconds. Without retries, or with a few that are over in a fraction of
    /// a second, the record fails for good and is lost unless the application keeps it.
    ///
    /// # Instead
    /// Leave `retries` unset and bound the time with `delivery.timeout.ms`.
    ///
    /// # Example
    /// `producer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// retries=3
    /// ```
    /// `producer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// delivery.timeout.ms=120000
    /// ```
    ///
    /// # Source
    /// Kafka `ProducerConfig`: 0 up to 2.0, 2147483647 since 2.1 (KIP-91). librdkafka: 2 before 1.5.2, 2147483647 since.
    pub(crate) static RULE = {
        code: "KP003",
        name: "few-retries",
        title: "The producer gives up before a leader election is over",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: PRODUCERS,
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let retries = judge.setting("retries");
    let Some(count) = judge.int(&retries) else { return };
    if count < 0 {
        judge.undecided("`retries` is negative; the client refuses it");
        return;
    }
    let wanted = judge.profile.thresholds.retries;
    if count >= wanted {
        return;
    }
    let at = judge.at(&retries);
    judge.hit(
        at,
        Say {
            headline: match count {
                0 => "retries=0: the first hiccup is final".to_owned(),
                n => format!("retries={n}: fewer than {wanted}, over before a leader election is"),
            },
            label: "gives up too soon".to_owned(),
            story: "A change of leader answers with an error that heals within seconds. The producer does not try that long: the record \
                    fails for good, and is lost unless the application keeps it."
                .to_owned(),
            fix: "leave retries unset and bound the time with delivery.timeout.ms=120000 or more".to_owned(),
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::{found, undecided};

    #[test]
    fn few_retries_under_both_names() {
        assert_eq!(
            found("KP003", "p.properties", "acks=all\nretries=0"),
            ["high 2:1 retries=0"]
        );
        assert_eq!(
            found("KP003", "p.properties", "acks=all\nretries: 3 "),
            ["high 2:1 retries=3 "]
        );
        assert_eq!(
            found("KP003", "p.properties", "message.send.max.retries=2"),
            ["high 1:1 message.send.max.retries=2"]
        );
    }

    #[test]
    fn enough_or_unset() {
        assert!(found("KP003", "p.properties", "acks=all\nretries=10").is_empty());
        assert!(found("KP003", "p.properties", "acks=all").is_empty());
        assert_eq!(undecided("KP003", "p.properties", "acks=all\nretries=many").len(), 1);
    }
}
