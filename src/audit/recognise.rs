//! What a file is, by what it says. Its name decides only between producer and consumer, and only when nothing inside does.

use super::fact::{Component, Dialect};
use super::terms::kafka;
use crate::text::properties::Entry;
use std::collections::HashSet;

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Recognition {
    /// One or more dialects that are judged, with the component that reads each.
    Judged(Vec<(Dialect, Component)>),
    /// An application on a framework, whose names another reader knows.
    Framework,
    /// A program that hands settings under names of its own to the clients in it.
    Program(Program),
    /// About messaging, but of a kind that has no reader yet.
    NotYet(&'static str),
    /// Nothing says that it is about messaging.
    NotMessaging,
}

/// Programs that hold clients of Kafka and give them settings under a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// ksqlDB: Streams, and a worker of Connect where it has one.
    KsqlDb,
    /// The REST proxy: a producer and consumers.
    RestProxy,
    /// Control Center: Streams.
    ControlCenter,
}

impl Program {
    /// What it is called.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Program::KsqlDb => "ksqlDB",
            Program::RestProxy => "a Kafka REST proxy",
            Program::ControlCenter => "Confluent Control Center",
        }
    }

    /// The program of a file with these keys.
    fn of(keys: &HashSet<&str>) -> Option<Program> {
        [
            ("ksql.*", Program::KsqlDb),
            ("kafka.rest.*", Program::RestProxy),
            ("confluent.controlcenter.*", Program::ControlCenter),
        ]
        .into_iter()
        .find_map(|(sign, program)| matches_sign(keys, sign).then_some(program))
    }
}

/// Other programs' files, told by any one of these keys; a `*` at the end stands for the rest of a key.
const OTHER_PROGRAMS: [(&str, &[&str]); 7] = [
    (
        "a schema registry",
        &[
            "kafkastore.*",
            "schema.registry.group.id",
            "schema.registry.inter.instance.protocol",
        ],
    ),
    (
        "Cruise Control",
        &["capacity.config.file", "metric.sampler.class", "sample.store.class"],
    ),
    ("Debezium Server", &["debezium.*"]),
    ("JulieOps", &["topology.*"]),
    (
        "a RocketMQ broker container",
        &["brokerConfigPaths", "brokerContainerIP"],
    ),
    (
        "an Apache Pulsar broker",
        &[
            "managedLedgerDefaultEnsembleSize",
            "zookeeperServers",
            "metadataStoreUrl",
        ],
    ),
    (
        "a producer of the Scala client that Kafka removed in 2.0",
        &["producer.type", "serializer.class"],
    ),
];

/// Programs that are judged, told by any one of these keys, the first that matches.
const PROGRAMS: [(Dialect, Component, &[&str]); 5] = [
    (Dialect::KafkaConnector, Component::KafkaConnect, &["connector.class"]),
    (
        Dialect::KafkaConnect,
        Component::KafkaConnect,
        &[
            "key.converter",
            "value.converter",
            "offset.storage.topic",
            "offset.storage.file.filename",
            "config.storage.topic",
            "status.storage.topic",
            "plugin.path",
        ],
    ),
    (
        Dialect::KafkaMirror,
        Component::KafkaConnect,
        &["source.cluster.alias", "target.cluster.alias", "source->target.enabled"],
    ),
    (
        Dialect::KafkaStreams,
        Component::KafkaStreams,
        &[
            "application.id",
            "default.key.serde",
            "default.value.serde",
            "num.stream.threads",
            "processing.guarantee",
        ],
    ),
    (
        Dialect::RocketmqController,
        Component::RocketMq,
        &[
            "enableControllerInNamesrv",
            "controllerDLegerPeers",
            "controllerDLegerGroup",
            "controllerType",
            "kvConfigPath",
            "enableElectUncleanMaster",
        ],
    ),
];

/// Keys of `broker.conf` that no other program has, in lower case: a file whose author got the case wrong is still a broker's.
const ROCKETMQ: [&str; 16] = [
    "brokerclustername",
    "brokername",
    "brokerrole",
    "brokerip1",
    "brokerip2",
    "flushdisktype",
    "namesrvaddr",
    "filereservedtime",
    "storepathcommitlog",
    "storepathrootdir",
    "enabledlegercommitlog",
    "enablecontrollermode",
    "insyncreplicas",
    "totalreplicas",
    "halistenport",
    "allackinsyncstateset",
];

