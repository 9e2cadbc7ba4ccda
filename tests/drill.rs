//! The drill shows what it says: every careless run loses messages, each habit that is taken away takes the loss with it, and the
//! audit rules that the table names really say so.
#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod support;

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;

/// Held by whoever hurts the brokers.
static CLUSTER: Mutex<()> = Mutex::new(());

fn mqsafe(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mqsafe"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs a drill and gives its runs; it must end well.
fn drill(arguments: &[&str]) -> Vec<Value> {
    let output = mqsafe(&[&["drill", "--format", "json"], arguments].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}", output.status);
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["schema"], "mqsafe.drill/1");
    object["runs"].as_array().unwrap().clone()
}

/// What one run lost, with some of its habits taken away.
fn lost(run: &str, without: &[&str], more: &[&str]) -> u64 {
    let mut arguments = vec!["--only", run];
    for habit in without {
        arguments.extend(["--without", habit]);
    }
    arguments.extend(more);
    let runs = drill(&arguments);
    assert_eq!((runs.len(), &runs[0]["run"]), (1, &Value::from(run)));
    let number = |name: &str| runs[0][name].as_u64().unwrap();
    assert_eq!(number("lost"), number("believed").saturating_sub(number("there")));
    assert_eq!(number("sent"), 2000);
    number("lost")
}

#[test]
fn carelessness_loses_and_care_does_not() {
    let runs = drill(&[]);
    let names: Vec<&str> = runs.iter().map(|r| r["run"].as_str().unwrap()).collect();
    assert_eq!(names, ["short-timeout", "no-retries", "no-flush", "careful"]);
    for run in &runs {
        assert_eq!(run["run"] == "careful", run["lost"] == 0, "{run}");
    }
    assert_eq!(runs[3]["there"], 2000);
}

#[test]
fn a_longer_timeout_takes_the_loss_away() {
    assert_eq!(lost("short-timeout", &["short-timeout"], &[]), 0);
}

#[test]
fn retries_take_the_loss_away() {
    assert_eq!(lost("no-retries", &["no-retries"], &[]), 0);
}

#[test]
fn a_flush_takes_the_loss_away() {
    assert_eq!(lost("no-flush", &["no-flush"], &[]), 0);
}

#[test]
fn reading_the_reports_takes_the_loss_away() {
    for run in ["short-timeout", "no-retries", "no-flush"] {
        assert_eq!(lost(run, &["unread"], &[]), 0, "{run}");
    }
}

#[test]
fn the_audit_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let found = |name: &str, text: &str| -> Vec<String> {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        let output = mqsafe(&[
            "audit",
            "--profile",
            "finance",
            "--format",
            "json",
            path.to_str().unwrap(),
        ]);
        let object: Value = serde_json::from_slice(&output.stdout).unwrap();
        object["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["rule"].as_str().unwrap().to_owned())
            .collect()
    };
    let producer = "metadata.broker.list=localhost:9092\nqueue.buffering.max.ms=5\nenable.idempotence=true\n";
    let broker =
        "process.roles=broker\nnode.id=1\ncontroller.quorum.voters=1@a:1,2@b:1,3@c:1\ndefault.replication.factor=3\n";
    let cases = [
        ("KP004", "a.properties", format!("{producer}message.timeout.ms=500\n")),
        (
            "KP003",
            "b.properties",
            format!("{producer}message.send.max.retries=0\n"),
        ),
        ("KP001", "c.properties", format!("{producer}request.required.acks=1\n")),
        ("KB002", "d.properties", format!("{broker}min.insync.replicas=1\n")),
        (
            "KB003",
            "e.properties",
            format!("{broker}min.insync.replicas=2\nunclean.leader.election.enable=true\n"),
        ),
    ];
    for (rule, name, text) in cases {
        assert!(found(name, &text).iter().any(|r| r == rule), "{rule} in {text}");
    }
    // What only code shows has its page all the same.
    for rule in ["KP005", "KP007"] {
        assert!(mqsafe(&["audit", "--explain", rule]).status.success(), "{rule}");
    }
}

