//! How each container image turns environment variables into settings.

use super::sheet::{Item, Sheet};
use crate::audit::fact::Effect;
use crate::audit::terms::kafka;
use crate::text::Span;

/// Images that are told by their name, or by the variables that only they know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Image {
    /// `apache/kafka` and the broker images of Confluent: `KAFKA_`, `_` for `.`, `__` for `_`, `___` for `-`.
    Kafka,
    /// Bitnami's broker: `KAFKA_CFG_`, `_` for `.`; a few names without `CFG`.
    BitnamiKafka,
    /// wurstmeister, debezium, obsidiandynamics: `KAFKA_`, every `_` for `.`.
    PlainKafka,
    /// AutoMQ: settings come by command line and file.
    AutoMq,
    /// Strimzi's, outside of its operator: settings come by command line and file; no variable is one.
    Strimzi,
    /// Confluent's Connect: `CONNECT_`, as its broker.
    CpConnect,
    /// Debezium's Connect: `CONNECT_`, every `_` for `.`, and a few names of its own.
    DebeziumConnect,
    /// A RabbitMQ node.
    RabbitMq,
    /// RocketMQ: name server, broker, controller or proxy, by its command.
    RocketMq,
    /// Another program of a messaging system: registry, console, exporter.
    Companion,
}

/// One variable of a container's environment.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub name: String,
    /// `None` when it is taken from elsewhere.
    pub value: Option<String>,
    pub name_span: Span,
    pub value_span: Span,
}

/// What an image's name says; `tag` is what stands after the last colon.
pub(super) fn of_name(image: &str) -> Option<Image> {
    let path = repository(image).to_lowercase();
    let last = path.rsplit('/').next().unwrap_or(&path);
    let any = |names: &[&str]| names.contains(&last);
    if path.contains("bitnami") && last == "kafka" {
        return Some(Image::BitnamiKafka);
    }
    if any(&[
        "cp-kafka-connect",
        "cp-kafka-connect-base",
        "cp-server-connect",
        "cp-server-connect-base",
    ]) {
        return Some(Image::CpConnect);
    }
    if path.contains("debezium") && any(&["connect", "connect-base"]) {
        return Some(Image::DebeziumConnect);
    }
    if ["wurstmeister/kafka", "debezium/kafka", "obsidiandynamics/kafka"]
        .iter()
        .any(|n| path.ends_with(n))
    {
        return Some(Image::PlainKafka);
    }
    if path.ends_with("strimzi/kafka") {
        return Some(Image::Strimzi);
    }
    if path.contains("automq") && any(&["automq", "automq-kafka", "kafka"]) {
        return Some(Image::AutoMq);
    }
    if any(&[
        "cp-kafka",
        "cp-server",
        "cp-enterprise-kafka",
        "confluent-local",
        "confluent-server",
    ]) || path.ends_with("apache/kafka")
        || path.ends_with("apache/kafka-native")
    {
        return Some(Image::Kafka);
    }
    if is_rabbitmq(last) {
        return Some(Image::RabbitMq);
    }
    if last == "rocketmq"
        || path.contains("rocketmq") && any(&["rocketmq-broker", "broker", "namesrv", "rocketmq-namesrv"])
    {
        return Some(Image::RocketMq);
    }
    let companions = [
        "schema-registry",
        "ksqldb",
        "kafka-rest",
        "control-center",
        "kafka-ui",
        "akhq",
        "kafdrop",
        "kafka-exporter",
        "zookeeper",
        "kcat",
        "kafka-topics-ui",
        "redpanda-console",
        "rocketmq-dashboard",
        "rocketmq-console",
        "kafka-manager",
        "cmak",
    ];
    companions.iter().any(|c| last.contains(c)).then_some(Image::Companion)
}

/// Whether the last part of an image's name is that of a node: itself, one with plugins, or a house's own. What only speaks with one is
/// named after it too.
fn is_rabbitmq(last: &str) -> bool {
    const SPEAKS: [&str; 24] = [
        "api",
        "app",
        "backend",
        "cli",
        "client",
        "connector",
        "consumer",
        "demo",
        "exporter",
        "init",
        "listener",
        "operator",
        "perf",
        "processor",
        "producer",
        "publisher",
        "receiver",
        "scaler",
        "sender",
        "service",
        "subscriber",
        "test",
        "ui",
        "worker",
    ];
    let named = last == "rabbitmq" || last.starts_with("rabbitmq-") || last.ends_with("-rabbitmq");
    named && !last.split(['-', '_', '.']).any(|word| SPEAKS.contains(&word))
}

/// An image's name without its tag and digest.
fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rfind(':') {
        Some(at) if !image[at..].contains('/') => &image[..at],
        _ => image,
    }
}

/// The tag of an image.
fn tag(image: &str) -> Option<&str> {
    let image = image.split('@').next().unwrap_or(image);
    let at = image.rfind(':')?;
    let tag = image.get(at + 1..)?;
    (!tag.contains('/')).then_some(tag)
}

