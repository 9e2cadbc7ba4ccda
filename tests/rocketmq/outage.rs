//! Servers that die, fall silent or come late: nothing is claimed to be stored that is not, and nothing accepted is lost.

use crate::cluster::{self, Case, disturb, eventually, run_with};
use crate::support;
use std::time::{Duration, Instant};

/// After an outage: what was kept is delivered, and the topic holds everything.
#[track_caller]
fn heals(case: &Case, accepted: u64) {
    eventually("the spool is empty", || case.flush().code == 0);
    assert_eq!(case.stats(), [0, 0, accepted]);
    let verified = case.verify();
    let json = verified.json();
    assert_eq!(
        (&json["coverage"], &json["totals"]["gap"]),
        (&"COMPLETE".into(), &0.into()),
        "{json}"
    );
    let totals = &json["totals"];
    let stamped = totals["stamped"].as_u64().unwrap() - totals["duplicate"].as_u64().unwrap();
    assert_eq!(stamped, accepted, "{json}");
}

#[test]
fn without_a_name_server_messages_wait_in_the_spool() {
    let Some(case) = cluster::alone("without_a_name_server_messages_wait_in_the_spool", 1) else {
        return;
    };
    {
        let _down = disturb("kill", &["namesrv"]);
        let sent = case.send("a\nb\n", &["--connect-timeout", "2s"]).expect(4);
        assert!(sent.err.contains("refused"), "{}", sent.err);
        assert_eq!(case.stats(), [2, 0, 0]);
        case.query("k", &[]).expect(3);
    }
    heals(&case, 2);
}

#[test]
fn a_run_without_a_slave_is_in_doubt_and_goes_on_when_it_is_back() {
    let Some(case) = cluster::alone("a_run_without_a_slave_is_in_doubt_and_goes_on_when_it_is_back", 1) else {
        return;
    };
    let lines: String = (0..500).map(|n| format!("line {n}\n")).collect();
    let sending = {
        let _killed = disturb("kill", &["slave"]);
        // 5.3.3 says FLUSH_SLAVE_TIMEOUT, after 3 s, also when there is no slave at all.
        let sent = case.send("a\nb\n", &["--delivery-timeout", "15s"]).expect(4);
        // The first is in doubt; the second is too, or waits behind it.
        assert!(
            sent.err.contains("accepted 2 = stored 0 + refused 0 + in doubt"),
            "{}",
            sent.err
        );
        assert!(!sent.err.contains("in doubt 0"), "{}", sent.err);
        assert!(sent.err.contains("SLAVE"), "{}", sent.err);
        let send = case.send_command(&case.topic, &["--delivery-timeout", "240s"]);
        std::thread::spawn(move || run_with(send, &lines))
    };
    let sent = sending.join().unwrap().expect(0);
    assert!(sent.err.contains("stored 500"), "{}", sent.err);
    heals(&case, 502);
}

#[test]
fn a_master_that_is_killed_costs_nothing() {
    let Some(case) = cluster::alone("a_master_that_is_killed_costs_nothing", 2) else {
        return;
    };
    let lines: String = (0..12_000).map(|n| format!("line {n}\n")).collect();
    {
        let receipts = case.path("receipts");
        // Slowly enough that the kill comes in between.
        let paced = ["--delivery-timeout", "5s", "--rate", "1500/s", "--receipts"];
        let mut send = case.send_command(&case.topic, &paced);
        send.arg(&receipts);
        let sending = std::thread::spawn(move || run_with(send, &lines));
        eventually("the first lines are stored", || {
            std::fs::metadata(&receipts).is_ok_and(|m| m.len() > 0)
        });
        let _killed = disturb("kill", &["master"]);
        let sent = sending.join().unwrap().expect(4);
        assert!(!sent.err.contains("stored 12000"), "{}", sent.err);
        // The slave gives nothing to readers, so what it cannot tell is not claimed.
        let query = case.query("k", &[]);
        assert_eq!(query.code, 3, "{}", query.err);
    }
    let [pending, failed, confirmed] = case.stats();
    assert_eq!((pending + confirmed, failed), (12_000, 0));
    case.await_dispatched();
    assert!(case.held() >= confirmed);
    heals(&case, 12_000);
}

