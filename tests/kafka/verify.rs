//! `verify` on real logs: with the journal of who sent, with Kafka's own numbers, in parts, and after a loss that really happened.

use crate::cluster::{self, Cluster};
use crate::judge;
use crate::tool::{self, Case, Done, Verified};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::time::Duration;

fn text(done: &Done) -> String {
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// `verify` with the journal of the case's own spool.
fn with_journal(case: &Case<'_>, arguments: &[&str]) -> Verified {
    let spool = case.path("spool");
    case.verify(&[&["--journal", spool.to_str().unwrap()], arguments].concat())
}

#[test]
fn the_journal_says_what_was_acknowledged_and_is_not_there() {
    let Some(cluster) = cluster::shared("the_journal_says_what_was_acknowledged_and_is_not_there") else {
        return;
    };
    let case = Case::new(&cluster, "journal", 2);
    tool::run_with(case.send(&[]), &judge::text(&judge::lines(0, 500, 60))).expect(0);
    let verified = with_journal(&case, &[]);
    verified.expect_clean(500);
    assert_eq!((verified.total("lost"), verified.total("unseen")), (0, 0));
    // The topic is made anew behind the sender's back: everything that was acknowledged is gone.
    cluster.delete_topic(&case.topic);
    cluster.make_topic(&case.topic, 2, &[]);
    let evidence = case.path("evidence.md");
    let verified = with_journal(&case, &["--evidence", evidence.to_str().unwrap()]);
    assert_eq!(
        (verified.code, verified.total("lost"), verified.total("gap")),
        (1, 500, 0),
        "{}",
        verified.stderr
    );
    let ticket = std::fs::read_to_string(&evidence).unwrap();
    for part in ["LOST:", "acknowledged:", "not compacted", "not expired"] {
        assert!(ticket.contains(part), "{part}\n{ticket}");
    }
    // Without a journal there is nothing to see, which is said.
    assert_eq!(case.verify(&[]).code, 3);
}

/// `acks=1`: the leader says yes, dies before anybody has it too, and the others go on without.
#[test]
fn what_only_a_dead_leader_had_is_lost_and_named() {
    let Some(cluster) = cluster::alone("what_only_a_dead_leader_had_is_lost_and_named") else {
        return;
    };
    let case = Case::new(&cluster, "acks-one", 1);
    let all = Case::new(&cluster, "acks-all", 1);
    let send = |case: &Case<'_>, acks: &str, from: usize, count: usize| {
        let arguments = ["--acks", acks, "--delivery-timeout", "20s"];
        tool::run_with(case.send(&arguments), &judge::text(&judge::lines(from, count, 60)))
    };
    send(&case, "1", 0, 100).expect(0);
    send(&all, "all", 0, 100).expect(0);
    cluster::eventually("followers have it", || case.verify(&[]).total("read") == 100);
    let leader = cluster.await_leader(&case.topic, 0);
    let others: Vec<String> = (1..=3).filter(|n| *n != leader).map(|n| n.to_string()).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    // They stay in sync by name: two of three controllers are stopped with them, so that nobody can say otherwise.
    cluster.script("stop", &[&["kafka"], others.as_slice()].concat());
    // Fetches that were waiting at the leader (replica.fetch.wait.max.ms, 500 ms) must be answered empty before anything is written: a
    // stopped follower still finds in its socket what came as an answer.
    std::thread::sleep(Duration::from_millis(1500));
    let weak = send(&case, "1", 100, 50);
    assert_eq!(weak.code, 0, "{}", weak.stderr);
    cluster.script("kill", &["kafka", &leader.to_string()]);
    cluster.script("cont", &[&["kafka"], others.as_slice()].concat());
    cluster::eventually("another leads", || {
        let now = cluster.leader(&case.topic, 0);
        now > 0 && now != leader
    });
    // A new leader hears only by and by how far it may be read.
    cluster::eventually("what the others have may be read", || {
        case.verify(&[]).total("read") == 100
    });
    let verified = with_journal(&case, &[]);
    assert_eq!(
        (verified.code, verified.total("lost"), verified.total("unseen")),
        (1, 50, 0),
        "{}",
        verified.stderr
    );
    assert_eq!(verified.json["lanes"][0]["lost"], serde_json::json!([[101, 150]]));
    // What comes after lies where the lost lay, and without the journal it is a gap.
    send(&case, "1", 150, 10).expect(0);
    // Until the dead node has left the replicas in sync, nobody may read it, and nothing of it is called lost.
    cluster::eventually("it may be read", || case.verify(&[]).total("read") == 110);
    assert_eq!(with_journal(&case, &[]).total("lost"), 50);
    let blind = case.verify(&[]);
    assert_eq!((blind.code, blind.total("gap")), (1, 50), "{}", blind.stderr);
    // The same nodes died under acks=all, and nothing of it is missing.
    send(&all, "all", 100, 50);
    all.flush();
    let verified = with_journal(&all, &[]);
    assert_eq!((verified.code, verified.total("lost")), (0, 0), "{}", verified.stderr);
}

