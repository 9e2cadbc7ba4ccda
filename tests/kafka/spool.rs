//! The journal against a cluster: lanes that are gone, messages that nobody consumed.

use crate::cluster::{self, Cluster};
use crate::tool::{self, Case, Done, Receipts};
use serde_json::Value;
use std::time::{Duration, Instant};

fn spool(case: &Case<'_>, arguments: &[&str]) -> Done {
    let mut command = case.mqsafe(&["spool"]);
    command.args(arguments).arg("--spool").arg(case.path("spool"));
    tool::run(command)
}

fn listed(case: &Case<'_>, arguments: &[&str]) -> Vec<Value> {
    let done = spool(case, &[&["ls", "--format", "jsonl"][..], arguments].concat()).expect(0);
    let lines = serde_json::Deserializer::from_slice(&done.stdout).into_iter();
    lines.map(Result::unwrap).collect()
}

#[test]
fn messages_for_lanes_that_are_gone_wait_until_they_get_others() {
    let Some(cluster) = cluster::shared("messages_for_lanes_that_are_gone_wait_until_they_get_others") else {
        return;
    };
    // Accepted before the broker is asked; a third of them for a partition that is not there when it is. Now and then the broker has
    // answered before the end of the input was read; then they are delivered, and others must do.
    let accepted = || {
        let case = Case::new(&cluster, "fewer", 3);
        let codes = [("0", 20), ("2", 10)].map(|(partition, lines)| {
            let send = case.send(&["--connect-timeout", "0s", "-p", partition, "-k", partition]);
            let lines: String = (0..lines).map(|n| format!("{partition}-{n}\n")).collect();
            tool::run_with(send, lines.as_bytes()).code
        });
        assert!(codes.iter().all(|code| [0, 4].contains(code)), "{codes:?}");
        (codes == [4, 4]).then_some(case)
    };
    let case = std::iter::repeat_with(accepted).take(20).flatten().next();
    let case = case.expect("20 times the broker answered at once");
    make_anew(&cluster, &case.topic, 2);
    let gone = 10;
    let began = Instant::now();
    let flushed = case.flush().expect(4);
    // A time-out of delivery is two minutes.
    assert!(began.elapsed() < Duration::from_secs(60), "nothing else is waited for");
    for expected in [
        &format!("{gone} messages wait for lanes that topic {} does not have", case.topic),
        "it has 2 partitions; ",
        &format!("{}/2 (10)", case.topic),
        "mqsafe spool retry --relane",
    ] {
        assert!(flushed.stderr.contains(expected), "{expected:?}: {}", flushed.stderr);
    }
    assert_eq!(case.stats(), (gone, 0, 30 - gone), "the others went out");
    // What is new goes out too.
    tool::run_with(case.send(&[]), b"new\n").expect(4);
    assert_eq!(case.stats(), (gone, 0, 31 - gone));

    let relaned = spool(&case, &["retry", "--relane", "--partitioner", "crc32"]).expect(0);
    assert!(
        relaned.stderr.contains(&format!("{gone} with a new lane")),
        "{}",
        relaned.stderr
    );
    spool(&case, &["fsck"]).expect(0);
    case.flush().expect(0);
    assert_eq!(case.stats(), (0, 0, 31));
    let there = cluster.read(&case.topic);
    assert_eq!(there.len(), 31);
    // Of two partitions librdkafka's hash takes the second for this key, Java's the first.
    let moved = there.iter().filter(|record| record.key.as_deref() == Some(b"2"));
    assert_eq!(moved.map(|record| record.partition).collect::<Vec<_>>(), [1; 10]);
    case.verify(&[]).expect_clean(31);
}

fn make_anew(cluster: &Cluster, topic: &str, partitions: i32) {
    cluster.delete_topic(topic);
    cluster.make_topic(topic, partitions, &[]);
}

#[test]
fn what_nobody_consumed_is_sent_again_under_its_number() {
    let Some(cluster) = cluster::shared("what_nobody_consumed_is_sent_again_under_its_number") else {
        return;
    };
    let case = Case::new(&cluster, "consumed", 1);
    let receipts = case.path("receipts");
    let mut send = case.send(&["--await-consumed", "1ms"]);
    send.arg("--receipts").arg(&receipts);
    tool::run_with(send, b"a\nb\nc\n").expect(0);
    assert_eq!(case.stats(), (0, 0, 3));
    let ids: Vec<Value> = Receipts::read(&receipts).each.iter().map(|r| r["id"].clone()).collect();
    let report = |id: &Value, status: &str| {
        let mut report = serde_json::json!({"id": id, "status": status});
        report["reason"] = "no stock".into();
        format!("{report}\n")
    };
    case.file(
        "reports",
        (report(&ids[0], "consumed") + &report(&ids[1], "failed")).as_bytes(),
    );
    let reports = case.path("reports");
    let noted = spool(&case, &["ack", "--from", reports.to_str().unwrap()]).expect(0);
    assert!(noted.stderr.contains("consumed 1, failed 1, "), "{}", noted.stderr);
    let awaiting = listed(&case, &["--state", "awaiting"]);
    let standing: Vec<_> = awaiting
        .iter()
        .map(|l| (&l["id"]["seq"], &l["reason"], &l["overdue"]))
        .collect();
    let (two, three, yes) = (2.into(), 3.into(), true.into());
    assert_eq!(
        standing,
        [(&two, &"no stock".into(), &yes), (&three, &Value::Null, &yes)]
    );

    spool(&case, &["retry", "--unconsumed"]).expect(0);
    case.flush().expect(0);
    assert_eq!(case.stats(), (0, 0, 3));
    let verified = case.verify(&[]);
    assert_eq!((verified.total("duplicate"), verified.total("gap")), (2, 0));
    case.file(
        "reports",
        format!("{}{}", report(&ids[1], "consumed"), report(&ids[2], "consumed")).as_bytes(),
    );
    spool(&case, &["ack", "--from", reports.to_str().unwrap()]).expect(0);
    let stats = spool(&case, &["stats", "--format", "json"]).expect(0).json();
    assert_eq!((&stats["awaiting"], &stats["consumed"]), (&0.into(), &3.into()));
    spool(&case, &["fsck"]).expect(0);
}