/// What a file of keys and values is.
pub(super) fn properties(entries: &[Entry], file_name: &str) -> Recognition {
    let keys: HashSet<&str> = entries.iter().map(|e| e.key.as_str()).collect();
    let has = |key: &str| keys.contains(key);
    let any = |list: &[&str]| list.iter().any(|k| has(k));
    let is_client = any(&kafka::CLIENT);
    if has("}") || has("})") || has("{") {
        return if is_client {
            Recognition::NotYet("a program with nested blocks")
        } else {
            Recognition::NotMessaging
        };
    }
    let sections = entries
        .iter()
        .any(|e| !e.has_separator && e.key.starts_with('[') && e.key.ends_with(']') && e.value.is_empty());
    if sections {
        return if is_client {
            Recognition::NotYet("a program with INI sections")
        } else {
            Recognition::NotMessaging
        };
    }
    if keys.iter().any(|k| super::read::is_framework_key(k)) {
        return Recognition::Framework;
    }
    if let Some(program) = Program::of(&keys) {
        return Recognition::Program(program);
    }
    self::keys(&keys, file_name)
}

/// What a set of keys is.
pub(super) fn keys(keys: &HashSet<&str>, file_name: &str) -> Recognition {
    let has = |key: &str| keys.contains(key);
    let any = |list: &[&str]| list.iter().any(|k| has(k));
    let is_client = any(&kafka::CLIENT);
    let modern = has("key.serializer") || is_client && !has("metadata.broker.list");
    if let Some(program) = Program::of(keys) {
        return Recognition::NotYet(program.name());
    }
    for (what, signs) in OTHER_PROGRAMS {
        let is_scala = what.contains("Scala");
        if !(is_scala && modern) && signs.iter().any(|sign| matches_sign(keys, sign)) {
            return Recognition::NotYet(what);
        }
    }
    if keys.iter().any(|k| k.contains("->")) && has("clusters") {
        return Recognition::Judged(vec![(Dialect::KafkaMirror, Component::KafkaConnect)]);
    }
    // A broker of RocketMQ may run its controller itself, and then has that one's keys too.
    let rocketmq_broker = any(&["brokerName", "brokerRole", "flushDiskType", "storePathCommitLog"]);
    for (dialect, component, signs) in PROGRAMS {
        let skip = dialect == Dialect::RocketmqController && rocketmq_broker;
        if !skip && signs.iter().any(|sign| matches_sign(keys, sign)) {
            return Recognition::Judged(vec![(dialect, component)]);
        }
    }
    if has("dataDir") && (has("clientPort") || has("tickTime") || has("secureClientPort")) {
        return Recognition::NotYet("ZooKeeper");
    }
    if keys.iter().any(|k| ROCKETMQ.contains(&k.to_ascii_lowercase().as_str())) {
        return Recognition::Judged(vec![(Dialect::RocketmqBroker, Component::RocketMq)]);
    }
    if has("zookeeper.connect")
        && has("group.id")
        && !any(&["bootstrap.servers", "broker.id", "log.dirs", "log.dir", "listeners"])
    {
        return Recognition::NotYet("a consumer of the Scala client that Kafka removed in 2.0");
    }
    let strong = kafka::BROKER.iter().any(|k| has(k) && !kafka::BROKER_WEAK.contains(k));
    // Producers' files are full of topic settings that have no effect there.
    let clients = is_client
        || kafka::PRODUCER
            .iter()
            .chain(&kafka::CONSUMER)
            .any(|k| has(k) && !kafka::WEAK.contains(k));
    let decisive = any(&["broker.id", "node.id", "process.roles", "log.dirs"]);
    if decisive || (strong && !is_client) || (any(&kafka::BROKER) && !clients) {
        let automq = keys
            .iter()
            .any(|k| k.starts_with("elasticstream.") || k.starts_with("s3.wal.") || *k == "s3.data.buckets");
        let component = if automq {
            Component::AutoMq
        } else {
            Component::KafkaBroker
        };
        return Recognition::Judged(vec![(Dialect::KafkaBroker, component)]);
    }
    client(keys, is_client, file_name)
}

fn matches_sign(keys: &HashSet<&str>, sign: &str) -> bool {
    match sign.strip_suffix('*') {
        Some(prefix) => keys.iter().any(|k| k.starts_with(prefix)),
        None => keys.contains(sign),
    }
}