#[test]
fn states_of_several_readers_give_the_verdict_of_one() {
    let Some(cluster) = cluster::shared("states_of_several_readers_give_the_verdict_of_one") else {
        return;
    };
    let case = Case::new(&cluster, "states", 3);
    tool::run_with(case.send(&[]), &judge::text(&judge::lines(0, 3000, 60))).expect(0);
    // Two holes, a duplicate, and one that lies elsewhere.
    for (partition, lane, n) in [(0, 0, 1), (0, 0, 3), (0, 0, 3), (1, 0, 5), (2, 2, 2)] {
        let stamp = format!("mqsafe-id={n} planted {}/{lane}", case.topic);
        cluster.write(&case.topic, partition, &[stamp.as_bytes()], None, b"x");
    }
    let state = |name: &str, arguments: &[&str]| {
        let path = case.path(name);
        let mut verify = case.verify_command(arguments);
        verify.arg("--state").arg(&path);
        (tool::run(verify), path)
    };
    let (whole, _) = state("whole", &[]);
    let parts: Vec<_> = ["0", "1", "2"].map(|p| state(p, &["-p", p]).1).into();
    let merge = |order: [usize; 3]| {
        let mut merge = case.mqsafe(&["verify", "merge", "--format", "json"]);
        order.iter().for_each(|no| {
            merge.arg(&parts[*no]);
        });
        tool::run(merge)
    };
    for order in [[0, 1, 2], [2, 0, 1]] {
        let merged = merge(order);
        assert_eq!(
            (merged.code, text(&merged)),
            (whole.code, text(&whole)),
            "{}",
            merged.stderr
        );
    }
    assert_eq!(whole.code, 1);
    // Going on from a state reads only what is new, and says the same of all.
    tool::run_with(case.send(&[]), &judge::text(&judge::lines(3000, 300, 60))).expect(0);
    let (resumed, path) = state("whole", &[]);
    assert_eq!(text(&resumed), text(&state("anew", &[]).0));
    assert!(
        resumed.stderr.contains("3305") || text(&resumed).contains("3305"),
        "{}",
        resumed.stderr
    );
    // A file that was cut off is not taken for a smaller one.
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(state("whole", &[]).0.code, 2);
}

const PATIENCE: Duration = Duration::from_secs(120);

fn producer(cluster: &Cluster, more: &[(&str, &str)]) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", cluster.bootstrap());
    more.iter().for_each(|(name, value)| {
        config.set(*name, *value);
    });
    config.create().unwrap()
}

