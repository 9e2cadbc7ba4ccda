//! Rules that join files, over files as people keep them; and what is said of releases.

#![allow(clippy::unwrap_used)]

use crate::common::Setup;

const PRODUCER: &str = "bootstrap.servers=a:9092\nkey.serializer=x\nacks=1\n";
const BROKER: &str = "broker.id=1\nlog.dirs=/srv/kafka\ndefault.replication.factor=3\nmin.insync.replicas=2\n";

fn found(s: &Setup, args: &[&str]) -> Vec<String> {
    let (_, report) = s.json(args);
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|f| {
            let related = f["related"].as_array().unwrap().first();
            let other = related.map_or("", |r| r["file"].as_str().unwrap());
            format!(
                "{} {} {other}",
                f["rule"].as_str().unwrap(),
                f["file"].as_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn a_producer_meets_its_broker_and_no_other() {
    let s = Setup::with(&[
        ("shop/apps/orders/producer.properties", PRODUCER),
        ("shop/infra/server.properties", BROKER),
        ("other/producer.properties", PRODUCER),
        ("other/server.properties", "broker.id=1\nlog.dirs=/srv/kafka\n"),
    ]);
    let joined = found(&s, &["."]);
    assert!(
        joined.contains(&"X-K02 shop/apps/orders/producer.properties shop/infra/server.properties".to_owned()),
        "{joined:?}"
    );
    assert!(!joined.iter().any(|f| f.starts_with("X-K02 other")), "{joined:?}");
    // Alone the producer has nothing to be joined with.
    assert!(!found(&s, &["shop/apps"]).iter().any(|f| f.starts_with("X-")));
}

#[test]
fn a_rejecting_consumer_meets_queues_without_dead_letters() {
    let queue = |arguments: &str| {
        format!(
            "{{\"rabbit_version\":\"4.1.0\",\"policies\":[],\"exchanges\":[],\"bindings\":[],\"queues\":[{{\"name\":\"orders\",\"vhost\":\"/\",\
             \"durable\":true,\"arguments\":{{\"x-queue-type\":\"quorum\"{arguments}}}}}]}}"
        )
    };
    let application = "spring:\n  rabbitmq:\n    publisher-confirm-type: correlated\n    publisher-returns: true\n    listener:\n      simple:\n        default-requeue-rejected: false\n";
    let s = Setup::with(&[
        ("src/application.yml", application),
        ("ops/definitions.json", &queue("")),
    ]);
    let joined = found(&s, &["."]);
    assert!(
        joined.contains(&"X-R04 src/application.yml ops/definitions.json".to_owned()),
        "{joined:?}"
    );
    assert!(!joined.iter().any(|f| f.starts_with("RQC002")), "{joined:?}");
    let alone = found(&s, &["src"]);
    assert!(
        alone.iter().any(|f| f.starts_with("RQC002")) && !alone.iter().any(|f| f.starts_with("X-")),
        "{alone:?}"
    );
    s.write(
        "ops/definitions.json",
        queue(",\"x-dead-letter-exchange\":\"amq.fanout\"").as_bytes(),
    );
    assert!(!found(&s, &["."]).iter().any(|f| f.starts_with("X-R04")));
}

#[test]
fn what_is_said_of_releases_decides() {
    let policy = "{\"rabbitmq_version\":\"\",\"queues\":[],\"bindings\":[],\"policies\":[{\"vhost\":\"/\",\"name\":\"ha\",\"pattern\":\".*\",\
                  \"definition\":{\"ha-mode\":\"all\",\"ha-sync-mode\":\"automatic\",\"ha-promote-on-failure\":\"when-synced\"}}]}";
    let s = Setup::with(&[
        ("definitions.json", policy),
        (
            "producer.properties",
            "bootstrap.servers=a\nkey.serializer=x\nenable.idempotence=true\n",
        ),
    ]);
    let mirrored = |args: &[&str]| found(&s, args).iter().any(|f| f.starts_with("RQT003"));
    assert!(mirrored(&["definitions.json", "--rabbitmq-version", "4.1"]));
    assert!(!mirrored(&["definitions.json", "--rabbitmq-version", "3.13"]));
    let weak = |args: &[&str]| found(&s, args).iter().any(|f| f.starts_with("KP001"));
    assert!(weak(&["producer.properties", "--client", "java:2.8"]));
    assert!(!weak(&["producer.properties", "--client", "java:3.7"]));
    assert_eq!(s.run(&["producer.properties", "--rocketmq-version", "five"]).code, 2);
}

#[test]
fn one_broker_is_told_once_unless_everything_is_asked_for() {
    let s = Setup::with(&[(
        "compose.yaml",
        "services:\n  kafka:\n    image: apache/kafka:4.1.0\n    environment:\n      KAFKA_NODE_ID: 1\n      KAFKA_LOG_DIRS: /var/lib/kafka/data\n      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false'\n    volumes: ['data:/var/lib/kafka/data']\nvolumes: {data: }\n",
    )]);
    assert_eq!(s.rules(&["compose.yaml"]), ["KB000"]);
    let all = s.rules(&["compose.yaml", "--pedantic"]);
    assert!(
        all.contains(&"KB001".to_owned()) && all.contains(&"KB002".to_owned()),
        "{all:?}"
    );
}
