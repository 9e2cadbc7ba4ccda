//! `--fix` writes a line where a key is absent, its safe value is known, and there is one place for it.

#![allow(clippy::unwrap_used)]

use crate::common::Setup;

/// Fixes a file as often as there is something to fix, and gives its text back.
fn fixed(name: &str, text: &str, args: &[&str]) -> String {
    let s = Setup::with(&[(name, text)]);
    let read = || std::fs::read_to_string(s.path().join(name)).unwrap();
    for _ in 0..4 {
        let before = read();
        s.run(&[&["--fix", name], args].concat());
        if read() == before {
            break;
        }
    }
    let (_, report) = s.json(&[&[name], args].concat());
    assert_eq!(report["errors"].as_array().unwrap().len(), 0, "{report:#}");
    read()
}

/// Whether a rule finds something.
fn finds(code: &str, name: &str, text: &str, args: &[&str]) -> bool {
    let s = Setup::with(&[(name, text)]);
    s.rules(&[&[name], args].concat()).iter().any(|c| c == code)
}

/// The lines that are added to a file, which otherwise keeps every byte; the rule is then satisfied.
fn added(code: &str, name: &str, text: &str, args: &[&str]) -> String {
    assert!(finds(code, name, text, args), "{code} finds nothing in {text}");
    let new = fixed(name, text, args);
    assert!(!finds(code, name, &new, args), "{code} still finds something in {new}");
    // What was there is still there, in order; the rest is what was added.
    let (mut old, mut out) = (text.split_inclusive('\n').peekable(), String::new());
    for line in new.split_inclusive('\n') {
        match old.peek() {
            Some(known) if *known == line || known.trim_end_matches('\n') == line.trim_end_matches('\n') => {
                old.next();
            }
            _ => out.push_str(line),
        }
    }
    assert_eq!(old.next(), None, "{new}");
    out
}

const OLD: &[&str] = &["--client", "java:2.8"];

#[test]
fn a_file_of_keys_and_values_gets_a_line_at_its_end() {
    let client = "# the shop\nbootstrap.servers=a:9092\nkey.serializer=x.StringSerializer\n";
    assert_eq!(
        added("KP001", "producer.properties", client, OLD),
        "acks=all\nenable.idempotence=true\n"
    );
    // The separator and the end of lines are those of the file, and a last line without an end gets one.
    let spaced = "bootstrap.servers = a:9092\r\nkey.serializer = x.StringSerializer\r\n";
    assert_eq!(
        added("KP001", "producer.properties", spaced, OLD),
        "acks = all\r\nenable.idempotence = true\r\n"
    );
    let open = client.trim_end();
    assert_eq!(
        fixed("producer.properties", open, OLD),
        format!("{open}\nacks=all\nenable.idempotence=true")
    );
}

#[test]
fn a_broker_with_three_copies_gets_two_in_sync() {
    let broker = "process.roles=broker\nnode.id=4\nlog.dirs=/data\ndefault.replication.factor=3\n";
    assert_eq!(
        added("KB002", "server.properties", broker, &[]),
        "min.insync.replicas=2\n"
    );
    // With one copy it would stop every write.
    let one = broker.replace("factor=3", "factor=1");
    assert_eq!(fixed("server.properties", &one, &[]), one);
}

#[test]
fn a_mapping_gets_a_line_beside_its_others() {
    let cluster = "apiVersion: kafka.strimzi.io/v1beta2\nkind: Kafka\nmetadata:\n  name: a\nspec:\n  kafka:\n    replicas: 3\n    config:\n      \
                   # copies\n      default.replication.factor: 3   # all\n    storage:\n      type: jbod\n";
    assert_eq!(
        added("KB002", "kafka.yaml", cluster, &[]),
        "      min.insync.replicas: 2\n"
    );
    let topic = "apiVersion: kafka.strimzi.io/v1beta2\nkind: KafkaTopic\nmetadata:\n  name: orders\nspec:\n  partitions: 3\n  replicas: 3\n  config:\n    \
                 min.insync.replicas: 1\n    retention.ms: 604800000\n";
    assert_eq!(
        fixed("topic.yaml", topic, &[]),
        topic.replace("replicas: 1\n", "replicas: 2\n")
    );
}