#[test]
fn kafkas_own_numbers_are_read_where_nobody_stamped() {
    let Some(cluster) = cluster::shared("kafkas_own_numbers_are_read_where_nobody_stamped") else {
        return;
    };
    let case = Case::new(&cluster, "pid", 2);
    for codec in ["none", "zstd"] {
        let producer = producer(&cluster, &[("enable.idempotence", "true"), ("compression.type", codec)]);
        for n in 0..500 {
            let record = BaseRecord::to(&case.topic).partition(n % 2).key("k").payload("value");
            producer.send(record).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    }
    let verified = case.verify(&["--pid", "--deny", "duplicate,reordered"]);
    verified.expect_clean(1000);
    assert_eq!(verified.json["lanes"].as_array().unwrap().len(), 4);
    assert_eq!(case.verify(&[]).code, 3);
}

#[test]
fn numbers_and_ids_of_others_are_read_where_they_stand() {
    let Some(cluster) = cluster::shared("numbers_and_ids_of_others_are_read_where_they_stand") else {
        return;
    };
    let case = Case::new(&cluster, "foreign", 1);
    let producer = producer(&cluster, &[]);
    for n in [0, 1, 2, 4, 5] {
        let (key, number) = (format!("order-{n}"), n.to_string());
        let headers = OwnedHeaders::new().insert(Header {
            key: "n",
            value: Some(&number),
        });
        let value = format!("{{\"who\":\"shop\",\"n\":{n}}}");
        let record = BaseRecord::to(&case.topic).partition(0).key(&key).payload(&value);
        producer.send(record.headers(headers)).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    for from in ["header:n", "json:/n", "key:order-(.*)"] {
        let verified = case.verify(&["--seq-from", from, "--producer-from", "json:/who"]);
        assert_eq!(
            (verified.code, verified.total("gap")),
            (1, 1),
            "{from}: {}",
            verified.stderr
        );
        assert_eq!(verified.json["lanes"][0]["gaps"], serde_json::json!([[4, 4]]));
    }
    let orders = case.file(
        "orders.csv",
        b"order_id,sum\norder-0,1\norder-1,1\norder-2,1\norder-3,1\norder-5,1\n",
    );
    let verified = case.verify(&["--expect", orders.to_str().unwrap(), "--column", "order_id"]);
    assert_eq!(verified.code, 1, "{}", verified.stderr);
    let expected = &verified.json["expected"];
    assert_eq!(expected["missing_ids"], serde_json::json!(["order-3"]));
    assert_eq!(expected["unexpected_ids"], serde_json::json!(["order-4"]));
}

#[test]
fn a_number_in_an_aborted_transaction_is_explained() {
    let Some(cluster) = cluster::shared("a_number_in_an_aborted_transaction_is_explained") else {
        return;
    };
    let case = Case::new(&cluster, "aborted", 1);
    let producer = producer(&cluster, &[("transactional.id", &case.topic)]);
    producer.init_transactions(PATIENCE).unwrap();
    for (numbers, commits) in [(1..=2, true), (3..=4, false), (5..=6, true)] {
        producer.begin_transaction().unwrap();
        for n in numbers {
            let stamp = format!("{n} transactions {}/0", case.topic);
            let number = (n - 1).to_string();
            let headers = OwnedHeaders::new()
                .insert(Header {
                    key: "mqsafe-id",
                    value: Some(&stamp),
                })
                .insert(Header {
                    key: "n",
                    value: Some(&number),
                });
            let record = BaseRecord::to(&case.topic).partition(0).key("k").payload("value");
            producer.send(record.headers(headers)).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        match commits {
            true => producer.commit_transaction(PATIENCE).unwrap(),
            false => producer.abort_transaction(PATIENCE).unwrap(),
        }
    }
    // Until the followers have the marker of the last transaction it counts as open, and that is said.
    cluster.await_transactions(&case.topic, 1);
    let verified = case.verify(&[]);
    assert_eq!(
        (verified.code, verified.totals()),
        (0, vec![("read", 4), ("stamped", 4), ("aborted", 2)]),
        "{}",
        verified.stderr
    );
    let everything = case.verify(&["--isolation", "read_uncommitted"]);
    assert_eq!((everything.code, everything.total("gap")), (0, 0));
    // The same of an application that numbers its messages in its own way.
    let foreign = case.verify(&["--seq-from", "header:n"]);
    assert_eq!(
        (foreign.code, foreign.totals()),
        (0, vec![("read", 4), ("stamped", 4), ("aborted", 2)]),
        "{}",
        foreign.stderr
    );
    // A state remembers what was found, so that one who joins it with others says the same.
    let state = case.path("state");
    let kept = case.verify(&["--state", state.to_str().unwrap()]);
    assert_eq!((kept.code, kept.total("aborted")), (0, 2), "{}", kept.stderr);
    let merged = |files: &[&std::path::Path]| {
        let mut merge = case.mqsafe(&["verify", "merge", "--format", "json"]);
        merge.args(files);
        tool::run(merge)
    };
    let whole = merged(&[&state, &state]);
    assert_eq!((whole.code, whole.json()), (0, kept.json.clone()), "{}", whole.stderr);
    // A message that is nowhere stays a gap.
    let stamp = format!("mqsafe-id=8 transactions {}/0", case.topic);
    cluster.write(&case.topic, 0, &[stamp.as_bytes()], None, b"after 7");
    let verified = case.verify(&[]);
    assert_eq!(
        (verified.code, verified.total("gap"), verified.total("aborted")),
        (1, 1, 2)
    );
}

#[test]
fn a_copy_is_compared_with_its_source() {
    let Some(cluster) = cluster::shared("a_copy_is_compared_with_its_source") else {
        return;
    };
    let (case, copy) = (Case::new(&cluster, "source", 1), Case::new(&cluster, "copy", 1));
    for n in 1..=4 {
        let stamp = format!("mqsafe-id={n} p {}/0", case.topic);
        cluster.write(&case.topic, 0, &[stamp.as_bytes()], None, b"x");
        // One of them never came.
        if n != 3 {
            cluster.write(&copy.topic, 0, &[stamp.as_bytes()], None, b"x");
        }
    }
    let verified = case.verify(&["--against", &copy.topic]);
    assert_eq!(verified.code, 1, "{}", verified.stderr);
    let compared = &verified.json["compared"][0];
    assert_eq!((&compared["both"], &compared["missing"]), (&3.into(), &1.into()));
    assert_eq!(compared["missing_numbers"][0]["numbers"], serde_json::json!([[3, 3]]));
    let other_way = copy.verify(&["--against", &case.topic, "--allow", "gap"]);
    assert_eq!(other_way.json["compared"][0]["unexpected"], 1);
}

#[test]
fn what_a_group_has_not_consumed_is_told_apart_from_what_was_set_aside() {
    let Some(cluster) = cluster::shared("what_a_group_has_not_consumed_is_told_apart_from_what_was_set_aside") else {
        return;
    };
    let case = Case::new(&cluster, "groups", 1);
    let group = format!("{}-group", case.topic);
    for n in 1..=5 {
        let stamp = format!("mqsafe-id={n} p {}/0", case.topic);
        cluster.write(&case.topic, 0, &[stamp.as_bytes()], None, b"x");
    }
    let aside = format!("{}-dlq", case.topic);
    cluster.make_topic(&aside, 1, &[]);
    let origin = format!("mqsafe-origin-id=2 p {}/0", case.topic);
    cluster.write(&aside, 0, &[origin.as_bytes()], None, b"x");
    cluster.commit(&group, &case.topic, 0, 3);
    let verified = case.verify(&["--groups", &group]);
    assert_eq!(verified.code, 0, "{}", verified.stderr);
    let standing = &verified.json["groups"][0];
    assert_eq!((&standing["next"], &standing["waiting"]), (&3.into(), &2.into()));
    assert_eq!(verified.json["set_aside"][0]["count"], 1);
    assert!(standing["skipped"].is_null(), "{standing}");
    // Its consumer says of two of the three that it has had them: it has committed beyond the other.
    let receipts = case.file("receipts", format!("1 p {0}/0\n3 p {0}/0\n", case.topic).as_bytes());
    let verified = case.verify(&["--groups", &group, "--receipts", receipts.to_str().unwrap()]);
    assert_eq!(verified.code, 1, "{}", verified.stderr);
    let standing = &verified.json["groups"][0];
    assert_eq!((&standing["skipped"], &standing["waiting"]), (&1.into(), &2.into()));
    assert_eq!(verified.json["compared"][0]["missing"], 3);
    assert!(verified.stderr.contains("1 SKIPPED"), "{}", verified.stderr);
    // A group that nobody knows is not one that has consumed everything.
    assert_eq!(case.verify(&["--groups", "no-such-group"]).code, 3);
}