/// What an environment says when the image's name says nothing, as with a house's own image.
pub(super) fn of_environment(variables: &[Variable]) -> Option<Image> {
    let has = |name: &str| variables.iter().any(|v| v.name == name);
    let any_prefix = |prefix: &str| variables.iter().any(|v| v.name.starts_with(prefix));
    if any_prefix("KAFKA_CFG_") {
        return Some(Image::BitnamiKafka);
    }
    // Only wurstmeister's image and what is built like it make topics.
    if has("KAFKA_CREATE_TOPICS") && has("KAFKA_ZOOKEEPER_CONNECT") {
        return Some(Image::PlainKafka);
    }
    let broker = [
        "KAFKA_BROKER_ID",
        "KAFKA_NODE_ID",
        "KAFKA_PROCESS_ROLES",
        "KAFKA_ADVERTISED_LISTENERS",
        "KAFKA_ZOOKEEPER_CONNECT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
    ];
    if broker.iter().any(|name| has(name)) {
        return Some(Image::Kafka);
    }
    let worker = [
        "CONNECT_CONFIG_STORAGE_TOPIC",
        "CONNECT_OFFSET_STORAGE_TOPIC",
        "CONNECT_STATUS_STORAGE_TOPIC",
    ];
    if worker.iter().any(|name| has(name)) {
        return Some(Image::CpConnect);
    }
    None
}

/// The release of the component, as far as the tag tells.
pub(super) fn release(image: Image, name: &str) -> Option<(u16, u16, u16)> {
    let tag = tag(name)?;
    let tag = match image {
        // `2.13-2.8.1`: Scala first.
        Image::PlainKafka => tag.split_once('-').map_or(tag, |(_, kafka)| kafka),
        // `0.45.0-kafka-3.9.0`: the operator first.
        Image::Strimzi => tag.split_once("kafka-")?.1,
        _ => tag,
    };
    let (major, minor, patch) = numbers(tag)?;
    let confluent = ["cp-", "confluent-", "confluentinc"].iter().any(|c| name.contains(c));
    match image {
        Image::Kafka | Image::CpConnect if confluent => confluent_release(major, minor),
        Image::DebeziumConnect | Image::AutoMq | Image::Companion => None,
        Image::PlainKafka if name.contains("debezium") || name.contains("obsidiandynamics") => None,
        _ => Some((major, minor, patch)),
    }
}

/// `3.7.0-something` as numbers; a lone major number tells too little.
fn numbers(tag: &str) -> Option<(u16, u16, u16)> {
    let tag = tag.strip_prefix('v').unwrap_or(tag);
    let mut parts = tag.split(['.', '-', '_']).map(str::parse::<u16>);
    let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
    Some((major, minor, parts.next().and_then(Result::ok).unwrap_or(0)))
}

/// The release of Apache Kafka in a Confluent platform.
fn confluent_release(major: u16, minor: u16) -> Option<(u16, u16, u16)> {
    match (major, minor) {
        (3, 3) => Some((0, 11, 0)),
        (4, minor) => Some((1, minor, 0)),
        (5, minor) => Some((2, minor, 0)),
        (6, minor) => Some((2, minor.saturating_add(6), 0)),
        (7, minor) => Some((3, minor, 0)),
        (8, minor) => Some((4, minor, 0)),
        _ => None,
    }
}

/// `___` for `-`, `__` for `_`, `_` for `.`, in lower case.
pub(super) fn three_underscores(name: &str) -> String {
    name.to_lowercase()
        .replace("___", "-")
        .replace("__", "\u{0}")
        .replace('_', ".")
        .replace('\u{0}', "_")
}

/// Every `_` for `.`, in lower case.
fn dots(name: &str) -> String {
    name.to_lowercase().replace('_', ".")
}

/// Names that Bitnami's image also takes without `CFG`.
const BITNAMI_LEGACY: [&str; 15] = [
    "ADVERTISED_LISTENERS",
    "AUTO_CREATE_TOPICS_ENABLE",
    "BROKER_ID",
    "DEFAULT_REPLICATION_FACTOR",
    "LISTENERS",
    "LOG_DIRS",
    "LOG_FLUSH_INTERVAL_MESSAGES",
    "LOG_FLUSH_INTERVAL_MS",
    "LOG_RETENTION_BYTES",
    "LOG_RETENTION_HOURS",
    "NUM_PARTITIONS",
    "OFFSETS_TOPIC_REPLICATION_FACTOR",
    "TRANSACTION_STATE_LOG_MIN_ISR",
    "TRANSACTION_STATE_LOG_REPLICATION_FACTOR",
    "ZOOKEEPER_CONNECT",
];

/// The settings that an image makes of its variables, in the order of the file.
pub(super) fn settings(sheet: &Sheet<'_>, image: Image, variables: &[Variable]) -> Vec<Item> {
    variables.iter().filter_map(|v| setting(sheet, image, v)).collect()
}

