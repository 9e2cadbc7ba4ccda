//! `send --transaction`: one input, all or nothing, whatever crashes. kcat reads, as a reader of committed messages.

use crate::cluster::{self, Cluster, Seen};
use crate::judge;
use crate::tool::{self, Case, Done, Receipts};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

fn values(seen: &[Seen]) -> BTreeSet<Vec<u8>> {
    seen.iter().map(|record| record.value.clone()).collect()
}

fn transaction(case: &Case<'_>, lines: &[Vec<u8>], arguments: &[&str]) -> Done {
    let send = case.send(&[&["--transaction"][..], arguments].concat());
    tool::run_with(send, &judge::text(lines))
}

/// A run that ends where a test says, as by a kill.
#[cfg(feature = "test-hooks")]
fn that_dies(case: &Case<'_>, at: &str, lines: &[Vec<u8>]) {
    let mut send = case.send(&["--transaction"]);
    send.env("MQSAFE_TEST_DIES_AT", at);
    assert_eq!(
        tool::run_with(send, &judge::text(lines)).code,
        -6,
        "it should have died at {at}"
    );
}

fn decide(case: &Case<'_>, words: &[&str]) -> Done {
    let mut decide = case.mqsafe(&["spool", "decide", "--spool"]);
    decide.arg(case.path("spool")).args(words);
    tool::run(decide)
}

fn fsck(case: &Case<'_>) {
    let mut fsck = case.mqsafe(&["spool", "fsck", "--spool"]);
    fsck.arg(case.path("spool"));
    tool::run(fsck).expect(0);
}

/// A commit is answered before its marks are in the logs, and until then nobody may read what was committed.
fn await_marks(cluster: &Cluster, case: &Case<'_>) {
    let (partitions, _) = cluster.shape(&case.topic).unwrap();
    cluster.await_transactions(&case.topic, i32::try_from(partitions).unwrap());
}

/// Every line once, and nothing that `verify` minds.
#[track_caller]
fn holds_once(cluster: &Cluster, case: &Case<'_>, lines: &[Vec<u8>]) {
    await_marks(cluster, case);
    let seen = cluster.read(&case.topic);
    assert_eq!(seen.len(), lines.len());
    assert_eq!(values(&seen), lines.iter().cloned().collect());
    case.verify(&[]).expect_clean(lines.len() as u64);
    fsck(case);
}

#[test]
fn readers_get_all_of_an_input_with_its_receipts() {
    let Some(cluster) = cluster::shared("readers_get_all_of_an_input_with_its_receipts") else {
        return;
    };
    let case = Case::new(&cluster, "whole", 3);
    let lines = judge::lines(0, 5000, 100);
    let receipts = case.path("receipts");
    // Another hash than the usual one is no wish for a partition.
    let words = [
        "--receipts",
        receipts.to_str().unwrap(),
        "--ensure",
        "--partitioner",
        "crc32",
    ];
    let done = transaction(&case, &lines, &words).expect(0);
    assert!(done.stderr.contains("found 5000, different 0"), "{}", done.stderr);
    let told = Receipts::read(&receipts);
    assert_eq!(told.count("stored"), 5000);
    let offsets: BTreeSet<(i64, i64)> = told
        .each
        .iter()
        .map(|r| (r["partition"].as_i64().unwrap(), r["offset"].as_i64().unwrap()))
        .collect();
    await_marks(&cluster, &case);
    let there = cluster.read(&case.topic);
    let places = there.iter().map(|s| (i64::from(s.partition), s.offset));
    assert_eq!(offsets, places.collect(), "every receipt names its place");
    assert_eq!(case.stats(), (0, 0, 5000));
    holds_once(&cluster, &case, &lines);
    // An empty input is nothing at all.
    transaction(&case, &[], &[]).expect(0);
    // Nothing is left that the next run would have to end.
    assert!(decide(&case, &[]).expect(0).stderr.contains("0 undecided"));
}

