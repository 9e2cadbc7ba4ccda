//! Live audits of clusters of their own, started for the test: a good one, a bad one of an older release, and one with many topics.

use crate::support;
use serde_json::Value;
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// One cluster of its own is enough beside the one that all tests share: three more servers take minutes to start on two cores.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A place that is not below a directory for temporary files, which a rule finds: also where this checkout is.
fn lasting() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if !["/tmp", "/var/tmp", "/dev/shm", "/run"]
        .iter()
        .any(|short| target.starts_with(short))
    {
        return target.to_owned();
    }
    let home = || Path::new(&std::env::var_os("HOME").unwrap()).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    let lasting = cache.join("mqsafe");
    std::fs::create_dir_all(&lasting).unwrap();
    lasting
}

/// A cluster that ends with the test.
struct Own {
    _alone: MutexGuard<'static, ()>,
    dir: TempDir,
    version: &'static str,
    extra: PathBuf,
    keys: HashMap<String, String>,
}

impl Own {
    /// A cluster of a release, each node's file ending with these lines; `@NODE@` is its number.
    fn new(version: &'static str, lines: &str) -> Own {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = TempDir::new_in(lasting()).unwrap();
        let extra = dir.path().join("extra.properties");
        std::fs::write(&extra, lines).unwrap();
        let mut own = Own {
            _alone: alone,
            dir,
            version,
            extra,
            keys: HashMap::new(),
        };
        let up = own.script("up", &["kafka"]);
        let printed = String::from_utf8(up.stdout).unwrap();
        assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
        own.keys = printed
            .lines()
            .filter_map(|l| l.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        own
    }

    fn script(&self, name: &str, arguments: &[&str]) -> std::process::Output {
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers").join(name))
            .args(arguments)
            .env("MQSAFE_BROKERS_DIR", self.dir.path().join("brokers"))
            .env("MQSAFE_BROKERS_WAIT", "900")
            .env("MQSAFE_KAFKA_VERSION", self.version)
            .env("MQSAFE_KAFKA_EXTRA", &self.extra)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Lines of one node's file, from its next start on.
    fn configure(&self, node: &str, lines: &str) {
        let path = self.dir.path().join("given");
        std::fs::write(&path, lines).unwrap();
        let done = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers/configure"))
            .args(["kafka", node])
            .env("MQSAFE_BROKERS_DIR", self.dir.path().join("brokers"))
            .stdin(std::fs::File::open(&path).unwrap())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Makes a directory one that a node may have beside its own: Kafka refuses to start with one that was not formatted.
    fn format_beside(&self, node: &str, directory: &Path) {
        let brokers = self.dir.path().join("brokers/kafka");
        let settings = std::fs::read_to_string(brokers.join(node).join("node.properties")).unwrap();
        let mut lines: Vec<String> = settings
            .lines()
            .filter(|l| !l.starts_with("log.dirs="))
            .map(str::to_owned)
            .collect();
        let own = &self.keys[&format!("KAFKA_LOGS_{node}")];
        lines.push(format!("log.dirs={own},{}\n", directory.display()));
        let path = self.dir.path().join("with-second.properties");
        std::fs::write(&path, lines.join("\n")).unwrap();
        let cluster = std::fs::read_to_string(brokers.join("cluster-id")).unwrap();
        let path = path.to_str().unwrap();
        let format = ["format", "--ignore-formatted", "-t", cluster.trim(), "-c", path];
        self.tool(&[&["kafka.tools.StorageTool"][..], &format].concat());
    }

    /// One message in one partition, in every replica in sync.
    fn put(&self, topic: &str, partition: i32) {
        let mut kcat = Command::new("kcat")
            .args(["-P", "-b", self.bootstrap(), "-t", topic, "-X", "acks=all"])
            .args(["-p", &partition.to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        kcat.stdin.take().unwrap().write_all(b"one\n").unwrap();
        assert!(kcat.wait().unwrap().success());
    }

    fn bootstrap(&self) -> &str {
        &self.keys["KAFKA_BOOTSTRAP"]
    }

    /// One of Kafka's own tools.
    fn tool(&self, arguments: &[&str]) -> (String, Duration) {
        let start = Instant::now();
        let done = self.script("kafka-tool", arguments);
        assert!(
            done.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        (String::from_utf8(done.stdout).unwrap(), start.elapsed())
    }

    fn audit(&self, arguments: &[&str]) -> (Option<i32>, Value, Duration) {
        let start = Instant::now();
        let done = Command::new(env!("CARGO_BIN_EXE_mqsafe"))
            .args(["--no-progress", "audit", "--format", "json", "-b", self.bootstrap()])
            .args(arguments)
            .env("HOME", self.dir.path())
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        let took = start.elapsed();
        let json = serde_json::from_slice(&done.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&done.stderr)));
        (done.status.code(), json, took)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.script("down", &["kafka"]);
    }
}

/// `rule key=value` of each finding, sorted.
fn found(json: &Value) -> Vec<String> {
    let text = |v: &Value| v.as_str().unwrap_or("-").to_owned();
    let findings = json["findings"].as_array().unwrap();
    let mut all: Vec<String> = findings
        .iter()
        .filter(|f| f["key"] != "@disk-used-percent")
        .map(|f| format!("{} {}={}", text(&f["rule"]), text(&f["key"]), text(&f["value"])))
        .collect();
    all.sort();
    all
}

#[test]
fn a_good_cluster_is_clean_under_every_profile() {
    if !support::full() {
        return support::skip(
            "kafka::a_good_cluster_is_clean_under_every_profile",
            "needs the long series",
        );
    }
    let own = Own::new("4.1.0", "auto.create.topics.enable=false\nbroker.rack=rack-@NODE@\n");
    let topic = [
        "--create",
        "--topic",
        "orders",
        "--partitions",
        "6",
        "--replication-factor",
        "3",
    ];
    let mut create = vec![
        "org.apache.kafka.tools.TopicCommand",
        "--bootstrap-server",
        own.bootstrap(),
    ];
    create.extend(topic);
    own.tool(&create);
    for profile in ["finance", "orders", "logs"] {
        let (code, json, _) = own.audit(&["--profile", profile]);
        assert_eq!((code, found(&json)), (Some(0), Vec::new()), "{profile}: {json}");
        assert_eq!(json["running"][0]["at_risk"], Value::Array(Vec::new()));
    }
}

#[test]
fn a_bad_cluster_of_an_older_release_is_named_setting_by_setting_and_many_topics_are_read_at_once() {
    let test = "a_bad_cluster_of_an_older_release_is_named_setting_by_setting_and_many_topics_are_read_at_once";
    if !support::full() {
        return support::skip(&format!("kafka::{test}"), "needs the long series");
    }
    let bad = "default.replication.factor=1\nmin.insync.replicas=1\nunclean.leader.election.enable=true\n\
               offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
               log.retention.hours=1\nbroker.rack=one\n";
    let own = Own::new("3.9.1", bad);
    let (code, json, _) = own.audit(&[]);
    // No rule on eligible leader replicas, which this release does not have.
    let expected = [
        "KB001 default.replication.factor=1",
        "KB002 min.insync.replicas=1",
        "KB003 unclean.leader.election.enable=true",
        "KB005 auto.create.topics.enable=true",
        "KB006 offsets.topic.replication.factor=1",
        "KB007 transaction.state.log.min.isr=1",
        "KB007 transaction.state.log.replication.factor=1",
        "KB008 log.retention.hours=1",
        "KB010 broker.rack=one",
    ];
    assert_eq!(
        (code, found(&json)),
        (Some(1), expected.map(str::to_owned).to_vec()),
        "{json}"
    );
    // A thousand topics of ten partitions.
    let mut create = Vec::new();
    for i in 0..1000 {
        create.push(format!("many-{i:04}"));
    }
    make(own.bootstrap(), &create);
    let copies = |json: &serde_json::Value| {
        let all = found(json);
        all.iter().filter(|f| *f == "KT001 replication.factor=1").count()
    };
    let (_, mut json, mut first) = own.audit(&["--topic", "many-*"]);
    // The brokers hear of ten thousand partitions one after another.
    for _ in 0..30 {
        if copies(&json) == 1000 {
            break;
        }
        std::thread::sleep(Duration::from_secs(2));
        (_, json, first) = own.audit(&["--topic", "many-*"]);
    }
    let (_, _, second) = own.audit(&["--topic", "many-*"]);
    let took = first.min(second);
    let requests = json["running"][0]["requests"].as_u64().unwrap();
    let bootstrap = ["--bootstrap-server", own.bootstrap(), "--describe"];
    let with = |class, rest: &[&'static str]| {
        let mut all = vec![class];
        all.extend(bootstrap);
        all.extend(rest);
        own.tool(&all).1
    };
    let configs = with("kafka.admin.ConfigCommand", &["--entity-type", "topics", "--all"]);
    let topics = with("org.apache.kafka.tools.TopicCommand", &[]);
    println!("audit {took:.2?} in {requests} requests; kafka-configs {configs:.2?}, kafka-topics {topics:.2?}");
    assert_eq!(copies(&json), 1000);
    assert!(requests <= 20, "{requests}");
    // How long it takes beside Kafka's own tools is what `benches/live` measures: other load on the machine must fail no test.
}

/// Makes topics of ten partitions and one replica.
fn make(bootstrap: &str, names: &[String]) {
    use rdkafka::ClientConfig;
    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    let admin: AdminClient<_> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .create()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    for some in names.chunks(100) {
        let topics: Vec<NewTopic<'_>> = some
            .iter()
            .map(|n| NewTopic::new(n, 10, TopicReplication::Fixed(1)))
            .collect();
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(60)));
        let made = runtime.block_on(admin.create_topics(&topics, &options)).unwrap();
        made.into_iter().for_each(|t| drop(t.unwrap()));
    }
}

/// What one death would lose of each node and rack, as the report names it.
fn at_risk(json: &Value) -> Vec<String> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let all = json["running"][0]["at_risk"].as_array().unwrap().iter();
    let of = |r: &Value| {
        let losses = r["losses"].as_array().unwrap().clone();
        let node = text(&r["node"]);
        losses
            .into_iter()
            .map(move |l| format!("{node}: {}", l["name"].as_str().unwrap()))
    };
    let mut all: Vec<String> = all.flat_map(of).collect();
    all.sort();
    all
}

#[test]
fn a_rack_and_a_disk_that_is_gone_are_named() {
    if !support::full() {
        return support::skip(
            "kafka::a_rack_and_a_disk_that_is_gone_are_named",
            "needs the long series",
        );
    }
    // The disk is looked at each second instead of each minute.
    let own = Own::new(
        "4.1.0",
        "auto.create.topics.enable=false\nlog.flush.offset.checkpoint.interval.ms=1000\n",
    );
    let second = own.dir.path().join("second");
    own.format_beside("3", &second);
    for (node, rack) in [("1", "a"), ("2", "a"), ("3", "b")] {
        let mut lines = format!("broker.rack={rack}\n");
        if node == "3" {
            let first = &own.keys["KAFKA_LOGS_3"];
            lines.push_str(&format!("log.dirs={first},{}\n", second.display()));
        }
        own.configure(node, &lines);
        let done = own.script("restart", &["kafka", node]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let bootstrap = own.bootstrap().to_owned();
    let topics = "org.apache.kafka.tools.TopicCommand";
    let make = |name: &str, assignment: &str| {
        let place = ["--create", "--topic", name, "--replica-assignment", assignment];
        let more = ["--config", "min.insync.replicas=1"];
        own.tool(&[&[topics, "--bootstrap-server", &bootstrap][..], &place, &more].concat());
    };
    make("together", "1:2");
    make("apart", "1:3,3:1,2:3,3:2");
    for (topic, partitions) in [("together", 1), ("apart", 4)] {
        for partition in 0..partitions {
            own.put(topic, partition);
        }
    }
    let (_, json, _) = own.audit(&[]);
    assert_eq!(at_risk(&json), ["rack a: together/0"], "{json}");
    assert!(!found(&json).iter().any(|f| f.starts_with("KB013 @log-dirs")), "{json}");
    // The second disk has some of the newest partitions; it is gone.
    assert!(
        second
            .read_dir()
            .unwrap()
            .any(|e| e.unwrap().file_name().to_string_lossy().starts_with("apart-"))
    );
    std::fs::remove_dir_all(&second).unwrap();
    let start = Instant::now();
    let offline = format!("KB013 @log-dirs.offline={}", second.display());
    loop {
        let (_, json, _) = own.audit(&[]);
        // What node 3 has lost is nowhere but in rack a, and on one node of it.
        if found(&json).contains(&offline) && at_risk(&json).iter().any(|l| l.starts_with("broker 1: apart/")) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(90), "{json}");
        std::thread::sleep(Duration::from_secs(1));
    }
}
