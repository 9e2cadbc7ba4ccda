//! Which files are judged, as what, and what is said of the others.

#![allow(clippy::unwrap_used)]

use crate::common::Setup;

#[test]
fn a_directory_is_walked_and_ignored_files_are_left_alone() {
    let s = Setup::with(&[
        (".gitignore", "generated/\n"),
        ("generated/p.properties", "acks=0\n"),
        ("app/p.properties", "acks=all\nenable.idempotence=true\n"),
        (
            "app/.hidden/server.properties.j2",
            "broker.id=1\ndefault.replication.factor=3\nmin.insync.replicas=2\nlog.dirs=/srv/kafka\nauto.create.topics.enable=false\nbroker.rack=a\n",
        ),
        ("app/log4j.properties", "log4j.rootLogger=INFO\n"),
        ("app/main.rs", "fn main() {}\n"),
        ("app/package.json", "{\"name\":\"x\"}\n"),
    ]);
    let (code, report) = s.json(&["."]);
    assert_eq!(code, 0, "{report:#}");
    let files: Vec<&str> = report["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["file"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["app/.hidden/server.properties.j2", "app/p.properties"]);
    assert_eq!((&report["passed"], &report["not_opened"]), (&2.into(), &2.into()));
    assert_eq!(report["unrecognised"].as_array().unwrap().len(), 0);
}

#[test]
fn a_file_is_judged_once_however_it_is_reached() {
    let s = Setup::with(&[("conf/p.properties", "acks=1\n")]);
    assert_eq!(
        s.rules(&["conf", "conf/p.properties", "./conf/../conf"]),
        ["KP001", "KP002"]
    );
}

#[cfg(unix)]
#[test]
fn a_mounted_config_map_is_read_through_its_links() {
    let s = Setup::with(&[("..data_1/p.properties", "acks=1\n")]);
    std::os::unix::fs::symlink("..data_1", s.path().join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/p.properties", s.path().join("p.properties")).unwrap();
    assert_eq!(s.rules(&["."]), ["KP001", "KP002"]);
}

#[test]
fn other_programs_files_are_named_and_not_judged() {
    let files = [
        (
            "registry.properties",
            "listeners=http://a\nkafkastore.bootstrap.servers=a\n",
        ),
        ("zookeeper.properties", "dataDir=/tmp\nclientPort=2181\n"),
        ("log4j.properties", "log4j.rootLogger=INFO\n"),
        ("compose.yaml", "services:\n  db:\n    image: postgres:16\n"),
        ("values.yaml", "acks: 0\n"),
        ("main.tf", "resource \"aws_s3_bucket\" \"kafka\" {}\n"),
        (
            "chart.yaml",
            "kind: x\n{{- if .Values.kafka }}\nname: {{ .Values.x }}\n{{- end }}\n",
        ),
        ("Main.java", "class Main {}\n"),
    ];
    let s = Setup::with(&files);
    for (name, _) in files {
        let (code, report) = s.json(&[name]);
        assert_eq!(code, 3, "{name}");
        assert_eq!(report["unrecognised"][0]["file"], name);
        assert!(
            report["unrecognised"][0]["reason"].as_str().unwrap().len() > 10,
            "{name}"
        );
        assert_eq!(report["files"].as_array().unwrap().len(), 0, "{name}");
    }
}

#[test]
fn a_template_that_decides_later_is_said_to_be_one() {
    let text = "apiVersion: v1\nkind: ConfigMap\ndata:\n  server.properties: |\n{{- if .Values.x }}\n    min.insync.replicas=1\n{{- end }}\n   x: y: z\n";
    let s = Setup::with(&[("templates/cm.yaml", text)]);
    let ran = s.run(&["templates"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("it is a template"), "{}", ran.stderr);
}

#[test]
fn files_of_known_kinds_that_cannot_be_parsed_are_errors_with_their_place() {
    let s = Setup::with(&[
        (
            "kafka.yaml",
            "apiVersion: kafka.strimzi.io/v1\nkind: Kafka\nspec:\n  kafka:\n   config: {\n",
        ),
        ("topics.tf", "resource \"kafka_topic\" \"a\" {\n  name = \"a\n}\n"),
        (
            "docker-compose.yml",
            "services:\n  k:\n    image: apache/kafka\n    environment:\n      KAFKA_NODE_ID: 1\n     X: 2\n",
        ),
        (
            "rabbitmq.conf",
            "listeners.tcp.default = 5672\ndisk_free_limit.absolute 1GB\n",
        ),
    ]);
    for (file, line) in [("kafka.yaml", "6:"), ("topics.tf", "2:"), ("docker-compose.yml", "6:")] {
        let ran = s.run(&[file]);
        assert_eq!(ran.code, 3, "{file}");
        assert!(
            ran.stderr.contains(&format!("cannot read {file}:{line}")),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_release_that_is_stated_decides_what_an_absent_key_means() {
    let s = Setup::with(&[(
        "p.properties",
        "bootstrap.servers=a\nkey.serializer=x\nenable.idempotence=true\n",
    )]);
    let acks = |args: &[&str]| {
        s.rules(&[&["p.properties"], args].concat())
            .contains(&"KP001".to_owned())
    };
    assert!(!acks(&[]));
    assert!(acks(&["--client", "java:2.8"]));
    assert!(!acks(&["--client", "java:3.7"]));
    assert!(!acks(&["--client", "librdkafka:0.11"]));
    for bad in [["--client", "java"], ["--client", "perl:1"], ["--kafka-version", "new"]] {
        assert_eq!(s.run(&[&["p.properties"], &bad[..]].concat()).code, 2, "{bad:?}");
    }
}

#[test]
fn a_lock_file_above_tells_the_release_of_the_client() {
    let s = Setup::with(&[
        ("old/.git/HEAD", ""),
        (
            "old/gradle.lockfile",
            "org.apache.kafka:kafka-clients:2.8.2=runtimeClasspath\n",
        ),
        (
            "old/src/p.properties",
            "bootstrap.servers=a\nkey.serializer=x\nenable.idempotence=true\n",
        ),
        ("new/.git/HEAD", ""),
        (
            "new/gradle.lockfile",
            "org.apache.kafka:kafka-clients:3.9.0=runtimeClasspath\n",
        ),
        (
            "new/src/p.properties",
            "bootstrap.servers=a\nkey.serializer=x\nenable.idempotence=true\n",
        ),
    ]);
    let acks = |args: &[&str]| s.rules(args).contains(&"KP001".to_owned());
    assert!(acks(&["old/src/p.properties"]));
    assert!(!acks(&["new/src/p.properties"]));
    assert!(!acks(&["old/src/p.properties", "--client", "java:3.7"]));
}

#[test]
fn a_declared_dialect_reads_yaml_too() {
    let s = Setup::with(&[
        ("acks.yaml", "producer:\n  x: 1\nacks: 1\n"),
        ("x.yaml", "min.insync.replicas: 1\n"),
    ]);
    assert!(
        s.rules(&["acks.yaml", "--dialect", "kafka-producer"])
            .contains(&"KP001".to_owned())
    );
    assert!(
        s.rules(&["x.yaml", "--dialect", "kafka-broker"])
            .contains(&"KB002".to_owned())
    );
}

#[test]
fn a_shared_client_file_is_judged_as_both() {
    let s = Setup::with(&[(
        "client.properties",
        "bootstrap.servers=a\nacks=1\ngroup.id=g\nenable.auto.commit=true\nauto.offset.reset=earliest\n",
    )]);
    let (_, report) = s.json(&["client.properties"]);
    assert_eq!(report["files"][0]["dialect"], "kafka-producer");
    assert_eq!(report["files"][1]["dialect"], "kafka-consumer");
    assert_eq!(s.rules(&["client.properties"]), ["KP001", "KP002", "KC001"]);
}

#[test]
fn an_unknown_role_is_told_with_the_rules_it_leaves_open() {
    let s = Setup::with(&[("client.properties", "bootstrap.servers=a\nsecurity.protocol=SSL\n")]);
    let (code, report) = s.json(&["client.properties"]);
    assert_eq!(code, 3);
    let open: Vec<&str> = report["undecided"]
        .as_array()
        .unwrap()
        .iter()
        .map(|u| u["rule"].as_str().unwrap())
        .collect();
    assert!(open.contains(&"KP001") && open.contains(&"KC002"), "{open:?}");
    assert_eq!(report["undecided"][0]["file"], "client.properties");
}

#[test]
fn a_declared_dialect_overrides_the_content() {
    let s = Setup::with(&[
        ("client.txt", "bootstrap.servers=a\n"),
        ("d.json", "{\"queues\":[{\"name\":\"q\",\"durable\":false}]}"),
    ]);
    let (_, report) = s.json(&["client.txt", "--dialect", "librdkafka-producer"]);
    assert_eq!(report["files"][0]["dialect"], "librdkafka-producer");
    assert_eq!(s.rules(&["client.txt", "--dialect", "librdkafka-producer"]), ["KP002"]);
    assert_eq!(
        s.rules(&["client.txt", "--dialect", "kafka-broker"]),
        ["KB001", "KB002", "KB004", "KB005"]
    );
    let declared = s.rules(&["d.json", "--dialect", "rabbitmq-definitions"]);
    assert!(declared.contains(&"RQT001".to_owned()), "{declared:?}");
    assert_eq!(s.rules(&["d.json"]), declared);
    assert_eq!(s.json(&["client.txt", "--dialect", "rabbitmq-definitions"]).0, 3);
}

#[test]
fn what_is_meant_to_be_a_dialect_and_cannot_be_read_is_an_error_with_its_place() {
    let s = Setup::with(&[
        ("p.properties", "acks=all\nclient.id=\\u00zz\n"),
        (
            "definitions.json",
            "{\n  \"queues\": [\n    {\"name\": \"q\",}\n  ]\n}\n",
        ),
    ]);
    let ran = s.run(&["p.properties", "definitions.json"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("p.properties:2:11"), "{}", ran.stderr);
    assert!(ran.stderr.contains("definitions.json:3:"), "{}", ran.stderr);
}

#[test]
fn the_last_of_two_equal_keys_counts_and_that_is_said() {
    let s = Setup::with(&[("p.properties", "acks=0\nenable.idempotence=true\nacks=all\n")]);
    let ran = s.run(&["p.properties"]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.stderr.contains("p.properties:1: `acks` is given again on line 3"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_key_that_comes_twice_in_one_object_is_said() {
    let s = Setup::with(&[(
        "d.json",
        "{\"rabbit_version\":\"4\",\"queues\":[{\"name\":\"q\",\n\"durable\":false,\n\"durable\":true}]}",
    )]);
    let ran = s.run(&["d.json"]);
    assert!(!ran.stdout.contains("RQT001"), "{}", ran.stdout);
    assert!(ran.stderr.contains("d.json:2: `durable` comes twice"), "{}", ran.stderr);
}
