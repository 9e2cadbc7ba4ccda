//! The forms of the input, what is rejected, what was given before, and the receipts that say so.

use super::{NOBODY, User, code, err, out};
use serde_json::Value;
use std::io::Write;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

/// Receipts as they were written, the summary last.
fn receipts(bytes: &[u8]) -> Vec<Value> {
    let all: Vec<Value> = bytes
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(all.last().unwrap()["schema"], "mqsafe.send/1");
    all
}

/// The lines with this status, in their order.
fn lines(receipts: &[Value], status: &str) -> Vec<u64> {
    let with = receipts.iter().filter(|r| r["status"] == status);
    let mut lines: Vec<u64> = with.map(|r| r["line"].as_u64().unwrap()).collect();
    lines.sort_unstable();
    lines
}

#[track_caller]
fn expect(output: &Output, wanted: i32, words: &[&str]) {
    assert_eq!(code(output), wanted, "{}", err(output));
    for word in words {
        assert!(err(output).contains(word), "{word:?} is missing in:\n{}", err(output));
    }
}

#[test]
fn a_record_that_is_none_is_rejected_and_strict_waits_until_it_is_mended() {
    let user = User::new();
    let text = "{\"value\":\"a\"}\nnone\n{\"key\":\"k\",\"payload\":null,\"unknown\":1}\n";
    user.file("in", text);
    let send = |arguments: &[&str]| user.send().args(["--input", "jsonl"]).args(arguments).output().unwrap();
    let strict = send(&["--strict", "--receipts", "-", "in"]);
    expect(
        &strict,
        1,
        &[
            "line 2 was rejected: the line is not a JSON object",
            "reading stopped at line 2",
        ],
    );
    let told = receipts(&strict.stdout);
    assert_eq!((lines(&told, "spooled"), lines(&told, "rejected")), (vec![1], vec![2]));
    user.file("in", text.replace("none", "{\"value\":\"b\"}"));
    let mended = send(&["--resume", "--receipts", "-", "in"]);
    expect(&mended, 4, &["resuming in after line 1", "3 messages are safe"]);
    assert_eq!(lines(&receipts(&mended.stdout), "spooled"), [2, 3]);
    // Without --strict the rest goes on, and one message is one.
    let other = User::new();
    other.file("in", text.replace("{\"value\":\"a\"}\n", ""));
    let output = other.send().args(["--input", "jsonl", "in"]).output().unwrap();
    expect(&output, 1, &["accepted 1 = ", "1 message is safe in", "rejected 1"]);
    assert_eq!(other.spool("spool"), [1, 0, 0]);
}

#[test]
fn delimiters_files_and_templates() {
    let user = User::new();
    for (arguments, input, messages) in [
        (&["-0"][..], &b"a\nb\0c"[..], 2),
        (&["-D", r"\r\n--\x01", "-K", "="], b"k=a\r\n--\x01k=b\n\r\n--\x01", 2),
        (
            &[
                "--template",
                "{\"n\":{seq},\"id\":\"{uuid}\"}",
                "--key-template",
                "k{seq}",
                "--count",
                "5000",
            ],
            b"",
            5000,
        ),
    ] {
        let before = if user.path("spool").exists() {
            user.spool("spool")[0]
        } else {
            0
        };
        let output = user.send().args(arguments).write_stdin(input).output().unwrap();
        expect(&output, 4, &[&format!("accepted {messages} = ")]);
        assert_eq!(user.spool("spool")[0] - before, messages, "{arguments:?}");
    }
    user.file("one", "1\n2\n");
    user.file("two", b"\xff\0");
    let arguments = [
        "--input",
        "files",
        "--key-from",
        "name",
        "--receipts",
        "-",
        "one",
        "gone",
        "two",
    ];
    let output = user.send().args(arguments).output().unwrap();
    expect(&output, 1, &["gone cannot be read", "accepted 2 = "]);
    let told = receipts(&output.stdout);
    let files: Vec<(&str, &str)> = told[..3]
        .iter()
        .map(|r| (r["file"].as_str().unwrap(), r["status"].as_str().unwrap()))
        .collect();
    assert_eq!(files, [("gone", "rejected"), ("one", "spooled"), ("two", "spooled")]);
    let begun = Instant::now();
    let output = user
        .send()
        .args(["--template", "x", "--count", "150", "--rate", "100/s"])
        .output()
        .unwrap();
    expect(&output, 4, &["accepted 150 = "]);
    assert!(
        begun.elapsed().as_millis() >= 1300,
        "150 messages at 100/s took {:?}",
        begun.elapsed()
    );
}

