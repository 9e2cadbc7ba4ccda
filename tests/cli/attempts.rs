//! Attempts, against the client's own mock of a cluster: its broker answers, and refuses what it is told to refuse.

use super::{User, code, err};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use serde_json::Value;
use std::process::Output;

use rdkafka::types::RDKafkaRespErr::{
    RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS as NOT_NOW, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND as PERHAPS,
};

const TOPIC: &str = "orders";

struct Mock(MockCluster<'static, DefaultProducerContext>);

impl Mock {
    fn start() -> Mock {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 1, 1).unwrap();
        Mock(cluster)
    }

    /// From now on every request to publish is answered with this error.
    fn refuses(&self, error: RDKafkaRespErr) {
        self.takes_again();
        self.0.request_errors(RDKafkaApiKey::Produce, &vec![error; 10_000]);
    }

    fn takes_again(&self) {
        self.0.clear_request_errors(RDKafkaApiKey::Produce);
    }

    fn send(&self, user: &User, arguments: &[&str], input: &str) -> Output {
        let mut send = user.mqsafe();
        send.args([
            "send",
            "-b",
            &self.0.bootstrap_servers(),
            "-t",
            TOPIC,
            "--spool",
            "spool",
        ]);
        send.args(["--receipts", "receipts"]).args(arguments);
        if !arguments.contains(&"--delivery-timeout") {
            send.args(["--delivery-timeout", "1s"]);
        }
        send.write_stdin(input).output().unwrap()
    }
}

fn spool(user: &User, arguments: &[&str]) -> Output {
    let mut command = user.mqsafe();
    command.arg("spool").args(arguments).args(["--spool", "spool"]);
    command.output().unwrap()
}

