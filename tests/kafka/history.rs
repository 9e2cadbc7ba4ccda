//! `verify` and `query-key` on histories that others wrote: kcat, Kafka's own tools, transactions.

use crate::cluster::{self, Cluster};
use crate::judge;
use crate::tool::{self, Case};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::time::Duration;

/// Writes records of one producer and lane by kcat.
fn plant(cluster: &Cluster, topic: &str, partition: i32, lane: i32, numbers: &[u64]) {
    for n in numbers {
        let stamp = format!("mqsafe-id={n} planted {topic}/{lane}");
        cluster.write(topic, partition, &[stamp.as_bytes()], None, n.to_string().as_bytes());
    }
}

/// What `verify` counts and how it exits, for some partitions of the topic; `read` and `stamped` are left out.
#[track_caller]
fn expect(case: &Case<'_>, arguments: &[&str], code: i32, totals: &[(&str, u64)]) {
    let verified = case.verify(arguments);
    let told: Vec<_> = verified
        .totals()
        .into_iter()
        .filter(|(name, _)| !matches!(*name, "read" | "stamped"))
        .collect();
    assert_eq!(
        (verified.code, told.as_slice()),
        (code, totals),
        "{arguments:?}\n{}",
        verified.stderr
    );
    assert_eq!(verified.coverage(), "COMPLETE");
}

#[test]
fn planted_histories_get_exactly_their_verdicts() {
    let Some(cluster) = cluster::shared("planted_histories_get_exactly_their_verdicts") else {
        return;
    };
    let case = Case::new(&cluster, "planted", 8);
    let topic = case.topic.as_str();
    plant(&cluster, topic, 0, 0, &[1, 2, 4]);
    expect(&case, &["-p", "0"], 1, &[("gap", 1)]);
    expect(&case, &["-p", "0", "--deny", "duplicate"], 1, &[("gap", 1)]);

    plant(&cluster, topic, 1, 1, &[1, 2, 2, 3]);
    expect(&case, &["-p", "1"], 0, &[("duplicate", 1)]);
    expect(&case, &["-p", "1", "--deny", "reordered,moved"], 0, &[("duplicate", 1)]);
    expect(&case, &["-p", "1", "--deny", "moved,duplicate"], 1, &[("duplicate", 1)]);

    plant(&cluster, topic, 2, 2, &[1, 3, 2]);
    expect(&case, &["-p", "2"], 0, &[("reordered", 1)]);
    expect(&case, &["-p", "2", "--deny", "reordered"], 1, &[("reordered", 1)]);

    plant(&cluster, topic, 4, 4, &[1]);
    plant(&cluster, topic, 3, 4, &[2]);
    plant(&cluster, topic, 4, 4, &[3]);
    expect(&case, &["-p", "3-4"], 0, &[("moved", 1)]);
    expect(&case, &["-p", "3-4", "--deny", "moved"], 1, &[("moved", 1)]);
    // Its own partition alone: the number is missing there.
    expect(&case, &["-p", "4"], 1, &[("gap", 1)]);

    plant(&cluster, topic, 5, 5, &[1]);
    cluster.write(topic, 5, &[b"mqsafe-id=2 planted"], None, b"corrupt");
    expect(&case, &["-p", "5"], 1, &[("corrupt", 1)]);

    plant(&cluster, topic, 6, 6, &[1]);
    let stamp = format!("mqsafe-id=5 planted {topic}/6");
    cluster.write(topic, 6, &[stamp.as_bytes(), b"mqsafe-void=2-3,4"], None, b"after");
    expect(&case, &["-p", "6"], 0, &[("void", 3)]);

    cluster.write(topic, 7, &[], None, b"no stamp");
    let nothing = case.verify(&["-p", "7"]);
    assert_eq!(
        (nothing.code, nothing.totals()),
        (3, vec![("read", 1)]),
        "{}",
        nothing.stderr
    );

    // All of it at once is the sum, and names the ranges.
    let all = case.verify(&[]);
    let sum = [
        ("read", 18),
        ("stamped", 16),
        ("gap", 1),
        ("duplicate", 1),
        ("reordered", 1),
        ("moved", 1),
        ("void", 3),
        ("corrupt", 1),
    ];
    assert_eq!((all.code, all.totals()), (1, sum.to_vec()));
    let lane = |n: usize| &all.json["lanes"][n];
    assert_eq!(lane(0)["gaps"], serde_json::json!([[3, 3]]));
    assert_eq!(lane(1)["duplicates"], serde_json::json!([[2, 2]]));
}

