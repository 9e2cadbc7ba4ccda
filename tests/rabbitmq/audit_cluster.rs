//! What `audit` says could be lost with one of three nodes, held against what is lost when that one is killed and its disk wiped.

use crate::audit::{name_of, of_rules, unread};
use crate::support;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(40);

/// Three nodes that are there for one test.
struct Cluster(BTreeMap<String, String>);

fn script(name: &str, arguments: &[&str]) -> (bool, String) {
    let done = Command::new(format!("{}/tests/brokers/{name}", env!("CARGO_MANIFEST_DIR")))
        .arg("rabbitmq_cluster")
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    (done.status.success(), String::from_utf8(done.stdout).unwrap())
}

impl Cluster {
    fn start() -> Cluster {
        let (is_up, keys) = script("up", &[]);
        // Dropped also when it did not come up.
        let keys = keys.lines().filter_map(|line| line.split_once('='));
        let cluster = Cluster(keys.map(|(k, v)| (k.to_owned(), v.to_owned())).collect());
        assert!(is_up);
        cluster
    }

    fn key(&self, name: &str, node: u8) -> &str {
        &self.0[&format!("RABBITMQ_CLUSTER_{name}_{node}")]
    }

    fn http(&self, node: u8, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let out = Command::new("curl")
            .args([
                "-s",
                "-m",
                "30",
                "-w",
                "\n%{http_code}",
                "-X",
                method,
                "-u",
                "guest:guest",
            ])
            .args(["-H", "content-type: application/json", "-d", &body.to_string()])
            .arg(format!("{}/api/{path}", self.key("MANAGEMENT", node)))
            .output()
            .unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (
            status.parse().unwrap(),
            serde_json::from_str(body).unwrap_or(Value::Null),
        )
    }

    /// A queue whose first or only copy is on this node.
    fn queue(&self, node: u8, name: &str, durable: bool, arguments: Value) {
        let body = json!({"durable": durable, "arguments": arguments});
        let (status, answer) = self.http(node, "PUT", &format!("queues/%2F/{name}"), &body);
        assert_eq!(status, 201, "{name}: {answer}");
    }

    /// Three persistent messages, each acknowledged.
    fn fill(&self, name: &str) {
        let message = json!({"properties": {"delivery_mode": 2}, "routing_key": name, "payload": "x", "payload_encoding": "string"});
        for _ in 0..3 {
            let answer = self.http(1, "POST", "exchanges/%2F/amq.default/publish", &message);
            assert_eq!(answer, (200, json!({"routed": true})), "{name}");
        }
    }

    /// How many messages a queue gives, and puts back; `None` for a queue that is not there.
    fn held(&self, name: &str) -> Option<usize> {
        let take = json!({"count": 9, "ackmode": "ack_requeue_true", "encoding": "auto"});
        let (status, messages) = self.http(1, "POST", &format!("queues/%2F/{name}/get"), &take);
        (status == 200).then(|| messages.as_array().unwrap().len())
    }

    /// What the first node tells an audit.
    fn audit(&self) -> (i32, Value) {
        let done = Command::new(env!("CARGO_BIN_EXE_mqsafe"))
            .env("PW", "guest")
            .args([
                "--no-progress",
                "audit",
                "--format",
                "json",
                "-X",
                "sasl.password=env:PW",
            ])
            .args(["-b", &format!("amqp://guest@{}", self.key("AMQP", 1))])
            .args(["--management", self.key("MANAGEMENT", 1)])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        let report = serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
        (done.status.code().unwrap(), report)
    }

    /// Audits until what it tells is so: the server tells of queues every five seconds.
    #[track_caller]
    fn audit_until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let (code, report) = self.audit();
            assert_eq!(code, 1, "{report}");
            if is_so(&report) {
                return report;
            }
            assert!(Instant::now() < end, "never: {what}: {report}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        script("down", &[]);
    }
}

/// What would be lost with each node.
fn at_risk(report: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let all = report["running"][0]["at_risk"].as_array().unwrap().iter();
    all.map(|r| {
        let losses = r["losses"].as_array().unwrap().iter();
        (text(&r["node"]), losses.map(|l| text(&l["name"])).collect())
    })
    .collect()
}

fn named(nodes: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
    let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    let all = nodes
        .iter()
        .map(|(node, names)| (format!("{node}@localhost"), owned(names)));
    all.collect()
}

/// Rules that are about nodes, copies and members.
fn found(report: &Value) -> Vec<String> {
    let all = of_rules(report, |f| {
        let word = |key: &str| f[key].as_str().unwrap_or("-");
        let (rule, severity) = (word("rule"), word("severity"));
        format!("{rule} {} {severity}", name_of(word("subject")))
    });
    let about = [
        "RQB006", "RQB007", "RQT001", "RQT002", "RQT003", "RQT012", "RQT015", "X-R07",
    ];
    all.into_iter()
        .filter(|l| about.iter().any(|rule| l.starts_with(rule)))
        .collect()
}