#[test]
fn options_that_would_change_nothing_are_mistakes() {
    let user = User::new();
    user.file("a", "1\n");
    user.file("b.csv", "x\n1\n");
    for (arguments, word) in [
        (&["--input", "jsonl", "-K", ":"][..], "-K is of no use here"),
        (&["--key-column", "x", "a"], "--key-column is of no use here"),
        (&["--keep-partition", "a"], "--keep-partition is of no use here"),
        (&["--input", "csv", "--key-column", "y", "b.csv"], "no column \"y\""),
        (
            &["--input", "csv", "--idempotency-key", "column:y", "b.csv"],
            "no column \"y\"",
        ),
        (&["--input", "files"], "needs files"),
        (&["--input", "files", "-"], "cannot read - as a file"),
        (&["a", "b.csv"], "only one FILE"),
        (&["-D", r"\q"], "an escape that is not known"),
        (&["-D", ""], "is empty"),
        (
            &["--template", "{oops}", "--count", "1"],
            "{oops} is nothing that a template knows",
        ),
        (&["--template", "x"], "--count"),
        (&["--rate", "fast"], "no rate"),
        (&["--spool-limit", "much"], "no number of bytes"),
        (&["--tag", "T"], "Kafka has no tags"),
        (&["--idempotency-key", "value"], "no place of an id"),
        (&["--only-failed", "receipts"], "needs a file"),
    ] {
        let output = user.send().args(arguments).write_stdin("").output().unwrap();
        expect(&output, 2, &[word]);
    }
    assert!(!user.path("spool").exists(), "a mistake made a spool");
}

#[test]
fn what_the_business_gave_before_is_not_accepted_again() {
    let user = User::new();
    user.file("orders.csv", "id,note\n1,a\n2,\"b\nb\"\n1,a\n3\n,none\n");
    let send = |more: &[&str]| {
        let arguments = [
            "--input",
            "csv",
            "--key-column",
            "id",
            "--idempotency-key",
            "key",
            "--receipts",
            "-",
        ];
        user.send()
            .args(arguments)
            .args(more)
            .arg("orders.csv")
            .output()
            .unwrap()
    };
    let first = send(&[]);
    expect(&first, 1, &["accepted 2 = ", "rejected 2; repeated 1", "key is empty"]);
    let told = receipts(&first.stdout);
    assert_eq!(
        (
            lines(&told, "spooled"),
            lines(&told, "repeated"),
            lines(&told, "rejected")
        ),
        (vec![2, 3], vec![4], vec![5, 6])
    );
    assert_eq!(told.last().unwrap()["repeated"], 1);
    expect(&send(&[]), 1, &["accepted 0 = ", "rejected 2; repeated 3"]);
    assert_eq!(user.spool("spool"), [2, 0, 0]);
    // Out of its time it is new.
    std::thread::sleep(Duration::from_millis(5));
    expect(&send(&["--dedupe-window", "1ms"]), 1, &["accepted 2 = ", "repeated 1"]);
    // Without a store that remembers, nothing is promised.
    let unnamed = |arguments: &[&str]| {
        let mut command = user.mqsafe();
        command.args([
            "send",
            "-b",
            NOBODY,
            "-t",
            "orders",
            "-k",
            "a",
            "--idempotency-key",
            "key",
        ]);
        command.args(arguments).write_stdin("x").output().unwrap()
    };
    expect(&unnamed(&["--no-spool"]), 2, &["needs a spool"]);
    expect(&unnamed(&[]), 2, &["needs a spool that is named", "MQSAFE_SPOOL"]);
    let mut command = user.mqsafe();
    command.args([
        "send",
        "-b",
        NOBODY,
        "-t",
        "orders",
        "-k",
        "a",
        "--idempotency-key",
        "key",
    ]);
    command
        .args(["--connect-timeout", "1s"])
        .env("MQSAFE_SPOOL", user.path("spool"));
    expect(
        &command.write_stdin("x\ny\n").output().unwrap(),
        4,
        &["accepted 1 = ", "repeated 1"],
    );
}