fn client(keys: &HashSet<&str>, is_client: bool, file_name: &str) -> Recognition {
    let counts = |key: &&str| keys.contains(*key) && (is_client || !kafka::WEAK.contains(key));
    let mut producer = kafka::PRODUCER.iter().any(counts) || is_client && keys.contains("retries");
    let mut consumer = kafka::CONSUMER.iter().any(counts);
    if !producer && !consumer {
        if !is_client {
            return Recognition::NotMessaging;
        }
        let name = file_name.to_lowercase();
        producer = name.contains("producer");
        consumer = name.contains("consumer");
    }
    let component = client_component(keys);
    let librdkafka = component == Component::Librdkafka;
    let mut roles = Vec::new();
    if producer {
        roles.push(if librdkafka {
            Dialect::LibrdkafkaProducer
        } else {
            Dialect::KafkaProducer
        });
    }
    if consumer {
        roles.push(if librdkafka {
            Dialect::LibrdkafkaConsumer
        } else {
            Dialect::KafkaConsumer
        });
    }
    if roles.is_empty() {
        roles.push(Dialect::KafkaClient);
    }
    Recognition::Judged(roles.into_iter().map(|role| (role, component)).collect())
}

/// A `.properties` file is Java's unless a key says otherwise.
fn client_component(keys: &HashSet<&str>) -> Component {
    let java = keys.iter().any(|k| kafka::JAVA_ONLY.contains(k));
    // The Scala client had this name too, and it is left over in many a file of the Java client.
    let left_over = |k: &str| java && k == "compression.codec";
    let librdkafka = keys.iter().any(|k| kafka::is_librdkafka_only(k) && !left_over(k));
    match (java, librdkafka) {
        (_, false) => Component::KafkaClients,
        (false, true) => Component::Librdkafka,
        (true, true) => Component::UnknownKafkaClient,
    }
}

/// The component of a dialect that was declared and not recognised.
pub(super) fn component_of(dialect: Dialect) -> Component {
    match dialect {
        Dialect::KafkaBroker => Component::KafkaBroker,
        Dialect::KafkaProducer | Dialect::KafkaConsumer => Component::KafkaClients,
        Dialect::LibrdkafkaProducer | Dialect::LibrdkafkaConsumer => Component::Librdkafka,
        Dialect::KafkaClient => Component::UnknownKafkaClient,
        Dialect::RabbitmqDefinitions => Component::RabbitMq,
        Dialect::RocketmqBroker => Component::RocketMq,
        Dialect::KafkaTopics | Dialect::KafkaNodePool => Component::KafkaBroker,
        Dialect::KafkaConnect | Dialect::KafkaConnector | Dialect::KafkaMirror => Component::KafkaConnect,
        Dialect::KafkaStreams => Component::KafkaStreams,
        Dialect::RabbitmqConf => Component::RabbitMq,
        Dialect::RocketmqController | Dialect::RocketmqTopics => Component::RocketMq,
        Dialect::Application => Component::Application,
    }
}

/// Names that the top level of RabbitMQ's definitions has.
const DEFINITIONS: [&str; 8] = [
    "queues",
    "exchanges",
    "bindings",
    "vhosts",
    "rabbit_version",
    "rabbitmq_version",
    "permissions",
    "policies",
];

/// How much bytes look like RabbitMQ's definitions: how many names of its top level stand in them.
pub(super) fn definitions_names(bytes: &[u8]) -> usize {
    DEFINITIONS
        .iter()
        .filter(|name| contains(bytes, &format!("\"{name}\"")))
        .count()
}

/// Whether a parsed object is RabbitMQ's definitions: the names and the shapes.
pub(super) fn is_definitions(root: &crate::text::json::Object<'_>) -> bool {
    use crate::text::json::get;
    let version = ["rabbit_version", "rabbitmq_version"]
        .iter()
        .any(|k| get(root, k).is_some());
    let list = |key: &str| get(root, key).and_then(|p| p.value.as_array());
    let named = |key: &str| {
        list(key).is_some_and(|a| {
            let first = a.elements.first().and_then(|v| v.as_object());
            first
                .is_some_and(|o| get(o, "name").is_some() && (get(o, "vhost").is_some() || get(o, "durable").is_some()))
        })
    };
    let bound = list("bindings").is_some_and(|a| {
        let first = a.elements.first().and_then(|v| v.as_object());
        first.is_some_and(|o| get(o, "source").is_some() && get(o, "destination").is_some())
    });
    // Queues are often left to applications, and only policies are given.
    let ruled = list("policies").is_some_and(|a| {
        let first = a.elements.first().and_then(|v| v.as_object());
        first.is_some_and(|o| {
            ["name", "vhost", "pattern", "definition"]
                .iter()
                .all(|k| get(o, k).is_some())
        })
    });
    let lists = ["queues", "exchanges", "bindings", "vhosts", "policies"]
        .iter()
        .filter(|k| list(k).is_some())
        .count();
    (version && lists >= 1) || named("queues") || named("exchanges") || bound || ruled || lists >= 3
}