#[test]
fn hostile_stamps_are_judged_and_shown_harmless() {
    let Some(cluster) = cluster::shared("hostile_stamps_are_judged_and_shown_harmless") else {
        return;
    };
    let case = Case::new(&cluster, "hostile", 5);
    let topic = case.topic.as_str();
    let lane = |seq: &str, partition: i32| format!("mqsafe-id={seq} p {topic}/{partition}").into_bytes();
    cluster.write(topic, 0, &[&lane("18446744073709551615", 0)], None, b"huge");
    cluster.write(topic, 0, &[&lane("1", 0)], None, b"one");
    expect(
        &case,
        &["-p", "0"],
        1,
        &[("gap", 18_446_744_073_709_551_613), ("reordered", 1)],
    );
    let corrupt: [&[u8]; 6] = [
        &lane("18446744073709551616", 1),
        &lane("0", 1),
        &lane("-1", 1),
        &lane("\u{661}", 1),
        b"mqsafe-id=",
        b"mqsafe-id=1 p \xff\xfe",
    ];
    for header in corrupt {
        cluster.write(topic, 1, &[header], None, b"corrupt");
    }
    expect(&case, &["-p", "1"], 1, &[("corrupt", corrupt.len() as u64)]);
    let everything: &[u8] = b"mqsafe-void=1-18446744073709551615";
    cluster.write(topic, 2, &[&lane("2", 2), everything], None, b"all is void");
    expect(&case, &["-p", "2"], 0, &[("void", u64::MAX)]);

    // A producer, a lane, a header, a key and a value that would take over a terminal; a header name that is no text.
    let key = b"\x1b[2Jkey\r";
    let headers: [&[u8]; 3] = [
        b"mqsafe-id=1 \x1b[31mp\x07 lane\x1b]0;owned\x07",
        b"bad\xff\xfename=\x1bcvalue",
        b"\x1b[1mname=\xff",
    ];
    cluster.write(topic, 3, &headers, Some(key), b"\x1b]52;c;b3duZWQ=\x07\x9b2J\xff");
    let harmless = |bytes: &[u8]| !bytes.iter().any(|b| matches!(b, 0x1b | 0x07 | 0x9b | b'\r' | 0xff));
    let shown = std::str::from_utf8(key).unwrap();
    for format in ["human", "json", "jsonl"] {
        let found = tool::run(case.query(&["--format", format, shown])).expect(0);
        assert!(
            harmless(&found.stdout) && harmless(found.stderr.as_bytes()),
            "{found_text}",
            found_text = String::from_utf8_lossy(&found.stdout)
        );
        if format == "json" {
            let name = &found.json()["records"][0]["headers"][1][0];
            assert_eq!(name["base64"], "YmFk//5uYW1l");
        }
    }
    let mut table = case.verify_command(&["-p", "3"]);
    table.args(["--format", "human"]);
    let mut human = std::process::Command::new(table.get_program());
    human.envs(table.get_envs().filter_map(|(k, v)| Some((k, v?))));
    human.args(
        table
            .get_args()
            .filter(|a| *a != "json" && *a != "--format" && *a != "human"),
    );
    let human = tool::run(human);
    assert_eq!(human.code, 0, "{}", human.stderr);
    assert!(
        harmless(&human.stdout) && harmless(human.stderr.as_bytes()),
        "{:?}",
        String::from_utf8_lossy(&human.stdout)
    );
}

