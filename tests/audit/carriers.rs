//! One setting, in every spelling that it has: what a rule finds in one carrier it must find in all of them.

#![allow(clippy::unwrap_used)]

use mqsafe::audit::rule::Evidence;
use mqsafe::audit::{Options, audit_bytes, registry};
use mqsafe::config::Profile;

/// Who reads a setting; each has carriers of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reads {
    Broker,
    Producer,
    Consumer,
    Topic,
    Worker,
    Connector,
    Streams,
    Queue,
    Node,
    Rocket,
    Application,
}

/// A rule, who reads, and the settings that are wrong: the first is the one that must be pointed at.
const SETTINGS: &[(&str, Reads, &[(&str, &str)])] = &[
    ("KP001", Reads::Producer, &[("acks", "1")]),
    ("KP002", Reads::Producer, &[("enable.idempotence", "false")]),
    ("KP003", Reads::Producer, &[("retries", "0")]),
    ("KP004", Reads::Producer, &[("delivery.timeout.ms", "5000")]),
    (
        "KP006",
        Reads::Producer,
        &[
            ("max.in.flight.requests.per.connection", "5"),
            ("enable.idempotence", "false"),
        ],
    ),
    ("KP007", Reads::Producer, &[("max.block.ms", "0")]),
    ("KB001", Reads::Broker, &[("default.replication.factor", "1")]),
    (
        "KB002",
        Reads::Broker,
        &[("min.insync.replicas", "1"), ("default.replication.factor", "3")],
    ),
    ("KB003", Reads::Broker, &[("unclean.leader.election.enable", "true")]),
    ("KB005", Reads::Broker, &[("auto.create.topics.enable", "true")]),
    (
        "KB006",
        Reads::Broker,
        &[
            ("offsets.topic.replication.factor", "1"),
            ("default.replication.factor", "3"),
        ],
    ),
    (
        "KB007",
        Reads::Broker,
        &[
            ("transaction.state.log.replication.factor", "1"),
            ("default.replication.factor", "3"),
        ],
    ),
    ("KB008", Reads::Broker, &[("log.retention.hours", "1")]),
    ("KB009", Reads::Broker, &[("offsets.retention.minutes", "60")]),
    ("KT001", Reads::Topic, &[("replication.factor", "1")]),
    (
        "KT002",
        Reads::Topic,
        &[("min.insync.replicas", "1"), ("replication.factor", "3")],
    ),
    (
        "KT003",
        Reads::Topic,
        &[("min.insync.replicas", "3"), ("replication.factor", "3")],
    ),
    (
        "KT004",
        Reads::Topic,
        &[("unclean.leader.election.enable", "true"), ("replication.factor", "3")],
    ),
    (
        "KT005",
        Reads::Topic,
        &[("retention.ms", "60000"), ("replication.factor", "3")],
    ),
    (
        "KT006",
        Reads::Topic,
        &[("cleanup.policy", "compact"), ("replication.factor", "3")],
    ),
    ("KC001", Reads::Consumer, &[("enable.auto.commit", "true")]),
    ("KC002", Reads::Consumer, &[("auto.offset.reset", "latest")]),
    ("KC005", Reads::Consumer, &[("isolation.level", "read_uncommitted")]),
    ("KC002", Reads::Streams, &[("auto.offset.reset", "latest")]),
    ("KX001", Reads::Connector, &[("errors.tolerance", "all")]),
    ("KX002", Reads::Worker, &[("offset.storage.replication.factor", "1")]),
    ("KX002", Reads::Streams, &[("replication.factor", "1")]),
    ("KX002", Reads::Connector, &[("producer.override.acks", "1")]),
    ("RQT001", Reads::Queue, &[("durable", "false")]),
    (
        "RQT002",
        Reads::Queue,
        &[("x-queue-type", "classic"), ("durable", "true")],
    ),
    ("RQT005", Reads::Queue, &[("x-max-length", "10"), ("durable", "true")]),
    (
        "RQT006",
        Reads::Queue,
        &[
            ("x-overflow", "reject-publish-dlx"),
            ("x-queue-type", "quorum"),
            ("durable", "true"),
        ],
    ),
    (
        "RQT007",
        Reads::Queue,
        &[("x-message-ttl", "1000"), ("durable", "true")],
    ),
    ("RQT008", Reads::Queue, &[("auto_delete", "true"), ("durable", "true")]),
    ("RQB001", Reads::Node, &[("cluster_partition_handling", "ignore")]),
    ("RQB003", Reads::Node, &[("disk_free_limit.absolute", "1MB")]),
    ("RQB004", Reads::Node, &[("vm_memory_high_watermark.relative", "0.95")]),
    ("RMB001", Reads::Rocket, &[("flushDiskType", "ASYNC_FLUSH")]),
    (
        "RMB002",
        Reads::Rocket,
        &[("brokerRole", "ASYNC_MASTER"), ("flushDiskType", "SYNC_FLUSH")],
    ),
    (
        "RMB003",
        Reads::Rocket,
        &[
            ("inSyncReplicas", "1"),
            ("brokerRole", "SYNC_MASTER"),
            ("totalReplicas", "2"),
        ],
    ),
    (
        "RMB006",
        Reads::Rocket,
        &[("transientStorePoolEnable", "true"), ("flushDiskType", "SYNC_FLUSH")],
    ),
    ("RMB007", Reads::Rocket, &[("flushDiskType", "sync_flush")]),
    (
        "RMB008",
        Reads::Rocket,
        &[("storePathRootDir", "/tmp/store"), ("flushDiskType", "SYNC_FLUSH")],
    ),
    (
        "RMB009",
        Reads::Rocket,
        &[("fileReservedTime", "1"), ("flushDiskType", "SYNC_FLUSH")],
    ),
    (
        "RMT001",
        Reads::Rocket,
        &[("autoCreateTopicEnable", "true"), ("flushDiskType", "SYNC_FLUSH")],
    ),
    (
        "RQP001",
        Reads::Application,
        &[("spring.rabbitmq.publisher-confirm-type", "none")],
    ),
    (
        "RQP002",
        Reads::Application,
        &[("spring.rabbitmq.template.mandatory", "false")],
    ),
    (
        "RQC001",
        Reads::Application,
        &[("spring.rabbitmq.listener.simple.acknowledge-mode", "none")],
    ),
    (
        "RQC002",
        Reads::Application,
        &[("spring.rabbitmq.listener.simple.default-requeue-rejected", "false")],
    ),
    (
        "RMP002",
        Reads::Application,
        &[
            ("rocketmq.producer.retry-next-server", "false"),
            ("rocketmq.producer.group", "g"),
        ],
    ),
    (
        "RMP003",
        Reads::Application,
        &[("rocketmq.producer.retry-times-when-send-failed", "0")],
    ),
];

