//! `verify` on logs to which something happened, and on logs that others wrote.

use crate::cluster;
use crate::judge;
use crate::support;
use crate::tool::{self, Case};
use std::time::Duration;

/// What a run said of what may look like a loss.
fn explained<'j>(json: &'j serde_json::Value, what: &str) -> Option<&'j str> {
    let all = json["explained"].as_array()?;
    all.iter().find(|e| e["what"] == what)?["words"].as_str()
}

#[test]
fn partitions_that_were_added_are_no_loss() {
    let Some(cluster) = cluster::shared("partitions_that_were_added_are_no_loss") else {
        return;
    };
    let case = Case::new(&cluster, "grown", 1);
    tool::run_with(case.send(&[]), &judge::text(&judge::lines(0, 200, 60))).expect(0);
    std::thread::sleep(Duration::from_millis(1100));
    cluster.grow(&case.topic, 3);
    tool::run_with(case.send(&[]), &judge::text(&judge::lines(200, 600, 60))).expect(0);
    // A batch goes to one of them; the old one is to have two producers for certain.
    tool::run_with(case.send(&["-p", "0"]), &judge::text(&judge::lines(800, 10, 60))).expect(0);
    let spool = case.path("spool");
    let verified = case.verify(&[
        "--journal",
        spool.to_str().unwrap(),
        "--deny",
        "reordered,moved,duplicate",
    ]);
    verified.expect_clean(810);
    let words = explained(&verified.json, "grown");
    assert!(
        words.is_some_and(|w| w.contains("they seem to have been added")),
        "{}",
        verified.json
    );
    assert!(
        explained(&verified.json, "producer-restart").is_some(),
        "{}",
        verified.json
    );
}

#[test]
fn what_was_deleted_or_removed_by_compaction_is_expired() {
    let Some(cluster) = cluster::shared("what_was_deleted_or_removed_by_compaction_is_expired") else {
        return;
    };
    let case = Case::new(&cluster, "deleted", 1);
    tool::run_with(case.send(&[]), &judge::text(&judge::lines(0, 100, 60))).expect(0);
    cluster.delete_before(&case.topic, 0, 40);
    let spool = case.path("spool");
    for more in [&[][..], &["--journal", spool.to_str().unwrap()]] {
        let verified = case.verify(more);
        assert_eq!(
            (verified.code, verified.total("expired"), verified.total("gap")),
            (0, 40, 0),
            "{}",
            verified.stderr
        );
    }
    // A topic that says it is compacted, with a hole: it may have been, so it is not lost.
    let compacted = Case::with(&cluster, "compacted", 1, &[("cleanup.policy", "compact")]);
    for n in [1, 2, 5] {
        let stamp = format!("mqsafe-id={n} p {}/0", compacted.topic);
        cluster.write(&compacted.topic, 0, &[stamp.as_bytes()], Some(b"k"), b"x");
    }
    let verified = compacted.verify(&[]);
    assert_eq!(
        (verified.code, verified.total("expired"), verified.total("gap")),
        (0, 2, 0),
        "{}",
        verified.stderr
    );
    assert!(
        verified.stderr.contains("the topic is compacted"),
        "{}",
        verified.stderr
    );
}

#[test]
fn what_kafkas_own_verifiable_producer_wrote_is_counted() {
    let Some(cluster) = cluster::shared("what_kafkas_own_verifiable_producer_wrote_is_counted") else {
        return;
    };
    let case = Case::new(&cluster, "verifiable", 1);
    let arguments = [
        "org.apache.kafka.tools.VerifiableProducer",
        "--bootstrap-server",
        cluster.bootstrap(),
        "--topic",
        &case.topic,
        "--max-messages",
        "500",
    ];
    cluster.script("kafka-tool", &arguments);
    // It numbers its values from 0; it is not idempotent, so Kafka numbers nothing, which is no good answer.
    case.verify(&["--seq-from", "value"]).expect_clean(500);
    assert_eq!(case.verify(&["--pid"]).code, 3);
    let listed = case.file(
        "numbers",
        (0..501).map(|n| format!("{n}\n")).collect::<String>().as_bytes(),
    );
    let verified = case.verify(&["--expect", listed.to_str().unwrap(), "--id-from", "value"]);
    assert_eq!(verified.code, 1, "{}", verified.stderr);
    assert_eq!(verified.json["expected"]["missing_ids"], serde_json::json!(["500"]));
}

