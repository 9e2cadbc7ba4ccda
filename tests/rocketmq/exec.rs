//! `send --exec`: half messages that readers get when the program did its work, whatever crashes between. The broker of the tests
//! asks after a second, and 5 times.

use crate::cluster::{self, Case, Done, eventually, run_with};
use std::process::Command;

fn exec(case: &Case, input: &str, program: &[&str]) -> Done {
    case.send(input, &[&["--exec", "--"][..], program].concat())
}

/// A run that ends where a test says, as by a kill.
#[cfg(feature = "test-hooks")]
fn that_dies(case: &Case, at: &str, input: &str) {
    let mut send: Command = case.send_command(&case.topic, &["--exec", "--", "true"]);
    send.env("MQSAFE_TEST_DIES_AT", at);
    assert_eq!(run_with(send, input).code, -1, "it should have died at {at}");
}

fn spool(case: &Case, words: &[&str]) -> Done {
    let mut spool = case.mqsafe(&["spool"]);
    spool.args(words).arg("--spool").arg(case.path("spool"));
    run_with(spool, "")
}

/// So many messages, each once, with their numbers in order.
#[track_caller]
fn readers_have(case: &Case, count: u64) {
    eventually("readers have them", || case.held() == count);
    let said = case.verify().expect(0).json();
    for (name, expected) in [
        ("stamped", count),
        ("gap", 0),
        ("duplicate", 0),
        ("reordered", 0),
        ("corrupt", 0),
    ] {
        assert_eq!(said["totals"][name], expected, "{name}: {said}");
    }
    spool(case, &["fsck"]).expect(0);
}

#[test]
fn readers_get_what_the_program_did_and_nothing_else() {
    let Some(case) = cluster::shared("readers_get_what_the_program_did_and_nothing_else", 2) else {
        return;
    };
    // The broker asks while the program works, and is told that nobody knows yet.
    let done = exec(&case, "a\nb\nc\n", &["sleep", "2"]).expect(0);
    assert!(done.err.contains("accepted 3 = stored 3"), "{}", done.err);
    let refused = exec(&case, "d\ne\n", &["false"]).expect(1);
    assert!(refused.err.contains("refused 2"), "{}", refused.err);
    assert_eq!(case.stats(), [0, 2, 3]);
    exec(&case, "f\n", &["true"]).expect(0);
    readers_have(&case, 4);
    // What the broker will never take is known before the program begins.
    let tagged = case.path("began");
    let bad = case.send(
        "g\n",
        &["--tag", "a|b", "--exec", "--", "touch", tagged.to_str().unwrap()],
    );
    assert!(bad.expect(1).err.contains("so the action was not begun"));
    assert!(!tagged.exists());
    readers_have(&case, 4);
}

#[cfg(feature = "test-hooks")]
#[test]
fn a_crash_is_ended_by_the_next_run_as_it_was_decided() {
    let Some(case) = cluster::shared("a_crash_is_ended_by_the_next_run_as_it_was_decided", 1) else {
        return;
    };
    that_dies(&case, "prepared", "a\nb\n");
    let rolled_back = case.flush();
    assert!(rolled_back.err.contains("2 messages to topic"), "{}", rolled_back.err);
    assert_eq!(case.stats(), [0, 2, 0]);
    that_dies(&case, "decided", "c\nd\n");
    let flushed = case.flush().expect(0);
    assert!(flushed.err.contains("accepted 2 = stored 2"), "{}", flushed.err);
    that_dies(&case, "ended", "e\nf\n");
    // So does whoever sends the next message, before it.
    let sent = case.send("g\n", &[]).expect(0);
    assert!(
        sent.err.contains("left by earlier runs: accepted 2 = stored 2"),
        "{}",
        sent.err
    );
    assert_eq!(case.stats(), [0, 2, 5]);
    readers_have(&case, 5);
}

#[cfg(feature = "test-hooks")]
#[test]
fn what_the_broker_gave_up_meanwhile_is_sent_by_the_next_run() {
    let Some(case) = cluster::shared("what_the_broker_gave_up_meanwhile_is_sent_by_the_next_run", 1) else {
        return;
    };
    // Not one that a run before gave up.
    let text = format!("given up of {}", case.topic);
    that_dies(&case, "decided", &format!("{text}\n"));
    eventually("the broker gives it up", || {
        case.mqadmin(&["printMsg", "-t", "TRANS_CHECK_MAX_TIME_TOPIC", "-d", "true"])
            .contains(&text)
    });
    assert_eq!(case.held(), 0);
    case.flush().expect(0);
    assert_eq!(case.stats(), [0, 0, 1]);
    readers_have(&case, 1);
}

#[test]
fn an_action_that_only_somebody_else_can_judge_is_published_when_they_did() {
    let Some(case) = cluster::shared(
        "an_action_that_only_somebody_else_can_judge_is_published_when_they_did",
        1,
    ) else {
        return;
    };
    for (word, held) in [("commit", 2), ("rollback", 2)] {
        let killed = exec(&case, "a\nb\n", &["sh", "-c", "kill -9 $$"]).expect(4);
        assert!(killed.err.contains("is not known"), "{}", killed.err);
        let rows = spool(&case, &["decide"]).expect(4).out;
        let id = rows
            .lines()
            .nth(1)
            .and_then(|row| row.split_whitespace().next())
            .unwrap()
            .to_owned();
        spool(&case, &["decide", &id, word]).expect(0);
        case.flush().expect(0);
        readers_have(&case, held);
    }
    assert_eq!(case.stats(), [0, 2, 2]);
}
