//! KB005: topics come into being by being named.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::{self, Role};
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A broker with `auto.create.topics.enable=true`, or without the key (`KB005/absent`); a client with
    /// `allow.auto.create.topics=true` written (`KB005/client`).
    ///
    /// # How messages are lost
    /// A slip in a name, or a consumer that is started before its topic is declared, creates it with the broker's default of copies,
    /// often one. Producers write there without an error; nobody reads the misspelt one, and retention deletes what is in it.
    ///
    /// # Instead
    /// `auto.create.topics.enable=false`, and topics that are declared with their copies.
    ///
    /// # Example
    /// `server.properties`, found:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// auto.create.topics.enable=true
    /// ```
    /// `server.properties`, clean:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// auto.create.topics.enable=false
    /// ```
    ///
    /// # Source
    /// Kafka `ServerLogConfigs`: true in every version. `ConsumerConfig`: true; librdkafka: false for consumers.
    pub(crate) static RULE = {
        code: "KB005",
        name: "auto-created-topics",
        title: "A misspelt topic is created, with the defaults of the broker",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["absent", "client"],
        applies: &[Role::KafkaBroker, Role::KafkaConsumer, Role::LibrdkafkaConsumer, Role::LibrdkafkaProducer],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    const STORY: &str = "A slip in a name, or a consumer that starts too early, creates a topic with the broker's default of copies. \
                         Producers write there without an error, and nobody reads it.";
    let is_broker = role::is(judge.unit, Role::KafkaBroker);
    if !is_broker {
        if let Some((setting, true)) = judge.written_truth("allow.auto.create.topics") {
            let at = judge.at(&setting);
            judge.hit_as(
                Some("client"),
                at,
                Say::new(
                    "the client asks the broker to create topics that it names",
                    "creates what is misspelt",
                    STORY,
                    "allow.auto.create.topics=false, and auto.create.topics.enable=false on the brokers",
                ),
            );
        }
        return;
    }
    let create = judge.setting("auto.create.topics.enable");
    let controller = judge.quiet("process.roles").is_some_and(|r| r.trim() == "controller");
    if create.given.is_none() && (judge.unit.fragment.is_some() || controller) {
        return;
    }
    if judge.truth(&create) != Some(true) {
        return;
    }
    let absent = create.given.is_none();
    let at = judge.at(&create);
    judge.hit_as(
        absent.then_some("absent"),
        at,
        Say::new(
            match absent {
                true => "auto.create.topics.enable is not set, and the default is true",
                false => "topics are created by being named",
            },
            "creates what is misspelt",
            STORY,
            "auto.create.topics.enable=false, and declare topics with their copies",
        ),
    );
}