#[test]
fn a_compose_file_gets_variables_in_the_spelling_of_its_image() {
    let broker = |n: usize, own: &str| {
        format!(
            "  kafka-{n}:\n    image: confluentinc/cp-kafka:7.6.0\n    environment:\n{own}    volumes:\n      - d{n}:/var/lib/kafka/data\n"
        )
    };
    let mapping = |n: usize| {
        broker(
            n,
            &format!("      KAFKA_NODE_ID: {n}\n      KAFKA_ZOOKEEPER_CONNECT: z # the old way\n"),
        )
    };
    let list = |n: usize| {
        broker(
            n,
            &format!("      - KAFKA_NODE_ID={n}\n      - \"KAFKA_ZOOKEEPER_CONNECT=z\"\n"),
        )
    };
    let volumes = "volumes:\n  d1:\n  d2:\n  d3:\n";
    let file = |of: &dyn Fn(usize) -> String| format!("services:\n{}{}{}{volumes}", of(1), of(2), of(3));
    let in_mapping = added("KB001", "compose.yaml", &file(&mapping), &[]);
    assert_eq!(
        in_mapping,
        "      KAFKA_DEFAULT_REPLICATION_FACTOR: \"3\"\n      KAFKA_MIN_INSYNC_REPLICAS: \"2\"\n".repeat(3)
    );
    let in_list = added("KB001", "compose.yaml", &file(&list), &[]);
    assert_eq!(
        in_list,
        "      - \"KAFKA_DEFAULT_REPLICATION_FACTOR=3\"\n      - \"KAFKA_MIN_INSYNC_REPLICAS=2\"\n".repeat(3)
    );
}

#[test]
fn where_there_is_no_one_place_nothing_is_written() {
    let shared = "x-all: &all\n  KAFKA_ZOOKEEPER_CONNECT: z\nservices:\n  k1: &k\n    image: confluentinc/cp-kafka:7.6.0\n    environment:\n      <<: *all\n      \
                  KAFKA_BROKER_ID: 1\n  k2:\n    <<: *k\n    environment:\n      <<: *all\n      KAFKA_BROKER_ID: 2\n  k3:\n    <<: *k\n    environment:\n      \
                  <<: *all\n      KAFKA_BROKER_ID: 3\n";
    assert!(finds("KB001", "compose.yaml", shared, &[]));
    assert_eq!(fixed("compose.yaml", shared, &[]), shared);
    let continued = "bootstrap.servers=a:9092\nkey.serializer=x.\\";
    assert_eq!(fixed("producer.properties", continued, OLD), continued);
    let flow = "apiVersion: kafka.strimzi.io/v1beta2\nkind: Kafka\nmetadata: {name: a}\nspec:\n  kafka:\n    replicas: 3\n    config: \
                {default.replication.factor: 3}\n";
    assert!(finds("KB002", "kafka.yaml", flow, &[]));
    assert_eq!(fixed("kafka.yaml", flow, &[]), flow);
}

#[test]
fn a_diff_shows_what_would_be_added_and_changes_nothing() {
    let text = "process.roles=broker\nnode.id=4\nlog.dirs=/data\ndefault.replication.factor=3\n";
    let s = Setup::with(&[("server.properties", text)]);
    let diff = s.run(&["--diff", "server.properties"]).stdout;
    assert_eq!(
        diff,
        "--- server.properties\n+++ server.properties\n@@ -5,0 +5 @@ KB002\n+min.insync.replicas=2\n"
    );
    assert_eq!(
        std::fs::read_to_string(s.path().join("server.properties")).unwrap(),
        text
    );
}
