//! KP002: retries may write a record twice or out of order.

use super::PRODUCERS;
use crate::audit::fact::Component;
use crate::audit::judge::{Judge, Say};
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A producer without idempotence: `enable.idempotence=false`, librdkafka without `enable.idempotence=true`, or a Java producer that
    /// leaves the key out and sets `acks` below `all` or `retries=0`, which turns idempotence off with no more than a log line.
    ///
    /// # How messages are lost
    /// Not by itself. A retry after a lost answer writes the record again, and a later batch may overtake an earlier one, so a consumer
    /// that keeps the last value of a key may end on the older one. Transactions need idempotence.
    ///
    /// # Instead
    /// `enable.idempotence=true`, written out, so that a setting that contradicts it is an error at the start.
    ///
    /// # Example
    /// `producer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// acks=all
    /// enable.idempotence=false
    /// ```
    /// `producer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// acks=all
    /// enable.idempotence=true
    /// ```
    ///
    /// # Source
    /// Kafka `ProducerConfig.postProcessAndValidateIdempotenceConfigs`; off by default up to 2.8, and by a defect (KAFKA-13598) in 3.0.0
    /// and 3.1.0. librdkafka `CONFIGURATION.md`: off by default in every version.
    pub(crate) static RULE = {
        code: "KP002",
        name: "idempotence-off",
        title: "Retries may duplicate and reorder records",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: PRODUCERS,
        check: check,
    };
}

fn say(headline: String, label: &str) -> Say {
    Say {
        headline,
        label: label.to_owned(),
        story: "When the answer to a batch is lost, the retry writes it again; a later batch may land before an earlier one that is \
                retried. A consumer that keeps the last value of a key can end on the older value."
            .to_owned(),
        fix: "enable.idempotence=true, written out, with acks=all; a setting that contradicts it is then an error at the start".to_owned(),
    }
}

fn check(judge: &mut Judge<'_>) {
    let idempotence = judge.setting("enable.idempotence");
    if idempotence.given.is_none() && judge.unit.component == Component::KafkaClients {
        let silenced = [("acks", &["0", "1"][..]), ("retries", &["0"][..])]
            .into_iter()
            .find_map(|(key, values)| {
                let setting = judge.setting(key);
                let off = setting.given.is_some() && setting.value.as_deref().is_ok_and(|v| values.contains(&v));
                off.then_some(setting)
            });
        if let Some(setting) = silenced {
            let value = setting.value.clone().unwrap_or_default();
            let at = judge.at(&setting);
            judge.hit(
                at,
                say(
                    format!("{}={value} turns idempotence off silently", setting.key),
                    "turns idempotence off, which is not set",
                ),
            );
            return;
        }
    }
    let Some(on) = judge.truth(&idempotence) else { return };
    if on {
        return;
    }
    let at = match contradicts(judge) {
        false => judge.at(&idempotence).safe("true"),
        true => judge.at(&idempotence),
    };
    let headline = match idempotence.given {
        Some(_) => "idempotence is switched off".to_owned(),
        None => "enable.idempotence is not set, and librdkafka's default is off".to_owned(),
    };
    judge.hit(at, say(headline, "retries may duplicate and reorder"));
}

/// Whether another setting does not go together with idempotence, so that the client would refuse to start.
fn contradicts(judge: &Judge<'_>) -> bool {
    let given = |key: &'static str| {
        let setting = judge.setting(key);
        setting.given.map(|_| setting.value.unwrap_or_default())
    };
    let acks = given("acks").is_some_and(|v| !matches!(v.as_str(), "all" | "-1"));
    let retries = given("retries").is_some_and(|v| !v.parse::<i64>().is_ok_and(|n| n > 0));
    let flight = given("max.in.flight.requests.per.connection");
    acks || retries || flight.is_some_and(|v| !v.parse::<i64>().is_ok_and(|n| (1..=5).contains(&n)))
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::{found, found_under, undecided};

    #[test]
    fn off_by_word_by_default_and_by_another_key() {
        let file = "p.properties";
        assert_eq!(
            found("KP002", file, "enable.idempotence=false"),
            ["medium 1:1 enable.idempotence=false"]
        );
        assert_eq!(
            found("KP002", file, "message.timeout.ms=300000"),
            ["medium 1:1 enable.idempotence=(absent)"]
        );
        assert_eq!(found("KP002", file, "acks=1"), ["medium 1:1 acks=1"]);
        assert_eq!(found("KP002", file, "linger.ms=1\nretries=0"), ["medium 2:1 retries=0"]);
        assert!(found_under("logs", "KP002", file, "enable.idempotence=false").is_empty());
    }

    #[test]
    fn on_by_word_or_default() {
        for text in [
            "enable.idempotence=true\nacks=1",
            "acks=all",
            "message.timeout.ms=1\nenable.idempotence=true",
        ] {
            assert!(found("KP002", "p.properties", text).is_empty(), "{text}");
        }
        assert_eq!(
            undecided("KP002", "p.properties", "key.serializer=x\nmessage.timeout.ms=1").len(),
            1
        );
    }
}