/// Kafka's own cleaner at work: it leaves holes in batches, empty batches, and takes whole batches out.
#[test]
fn what_the_log_cleaner_removed_is_expired_and_not_lost() {
    let Some(cluster) = cluster::shared("what_the_log_cleaner_removed_is_expired_and_not_lost") else {
        return;
    };
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "300"),
        ("min.cleanable.dirty.ratio", "0.001"),
    ];
    let case = Case::with(&cluster, "cleaned", 1, &settings);
    let text = |keys: std::ops::Range<usize>, count: usize| {
        (0..count)
            .map(|n| format!("k{}:value {n}\n", keys.start + n % keys.len()))
            .collect::<String>()
    };
    let send = |text: &str| {
        tool::run_with(case.send(&["-K", ":"]), text.as_bytes()).expect(0);
        std::thread::sleep(Duration::from_millis(400));
    };
    // Whole batches of old values, batches with some of them, and a tail that is not cleaned.
    send(&text(0..10, 300));
    send(&text(5..30, 100));
    send(&text(100..105, 5));
    let written = 405;
    let there = || cluster.read(&case.topic).len() as u64;
    let began = std::time::Instant::now();
    // Each key's last value at least stays: 35 of them.
    let mut kept = there();
    while kept > 60 {
        assert!(
            began.elapsed() < Duration::from_secs(180),
            "the cleaner has removed nothing: {kept} are there"
        );
        std::thread::sleep(Duration::from_millis(500));
        // Only what is no longer written to is cleaned.
        send("k100:again\n");
        kept = there();
    }
    let sent = |verified: &tool::Verified| verified.total("read") + verified.total("expired");
    let spool = case.path("spool");
    let spool = spool.to_str().unwrap();
    for more in [&[][..], &["--journal", spool], &["--isolation", "read_uncommitted"]] {
        let verified = case.verify(more);
        assert_eq!(
            (
                verified.code,
                verified.total("gap"),
                verified.json["totals"]["lost"].as_u64().unwrap_or(0)
            ),
            (0, 0, 0),
            "{more:?}: {}",
            verified.stderr
        );
        assert!(sent(&verified) >= written, "{more:?}: {}", verified.stderr);
        assert!(verified.total("expired") > 300, "{more:?}: {}", verified.stderr);
        assert!(
            verified.stderr.contains("the topic is compacted"),
            "{more:?}: {}",
            verified.stderr
        );
    }
    // Kafka's own numbers: the cleaner keeps what a batch was, or takes it whole.
    let verified = case.verify(&["--pid", "--deny", "duplicate,reordered"]);
    assert_eq!(
        (verified.code, verified.total("gap"), verified.total("duplicate")),
        (0, 0, 0),
        "{}",
        verified.stderr
    );
}

