//! Bad input and narrow topics: each line is stored, or refused, or rejected, and said to be.

use crate::cluster;
use crate::judge;
use crate::outage::{self, values};
use crate::tool::{self, Case, Done, Receipts};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// The cluster makes topics on demand; the tool must not be the one who demands.
#[test]
fn an_unknown_topic_is_an_error_and_stays_unknown() {
    let Some(cluster) = cluster::shared("an_unknown_topic_is_an_error_and_stays_unknown") else {
        return;
    };
    let case = |about: &str| Case {
        topic: cluster.fresh_name(about),
        dir: TempDir::new().unwrap(),
        cluster: &cluster,
    };
    let (sent, verified, queried) = (case("no-send"), case("no-verify"), case("no-query"));
    let send = sent.send(&["-k", "key"]);
    let done = thread::scope(|scope| {
        [
            scope.spawn(|| refused_at_once(&cluster, &sent, send)),
            scope.spawn(|| answered(|| verified.verify_command(&[])).expect(3)),
            scope.spawn(|| answered(|| queried.query(&["--format", "json", "key"])).expect(3)),
        ]
        .map(|t| t.join().unwrap())
    });
    for (done, case) in done.iter().zip([&sent, &verified, &queried]) {
        let said = format!("topic {} does not exist", case.topic);
        assert!(done.stderr.contains(&said), "{}", done.stderr);
    }
    let [sent_done, readers @ ..] = &done;
    assert_eq!(sent_done.stdout, b"");
    for reader in readers {
        // Machine output is whole, and says that nothing was read.
        let answer: serde_json::Value = serde_json::from_slice(&reader.stdout).unwrap();
        let coverage = answer["coverage"].as_str().unwrap();
        assert!(coverage.starts_with("PARTIAL topic "), "{coverage}");
    }
    let listed = cluster.listed_topics();
    for case in [sent, verified, queried] {
        assert!(!listed.contains(&case.topic), "{} was made by accident", case.topic);
    }
}

/// A reader that a busy cluster does not answer in time says so, and that nothing was read. The first answer in time counts.
fn answered(reader: impl Fn() -> std::process::Command) -> Done {
    let mut done = tool::run(reader());
    for _ in 0..10 {
        if !done.stderr.contains("cannot reach") {
            break;
        }
        assert_eq!(done.code, 3, "{}", done.stderr);
        done = tool::run(reader());
    }
    done
}

/// A busy cluster may not answer in time; then the line is accepted and kept, and that is said. The first answer in time counts.
fn refused_at_once(cluster: &cluster::Cluster, case: &Case<'_>, first: std::process::Command) -> Done {
    let mut done = tool::run_with(first, b"line\n");
    let mut stats = case.stats();
    for _ in 0..10 {
        if done.code == 2 {
            break;
        }
        let late = Case {
            topic: case.topic.clone(),
            dir: TempDir::new().unwrap(),
            cluster,
        };
        // Also where the answer came after all, and the line was kept by then.
        let is_late = done.code == 4 && done.stderr.contains("cannot be reached");
        assert!(is_late && stats == (1, 0, 0), "{}: {}", done.code, done.stderr);
        done = tool::run_with(late.send(&["-k", "key"]), b"line\n");
        stats = late.stats();
    }
    assert_eq!(stats, (0, 0, 0), "{}", done.stderr);
    done.expect(2)
}

#[test]
fn a_partition_that_is_not_there_is_a_usage_error() {
    let Some(cluster) = cluster::shared("a_partition_that_is_not_there_is_a_usage_error") else {
        return;
    };
    let case = Case::new(&cluster, "partition", 2);
    let refused = tool::run_with(case.send(&["-p", "2"]), b"line\n").expect(2);
    assert!(refused.stderr.contains("has no partition 2"), "{}", refused.stderr);
    assert_eq!(case.stats(), (0, 0, 0));
    tool::run(case.verify_command(&["-p", "1-2"])).expect(2);
    tool::run(case.query(&["-p", "7", "key"])).expect(2);
    tool::run_with(case.send(&["-p", "1"]), b"line\n").expect(0);
    let seen = cluster.read(&case.topic);
    assert_eq!(
        seen.iter()
            .map(|s| (s.partition, s.value.as_slice()))
            .collect::<Vec<_>>(),
        [(1, &b"line"[..])]
    );
}

#[test]
fn what_is_too_large_for_the_topic_is_refused_and_its_number_given_up() {
    let test = "what_is_too_large_for_the_topic_is_refused_and_its_number_given_up";
    let Some(cluster) = cluster::shared(test) else { return };
    let case = Case::with(&cluster, "narrow", 1, &[("max.message.bytes", "50000")]);
    let mut lines = judge::lines(0, 200, 100);
    lines.insert(100, vec![b'x'; 60_000]);
    let mut send = case.send(&["--receipts"]);
    send.arg(case.path("receipts"));
    let done = tool::run_with(send, &judge::text(&lines)).expect(1);
    assert!(done.stderr.contains("refused 1"), "{}", done.stderr);
    let receipts = Receipts::read(&case.path("receipts"));
    let refused: Vec<_> = receipts.with("refused").collect();
    assert_eq!(
        (refused.len(), refused[0]["line"].as_u64(), receipts.count("stored")),
        (1, Some(101), 200)
    );
    assert!(
        refused[0]["reason"].as_str().unwrap().to_lowercase().contains("large"),
        "{}",
        refused[0]
    );
    assert_eq!(case.stats(), (0, 1, 200));
    // Until the lane's next message says so, nobody can know what became of the number.
    let before = case.verify(&[]);
    assert_eq!((before.code, before.total("gap")), (1, 1));
    assert_eq!(before.json["lanes"][0]["gaps"], serde_json::json!([[101, 101]]));
    tool::run_with(case.send(&[]), b"next\n").expect(0);
    let after = case.verify(&[]);
    after.expect_clean(201);
    assert_eq!(after.total("void"), 1);
    lines.remove(100);
    let there = values(&cluster, &case.topic);
    assert!(lines.iter().all(|line| there.contains(line)));
    assert_eq!(there.len(), 201);
}

