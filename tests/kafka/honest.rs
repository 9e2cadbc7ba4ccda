//! A search that could not see everything never says that there is nothing: stopped, denied, or without a broker.

use crate::cluster;
use crate::scanner::fill;
use crate::support;
use crate::tool::{self, Case};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

fn last_line(said: &str) -> &str {
    said.lines().last().unwrap_or_default()
}

#[test]
fn a_search_that_is_stopped_tells_what_it_has_read() {
    let Some(cluster) = cluster::shared("a_search_that_is_stopped_tells_what_it_has_read") else {
        return;
    };
    let case = Case::new(&cluster, "stopped", 3);
    fill(
        &cluster,
        &case.topic,
        3,
        60_000,
        &[("batch.num.messages", "30"), ("acks", "1")],
    );
    // In small pieces, so that it takes seconds. `timeout` signals the process and then its group: twice, a moment apart.
    // How long it takes until something is read, and until everything is, is the business of the machine.
    let (mut wait, mut turns) = (Duration::from_millis(600), 0);
    let mut cases = [("INT", 130), ("TERM", 143)].iter().peekable();
    while let Some((signal, code)) = cases.peek().copied().copied() {
        turns += 1;
        assert!(turns < 30, "it is never stopped in the middle, also not after {wait:?}");
        let slowly = [
            "-X",
            "fetch.max.bytes=2000",
            "--value-contains",
            "nowhere",
            "--format",
            "json",
        ];
        let mut running = tool::start(case.query(&slowly));
        running.await_listening();
        std::thread::sleep(wait);
        if running.is_over() {
            running.wait().expect(1);
            wait = wait.mul_f64(0.6);
            continue;
        }
        match code {
            143 => running.signal_twice(signal),
            _ => running.signal(signal),
        }
        let done = running.wait();
        if done.code == 1 {
            // It came to its end just before the signal.
            wait = wait.mul_f64(0.6);
            continue;
        }
        let done = done.expect(code);
        let answer = done.json();
        assert_eq!(answer["found"], 0);
        assert!(answer["coverage"].as_str().unwrap().starts_with("PARTIAL"), "{answer}");
        let records = |p: &Value| p["records"].as_u64().unwrap();
        let read: u64 = answer["partitions"].as_array().into_iter().flatten().map(records).sum();
        assert!(read < 60_000, "{answer}");
        if read == 0 {
            wait = wait.mul_f64(1.5);
            continue;
        }
        cases.next();
        assert!(
            last_line(&done.stderr).contains("not found in what could be read; PARTIAL"),
            "{}",
            done.stderr
        );
    }
    // Who reads no more is no failure, and what was found is still counted.
    let mut child = case
        .query(&["--all", "--format", "jsonl"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(
        last_line(&said).contains("found 60000; COMPLETE") && !said.contains("error"),
        "{said}"
    );
    let one = tool::run(case.query(&["--all", "--limit", "1", "--format", "json"]))
        .expect(0)
        .json();
    assert_eq!(
        (one["found"].as_u64(), one["coverage"].as_str()),
        (Some(1), Some("PARTIAL stopped at --limit 1"))
    );
}

#[test]
fn absent_empty_and_unnamable_topics_are_told_apart() {
    let Some(cluster) = cluster::shared("absent_empty_and_unnamable_topics_are_told_apart") else {
        return;
    };
    let case = Case::new(&cluster, "empty", 2);
    let empty = tool::run(case.query(&["k", "--format", "json"])).expect(1);
    assert_eq!(empty.json()["coverage"], "COMPLETE");
    let on = |topic: &str| tool::run(case.mqsafe(&["query-key", "-b", cluster.bootstrap(), "-t", topic, "k"]));
    let absent = on(&cluster.fresh_name("absent")).expect(3);
    assert!(absent.stderr.contains("does not exist"), "{}", absent.stderr);
    assert!(last_line(&absent.stderr).contains("PARTIAL"), "{}", absent.stderr);
    for name in ["", "a\u{1b}[31mb", "../orders", "grüße"] {
        let refused = on(name).expect(2);
        assert!(refused.stderr.contains("cannot be a Kafka topic"), "{}", refused.stderr);
        assert!(!refused.stderr.contains('\u{1b}'), "{:?}", refused.stderr);
    }
}

#[test]
fn a_journey_over_sasl_and_tls_tells_what_it_may_not_know() {
    let test = "a_journey_over_sasl_and_tls_tells_what_it_may_not_know";
    let Some(cluster) = cluster::shared(test) else { return };
    let value = |name: &str| support::address(&format!("kafka::{test}"), name);
    let (Some(tls), Some(certs)) = (value("KAFKA_SASL_SSL"), value("CERTS_DIR")) else {
        return;
    };
    let case = Case::new(&cluster, "allowed-journey", 1);
    tool::run_with(case.send(&["-K", ":"]), b"a:1\nb:2\nc:3\n").expect(0);
    let group = format!("{}-group", case.topic);
    cluster.commit(&group, &case.topic, 0, 2);
    let journey = |user: &str, file: &str| {
        let mut query = case.mqsafe(&[
            "query-key",
            "-b",
            &tls,
            "-t",
            &case.topic,
            "--journey",
            "--format",
            "json",
            "b",
        ]);
        query.args([
            "-X",
            "security.protocol=SASL_SSL",
            "-X",
            "sasl.mechanisms=SCRAM-SHA-256",
        ]);
        query.args([
            "-X",
            &format!("ssl.ca.location={certs}/ca.pem"),
            "-X",
            &format!("sasl.username={user}"),
        ]);
        query.args(["-X", &format!("sasl.password=@{}", value(file).unwrap())]);
        tool::run(query).expect(0).json()
    };
    let alice = journey("alice", "KAFKA_PASSWORD_FILE");
    assert_eq!(alice["coverage"], "COMPLETE", "{alice}");
    let stop = &alice["journey"]["stops"][0];
    let its = stop["groups"]
        .as_array()
        .unwrap()
        .iter()
        .find(|g| g["group"] == group.as_str());
    assert_eq!(its.unwrap()["status"], "consumed", "{alice}");
    assert_eq!(
        (&stop["before"]["offset"], &stop["after"]["offset"]),
        (&0.into(), &2.into()),
        "{alice}"
    );
    assert_eq!(alice["journey"]["unknown"], Value::Array(Vec::new()), "{alice}");
    // Who may read the topic and no group is shown none, which the broker does not say; so it is not told as if there were none.
    let reader = journey("reader", "KAFKA_READER_PASSWORD_FILE");
    assert_eq!(
        (&reader["found"], &reader["coverage"]),
        (&1.into(), &"COMPLETE".into()),
        "{reader}"
    );
    let notes = reader["journey"]["notes"].to_string();
    assert!(notes.contains("no group that this user may see"), "{reader}");
}

/// All nodes die while they are read: what was read is told, and that it is not all.
#[test]
fn a_cluster_that_dies_in_the_middle_is_partial() {
    let test = "a_cluster_that_dies_in_the_middle_is_partial";
    // It takes as long as nothing may be heard of a partition: half a minute.
    if !support::full() {
        return support::skip(test, "needs the long series");
    }
    let Some(cluster) = cluster::alone(test) else { return };
    for how in ["stop", "kill"] {
        let case = Case::new(&cluster, "dies", 3);
        fill(
            &cluster,
            &case.topic,
            3,
            60_000,
            &[("batch.num.messages", "30"), ("acks", "1")],
        );
        let slowly = [
            "-X",
            "fetch.max.bytes=2000",
            "--value-contains",
            "nowhere",
            "--format",
            "json",
        ];
        let mut running = tool::start(case.query(&slowly));
        std::thread::sleep(Duration::from_millis(600));
        cluster.script(how, &["kafka", "1", "2", "3"]);
        let done = running.wait();
        cluster.script(
            if how == "stop" { "cont" } else { "up" },
            if how == "stop" {
                &["kafka", "1", "2", "3"]
            } else {
                &["kafka"]
            },
        );
        let answer = done.expect(3).json();
        assert!(
            answer["coverage"].as_str().unwrap().starts_with("PARTIAL"),
            "{how}: {answer}"
        );
    }
}
