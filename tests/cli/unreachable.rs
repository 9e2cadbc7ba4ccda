//! No broker answers: nothing is lost, nothing is claimed, and the exit code tells which of both it was.

use super::{NOBODY, User, code, err, out};
use std::process::Output;

fn send(user: &User, input: &str, arguments: &[&str]) -> Output {
    user.send().args(arguments).write_stdin(input).output().unwrap()
}

#[test]
fn send_keeps_everything_in_the_spool() {
    let user = User::new();
    let output = send(&user, "a\nb\nc\n", &["--receipts", "r.jsonl"]);
    assert_eq!(code(&output), 4, "{}", err(&output));
    assert_eq!(out(&output), "");
    let said = err(&output);
    assert!(said.contains("Connection refused"), "the cause: {said}");
    let next = format!("mqsafe spool flush --spool {}", user.path("spool").display());
    assert!(said.contains(&next), "what to do next: {said}");
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("orders: accepted 3 = stored 0 + refused 0 + in doubt 0 + spooled 3 "),
        "the counts come last: {last}"
    );
    assert_eq!(user.spool("spool"), [3, 0, 0]);
    let receipts = std::fs::read_to_string(user.path("r.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(receipts.lines().last().unwrap()).unwrap();
    let expected = serde_json::json!({
        "schema": "mqsafe.send/1", "accepted": 3, "stored": 0, "refused": 0, "in_doubt": 0, "spooled": 3, "rejected": 0,
    });
    // Fields may be added, and none of these may be missing or another.
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&last[name], value, "{name}");
    }
}

#[test]
fn a_second_run_adds_to_the_spool_and_flush_loses_nothing() {
    let user = User::new();
    assert_eq!(code(&send(&user, "a\nb\n", &[])), 4);
    assert_eq!(code(&send(&user, "c\n", &[])), 4);
    assert_eq!(user.spool("spool"), [3, 0, 0]);
    let flush = user
        .mqsafe()
        .args(["spool", "flush", "--spool", "spool", "--connect-timeout", "1s"])
        .output()
        .unwrap();
    assert_eq!(code(&flush), 4, "{}", err(&flush));
    assert_eq!(user.spool("spool"), [3, 0, 0]);
}

#[test]
fn by_default_the_spool_is_below_the_state_directory() {
    let user = User::new();
    let mut command = user.mqsafe();
    command.args(["send", "-b", NOBODY, "-t", "orders", "--connect-timeout", "1s"]);
    assert_eq!(code(&command.write_stdin("a\n").output().unwrap()), 4);
    assert!(user.path("state/mqsafe/spool/0001/spool.redb").is_file());
    let stats = user
        .mqsafe()
        .args(["spool", "stats", "--format", "json"])
        .output()
        .unwrap();
    assert!(out(&stats).contains("\"pending\":1"), "{}", out(&stats));
}

#[test]
fn without_a_spool_nothing_is_called_safe() {
    let user = User::new();
    let mut command = user.mqsafe();
    command.args([
        "send",
        "-b",
        NOBODY,
        "-t",
        "orders",
        "--connect-timeout",
        "1s",
        "--no-spool",
    ]);
    let output = command.write_stdin("a\nb\n").output().unwrap();
    assert_eq!(code(&output), 3, "not 4, because nothing is safe: {}", err(&output));
    assert!(err(&output).contains("cannot be reached"), "{}", err(&output));
    assert!(!err(&output).contains("safe in"), "{}", err(&output));
    assert!(!user.path("state").exists());
}

#[test]
fn an_empty_input_is_no_failure() {
    let user = User::new();
    let output = send(&user, "", &[]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(err(&output).contains("accepted 0"), "{}", err(&output));
}

#[test]
fn who_only_reads_cannot_know() {
    let user = User::new();
    let commands = [
        &["query-key", "-b", NOBODY, "-t", "orders", "123"][..],
        &["query-key", "-b", NOBODY, "-t", "orders", "123", "--format", "json"],
        &["verify", "-b", NOBODY, "-t", "orders"],
        &["verify", "-b", NOBODY, "-t", "orders", "--format", "json"],
    ];
    for arguments in commands {
        let output = user.mqsafe().args(arguments).output().unwrap();
        assert_eq!(code(&output), 3, "{arguments:?}: {}", err(&output));
        let said = err(&output);
        assert!(said.contains("error: cannot reach kafka://127.0.0.1:1"), "{said}");
        assert!(said.contains("caused by: ") && said.contains("next: "), "{said}");
        if !out(&output).is_empty() {
            serde_json::from_str::<serde_json::Value>(&out(&output)).expect("stdout is one valid JSON, or nothing");
        }
    }
}

#[test]
fn a_spool_has_one_owner() {
    let user = User::new();
    let mut first = user.process();
    first.args([
        "send",
        "-b",
        NOBODY,
        "-t",
        "orders",
        "--connect-timeout",
        "60s",
        "--spool",
        "spool",
    ]);
    let mut first = super::stop::Running::start(first);
    first.write("a\n");
    first.wait_for(|| user.path("spool/spool.redb").is_file());
    let second = send(&user, "b\n", &[]);
    assert_eq!(code(&second), 2, "{}", err(&second));
    let owner = format!("spool is in use by process {} since ", first.id());
    assert!(err(&second).contains(&owner), "{owner:?} is not in {}", err(&second));
    let stats = user
        .mqsafe()
        .args(["spool", "stats", "--spool", "spool"])
        .output()
        .unwrap();
    assert_eq!(
        code(&stats),
        3,
        "figures that cannot be read are not zero: {}",
        err(&stats)
    );
    first.signal("KILL");
    first.end();
    // The lock is the kernel's: it dies with its process, whatever the file says.
    assert_eq!(code(&send(&user, "b\n", &[])), 4);
}

#[test]
fn processes_without_a_named_spool_do_not_collide() {
    let user = User::new();
    let mut first = user.process();
    first.args(["send", "-b", NOBODY, "-t", "orders", "--connect-timeout", "60s"]);
    let mut first = super::stop::Running::start(first);
    first.write("a\n");
    first.wait_for(|| user.path("state/mqsafe/spool/0001/spool.redb").is_file());
    let mut second = user.mqsafe();
    second.args(["send", "-b", NOBODY, "-t", "orders", "--connect-timeout", "1s"]);
    assert_eq!(code(&second.write_stdin("b\n").output().unwrap()), 4);
    assert!(user.path("state/mqsafe/spool/0002/spool.redb").is_file());
    first.signal("KILL");
    first.end();
}

/// The spool keeps messages and not what is to follow from them: whoever flushes is told what to repeat.
#[test]
fn the_next_step_repeats_what_the_spool_does_not_remember() {
    let user = User::new();
    let flags = ["--dead-letter", "dead", "--check-topic", "checks", "--ordered"];
    let sent = send(&user, "a\n", &flags);
    assert_eq!(code(&sent), 4, "{}", err(&sent));
    let again = " --dead-letter dead --check-topic checks --check-after 60000ms --ordered\n";
    let next = format!("spool flush --spool {}{again}", user.path("spool").display());
    assert!(err(&sent).contains(&next), "{}", err(&sent));
    let flush = user
        .mqsafe()
        .args(["spool", "flush", "--spool", "spool", "--connect-timeout", "1s"])
        .args(flags)
        .output()
        .unwrap();
    assert_eq!(code(&flush), 4, "{}", err(&flush));
    assert!(err(&flush).contains(again), "{}", err(&flush));
    assert_eq!(user.spool("spool"), [1, 0, 0]);
}