#[test]
fn what_was_accepted_before_a_kill_is_remembered_with_it() {
    let user = User::new();
    let lines: Vec<String> = (0..30_000).map(|n| format!("order-{n}:x\n")).collect();
    let arguments = ["-K", ":", "--idempotency-key", "key"];
    let mut first = user.process();
    first.args([
        "send",
        "-b",
        NOBODY,
        "-t",
        "orders",
        "--connect-timeout",
        "1s",
        "--spool",
        "spool",
    ]);
    let mut child = first
        .args(arguments)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines[..10_000].concat().as_bytes()).unwrap();
    // It accepts without a broker once it has waited for one.
    let accepts = || std::fs::metadata(user.path("spool/spool.redb")).is_ok_and(|m| m.len() > 2 << 20);
    let begun = Instant::now();
    while !accepts() {
        assert!(begun.elapsed() < Duration::from_secs(90), "nothing was accepted");
        std::thread::sleep(Duration::from_millis(10));
    }
    // Killed while more comes.
    let rest = lines[10_000..].concat();
    let feeding = std::thread::spawn(move || drop(stdin.write_all(rest.as_bytes())));
    std::thread::sleep(Duration::from_millis(50));
    child.kill().unwrap();
    child.wait().unwrap();
    feeding.join().unwrap();
    let [before, ..] = user.spool("spool");
    assert!(before > 1000, "{before}");
    let again = user
        .send()
        .args(arguments)
        .write_stdin(lines.concat())
        .output()
        .unwrap();
    let (new, total) = (30_000 - before, 30_000);
    expect(
        &again,
        4,
        &[&format!("accepted {new} = "), &format!("repeated {before}")],
    );
    assert_eq!(user.spool("spool"), [total, 0, 0]);
}

#[test]
fn a_dry_run_stores_nothing_and_says_what_it_does_not_know() {
    let user = User::new();
    user.file("in", "1:a\nnone\n2:b\n");
    let dry = |arguments: &[&str]| user.send().arg("--dry-run").args(arguments).output().unwrap();
    let unknown = dry(&["in"]);
    expect(
        &unknown,
        3,
        &[
            "the lanes of orders are not known",
            "would send 3 messages (10 bytes); rejected 0",
            "nothing was sent or stored",
        ],
    );
    assert_eq!(out(&unknown), "");
    // A line that is rejected is known for sure, so it is told first.
    expect(
        &dry(&["-K", ":", "in"]),
        1,
        &["line 2 was rejected", "would send 2 messages (4 bytes); rejected 1"],
    );
    assert!(!user.path("spool").exists());
    assert!(!user.path("state").exists());
}