fn lines(settings: &[(&str, &str)], line: impl Fn(&str, &str) -> String) -> String {
    settings.iter().map(|(k, v)| line(k, v)).collect()
}

fn variable(prefix: &str, key: &str) -> String {
    format!("{prefix}{}", key.to_uppercase().replace('.', "_"))
}

/// The same settings in files of every kind that this reader has.
fn carriers(reads: Reads, all: &[(&str, &str)]) -> Vec<(&'static str, String)> {
    let yaml = |indent: usize| lines(all, |k, v| format!("{:indent$}{k}: \"{v}\"\n", ""));
    let plain = lines(all, |k, v| format!("{k}={v}\n"));
    let strimzi = |kind: &str, spec: &str| {
        format!("apiVersion: kafka.strimzi.io/v1\nkind: {kind}\nmetadata:\n  name: x\nspec:\n{spec}")
    };
    let service = |image: &str, prefix: &str, more: &str| {
        let own = lines(all, |k, v| format!("      {}: \"{v}\"\n", variable(prefix, k)));
        format!("services:\n  a:\n    image: {image}\n    environment:\n{more}{own}")
    };
    match reads {
        Reads::Broker => vec![
            ("server.properties", format!("broker.id=1\nlisteners=a\n{plain}")),
            (
                "docker-compose.yml",
                format!(
                    "{}  b:\n    image: apache/kafka:4.1.0\n    environment:\n      KAFKA_NODE_ID: 2\n",
                    service("apache/kafka:4.1.0", "KAFKA_", "      KAFKA_NODE_ID: 1\n")
                ),
            ),
            (
                "compose.yaml",
                format!(
                    "{}  b:\n    image: bitnami/kafka:3.4\n    environment:\n      KAFKA_CFG_NODE_ID: 2\n",
                    service("bitnami/kafka:3.4", "KAFKA_CFG_", "")
                ),
            ),
            (
                "kafka.yaml",
                strimzi("Kafka", &format!("  kafka:\n    replicas: 3\n    config:\n{}", yaml(6))),
            ),
            (
                "kafka.env",
                lines(all, |k, v| format!("{}={v}\n", variable("KAFKA_", k))) + "KAFKA_NODE_ID=1\n",
            ),
            (
                "values.yaml",
                format!(
                    "kafka:\n  controller:\n    replicaCount: 3\n  overrideConfiguration:\n{}",
                    yaml(4)
                ),
            ),
        ],
        Reads::Producer => vec![
            (
                "producer.properties",
                format!("bootstrap.servers=a:1\nkey.serializer=s\n{plain}"),
            ),
            (
                "application.yml",
                format!(
                    "spring:\n  kafka:\n    producer:\n      properties:\n{}",
                    lines(all, |k, v| format!("        \"[{k}]\": \"{v}\"\n"))
                ),
            ),
            (
                "application.properties",
                lines(all, |k, v| format!("spring.kafka.producer.properties.{k}={v}\n")),
            ),
            (
                "microprofile-config.properties",
                format!(
                    "mp.messaging.outgoing.x.connector=smallrye-kafka\n{}",
                    lines(all, |k, v| format!("mp.messaging.outgoing.x.{k}={v}\n"))
                ),
            ),
            (
                "bridge.yaml",
                strimzi("KafkaBridge", &format!("  producer:\n    config:\n{}", yaml(6))),
            ),
        ],
        Reads::Consumer => vec![
            (
                "consumer.properties",
                format!("bootstrap.servers=a:1\ngroup.id=g\n{plain}"),
            ),
            (
                "application.yml",
                format!(
                    "spring:\n  kafka:\n    consumer:\n      group-id: g\n      properties:\n{}",
                    lines(all, |k, v| format!("        \"[{k}]\": \"{v}\"\n"))
                ),
            ),
            (
                "microprofile-config.properties",
                format!(
                    "mp.messaging.incoming.x.connector=smallrye-kafka\n{}",
                    lines(all, |k, v| format!("mp.messaging.incoming.x.{k}={v}\n"))
                ),
            ),
            (
                "bridge.yaml",
                strimzi("KafkaBridge", &format!("  consumer:\n    config:\n{}", yaml(6))),
            ),
        ],
        Reads::Topic => {
            let copies = all.iter().find(|(k, _)| *k == "replication.factor").unwrap().1;
            let rest: Vec<(&str, &str)> = all
                .iter()
                .copied()
                .filter(|(k, _)| *k != "replication.factor")
                .collect();
            let config = |indent: usize| lines(&rest, |k, v| format!("{:indent$}{k}: \"{v}\"\n", ""));
            vec![
                (
                    "topic.yaml",
                    strimzi(
                        "KafkaTopic",
                        &format!("  replicas: {copies}\n  partitions: 3\n  config:\n{}", config(4)),
                    ),
                ),
                (
                    "topics.tf",
                    format!(
                        "resource \"kafka_topic\" \"x\" {{\n  name = \"orders\"\n  replication_factor = {copies}\n  config = {{\n{}  }}\n}}\n",
                        lines(&rest, |k, v| format!("    \"{k}\" = \"{v}\"\n"))
                    ),
                ),
                (
                    "jikkou.yaml",
                    format!(
                        "apiVersion: kafka.jikkou.io/v1\nkind: KafkaTopic\nmetadata:\n  name: orders\nspec:\n  replicas: {copies}\n  configs:\n{}",
                        config(4)
                    ),
                ),
                (
                    "julie.yaml",
                    format!(
                        "context: c\nprojects:\n  - name: p\n    topics:\n      - name: orders\n        config:\n          replication.factor: \"{copies}\"\n{}",
                        config(10)
                    ),
                ),
                (
                    "docker-compose.yml",
                    format!(
                        "services:\n  init:\n    image: apache/kafka:4.1.0\n    command: kafka-topics.sh --create --topic orders --replication-factor {copies}{}\n",
                        lines(&rest, |k, v| format!(" --config {k}={v}"))
                    ),
                ),
            ]
        }
        Reads::Worker => vec![
            (
                "connect-distributed.properties",
                format!("bootstrap.servers=a:1\nkey.converter=c\n{plain}"),
            ),
            (
                "docker-compose.yml",
                service(
                    "confluentinc/cp-kafka-connect:7.6.0",
                    "CONNECT_",
                    "      CONNECT_GROUP_ID: g\n",
                ),
            ),
            (
                "connect.yaml",
                strimzi("KafkaConnect", &format!("  config:\n{}", yaml(4))),
            ),
        ],
        Reads::Connector => vec![
            (
                "sink.properties",
                format!("name=x\nconnector.class=io.example.Sink\n{plain}"),
            ),
            (
                "sink.json",
                format!(
                    "{{\"name\": \"x\", \"config\": {{{}\"connector.class\": \"io.example.Sink\"}}}}",
                    lines(all, |k, v| format!("\"{k}\": \"{v}\", "))
                ),
            ),
            (
                "sink.yaml",
                strimzi(
                    "KafkaConnector",
                    &format!("  class: io.example.Sink\n  config:\n{}", yaml(4)),
                ),
            ),
        ],
        Reads::Streams => vec![
            (
                "streams.properties",
                format!("application.id=x\nbootstrap.servers=a:1\n{plain}"),
            ),
            (
                "application.yml",
                format!(
                    "spring:\n  kafka:\n    streams:\n      application-id: x\n      properties:\n{}",
                    lines(all, |k, v| format!("        \"[{k}]\": \"{v}\"\n"))
                ),
            ),
            (
                "application.properties",
                format!(
                    "quarkus.kafka-streams.application-id=x\n{}",
                    lines(all, |k, v| format!("kafka-streams.{k}={v}\n"))
                ),
            ),
        ],
        Reads::Queue => {
            let is_argument = |k: &str| k.starts_with("x-");
            let json = |k: &str, v: &str| match v {
                "true" | "false" => format!("\"{k}\": {v}"),
                _ if v.parse::<i64>().is_ok() => format!("\"{k}\": {v}"),
                _ => format!("\"{k}\": \"{v}\""),
            };
            let part = |argument: bool, join: &str, line: &dyn Fn(&str, &str) -> String| {
                let own = all.iter().filter(|(k, _)| is_argument(k) == argument);
                own.map(|(k, v)| line(k, v)).collect::<Vec<_>>().join(join)
            };
            let camel = |k: &str| k.replace("auto_delete", "autoDelete");
            vec![
                (
                    "definitions.json",
                    format!(
                        "{{\"rabbit_version\": \"4.1.0\", \"vhosts\": [{{\"name\": \"/\"}}], \"bindings\": [], \"exchanges\": [], \"queues\": [{{\"name\": \"orders\", \"vhost\": \"/\", {}, \"arguments\": {{{}}}}}]}}",
                        part(false, ", ", &json),
                        part(true, ", ", &json)
                    ),
                ),
                (
                    "queues.tf",
                    format!(
                        "resource \"rabbitmq_queue\" \"x\" {{\n  name = \"orders\"\n  settings {{\n    {}\n    arguments_json = jsonencode({{\n{}\n    }})\n  }}\n}}\n",
                        part(false, "\n    ", &|k, v| format!("{k} = {v}")),
                        part(true, "\n", &|k, v| json(k, v).replacen(": ", " = ", 1))
                    ),
                ),
                (
                    "queue.yaml",
                    format!(
                        "apiVersion: rabbitmq.com/v1beta1\nkind: Queue\nmetadata:\n  name: x\nspec:\n  name: orders\n  {}\n  arguments:\n    none: 1\n{}\n",
                        part(false, "\n  ", &|k, v| format!("{}: {v}", camel(k))),
                        part(true, "\n", &|k, v| format!("    {k}: {v}"))
                    ),
                ),
            ]
        }
        Reads::Node => vec![
            (
                "rabbitmq.conf",
                format!(
                    "cluster_formation.peer_discovery_backend = classic_config\n{}",
                    lines(all, |k, v| format!("{k} = {v}\n"))
                ),
            ),
            (
                "cluster.yaml",
                format!(
                    "apiVersion: rabbitmq.com/v1beta1\nkind: RabbitmqCluster\nmetadata:\n  name: x\nspec:\n  replicas: 3\n  rabbitmq:\n    additionalConfig: |\n{}",
                    lines(all, |k, v| format!("      {k} = {v}\n"))
                ),
            ),
            (
                "values.yaml",
                format!(
                    "rabbitmq:\n  replicaCount: 3\n  clustering:\n    enabled: true\n  auth: {{}}\n  extraConfiguration: |\n{}",
                    lines(all, |k, v| format!("    {k} = {v}\n"))
                ),
            ),
        ],
        Reads::Rocket => vec![
            ("broker.conf", format!("brokerClusterName=c\nbrokerName=a\n{plain}")),
            (
                "config.yaml",
                format!(
                    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\ndata:\n  broker-common.conf: |\n    brokerClusterName=c\n{}",
                    lines(all, |k, v| format!("    {k}={v}\n"))
                ),
            ),
        ],
        Reads::Application => vec![
            ("application.properties", plain),
            ("application.yml", lines(all, |k, v| format!("{k}: \"{v}\"\n"))),
        ],
    }
}