#[test]
fn reports_are_read_from_a_topic_and_what_was_not_read_is_said() {
    let Some(cluster) = cluster::shared("reports_are_read_from_a_topic_and_what_was_not_read_is_said") else {
        return;
    };
    let case = Case::new(&cluster, "reported", 1);
    tool::run_with(case.send(&["--await-consumed", "1h"]), b"a\nb\nc\n").expect(0);
    let stamp = |seq: usize| cluster.read(&case.topic)[seq - 1].id.clone().unwrap();
    let acks = cluster.topic("acks", 2, &[]);
    let (one, two) = (stamp(1), stamp(2));
    let producer = two.split(' ').nth(1).unwrap();
    let lane = format!("{}/0", case.topic);
    let failed = serde_json::json!({
        "id": {"producer": producer, "lane": lane, "seq": 2}, "status": "failed", "reason": "no stock"
    });
    cluster.write(&acks, 0, &[], None, one.as_bytes());
    cluster.write(&acks, 1, &[], None, format!("{failed}").as_bytes());
    let ack = |from: &str| spool(&case, &["ack", "-b", cluster.bootstrap(), "--from", from]);
    let noted = ack(&acks).expect(0);
    assert!(noted.stderr.contains("consumed 1, failed 1, "), "{}", noted.stderr);
    assert!(noted.stderr.contains(&format!("{acks}: COMPLETE")), "{}", noted.stderr);
    assert_eq!(listed(&case, &["--state", "awaiting"]).len(), 2);
    // Again, with a message that is none; what is known stays known.
    cluster.write(&acks, 0, &[], None, b"no report");
    let again = ack(&acks).expect(1);
    assert!(
        again.stderr.contains("message 2 is no report") || again.stderr.contains("message 3 is no report"),
        "{}",
        again.stderr
    );
    assert!(again.stderr.contains("known already 1"), "{}", again.stderr);
    // Nothing was read, which is not the same as nothing reported.
    let absent = ack("no-such-topic").expect(3);
    assert!(absent.stderr.contains("does not exist"), "{}", absent.stderr);
}

#[test]
fn the_counts_are_told_although_the_dead_letters_have_no_place() {
    let Some(cluster) = cluster::shared("the_counts_are_told_although_the_dead_letters_have_no_place") else {
        return;
    };
    let case = Case::with(&cluster, "nowhere", 1, &[("max.message.bytes", "2000")]);
    let dead = format!("{}-dead", case.topic);
    let large = format!("a\n{}\nb\n", "x".repeat(5000));
    let sent = tool::run_with(case.send(&["--dead-letter", &dead]), large.as_bytes()).expect(1);
    let last = sent.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("accepted 3 = stored 2 + refused 1"), "{}", sent.stderr);
    assert!(
        sent.stderr.contains(&format!("topic {dead} does not exist")),
        "{}",
        sent.stderr
    );
    // A later run that was not told of it says what waits, and `spool flush` delivers it.
    let next = tool::run_with(case.send(&[]), b"c\n").expect(0);
    let waits = format!("1 message in this spool waits for topic {dead}: `mqsafe spool flush` delivers");
    assert!(next.stderr.contains(&waits), "{}", next.stderr);
    cluster.make_topic(&dead, 1, &[]);
    case.flush().expect(0);
    let dead = cluster.read(&dead);
    assert_eq!(dead.iter().map(|s| s.value.len()).collect::<Vec<_>>(), [5000]);
}

#[test]
fn the_consumption_of_what_an_action_published_is_awaited() {
    let Some(cluster) = cluster::shared("the_consumption_of_what_an_action_published_is_awaited") else {
        return;
    };
    let case = Case::new(&cluster, "awaited", 1);
    for input in [&b"a\nb\n"[..], b"c\n"] {
        let send = case.send(&["--await-consumed", "1h", "--exec", "--", "true"]);
        tool::run_with(send, input).expect(0);
    }
    let awaiting = listed(&case, &["--state", "awaiting"]);
    let numbers: Vec<u64> = awaiting.iter().map(|l| l["id"]["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let stamp = cluster.read(&case.topic)[1].id.clone().unwrap();
    let reports = case.file("reports", stamp.as_bytes());
    spool(&case, &["ack", "--from", reports.to_str().unwrap()]).expect(0);
    assert_eq!(listed(&case, &["--state", "awaiting"]).len(), 2);
    spool(&case, &["fsck"]).expect(0);
}
