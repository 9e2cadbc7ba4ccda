//! What `send` says and keeps when the cluster falls silent, and when its topic goes away.

use crate::cluster::{self, Cluster, Seen};
use crate::judge::{self, Told};
use crate::memory;
use crate::tool::{self, Case, Done, Receipts, Running};
use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

const LINES: usize = 3000;
const LINE_BYTES: usize = 100;

/// A run that has had its first lines confirmed and waits for more.
pub(crate) fn under_way(case: &Case<'_>, arguments: &[&str], lines: &[Vec<u8>]) -> Running {
    let mut send = case.send(arguments);
    send.arg("--receipts").arg(case.path("receipts"));
    let mut running = tool::start(send);
    running.feed(&judge::text(lines));
    cluster::eventually("the first lines are stored", || {
        std::fs::metadata(case.path("receipts")).is_ok_and(|m| m.len() > 0)
    });
    running
}

/// After the outage: `spool flush` delivers what was kept, and the topic holds what was accepted.
fn heals(case: &Case<'_>, lines: &[Vec<u8>], receipts: &Receipts) {
    let accepted = receipts.accepted_lines();
    let left = receipts.count("in_doubt") + receipts.count("spooled");
    assert_eq!(case.stats().0, left);
    case.flush().expect(0);
    assert_eq!(case.stats(), (0, 0, accepted.len() as u64));
    let accepted: Vec<Vec<u8>> = accepted.iter().map(|n| lines[*n as usize - 1].clone()).collect();
    let verified = case.verify(&[]);
    let told = Told {
        gap: verified.total("gap"),
        duplicate: verified.total("duplicate"),
        corrupt: verified.total("corrupt"),
    };
    assert_eq!(
        judge::faults(&accepted, &case.cluster.read(&case.topic), told),
        [] as [&str; 0]
    );
    assert_eq!((verified.code, verified.coverage()), (0, "COMPLETE"));
}

/// All three nodes are stopped: connections stay open and nothing answers.
#[test]
fn a_cluster_that_falls_silent_costs_nothing_that_was_accepted() {
    let test = "a_cluster_that_falls_silent_costs_nothing_that_was_accepted";
    let Some(cluster) = cluster::alone(test) else { return };
    let lines = judge::lines(0, 2 * LINES, LINE_BYTES);
    let [silent, twice, never] = ["silent", "twice", "never"].map(|about| Case::new(&cluster, about, 3));
    let mut timed_out = under_way(&silent, &["--delivery-timeout", "5s"], &lines[..LINES]);
    let mut interrupted = under_way(&twice, &["--grace", "60s"], &lines[..LINES]);
    cluster.script("stop", &["kafka", "1", "2", "3"]);

    timed_out.feed(&judge::text(&lines[LINES..]));
    timed_out.close();
    interrupted.feed(&judge::text(&lines[LINES..]));
    let (timed_out, interrupted) = thread::scope(|scope| {
        let timed_out = scope.spawn(move || timed_out.wait());
        let interrupted = scope.spawn(move || second_ctrl_c_ends_at_once(interrupted));
        memory::of_a_run_without_a_broker(&never);
        (timed_out.join().unwrap(), interrupted.join().unwrap())
    });
    let timed_out = timed_out.expect(4);
    let of_silent = Receipts::read(&silent.path("receipts"));
    assert_eq!(of_silent.lines(), (1..=2 * LINES as u64).collect::<Vec<_>>());
    assert!(
        of_silent.count("in_doubt") + of_silent.count("spooled") >= LINES as u64,
        "{}",
        of_silent.summary
    );
    assert!(timed_out.stderr.contains("mqsafe spool flush"), "{}", timed_out.stderr);
    interrupted.expect(130);
    let of_twice = Receipts::read(&twice.path("receipts"));

    // Still silent: the readers do not know, and say so. Nothing that waits is lost by an attempt to deliver it.
    let silence = ["-X", "socket.timeout.ms=2000"];
    let unknown = tool::run(silent.query(&[silence[0], silence[1], "key"])).expect(3);
    assert!(unknown.stderr.contains("cannot reach"), "{}", unknown.stderr);
    tool::run(silent.verify_command(&silence)).expect(3);

    cluster.go_on(&["1", "2", "3"]);
    heals(&silent, &lines, &of_silent);
    heals(&twice, &lines, &of_twice);
}

fn second_ctrl_c_ends_at_once(mut running: Running) -> Done {
    // Time to accept what was fed.
    thread::sleep(Duration::from_secs(4));
    running.signal("INT");
    thread::sleep(Duration::from_secs(2));
    assert!(!running.is_over(), "the first Ctrl-C waits for what is in flight");
    let asked = Instant::now();
    running.signal("INT");
    let done = running.wait();
    // Not after the minute that the first one granted.
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    done
}