#[test]
fn a_topic_for_small_batches_takes_many_small_messages() {
    let Some(cluster) = cluster::shared("a_topic_for_small_batches_takes_many_small_messages") else {
        return;
    };
    let case = Case::with(&cluster, "batches", 2, &[("max.message.bytes", "10240")]);
    let lines = judge::lines(0, 5000, 100);
    tool::run_with(case.send(&[]), &judge::text(&lines)).expect(0);
    case.verify(&[]).expect_clean(5000);
    assert_eq!(values(&cluster, &case.topic).len(), 5000);
}

/// A batch may be refused although each of its messages is small enough: then they go one by one.
#[test]
fn a_topic_that_becomes_narrow_takes_small_messages_all_the_same() {
    let Some(cluster) = cluster::shared("a_topic_that_becomes_narrow_takes_small_messages_all_the_same") else {
        return;
    };
    let case = Case::new(&cluster, "narrowed", 2);
    let lines = judge::lines(0, 6000, 100);
    let mut running = outage::under_way(&case, &[], &lines[..1000]);
    cluster.set(&case.topic, "max.message.bytes", "3000");
    // Each node takes the new limit a moment later.
    thread::sleep(Duration::from_secs(1));
    running.feed(&judge::text(&lines[1000..]));
    let large = [vec![b'x'; 4000]];
    running.feed(&judge::text(&large));
    running.close();
    running.wait().expect(1);
    let receipts = Receipts::read(&case.path("receipts"));
    assert_eq!((receipts.count("stored"), receipts.count("refused")), (6000, 1));
    let retried = receipts
        .each
        .iter()
        .filter(|r| r["attempts"].as_u64() > Some(1))
        .count();
    assert!(retried > 0, "no batch was refused as a whole, so this proves nothing");
    let there = cluster.read(&case.topic);
    let verified = case.verify(&[]);
    verified.expect_clean(there.len() as u64);
    assert_eq!(verified.total("duplicate"), there.len() as u64 - 6000);
    println!(
        "narrowed: {} duplicates, {retried} retried",
        verified.total("duplicate")
    );
    let there = values(&cluster, &case.topic);
    assert!(lines.iter().all(|line| there.contains(line)));
}

#[test]
fn every_line_of_a_bad_input_has_its_receipt() {
    let Some(cluster) = cluster::shared("every_line_of_a_bad_input_has_its_receipt") else {
        return;
    };
    let case = Case::with(&cluster, "bad-input", 3, &[("max.message.bytes", "10000")]);
    let mut input = Vec::new();
    let mut expected = Vec::new();
    for n in 0..600 {
        let (line, status) = match n % 6 {
            0 => (format!("key{n}:value {n}").into_bytes(), "stored"),
            1 => (b"no delimiter".to_vec(), "rejected"),
            2 => (b":".to_vec(), "stored"),
            3 => (Vec::new(), "rejected"),
            4 if n % 60 == 4 => ([b"k:", [b'x'; 15_000].as_slice()].concat(), "refused"),
            5 if n % 60 == 5 => ([b"k:", [b'x'; 25_000].as_slice()].concat(), "rejected"),
            _ => (
                [b"\xff\xfe:\x00\x1b[2J\xff ", n.to_string().as_bytes()].concat(),
                "stored",
            ),
        };
        input.extend_from_slice(&line);
        input.push(b'\n');
        expected.push(status);
    }
    // The last line has no end of line, and is a line.
    input.extend(b"last:line");
    expected.push("stored");
    let send = case.send(&["-K", ":", "--max-message-bytes", "20000", "--receipts", "-"]);
    let done = tool::run_with(send, &input).expect(1);
    let receipts = Receipts::parse(&done.stdout);
    let mut told: Vec<(u64, &str)> = receipts
        .each
        .iter()
        .map(|r| (r["line"].as_u64().unwrap(), r["status"].as_str().unwrap()))
        .collect();
    told.sort_unstable();
    let expected: Vec<(u64, &str)> = (1..).zip(expected).collect();
    assert_eq!(told, expected);
    for receipt in &receipts.each {
        let why = receipt["reason"].as_str().is_some_and(|r| !r.is_empty());
        assert_eq!(why, receipt["status"] != "stored", "{receipt}");
        assert_eq!(receipt["offset"].is_i64(), receipt["status"] == "stored", "{receipt}");
    }
    // Nothing that came in acts on the terminal of the one who reads why.
    assert!(!done.stderr.contains('\x1b'), "{}", done.stderr);
    assert_eq!(cluster.read(&case.topic).len() as u64, receipts.count("stored"));
}
