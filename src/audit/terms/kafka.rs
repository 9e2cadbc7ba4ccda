//! What tells a Kafka file's role and component, and what an absent key means to each.

use crate::audit::fact::{Component, Dialect};
use crate::audit::stated::Release;

/// Keys that only a broker or controller has.
pub(crate) const BROKER: [&str; 29] = [
    "advertised.listeners",
    "auto.create.topics.enable",
    "broker.id",
    "broker.rack",
    "controller.listener.names",
    "controller.quorum.bootstrap.servers",
    "controller.quorum.voters",
    "default.replication.factor",
    "inter.broker.listener.name",
    "listener.security.protocol.map",
    "log.cleanup.policy",
    "log.dir",
    "log.dirs",
    "log.flush.interval.messages",
    "log.retention.bytes",
    "log.retention.hours",
    "log.retention.ms",
    "log.segment.bytes",
    "metadata.log.dir",
    "min.insync.replicas",
    "node.id",
    "num.network.threads",
    "num.partitions",
    "num.replica.fetchers",
    "offsets.topic.replication.factor",
    "process.roles",
    "transaction.state.log.replication.factor",
    "unclean.leader.election.enable",
    "zookeeper.connect",
];

/// Of the broker's keys, those that people also write where they have no effect.
pub(crate) const BROKER_WEAK: [&str; 5] = [
    "auto.create.topics.enable",
    "default.replication.factor",
    "min.insync.replicas",
    "num.partitions",
    "unclean.leader.election.enable",
];

/// Keys that only a producer has. `retries` counts only beside brokers, because other programs have it too.
pub(crate) const PRODUCER: [&str; 31] = [
    "acks",
    "batch.num.messages",
    "batch.size",
    "buffer.memory",
    "compression.codec",
    "compression.type",
    "delivery.report.only.error",
    "delivery.timeout.ms",
    "dotnet.producer.enable.background.poll",
    "dotnet.producer.enable.delivery.reports",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "key.serializer",
    "linger.ms",
    "max.block.ms",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "max.request.size",
    "message.send.max.retries",
    "message.timeout.ms",
    "partitioner.class",
    "partitioner.ignore.keys",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.ms",
    "queuing.strategy",
    "request.required.acks",
    "sticky.partitioning.linger.ms",
    "transaction.timeout.ms",
    "transactional.id",
    "value.serializer",
];

/// Keys that only a consumer has.
pub(crate) const CONSUMER: [&str; 24] = [
    "auto.commit.enable",
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "consume.callback.max.messages",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "exclude.internal.topics",
    "fetch.max.wait.ms",
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "isolation.level",
    "key.deserializer",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "max.poll.records",
    "partition.assignment.strategy",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "session.timeout.ms",
    "value.deserializer",
];

/// Of the client keys, those too common elsewhere to tell anything when no broker address stands beside them.
pub(crate) const WEAK: [&str; 8] = [
    "batch.size",
    "compression.codec",
    "compression.type",
    "group.id",
    "max.in.flight",
    "max.request.size",
    "retries",
    "session.timeout.ms",
];

/// Keys that tell a Kafka client of either role.
pub(crate) const CLIENT: [&str; 2] = ["bootstrap.servers", "metadata.broker.list"];

/// Keys that only the Java client reads.
pub(crate) const JAVA_ONLY: [&str; 16] = [
    "buffer.memory",
    "interceptor.classes",
    "key.deserializer",
    "key.serializer",
    "max.block.ms",
    "max.poll.records",
    "max.request.size",
    "metric.reporters",
    "partitioner.class",
    "sasl.client.callback.handler.class",
    "sasl.jaas.config",
    "sasl.login.callback.handler.class",
    "ssl.truststore.location",
    "ssl.truststore.type",
    "value.deserializer",
    "value.serializer",
];

/// Keys that only librdkafka reads.
pub(crate) const LIBRDKAFKA_ONLY: [&str; 45] = [
    "api.version.request",
    "auto.commit.enable",
    "batch.num.messages",
    "broker.address.family",
    "broker.address.ttl",
    "broker.version.fallback",
    "builtin.features",
    "compression.codec",
    "consume.callback.max.messages",
    "delivery.report.only.error",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.partition.eof",
    "enable.random.seed",
    "enable.sasl.oauthbearer.unsecure.jwt",
    "enable.ssl.certificate.verification",
    "fetch.message.max.bytes",
    "fetch.wait.max.ms",
    "internal.termination.signal",
    "log.connection.close",
    "log.queue",
    "log_level",
    "max.in.flight",
    "message.copy.max.bytes",
    "message.send.max.retries",
    "message.timeout.ms",
    "metadata.broker.list",
    "plugin.library.paths",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.ms",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "queuing.strategy",
    "request.required.acks",
    "sasl.mechanisms",
    "sasl.password",
    "sasl.username",
    "socket.keepalive.enable",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "statistics.interval.ms",
    "sticky.partitioning.linger.ms",
    "topic.metadata.refresh.interval.ms",
];

/// Whether only librdkafka, in one of its languages, reads this key.
pub(crate) fn is_librdkafka_only(key: &str) -> bool {
    LIBRDKAFKA_ONLY.contains(&key) || key.starts_with("dotnet.") || key.starts_with("go.")
}

/// Other names that librdkafka takes for a key. The Java name is the one that rules ask for.
pub(crate) fn aliases(key: &str) -> &'static [&'static str] {
    match key {
        "acks" => &["request.required.acks"],
        "retries" => &["message.send.max.retries"],
        "delivery.timeout.ms" => &["message.timeout.ms"],
        "linger.ms" => &["queue.buffering.max.ms"],
        "max.in.flight.requests.per.connection" => &["max.in.flight"],
        "enable.auto.commit" => &["auto.commit.enable"],
        _ => &[],
    }
}

