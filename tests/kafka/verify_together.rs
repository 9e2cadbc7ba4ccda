//! `verify` by several processes, interrupted, followed from outside, and with what consumers say.

use crate::cluster::{self, eventually};
use crate::judge;
use crate::support;
use crate::tool::{self, Case, Done, Verified};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

fn text(done: &Done) -> String {
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Holes, a duplicate, and one that lies elsewhere.
fn plant(case: &Case<'_>, partitions: i32) {
    for (partition, lane, n) in [(0, 0, 1), (0, 0, 3), (0, 0, 3), (1, 0, 5), (partitions - 1, 2, 2)] {
        let stamp = format!("mqsafe-id={n} planted {}/{lane}", case.topic);
        case.cluster
            .write(&case.topic, partition, &[stamp.as_bytes()], None, b"x");
    }
}

#[test]
fn interrupted_resumed_and_split_by_kafka_it_is_the_same_verdict() {
    let Some(cluster) = cluster::shared("interrupted_resumed_and_split_by_kafka_it_is_the_same_verdict") else {
        return;
    };
    let case = Case::new(&cluster, "members", 6);
    // In small batches, each an answer of its own where the reader asks for so little: then there is time to kill it.
    cluster.set(&case.topic, "max.message.bytes", "3000");
    tool::run_with(case.send(&[]), &judge::text(&judge::lines(0, 30_000, 60))).expect(0);
    plant(&case, 6);
    let with_state = |name: &str, arguments: &[&str]| {
        let mut verify = case.verify_command(arguments);
        verify.arg("--state").arg(case.path(name));
        verify
    };
    let once = tool::run(with_state("once", &[])).expect(1);
    // Killed again and again, as soon as it has kept something new; what was kept is gone on from.
    let mut killed = 0;
    for _ in 0..3 {
        let kept = || std::fs::read(case.path("cut")).ok();
        let before = kept();
        let mut running = tool::start(with_state(
            "cut",
            &["--state-every", "1ms", "-X", "fetch.max.bytes=2000"],
        ));
        while !running.is_over() && kept() == before {
            std::thread::sleep(Duration::from_millis(1));
        }
        if running.is_over() {
            running.wait();
            break;
        }
        running.signal("KILL");
        killed += u32::from(running.wait().code == -9);
    }
    let resumed = tool::run(with_state("cut", &[]));
    assert_eq!((resumed.code, text(&resumed)), (1, text(&once)), "{}", resumed.stderr);
    assert!(killed > 0, "it was never killed with something kept");
    // Three members of one group.
    let group = format!("{}-verify", case.topic);
    let mut members: Vec<_> = ["a", "b", "c"]
        .map(|name| tool::start(with_state(name, &["--group", &group])))
        .into();
    let told: Vec<Done> = members
        .iter_mut()
        .map(|member| {
            member.close();
            member.wait()
        })
        .collect();
    let said: String = told.iter().map(|done| done.stderr.as_str()).collect();
    let shares = said.matches("this member reads partitions").count();
    assert!(shares >= 2, "{shares} shares\n{said}");
    let merge = |names: &[&str]| {
        let mut merge = case.mqsafe(&["verify", "merge", "--format", "json"]);
        names.iter().for_each(|name| {
            merge.arg(case.path(name));
        });
        tool::run(merge)
    };
    let merged = merge(&["c", "a", "b"]);
    assert_eq!(
        (merged.code, text(&merged)),
        (1, text(&once)),
        "{}\n{said}",
        merged.stderr
    );
    // What a member alone has read is never all, and what one has not given is not empty.
    for names in [&["a"][..], &["b", "c"]] {
        let some = Verified::from(merge(names));
        if some.total("read") < 30_005 {
            assert!(some.coverage().starts_with("PARTIAL"), "{}", some.coverage());
        }
    }
}

/// Ctrl-C at any moment: nothing that was not read counts as read, and nothing that was not looked at twice counts as missing for certain.
#[test]
fn interrupted_at_any_moment_it_says_so() {
    let Some(cluster) = cluster::shared("interrupted_at_any_moment_it_says_so") else {
        return;
    };
    let case = Case::new(&cluster, "stopped", 3);
    cluster.set(&case.topic, "max.message.bytes", "3000");
    tool::run_with(case.send(&[]), &judge::text(&judge::lines(0, 12_000, 60))).expect(0);
    plant(&case, 3);
    let spool = case.path("spool");
    let command = || case.verify_command(&["--journal", spool.to_str().unwrap(), "-X", "fetch.max.bytes=2000"]);
    let began = std::time::Instant::now();
    let whole = Verified::from(tool::run(command()).expect(1));
    let mut took_ms = u64::try_from(began.elapsed().as_millis()).unwrap();
    assert_eq!(whole.coverage(), "COMPLETE");
    let (mut stopped, mut partly) = (0, 0);
    // More often where the machine was slow at first, so that most of them came too late.
    for turn in 0..60 {
        if turn >= 10 && stopped >= 2 {
            break;
        }
        let mut running = tool::start(command());
        running.close();
        std::thread::sleep(Duration::from_millis(took_ms * (turn % 10) / 10));
        running.signal(if turn % 2 == 0 { "INT" } else { "TERM" });
        let done = running.wait();
        // Before it listens a signal ends it as any process, by its number; after its end there is nothing to stop.
        let code = if turn % 2 == 0 { 130 } else { 143 };
        if done.code == 1 {
            took_ms = took_ms * 9 / 10;
        }
        if done.code == 1 || done.code == 128 - code {
            assert!(done.code == 1 || done.stdout.is_empty());
            continue;
        }
        assert_eq!(done.code, code, "after {turn}/10 of {took_ms} ms: {}", done.stderr);
        if done.stdout.is_empty() {
            continue;
        }
        stopped += 1;
        let told = Verified::from(done);
        assert!(
            told.coverage().starts_with("PARTIAL"),
            "{} {}",
            told.coverage(),
            told.stderr
        );
        assert_eq!(told.total("lost"), 0, "{}", told.stderr);
        partly += u32::from(told.total("read") > 0);
    }
    assert!(stopped >= 2, "it was stopped {stopped} times while it read");
    println!("stopped {stopped} times, {partly} of them with something read, of {took_ms} ms");
}

/// Most of a minute, until everybody was waited for.
/// A state goes on while nobody answers: what was missing may lie in a transaction that was not looked at, and is not told as proven.
#[test]
fn while_nobody_answers_nothing_is_proven_missing() {
    if !support::full() {
        return support::skip(
            "while_nobody_answers_nothing_is_proven_missing",
            "needs the long series",
        );
    }
    let Some(cluster) = cluster::shared("while_nobody_answers_nothing_is_proven_missing") else {
        return;
    };
    let case = Case::new(&cluster, "unanswered", 3);
    plant(&case, 3);
    let verify = |broker: &str, state: &str| {
        let mut verify = case.mqsafe(&["verify", "--format", "json", "-b", broker, "-t", &case.topic]);
        verify.arg("--state").arg(case.path(state));
        Verified::from(tool::run(verify))
    };
    // Nobody listens on port 1, which is one of the addresses.
    let both = format!("127.0.0.1:1,{}", cluster.bootstrap());
    let whole = verify(&both, "state");
    assert_eq!((whole.code, whole.total("gap")), (1, 3), "{}", whole.stderr);
    let alone = verify("127.0.0.1:1", "state");
    assert_eq!(
        (alone.code, alone.total("read")),
        (3, whole.total("read")),
        "{}",
        alone.stderr
    );
    assert!(alone.coverage().starts_with("PARTIAL"), "{}", alone.coverage());
    // Nor does a state go on at a broker that it is not of.
    let other = tool::run({
        let mut verify = case.mqsafe(&["verify", "-b", "127.0.0.1:2", "-t", &case.topic, "--state"]);
        verify.arg(case.path("state"));
        verify
    });
    assert_eq!(other.code, 2, "{}", other.stderr);
    assert!(other.stderr.contains("is of something else"), "{}", other.stderr);
    // With an answer it is the same verdict as before.
    let again = verify(&both, "state");
    assert_eq!((again.code, &again.json), (1, &whole.json), "{}", again.stderr);
}

#[test]
fn the_group_of_an_application_is_not_joined() {
    let Some(cluster) = cluster::shared("the_group_of_an_application_is_not_joined") else {
        return;
    };
    let case = Case::new(&cluster, "foreign-group", 1);
    let group = format!("{}-app", case.topic);
    cluster.commit(&group, &case.topic, 0, 0);
    let state = case.path("state");
    let arguments = ["--group", &group, "--state", state.to_str().unwrap()];
    let refused = tool::run(case.verify_command(&arguments));
    assert!(
        refused.code == 2 && refused.stderr.contains("somebody else's"),
        "{}",
        refused.stderr
    );
    assert!(!state.exists());
}

/// One request; the body.
fn get(at: &str, path: &str) -> String {
    let mut said = String::new();
    if let Ok(mut stream) = TcpStream::connect(at) {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let _ = stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        let _ = stream.read_to_string(&mut said);
    }
    said
}

#[test]
fn prometheus_reads_what_is_followed() {
    let Some(cluster) = cluster::shared("prometheus_reads_what_is_followed") else {
        return;
    };
    let case = Case::new(&cluster, "metrics", 1);
    tool::run_with(case.send(&[]), &judge::text(&judge::lines(0, 100, 60))).expect(0);
    let [port] = support::free_ports();
    let at = format!("127.0.0.1:{port}");
    let state = case.path("state");
    let arguments = [
        "--follow",
        "--metrics",
        &at,
        "--late-after",
        "5s",
        "--state-every",
        "1s",
        "--state",
        state.to_str().unwrap(),
    ];
    let mut following = tool::start(case.verify_command(&arguments));
    let has = |line: &str| get(&at, "/metrics").lines().any(|l| l.starts_with(line));
    let of = |name: &str, value: u64| format!("mqsafe_verify_{name}{{topic=\"{}\"}} {value}", case.topic);
    eventually("the first round is told", || has(&of("records_total", 100)));
    // Looked for while it is written: it is late for some seconds only.
    std::thread::scope(|scope| {
        scope.spawn(|| eventually("a late one is told", || has(&of("late_numbers", 1))));
        for n in [1, 3] {
            let stamp = format!("mqsafe-id={n} planted {}/0", case.topic);
            cluster.write(&case.topic, 0, &[stamp.as_bytes()], None, b"x");
        }
    });
    eventually("and then it is missing", || has(&of("missing_numbers", 1)));
    let told = get(&at, "/metrics");
    let lane = format!(
        "mqsafe_verify_lane_missing_numbers{{topic=\"{0}\",producer=\"planted\",lane=\"{0}/0\"}} 1",
        case.topic
    );
    assert!(told.contains(&lane) && told.ends_with("# EOF\n"), "{told}");
    assert!(get(&at, "/").starts_with("HTTP/1.1 404"));
    // Nobody has stopped it, and what it knows is kept.
    eventually("the state is kept", || state.exists());
    // The same address twice is told before anything is read.
    let second = tool::run(case.verify_command(&["--follow", "--metrics", &at]));
    assert!(
        second.code == 2 && second.stderr.contains("cannot listen on"),
        "{}",
        second.stderr
    );
    following.signal("INT");
    let done = following.wait();
    assert_eq!(done.code, 130, "{}", done.stderr);
    assert!(done.stderr.contains("A SECOND"), "{}", done.stderr);
}

#[test]
fn what_was_not_consumed_in_time_is_put_back() {
    let Some(cluster) = cluster::shared("what_was_not_consumed_in_time_is_put_back") else {
        return;
    };
    let case = Case::new(&cluster, "resend", 1);
    let send = case.send(&["--await-consumed", "1ms"]);
    tool::run_with(send, &judge::text(&judge::lines(0, 5, 60))).expect(0);
    let spool = case.path("spool");
    let verify = |more: &[&str]| case.verify(&[&["--journal", spool.to_str().unwrap()], more].concat());
    let seen = cluster.read(&case.topic);
    let id = |n: usize| seen[n].id.clone().unwrap();
    let receipts = format!("{}-receipts", case.topic);
    cluster.make_topic(&receipts, 1, &[]);
    // A line, JSON, a check message; the fourth failed, of the fifth nobody says anything.
    cluster.write(&receipts, 0, &[], None, id(0).as_bytes());
    let words: Vec<String> = id(1).split(' ').map(str::to_owned).collect();
    let json = |id: &[String], status: &str| {
        format!(
            "{{\"id\":{{\"seq\":{},\"producer\":\"{}\",\"lane\":\"{}\"}},\"status\":\"{status}\"}}",
            id[0], id[1], id[2]
        )
    };
    cluster.write(&receipts, 0, &[], None, json(&words, "consumed").as_bytes());
    let origin = format!("mqsafe-origin-id={}", id(2));
    cluster.write(&receipts, 0, &[origin.as_bytes()], None, b"check");
    let words: Vec<String> = id(3).split(' ').map(str::to_owned).collect();
    cluster.write(&receipts, 0, &[], None, json(&words, "failed").as_bytes());
    let looked = verify(&["--receipts-topic", &receipts]);
    assert_eq!(looked.code, 1, "{}", looked.stderr);
    let compared = &looked.json["compared"][0];
    assert_eq!((&compared["both"], &compared["missing"]), (&3.into(), &2.into()));
    assert_eq!(case.stats(), (0, 0, 5));
    // What cannot be read is no reason to send anything again.
    cluster.write(&receipts, 0, &[], None, b"nonsense");
    let unsure = verify(&["--receipts-topic", &receipts, "--resend"]);
    assert!(unsure.stderr.contains("nothing was put back"), "{}", unsure.stderr);
    assert_eq!(case.stats(), (0, 0, 5));
    let file = case.file("receipts", format!("{}\n{}\n{}\n", id(0), id(1), id(2)).as_bytes());
    let put = verify(&["--receipts", file.to_str().unwrap(), "--resend"]);
    assert_eq!(put.json["resent"]["put_back"], 2, "{}", put.stderr);
    assert_eq!(put.json["resent"]["noted_consumed"], 3);
    case.flush().expect(0);
    let after = verify(&[]);
    assert_eq!(
        (after.code, after.total("read"), after.total("duplicate")),
        (0, 7, 2),
        "{}",
        after.stderr
    );
}
