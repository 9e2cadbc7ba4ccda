//! Files as an enemy writes them: no panic, no escape sequence on a terminal, no endless work.

#![allow(clippy::unwrap_used)]

use crate::common::Setup;
use mqsafe::audit::fact::Dialect;
use mqsafe::audit::{Options, audit_bytes, registry};
use mqsafe::config::Profile;
use mqsafe::ui::emit;
use proptest::prelude::*;
use std::sync::LazyLock;

const BIDI: char = '\u{202e}';
const ESCAPE: char = '\x1b';

static FINANCE: LazyLock<Profile> = LazyLock::new(|| {
    Profile::built_in("finance", &registry::profile_names())
        .unwrap()
        .unwrap()
});

/// Bytes that are near enough to the dialects to get past recognition.
fn near_misses() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => proptest::collection::vec(any::<u8>(), 0..6),
        6 => proptest::sample::select(vec![
            "acks", "retries", "=", ":", "\n", "\r\n", "\\", "\\u00e9", "\\ud800", "0", "1", "-1", "all", "true", " ", "broker.id",
            "brokerRole", "flushDiskType", "SYNC_FLUSH", "inSyncReplicas", "group.id", "auto.offset.reset", "bootstrap.servers",
            "delivery.timeout.ms", "99999999999999999999", "\u{feff}", "{", "}", "[", "]", ",", "\"queues\"", "\"exchanges\"", "\"name\"",
            "\"durable\"", "false", "\"bindings\"", "\"source\"", "\"destination\"", "\"x\"", "process.roles", "broker,controller",
            "controller.quorum.voters", "password", "-----BEGIN", "${x}", "{% if %}", "KAFKA_BROKER_ID=", "export ", "\"connector.class\"", "broker:", "spring:", "kafka:", "services:", "image: apache/kafka", "- ", "&a ", "*a", "<<: ", "|\n", "apiVersion: v1\nkind: ", "resource \"kafka_topic\" \"x\" {", "\u{202e}", "\x1b[2J", "ż",
        ]).prop_map(|s| s.as_bytes().to_vec()),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_any_reader_or_format_panic(
        bytes in near_misses(),
        dialect in proptest::option::of(proptest::sample::select(Dialect::NAMED.to_vec())),
        name in proptest::sample::select(vec!["a.properties", "a.json", "a.conf", "a", "a.yaml", "a.tf", "rabbitmq.conf", "application.yml", "definitions.json", "producer.properties.j2", "kafka.env", "docker-compose.yml", "sink.json", "values.yaml", "broker.conf"]),
    ) {
        let report = audit_bytes(name, &bytes, &Options { dialect, ..Options::new(&FINANCE) });
        let full = emit::audit_full(&report, false, 80);
        prop_assert!(full.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", full);
        prop_assert!(!full.contains(BIDI));
        let json = emit::audit_json(&report);
        prop_assert!(!json.contains([BIDI, ESCAPE]));
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(read["findings"].as_array().unwrap().len(), report.findings.len());
        let count = report.findings.len();
        let sarif: serde_json::Value = serde_json::from_str(&emit::audit_sarif(&report)).unwrap();
        prop_assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), count);
        let gitlab: serde_json::Value = serde_json::from_str(&emit::audit_gitlab(&report)).unwrap();
        prop_assert_eq!(gitlab.as_array().unwrap().len(), count);
        for text in [emit::audit_concise(&report), emit::audit_github(&report)] {
            prop_assert_eq!(text.lines().count(), count);
        }
        let junit = emit::audit_junit(&report, mqsafe::config::Severity::Low);
        prop_assert_eq!(junit.matches("<failure ").count(), count);
        for text in [junit, emit::audit_markdown(&report), emit::audit_concise(&report), emit::audit_github(&report), emit::audit_diff(&report)] {
            prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", text);
            prop_assert!(!text.contains(BIDI));
        }
    }
}

