//! Client configurations. What decides the meaning of an answer is set here and cannot be overridden.

use super::oauth::{self, Tokens};
use super::security;
use crate::connect::{BrokerUrl, ClientProperties, Connection};
use crate::model::{Acks, How, Problem, Result};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use std::sync::Arc;

/// One topic of one cluster, with what is needed to connect.
#[derive(Debug, Clone)]
pub struct KafkaTarget {
    /// The cluster.
    pub broker: BrokerUrl,
    /// The topic.
    pub topic: String,
    /// The client's properties, secrets included.
    pub properties: ClientProperties,
    /// Where tokens come from, for SASL OAUTHBEARER.
    pub(super) tokens: Option<Arc<Tokens>>,
}

/// Bytes of one batch when it is decompressed; one that has more is not read, and its partition is not complete.
pub(super) const BATCH_CEILING_BYTES: usize = 256 << 20;
/// Bytes of one answer to a fetch. A broker brings more than was asked for when a single batch is larger.
pub(super) const FETCH_CEILING_BYTES: usize = 512 << 20;
/// Bytes that all connections of a scan may ask for at once, so that memory stays bounded.
pub(super) const FETCH_BYTES: usize = 24 << 20;
/// What one connection asks for at least and at most: less costs requests, more costs memory and no longer saves time.
pub(super) const LEAST_FETCH_BYTES: usize = 1 << 20;
/// See [`LEAST_FETCH_BYTES`].
pub(super) const MOST_FETCH_BYTES: usize = 4 << 20;

/// librdkafka's default of `message.max.bytes`.
const MESSAGE_BYTES: u32 = 1_000_000;
/// The largest message that librdkafka may be asked for; the topic's own limit is the broker's to enforce.
const LARGEST_MESSAGE_BYTES: &str = "100000000";

/// How long a transaction may stay open before the broker aborts it.
const TRANSACTION_MS: &str = "300000";

impl KafkaTarget {
    /// A topic of the cluster that a connection names.
    ///
    /// # Errors
    /// A usage problem when that cannot be the name of a topic (Kafka `Topic.validate`): it can only be a mistake.
    pub fn new(connection: &Connection, topic: &str) -> Result<KafkaTarget> {
        let legal = !topic.is_empty()
            && topic.len() <= 249
            && topic != "."
            && topic != ".."
            && topic.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if !legal {
            return Err(Problem::usage(format!("{topic:?} cannot be a Kafka topic"))
                .because("a topic name has 1 to 249 letters, digits, dots, dashes and underscores")
                .next("check -t"));
        }
        KafkaTarget::cluster(connection, topic)
    }

    /// The cluster itself, with any text for a topic that is not asked about.
    ///
    /// # Errors
    /// A usage problem when the security settings contradict each other.
    pub(super) fn cluster(connection: &Connection, topic: &str) -> Result<KafkaTarget> {
        let properties = connection.properties.clone();
        Ok(KafkaTarget {
            broker: connection.url.clone(),
            topic: topic.to_owned(),
            tokens: security::tokens(&properties)?,
            properties,
        })
    }

    /// The same cluster with another topic.
    pub fn with_topic(&self, topic: &str) -> KafkaTarget {
        KafkaTarget {
            topic: topic.to_owned(),
            ..self.clone()
        }
    }

    fn base(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("client.id", "mqsafe");
        // Found again fast: a person waits, and a broker that restarts is back in seconds.
        config.set("reconnect.backoff.max.ms", "1000");
        config.set("socket.connection.setup.timeout.ms", "10000");
        config.set("socket.keepalive.enable", "true");
        for (key, value) in self.properties.iter().filter(|(key, _)| !oauth::OWN.contains(key)) {
            config.set(key, value);
        }
        config.set("bootstrap.servers", self.broker.bootstrap());
        // A topic that does not exist must stay one that does not exist: a typo is not a place to send to.
        config.set("allow.auto.create.topics", "false");
        config.set_log_level(RDKafkaLogLevel::Info);
        config
    }

