//! Records through a pipe, what is given twice, what a dry run foretells, and what is sent again, on a real cluster.

use crate::cluster::{self, Cluster};
use crate::tool::{self, Case, Receipts};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};

/// The records that `query-key` finds, without its summary.
fn found(bytes: &[u8]) -> Vec<Value> {
    let mut all: Vec<Value> = serde_json::Deserializer::from_slice(bytes)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(all.pop().unwrap()["schema"], "mqsafe.query/1");
    all
}

/// A header of a record, by kcat's own words.
fn kcat_headers(cluster: &Cluster, topic: &str) -> Vec<BTreeMap<String, String>> {
    let read = Command::new("kcat")
        .args([
            "-C",
            "-b",
            cluster.bootstrap(),
            "-t",
            topic,
            "-o",
            "beginning",
            "-e",
            "-q",
            "-J",
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&read.stdout).into_owned();
    let headers = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        let flat = record["headers"].as_array().cloned().unwrap_or_default();
        flat.chunks(2)
            .map(|pair| {
                (
                    pair[0].as_str().unwrap().to_owned(),
                    pair[1].as_str().unwrap_or_default().to_owned(),
                )
            })
            .collect()
    };
    text.lines().map(headers).collect()
}

#[test]
fn what_query_key_writes_is_what_send_reads() {
    let Some(cluster) = cluster::shared("what_query_key_writes_is_what_send_reads") else {
        return;
    };
    let (one, two) = (Case::new(&cluster, "pipe-from", 3), Case::new(&cluster, "pipe-to", 3));
    let records = [
        json!({"key": "k", "value": "text ż", "headers": [["a", "1"], ["a", "2"], ["none", null]], "partition": 2}),
        json!({"key": "k", "value": {"base64": "/wD+"}, "headers": [["b", {"base64": "/w=="}], ["n", {"type": "int32", "value": 5}]], "partition": 2}),
        json!({"key": "k", "value": null, "partition": 2}),
        json!({"key": "other", "payload": "no", "partition": 0}),
    ];
    let input: String = records.iter().map(|r| format!("{r}\n")).collect();
    tool::run_with(one.send(&["--input", "jsonl", "--keep-partition"]), input.as_bytes()).expect(0);
    assert_eq!(cluster.read(&one.topic).iter().filter(|s| s.partition == 2).count(), 3);
    let first = tool::run(one.query(&["--format", "jsonl", "k"])).expect(0);
    tool::run_with(two.send(&["--input", "jsonl"]), &first.stdout).expect(0);
    let second = tool::run(two.query(&["--format", "jsonl", "k"])).expect(0);
    let (first, second) = (found(&first.stdout), found(&second.stdout));
    assert_eq!((first.len(), second.len()), (3, 3));
    for (before, after) in first.iter().zip(&second) {
        assert_eq!((&before["key"], &before["value"]), (&after["key"], &after["value"]));
        let own = |record: &Value| -> Vec<Value> {
            let all = record["headers"].as_array().unwrap().iter();
            all.filter(|h| !h[0].as_str().unwrap().starts_with("mqsafe-"))
                .cloned()
                .collect()
        };
        assert_eq!(own(before), own(after));
        let header = |record: &Value, name: &str| -> Value {
            let all = record["headers"].as_array().unwrap();
            all.iter().find(|h| h[0] == name).map(|h| h[1].clone()).unwrap()
        };
        assert_eq!(header(after, "mqsafe-origin-id"), header(before, "mqsafe-id"));
        assert_ne!(header(after, "mqsafe-id"), header(before, "mqsafe-id"));
    }
    assert_eq!(
        (first[0]["value"].as_str(), &first[1]["value"]),
        (Some("text ż"), &json!({"base64": "/wD+"}))
    );
    assert!(second[2]["value"].is_null());
    // And by a reader that is not ours.
    let seen = kcat_headers(&cluster, &two.topic);
    assert!(
        seen.iter().any(|h| h.get("n").is_some_and(|n| n == "5"))
            && seen.iter().all(|h| h.contains_key("mqsafe-origin-id")),
        "{seen:?}"
    );
    two.verify(&[]).expect_clean(3);
}

