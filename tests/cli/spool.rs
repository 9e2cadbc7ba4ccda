//! `mqsafe spool`: messages are listed, shown, tried again, dropped and exported; a store is checked. No broker answers here.

use super::{NOBODY, User, code, err, out};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

/// A spool with three messages that wait, two of them with keys.
fn spooled() -> User {
    let user = User::new();
    let output = user
        .send()
        .args(["-K", ":", "-H", "from=test"])
        .write_stdin("k1:a\nk\u{7}2:b\nk1:c\n")
        .output()
        .unwrap();
    assert_eq!(code(&output), 4, "{}", err(&output));
    user
}

fn spool(user: &User, arguments: &[&str]) -> Output {
    let mut command = user.mqsafe();
    command.arg("spool").args(arguments);
    if !arguments.contains(&"--spool") {
        command.args(["--spool", "spool"]);
    }
    command.write_stdin("").output().unwrap()
}

#[track_caller]
fn done(user: &User, arguments: &[&str]) -> String {
    let output = spool(user, arguments);
    assert_eq!(code(&output), 0, "{arguments:?}: {}", err(&output));
    out(&output)
}

#[track_caller]
fn refused(user: &User, arguments: &[&str], expected: &str) {
    let output = spool(user, arguments);
    assert_eq!(code(&output), 2, "{arguments:?}: {}{}", out(&output), err(&output));
    assert!(err(&output).contains(expected), "{arguments:?}: {}", err(&output));
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_waits_is_listed_and_shown() {
    let user = spooled();
    let listed = lines(&done(&user, &["ls", "--format", "jsonl"]));
    let ids: Vec<&str> = listed.iter().map(|l| l["spool_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["spool/0", "spool/1", "spool/2"]);
    let first = &listed[0];
    assert_eq!(
        (&first["state"], &first["topic"], &first["key"]),
        (&"pending".into(), &"orders".into(), &"k1".into())
    );
    assert!(
        first["id"].is_null() && first["in_doubt"] == false,
        "it was never sent: {first}"
    );
    assert!(first.get("value").is_none());
    for (arguments, expected) in [
        (&["--key", "k1"][..], 2),
        (&["-t", "orders"], 3),
        (&["-t", "other"], 0),
        (&["--state", "failed"], 0),
        (&["--state", "confirmed"], 0),
        (&["--state", "all", "--limit", "1"], 1),
    ] {
        let arguments = [&["ls", "--format", "json"], arguments].concat();
        let all: Value = serde_json::from_str(&done(&user, &arguments)).unwrap();
        assert_eq!(all["schema"], "mqsafe.spool-ls/1");
        assert_eq!(all["messages"].as_array().unwrap().len(), expected, "{arguments:?}");
    }
    let cut = spool(&user, &["ls", "--limit", "1"]);
    assert!(err(&cut).contains("1 listed, 2 more"), "{}", err(&cut));
    let human = done(&user, &["ls"]);
    assert_eq!(human.lines().count(), 4, "{human}");
    assert!(!human.contains('\u{7}'), "{human:?}");

    // By the plain number, by the whole name, and in no other way.
    for id in ["1", "spool/1"] {
        let shown: Value = serde_json::from_str(&done(&user, &["show", id, "--format", "json"])).unwrap();
        assert_eq!((&shown["value"], &shown["key"]), (&"b".into(), &"k\u{7}2".into()));
        assert_eq!(shown["headers"], serde_json::json!([["from", "test"]]));
    }
    let human = done(&user, &["show", "1"]);
    assert!(
        human.contains("header    from = test") && !human.contains('\u{7}'),
        "{human:?}"
    );
    refused(&user, &["show", "7"], "there is no message 7");
    refused(&user, &["show", "x"], "\"x\" names no message");
    refused(&user, &["show", "0009/1"], "there is no store \"0009\"");
}

#[test]
fn several_stores_have_names() {
    let user = User::new();
    for dir in ["all/0001", "all/0002"] {
        let mut send = user.mqsafe();
        send.args([
            "send",
            "-b",
            NOBODY,
            "-t",
            "orders",
            "--connect-timeout",
            "0s",
            "--spool",
            dir,
        ]);
        assert_eq!(code(&send.write_stdin("a\n").output().unwrap()), 4);
    }
    let all = ["--spool", "all"];
    let ids: Vec<Value> = lines(&done(&user, &[&["ls", "--format", "jsonl"][..], &all].concat()))
        .into_iter()
        .map(|l| l["spool_id"].clone())
        .collect();
    assert_eq!(ids, ["0001/0", "0002/0"]);
    refused(
        &user,
        &[&["show", "0"][..], &all].concat(),
        "could be a message of several stores",
    );
    let dropped = done(&user, &[&["drop", "0002/0", "--force", "--yes"][..], &all].concat());
    assert!(dropped.starts_with("0002/0  dropped"), "{dropped}");
    assert_eq!(user.spool("all"), [1, 0, 0]);
}

#[test]
fn nothing_is_dropped_by_a_slip() {
    let user = spooled();
    refused(&user, &["drop", "0"], "some have not failed");
    refused(&user, &["drop", "0", "--force"], "there is no terminal to ask on");
    refused(&user, &["drop", "0", "7", "--force", "--yes"], "there is no message 7");
    refused(&user, &["drop"], "required");
    assert_eq!(user.spool("spool"), [3, 0, 0]);
    // Nothing failed, so nothing is asked.
    assert_eq!(done(&user, &["drop", "--all-failed"]), "");
    let dropped = done(&user, &["drop", "0", "0", "2", "--force", "--yes"]);
    assert_eq!(
        dropped,
        "spool/0  dropped; it had no number\nspool/2  dropped; it had no number\n"
    );
    assert_eq!(user.spool("spool"), [1, 0, 0]);
}

#[test]
fn an_export_holds_everything_and_removes_nothing() {
    let user = spooled();
    let records = lines(&done(&user, &["export"]));
    let values: Vec<&Value> = records.iter().map(|r| &r["value"]).collect();
    assert_eq!(values, ["a", "b", "c"]);
    assert_eq!(records[0]["headers"], serde_json::json!([["from", "test"]]));
    for field in ["broker", "topic", "partition", "timestamp", "key", "id"] {
        assert!(records[0].get(field).is_some(), "{field}");
    }
    done(&user, &["export", "2", "1", "-o", "out.jsonl"]);
    let written = std::fs::read_to_string(user.path("out.jsonl")).unwrap();
    let values: Vec<Value> = lines(&written).iter().map(|r| r["value"].clone()).collect();
    assert_eq!(values, ["c", "b"], "in the order that was asked for");
    refused(
        &user,
        &["export", "-o", "out.jsonl"],
        "give -o a file that is not there yet",
    );
    assert_eq!(std::fs::read_to_string(user.path("out.jsonl")).unwrap(), written);
    assert_eq!(lines(&done(&user, &["export", "--state", "failed"])), [] as [Value; 0]);
    assert_eq!(user.spool("spool"), [3, 0, 0]);
}

#[test]
fn a_retry_needs_something_to_retry() {
    let user = spooled();
    refused(&user, &["retry"], "required");
    refused(&user, &["retry", "9"], "there is no message 9");
    refused(&user, &["retry", "0", "--all-failed"], "cannot be used with");
    refused(&user, &["retry", "0", "--force"], "required");
    let waiting = spool(&user, &["retry", "0"]);
    assert_eq!(code(&waiting), 0);
    assert!(err(&waiting).contains("1 wait already"), "{}", err(&waiting));
    for none in ["--all-failed", "--unconsumed", "--relane"] {
        assert_eq!(done(&user, &["retry", none]), "");
    }
    assert_eq!(user.spool("spool"), [3, 0, 0]);
}

#[test]
fn reports_of_consumers_are_understood_or_named() {
    let user = spooled();
    user.file(
        "reports",
        "1 nobody orders/0\n\nnonsense\n{\"id\":null,\"status\":\"consumed\"}\n",
    );
    let output = spool(&user, &["ack", "--from", "reports"]);
    assert_eq!(code(&output), 1, "{}", err(&output));
    let said = err(&output);
    assert!(
        said.contains("line 3 is no report") && said.contains("line 4 is no report"),
        "{said}"
    );
    assert!(
        said.contains("of other spools 1") && said.contains("unreadable 2"),
        "{said}"
    );
    refused(&user, &["ack", "--from", "nowhere"], "cannot read nowhere");
    let mut piped = user.mqsafe();
    piped.args(["spool", "ack", "--from", "-", "--spool", "spool"]);
    let output = piped.write_stdin("9 other orders/1").output().unwrap();
    assert_eq!(code(&output), 0, "{}", err(&output));
}

#[test]
fn a_store_is_checked_without_being_written_to() {
    let user = spooled();
    let database = user.path("spool/spool.redb");
    let before = std::fs::read(&database).unwrap();
    assert_eq!(done(&user, &["fsck"]), "spool: in order\n");
    assert!(std::fs::read(&database).unwrap() == before);
    let repaired = spool(&user, &["fsck", "--repair"]);
    assert_eq!(code(&repaired), 0, "{}", err(&repaired));
    assert!(err(&repaired).contains("a copy of it is "), "{}", err(&repaired));
    let copies = |dir: &Path| {
        let names = std::fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("spool.redb.2")).count()
    };
    assert_eq!(copies(&user.path("spool")), 1);
    let held = user.path("spool/lock");
    assert!(held.is_file());

    // One bit of what is kept, everywhere that it stands.
    let mut damaged = std::fs::read(&database).unwrap();
    let text = b"from";
    let at: Vec<usize> = damaged
        .windows(4)
        .enumerate()
        .filter(|(_, w)| *w == text)
        .map(|(at, _)| at)
        .collect();
    assert!(!at.is_empty());
    at.iter().for_each(|at| damaged[*at] ^= 1);
    std::fs::write(&database, &damaged).unwrap();
    let output = spool(&user, &["fsck"]);
    assert!([1, 3].contains(&code(&output)), "{}{}", out(&output), err(&output));
    assert!(!out(&output).contains("in order"));
    assert!(std::fs::read(&database).unwrap() == damaged);

    std::fs::write(&database, vec![7; 1 << 16]).unwrap();
    let output = spool(&user, &["fsck"]);
    assert_eq!(code(&output), 3, "{}{}", out(&output), err(&output));
    assert!(!err(&output).contains("panicked"), "{}", err(&output));
}

/// What is read is not claimed to be all when a store is in use.
#[test]
fn a_store_in_use_is_told_and_not_waited_for() {
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
    first.wait_for(|| user.path("spool/spool.redb").is_file());
    for arguments in [
        &["ls"][..],
        &["export"],
        &["fsck"],
        &["retry", "--all-failed"],
        &["flush"],
    ] {
        let output = spool(&user, arguments);
        assert_eq!(code(&output), 3, "{arguments:?}: {}", err(&output));
        assert!(
            err(&output).contains("is in use by process"),
            "{arguments:?}: {}",
            err(&output)
        );
    }
    first.signal("KILL");
    first.end();
}

#[test]
fn another_format_is_explained() {
    let user = spooled();
    let database = user.path("spool/spool.redb");
    let db = redb::Database::open(&database).unwrap();
    let txn = db.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, &str>::new("meta");
    txn.open_table(meta).unwrap().insert("format", "2").unwrap();
    txn.commit().unwrap();
    drop(db);
    for arguments in [&["fsck"][..], &["ls"]] {
        let output = spool(&user, arguments);
        assert_eq!(code(&output), 3, "{arguments:?}: {}", err(&output));
        let said = err(&output);
        assert!(
            said.contains("has format \"2\"") && said.contains("the version of mqsafe that wrote it"),
            "{said}"
        );
    }
}

/// The rounds go on until a signal, and what waits is still there.
#[test]
fn a_watch_goes_on_until_it_is_stopped() {
    for (signal, expected) in [("INT", 130), ("TERM", 143)] {
        let user = User::new();
        let mut command = user.process();
        command.args([
            "spool",
            "flush",
            "--watch",
            "--every",
            "100ms",
            "--connect-timeout",
            "0s",
        ]);
        let mut watch = super::stop::Running::start(command);
        // The store appears later.
        std::thread::sleep(std::time::Duration::from_millis(300));
        let mut send = user.mqsafe();
        send.args(["send", "-b", NOBODY, "-t", "orders", "--connect-timeout", "0s"]);
        assert_eq!(code(&send.write_stdin("a\n").output().unwrap()), 4);
        // Time for many rounds, and for one on a busy machine.
        std::thread::sleep(std::time::Duration::from_millis(3000));
        watch.signal(signal);
        let (status, said) = watch.end();
        assert_eq!(status.code(), Some(expected), "{said}");
        assert!(
            said.contains("left by earlier runs: accepted 1 ="),
            "the store that appeared was taken up: {said}"
        );
        assert_eq!(user.spool("state/mqsafe/spool"), [1, 0, 0]);
    }
}

#[test]
fn what_a_watch_was_told_is_looked_at_first() {
    let user = spooled();
    refused(&user, &["flush", "--every", "1s"], "--watch");
    refused(&user, &["flush", "--on-failed"], "--on-failed names no program");
    refused(&user, &["flush", "--max-attempts", "0"], "0 is not in");
    refused(&user, &["flush", "--", "program"], "--on-failed");
    refused(
        &user,
        &["flush", "--watch", "--spool", "nowhere"],
        "there is no spool in nowhere",
    );
    let mistake = ["flush", "--watch", "-X", "sasl.username=me", "--connect-timeout", "0s"];
    refused(&user, &mistake, "security.protocol");
    let mut send = user.send();
    let output = send.args(["--await-consumed", "1h", "--no-spool"]).output().unwrap();
    assert_eq!(code(&output), 2, "{}", err(&output));
}