#[test]
fn a_spool_grows_no_further_than_it_may() {
    let user = User::new();
    let input: String = (0..200_000).map(|n| format!("line {n}\n")).collect();
    let send = |limit: &str| {
        user.send()
            .args(["--spool-limit", limit])
            .write_stdin(input.as_str())
            .output()
            .unwrap()
    };
    let full = send("4M");
    expect(
        &full,
        4,
        &[
            "the spool is as large as it may be",
            "raise --spool-limit",
            "stopped after line ",
        ],
    );
    assert!(!err(&full).contains("--resume"), "{}", err(&full));
    let size = || std::fs::metadata(user.path("spool/spool.redb")).unwrap().len();
    assert!(size() <= 4 << 20, "{}", size());
    let [accepted, ..] = user.spool("spool");
    assert!(
        accepted > 0 && err(&full).contains(&format!("stopped after line {accepted}: ")),
        "{}",
        err(&full)
    );
    // What the file has room for inside is used, and then nothing more.
    let mut waits = accepted;
    let nothing_more = (0..10).any(|_| {
        let again = send("4M");
        let [now, failed, confirmed] = user.spool("spool");
        assert_eq!((failed, confirmed), (0, 0));
        assert!(size() <= 4 << 20, "{}", size());
        if now == waits {
            // Nothing of this input is anywhere, whatever waits from before.
            expect(&again, 3, &["accepted 0 = "]);
            return true;
        }
        expect(&again, 4, &[format!("accepted {} = ", now - waits).as_str()]);
        waits = now;
        false
    });
    assert!(nothing_more, "it accepts again and again: {waits}");
    expect(&send("1G"), 4, &["accepted 200000 = "]);
}

#[test]
fn only_what_failed_is_sent_again_and_only_of_the_same_input() {
    let user = User::new();
    let text = "a\n".to_owned() + &"x".repeat(50) + "\nb\n" + &"y".repeat(50) + "\n";
    user.file("in", &text);
    let send = |arguments: &[&str]| user.send().args(arguments).output().unwrap();
    expect(
        &send(&["--receipts", "told", "--max-message-bytes", "10", "in"]),
        1,
        &["accepted 2 = ", "rejected 2"],
    );
    let first = receipts(&std::fs::read(user.path("told")).unwrap());
    let summary = first.last().unwrap();
    assert_eq!(
        (&summary["input"]["bytes"], &summary["input"]["form"]),
        (&text.len().into(), &"lines".into())
    );
    assert_eq!(summary["input"]["sha256"].as_str().unwrap().len(), 64);
    assert!(summary["spool"].as_str().unwrap().ends_with("/spool"));
    // The receipts go on in the same file.
    let again = send(&["--only-failed", "told", "--receipts", "told", "in"]);
    expect(
        &again,
        4,
        &[
            "2 lines of in to send again: 0 refused, 2 rejected",
            "2 lines not sent again",
            "accepted 2 = ",
        ],
    );
    assert_eq!(user.spool("spool"), [4, 0, 0]);
    let all = receipts(&std::fs::read(user.path("told")).unwrap());
    assert_eq!(
        (all.len(), lines(&all[first.len()..], "spooled")),
        (first.len() + 3, vec![2, 4])
    );
    // By the last receipt of each line nothing is left to do.
    expect(
        &send(&["--only-failed", "told", "in"]),
        4,
        &["0 lines of in to send again", "accepted 0 = "],
    );
    assert_eq!(user.spool("spool"), [4, 0, 0]);
    for (name, content, arguments, word) in [
        (
            "in",
            text.replace('a', "A"),
            &["told"][..],
            "are not the ones that were sent",
        ),
        ("in", "a\n".to_owned(), &["told"], "not those of in"),
        ("in", text.clone(), &["told", "-0"], "read as lines"),
        (
            "cut",
            std::fs::read_to_string(user.path("told"))
                .unwrap()
                .lines()
                .take(2)
                .collect::<Vec<_>>()
                .join("\n"),
            &["cut"],
            "are not whole",
        ),
        ("no", "line\n".to_owned(), &["no"], "holds no receipts"),
    ] {
        user.file("in", &text);
        user.file(name, content);
        let output = user
            .send()
            .arg("--only-failed")
            .args(arguments)
            .arg("in")
            .output()
            .unwrap();
        expect(&output, 2, &[word]);
    }
    assert_eq!(user.spool("spool"), [4, 0, 0]);
}