#[test]
fn deleted_records_are_expired_and_not_missing() {
    let Some(cluster) = cluster::shared("deleted_records_are_expired_and_not_missing") else {
        return;
    };
    let case = Case::new(&cluster, "expired", 2);
    let lines = judge::lines(0, 1000, 50);
    tool::run_with(case.send(&["-p", "0"]), &judge::text(&lines)).expect(0);
    let offsets = serde_json::json!({
        "version": 1,
        "partitions": [{"topic": case.topic, "partition": 0, "offset": 400}],
    });
    let file = case.file("offsets.json", offsets.to_string().as_bytes());
    let arguments = [
        "org.apache.kafka.tools.DeleteRecordsCommand",
        "--bootstrap-server",
        cluster.bootstrap(),
        "--offset-json-file",
        file.to_str().unwrap(),
    ];
    cluster.script("kafka-tool", &arguments);
    expect(&case, &[], 0, &[("expired", 400)]);
    let verified = case.verify(&[]);
    assert_eq!(
        (&verified.json["lanes"][0]["first"], verified.total("read")),
        (&401.into(), 600)
    );
    // What is missing after the log start is missing all the same.
    plant(&cluster, &case.topic, 0, 0, &[1]);
    let producer = verified.json["lanes"][0]["producer"].as_str().unwrap();
    let stamp = format!("mqsafe-id=1003 {producer} {}/0", case.topic);
    cluster.write(&case.topic, 0, &[stamp.as_bytes()], None, b"1001 and 1002 never came");
    expect(&case, &[], 1, &[("gap", 2), ("expired", 400)]);
}

/// A producer with transactions that is not this project's code.
struct Transactions<'c> {
    producer: BaseProducer,
    cluster: &'c Cluster,
    topic: String,
}

const PATIENCE: Duration = Duration::from_secs(120);

impl<'c> Transactions<'c> {
    fn new(case: &Case<'c>) -> Transactions<'c> {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", case.cluster.bootstrap())
            .set("transactional.id", &case.topic)
            .create()
            .unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        Transactions {
            producer,
            cluster: case.cluster,
            topic: case.topic.clone(),
        }
    }

    /// Sends these numbers in a transaction that stays open.
    fn open(&self, numbers: &[u64]) {
        self.producer.begin_transaction().unwrap();
        for n in numbers {
            let (stamp, key) = (format!("{n} transactions {}/0", self.topic), format!("key-{n}"));
            let headers = OwnedHeaders::new().insert(Header {
                key: "mqsafe-id",
                value: Some(&stamp),
            });
            let record = BaseRecord::to(&self.topic).partition(0).key(&key).payload("value");
            self.producer.send(record.headers(headers)).unwrap();
        }
        self.producer.flush(PATIENCE).unwrap();
    }

    fn commit(&self) {
        self.producer.commit_transaction(PATIENCE).unwrap();
        self.cluster.await_transactions(&self.topic, 1);
    }

    fn abort(&self) {
        self.producer.abort_transaction(PATIENCE).unwrap();
        self.cluster.await_transactions(&self.topic, 1);
    }
}

#[test]
fn transactions_are_read_as_committed_and_open_ones_are_said() {
    let Some(cluster) = cluster::shared("transactions_are_read_as_committed_and_open_ones_are_said") else {
        return;
    };
    let case = Case::new(&cluster, "transactions", 1);
    let transactions = Transactions::new(&case);
    transactions.open(&[1, 2]);
    transactions.commit();
    transactions.open(&[3, 4]);
    transactions.abort();
    // Aborted at the end of the log: nothing is missing yet, and all was read.
    expect(&case, &[], 0, &[]);
    assert_eq!(case.verify(&[]).total("read"), 2);
    tool::run(case.query(&["key-3"])).expect(1);
    tool::run(case.query(&["--isolation", "read_uncommitted", "key-3"])).expect(0);
    transactions.open(&[3, 4]);
    transactions.commit();
    expect(&case, &["--deny", "duplicate,reordered,moved"], 0, &[]);
    let everything = ["--isolation", "read_uncommitted", "--deny", "duplicate"];
    expect(&case, &everything, 1, &[("duplicate", 2)]);

    transactions.open(&[5, 6]);
    let held_back = case.verify(&[]);
    assert_eq!(
        (held_back.code, held_back.total("gap"), held_back.total("read")),
        (3, 0, 4),
        "{}",
        held_back.stderr
    );
    assert!(
        held_back.coverage().starts_with("PARTIAL") && held_back.coverage().contains("open transaction"),
        "{}",
        held_back.coverage()
    );
    // Not seen is not the same as not there; what is found is found.
    tool::run(case.query(&["key-5"])).expect(3);
    tool::run(case.query(&["key-1"])).expect(0);
    transactions.commit();
    expect(&case, &[], 0, &[]);
    assert_eq!(case.verify(&[]).total("read"), 6);
    tool::run(case.query(&["key-5"])).expect(0);
}