/// A topic that is deleted while it is sent to is told, and not made again behind the user's back.
#[test]
fn a_topic_deleted_in_the_middle_is_told() {
    let Some(cluster) = cluster::shared("a_topic_deleted_in_the_middle_is_told") else {
        return;
    };
    let case = Case::new(&cluster, "deleted", 3);
    let lines = judge::lines(0, 2 * LINES, LINE_BYTES);
    let mut running = under_way(&case, &["--delivery-timeout", "8s"], &lines[..LINES]);
    cluster.delete_topic(&case.topic);
    running.feed(&judge::text(&lines[LINES..]));
    running.close();
    let done = running.wait();
    let gone = crate::kafka_nodes::lack_topic(cluster.bootstrap(), &case.topic);
    assert!(gone, "the deleted topic was made again\n{}", done.stderr);
    let done = done.expect(4);
    let receipts = Receipts::read(&case.path("receipts"));
    assert_eq!(receipts.lines(), (1..=2 * LINES as u64).collect::<Vec<_>>());
    let left = receipts.count("in_doubt") + receipts.count("spooled");
    assert_eq!(
        (left + receipts.count("stored"), receipts.count("accepted")),
        (2 * LINES as u64, 2 * LINES as u64)
    );
    assert!(left >= LINES as u64, "{}", receipts.summary);
    assert_eq!(case.stats().0, left);
    assert!(done.stderr.contains("spool flush"), "{}", done.stderr);
    // What waits cannot go anywhere, and stays.
    let flushed = case.flush().expect(4);
    assert!(flushed.stderr.contains("does not exist"), "{}", flushed.stderr);
    assert_eq!(case.stats().0, left);
    assert!(!cluster.listed_topics().contains(&case.topic));
}

/// Messages for partitions that are no longer there must not hold up the others.
#[test]
fn what_cannot_go_does_not_hold_up_what_can() {
    let Some(cluster) = cluster::alone("what_cannot_go_does_not_hold_up_what_can") else {
        return;
    };
    let case = Case::new(&cluster, "shrunk", 3);
    let lines: Vec<Vec<u8>> = (0..2 * LINES)
        .map(|n| format!("key-{}:{n}", n % 50).into_bytes())
        .collect();
    // The lanes are known when the cluster falls silent, so what is fed then waits in the spool with its partition.
    let mut running = under_way(&case, &["-K", ":"], &lines[..LINES]);
    cluster.script("stop", &["kafka", "1", "2", "3"]);
    running.feed(&judge::text(&lines[LINES..]));
    running.close();
    thread::sleep(Duration::from_secs(5));
    running.signal("INT");
    running.signal("INT");
    running.wait().expect(130);
    cluster.go_on(&["1", "2", "3"]);
    let (left, ..) = case.stats();
    assert!(left >= LINES as u64, "{left} wait");
    cluster.delete_topic(&case.topic);
    cluster.make_topic(&case.topic, 1, &[]);

    let mut flush = case.flush_command("spool");
    flush.args(["--delivery-timeout", "4s"]);
    let done = tool::run(flush).expect(4);
    let there = cluster.read(&case.topic).len() as u64;
    let (still, ..) = case.stats();
    assert!(
        there > 0,
        "nothing went although one partition is there: {}",
        done.stderr
    );
    assert!(
        still > 0 && there + still >= left,
        "{there} there, {still} of {left} left"
    );
    assert!(done.stderr.contains("spool flush"), "{}", done.stderr);
    let explained = format!(
        "{still} messages wait for lanes that topic {} does not have",
        case.topic
    );
    assert!(done.stderr.contains(&explained), "{}", done.stderr);

    // Some of them may have been in the log that is gone; whoever says so gets another lane for them all the same.
    let relane = |arguments: &[&str]| {
        let mut relane = case.mqsafe(&["spool", "retry", "--relane", "--spool"]);
        relane.arg(case.path("spool")).args(arguments);
        tool::run(relane)
    };
    let refused = relane(&[]);
    assert!([0, 2].contains(&refused.code), "{}", refused.stderr);
    if refused.code == 2 {
        assert!(refused.stderr.contains("some may be stored"), "{}", refused.stderr);
        relane(&["--force"]).expect(0);
    }
    case.flush().expect(0);
    assert_eq!(case.stats().0, 0);
    let values = values(&cluster, &case.topic);
    assert_eq!(values.len() as u64, there + still, "each is there");
}

/// The values of a topic, for tests that send each line once.
pub(crate) fn values(cluster: &Cluster, topic: &str) -> HashSet<Vec<u8>> {
    cluster
        .read(topic)
        .into_iter()
        .map(|Seen { value, .. }| value)
        .collect()
}