fn contains(bytes: &[u8], what: &str) -> bool {
    let what = what.as_bytes();
    bytes.windows(what.len()).any(|w| w == what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{SourceFile, properties as lexer};

    fn recognise(text: &str) -> Recognition {
        let entries = lexer::parse(&SourceFile::new(text.as_bytes().to_vec())).entries;
        properties(&entries, "some.properties")
    }

    fn dialects(text: &str) -> Vec<&'static str> {
        match recognise(text) {
            Recognition::Judged(all) => all.into_iter().map(|(d, _)| d.name()).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn the_dialects() {
        assert_eq!(dialects("broker.id=0\nlisteners=x"), ["kafka-broker"]);
        assert_eq!(dialects("acks=all"), ["kafka-producer"]);
        assert_eq!(dialects("bootstrap.servers=a\ngroup.id=g"), ["kafka-consumer"]);
        assert_eq!(
            dialects("acks=1\nkey.serializer=x\nauto.offset.reset=latest"),
            ["kafka-producer", "kafka-consumer"]
        );
        assert_eq!(
            dialects("metadata.broker.list=a\nrequest.required.acks=1"),
            ["librdkafka-producer"]
        );
        assert_eq!(
            dialects("group.id=a\nenable.auto.offset.store=false"),
            ["librdkafka-consumer"]
        );
        assert_eq!(dialects("bootstrap.servers=a\nsecurity.protocol=SSL"), ["kafka-client"]);
        assert_eq!(
            dialects("bootstrap.servers=a\ngroup.id=c\nkey.converter=x"),
            ["kafka-connect"]
        );
        assert_eq!(
            dialects("name=x\nconnector.class=y\nkey.converter=z"),
            ["kafka-connector"]
        );
        assert_eq!(
            dialects("clusters=A, B\nA.bootstrap.servers=a\nA->B.enabled=true"),
            ["kafka-mirrormaker"]
        );
        assert_eq!(dialects("bootstrap.servers=a\napplication.id=x"), ["kafka-streams"]);
        assert_eq!(
            dialects("listenPort=9876\nenableControllerInNamesrv=true"),
            ["rocketmq-controller"]
        );
        assert_eq!(recognise("spring.kafka.producer.acks=1"), Recognition::Framework);
        assert_eq!(dialects("brokername=a\nflushdisktype=SYNC_FLUSH"), ["rocketmq-broker"]);
        assert_eq!(
            properties(
                &lexer::parse(&SourceFile::new(b"bootstrap.servers=a".to_vec())).entries,
                "my-Producer.properties"
            ),
            Recognition::Judged(vec![(Dialect::KafkaProducer, Component::KafkaClients)])
        );
    }

    #[test]
    fn what_only_looks_alike() {
        for (text, what) in [
            ("dataDir=/tmp\nclientPort=2181", "ZooKeeper"),
            ("listeners=http://a\nkafkastore.bootstrap.servers=a", "schema registry"),
            (
                "metadata.broker.list=a\nproducer.type=async\nrequest.required.acks=0",
                "Scala",
            ),
            ("zookeeper.connect=a\ngroup.id=g", "Scala"),
            ("listenPort=1\nnamesrvAddr=a\nbrokerConfigPaths=x", "container"),
            ("[default]\nbootstrap.servers=a\n[consumer]\ngroup.id=g", "INI"),
        ] {
            assert!(
                matches!(recognise(text), Recognition::NotYet(w) if w.contains(what)),
                "{text}: {:?}",
                recognise(text)
            );
        }
        assert_eq!(dialects("acks=all\nmin.insync.replicas=2"), ["kafka-producer"]);
        assert_eq!(dialects("min.insync.replicas=2"), ["kafka-broker"]);
        assert_eq!(dialects("broker.id=1\nbootstrap.servers=a"), ["kafka-broker"]);
        for text in [
            "log4j.rootLogger=INFO, stdout\nlog4j.appender.stdout=x",
            "greeting=Hello\ngroup.id=Gruppe",
            "",
            "topology {\n a = 1\n}",
            "retries=3\ntimeout=5",
        ] {
            assert_eq!(recognise(text), Recognition::NotMessaging, "{text}");
        }
    }
}