#[test]
fn escape_sequences_and_bidi_do_not_get_through() {
    let s = Setup::new();
    s.write(
        "p.properties",
        "acks=1\\\n\nretries=0 \u{1b}[2J\u{9b}31m\u{202e}x\nmax.block.ms=0\u{7}\n".as_bytes(),
    );
    s.write(
        "d.json",
        "{\"queues\":[{\"name\":\"q\u{202e}\u{9b}\\u001b[2J\",\"vhost\":\"/\",\"durable\":false}]}".as_bytes(),
    );
    for format in ["full", "json"] {
        let ran = s.run(&["--format", format, "p.properties", "d.json"]);
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(['\x1b', '\u{9b}', '\u{202e}', '\x07']), "{text:?}");
        }
        assert_eq!(ran.code, 1);
    }
}

#[cfg(unix)]
#[test]
fn a_hostile_file_name_is_escaped() {
    let s = Setup::new();
    s.write("a\x1b[2J\n.properties", b"acks=1\n");
    let ran = s.run(&["."]);
    assert!(!ran.stdout.contains('\x1b') && !ran.stderr.contains('\x1b'));
    assert_eq!(ran.code, 1);
}

#[test]
fn depth_size_and_long_lines() {
    let s = Setup::new();
    s.write(
        "deep.json",
        format!("{{\"queues\":{}", "[".repeat(500_000))
            .replace("{\"queues\"", "{\"exchanges\":1,\"queues\"")
            .as_bytes(),
    );
    s.write("huge.properties", &vec![b'a'; 17 * 1024 * 1024]);
    s.write(
        "long.properties",
        format!(
            "client.id={}\nacks={}1\nretries=0{}\n",
            "x".repeat(3_000_000),
            " ".repeat(500_000),
            " ".repeat(500_000)
        )
        .as_bytes(),
    );
    let deep = s.run(&["deep.json"]);
    assert_eq!(deep.code, 3);
    assert!(deep.stderr.contains("nested deeper"), "{}", deep.stderr);
    let huge = s.run(&["huge.properties"]);
    assert_eq!(huge.code, 3);
    assert!(huge.stderr.contains("larger than 16 MiB"), "{}", huge.stderr);
    let long = s.run(&["long.properties"]);
    assert_eq!(long.code, 1);
    assert!(long.stdout.len() < 20_000, "{}", long.stdout.len());
}

#[test]
fn yaml_that_multiplies_or_digs_is_refused_in_good_time() {
    let mut bomb = "apiVersion: kafka.strimzi.io/v1\nkind: Kafka\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for i in 1..12 {
        let aliases = format!("*a{},", i - 1).repeat(10);
        bomb.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
    }
    let head = "apiVersion: kafka.strimzi.io/v1\nkind: Kafka\n";
    let merges: String = (1..200_000).map(|i| format!("s{i}: {{<<: *base}}\n")).collect();
    let keys: String = (0..300).map(|i| format!("  k{i}: 1\n")).collect();
    let texts = [
        ("bomb.yaml", bomb),
        ("deep.yaml", format!("{head}spec: {}", "[".repeat(300_000))),
        (
            "dug.yaml",
            format!(
                "{head}{}",
                (0..2_000).map(|i| format!("{}a:\n", " ".repeat(i))).collect::<String>()
            ),
        ),
        ("merged.yaml", format!("{head}base: &base\n{keys}{merges}")),
        (
            "bindings.yaml",
            (0..20_000).map(|i| format!("spring.cloud.stream.kafka.bindings.b{i}.producer.sync: false\n")).collect(),
        ),
        (
            "profiles.properties",
            (0..20_000).map(|i| format!("%p{i}.mp.messaging.outgoing.a.acks=0\n")).collect(),
        ),
        (
            "nested.yaml",
            (0..20_000)
                .map(|i| format!("---\napiVersion: v1\nkind: ConfigMap\ndata:\n  a.yaml: |\n    spring.kafka.producer.acks: {i}\n"))
                .collect(),
        ),
        ("many.yaml", format!("{head}{}", "- x\n".repeat(2_000_000))),
    ];
    let s = Setup::new();
    for (name, text) in texts {
        s.write(name, text.as_bytes());
        let started = std::time::Instant::now();
        let ran = s.run(&[name]);
        assert_eq!(ran.code, 3, "{name}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(&format!("cannot read {name}:")),
            "{name}: {}",
            ran.stderr
        );
        assert!(started.elapsed().as_secs() < 30, "{name}: {:?}", started.elapsed());
    }
}

