//! `audit` of the running cluster: exact lists of findings, what may not be read, drift, and what one death would lose.
//!
//! The cluster of the tests is weak in three ways on purpose: it creates topics by name, its brokers name no rack, and its data may lie
//! in a directory for temporary files. Each list of findings is whole, so it holds those too.

use crate::cluster::{self, Cluster, eventually};
use crate::support;
use crate::tool::{Case, Done, run};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A topic with fewer than three replicas, for which other tests would wait. It goes with the test, also when that fails.
struct Weak<'a> {
    cluster: &'a Cluster,
    name: String,
}

impl<'a> Weak<'a> {
    fn new(cluster: &'a Cluster, name: &str, partitions: i32, replicas: i32, settings: &[(&str, &str)]) -> Weak<'a> {
        cluster.make_weak_topic(name, partitions, replicas, settings);
        Weak {
            cluster,
            name: name.to_owned(),
        }
    }
}

impl<'a> Weak<'a> {
    /// With these nodes for each partition, one of which is enough to acknowledge.
    fn assigned(cluster: &'a Cluster, name: &str, replicas: &[[i32; 2]]) -> Weak<'a> {
        cluster.make_assigned_topic(name, replicas, &[("min.insync.replicas", "1")]);
        Weak {
            cluster,
            name: name.to_owned(),
        }
    }
}

impl Drop for Weak<'_> {
    fn drop(&mut self) {
        // A second panic would hide the first; whoever failed may have left a node that hangs.
        if std::thread::panicking() {
            self.cluster.script("up", &["kafka"]);
        }
        self.cluster.delete_topic(&self.name);
    }
}

/// Runs an audit of the cluster on topics that match a pattern.
fn audit(case: &Case<'_>, pattern: &str, arguments: &[&str]) -> Done {
    let mut audit = case.mqsafe(&["audit", "-b", case.cluster.bootstrap(), "--topic", pattern]);
    audit.args(["--format", "json"]).args(arguments);
    run(audit)
}

/// `rule subject key=value` of each finding, sorted.
fn found(json: &Value) -> Vec<String> {
    let text = |v: &Value| v.as_str().unwrap_or("-").to_owned();
    let findings = json["findings"].as_array().unwrap();
    let mut all: Vec<String> = findings
        .iter()
        // How full the disk is that the test brokers use is the business of the machine.
        .filter(|f| f["key"] != "@disk-used-percent")
        .map(|f| {
            format!(
                "{} {} {}={}",
                text(&f["rule"]),
                text(&f["subject"]),
                text(&f["key"]),
                text(&f["value"])
            )
        })
        .collect();
    all.sort();
    all
}

/// What is wrong with the cluster itself under the profile `orders`.
fn of_cluster(case: &Case<'_>) -> Vec<String> {
    let mut all = vec![
        "KB005 broker 1, broker 2, broker 3 auto.create.topics.enable=true".to_owned(),
        "KB010 broker 1, broker 2, broker 3 broker.rack=-".to_owned(),
    ];
    for n in 1..=3 {
        let Some(path) = support::address(&case.topic, &format!("KAFKA_LOGS_{n}")) else {
            continue;
        };
        if ["/tmp/", "/var/tmp/", "/run/", "/dev/shm/"]
            .iter()
            .any(|t| path.starts_with(t))
        {
            all.push(format!("KB004 broker {n} log.dirs={path}"));
        }
    }
    all.sort();
    all
}

/// What the report says of topics.
fn of_topics(json: &Value) -> Vec<String> {
    found(json).into_iter().filter(|f| !f.contains(" broker ")).collect()
}

/// The partitions that the death of a node could lose.
fn at_risk(json: &Value, node: &str) -> BTreeSet<String> {
    let all = json["running"][0]["at_risk"].as_array().unwrap();
    let of = all.iter().filter(|a| a["node"] == node);
    of.flat_map(|a| a["losses"].as_array().unwrap())
        .map(|l| l["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn good_topics_and_bad_ones_are_told_apart_rule_by_rule() {
    let Some(cluster) = cluster::alone("good_topics_and_bad_ones_are_told_apart_rule_by_rule") else {
        return;
    };
    let case = Case::with(&cluster, "audited-good", 3, &[]);
    let done = audit(&case, &case.topic, &[]).expect(1);
    let json = done.json();
    assert_eq!(found(&json), of_cluster(&case), "{}", done.stderr);
    assert_eq!(json["running"][0]["unread"], Value::Array(Vec::new()));
    let requests = json["running"][0]["requests"].as_u64().unwrap();
    assert!((5..=20).contains(&requests), "{requests} requests");
    // Only topics that are asked for are told.
    let bad = cluster.fresh_name("audited-bad");
    let settings = [
        ("min.insync.replicas", "1"),
        ("unclean.leader.election.enable", "true"),
        ("retention.ms", "3600000"),
        ("retention.bytes", "1000000"),
        ("cleanup.policy", "compact,delete"),
    ];
    let _bad = Weak::new(&cluster, &bad, 2, 1, &settings);
    let pair = cluster.fresh_name("audited-bad");
    let _pair = Weak::new(&cluster, &pair, 1, 2, &[("min.insync.replicas", "2")]);
    let weak = cluster.fresh_name("audited-bad");
    let _weak = Weak::new(&cluster, &weak, 1, 3, &[("min.insync.replicas", "1")]);
    cluster.write(&bad, 0, &[], Some(b"key"), b"one");
    let done = audit(&case, "audited-bad-*", &[]).expect(1);
    let json = done.json();
    let mut expected = vec![
        format!("KT001 topic `{bad}` replication.factor=1"),
        format!("KT004 topic `{bad}` unclean.leader.election.enable=true"),
        format!("KT005 topic `{bad}` retention.ms=3600000"),
        format!("KT005 topic `{bad}` retention.bytes=1000000"),
        format!("KT006 topic `{bad}` cleanup.policy=compact,delete"),
        format!("KT001 topic `{pair}` replication.factor=2"),
        format!("KT003 topic `{pair}` min.insync.replicas=2"),
        format!("KT002 topic `{weak}` min.insync.replicas=1"),
    ];
    expected.sort();
    assert_eq!(of_topics(&json), expected, "{}", done.stderr);
    // Where a value comes from, and the command that mends it, which Kafka's own tool takes.
    let finding = |rule: &str, key: &str| {
        let findings = json["findings"].as_array().unwrap();
        findings
            .iter()
            .find(|f| f["rule"] == rule && f["key"] == key && f["subject"] == format!("topic `{bad}`"))
            .unwrap()
            .clone()
    };
    let unclean = finding("KT004", "unclean.leader.election.enable");
    assert_eq!(unclean["origin"], "the topic itself");
    assert_eq!(
        unclean["synonyms"],
        serde_json::json!(synonyms_by_tool(&cluster, &bad, "unclean.leader.election.enable"))
    );
    assert_eq!((&unclean["line"], &unclean["column"]), (&Value::Null, &Value::Null));
    let command = unclean["command"].as_str().unwrap();
    assert_eq!(
        command,
        format!(
            "kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {bad} --add-config \
             unclean.leader.election.enable=false",
            cluster.bootstrap_sorted()
        )
    );
    mend(command);
    mend(finding("KT001", "replication.factor")["command"].as_str().unwrap());
    eventually("the reassignment has made its copies", || {
        cluster.in_sync(&bad) == [3, 3]
    });
    let mended = audit(&case, &bad, &[]).expect(1).json();
    assert!(
        of_topics(&mended)
            .iter()
            .all(|f| !f.starts_with("KT004") && !f.starts_with("KT001")),
        "{mended}"
    );
    // The one copy of what was written is named for its broker while it is the only one.
    let leader = format!("broker {}", cluster.await_leader(&bad, 0));
    assert!(
        at_risk(&json, &leader).is_superset(&BTreeSet::from([format!("{bad}/0")])),
        "{json}"
    );
    assert!(
        !json["running"][0]["at_risk"].to_string().contains(&format!("{weak}/")),
        "{json}"
    );
}

/// Runs what the report tells to run, by the classes of the tools that it names.
fn mend(command: &str) {
    let dir = tempfile::TempDir::new().unwrap();
    for (script, class) in [
        ("kafka-configs.sh", "kafka.admin.ConfigCommand"),
        (
            "kafka-reassign-partitions.sh",
            "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
        ),
    ] {
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/brokers/kafka-tool");
        let text = format!("#!/bin/sh\nexec '{tool}' {class} \"$@\"\n");
        let path = dir.path().join(script);
        std::fs::write(&path, text).unwrap();
        let done = Command::new("chmod").arg("+x").arg(&path).status().unwrap();
        assert!(done.success());
    }
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let done = Command::new("sh")
        .args(["-c", command])
        .env("PATH", path)
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert!(done.status.success(), "{command}: {said:?}");
}

#[test]
fn every_permission_is_asked_for_by_name_and_no_other_is_needed() {
    let test = "every_permission_is_asked_for_by_name_and_no_other_is_needed";
    let Some(cluster) = cluster::shared(test) else { return };
    let (Some(list), Some(clients)) = (
        support::address(&format!("kafka::{test}"), "KAFKA_SASL_SSL"),
        support::address(&format!("kafka::{test}"), "KAFKA_CLIENTS_DIR"),
    ) else {
        return;
    };
    let (Some(sasl_plain), Some(mutual)) = (
        support::address(&format!("kafka::{test}"), "KAFKA_SASL_PLAINTEXT"),
        support::address(&format!("kafka::{test}"), "KAFKA_SSL"),
    ) else {
        return;
    };
    let case = Case::with(&cluster, "audited-rights", 1, &[("min.insync.replicas", "1")]);
    // Altered behind the file's back.
    let manifest = format!(
        "apiVersion: kafka.strimzi.io/v1\nkind: KafkaTopic\nmetadata:\n  name: {}\nspec:\n  partitions: 1\n  replicas: 3\n  config:\n    \
         min.insync.replicas: 2\n",
        case.topic
    );
    let manifest = case.file("topic.yaml", manifest.as_bytes());
    let file = manifest.to_str().unwrap();
    let through = |list: &str, user: &str, more: &[&str]| {
        let mut audit = case.mqsafe(&["audit", "-b", list, "--topic", &case.topic, "--format", "json", "-F"]);
        audit.arg(format!("{clients}/{user}.properties")).args(more);
        run(audit)
    };
    let as_user = |user: &str| through(&list, user, &[]);
    // Who has exactly what --help lists sees what who may do everything sees, drift too.
    let everything = audit(&case, &case.topic, &[file]).expect(1).json();
    let drift = format!("X-K14 topic `{}` min.insync.replicas=2", case.topic);
    assert!(found(&everything).contains(&drift), "{everything}");
    let over_sasl_plain = ["-X", "security.protocol=SASL_PLAINTEXT", file];
    for (list, user, more) in [
        (&list, "auditor", &[file][..]),
        (&sasl_plain, "auditor", &over_sasl_plain),
        (&mutual, "mtls-p12", &[file]),
    ] {
        let told = through(list, user, more).expect(1).json();
        assert_eq!(found(&told), found(&everything), "{user} at {list}");
        assert_eq!(
            told["running"][0]["unread"],
            Value::Array(Vec::new()),
            "{user} at {list}"
        );
        let both = |json: &Value| -> Vec<(Value, Value)> {
            let all = json["findings"].as_array().unwrap().iter();
            let drifts = all.filter(|f| f["rule"] == "X-K14");
            drifts
                .map(|f| (f["line"].clone(), f["related"][0]["message"].clone()))
                .collect()
        };
        assert_eq!(both(&told), both(&everything), "{user} at {list}");
    }
    let unread = |json: &Value| -> Vec<(String, String)> {
        let all = json["running"][0]["unread"].as_array().unwrap();
        all.iter()
            .map(|u| {
                (
                    u["what"].as_str().unwrap().to_owned(),
                    u["next"].as_str().unwrap().to_owned(),
                )
            })
            .collect()
    };
    let nobody = as_user("nobody").expect(3);
    let entry = |what: &str, next: &str| (what.to_owned(), next.to_owned());
    let none = [
        entry(
            "the configuration of brokers 1, 2, 3",
            "grant DescribeConfigs on the cluster",
        ),
        entry(
            "the log directories of brokers 1, 2, 3",
            "grant Describe on the cluster",
        ),
        entry("the quorum of controllers", "grant Describe on the cluster"),
        entry(
            "topics and consumer groups that this user may not describe",
            "grant Describe on the cluster, on all topics (*) and on all groups (*)",
        ),
        // What was asked for by name and is not seen is never clean.
        entry(
            &format!("topics with a name like {}", case.topic),
            "check the name, and that the user may describe them",
        ),
    ];
    assert_eq!(unread(&nobody.json()), none);
    assert!(
        nobody.stderr.contains("grant DescribeConfigs on the cluster"),
        "{}",
        nobody.stderr
    );
    // A wrong password is no empty cluster.
    let mut wrong = case.mqsafe(&["audit", "-b", &list, "--format", "json", "-F"]);
    wrong.arg(format!("{clients}/auditor.properties"));
    let password = case.file("password", b"wrong");
    wrong.args(["-X", &format!("sasl.password=@{}", password.display())]);
    let wrong = run(wrong).expect(3);
    assert!(
        wrong.json()["running"][0]["unread"][0]["why"]
            .as_str()
            .unwrap()
            .contains("SASL"),
        "{}",
        wrong.stderr
    );
}

/// What Kafka's own tool says of where a topic's value comes from, the place that counts first.
fn synonyms_by_tool(cluster: &Cluster, topic: &str, key: &str) -> Vec<Value> {
    let arguments = ["kafka.admin.ConfigCommand", "--bootstrap-server", cluster.bootstrap()];
    let more = ["--describe", "--entity-type", "topics", "--entity-name", topic];
    let told = cluster.script("kafka-tool", &[&arguments[..], &more].concat());
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    let start = format!("  {key}=");
    let line = text
        .lines()
        .find(|l| l.starts_with(&start))
        .unwrap_or_else(|| panic!("{text}"));
    let places = line.split_once("synonyms={").unwrap().1.trim_end_matches('}');
    let one = |place: &str| {
        let (source, rest) = place.split_once(':').unwrap();
        let (key, value) = rest.split_once('=').unwrap();
        let origin = match source {
            "DYNAMIC_TOPIC_CONFIG" => "the topic itself",
            "DYNAMIC_BROKER_CONFIG" => "the dynamic configuration of this broker",
            "DYNAMIC_DEFAULT_BROKER_CONFIG" => "the dynamic configuration of the cluster",
            "STATIC_BROKER_CONFIG" => "the broker's own file",
            "DEFAULT_CONFIG" => "Kafka's default",
            other => panic!("{other}"),
        };
        serde_json::json!({"origin": origin, "key": key, "value": value})
    };
    places.split(", ").map(one).collect()
}

/// The same as a report says it of what stands below the topic's own value.
fn otherwise(cluster: &Cluster, topic: &str, key: &str) -> String {
    let places = synonyms_by_tool(cluster, topic, key);
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let below = places.iter().skip(1);
    let words: Vec<String> = below
        .map(|p| format!("{}: {}={}", text(&p["origin"]), text(&p["key"]), text(&p["value"])))
        .collect();
    words.join("; ")
}

#[test]
fn drift_is_told_with_both_places_and_in_both_directions() {
    let Some(cluster) = cluster::shared("drift_is_told_with_both_places_and_in_both_directions") else {
        return;
    };
    let case = Case::with(
        &cluster,
        "audited-drift",
        1,
        &[("min.insync.replicas", "2"), ("retention.ms", "604800000")],
    );
    let manifest = |least: &str, retention: &str| {
        format!(
            "apiVersion: kafka.strimzi.io/v1\nkind: KafkaTopic\nmetadata:\n  name: {}\nspec:\n  partitions: 1\n  replicas: 3\n  config:\n    \
             min.insync.replicas: {least}\n    retention.ms: {retention}\n",
            case.topic
        )
    };
    let file = case.file("topic.yaml", manifest("2", "604800000").as_bytes());
    let broker = case.file(
        "server.properties",
        b"node.id=1\nmin.insync.replicas=3\nunclean.leader.election.enable=true\n",
    );
    let drift = |name: &std::path::Path| -> Vec<(String, String, u64, String)> {
        let json = audit(&case, &case.topic, &[name.to_str().unwrap()]).json();
        let findings = json["findings"].as_array().unwrap();
        let drifts = findings.iter().filter(|f| f["rule"] == "X-K14");
        drifts
            .map(|f| {
                let related = &f["related"][0];
                assert_eq!(related["file"], format!("kafka://{}", cluster.bootstrap_sorted()));
                (
                    f["severity"].as_str().unwrap().to_owned(),
                    f["key"].as_str().unwrap().to_owned(),
                    f["line"].as_u64().unwrap(),
                    related["message"].as_str().unwrap().to_owned(),
                )
            })
            .collect()
    };
    // As declared.
    assert_eq!(drift(&file), []);
    // Behind the file's back.
    cluster.set(&case.topic, "min.insync.replicas", "1");
    let own = |key: &str, value: &str| {
        format!(
            "topic `{}` runs with {key}={value}, set by the topic itself; otherwise {}",
            case.topic,
            otherwise(&cluster, &case.topic, key)
        )
    };
    let of = |severity: &str, key: &str, line, message| (severity.to_owned(), key.to_owned(), line, message);
    assert_eq!(
        drift(&file),
        [of("high", "min.insync.replicas", 9, own("min.insync.replicas", "1"))]
    );
    // The file is the weaker one.
    let weaker = case.file("weaker.yaml", manifest("1", "1000").as_bytes());
    let default = format!(
        "topic `{}` runs with retention.ms=604800000, which nothing sets",
        case.topic
    );
    assert_eq!(drift(&weaker), [of("medium", "retention.ms", 10, default)]);
    // A broker's file: one value that the cluster is weaker in, and one that it is better in.
    // With eligible leader replicas Kafka itself moves this one from the file to the cluster.
    let runs = |key: &str, value: &str, by: &str| {
        let otherwise = match by {
            "the broker's own file" => format!("Kafka's default: {key}=false"),
            _ => format!("the broker's own file: {key}=2; Kafka's default: {key}=1"),
        };
        format!("broker 1 runs with {key}={value}, set by {by}; otherwise {otherwise}")
    };
    let (moved, kept) = ("the dynamic configuration of the cluster", "the broker's own file");
    assert_eq!(
        drift(&broker),
        [
            of(
                "high",
                "min.insync.replicas",
                2,
                runs("min.insync.replicas", "2", moved)
            ),
            of(
                "medium",
                "unclean.leader.election.enable",
                3,
                runs("unclean.leader.election.enable", "false", kept)
            ),
        ]
    );
}

#[test]
fn a_report_is_compared_and_a_baseline_holds_live_findings() {
    let Some(cluster) = cluster::shared("a_report_is_compared_and_a_baseline_holds_live_findings") else {
        return;
    };
    let case = Case::with(&cluster, "audited-since", 1, &[("retention.ms", "1000")]);
    let first = audit(&case, &case.topic, &[]).expect(1);
    let before = case.file("before.json", &first.stdout);
    let same = audit(&case, &case.topic, &["--since-report", before.to_str().unwrap()]).json();
    assert_eq!(
        (&same["since"]["new"], same["since"]["gone"].as_array().unwrap().len()),
        (&Value::from(0), 0)
    );
    // Setting a value anew takes the others of the topic away.
    cluster.set(&case.topic, "min.insync.replicas", "1");
    let now = audit(&case, &case.topic, &["--since-report", before.to_str().unwrap()]).json();
    let findings = now["findings"].as_array().unwrap();
    let new: Vec<&str> = findings
        .iter()
        .filter(|f| f["new"] == true)
        .filter_map(|f| f["rule"].as_str())
        .collect();
    let gone: Vec<&str> = now["since"]["gone"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|g| g["rule"].as_str())
        .collect();
    assert_eq!((new, gone), (vec!["KT002"], vec!["KT005"]));
    // What is held is not told again.
    let baseline = case.path("baseline.json");
    audit(&case, &case.topic, &["--write-baseline", baseline.to_str().unwrap()]).expect(1);
    let held = audit(&case, &case.topic, &["--baseline", baseline.to_str().unwrap()])
        .expect(0)
        .json();
    assert_eq!(found(&held), Vec::<String>::new());
    // Every format tells of the same.
    for format in ["full", "concise", "sarif", "github", "gitlab", "junit", "markdown"] {
        let mut told = case.mqsafe(&[
            "audit",
            "-b",
            cluster.bootstrap(),
            "--topic",
            &case.topic,
            "--format",
            format,
        ]);
        told.env("MQSAFE_PROFILE", "orders");
        let told = run(told).expect(1);
        let text = String::from_utf8_lossy(&told.stdout).into_owned();
        for what in ["KT002", "KB005", &case.topic] {
            let escaped = what.replace('_', "\\_");
            assert!(
                text.contains(what) || text.contains(&escaped),
                "{format}: no {what} in {text}"
            );
        }
        assert!(!text.contains(":0:0"), "{format}: {text}");
    }
}

/// How many replicas of each partition are in sync, and which nodes there are, as one node tells kcat: a client of the whole cluster
/// may wait for the one that hangs.
fn in_sync_by_kcat(node: &str, topic: &str) -> (Vec<usize>, BTreeSet<i64>) {
    let told = Command::new("kcat")
        .args(["-L", "-J", "-m", "5", "-b", node, "-t", topic])
        .output()
        .unwrap();
    let json: Value = serde_json::from_slice(&told.stdout).unwrap_or_default();
    let mut partitions = json["topics"][0]["partitions"].as_array().cloned().unwrap_or_default();
    partitions.sort_by_key(|p| p["partition"].as_i64());
    let counts = partitions.iter().map(|p| p["isrs"].as_array().map_or(0, Vec::len));
    let brokers = json["brokers"].as_array().into_iter().flatten();
    (counts.collect(), brokers.filter_map(|b| b["id"].as_i64()).collect())
}

#[test]
fn what_one_death_loses_is_named_before_it_dies() {
    let test = "what_one_death_loses_is_named_before_it_dies";
    let Some(cluster) = cluster::alone(test) else { return };
    let Some(logs) = support::address(&format!("kafka::{test}"), "KAFKA_LOGS_1") else {
        return;
    };
    let (Some(first), Some(second), Some(list), Some(clients)) = (
        support::address(&format!("kafka::{test}"), "KAFKA_1"),
        support::address(&format!("kafka::{test}"), "KAFKA_2"),
        support::address(&format!("kafka::{test}"), "KAFKA_SASL_SSL"),
        support::address(&format!("kafka::{test}"), "KAFKA_CLIENTS_DIR"),
    ) else {
        return;
    };
    let case = Case::new(&cluster, "audited-death", 1);
    let topic = cluster.fresh_name("audited-pairs");
    // Each pair of nodes has two, each of the pair leading one.
    let replicas: [[i32; 2]; 6] = [[1, 2], [2, 1], [1, 3], [3, 1], [2, 3], [3, 2]];
    let _topic = Weak::assigned(&cluster, &topic, &replicas);
    let empty = cluster.fresh_name("audited-empty");
    let _empty = Weak::new(&cluster, &empty, 3, 2, &[("min.insync.replicas", "1")]);
    let partitions: Vec<i32> = (0..6).collect();
    let with = |pair: [i32; 2]| -> BTreeSet<String> {
        let its = replicas
            .iter()
            .enumerate()
            .filter(|(_, r)| pair.iter().all(|n| r.contains(n)));
        its.map(|(p, _)| format!("{topic}/{p}")).collect()
    };
    for p in &partitions {
        cluster.write(&topic, *p, &[], None, b"before");
    }
    let healthy = audit(&case, "audited-*", &[]).json();
    assert_eq!(healthy["running"][0]["at_risk"], Value::Array(Vec::new()), "{healthy}");
    // Node 3 hangs: by name its replicas are in sync for a while, and what is acknowledged by the leader alone is in danger.
    cluster.script("stop", &["kafka", "3"]);
    let hung = audit(&case, "audited-*", &[]);
    let json = hung.json();
    assert!(at_risk(&json, "broker 1").is_superset(&with([1, 3])), "{json}");
    let down = &json["running"][0]["unread"][0];
    assert!(
        down["what"].as_str().unwrap().starts_with("broker 3 at 127.0.0.1:"),
        "{json}"
    );
    assert_eq!(
        down["next"],
        "start the broker, or check that its advertised listener is reached from here"
    );
    // When nothing is found that is asked for, a broker that is down leaves the answer open.
    let none = case.file("settings.yaml", b"select: [KT001]\n");
    let asked = ["--config", none.to_str().unwrap()];
    audit(&case, &case.topic, &asked).expect(3);
    // It may leave the replicas first and the list of nodes a moment later, and one node may hear of it before the other.
    eventually("node 3 has left the replicas in sync and the cluster", || {
        [&first, &second].iter().all(|node| {
            let (counts, brokers) = in_sync_by_kcat(node, &topic);
            let has_left = |p: usize| counts[p] == if replicas[p].contains(&3) { 1 } else { 2 };
            counts.len() == 6 && (0..6).all(has_left) && brokers == BTreeSet::from([1, 2])
        })
    });
    for p in &partitions {
        cluster.write(&topic, *p, &[], None, b"after");
    }
    let json = audit(&case, "audited-*", &[]).json();
    // By now the cluster no longer lists it.
    assert_eq!(json["running"][0]["unread"][0]["what"], "broker 3", "{json}");
    let named = at_risk(&json, "broker 1");
    assert_eq!(named, with([1, 3]), "{json}");
    assert_eq!(at_risk(&json, "broker 2"), with([2, 3]), "{json}");
    // Who holds only the permissions that --help lists is told the same by the secured listeners.
    let mut secured = case.mqsafe(&["audit", "-b", &list, "--topic", "audited-*", "--format", "json", "-F"]);
    secured.arg(format!("{clients}/auditor.properties"));
    let secured = run(secured).json();
    assert_eq!(
        secured["running"][0]["at_risk"], json["running"][0]["at_risk"],
        "{secured}"
    );
    let states = of_topics(&json);
    let weak: Vec<String> = (0..6)
        .filter(|p| replicas[*p].contains(&3))
        .map(|p| p.to_string())
        .collect();
    assert!(
        states.contains(&format!(
            "KT008 topic `{topic}` @partitions.under-replicated={}",
            weak.join(",")
        )),
        "{states:?}"
    );
    // Node 1 dies and its disk is wiped; then both come back.
    cluster.script("kill", &["kafka", "1"]);
    cluster.script("cont", &["kafka", "3"]);
    for entry in std::fs::read_dir(&logs).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("audited-pairs-")
        {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
    cluster.script("up", &["kafka"]);
    eventually("every partition has its copies again", || {
        cluster.in_sync(&topic) == [2; 6]
    });
    let read = cluster.read(&topic);
    let lost: BTreeSet<String> = partitions
        .iter()
        .filter(|p| !read.iter().any(|r| r.partition == **p && r.value == b"after"))
        .map(|p| format!("{topic}/{p}"))
        .collect();
    assert_eq!(lost, named, "{read:?}");
}

#[test]
fn what_expired_before_a_group_read_it_is_told_with_the_group() {
    let Some(cluster) = cluster::shared("what_expired_before_a_group_read_it_is_told_with_the_group") else {
        return;
    };
    let case = Case::new(&cluster, "audited-lag", 1);
    for value in ["one", "two", "three"] {
        cluster.write(&case.topic, 0, &[], None, value.as_bytes());
    }
    let group = cluster.fresh_name("audited-readers");
    cluster.commit_and_expire(&group, &case.topic, 1, 1);
    let told = |json: &Value| -> Vec<String> {
        let findings = json["findings"].as_array().unwrap();
        let its = findings.iter().filter(|f| f["rule"] == "X-K07");
        its.map(|f| f["message"].as_str().unwrap().to_owned()).collect()
    };
    // All that is gone was read.
    let done = audit(&case, &case.topic, &[]).json();
    assert_eq!(told(&done), Vec::<String>::new());
    // Four of the cluster, of each broker five with those for the groups that it coordinates, and four of the one leader. What other tests
    // read by groups decides whether all of them are needed.
    assert!(done["running"][0]["requests"].as_u64().unwrap() <= 23, "{done}");
    cluster.commit_and_expire(&group, &case.topic, 1, 3);
    let messages = told(&audit(&case, &case.topic, &[]).expect(1).json());
    let expected = format!(
        "topic `{}`: 2 records expired before group `{group}`, partition 0 read them.",
        case.topic
    );
    assert!(
        messages.len() == 1 && messages[0].starts_with(&expected),
        "{messages:?}"
    );
}

#[test]
fn unread_records_that_are_about_to_expire_are_told_with_the_group() {
    let test = "unread_records_that_are_about_to_expire_are_told_with_the_group";
    let Some(cluster) = cluster::shared(test) else { return };
    let case = Case::with(&cluster, "audited-age", 1, &[("retention.ms", "604800000")]);
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap())
        .create()
        .unwrap();
    let put = |age: Duration| {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - age;
        let record = BaseRecord::<(), str>::to(&case.topic)
            .partition(0)
            .payload("one")
            .timestamp(i64::try_from(at.as_millis()).unwrap());
        producer.send(record).map_err(|(e, _)| e).unwrap();
        producer.flush(Duration::from_secs(30)).unwrap();
    };
    let told = || -> Vec<String> {
        let json = audit(&case, &case.topic, &[]).expect(1).json();
        let findings = json["findings"].as_array().unwrap();
        let its = findings.iter().filter(|f| f["rule"] == "X-K07");
        its.map(|f| f["message"].as_str().unwrap().to_owned()).collect()
    };
    let day = Duration::from_secs(24 * 60 * 60);
    put(5 * day);
    put(4 * day);
    let late = cluster.fresh_name("audited-late");
    cluster.commit_and_expire(&late, &case.topic, 1, 0);
    let warned = |messages: &[String]| {
        let start = format!(
            "topic `{}`: group `{late}`, partition 0 has unread records of 84 h and older",
            case.topic
        );
        messages.len() == 1 && messages[0].starts_with(&start)
    };
    // Nothing is younger than half of what is kept; then something is.
    let messages = told();
    assert!(warned(&messages), "{messages:?}");
    put(day);
    let other = cluster.fresh_name("audited-early");
    cluster.commit_and_expire(&other, &case.topic, 2, 0);
    let messages = told();
    assert!(warned(&messages), "{messages:?}");
    // All that is unread is young; another has read everything.
    cluster.commit_and_expire(&late, &case.topic, 2, 0);
    assert_eq!(told(), Vec::<String>::new());
    cluster.commit_and_expire(&other, &case.topic, 3, 0);
    assert_eq!(told(), Vec::<String>::new());
}

/// The process of a node, as the scripts have written it down.
fn pid_of(out: &str) -> String {
    let file = std::path::Path::new(out).parent().unwrap().join("pid");
    let text = std::fs::read_to_string(file).unwrap();
    text.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_broker_that_dies_while_it_is_asked_is_never_clean() {
    let test = "a_broker_that_dies_while_it_is_asked_is_never_clean";
    let Some(cluster) = cluster::alone(test) else { return };
    let Some(out) = support::address(&format!("kafka::{test}"), "KAFKA_OUT_2") else {
        return;
    };
    let case = Case::new(&cluster, "audited-dying", 1);
    // Nothing else is found in this cluster, so that only what was not read decides.
    let none = case.file("settings.yaml", b"select: [KT001]\n");
    let asked = ["--config", none.to_str().unwrap()];
    let start = |case: &Case<'_>| {
        let mut audit = case.mqsafe(&["audit", "-b", cluster.bootstrap(), "--topic", &case.topic]);
        audit.args(["--format", "json"]).args(asked);
        audit.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        audit.spawn().unwrap()
    };
    let brokers = |json: &Value| {
        let files = json["files"].as_array().unwrap().iter();
        files.filter(|f| f["dialect"] == "kafka-broker").count()
    };
    let all = audit(&case, &case.topic, &asked).expect(0).json();
    assert_eq!(brokers(&all), 3);
    let rounds = if support::full() { 30 } else { 4 };
    let mut missed = 0;
    // Some more where the machine was so fast that each kill came too late.
    for round in 0..3 * rounds {
        if round >= rounds && missed > 0 {
            break;
        }
        let running = start(&case);
        std::thread::sleep(Duration::from_millis(20 + round % rounds * 240 / rounds));
        let killed = Command::new("kill").args(["-KILL", &pid_of(&out)]).status();
        assert!(killed.unwrap().success());
        let done = running.wait_with_output().unwrap();
        let json: Value = serde_json::from_slice(&done.stdout).unwrap();
        let unread = json["running"][0]["unread"].as_array().unwrap();
        match done.status.code() {
            // It had told everything before it died.
            Some(0) => assert!(unread.is_empty() && brokers(&json) == 3, "{json}"),
            Some(3) => {
                missed += 1;
                assert!(
                    unread.iter().any(|u| u["what"].as_str().unwrap().contains("broker 2")),
                    "{json}"
                );
            }
            other => panic!("{other:?}: {json}"),
        }
        // Dead from the begin on.
        let after = audit(&case, &case.topic, &asked).expect(3).json();
        assert_eq!(brokers(&after), 2, "{after}");
        cluster.script("up", &["kafka"]);
    }
    assert!(missed > 0, "no audit met a broker that died");
}

#[test]
fn members_that_have_nothing_to_read_are_named() {
    let Some(cluster) = cluster::shared("members_that_have_nothing_to_read_are_named") else {
        return;
    };
    let case = Case::new(&cluster, "audited-idle", 1);
    cluster.write(&case.topic, 0, &[], None, b"one");
    let group = cluster.fresh_name("audited-many");
    let told = || -> Vec<String> {
        let json = audit(&case, &case.topic, &[]).json();
        let findings = json["findings"].as_array().unwrap();
        let its = findings.iter().filter(|f| f["rule"] == "KC008");
        its.map(|f| f["value"].as_str().unwrap().to_owned()).collect()
    };
    let reader = || -> BaseConsumer {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap())
            .set("group.id", &group)
            .set("auto.offset.reset", "earliest")
            .set("auto.commit.interval.ms", "200")
            .create()
            .unwrap();
        consumer.subscribe(&[&case.topic]).unwrap();
        consumer
    };
    let one = reader();
    eventually("the only member has committed", || {
        drop(one.poll(Duration::from_millis(200)));
        let committed = one.committed(Duration::from_secs(5));
        committed.is_ok_and(|list| list.elements().iter().any(|e| e.offset() == Offset::Offset(1)))
    });
    assert_eq!(told(), Vec::<String>::new());
    let other = reader();
    let expected = format!("group `{group}` has 2 members for 1 partitions");
    eventually("both are in the group", || {
        drop(one.poll(Duration::from_millis(200)));
        drop(other.poll(Duration::from_millis(200)));
        told() == std::slice::from_ref(&expected)
    });
}