#[cfg(feature = "test-hooks")]
#[test]
fn a_crash_at_any_point_leaves_nothing_or_everything_and_the_next_run_ends_it() {
    let name = "a_crash_at_any_point_leaves_nothing_or_everything_and_the_next_run_ends_it";
    let Some(cluster) = cluster::shared(name) else {
        return;
    };
    let case = Case::new(&cluster, "crash", 3);
    let mut lines = Vec::new();
    for (round, (at, there)) in [("decided", 0), ("written", 0), ("asked", 0), ("committed", 200)]
        .into_iter()
        .enumerate()
    {
        let more = judge::lines(round * 200, 200, 50);
        let before = lines.len();
        that_dies(&case, at, &more);
        if at == "committed" {
            await_marks(&cluster, &case);
        }
        assert_eq!(cluster.read(&case.topic).len() - before, there, "{at}");
        lines.extend(more);
        if round % 2 == 0 {
            let flushed = case.flush().expect(0);
            assert!(
                flushed.stderr.contains("accepted 200 = stored 200"),
                "{at}: {}",
                flushed.stderr
            );
        } else {
            // So does whoever sends the next message, before it.
            let next = vec![format!("after {at}").into_bytes()];
            let sent = tool::run_with(case.send(&[]), &judge::text(&next)).expect(0);
            assert!(
                sent.stderr.contains("left by earlier runs: accepted 200 = stored 200"),
                "{at}: {}",
                sent.stderr
            );
            lines.extend(next);
        }
        assert_eq!(case.stats(), (0, 0, lines.len() as u64), "{at}");
        holds_once(&cluster, &case, &lines);
    }
}

#[cfg(feature = "test-hooks")]
#[test]
fn what_cannot_be_proven_stays_in_doubt_until_somebody_decides() {
    let Some(cluster) = cluster::shared("what_cannot_be_proven_stays_in_doubt_until_somebody_decides") else {
        return;
    };
    let case = Case::new(&cluster, "doubt", 1);
    for (at, word, afterwards) in [("committed", "rollback", 0), ("asked", "commit", 20)] {
        that_dies(&case, at, &judge::lines(0, 20, 50));
        if at == "committed" {
            await_marks(&cluster, &case);
        }
        // Whatever stood there is removed, as retention may: nothing can be read any more.
        delete_everything(&cluster, &case.topic);
        let flushed = case.flush().expect(4);
        assert!(flushed.stderr.contains("in doubt 20"), "{at}: {}", flushed.stderr);
        assert!(
            flushed
                .stderr
                .contains("whether a transaction was committed is not known"),
            "{}",
            flushed.stderr
        );
        let list = decide(&case, &[]).expect(4);
        let rows = String::from_utf8(list.stdout).unwrap();
        let id = rows
            .lines()
            .nth(1)
            .and_then(|row| row.split_whitespace().next())
            .unwrap()
            .to_owned();
        decide(&case, &[&id, word]).expect(0);
        case.flush().expect(0);
        await_marks(&cluster, &case);
        assert_eq!(cluster.read(&case.topic).len(), afterwards, "{at}");
    }
    let (pending, failed, confirmed) = case.stats();
    assert_eq!((pending, failed, confirmed), (0, 20, 20));
    fsck(&case);
}

