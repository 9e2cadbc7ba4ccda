//! Finding on Kafka: what follows a hit, what may explain that there is none, and the way back.

use crate::cluster;
use crate::tool::{self, Case};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

fn json(query: Command, code: i32) -> Value {
    tool::run(query).expect(code).json()
}

#[test]
fn a_journey_tells_who_consumed_it_and_where_its_copies_are() {
    let Some(cluster) = cluster::shared("a_journey_tells_who_consumed_it_and_where_its_copies_are") else {
        return;
    };
    let case = Case::new(&cluster, "journey", 3);
    tool::run(case.send(&[
        "-K",
        ":",
        "-p",
        "1",
        &case.file("in", b"a:1\nb:2\nc:3\n").to_string_lossy(),
    ]))
    .expect(0);
    let (billing, audit) = (format!("{}-billing", case.topic), format!("{}-audit", case.topic));
    cluster.commit(&billing, &case.topic, 1, 2);
    cluster.commit(&audit, &case.topic, 1, 0);
    let elsewhere = format!("{}-elsewhere", case.topic);
    cluster.commit(&elsewhere, &case.topic, 2, 0);
    let dead = format!("{}-dlt", case.topic);
    cluster.make_topic(&dead, 1, &[]);
    cluster.write(&dead, 0, &[b"why=poison"], Some(b"b"), b"2");
    cluster.write(&dead, 0, &[], Some(b"other"), b"x");
    let also = cluster.topic("journey-also", 1, &[]);
    cluster.write(&also, 0, &[], Some(b"b"), b"2 again");

    let found = json(case.query(&["--journey", "--also", &also, "--format", "json", "b"]), 0);
    assert_eq!(
        (found["found"].as_u64(), found["coverage"].as_str()),
        (Some(3), Some("COMPLETE")),
        "{found}"
    );
    let stops = found["journey"]["stops"].as_array().unwrap();
    let topics: Vec<&str> = stops.iter().map(|s| s["topic"].as_str().unwrap()).collect();
    assert_eq!(topics, [case.topic.as_str(), &dead, &also]);
    let first = &stops[0];
    assert_eq!(
        (first["partition"].as_i64(), first["offset"].as_i64()),
        (Some(1), Some(1))
    );
    assert_eq!(
        (first["before"]["offset"].as_i64(), first["after"]["offset"].as_i64()),
        (Some(0), Some(2))
    );
    let group = |name: &str| first["groups"].as_array().unwrap().iter().find(|g| g["group"] == name);
    assert_eq!(group(&billing).unwrap()["status"], "consumed");
    let waits = group(&audit).unwrap();
    assert_eq!(
        (&waits["status"], waits["before"].as_i64(), waits["lag"].as_i64()),
        (&Value::from("not_yet"), Some(1), Some(3)),
        "{waits}"
    );
    assert!(group(&elsewhere).is_none_or(|g| g["status"] == "never"), "{first}");
    // One screen for a ticket, in the order of time.
    let screen = tool::run(case.query(&["--journey", "b"])).expect(0);
    let screen = String::from_utf8(screen.stdout).unwrap();
    assert!(
        screen.contains(&format!("{billing}: consumed (stands at 2)")),
        "{screen}"
    );
    assert!(
        screen.contains(&format!("{audit}: NOT YET, 1 before it, lag 3")),
        "{screen}"
    );
    assert!(
        screen.contains("the one before it at offset 0; the one after it at offset 2"),
        "{screen}"
    );
    assert!(screen.contains(&format!("{dead}/0 offset 0")), "{screen}");
    // Asking made nothing: the groups are those that there were.
    assert!(!cluster.topics().iter().any(|t| t.name.contains("mqsafe-reader")));
}

#[test]
fn what_may_explain_that_it_is_absent() {
    let Some(cluster) = cluster::shared("what_may_explain_that_it_is_absent") else {
        return;
    };
    let case = Case::with(&cluster, "absent", 1, &[("cleanup.policy", "compact")]);
    let fresh = json(case.query(&["--format", "json", "k"]), 1);
    let why = fresh["why_absent"].to_string();
    assert!(why.contains("made anew") && !why.contains("transaction"), "{fresh}");
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap())
        .set("transactional.id", &case.topic)
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    producer
        .send(BaseRecord::to(&case.topic).key("k").payload("v"))
        .unwrap();
    producer.flush(PATIENCE).unwrap();
    producer.abort_transaction(PATIENCE).unwrap();
    // The mark of the abort may come a moment after the answer to it; until then nobody may read on, which is said.
    cluster::eventually("the abort is in the log", || {
        tool::run(case.query(&["--format", "json", "k"])).json()["coverage"] == "COMPLETE"
    });
    let absent = json(case.query(&["--format", "json", "k"]), 1);
    let why = absent["why_absent"].to_string();
    assert!(
        why.contains("transaction holds 1 that match") && why.contains("compaction"),
        "{absent}"
    );
    let found = json(
        case.query(&["--isolation", "read_uncommitted", "--format", "json", "k"]),
        0,
    );
    assert_eq!(found["found"], 1);
    let said = tool::run(case.query(&["k"])).expect(1).stderr;
    assert!(
        said.contains("may explain it: an aborted or open transaction holds 1"),
        "{said}"
    );
}

