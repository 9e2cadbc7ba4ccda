//! stdout and stderr: closed, full, coloured, and not a terminal.

use super::{NOBODY, User, code, err, out};
use std::process::{Output, Stdio};

/// A spool with one message in it.
fn spooled() -> User {
    let user = User::new();
    assert_eq!(code(&user.send().write_stdin("a\n").output().unwrap()), 4);
    user
}

/// Runs it with a stdout that nobody reads any more.
fn into_closed_pipe(user: &User, arguments: &[&str], input: &str) -> Output {
    user.file("input", input);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = user.process();
    command
        .args(arguments)
        .stdin(std::fs::File::open(user.path("input")).unwrap());
    command.stdout(writer).stderr(Stdio::piped());
    command.output().unwrap()
}

fn says_nothing_of_it(output: &Output) {
    let said = err(output).to_lowercase();
    for word in [
        "broken pipe",
        "panicked",
        "os error 32",
        "bad file descriptor",
        "stdout",
    ] {
        assert!(!said.contains(word), "{said}");
    }
}

#[test]
fn a_closed_stdout_changes_nothing() {
    let user = spooled();
    let cases = [
        (&["--help"][..], 0),
        (&["send", "--help"], 0),
        (&["--version"], 0),
        (&["spool", "stats", "--spool", "spool"], 0),
        (&["spool", "stats", "--spool", "spool", "--format", "json"], 0),
        (&["verify", "-b", NOBODY, "-t", "orders", "--format", "json"], 3),
    ];
    for (arguments, expected) in cases {
        let output = into_closed_pipe(&user, arguments, "");
        assert_eq!(code(&output), expected, "{arguments:?}: {}", err(&output));
        says_nothing_of_it(&output);
    }
}

#[test]
fn send_goes_on_when_nobody_reads_its_receipts() {
    let user = User::new();
    let arguments = [
        "send",
        "-b",
        NOBODY,
        "-t",
        "orders",
        "--connect-timeout",
        "1s",
        "--spool",
        "spool",
        "-K",
        ":",
    ];
    let arguments = [&arguments[..], &["--receipts", "-"]].concat();
    // A rejected line, so that there is a receipt before the end.
    let output = into_closed_pipe(&user, &arguments, "1:a\nnone\n2:b\n");
    assert_eq!(code(&output), 1, "{}", err(&output));
    says_nothing_of_it(&output);
    assert_eq!(user.spool("spool"), [2, 0, 0]);
}

#[test]
fn streams_that_are_not_there_at_all_change_nothing() {
    let user = User::new();
    let script =
        r#""$0" send -b 127.0.0.1:1 -t orders --connect-timeout 1s --spool spool --receipts - in.txt <&- >&- 2>&-"#;
    user.file("in.txt", "a\nb\n");
    let mut command = assert_cmd::Command::new("sh");
    command
        .env_clear()
        .args(["-c", script, super::BINARY])
        .current_dir(user.path(""));
    assert_eq!(code(&command.output().unwrap()), 4);
    assert_eq!(user.spool("spool"), [2, 0, 0]);
}

#[test]
fn an_answer_that_cannot_be_written_is_no_good_answer() {
    let user = spooled();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = user.process();
    command
        .args(["spool", "stats", "--spool", "spool", "--format", "json"])
        .stdout(full)
        .stderr(Stdio::piped());
    let output = command.output().unwrap();
    assert_eq!(code(&output), 3, "{}", err(&output));
    assert!(
        err(&output).contains("cannot write the answer to stdout"),
        "{}",
        err(&output)
    );
    assert!(err(&output).contains("No space left on device"), "{}", err(&output));
}

#[test]
fn colour_is_for_terminals_and_for_who_asks() {
    let user = User::new();
    let coloured = |arguments: &[&str], settings: &[(&str, &str)]| {
        let mut command = user.mqsafe();
        command
            .args(arguments)
            .args(["verify", "-b", "kafka://u:p@h:1", "-t", "t"]);
        let output = command.envs(settings.iter().copied()).output().unwrap();
        assert_eq!(code(&output), 2);
        err(&output).contains('\u{1b}')
    };
    let always = ["--color", "always"];
    assert!(!coloured(&[], &[]), "not a terminal");
    assert!(coloured(&always, &[]));
    assert!(
        coloured(&always, &[("NO_COLOR", "1")]),
        "the flag is nearer than the environment"
    );
    assert!(coloured(&[], &[("FORCE_COLOR", "1")]));
    assert!(coloured(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[], &[("FORCE_COLOR", "1"), ("NO_COLOR", "1")]));
    assert!(!coloured(&["--color", "never"], &[("FORCE_COLOR", "1")]));
    assert!(coloured(&[], &[("MQSAFE_COLOR", "always")]));
    assert!(
        !coloured(&["--color", "never"], &[("MQSAFE_COLOR", "always")]),
        "a flag is nearer than its variable"
    );
}

#[test]
fn without_a_terminal_no_line_is_drawn_twice() {
    let user = User::new();
    for arguments in [&[][..], &["--no-progress"], &["-v"]] {
        let output = user.send().args(arguments).write_stdin("a\nb\n").output().unwrap();
        assert_eq!(code(&output), 4);
        assert!(!err(&output).contains(['\r', '\u{1b}']), "{:?}", err(&output));
    }
}

#[test]
fn quiet_keeps_the_answer_and_twice_quiet_the_exit_code() {
    let user = User::new();
    let once = user.send().arg("-q").write_stdin("a\n").output().unwrap();
    assert_eq!(code(&once), 4);
    assert_eq!(err(&once).lines().count(), 1, "{}", err(&once));
    assert!(err(&once).starts_with("orders: accepted 1 = "), "{}", err(&once));
    let twice = user.send().arg("-qq").write_stdin("a\n").output().unwrap();
    assert_eq!(code(&twice), 4);
    assert_eq!(out(&twice) + &err(&twice), "");
}

#[test]
fn logs_are_lines_of_json_when_asked() {
    let user = User::new();
    let mut command = user.mqsafe();
    command.args(["-vvv", "--log-format", "json", "verify", "-b", NOBODY, "-t", "t"]);
    let output = command.output().unwrap();
    assert_eq!(code(&output), 3);
    let said = err(&output);
    for line in said.lines().filter(|line| line.starts_with('{')) {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
}