fn delete_everything(cluster: &Cluster, topic: &str) {
    let (leader, end) = (cluster.bootstrap(), "-1");
    let file = tempfile::NamedTempFile::new().unwrap();
    let asked = format!(r#"{{"partitions":[{{"topic":"{topic}","partition":0,"offset":{end}}}],"version":1}}"#);
    file.as_file().write_all(asked.as_bytes()).unwrap();
    // The end that committed readers may see: an open transaction must be ended first, as its broker does in time.
    cluster.script(
        "kafka-tool",
        &[
            "org.apache.kafka.tools.DeleteRecordsCommand",
            "--bootstrap-server",
            leader,
            "--offset-json-file",
            file.path().to_str().unwrap(),
        ],
    );
}

#[test]
fn one_refused_message_takes_all_of_them_with_it() {
    let Some(cluster) = cluster::shared("one_refused_message_takes_all_of_them_with_it") else {
        return;
    };
    let case = Case::with(&cluster, "refused", 2, &[("max.message.bytes", "3000")]);
    let mut lines = judge::lines(0, 300, 50);
    lines[150] = vec![b'x'; 5000];
    let receipts = case.path("receipts");
    let done = transaction(&case, &lines, &["--receipts", receipts.to_str().unwrap()]).expect(1);
    assert!(
        done.stderr.contains("accepted 300 = stored 0 + refused 300"),
        "{}",
        done.stderr
    );
    let told = Receipts::read(&receipts);
    let reason = |line: u64| {
        let receipt = told.each.iter().find(|r| r["line"] == line).unwrap();
        receipt["reason"].as_str().unwrap().to_owned()
    };
    assert!(reason(151).contains("large"), "{}", reason(151));
    assert!(reason(1).contains("line 151 was refused"), "{}", reason(1));
    assert!(cluster.read(&case.topic).is_empty());
    assert_eq!(case.stats(), (0, 300, 0));
    // Their numbers are void, and the next messages say so.
    let next = judge::lines(1000, 50, 50);
    transaction(&case, &next, &[]).expect(0);
    holds_once(&cluster, &case, &next);
}

#[test]
fn what_is_read_in_part_is_not_sent_in_part() {
    let Some(cluster) = cluster::shared("what_is_read_in_part_is_not_sent_in_part") else {
        return;
    };
    let case = Case::new(&cluster, "part", 1);
    let send = case.send(&["--transaction", "--input", "jsonl"]);
    let done = tool::run_with(send, b"{\"value\":\"a\"}\nno json\n{\"value\":\"b\"}\n").expect(1);
    assert!(done.stderr.contains("refused 2"), "{}", done.stderr);
    assert!(cluster.read(&case.topic).is_empty());
    assert_eq!(case.stats(), (0, 2, 0));
}

#[test]
fn without_a_broker_it_waits_whole() {
    let Some(cluster) = cluster::shared("without_a_broker_it_waits_whole") else {
        return;
    };
    let case = Case::new(&cluster, "waits", 2);
    let lines = judge::lines(0, 100, 50);
    let done = transaction(&case, &lines, &["--connect-timeout", "0s"]);
    // A broker that answers within no time at all is no fault.
    assert!([0, 4].contains(&done.code), "{}", done.stderr);
    if done.code == 4 {
        assert!(done.stderr.contains("spooled 100"), "{}", done.stderr);
        case.flush().expect(0);
    }
    holds_once(&cluster, &case, &lines);
}

#[test]
fn an_action_with_several_messages_publishes_them_in_one_transaction() {
    let Some(cluster) = cluster::shared("an_action_with_several_messages_publishes_them_in_one_transaction") else {
        return;
    };
    let case = Case::new(&cluster, "action", 1);
    let exec = |input: &[u8]| {
        tool::run_with(case.send(&["--exec", "--", "true"]), input).expect(0);
        // The mark of a commit takes its place in the log when it comes, which is not when the commit is answered.
        await_marks(&cluster, &case);
    };
    exec(b"a\nb\nc\n");
    exec(b"d\n");
    exec(b"e\nf\n");
    let offsets: Vec<i64> = cluster.read(&case.topic).iter().map(|s| s.offset).collect();
    // The marker of a commit takes a place of its own; one message needs none.
    assert_eq!(offsets, [0, 1, 2, 4, 5, 6]);
    case.verify(&[]).expect_clean(6);
    assert_eq!(case.stats(), (0, 0, 6));
}

#[test]
fn whoever_is_left_open_under_the_same_name_is_fenced() {
    let Some(cluster) = cluster::shared("whoever_is_left_open_under_the_same_name_is_fenced") else {
        return;
    };
    let case = Case::new(&cluster, "fence", 1);
    tool::run_with(case.send(&["--transaction"]), b"a\nb\n").expect(0);
    await_marks(&cluster, &case);
    let id = cluster.read(&case.topic)[0].id.clone().unwrap();
    let name = format!("mqsafe-{}", id.split(' ').nth(1).unwrap());
    // Somebody else under that name has begun and does not end, as a copy of the spool might.
    let config = |config: &mut rdkafka::ClientConfig| -> BaseProducer {
        config.set("bootstrap.servers", cluster.bootstrap());
        config.set("transactional.id", &name).create().unwrap()
    };
    let (other, patience) = (config(&mut rdkafka::ClientConfig::new()), Duration::from_secs(60));
    other.init_transactions(patience).unwrap();
    other.begin_transaction().unwrap();
    other
        .send(BaseRecord::<[u8], [u8]>::to(&case.topic).payload(b"open"))
        .unwrap();
    other.flush(patience).unwrap();
    let next = tool::run_with(case.send(&["--transaction"]), b"c\nd\n").expect(0);
    assert!(next.stderr.contains("stored 2"), "{}", next.stderr);
    other.commit_transaction(patience).expect_err("it was fenced");
    await_marks(&cluster, &case);
    let seen: Vec<Vec<u8>> = cluster.read(&case.topic).into_iter().map(|s| s.value).collect();
    assert_eq!(seen, ["a", "b", "c", "d"].map(|v| v.as_bytes().to_vec()));
}