#[test]
fn what_is_found_in_one_carrier_is_found_in_all() {
    let profile = Profile::built_in("finance", &registry::profile_names())
        .unwrap()
        .unwrap();
    let mut missed = Vec::new();
    for (rule, reads, settings) in SETTINGS {
        for (name, text) in carriers(*reads, settings) {
            let report = audit_bytes(name, text.as_bytes(), &Options::new(&profile));
            let value = settings[0].1;
            let hit = report
                .findings
                .iter()
                .any(|f| f.rule.code == *rule && f.value.as_deref().is_some_and(|v| v == value));
            if !hit {
                let found: Vec<_> = report
                    .findings
                    .iter()
                    .map(|f| format!("{} {}={:?}", f.rule.code, f.key, f.value))
                    .collect();
                missed.push(format!(
                    "{rule} in {name}: {found:?} {:?} {:?}\n{text}",
                    report.unrecognised, report.errors
                ));
            }
        }
    }
    assert!(missed.is_empty(), "{} missed\n{}", missed.len(), missed.join("\n"));
}

/// Rules of files that are not in the table: what they judge is no setting with a value of its own, or stands in one carrier alone.
const APART: &[&str] = &[
    "KB000", "KB004", "KB010", "KB011", "KB012", "KC003", "KC004", "KC006", "KC007", "KP005", "KP008", "KP009",
    "KT007", "KX003", "RMB004", "RMB005", "RMB010", "RMB011", "RMB012", "RMB013", "RMC001", "RMC002", "RMC003",
    "RMC004", "RMC005", "RMP001", "RMP004", "RMT002", "RQB002", "RQB005", "RQB006", "RQC003", "RQC004", "RQP003",
    "RQP004", "RQT003", "RQT004", "RQT009", "RQT010", "RQT011", "RQT012", "RQT013", "RQT014",
];

#[test]
fn no_rule_of_files_lacks_its_carriers() {
    for rule in registry::RULES
        .iter()
        .filter(|r| r.evidence.contains(&Evidence::File) && !r.code.starts_with("X-"))
    {
        let known = SETTINGS.iter().any(|(code, ..)| *code == rule.code);
        assert!(known != APART.contains(&rule.code), "{}", rule.code);
    }
    for (code, reads, settings) in SETTINGS {
        assert!(carriers(*reads, settings).len() > 1, "{code}");
    }
}
