//! What each property of a Java client means to the clients here.
//!
//! Sources: Kafka 4.1 `CommonClientConfigs`, `SslConfigs`, `SaslConfigs`, `ProducerConfig`, `ConsumerConfig`; librdkafka 2.12
//! CONFIGURATION.md. A name that is not here goes to librdkafka as it is, which refuses what it does not know.

/// What becomes of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// The same thing under another name.
    As(&'static str),
    /// Read together with others, by `translate`.
    Part,
    /// It means nothing here, and this is why.
    Ignored(&'static str),
    /// It changes what is sent or how, and cannot be done here; this is what to do instead.
    Refused(&'static str),
}

use Word::{As, Ignored, Part, Refused};

const NO_GROUP: &str = "mqsafe joins no group";
const BYTES: &str = "keys and values are bytes here";
const METRICS: &str = "there are no metrics here";
const OWN: &str = "the command sets it itself";
const JVM: &str = "it is about the Java virtual machine";
const MEMORY: &str = "buffers are bounded by the command";
const LOGIN: &str = "tokens are renewed by mqsafe's own rules";
const BROKER_SIDE: &str = "it is about the checks of a broker";
const PLUGIN: &str = "leave it out if the connection works without it; mqsafe runs no Java classes";

/// Names that only Java clients know; one of them marks a file as Java's.
const JAVA: &[(&str, Word)] = &[
    ("sasl.jaas.config", Part),
    ("ssl.truststore.location", Part),
    ("ssl.truststore.type", Part),
    ("ssl.truststore.password", Part),
    ("ssl.truststore.certificates", Part),
    ("ssl.keystore.type", Part),
    ("ssl.keystore.key", Part),
    ("ssl.keystore.certificate.chain", Part),
    ("ssl.enabled.protocols", Part),
    ("ssl.protocol", Part),
    ("sasl.login.callback.handler.class", Part),
    (
        "sasl.oauthbearer.client.credentials.client.id",
        As("sasl.oauthbearer.client.id"),
    ),
    (
        "sasl.oauthbearer.client.credentials.client.secret",
        As("sasl.oauthbearer.client.secret"),
    ),
    ("sasl.oauthbearer.jwt.retriever.class", Part),
    ("sasl.oauthbearer.jwt.validator.class", Ignored(BROKER_SIDE)),
    ("sasl.oauthbearer.header.urlencode", Part),
    ("sasl.oauthbearer.scope.claim.name", Ignored(BROKER_SIDE)),
    ("sasl.oauthbearer.clock.skew.seconds", Ignored(BROKER_SIDE)),
    ("sasl.oauthbearer.expected.audience", Ignored(BROKER_SIDE)),
    ("sasl.oauthbearer.expected.issuer", Ignored(BROKER_SIDE)),
    ("sasl.oauthbearer.jwks.endpoint.url", Ignored(BROKER_SIDE)),
    ("sasl.oauthbearer.jwks.endpoint.refresh.ms", Ignored(BROKER_SIDE)),
    ("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Ignored(BROKER_SIDE)),
    (
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
        Ignored(BROKER_SIDE),
    ),
    ("sasl.login.connect.timeout.ms", Ignored(LOGIN)),
    ("sasl.login.read.timeout.ms", Ignored(LOGIN)),
    ("sasl.login.retry.backoff.ms", Ignored(LOGIN)),
    ("sasl.login.retry.backoff.max.ms", Ignored(LOGIN)),
    ("sasl.login.refresh.buffer.seconds", Ignored(LOGIN)),
    ("sasl.login.refresh.min.period.seconds", Ignored(LOGIN)),
    ("sasl.login.refresh.window.factor", Ignored(LOGIN)),
    ("sasl.login.refresh.window.jitter", Ignored(LOGIN)),
    ("sasl.kerberos.ticket.renew.jitter", Ignored(LOGIN)),
    ("sasl.kerberos.ticket.renew.window.factor", Ignored(LOGIN)),
    ("ssl.provider", Ignored(JVM)),
    ("ssl.secure.random.implementation", Ignored(JVM)),
    ("ssl.keymanager.algorithm", Ignored(JVM)),
    ("ssl.trustmanager.algorithm", Ignored(JVM)),
    ("security.providers", Ignored(JVM)),
    ("key.serializer", Ignored(BYTES)),
    ("value.serializer", Ignored(BYTES)),
    ("key.deserializer", Ignored(BYTES)),
    ("value.deserializer", Ignored(BYTES)),
    ("metric.reporters", Ignored(METRICS)),
    ("metrics.num.samples", Ignored(METRICS)),
    ("metrics.recording.level", Ignored(METRICS)),
    ("metrics.sample.window.ms", Ignored(METRICS)),
    ("auto.include.jmx.reporter", Ignored(METRICS)),
    ("buffer.memory", Ignored(MEMORY)),
    ("max.request.size", Ignored(MEMORY)),
    ("max.block.ms", Ignored(OWN)),
    (
        "partitioner.class",
        Ignored("mqsafe chooses the partition as Java's default does"),
    ),
    (
        "partitioner.ignore.keys",
        Ignored("mqsafe chooses the partition as Java's default does"),
    ),
    (
        "partitioner.adaptive.partitioning.enable",
        Ignored("mqsafe chooses the partition as Java's default does"),
    ),
    (
        "partitioner.availability.timeout.ms",
        Ignored("mqsafe chooses the partition as Java's default does"),
    ),
    ("transaction.timeout.ms", Ignored("mqsafe opens no transaction")),
    (
        "transaction.two.phase.commit.enable",
        Ignored("mqsafe opens no transaction"),
    ),
    (
        "compression.gzip.level",
        Ignored("the level of compression is the client's own"),
    ),
    (
        "compression.lz4.level",
        Ignored("the level of compression is the client's own"),
    ),
    (
        "compression.zstd.level",
        Ignored("the level of compression is the client's own"),
    ),
    ("metadata.max.idle.ms", Ignored(OWN)),
    ("metadata.recovery.rebootstrap.trigger.ms", Ignored(OWN)),
    ("default.api.timeout.ms", Ignored(OWN)),
    ("socket.connection.setup.timeout.max.ms", Ignored(OWN)),
    ("send.buffer.bytes", As("socket.send.buffer.bytes")),
    ("receive.buffer.bytes", As("socket.receive.buffer.bytes")),
    ("max.poll.records", Ignored(NO_GROUP)),
    ("exclude.internal.topics", Ignored(NO_GROUP)),
    ("group.remote.assignor", Ignored(NO_GROUP)),
    ("share.acknowledgement.mode", Ignored(NO_GROUP)),
    ("fetch.max.wait.ms", As("fetch.wait.max.ms")),
    ("interceptor.classes", Refused(PLUGIN)),
    ("ssl.engine.factory.class", Refused(PLUGIN)),
    ("security.protocol.provider", Refused(PLUGIN)),
    ("sasl.client.callback.handler.class", Refused(PLUGIN)),
    ("sasl.login.class", Refused(PLUGIN)),
    (
        "config.providers",
        Refused("write the value itself, or give it with -X KEY=@FILE or -X KEY=env:NAME"),
    ),
    ("sasl.kerberos.kinit.cmd", Refused("run kinit before, and leave it out")),
    ("sasl.kerberos.min.time.before.relogin", Ignored(LOGIN)),
];

/// Names that both sides know, and that need more than to be passed on.
const BOTH: &[(&str, Word)] = &[
    ("ssl.keystore.location", Part),
    ("ssl.keystore.password", Part),
    ("ssl.endpoint.identification.algorithm", Part),
    ("ssl.cipher.suites", Part),
    ("ssl.ca.pem", Part),
    ("ssl.certificate.pem", Part),
    ("ssl.key.pem", Part),
    ("request.timeout.ms", Part),
    ("client.dns.lookup", Part),
    ("sasl.oauthbearer.method", Part),
    ("sasl.mechanism", As("sasl.mechanisms")),
    ("max.poll.interval.ms", Ignored(NO_GROUP)),
    ("session.timeout.ms", Ignored(NO_GROUP)),
    ("heartbeat.interval.ms", Ignored(NO_GROUP)),
    ("auto.commit.interval.ms", Ignored(NO_GROUP)),
    ("group.instance.id", Ignored(NO_GROUP)),
    ("group.protocol", Ignored(NO_GROUP)),
    ("partition.assignment.strategy", Ignored(NO_GROUP)),
    ("enable.metrics.push", Ignored(METRICS)),
];

/// Names that only librdkafka knows; one of them marks a file as librdkafka's, when no Java name is in it.
const LIBRDKAFKA: &[&str] = &[
    "metadata.broker.list",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.key.location",
    "ssl.key.pem",
    "enable.ssl.certificate.verification",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.method",
    "debug",
    "broker.address.family",
    "socket.keepalive.enable",
    "queue.buffering.max.ms",
    "request.required.acks",
    "api.version.request",
    "statistics.interval.ms",
];

/// What is known of a property.
pub(super) fn word(key: &str) -> Option<Word> {
    JAVA.iter()
        .chain(BOTH)
        .find(|(name, _)| *name == key)
        .map(|(_, word)| *word)
}

/// Whether only Java clients have this property.
pub(super) fn is_java(key: &str) -> bool {
    JAVA.iter().any(|(name, _)| *name == key)
}

/// Whether only librdkafka has this property.
pub(super) fn is_librdkafka(key: &str) -> bool {
    LIBRDKAFKA.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_stands_once() {
        let mut seen = BTreeSet::new();
        for (name, _) in JAVA.iter().chain(BOTH) {
            assert!(seen.insert(name), "{name}");
            assert!(!is_librdkafka(name) || !is_java(name), "{name}");
        }
    }
}