/// What an absent key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Default {
    /// The value.
    pub value: &'static str,
    /// Since when; `None` when it is the same in every version.
    pub since: Option<Change>,
}

/// The release in which a default became what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    /// The first release that has it.
    pub release: Release,
    /// What an absent key meant before; `None` when there was no such key.
    pub before: Option<&'static str>,
    /// Both, in words.
    pub words: &'static str,
}

const fn always(value: &'static str) -> Option<Default> {
    Some(Default { value, since: None })
}

const fn since(
    release: Release,
    value: &'static str,
    before: Option<&'static str>,
    words: &'static str,
) -> Option<Default> {
    Some(Default {
        value,
        since: Some(Change { release, before, words }),
    })
}

/// The default of a key in a component, from the configuration classes of Kafka 0.10 to 4.x and librdkafka's `CONFIGURATION.md`.
pub(crate) fn default(component: Component, dialect: Dialect, key: &str) -> Option<Default> {
    match component {
        Component::KafkaBroker | Component::AutoMq => broker_default(key),
        Component::KafkaClients => match key {
            "acks" => since(
                Release(3, 0, 0),
                "all",
                Some("1"),
                "kafka-clients 3.0 or later (1 before)",
            ),
            // 3.1.0 has the defect again; who states exactly that one is told by the rule.
            "enable.idempotence" => since(
                Release(3, 0, 1),
                "true",
                Some("false"),
                "kafka-clients 3.0.1, 3.1.1 or later (false before)",
            ),
            "retries" => since(
                Release(2, 1, 0),
                "2147483647",
                Some("0"),
                "kafka-clients 2.1 or later (0 before)",
            ),
            "delivery.timeout.ms" => since(
                Release(2, 1, 0),
                "120000",
                None,
                "kafka-clients 2.1 or later (no such limit before)",
            ),
            "request.timeout.ms" => always("30000"),
            // 5 from 4.0 on; the smaller one never makes a sum too large.
            "linger.ms" => always("0"),
            "max.block.ms" => always("60000"),
            "max.in.flight.requests.per.connection" => always("5"),
            "max.request.size" => always("1048576"),
            "transaction.timeout.ms" => always("60000"),
            "isolation.level" => always("read_uncommitted"),
            _ => consumer_default(key),
        },
        Component::Librdkafka => match key {
            "acks" => since(Release(1, 0, 0), "all", Some("1"), "librdkafka 1.0 or later (1 before)"),
            "enable.idempotence" => always("false"),
            "retries" => since(
                Release(1, 5, 2),
                "2147483647",
                Some("2"),
                "librdkafka 1.5.2 or later (2 before)",
            ),
            "delivery.timeout.ms" => always("300000"),
            "linger.ms" => always("5"),
            "max.in.flight.requests.per.connection" => always("1000000"),
            "max.request.size" => always("1000000"),
            "transaction.timeout.ms" => always("60000"),
            "isolation.level" => since(
                Release(1, 2, 0),
                "read_committed",
                Some("read_uncommitted"),
                "librdkafka 1.2 or later (read_uncommitted before)",
            ),
            "dotnet.producer.enable.delivery.reports" | "enable.auto.offset.store" => always("true"),
            _ => consumer_default(key),
        },
        // Where Java and librdkafka agree it does not matter which of them it is.
        Component::UnknownKafkaClient => match (dialect, key) {
            (_, "acks") => since(
                Release(3, 0, 0),
                "all",
                Some("1"),
                "kafka-clients 3.0 or librdkafka 1.0, or later (1 before)",
            ),
            (_, "retries") => since(
                Release(2, 1, 0),
                "2147483647",
                Some("0"),
                "kafka-clients 2.1 or librdkafka 1.5.2, or later (few or none before)",
            ),
            (_, "delivery.timeout.ms") => always("120000"),
            (_, "linger.ms") => always("0"),
            (_, "request.timeout.ms") => always("30000"),
            (_, "dotnet.producer.enable.delivery.reports") => always("true"),
            _ => consumer_default(key),
        },
        Component::RabbitMq
        | Component::RocketMq
        | Component::KafkaConnect
        | Component::KafkaStreams
        | Component::Application => None,
    }
}

fn broker_default(key: &str) -> Option<Default> {
    match key {
        "default.replication.factor" | "min.insync.replicas" => always("1"),
        "unclean.leader.election.enable" => since(
            Release(0, 11, 0),
            "false",
            Some("true"),
            "Kafka 0.11 or later (true before)",
        ),
        "auto.create.topics.enable" => always("true"),
        "offsets.topic.replication.factor"
        | "transaction.state.log.replication.factor"
        | "share.coordinator.state.topic.replication.factor"
        | "remote.log.metadata.topic.replication.factor" => always("3"),
        "transaction.state.log.min.isr" | "share.coordinator.state.topic.min.isr" => always("2"),
        "transaction.max.timeout.ms" => always("900000"),
        "offsets.retention.minutes" => since(
            Release(2, 0, 0),
            "10080",
            Some("1440"),
            "Kafka 2.0 or later (1440 before)",
        ),
        "log.retention.hours" => always("168"),
        "replica.lag.time.max.ms" => since(
            Release(2, 5, 0),
            "30000",
            Some("10000"),
            "Kafka 2.5 or later (10000 before)",
        ),
        "message.max.bytes" => since(
            Release(2, 5, 0),
            "1048588",
            Some("1000012"),
            "Kafka 2.5 or later (1000012 before)",
        ),
        _ => None,
    }
}

fn consumer_default(key: &str) -> Option<Default> {
    match key {
        "enable.auto.commit" => always("true"),
        "auto.offset.reset" => always("latest"),
        _ => None,
    }
}