#[test]
fn a_dead_letter_goes_back_by_a_pipe() {
    let Some(cluster) = cluster::shared("a_dead_letter_goes_back_by_a_pipe") else {
        return;
    };
    let case = Case::new(&cluster, "redrive", 2);
    let dead = cluster.topic("redrive-dlq", 1, &[]);
    for n in 0..20_u8 {
        let key = [b'k', n % 2 + b'0'];
        cluster.write(&dead, 0, &[b"why=poison"], Some(&key), &[b'v', n, 0xff]);
    }
    let mut query = case.mqsafe(&[
        "query-key",
        "-b",
        cluster.bootstrap(),
        "-t",
        &dead,
        "--format",
        "jsonl",
        "k1",
    ]);
    let letters = query.output().unwrap();
    assert!(letters.status.success(), "{letters:?}");
    let file = case.file("letters", &letters.stdout);
    tool::run(case.send(&["--input", "jsonl", &file.to_string_lossy()])).expect(0);
    let mut back: Vec<(Option<Vec<u8>>, Vec<u8>)> = cluster
        .read(&case.topic)
        .into_iter()
        .map(|seen| (seen.key, seen.value))
        .collect();
    back.sort();
    let expected: Vec<(Option<Vec<u8>>, Vec<u8>)> = (0..20_u8)
        .filter(|n| n % 2 == 1)
        .map(|n| (Some(b"k1".to_vec()), vec![b'v', n, 0xff]))
        .collect();
    assert_eq!(back, expected);
    let guarded = json(
        case.query(&[
            "--header",
            "mqsafe-redrive=1",
            "--header",
            "why=poison",
            "--format",
            "json",
        ]),
        0,
    );
    assert_eq!(guarded["found"], 10);
    let none = tool::run(case.send(&["--input", "jsonl", "--max-redrives", "0", &file.to_string_lossy()])).expect(1);
    assert!(none.stderr.contains("--max-redrives"), "{}", none.stderr);
}

#[test]
fn conditions_window_and_limit() {
    let Some(cluster) = cluster::shared("conditions_window_and_limit") else {
        return;
    };
    let case = Case::new(&cluster, "conditions", 4);
    let lines: String = (0..400)
        .map(|n| format!("order-{n}:{{\"n\":{n},\"big\":{}}}\n", n >= 200))
        .collect();
    let file = case.file("in", lines.as_bytes());
    tool::run(case.send(&["-K", ":", "-H", "h=1", &file.to_string_lossy()])).expect(0);
    let found = |arguments: &[&str], code| {
        let mut all = vec!["--format", "json"];
        all.extend(arguments);
        json(case.query(&all), code)
    };
    let count = |arguments: &[&str]| found(arguments, 0)["found"].as_u64();
    assert_eq!(count(&["order-1", "order-2", "absent"]), Some(2));
    assert_eq!(count(&["--glob", "order-1?"]), Some(10));
    assert_eq!(
        count(&["--regex", "-39[0-9]$", "--json", "/big=true", "-H", "h=1"]),
        Some(10)
    );
    assert_eq!(count(&["--value-contains", "\"n\":77,"]), Some(1));
    assert_eq!(count(&["--all"]), Some(400));
    let keys = case.file("keys", b"order-5\norder-6\n");
    assert_eq!(count(&["--keys-file", &keys.to_string_lossy()]), Some(2));
    assert_eq!(count(&["--base64", "b3JkZXItNw=="]), Some(1));
    assert_eq!(found(&["--no-key"], 1)["coverage"], "COMPLETE");
    let one = found(&["order-7"], 0);
    let time = one["records"][0]["timestamp"].as_str().unwrap();
    assert!(count(&["order-7", "--since", time]) == Some(1));
    assert_eq!(found(&["order-7", "--until", time], 1)["found"], 0);
    let limited = found(&["--glob", "*", "--limit", "7"], 0);
    assert_eq!(
        (limited["found"].as_u64(), limited["coverage"].as_str()),
        (Some(7), Some("PARTIAL stopped at --limit 7"))
    );
    // Of a partition the very last comes first, wherever the windows of reading are.
    let newest = found(&["--glob", "*", "-p", "2", "--newest-first", "--limit", "2"], 0);
    let offsets: Vec<i64> = newest["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["offset"].as_i64().unwrap())
        .collect();
    let end = newest["partitions"][0]["to"].as_i64().unwrap();
    assert_eq!(offsets, [end - 1, end - 2], "{newest}");
    let raw = tool::run(case.query(&["--raw", "order-9"])).expect(0);
    assert_eq!(raw.stdout, b"{\"n\":9,\"big\":false}\n");
    let pruned = found(&["--partitioner", "murmur2", "order-9"], 0);
    assert_eq!(pruned["found"], 1);
    let word = pruned["coverage"].as_str().unwrap();
    assert!(
        word.starts_with("COMPLETE-IF every writer placed the key by murmur2 among 4 partitions"),
        "{word}"
    );
    assert_eq!(pruned["partitions"].as_array().unwrap().len(), 1);
    found(&["--partitioner", "murmur2", "absent"], 3);
    found(&["--pruned", "absent"], 3);
}