#[test]
fn what_is_named_for_a_node_is_lost_with_it_and_nothing_else() {
    let test = "rabbitmq::what_is_named_for_a_node_is_lost_with_it_and_nothing_else";
    if !support::full() {
        support::skip(test, "needs the long series: it starts three nodes and wipes them");
        return;
    }
    let cluster = Cluster::start();
    let classic = json!({"x-queue-type": "classic"});
    cluster.queue(3, "classic", true, classic.clone());
    cluster.queue(3, "fleeting", false, json!({}));
    cluster.queue(3, "mirrored", true, classic.clone());
    cluster.queue(3, "stale", true, classic);
    cluster.queue(1, "three", true, json!({"x-queue-type": "quorum"}));
    cluster.queue(
        2,
        "one",
        true,
        json!({"x-queue-type": "quorum", "x-quorum-initial-group-size": 1}),
    );
    cluster.queue(1, "stream", true, json!({"x-queue-type": "stream"}));
    // Mirrors that come after the messages do not have them, unless somebody synchronises them.
    cluster.fill("stale");
    let mirrors = json!({"pattern": "^(stale|mirrored)$", "apply-to": "queues",
        "definition": {"ha-mode": "all", "ha-sync-mode": "manual"}});
    assert_eq!(cluster.http(1, "PUT", "policies/%2F/mirrors", &mirrors).0, 201);
    let mirrors_of = |name: &str| {
        let queue = cluster.http(1, "GET", &format!("queues/%2F/{name}"), &json!({})).1;
        let count = |key: &str| queue[key].as_array().map_or(0, Vec::len);
        (count("slave_nodes"), count("synchronised_slave_nodes"))
    };
    let end = Instant::now() + PATIENCE;
    while (mirrors_of("mirrored"), mirrors_of("stale")) != ((2, 2), (2, 0)) {
        assert!(
            Instant::now() < end,
            "{:?} {:?}",
            mirrors_of("mirrored"),
            mirrors_of("stale")
        );
        std::thread::sleep(Duration::from_millis(300));
    }
    let with_messages = ["classic", "fleeting", "mirrored", "three", "one", "stale"];
    for name in with_messages.iter().filter(|n| **n != "stale").chain(&["stream"]) {
        cluster.fill(name);
    }

    let whole = named(&[("rabbit2", &["one"]), ("rabbit3", &["classic", "fleeting", "stale"])]);
    let report = cluster.audit_until("all nodes tell", |r| at_risk(r) == whole);
    assert_eq!(unread(&report), [""; 0]);
    assert_eq!(
        found(&report),
        [
            "RQT001 fleeting critical",
            "RQT002 classic high",
            "RQT003 mirrors high",
            "RQT012 one high",
            "X-R07 classic high",
        ]
    );

    // The third node dies with its disk.
    let named_for_it = whole["rabbit3@localhost"].clone();
    assert!(script("wipe", &["3"]).0);
    // What has a majority is safe; a classic queue is away with its node.
    let one = BTreeSet::from(["one".to_owned()]);
    let report = cluster.audit_until("it is seen", |r| {
        let risk = at_risk(r);
        let is_safe = !risk.contains_key("rabbit1@localhost") && risk.get("rabbit2@localhost") == Some(&one);
        let told = [
            "RQB007 rabbit3@localhost high",
            "RQT015 stream medium",
            "RQT015 three medium",
        ]
        .iter()
        .all(|line| found(r).contains(&(*line).to_owned()));
        is_safe && told
    });
    assert_eq!(unread(&report), ["node rabbit3@localhost"]);
    let kept = |name: &&&str| cluster.held(name) == Some(3);
    let lost: BTreeSet<String> = with_messages
        .iter()
        .filter(|n| !kept(n))
        .map(|n| (*n).to_owned())
        .collect();
    assert_eq!(lost, named_for_it);
    // Without a majority what is left may have what the others have not.
    assert!(script("kill", &["2"]).0);
    let alone: BTreeSet<String> = ["mirrored", "stale", "stream", "three"].map(str::to_owned).into();
    let report = cluster.audit_until("the second node is seen to be dead", |r| {
        let all = found(r);
        ["RQT015 stream high", "RQT015 three high", "RQT015 one high"]
            .iter()
            .all(|line| all.contains(&(*line).to_owned()))
            && at_risk(r).get("rabbit1@localhost").is_some_and(|left| *left == alone)
    });
    assert_eq!(unread(&report), ["node rabbit2@localhost", "node rabbit3@localhost"]);
}
