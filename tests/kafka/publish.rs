//! What may be chosen about publishing: how much an acknowledgement means, where a key goes, whether the topic is made; and a
//! client that dies in the middle.

use crate::cluster::{self, Cluster, Seen};
use crate::judge::{self, Told};
use crate::tool::{self, Case, Receipts};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use tempfile::TempDir;

#[test]
fn less_than_all_replicas_must_be_asked_for_and_is_said() {
    let Some(cluster) = cluster::shared("less_than_all_replicas_must_be_asked_for_and_is_said") else {
        return;
    };
    let case = Case::new(&cluster, "acks", 1);
    let lines = judge::lines(0, 2000, 20);
    let asked = tool::run_with(case.send(&["--acks", "1"]), &judge::text(&lines)).expect(0);
    let last = asked.stderr.trim_end().lines().last().unwrap();
    assert!(
        last.contains("stored 2000") && last.ends_with("acks=1: stored means the leader's page cache"),
        "{last}"
    );
    let all = tool::run_with(case.send(&[]), b"for all\n").expect(0);
    assert!(!all.stderr.contains("acks="), "{}", all.stderr);
    assert_eq!(case.stats(), (0, 0, 2001));
    case.verify(&[]).expect_clean(2001);
    let unknown = tool::run_with(case.send(&["--acks", "2"]), b"never\n").expect(2);
    assert!(unknown.stderr.contains("--acks"), "{}", unknown.stderr);
}

#[test]
fn without_an_acknowledgement_nothing_is_called_stored() {
    let Some(cluster) = cluster::shared("without_an_acknowledgement_nothing_is_called_stored") else {
        return;
    };
    let case = Case::new(&cluster, "acks-0", 2);
    let lines = judge::lines(0, 3000, 50);
    let with_spool = tool::run_with(case.send(&["--acks", "0"]), &judge::text(&lines)).expect(2);
    assert!(with_spool.stderr.contains("--no-spool"), "{}", with_spool.stderr);
    assert_eq!(case.stats(), (0, 0, 0));
    let mut send = case.send_without(&["--acks", "0", "--receipts"]);
    send.arg(case.path("receipts"));
    let done = tool::run_with(send, &judge::text(&lines)).expect(3);
    let last = done.stderr.trim_end().lines().last().unwrap();
    assert!(last.contains("stored 0") && last.contains("in doubt 3000"), "{last}");
    assert!(
        last.ends_with("acks=0: nobody was asked whether anything arrived"),
        "{last}"
    );
    let receipts = Receipts::read(&case.path("receipts"));
    assert_eq!(receipts.lines(), (1..=3000).collect::<Vec<_>>());
    for receipt in receipts.with("in_doubt") {
        let tried_once = receipt["attempts"] == 1 && receipt["offset"].is_null();
        assert!(tried_once && receipt["reason"].is_string(), "{receipt}");
    }
    // The cluster is well, so all of it arrives, and nothing was sent twice for want of an answer.
    cluster::eventually("everything is there", || cluster.read(&case.topic).len() == lines.len());
    case.verify(&[]).expect_clean(3000);
}

/// Keys of all lengths, text and not, as `key:value` lines; hashes of all signs are among them.
fn keyed() -> Vec<u8> {
    let mut text = Vec::new();
    for n in 0..600_u32 {
        let mut key = format!("{n}-{}", "k".repeat(n as usize % 23)).into_bytes();
        key.extend((0..n % 4).map(|i| 0x80 + ((n >> i) & 0x7f) as u8));
        text.extend(key);
        text.extend(format!(":value {n}\n").bytes());
    }
    text
}

