//! KP001: a send counts as done before enough copies exist.

use super::PRODUCERS;
use crate::audit::judge::{Judge, Say};
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A producer with `acks=0` or `acks=1` (librdkafka: `request.required.acks`), written or by the default of the client.
    /// `-1` is another spelling of `all`.
    ///
    /// # How messages are lost
    /// With `0` a send counts as done once it is in the socket buffer: a broker that restarts, refuses the record or never gets it is
    /// not noticed. With `1` the leader answers before any follower has fetched the record; when it dies then, a follower without the
    /// record becomes leader, and what was acknowledged is gone. `min.insync.replicas` is not checked for either.
    ///
    /// # Instead
    /// `acks=all`, with `min.insync.replicas` of 2 or more on the topic.
    ///
    /// # Example
    /// `producer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// acks=1
    /// ```
    /// `producer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// acks=all
    /// ```
    ///
    /// # Source
    /// Kafka `ProducerConfig`; the default was `1` up to 2.8 and is `all` since 3.0 (KIP-679). librdkafka `CONFIGURATION.md`: `1` up to
    /// 0.11, `-1` since 1.0.
    pub(crate) static RULE = {
        code: "KP001",
        name: "acks-not-all",
        title: "The producer does not wait for the in-sync replicas",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &["acks-0"],
        applies: PRODUCERS,
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let acks = judge.setting("acks");
    let Some(value) = judge.text(&acks) else { return };
    let at = judge.at(&acks).safe("all");
    let fix = "acks=all, with min.insync.replicas of 2 or more on the topic".to_owned();
    match value.as_str() {
        "all" | "-1" => {}
        "0" => judge.hit_as(
            Some("acks-0"),
            at,
            Say {
                headline: "acks=0: the producer waits for no broker at all".to_owned(),
                label: "nobody confirms".to_owned(),
                story: "A send counts as done once it is in the socket buffer. A broker that restarts, refuses the record or never \
                        gets it is not noticed, and there is nothing left to retry."
                    .to_owned(),
                fix,
            },
        ),
        "1" => judge.hit(
            at,
            Say {
                headline: "acks=1: the leader alone confirms".to_owned(),
                label: "followers may not have it yet".to_owned(),
                story: "The leader answers before a follower has fetched the record. When it dies then, a follower without the record \
                        becomes leader, and a record that was confirmed is gone."
                    .to_owned(),
                fix,
            },
        ),
        _ => judge.undecided("`acks` is none of 0, 1, all and -1; the client or the broker refuses it"),
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::{found, found_under, undecided};

    #[test]
    fn weak_acks_are_found_under_all_their_names() {
        assert_eq!(found("KP001", "p.properties", "a=b\nacks = 1\n"), ["high 2:1 acks=1"]);
        assert_eq!(found("KP001", "p.properties", "acks=0"), ["critical 1:1 acks=0"]);
        assert_eq!(
            found("KP001", "p.properties", "request.required.acks=1"),
            ["high 1:1 request.required.acks=1"]
        );
        assert_eq!(found("KP001", "p.properties", "acks=all\nacks=1"), ["high 2:1 acks=1"]);
        assert_eq!(
            found_under("logs", "KP001", "p.properties", "acks=1"),
            ["low 1:1 acks=1"]
        );
    }

    #[test]
    fn strong_acks_and_todays_default_are_clean() {
        for text in [
            "acks=all",
            "acks=-1",
            "acks=1\nacks=all",
            "linger.ms=5",
            "message.timeout.ms=5",
        ] {
            assert!(found("KP001", "p.properties", text).is_empty(), "{text}");
            assert!(undecided("KP001", "p.properties", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        for text in ["acks=${ACKS}", "acks=2", "bootstrap.servers=a"] {
            assert_eq!(undecided("KP001", "p.conf", text).len(), 1, "{text}");
        }
    }
}
