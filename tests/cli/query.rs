//! The words of `query-key`, as far as no broker is needed for them.

use super::{NOBODY, User, code, err, out};

#[track_caller]
fn refused(arguments: &[&str], expected: &str) {
    let user = User::new();
    user.file("blank", "a\n\nb\n");
    user.file("nothing", "");
    let mut command = user.mqsafe();
    command.args(["query-key", "-t", "orders"]).args(arguments);
    let output = command.output().unwrap();
    assert_eq!(code(&output), 2, "{arguments:?}: {}", err(&output));
    assert!(
        err(&output).contains(expected),
        "{arguments:?} should say {expected:?}: {}",
        err(&output)
    );
    assert!(out(&output).is_empty());
}

#[test]
fn what_cannot_be_looked_for_is_refused() {
    let kafka = ["-b", NOBODY];
    let at = |more: &[&'static str]| [&kafka[..], more].concat();
    refused(&at(&[]), "nothing is named to look for");
    refused(&at(&["--all", "k"]), "cannot be used with");
    refused(&at(&["--glob", "["]), "is no pattern");
    refused(&at(&["--regex", "("]), "is no regular expression");
    refused(&at(&["--header", "x"]), "NAME=VALUE");
    refused(&at(&["--header", "=x"]), "NAME=VALUE");
    refused(&at(&["--json", "id=1"]), "/POINTER=VALUE");
    refused(&at(&["--key-from", "key", "k"]), "header:NAME");
    refused(&at(&["--base64", "***"]), "is not base64");
    refused(&at(&["--keys-file", "blank"]), "line 2 of blank is empty");
    refused(&at(&["--keys-file", "nothing"]), "there is no key in nothing");
    refused(&at(&["--keys-file", "absent"]), "cannot read the keys in absent");
    refused(&at(&["--since", "yesterday", "k"]), "--since \"yesterday\" is no time");
    refused(&at(&["--since", "1700000000", "k"]), "looks like seconds");
    refused(
        &at(&["--since", "now", "--until", "-1h", "k"]),
        "--since is not before --until",
    );
    refused(&at(&["--limit", "0", "k"]), "invalid value");
    refused(&at(&["--pruned", "--partitioner", "crc32", "k"]), "cannot be used with");
    refused(&at(&["--partition-counts", "0", "k"]), "invalid value");
    refused(&at(&["--also", "x", "k"]), "--journey");
    refused(&at(&["--raw", "--format", "json", "k"]), "cannot be used with");
    refused(&at(&["--yes", "k"]), "--peek");
    refused(&at(&["--for", "1s", "k"]), "--tap");
}

#[test]
fn what_a_broker_has_not_is_refused_and_not_left_out() {
    refused(&["-b", NOBODY, "--peek", "k"], "Kafka has no --peek");
    refused(&["-b", NOBODY, "--id", "x"], "Kafka has no --id");
    refused(&["-b", NOBODY, "--tap", "k"], "Kafka has no --tap");
    refused(&["-b", NOBODY, "--index-only", "k"], "Kafka has no --index-only");
    refused(
        &["-b", "rocketmq://127.0.0.1:1", "--pruned", "k"],
        "RocketMQ has no --pruned",
    );
    refused(
        &["-b", "rocketmq://127.0.0.1:1", "--partitioner", "crc32", "k"],
        "RocketMQ has no --partitioner",
    );
    refused(
        &["-b", "amqp://127.0.0.1:1", "--newest-first", "--peek", "k"],
        "cannot be read from its end",
    );
    refused(
        &["-b", "amqp://127.0.0.1:1", "--exhaustive", "k"],
        "RabbitMQ has no --exhaustive",
    );
    refused(&["-b", "amqp://127.0.0.1:1", "--tap", "k"], "--management");
}

#[test]
fn times_are_read_before_anything_is_connected() {
    let user = User::new();
    for time in ["2026-05-01T12:00:00Z", "2026-05-01", "now-2h", "-48h", "1700000000000"] {
        let mut command = user.mqsafe();
        command.args(["query-key", "-b", "amqp://127.0.0.1:1", "-t", "q", "--since", time, "k"]);
        let output = command.output().unwrap();
        assert_eq!(code(&output), 3, "{time}: {}", err(&output));
        // A person is told as clearly as a program that nothing was searched.
        let last = err(&output).lines().last().unwrap_or_default().to_owned();
        assert!(
            last.starts_with("key k: not found in what could be read; PARTIAL"),
            "{last}"
        );
    }
}

/// An archive that was damaged is sent as far as it can be, and the end says that it is not what was written.
#[test]
fn a_damaged_archive_is_noticed_before_anything_is_sent() {
    let user = User::new();
    let archive = "{\"key\":\"k\",\"value\":\"v\"}\n{\"schema\":\"mqsafe.query/1\",\"found\":1,\"sha256\":\"00\"}\n";
    let file = user.file("archive", archive);
    let mut command = user.mqsafe();
    command.args([
        "send",
        "-b",
        NOBODY,
        "-t",
        "orders",
        "--input",
        "jsonl",
        "--dry-run",
        "--connect-timeout",
        "1s",
    ]);
    let output = command.arg(file).output().unwrap();
    assert!(err(&output).contains("its hash of them differs"), "{}", err(&output));
}