/// kcat gives each message headers of the user's own: a number and a name, of two writers that share a partition.
#[test]
fn what_kcat_wrote_with_headers_is_counted() {
    let Some(cluster) = cluster::shared("what_kcat_wrote_with_headers_is_counted") else {
        return;
    };
    let case = Case::new(&cluster, "kcat", 2);
    let write = |partition: i32, app: &str, n: u64| {
        let (number, name) = (format!("seq={n}"), format!("app={app}"));
        cluster.write(
            &case.topic,
            partition,
            &[number.as_bytes(), name.as_bytes()],
            None,
            b"x",
        );
    };
    for n in 0..4 {
        write(0, "a", n);
        write(0, "b", n);
    }
    write(1, "a", 0);
    let headers = ["--seq-from", "header:seq", "--producer-from", "header:app"];
    let strict = [&headers[..], &["--deny", "duplicate,reordered,moved"]].concat();
    case.verify(&strict).expect_clean(9);
    // One that never came, one that came twice, one that came late, and one whose number is none.
    for n in [6, 5, 5] {
        write(0, "b", n);
    }
    cluster.write(&case.topic, 1, &[b"seq=many", b"app=a"], None, b"x");
    let verified = case.verify(&strict);
    assert_eq!(
        (verified.code, verified.totals()),
        (
            1,
            vec![
                ("read", 13),
                ("stamped", 12),
                ("gap", 1),
                ("duplicate", 1),
                ("reordered", 1),
                ("corrupt", 1)
            ]
        ),
        "{}",
        verified.stderr
    );
    let lanes = verified.json["lanes"].as_array().unwrap();
    let b = lanes.iter().find(|lane| lane["producer"] == "b").unwrap();
    assert_eq!(b["gaps"], serde_json::json!([[5, 5]]));
}

/// Half a minute until the stopped follower has left the replicas in sync; then the leader dies with what only it had.
#[test]
fn what_an_unclean_election_cut_is_lost_and_named() {
    if !support::full() {
        return support::skip(
            "what_an_unclean_election_cut_is_lost_and_named",
            "needs the long series",
        );
    }
    let Some(cluster) = cluster::alone("what_an_unclean_election_cut_is_lost_and_named") else {
        return;
    };
    let mut case = Case::new(&cluster, "unclean", 1);
    case.topic = cluster.fresh_name("unclean-two");
    cluster.make_topic_with(&case.topic, 1, 2);
    let settings = [("unclean.leader.election.enable", "true"), ("min.insync.replicas", "1")];
    cluster.set_all(&case.topic, &settings);
    let send = |from: usize, count: usize| {
        tool::run_with(case.send(&[]), &judge::text(&judge::lines(from, count, 60))).expect(0);
    };
    send(0, 100);
    let leader = cluster.await_leader(&case.topic, 0);
    // The other replica is one of the other two; whoever is stopped for nothing goes on.
    let others: Vec<String> = (1..=3).filter(|n| *n != leader).map(|n| n.to_string()).collect();
    let in_sync = || cluster.shape(&case.topic).map(|(_, isr)| isr);
    let follower = others
        .iter()
        .find(|node| {
            cluster.script("stop", &["kafka", node]);
            let began = std::time::Instant::now();
            while in_sync() == Some(2) && began.elapsed() < Duration::from_secs(50) {
                std::thread::sleep(Duration::from_secs(1));
            }
            let is_it = in_sync() == Some(1);
            if !is_it {
                cluster.script("cont", &["kafka", node]);
            }
            is_it
        })
        .expect("a follower")
        .clone();
    send(100, 50);
    cluster.script("kill", &["kafka", &leader.to_string()]);
    cluster.script("cont", &["kafka", &follower]);
    cluster::eventually("the one that was not in sync leads", || {
        cluster.leader(&case.topic, 0).to_string() == follower
    });
    let spool = case.path("spool");
    let verified = case.verify(&["--journal", spool.to_str().unwrap()]);
    let blind_tail = case.verify(&[]);
    // Another writes what comes after, and without the journal the rest is a gap.
    send(150, 10);
    let blind = case.verify(&[]);
    cluster.script("restart", &["kafka", &leader.to_string()]);
    cluster.delete_topic(&case.topic);
    assert_eq!(
        (verified.code, verified.total("lost"), verified.total("unseen")),
        (1, 50, 0),
        "{}",
        verified.stderr
    );
    assert_eq!(blind_tail.total("gap"), 0);
    assert_eq!((blind.code, blind.total("gap")), (1, 50), "{}", blind.stderr);
    assert!(explained(&blind.json, "leader-change").is_some(), "{}", blind.json);
}