#[test]
fn a_master_that_falls_silent_is_found_within_two_heartbeats() {
    let Some(case) = cluster::alone("a_master_that_falls_silent_is_found_within_two_heartbeats", 1) else {
        return;
    };
    {
        let lines: String = (0..12_000).map(|n| format!("line {n}\n")).collect();
        let receipts = case.path("receipts");
        let mut send = case.send_command(
            &case.topic,
            &[
                "-X",
                "heartbeat.interval.ms=1000",
                "--delivery-timeout",
                "3s",
                "--rate",
                "1500/s",
                "--receipts",
            ],
        );
        send.arg(&receipts);
        let sending = std::thread::spawn(move || run_with(send, &lines));
        eventually("the first lines are stored", || {
            std::fs::metadata(&receipts).is_ok_and(|m| m.len() > 0)
        });
        let _silent = disturb("stop", &["master"]);
        let sent = sending.join().unwrap().expect(4);
        assert!(
            !sent.err.contains("stored 12000") && !sent.err.contains("in doubt 0"),
            "{}",
            sent.err
        );
        let start = Instant::now();
        let arguments = ["-X", "heartbeat.interval.ms=1000", "--connect-timeout", "4s"];
        let sent = case.send("a\n", &arguments).expect(4);
        assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
        assert!(
            sent.err.contains("heartbeat") || sent.err.contains("nothing was heard"),
            "{}",
            sent.err
        );
        // A reader has no answer either, and that is not the answer that there is nothing.
        let query = case.query("k", &arguments[..2]).expect(3).json();
        assert!(query["coverage"].as_str().unwrap().starts_with("PARTIAL"), "{query}");
    }
    heals(&case, 12_001);
}

/// How full the disk is on which the master keeps its messages, in percent.
fn disk_used() -> u64 {
    let log = std::env::var("ROCKETMQ_OUT_MASTER").unwrap();
    let directory = std::path::Path::new(&log).parent().unwrap();
    let df = std::process::Command::new("df")
        .args(["--output=pcent"])
        .arg(directory)
        .output()
        .unwrap();
    let said = String::from_utf8(df.stdout).unwrap();
    said.lines()
        .nth(1)
        .unwrap()
        .trim()
        .trim_end_matches('%')
        .parse()
        .unwrap()
}

/// The broker stops writing when its disk is fuller than it may be, which it looks at every ten seconds.
#[test]
fn a_full_disk_of_the_broker_costs_nothing() {
    let test = "a_full_disk_of_the_broker_costs_nothing";
    let Some(case) = cluster::alone(test, 1) else {
        return;
    };
    // No broker takes a smaller share for full.
    if disk_used() <= 37 {
        return support::skip(
            &format!("rocketmq::{test}"),
            "needs a fuller disk: no broker takes less than 36 percent for full",
        );
    }
    let refused = {
        let _full = case.configured(
            "cleanFileForciblyEnable=false\ndiskSpaceWarningLevelRatio=36",
            "cleanFileForciblyEnable=true\ndiskSpaceWarningLevelRatio=90",
        );
        let began = Instant::now();
        loop {
            let done = case.send("again\n", &["--delivery-timeout", "1s"]);
            if done.code != 0 {
                break done;
            }
            assert!(began.elapsed() < Duration::from_secs(90), "the disk was never full");
            std::thread::sleep(Duration::from_millis(500));
        }
    };
    let refused = refused.expect(4);
    assert!(refused.err.contains("service not available now"), "{}", refused.err);
    let [pending, failed, confirmed] = case.stats();
    assert_eq!((pending, failed), (1, 0), "{}", refused.err);
    eventually("there is room again", || case.flush().code == 0);
    assert_eq!(case.stats(), [0, 0, confirmed + 1]);
    let said = case.verify().expect(0).json();
    assert_eq!(said["totals"]["gap"], 0, "{said}");
    assert!(case.held() > confirmed, "{said}");
}
