//! Usage errors: exit 2, nothing on stdout, and on stderr the thing, the cause and what to do next.

use super::{User, code, err, out};
#[cfg(feature = "kafka")]
use insta::assert_snapshot;

/// Runs it, and returns what a usage error says.
fn refused(user: &User, arguments: &[&str]) -> String {
    let output = user.mqsafe().args(arguments).output().unwrap();
    assert_eq!(code(&output), 2, "{arguments:?}: {}", err(&output));
    assert_eq!(out(&output), "", "stdout carries data only");
    err(&output)
}

#[test]
fn nothing_typed_shows_the_help_on_stderr() {
    let said = refused(&User::new(), &[]);
    assert!(said.contains("Usage: mqsafe [OPTIONS] <COMMAND>"), "{said}");
}

#[test]
fn an_unknown_flag_or_command() {
    let user = User::new();
    for arguments in [
        &["--nonsense"][..],
        &["nonsense"],
        &["audit", "--nonsense", "."],
        &["audit"],
    ] {
        let said = refused(&user, arguments);
        assert!(said.starts_with("error: "), "{said}");
        assert!(said.contains("--help"), "what to do next: {said}");
    }
}

#[test]
#[cfg(feature = "kafka")]
fn a_flag_with_a_slip_is_guessed() {
    assert_snapshot!(refused(&User::new(), &["send", "-b", "h:1", "-t", "o", "--receipt", "r"]), @r"
    error: unexpected argument '--receipt' found

      tip: a similar argument exists: '--receipts'
      tip: to pass '--receipt' as a value, use '-- --receipt'

    Usage: mqsafe send --broker <URL> --topic <TOPIC> --receipts <FILE> [FILE]... [-- <PROGRAM ARGS>...]

    For more information, try '--help'.
    ");
}

#[test]
#[cfg(feature = "kafka")]
fn a_missing_file() {
    let user = User::new();
    assert_snapshot!(refused(&user, &["send", "-b", super::NOBODY, "-t", "orders", "missing.txt"]), @r"
    error: cannot read missing.txt
      caused by: No such file or directory (os error 2)
      next: check the path; - reads standard input
    ");
    assert!(!user.path("state").exists(), "nothing was done, so no spool was made");
}

#[test]
#[cfg(feature = "kafka")]
fn a_directory_is_no_input() {
    assert_snapshot!(refused(&User::new(), &["send", "-b", super::NOBODY, "-t", "orders", "."]), @r"
    error: . is a directory
      next: give a file, or - for standard input
    ");
}

#[test]
#[cfg(feature = "kafka")]
fn receipts_that_cannot_be_written_cost_nothing() {
    let user = User::new();
    user.file("in.txt", "a\n");
    let said = refused(
        &user,
        &[
            "send",
            "-b",
            super::NOBODY,
            "-t",
            "o",
            "--receipts",
            "no/r.jsonl",
            "in.txt",
        ],
    );
    assert_snapshot!(said, @r"
    error: cannot write receipts to no/r.jsonl
      caused by: No such file or directory (os error 2)
      next: give a path that you may write to
    ");
    assert!(!user.path("state").exists());
}

#[test]
#[cfg(feature = "kafka")]
fn what_cannot_be_a_topic_a_header_or_a_partition() {
    let user = User::new();
    let cases = [
        (&["send", "-b", "h:1", "-t", "no topic"][..], "cannot be a Kafka topic"),
        (&["send", "-b", "h:1", "-t", "t", "-H", "no-value"], "is not NAME=VALUE"),
        (&["send", "-b", "h:1", "-t", "t", "-H", "mqsafe-id=1"], "cannot be set"),
        (
            &["send", "-b", "h:1", "-t", "t", "-X", "acks=1"],
            "-X acks cannot be set",
        ),
        (&["send", "-b", "h:1", "-t", "t", "-K", ""], "-K is empty"),
        (
            &["send", "-b", "h:1", "-t", "t", "-K", ":", "-k", "x"],
            "cannot be used with",
        ),
        (&["send", "-b", "h:1", "-t", "t", "--resume"], "--resume needs a file"),
        (
            &["send", "-b", "h:1", "-t", "t", "--connect-timeout", "soon"],
            "write it as 500ms, 10s, 2m or 1h",
        ),
        (
            &["verify", "-b", "h:1", "-t", "t", "-p", "x"],
            "is not a list of partitions",
        ),
        (&["query-key", "-b", "h:1", "-t", "t"], "nothing is named to look for"),
        (&["query-key", "-b", "", "-t", "t", "k"], "next: "),
        (&["send", "-b", "nonsense://h", "-t", "t"], "next: "),
        (
            &["spool", "stats", "--spool", "nowhere"],
            "there is no spool in nowhere",
        ),
        (&["spool"], "Usage: mqsafe spool"),
    ];
    for (arguments, expected) in cases {
        let said = refused(&user, arguments);
        assert!(
            said.contains(expected),
            "{arguments:?} should say {expected:?}:\n{said}"
        );
    }
    assert!(!user.path("state").exists(), "nothing was done, so no spool was made");
}

/// Every way in which a secret can be typed, and none in which it comes out again.
#[test]
#[cfg(feature = "kafka")]
fn a_secret_on_the_command_line_is_refused_and_never_said() {
    let user = User::new();
    let secret = "hunter2";
    let typed = [
        ["-X", "sasl.password=hunter2"],
        ["-X", "SASL.PASSWORD=hunter2"],
        ["-X", "ssl.key.password=hunter2"],
        ["-X", "ssl.keystore.password=hunter2"],
        ["-X", "sasl.oauthbearer.client.secret=hunter2"],
        ["-X", "sasl.jaas.config=password=\"hunter2\""],
        ["-b", "kafka://user:hunter2@127.0.0.1:1"],
        ["-b", "amqp://user:hunter2@127.0.0.1:1"],
        ["-b", "nonsense://user:hunter2@127.0.0.1:1"],
    ];
    for command in [
        &["send", "-t", "t"][..],
        &["query-key", "-t", "t", "key"],
        &["verify", "-t", "t"],
    ] {
        for words in typed {
            for verbose in [
                &[][..],
                &["-vvv"],
                &["--log-format", "json", "-vvv"],
                &["--color", "always"],
            ] {
                let broker: &[&str] = if words[0] == "-b" { &[] } else { &["-b", super::NOBODY] };
                let arguments = [command, broker, &words, verbose].concat();
                let output = user.mqsafe().args(arguments).write_stdin("").output().unwrap();
                assert_eq!(code(&output), 2, "{command:?} {words:?}: {}", err(&output));
                let said = out(&output) + &err(&output);
                assert!(!said.contains(secret), "{command:?} {words:?}:\n{said}");
                assert!(said.contains("next"), "the other way is named:\n{said}");
            }
        }
    }
    let said = refused(
        &user,
        &["send", "-b", super::NOBODY, "-t", "t", "-X", "sasl.password=hunter2"],
    );
    assert_snapshot!(said, @r"
    error: -X sasl.password holds a secret on the command line, where every user of this machine can read it
      next: write -X sasl.password=@FILE or -X sasl.password=env:NAME
    ");
}

#[test]
#[cfg(feature = "kafka")]
fn a_secret_in_a_file_or_the_environment_is_not_said_either() {
    let user = User::new();
    user.file("secret", "hunter2\n");
    for property in ["sasl.password=@secret", "sasl.password=env:SECRET"] {
        let output = user
            .mqsafe()
            .args(["-vvv", "query-key", "-b", super::NOBODY, "-t", "t", "key"])
            .args(["-X", property, "-X", "sasl.username=me", "-X", "sasl.mechanism=PLAIN"])
            .args(["-X", "security.protocol=sasl_plaintext"])
            .env("SECRET", "hunter2")
            .output()
            .unwrap();
        let said = out(&output) + &err(&output);
        assert_eq!(code(&output), 3, "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    for (property, expected) in [
        ("sasl.password=@nowhere", "nowhere"),
        ("sasl.password=env:NOT_SET", "NOT_SET"),
    ] {
        let said = refused(
            &user,
            &["query-key", "-b", super::NOBODY, "-t", "t", "key", "-X", property],
        );
        assert!(said.contains(expected) && said.contains("next: "), "{said}");
    }
}

#[test]
#[cfg(feature = "kafka")]
fn without_a_home_there_is_no_place_for_the_spool() {
    let user = User::new();
    let mut command = user.mqsafe();
    command.env_remove("HOME").env_remove("XDG_STATE_HOME");
    let output = command
        .args(["send", "-b", super::NOBODY, "-t", "t"])
        .write_stdin("a\n")
        .output()
        .unwrap();
    assert_eq!(code(&output), 2);
    assert_snapshot!(err(&output), @r"
    error: there is no place for the spool: neither XDG_STATE_HOME nor HOME is an absolute path
      next: give one with --spool DIR, or send with --no-spool
    ");
}

/// Root may write to every directory, so the place that cannot be one lies below a file.
#[test]
#[cfg(feature = "kafka")]
fn a_spool_that_cannot_be_made() {
    let user = User::new();
    user.file("file", "");
    let mut command = user.mqsafe();
    command.args(["send", "-b", super::NOBODY, "-t", "t", "--spool", "file/spool"]);
    let output = command.write_stdin("a\n").output().unwrap();
    assert_eq!(code(&output), 2);
    let place = user.path("file/spool").display().to_string();
    assert_snapshot!(err(&output).replace(&place, "PLACE"), @r"
    error: cannot use the spool
      caused by: PLACE: Not a directory (os error 20)
      next: give a directory that you own with --spool DIR, or send with --no-spool
    ");
}

#[test]
#[cfg(feature = "kafka")]
fn a_spool_that_others_may_write_to() {
    use std::os::unix::fs::PermissionsExt;
    let user = User::new();
    std::fs::create_dir(user.path("open")).unwrap();
    std::fs::set_permissions(user.path("open"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = user.mqsafe();
    command.args(["send", "-b", super::NOBODY, "-t", "t", "--spool", "open"]);
    let output = command.write_stdin("a\n").output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(
        err(&output).contains("others may write to this directory"),
        "{}",
        err(&output)
    );
}

#[test]
fn messages_from_outside_cannot_steer_the_terminal() {
    let name = "no\u{1b}[31msuch\u{7}\rfile";
    let output = User::new().mqsafe().args(["audit", name]).output().unwrap();
    assert_ne!(code(&output), 0);
    assert!(!err(&output).contains(['\u{1b}', '\u{7}', '\r']), "{:?}", err(&output));
}