#[test]
fn what_is_given_twice_is_there_once_and_a_dry_run_foretells_it() {
    let Some(cluster) = cluster::shared("what_is_given_twice_is_there_once_and_a_dry_run_foretells_it") else {
        return;
    };
    let case = Case::new(&cluster, "twice", 4);
    let rows: String = (0..500).map(|n| format!("{n},note {n}\n")).collect();
    let file = case.file("orders.csv", format!("id,note\n{rows}7,again\n").as_bytes());
    let send = |more: &[&str]| {
        let mut send = case.send(&["--input", "csv", "--key-column", "id", "--idempotency-key", "column:id"]);
        send.args(more).arg(&file);
        tool::run(send)
    };
    let dry = send(&["--dry-run"]).expect(0);
    assert!(
        dry.stderr.contains("would send 500 messages") && dry.stderr.contains("to 4 lanes; rejected 0; repeated 1"),
        "{}",
        dry.stderr
    );
    assert!(cluster.read(&case.topic).is_empty() && !case.path("spool").exists());
    let first = send(&["--receipts", "-"]).expect(0);
    let told = Receipts::parse(&first.stdout);
    assert_eq!((told.count("stored"), told.count("repeated")), (500, 1));
    let latency = &told.summary["latency_ms"];
    let ms = |name: &str| latency[name].as_u64().unwrap();
    assert!(
        ms("p50") <= ms("p99") && ms("p99") <= ms("max") && ms("max") < 60_000,
        "{latency}"
    );
    assert!(first.stderr.contains("latency p50 "), "{}", first.stderr);
    let again = send(&["--receipts", "-"]).expect(0);
    assert_eq!(Receipts::parse(&again.stdout).count("repeated"), 501);
    let there = cluster.read(&case.topic);
    assert_eq!(there.len(), 500);
    // What was foretold for each lane is what came.
    let mut lanes = BTreeMap::<i32, usize>::new();
    there.iter().for_each(|s| *lanes.entry(s.partition).or_default() += 1);
    let foretold = String::from_utf8(dry.stdout).unwrap();
    for (partition, count) in lanes {
        let lane = format!("{}/{partition}", case.topic);
        let line = foretold
            .lines()
            .find(|l| l.contains(&lane))
            .unwrap_or_else(|| panic!("{lane} in\n{foretold}"));
        assert_eq!(
            line.split_whitespace().nth(1),
            Some(count.to_string().as_str()),
            "{foretold}"
        );
    }
    assert!(send(&["--dry-run"]).expect(0).stderr.contains("would send 0 messages"));
}

#[test]
fn what_was_refused_is_sent_again_by_its_receipt() {
    let Some(cluster) = cluster::shared("what_was_refused_is_sent_again_by_its_receipt") else {
        return;
    };
    let case = Case::with(&cluster, "again", 1, &[("max.message.bytes", "20000")]);
    let long = "x".repeat(30_000);
    let file = case.file("in", format!("1:a\n2:{long}\nno key\n3:c\n").as_bytes());
    let send = |more: &[&str]| {
        let mut send = case.send(&["-K", ":", "--idempotency-key", "key", "--receipts"]);
        send.arg(case.path("told")).args(more).arg(&file);
        tool::run(send)
    };
    send(&[]).expect(1);
    let told = Receipts::read(&case.path("told"));
    assert_eq!(
        (told.count("stored"), told.count("refused"), told.count("rejected")),
        (2, 1, 1)
    );
    cluster.set(&case.topic, "max.message.bytes", "1000000");
    let receipts = case.path("told");
    // The brokers may need a moment to hear of it.
    cluster::eventually("the line that was refused is stored", || {
        let done = send(&["--only-failed", receipts.to_str().unwrap()]);
        assert_eq!(done.code, 1, "line 3 still has no key: {}", done.stderr);
        done.stderr.contains("accepted 1 = stored 1 ")
    });
    let mut there: Vec<_> = cluster
        .read(&case.topic)
        .into_iter()
        .map(|s| (s.key.unwrap(), s.value.len()))
        .collect();
    there.sort();
    assert_eq!(there, [(b"1".to_vec(), 1), (b"2".to_vec(), 30_000), (b"3".to_vec(), 1)]);
}