#[test]
fn many_services_take_no_quadratic_time() {
    let services: String = (0..5_000)
        .map(|i| {
            format!(
                "  k{i}: {{image: apache/kafka, environment: {{KAFKA_CONTROLLER_QUORUM_VOTERS: '{i}@k{i}:9093'}}}}\n"
            )
        })
        .collect();
    let topics: String = (0..5_000)
        .map(|i| format!("kafka-topics --create --topic t{i} --replication-factor 3; "))
        .collect();
    let pools: String = (0..5_000)
        .map(|i| format!("---\napiVersion: kafka.strimzi.io/v1\nkind: KafkaNodePool\nmetadata: {{name: p{i}, labels: {{strimzi.io/cluster: c{i}}}}}\nspec: {{replicas: 1}}\n---\napiVersion: kafka.strimzi.io/v1\nkind: Kafka\nmetadata: {{name: c{i}}}\nspec: {{kafka: {{}}}}\n"))
        .collect();
    let s = Setup::new();
    s.write(
        "compose.yaml",
        format!("services:\n{services}  init: {{image: apache/kafka, command: \"{topics}\"}}\n").as_bytes(),
    );
    s.write("strimzi.yaml", pools.as_bytes());
    for name in ["compose.yaml", "strimzi.yaml"] {
        let started = std::time::Instant::now();
        assert_eq!(s.run(&["--format", "json", name]).code, 1);
        assert!(started.elapsed().as_secs() < 60, "{name}: {:?}", started.elapsed());
    }
}

#[test]
fn escape_sequences_in_yaml_and_terraform_do_not_get_through() {
    let s = Setup::new();
    s.write(
        "k.yaml",
        "apiVersion: kafka.strimzi.io/v1\nkind: KafkaTopic\nmetadata:\n  name: \"a\\x1b[2J\\u202e\"\nspec:\n  replicas: 1\n  config: {retention.ms: \"1\\e[31m\"}\n"
            .as_bytes(),
    );
    s.write(
        "t.tf",
        "resource \"kafka_topic\" \"a\" {\n  name = \"a\u{1b}[2J\u{202e}\"\n  replication_factor = 1\n}\n".as_bytes(),
    );
    for format in ["full", "json"] {
        let ran = s.run(&["--format", format, "k.yaml", "t.tf"]);
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(['\x1b', '\u{9b}', '\u{202e}', '\x07']), "{text:?}");
        }
        assert!(ran.stdout.contains("KT001"), "{}", ran.stdout);
    }
}

#[test]
fn many_objects_take_no_quadratic_time() {
    let s = Setup::new();
    let each = |f: &dyn Fn(usize) -> String| (0..30_000).map(f).collect::<Vec<_>>().join(",");
    let queues = each(&|i| format!("{{\"name\":\"dlq{i}\",\"vhost\":\"/\",\"durable\":true,\"type\":\"quorum\"}}"));
    let exchanges = each(&|i| format!("{{\"name\":\"x{i}\",\"vhost\":\"/\",\"durable\":true}}"));
    let bindings = each(&|i| {
        let next = i + 1;
        format!("{{\"source\":\"x{i}\",\"vhost\":\"/\",\"destination\":\"x{next}\",\"destination_type\":\"exchange\"}}")
    });
    s.write(
        "d.json",
        format!("{{\"queues\":[{queues}],\"exchanges\":[{exchanges}],\"bindings\":[{bindings}]}}").as_bytes(),
    );
    let started = std::time::Instant::now();
    let (_, report) = s.json(&["d.json"]);
    assert_eq!(report["errors"].as_array().unwrap().len(), 0);
    assert_eq!(report["files"].as_array().unwrap().len(), 1);
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

#[test]
fn many_findings_are_counted_and_not_all_listed() {
    let s = Setup::new();
    let lines: String = (0..20_000).map(|i| format!("flushDiskTypo{i}=x\n")).collect();
    s.write("broker.conf", format!("brokerName=a\n{lines}").as_bytes());
    s.write(
        "many.conf",
        format!("brokerName=a\n{}", "x\n".repeat(300_000)).as_bytes(),
    );
    let ran = s.run(&["broker.conf"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("10000 more findings of RMB007"), "{}", ran.stderr);
    let many = s.run(&["many.conf"]);
    assert_eq!(many.code, 3);
    assert!(many.stderr.contains("more settings than are read"), "{}", many.stderr);
}