fn by_kcat(cluster: &Cluster, topic: &str, partitioner: &str, input: &std::path::Path) {
    let mut kcat = Command::new("kcat");
    kcat.args(["-P", "-b", cluster.bootstrap(), "-t", topic, "-K", ":", "-l"]);
    kcat.args(["-X", &format!("partitioner={partitioner}"), "-X", "linger.ms=0"]);
    let done = kcat.arg(input).stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn places(seen: &[Seen]) -> BTreeMap<Vec<u8>, i32> {
    let of = |s: &Seen| (s.key.clone().unwrap_or_default(), s.partition);
    seen.iter().map(of).collect()
}

/// What a key's place means is another writer's to say: kcat writes the same keys as librdkafka places them, whose murmur2 is
/// Java's and whose fnv1a is Sarama's.
#[test]
fn a_key_goes_where_other_clients_put_it() {
    let Some(cluster) = cluster::shared("a_key_goes_where_other_clients_put_it") else {
        return;
    };
    let input = keyed();
    let mut maps = Vec::new();
    for (ours, theirs) in [
        ("murmur2", "murmur2_random"),
        ("crc32", "consistent_random"),
        ("fnv1a", "fnv1a_random"),
    ] {
        let [case, oracle] = [ours, "oracle"].map(|about| Case::new(&cluster, about, 7));
        let file = case.file("input", &input);
        by_kcat(&cluster, &oracle.topic, theirs, &file);
        let send = case.send(&["-K", ":", "--partitioner", ours]);
        tool::run_with(send, &input).expect(0);
        let (is, should) = (places(&cluster.read(&case.topic)), places(&cluster.read(&oracle.topic)));
        assert_eq!((should.len(), is.len()), (600, 600), "{ours}");
        let other = is.iter().filter(|(key, partition)| should[*key] != **partition);
        assert_eq!(other.collect::<Vec<_>>(), [], "{ours}");
        maps.push(is);
    }
    assert!(maps[0] != maps[1] && maps[1] != maps[2] && maps[0] != maps[2]);
    // Without a word it is Java's.
    let case = Case::new(&cluster, "default", 7);
    tool::run_with(case.send(&["-K", ":"]), &input).expect(0);
    assert_eq!(places(&cluster.read(&case.topic)), maps[0]);
}

#[test]
fn a_topic_is_made_only_when_it_is_asked_for() {
    let Some(cluster) = cluster::shared("a_topic_is_made_only_when_it_is_asked_for") else {
        return;
    };
    let case = |about: &str| Case {
        topic: cluster.fresh_name(about),
        dir: TempDir::new().unwrap(),
        cluster: &cluster,
    };
    let shaped = case("made");
    let made = tool::run_with(shaped.send(&["--create-topic=5x3"]), b"line\n").expect(0);
    let said = format!(
        "topic {} was not there and was made: 5 partitions, 3 replicas",
        shaped.topic
    );
    assert!(made.stderr.contains(&said), "{}", made.stderr);
    // Whichever node tells the shape may hear of the topic a moment later than the one that made it.
    let is_shaped = || cluster.shape(&shaped.topic) == Some((5, 3));
    cluster::eventually("it has the shape that was asked for", is_shaped);
    // A topic that is there is left as it is, and nothing is said.
    let again = tool::run_with(shaped.send(&["--create-topic=9"]), b"line\n").expect(0);
    assert!(!again.stderr.contains("was made"), "{}", again.stderr);
    assert_eq!(cluster.shape(&shaped.topic), Some((5, 3)));
    shaped.verify(&[]).expect_clean(2);

    let plain = case("made-plain");
    tool::run_with(plain.send(&["--create-topic"]), b"line\n").expect(0);
    plain.verify(&[]).expect_clean(1);

    let impossible = case("made-not");
    let refused = tool::run_with(impossible.send(&["--create-topic=1x99"]), b"line\n").expect(2);
    assert!(refused.stderr.contains("cannot be made"), "{}", refused.stderr);
    assert_eq!(impossible.stats(), (0, 0, 0));
    assert_eq!(cluster.shape(&impossible.topic), None);
    tool::run_with(impossible.send(&["--create-topic=0"]), b"line\n").expect(2);
}

/// A fatal error is librdkafka's word for "this client is dead". It is planted in the middle of a run on a healthy cluster.
#[test]
#[cfg(feature = "test-hooks")]
fn a_client_that_dies_is_replaced_and_nothing_is_lost_or_out_of_order() {
    let test = "a_client_that_dies_is_replaced_and_nothing_is_lost_or_out_of_order";
    let Some(cluster) = cluster::shared(test) else { return };
    for spool in [true, false] {
        let case = Case::new(&cluster, "dies", 3);
        let lines = judge::lines(0, 20_000, 100);
        let mut send = if spool { case.send(&[]) } else { case.send_without(&[]) };
        send.env("MQSAFE_TEST_CLIENT_DIES_AT", "7000");
        send.arg("--receipts").arg(case.path("receipts"));
        tool::run_with(send, &judge::text(&lines)).expect(0);
        let receipts = Receipts::read(&case.path("receipts"));
        assert_eq!(receipts.count("stored"), 20_000);
        let again = receipts
            .each
            .iter()
            .filter(|r| r["attempts"].as_u64() > Some(1))
            .count();
        assert!(again > 0, "no message came back, so nothing died");
        let (seen, verified) = (cluster.read(&case.topic), case.verify(&[]));
        let told = Told {
            gap: verified.total("gap"),
            duplicate: verified.total("duplicate"),
            corrupt: verified.total("corrupt"),
        };
        assert_eq!(judge::faults(&lines, &seen, told), [] as [&str; 0]);
        assert_eq!(judge::first_out_of_order(&seen), None);
        println!(
            "a client died: {again} were sent again, {} are there twice",
            told.duplicate
        );
    }
}

/// A check follows each stored message, when its time has come and not before.
#[test]
fn a_check_follows_what_was_stored() {
    let Some(cluster) = cluster::shared("a_check_follows_what_was_stored") else {
        return;
    };
    let checks = Case::new(&cluster, "checks", 1);
    let sent = |after: &str| {
        let case = Case::new(&cluster, "checked", 1);
        let mut send = case.send(&["-k", "order-1", "--check-topic", &checks.topic, "--check-after", after]);
        send.arg(case.file("input", b"one\ntwo\n"));
        let sent = tool::run(send).expect(0);
        assert!(sent.stderr.contains("2 checks from "), "{}", sent.stderr);
        case
    };
    // Long before its time, however slow the machine is.
    let early = sent("1h").flush().expect(0);
    assert!(early.stderr.contains("nothing waits"), "{}", early.stderr);
    assert_eq!(cluster.read(&checks.topic).len(), 0);
    let case = sent("3s");
    std::thread::sleep(std::time::Duration::from_secs(4));
    case.flush().expect(0);
    let asked = cluster.read(&checks.topic);
    let mut stamps: Vec<String> = asked
        .iter()
        .map(|seen| String::from_utf8(seen.value.clone()).unwrap())
        .collect();
    stamps.sort();
    assert_eq!(stamps.len(), 2, "{stamps:?}");
    for (n, stamp) in stamps.iter().enumerate() {
        let lane = format!(" {}/0", case.topic);
        assert!(
            stamp.starts_with(&format!("{} ", n + 1)) && stamp.ends_with(&lane),
            "{stamp}"
        );
    }
}