/// On the real cluster: what a mock cannot show. The rest of the runs belongs to the long series.
#[test]
fn a_real_cluster_loses_what_the_leader_alone_had() {
    let Some(broker) = support::kafka("drill on a real cluster") else {
        return;
    };
    let _alone = CLUSTER.lock().unwrap_or_else(|e| e.into_inner());
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers/node");
    let program = program.to_str().unwrap();
    let on = ["-b", broker.as_str(), "--", program];
    assert!(lost("acks1", &[], &on) > 0);
    if support::full() {
        assert_eq!(lost("acks1", &["acks1"], &on), 0);
        assert!(lost("unclean", &[], &on) > 0);
        for habit in ["min-isr1", "unclean"] {
            assert_eq!(lost("unclean", &[habit], &on), 0, "{habit}");
        }
        for (run, habit) in [
            ("short-timeout", "short-timeout"),
            ("no-retries", "no-retries"),
            ("no-flush", "no-flush"),
        ] {
            assert!(lost(run, &[], &on) > 0, "{run}");
            assert_eq!(lost(run, &[habit], &on), 0, "{run} without {habit}");
            assert_eq!(lost(run, &["unread"], &on), 0, "{run} without unread");
        }
        assert_eq!(lost("careful", &[], &on), 0);
    }
}

/// Whoever stops a drill finds the cluster as it was: the brokers run, and the drill's topic is gone.
#[test]
fn a_drill_that_is_stopped_leaves_nothing_behind() {
    let Some(broker) = support::kafka("a stopped drill on a real cluster") else {
        return;
    };
    let _alone = CLUSTER.lock().unwrap_or_else(|e| e.into_inner());
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers");
    let states = || {
        let told = Command::new(scripts.join("status")).arg("kafka").output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        let states: Vec<String> = told
            .lines()
            .filter(|l| {
                ["KAFKA_1_", "KAFKA_2_", "KAFKA_3_"]
                    .iter()
                    .any(|node| l.starts_with(&format!("{node}STATE=")))
            })
            .map(str::to_owned)
            .collect();
        assert_eq!(states.len(), 3, "{told}");
        states
    };
    let topics = || {
        let listed = Command::new(scripts.join("kafka-tool"))
            .args([
                "org.apache.kafka.tools.TopicCommand",
                "--bootstrap-server",
                &broker,
                "--list",
            ])
            .output()
            .unwrap();
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        String::from_utf8(listed.stdout).unwrap()
    };
    let temp = tempfile::TempDir::new().unwrap();
    let brokers = std::env::var_os("MQSAFE_BROKERS_DIR").map_or_else(
        || {
            use std::os::unix::fs::MetadataExt;
            let uid = std::fs::metadata("/proc/self").unwrap().uid();
            std::env::temp_dir().join(format!("mqsafe-brokers-{uid}"))
        },
        std::path::PathBuf::from,
    );
    let mut drill = Command::new(env!("CARGO_BIN_EXE_mqsafe"))
        .args(["drill", "--only", "acks1", "-b", &broker, "--"])
        .arg(scripts.join("node"))
        .env("TMPDIR", temp.path())
        // The scripts of the brokers look below TMPDIR when nothing else is said.
        .env("MQSAFE_BROKERS_DIR", brokers)
        .spawn()
        .unwrap();
    let all_run = |states: &[String]| states.iter().all(|s| s.ends_with("=running"));
    let since = std::time::Instant::now();
    while all_run(&states()) {
        let ended = drill.try_wait().unwrap();
        assert!(ended.is_none(), "it ended with {ended:?} before it hurt anything");
        assert!(since.elapsed().as_secs() < 240, "no broker was hurt");
    }
    let told = Command::new("kill")
        .args(["-s", "TERM", &drill.id().to_string()])
        .status();
    assert!(told.unwrap().success());
    assert_eq!(drill.wait().unwrap().code(), Some(143));
    assert!(all_run(&states()), "{:?}", states());
    assert!(!topics().contains("mqsafe-drill"), "{}", topics());
    let left: Vec<_> = std::fs::read_dir(temp.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