fn setting(sheet: &Sheet<'_>, image: Image, variable: &Variable) -> Option<Item> {
    let name = variable.name.as_str();
    let (key, ignored) = match image {
        Image::Kafka => match name.strip_prefix("KAFKA_CFG_") {
            Some(rest) => (
                dots(rest),
                Some("this image knows no KAFKA_CFG_ variables; without CFG it takes it"),
            ),
            None => (three_underscores(name.strip_prefix("KAFKA_")?), None),
        },
        Image::PlainKafka => (dots(name.strip_prefix("KAFKA_")?), None),
        Image::BitnamiKafka => match name.strip_prefix("KAFKA_CFG_") {
            Some(rest) => (dots(rest), None),
            None => {
                let rest = name.strip_prefix("KAFKA_")?;
                let key = dots(rest);
                let known = kafka::BROKER.contains(&key.as_str());
                match BITNAMI_LEGACY.contains(&rest) {
                    true => (key, None),
                    false if known => (key, Some("this image ignores it without CFG after KAFKA_")),
                    false => return None,
                }
            }
        },
        Image::CpConnect => (three_underscores(name.strip_prefix("CONNECT_")?), None),
        Image::DebeziumConnect => match name {
            "BOOTSTRAP_SERVERS" => ("bootstrap.servers".to_owned(), None),
            "GROUP_ID" => ("group.id".to_owned(), None),
            "CONFIG_STORAGE_TOPIC" | "OFFSET_STORAGE_TOPIC" | "STATUS_STORAGE_TOPIC" => (dots(name), None),
            _ => (dots(name.strip_prefix("CONNECT_")?), None),
        },
        Image::AutoMq | Image::Strimzi | Image::RabbitMq | Image::RocketMq | Image::Companion => return None,
    };
    if matches!(key.as_str(), "opts" | "heap.opts" | "create.topics") {
        return None;
    }
    let mut item = match &variable.value {
        Some(value) => sheet.item(key, value, variable.name_span, variable.value_span),
        None => sheet.typed(
            key,
            crate::audit::fact::FactValue::Composite,
            variable.name_span,
            variable.value_span,
        ),
    };
    if let Some(why) = ignored {
        item.effect = Effect::Ignored { why };
    }
    Some(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images() {
        for (name, image) in [
            ("apache/kafka:3.7.0", Some(Image::Kafka)),
            ("confluentinc/cp-kafka", Some(Image::Kafka)),
            (
                "registry:5000/confluentinc/cp-kafka-connect:7.6.0",
                Some(Image::CpConnect),
            ),
            ("docker.io/bitnami/kafka:3.4", Some(Image::BitnamiKafka)),
            ("bitnamilegacy/kafka:3.4", Some(Image::BitnamiKafka)),
            ("wurstmeister/kafka:2.13-2.8.1", Some(Image::PlainKafka)),
            ("rabbitmq:4-management", Some(Image::RabbitMq)),
            ("apache/rocketmq:5.3.1", Some(Image::RocketMq)),
            ("confluentinc/cp-schema-registry:7.6.0", Some(Image::Companion)),
            ("quay.io/strimzi/kafka:0.45.0-kafka-3.9.0", Some(Image::Strimzi)),
            ("house/orders-rabbitmq:1", Some(Image::RabbitMq)),
            ("house/rabbitmq-delayed-message-exchange:3.13", Some(Image::RabbitMq)),
            ("house/rabbitmq-quickstart-producer:1", None),
            ("house/rabbitmq-exporter:1", None),
            ("postgres:16", None),
        ] {
            assert_eq!(of_name(name), image, "{name}");
        }
    }

    #[test]
    fn tags_tell_releases() {
        assert_eq!(release(Image::Kafka, "apache/kafka:3.7.1"), Some((3, 7, 1)));
        assert_eq!(release(Image::Kafka, "confluentinc/cp-kafka:7.6.0"), Some((3, 6, 0)));
        assert_eq!(release(Image::Kafka, "confluentinc/cp-kafka:5.5.1"), Some((2, 5, 0)));
        assert_eq!(
            release(Image::PlainKafka, "wurstmeister/kafka:2.13-2.8.1"),
            Some((2, 8, 1))
        );
        assert_eq!(release(Image::RabbitMq, "rabbitmq:3.13-management"), Some((3, 13, 0)));
        assert_eq!(
            release(Image::Strimzi, "quay.io/strimzi/kafka:0.45.0-kafka-3.9.0"),
            Some((3, 9, 0))
        );
        assert_eq!(release(Image::Strimzi, "quay.io/strimzi/kafka:latest"), None);
        assert_eq!(release(Image::Kafka, "apache/kafka:latest"), None);
        assert_eq!(release(Image::Kafka, "apache/kafka"), None);
    }

    #[test]
    fn spellings() {
        assert_eq!(three_underscores("MIN_INSYNC_REPLICAS"), "min.insync.replicas");
        assert_eq!(three_underscores("A__B___C_D"), "a_b-c.d");
        assert_eq!(dots("LOG_DIRS"), "log.dirs");
    }
}