    /// Publishing with every guarantee that Kafka has, unless `how` asks for less. `batch_bytes` keeps a whole batch below the topic's limit, because a
    /// batch that is too large is refused as a whole.
    pub(super) fn producer(&self, batch_bytes: u32, one_by_one: bool, how: How) -> ClientConfig {
        let mut config = self.base();
        config.set("acks", how.acks.word());
        // Idempotence stands on all replicas. It keeps a lane's order over retries; without it only one request at a time does.
        config.set("enable.idempotence", (how.acks == Acks::All).to_string());
        if how.ordered && how.acks != Acks::All {
            config.set("max.in.flight.requests.per.connection", "1");
        }
        // The client retries for ever and in order; the deadlines are the pump's, because the spool keeps the message.
        config.set("message.timeout.ms", "0");
        config.set("queue.buffering.max.messages", "0");
        config.set("queue.buffering.max.kbytes", "2097151");
        config.set("message.max.bytes", LARGEST_MESSAGE_BYTES);
        config.set("batch.size", batch_bytes.to_string());
        if one_by_one {
            config.set("batch.num.messages", "1");
        }
        config
    }

    /// Publishing in transactions under this name.
    pub(super) fn transactor(&self, batch_bytes: u32, one_by_one: bool, name: &str) -> ClientConfig {
        let mut config = self.producer(batch_bytes, one_by_one, How::default());
        config.set("transactional.id", name);
        // A large input takes longer than librdkafka's minute. Brokers allow a quarter of an hour unless they are told otherwise.
        if self.properties.get("transaction.timeout.ms").is_none() {
            config.set("transaction.timeout.ms", TRANSACTION_MS);
        }
        config
    }

    /// Reading without a trace: own assignment, no commit, an offset that is gone is an error and not a jump.
    pub(super) fn consumer(&self, read_uncommitted: bool) -> ClientConfig {
        let mut config = self.reader();
        config.set("group.id", "mqsafe-reader");
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        config.set("auto.offset.reset", "error");
        config.set("enable.partition.eof", "true");
        config.set(
            "isolation.level",
            if read_uncommitted {
                "read_uncommitted"
            } else {
                "read_committed"
            },
        );
        config.set("check.crcs", "true");
        config.set("queued.max.messages.kbytes", "32768");
        config
    }

    /// Questions only.
    pub(super) fn asking(&self) -> ClientConfig {
        self.reader()
    }

    /// librdkafka wants `fetch.max.bytes` to be at least `message.max.bytes`; Java's file may ask for less, and means only that.
    fn reader(&self) -> ClientConfig {
        let mut config = self.base();
        let asked = self
            .properties
            .get("fetch.max.bytes")
            .and_then(|b| b.trim().parse::<u32>().ok());
        if let Some(bytes) = asked.filter(|bytes| *bytes < MESSAGE_BYTES) {
            config.set("message.max.bytes", bytes.max(1000).to_string());
        }
        config
    }
}

/// A client that refused its configuration: the property and its place are named, its value is not, because it may be a secret.
pub(super) fn refused(error: &KafkaError, properties: &ClientProperties) -> Problem {
    if let KafkaError::ClientConfig(_, reason, key, _) = error {
        let place = properties
            .origin(key)
            .map(|origin| format!(" ({origin})"))
            .unwrap_or_default();
        return Problem::usage(format!("the Kafka client refuses the property {key}{place}"))
            .because(properties.without_secrets(reason))
            .next("correct it there, or leave it out");
    }
    Problem::usage("the Kafka client cannot be made")
        .because(properties.without_secrets(&error.to_string()))
        .next("check the properties; `mqsafe context show --origin` shows where each comes from")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_replicas_come_with_idempotence() {
        let connection = Connection {
            url: BrokerUrl::parse("kafka://localhost:1").unwrap(),
            properties: ClientProperties::default(),
            management: None,
        };
        let target = KafkaTarget::new(&connection, "orders").unwrap();
        let settings = |acks, ordered| {
            let config = target.producer(
                1000,
                false,
                How {
                    acks,
                    ordered,
                    ..How::default()
                },
            );
            let get = |name: &str| config.get(name).unwrap_or("-").to_owned();
            [
                get("acks"),
                get("enable.idempotence"),
                get("max.in.flight.requests.per.connection"),
            ]
        };
        assert_eq!(settings(Acks::All, true), ["all", "true", "-"]);
        assert_eq!(settings(Acks::One, false), ["1", "false", "-"]);
        assert_eq!(settings(Acks::One, true), ["1", "false", "1"]);
        assert_eq!(settings(Acks::Zero, false), ["0", "false", "-"]);
    }
}
