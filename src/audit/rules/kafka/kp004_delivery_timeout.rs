//! KP004: a producer that drops records during an ordinary outage.

use super::PRODUCERS;
use crate::audit::fact::Component;
use crate::audit::judge::{Judge, Say};
use crate::audit::resolve::Setting;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `delivery.timeout.ms` (librdkafka also `message.timeout.ms`) shorter than the profile's `delivery_timeout_ms`, or written and
    /// shorter than `linger.ms` + `request.timeout.ms` (librdkafka: not longer than `linger.ms`). 0 means no limit to librdkafka.
    ///
    /// # How messages are lost
    /// A record that waits longer than this, because a broker restarts or the network is away, is dropped from the buffer. Only the
    /// callback or future hears of it.
    ///
    /// # Instead
    /// 120000 or more, longer than a planned fail-over takes.
    ///
    /// # Example
    /// `producer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// delivery.timeout.ms=10000
    /// request.timeout.ms=5000
    /// ```
    /// `producer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// delivery.timeout.ms=120000
    /// request.timeout.ms=30000
    /// ```
    ///
    /// # Source
    /// Kafka `KafkaProducer.configureDeliveryTimeout`: 120000 since 2.1; a written value below the sum is an error at the start.
    /// librdkafka `CONFIGURATION.md`: 300000.
    pub(crate) static RULE = {
        code: "KP004",
        name: "short-delivery-timeout",
        title: "Records are dropped during an outage that a retry would survive",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: PRODUCERS,
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let timeout = judge.setting("delivery.timeout.ms");
    let Some(ms) = judge.int(&timeout) else { return };
    let librdkafka = judge.unit.component == Component::Librdkafka;
    if librdkafka && ms == 0 {
        return;
    }
    let wanted = judge.profile.thresholds.delivery_timeout_ms;
    if ms < wanted {
        hit(
            judge,
            &timeout,
            format!("records are dropped after {ms} ms; the profile wants {wanted} or more"),
            "A broker restart or a short network cut lasts longer than this. Every record that waits for it is dropped from the buffer, \
             and only a callback or future hears of it.",
        );
        return;
    }
    if timeout.given.is_none() {
        return;
    }
    // What is not written or not a number adds nothing: a sum that is too small never accuses.
    let number = |key| {
        judge
            .setting(key)
            .value
            .ok()
            .and_then(|v| v.parse::<i64>().ok())
            .unwrap_or(0)
    };
    let linger = number("linger.ms");
    let least = if librdkafka {
        linger.saturating_add(1)
    } else {
        linger.saturating_add(number("request.timeout.ms"))
    };
    if ms < least {
        hit(
            judge,
            &timeout,
            format!("{ms} ms are over before one request can be: linger and request time-out need {least}"),
            "The Java client refuses to start with this. librdkafka drops records that were never given a whole attempt.",
        );
    }
}

fn hit(judge: &mut Judge<'_>, timeout: &Setting<'_>, headline: String, story: &str) {
    let at = judge.at(timeout);
    judge.hit(
        at,
        Say {
            headline,
            label: "gives up too soon".to_owned(),
            story: story.to_owned(),
            fix: "delivery.timeout.ms=120000 or more (librdkafka: message.timeout.ms), longer than a planned fail-over"
                .to_owned(),
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::{found, found_under};

    #[test]
    fn too_short() {
        let file = "p.properties";
        assert_eq!(
            found("KP004", file, "delivery.timeout.ms=5000"),
            ["medium 1:1 delivery.timeout.ms=5000"]
        );
        assert_eq!(
            found("KP004", file, "message.timeout.ms=1000"),
            ["medium 1:1 message.timeout.ms=1000"]
        );
        assert_eq!(
            found("KP004", file, "delivery.timeout.ms=0"),
            ["medium 1:1 delivery.timeout.ms=0"]
        );
        assert_eq!(
            found(
                "KP004",
                file,
                "delivery.timeout.ms=60000\nrequest.timeout.ms=60000\nlinger.ms=5"
            ),
            ["medium 1:1 delivery.timeout.ms=60000"]
        );
        assert_eq!(
            found_under("finance", "KP004", file, "delivery.timeout.ms=60000"),
            ["high 1:1 delivery.timeout.ms=60000"]
        );
    }

    #[test]
    fn long_enough() {
        for text in [
            "delivery.timeout.ms=120000",
            "message.timeout.ms=0",
            "acks=all",
            "delivery.timeout.ms=30000",
        ] {
            assert!(found("KP004", "p.properties", text).is_empty(), "{text}");
        }
    }
}