fn listed(user: &User) -> Vec<Value> {
    let output = spool(user, &["ls", "--format", "jsonl"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    lines(&String::from_utf8(output.stdout).unwrap())
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The timer of a message table: attempts go on counting from run to run, and when they are used up that is told.
#[test]
fn attempts_that_are_used_up_are_told_and_can_be_tried_again() {
    let (user, mock) = (User::new(), Mock::start());
    mock.refuses(NOT_NOW);
    let sent = mock.send(&user, &[], "a\nb\n");
    assert_eq!(code(&sent), 4, "{}", err(&sent));
    for line in listed(&user) {
        assert_eq!(
            (&line["state"], &line["attempts"]),
            (&"pending".into(), &1.into()),
            "{line}"
        );
        assert_eq!(
            (&line["in_doubt"], &line["next_retry"]),
            (&false.into(), &Value::Null),
            "{line}"
        );
        assert!(line["id"]["seq"].is_u64() && line["reason"].is_string(), "{line}");
    }
    let mut watch = user.process();
    watch.args([
        "spool",
        "flush",
        "--watch",
        "--every",
        "200ms",
        "--max-attempts",
        "3",
        "--delivery-timeout",
        "1s",
    ]);
    // A variable that may hold a password, as far as the program goes.
    watch.env("MQSAFE_BROKER", "kafka://hunter2:1");
    watch.args([
        "--spool",
        "spool",
        "--on-failed",
        "--",
        "sh",
        "-c",
        "cat >> heard; echo $MQSAFE_BROKER >> heard",
    ]);
    let mut watch = super::stop::Running::start(watch);
    let heard = || std::fs::read_to_string(user.path("heard")).unwrap_or_default();
    watch.wait_for(|| heard().lines().count() == 4);
    watch.signal("TERM");
    let (status, said) = watch.end();
    assert_eq!(status.code(), Some(143), "{said}");
    assert!(said.contains("spool/0 failed: attempts used up (3): "), "{said}");
    assert!(
        !heard().contains("hunter2"),
        "a program of the user's gets no secret by its environment"
    );
    let told: Vec<Value> = heard()
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((&told[0]["value"], &told[1]["value"]), (&"a".into(), &"b".into()));
    assert_eq!(
        (&told[0]["state"], &told[0]["number_void"]),
        (&"failed".into(), &true.into())
    );
    assert_eq!(user.spool("spool"), [0, 2, 0]);

    mock.takes_again();
    assert_eq!(code(&spool(&user, &["retry", "--all-failed"])), 0);
    let numbers: Vec<Value> = listed(&user).iter().map(|l| l["id"]["seq"].clone()).collect();
    assert_eq!(numbers, [3, 4], "the old numbers are void");
    let flushed = spool(&user, &["flush"]);
    assert_eq!(code(&flushed), 0, "{}", err(&flushed));
    assert_eq!(user.spool("spool"), [0, 0, 2]);
    assert_eq!(code(&spool(&user, &["fsck"])), 0);
}

/// A number that may be in the log is never given up.
#[test]
fn what_may_be_stored_fails_without_its_number_becoming_void() {
    let (user, mock) = (User::new(), Mock::start());
    mock.refuses(PERHAPS);
    let sent = mock.send(&user, &["--max-attempts", "1", "--delivery-timeout", "3s"], "a\n");
    assert_eq!(code(&sent), 1, "{}", err(&sent));
    let receipts = lines(&std::fs::read_to_string(user.path("receipts")).unwrap());
    assert_eq!(
        (&receipts[0]["status"], &receipts[0]["attempts"]),
        (&"refused".into(), &1.into())
    );
    let reason = receipts[0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("attempts used up (1): "), "{reason}");
    let failed = &listed(&user)[0];
    assert_eq!(
        (&failed["state"], &failed["number_void"]),
        (&"failed".into(), &false.into()),
        "{failed}"
    );
    let relane = spool(&user, &["retry", "0", "--relane"]);
    assert_eq!(code(&relane), 2, "{}", err(&relane));
    assert!(err(&relane).contains("some may be stored"), "{}", err(&relane));
    assert_eq!(code(&spool(&user, &["retry", "0"])), 0);
    let again = &listed(&user)[0];
    assert_eq!(
        (&again["spool_id"], &again["id"]["seq"], &again["in_doubt"]),
        (&"spool/0".into(), &1.into(), &true.into())
    );
    assert_eq!(code(&spool(&user, &["fsck"])), 0);
    mock.takes_again();
    assert_eq!(code(&spool(&user, &["flush"])), 0);
    assert_eq!(user.spool("spool"), [0, 0, 1]);
}

/// What was certainly not sent is no longer certain once it was handed over again: a kill then leaves it in doubt.
#[test]
fn a_kill_in_the_middle_of_an_attempt_leaves_it_in_doubt() {
    let (user, mock) = (User::new(), Mock::start());
    mock.refuses(NOT_NOW);
    assert_eq!(code(&mock.send(&user, &[], "a\n")), 4);
    assert_eq!(listed(&user)[0]["in_doubt"], false);
    let mut flush = user.process();
    flush.args(["spool", "flush", "--spool", "spool", "--delivery-timeout", "60s"]);
    let mut flush = super::stop::Running::start(flush);
    // Long enough to be told about the topic and to have handed it over.
    std::thread::sleep(std::time::Duration::from_secs(5));
    flush.signal("KILL");
    flush.end();
    let line = &listed(&user)[0];
    assert_eq!(
        (&line["in_doubt"], &line["attempts"]),
        (&true.into(), &1.into()),
        "{line}"
    );
    // One that may be stored is never voided by whoever refuses it later.
    mock.refuses(RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    let flushed = spool(&user, &["flush"]);
    assert_eq!(code(&flushed), 1, "{}", err(&flushed));
    let failed = &listed(&user)[0];
    assert_eq!(
        (&failed["state"], &failed["number_void"]),
        (&"failed".into(), &false.into()),
        "{failed}"
    );
    assert!(
        failed["reason"]
            .as_str()
            .unwrap()
            .ends_with("an earlier attempt may have stored it"),
        "{failed}"
    );
}

/// A broker that is not there takes no attempts: an outage of a night fails nothing.
#[test]
fn waiting_for_a_broker_is_no_attempt() {
    let user = User::new();
    assert_eq!(code(&user.send().write_stdin("a\n").output().unwrap()), 4);
    for _ in 0..2 {
        let flushed = spool(&user, &["flush", "--max-attempts", "1", "--connect-timeout", "0s"]);
        assert_eq!(code(&flushed), 4, "{}", err(&flushed));
    }
    assert_eq!(user.spool("spool"), [1, 0, 0]);
    assert_eq!(listed(&user)[0]["attempts"], 0);
}
