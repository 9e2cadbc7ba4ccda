//! Messages that belong to a local action: published when it did its work, never when it did not, and never forgotten.

use super::stop::Running;
use super::{BINARY, NOBODY, User, code, err, out};
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn send(user: &User, input: &str, program: &[&str]) -> Output {
    let mut send = user.send();
    send.args(["--exec", "--"]).args(program);
    send.write_stdin(input).output().unwrap()
}

fn decide(user: &User, words: &[&str]) -> Output {
    let mut decide = user.mqsafe();
    decide.args(["spool", "decide", "--spool", "spool"]).args(words);
    decide.output().unwrap()
}

fn flush(user: &User) -> Output {
    let mut flush = user.mqsafe();
    flush.args(["spool", "flush", "--spool", "spool", "--connect-timeout", "200ms"]);
    flush.output().unwrap()
}

fn last_line(output: &Output) -> String {
    err(output).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn what_the_action_did_decides() {
    let user = User::new();
    // The program finds its name, and everything is in the spool before it begins.
    let done = send(&user, "a\nb\n", &["sh", "-c", "printf %s \"$MQSAFE_EXEC_ID\" >name"]);
    assert_eq!(code(&done), 4, "{}", err(&done));
    assert!(
        last_line(&done).contains("accepted 2 = stored 0 + refused 0 + in doubt 0 + spooled 2"),
        "{}",
        err(&done)
    );
    assert_eq!(user.spool("spool"), [2, 0, 0]);
    let name = std::fs::read_to_string(user.path("name")).unwrap();
    assert!(name.len() > 10 && name.contains('-'), "{name}");

    let mut refused = user.send();
    refused.args(["--receipts", "r.jsonl", "--exec", "--", "sh", "-c", "echo no; exit 3"]);
    let refused = refused.write_stdin("c\nd\ne\n").output().unwrap();
    let receipts = std::fs::read_to_string(user.path("r.jsonl")).unwrap();
    let told: Vec<&str> = receipts
        .lines()
        .filter(|l| l.contains("\"status\":\"refused\""))
        .collect();
    assert_eq!(told.len(), 3, "{receipts}");
    assert!(
        told[2].contains("\"line\":3") && told[2].contains("rolled back"),
        "{receipts}"
    );
    assert_eq!(code(&refused), 1, "{}", err(&refused));
    assert!(
        err(&refused).contains("rolled back: sh ended with exit 3"),
        "{}",
        err(&refused)
    );
    assert!(last_line(&refused).contains("refused 3"), "{}", err(&refused));
    // What it prints is no data of ours.
    assert_eq!(out(&refused), "");
    assert_eq!(user.spool("spool"), [2, 3, 0]);

    let absent = send(&user, "f\n", &["/no/such/program"]);
    assert_eq!(code(&absent), 2, "{}", err(&absent));
    assert!(err(&absent).contains("cannot run /no/such/program"), "{}", err(&absent));
    let list = decide(&user, &[]);
    assert_eq!(code(&list), 0, "{}", err(&list));
}

#[test]
fn an_action_that_was_killed_is_decided_by_whoever_knows() {
    let user = User::new();
    let program = ["sh", "-c", "kill -9 $$"];
    for (input, words, spool, exit) in [
        ("a\nb\n", &["commit"][..], [2, 0, 0], 0),
        ("c\n", &["rollback"], [2, 1, 0], 0),
        ("d\n", &["--check", "--", "sh", "-c", "exit 0"], [3, 1, 0], 0),
        ("e\n", &["--check", "--", "sh", "-c", "exit 1"], [3, 2, 0], 0),
        ("f\n", &["--check", "--", "sh", "-c", "exit 7"], [3, 2, 0], 3),
    ] {
        let killed = send(&user, input, &program);
        assert_eq!(code(&killed), 4, "{}", err(&killed));
        assert!(err(&killed).contains("is not known"), "{}", err(&killed));
        let list = decide(&user, &[]);
        assert_eq!(code(&list), 4, "{}", err(&list));
        let row = out(&list).lines().nth(1).unwrap_or_default().to_owned();
        let id = row.split_whitespace().next().unwrap_or_default().to_owned();
        assert!(id.starts_with("spool/"), "{row}");
        // Whoever delivers meanwhile leaves them alone, and says that they are there.
        let flushed = flush(&user);
        assert!(err(&flushed).contains("no decision yet"), "{}", err(&flushed));
        let decided = decide(&user, &[&[id.as_str()], words].concat());
        assert_eq!(code(&decided), exit, "{words:?}: {}", err(&decided));
        assert_eq!(user.spool("spool"), spool, "{words:?}: {}", err(&decided));
    }
}

#[test]
fn a_kill_before_or_during_the_action_is_told_apart() {
    let user = User::new();
    // Before: the input goes on, so the action has not begun.
    let start = |program: &[&str]| {
        let mut send = Command::new(BINARY);
        send.env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", user.path(""));
        send.current_dir(user.path(""));
        send.args([
            "--no-progress",
            "send",
            "-b",
            NOBODY,
            "-t",
            "orders",
            "--spool",
            "spool",
            "--connect-timeout",
            "300ms",
        ]);
        send.args(["--exec", "--"])
            .args(program)
            .stdin(Stdio::piped())
            .stderr(Stdio::null());
        send.spawn().unwrap()
    };
    let until = |what: &str, is: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !is() {
            assert!(began.elapsed() < Duration::from_secs(90), "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let mut before = start(&["touch", "never"]);
    before.stdin.as_mut().unwrap().write_all(b"one\ntwo\n").unwrap();
    until("the spool is made", &|| user.path("spool/spool.redb").exists());
    // The reader waits for more of a block before it hands lines over, so that these may not be accepted yet.
    std::thread::sleep(Duration::from_millis(700));
    before.kill().unwrap();
    before.wait().unwrap();
    assert!(!user.path("never").exists());
    let flushed = flush(&user);
    let [pending, failed, _] = user.spool("spool");
    assert!(
        pending == 0 && [0, 2].contains(&failed),
        "{pending} {failed} {}",
        err(&flushed)
    );
    assert_eq!(
        failed > 0,
        err(&flushed).contains("before the action"),
        "{}",
        err(&flushed)
    );

    let mut during = start(&["sh", "-c", "touch begun; exec sleep 30"]);
    during.stdin.take().unwrap().write_all(b"three\n").unwrap();
    until("the action has begun", &|| user.path("begun").exists());
    during.kill().unwrap();
    during.wait().unwrap();
    let flushed = flush(&user);
    assert_eq!(code(&flushed), 4, "{}", err(&flushed));
    assert!(
        err(&flushed).contains("no decision yet for 1 message to topic orders"),
        "{}",
        err(&flushed)
    );
    assert_eq!(user.spool("spool"), [0, failed, 0]);
}

#[test]
fn a_bad_input_ends_before_the_action() {
    let user = User::new();
    let mut send = user.send();
    send.args(["--input", "jsonl", "--exec", "--", "touch", "begun"]);
    let output = send
        .write_stdin("{\"value\":\"a\"}\nrubbish\n{\"value\":\"b\"}\n")
        .output()
        .unwrap();
    assert_eq!(code(&output), 1, "{}", err(&output));
    assert!(err(&output).contains("the action was not begun"), "{}", err(&output));
    assert!(!user.path("begun").exists());
    assert_eq!(user.spool("spool"), [0, 2, 0]);
    // Who would give only the rest again would lose what is refused with the whole.
    let mut strict = user.send();
    strict.args(["--input", "jsonl", "--strict", "--exec", "--", "touch", "begun"]);
    let strict = strict.write_stdin("{\"value\":\"a\"}\nrubbish\n").output().unwrap();
    assert_eq!(code(&strict), 1, "{}", err(&strict));
    assert!(
        err(&strict).contains("mend the line; then give the whole input again"),
        "{}",
        err(&strict)
    );
    assert!(!user.path("begun").exists());
    for wrong in [
        &["--exec"][..],
        &["--exec", "--no-spool", "--", "true"],
        &["--", "true"],
    ] {
        let mut send = user.send();
        assert_eq!(
            code(&send.args(wrong).write_stdin("a\n").output().unwrap()),
            2,
            "{wrong:?}"
        );
    }
}

#[test]
fn an_interrupt_lets_the_action_end_and_publishes_nothing() {
    let user = User::new();
    let mut send = Command::new(BINARY);
    send.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    send.env("HOME", user.path("")).current_dir(user.path(""));
    send.args([
        "--no-progress",
        "send",
        "-b",
        NOBODY,
        "-t",
        "orders",
        "--spool",
        "spool",
        "--connect-timeout",
        "300ms",
    ]);
    send.args(["--exec", "--", "sh", "-c", "touch begun; sleep 3; touch ended"]);
    send.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut running = send.spawn().unwrap();
    running.stdin.take().unwrap().write_all(b"one\ntwo\n").unwrap();
    let began = Instant::now();
    while !user.path("begun").exists() {
        assert!(began.elapsed() < Duration::from_secs(90));
        std::thread::sleep(Duration::from_millis(20));
    }
    let sent = Command::new("kill").arg("-INT").arg(running.id().to_string()).status();
    assert!(sent.unwrap().success());
    let output = running.wait_with_output().unwrap();
    assert_eq!(code(&output), 130, "{}", err(&output));
    assert!(user.path("ended").exists(), "the action was cut off");
    assert!(
        last_line(&output).contains("accepted 2 = stored 0 + refused 0 + in doubt 0 + spooled 2"),
        "{}",
        err(&output)
    );
    // It did its work, so its messages wait like all others.
    assert_eq!(user.spool("spool"), [2, 0, 0]);
    assert_eq!(code(&decide(&user, &[])), 0);
}

#[test]
fn what_was_rolled_back_can_be_sent_all_the_same() {
    let user = User::new();
    assert_eq!(code(&send(&user, "a\n", &["false"])), 1);
    let mut retry = user.mqsafe();
    let retried = retry
        .args(["spool", "retry", "--all-failed", "--spool", "spool"])
        .output()
        .unwrap();
    assert_eq!(code(&retried), 0, "{}", err(&retried));
    let mut list = user.mqsafe();
    let listed = list
        .args(["spool", "ls", "--spool", "spool", "--format", "jsonl"])
        .output()
        .unwrap();
    let row: serde_json::Value = serde_json::from_str(out(&listed).lines().next().unwrap()).unwrap();
    // It never had a number, so it is certainly not stored.
    assert_eq!(
        (&row["state"], &row["in_doubt"]),
        (&"pending".into(), &false.into()),
        "{row}"
    );
}

#[test]
fn dead_letters_need_a_place_of_their_own() {
    let user = User::new();
    user.file("r.jsonl", "earlier\n");
    for flag in ["--dead-letter", "--check-topic"] {
        let mut send = user.send();
        let output = send
            .args([flag, "orders", "--receipts", "r.jsonl"])
            .write_stdin("a\n")
            .output()
            .unwrap();
        assert_eq!(code(&output), 2, "{}", err(&output));
        assert!(
            err(&output).contains("where the messages go themselves"),
            "{}",
            err(&output)
        );
    }
    // Nothing was done, so nothing of the receipts is gone either.
    assert_eq!(std::fs::read_to_string(user.path("r.jsonl")).unwrap(), "earlier\n");
}

#[test]
fn a_transaction_that_cannot_be_kept_is_refused_before_anything_is_done() {
    let user = User::new();
    for (broker, place, flags, what, next) in [
        ("amqp://guest@127.0.0.1:1", "orders", &[][..], "on RabbitMQ", "--tx"),
        ("rocketmq://127.0.0.1:1", "orders", &[], "on RocketMQ", "--exec"),
        (NOBODY, "orders", &["--acks", "1"], "--acks all", "leave --acks out"),
    ] {
        let mut send = user.mqsafe();
        send.args(["send", "-b", broker, "-t", place, "--transaction"])
            .args(flags);
        let refused = send.write_stdin("a\n").output().unwrap();
        assert_eq!(code(&refused), 2, "{broker} {flags:?}: {}", err(&refused));
        assert!(
            err(&refused).contains("--transaction cannot be kept"),
            "{}",
            err(&refused)
        );
        assert!(
            err(&refused).contains(what) && err(&refused).contains(next),
            "{}",
            err(&refused)
        );
    }
}

#[test]
fn without_a_spool_there_is_no_transaction() {
    let user = User::new();
    let mut send = user.mqsafe();
    send.args(["send", "-b", NOBODY, "-t", "orders", "--transaction", "--no-spool"]);
    let refused = send.write_stdin("a\n").output().unwrap();
    assert_eq!(code(&refused), 2, "{}", err(&refused));
    assert!(
        err(&refused).contains("--transaction") && err(&refused).contains("--no-spool"),
        "{}",
        err(&refused)
    );
}

#[test]
fn a_transaction_without_a_broker_waits_whole_and_is_not_offered_by_itself() {
    let user = User::new();
    let mut send = user.send();
    send.arg("--transaction");
    let waits = send.write_stdin("a\nb\nc\n").output().unwrap();
    assert_eq!(code(&waits), 4, "{}", err(&waits));
    assert!(
        last_line(&waits).contains("accepted 3 = stored 0 + refused 0 + in doubt 0 + spooled 3"),
        "{}",
        err(&waits)
    );
    // They wait, together; nobody is asked about them.
    assert_eq!(user.spool("spool"), [3, 0, 0]);
    let mut ls = user.mqsafe();
    let listed = out(&ls.args(["spool", "ls", "--spool", "spool"]).output().unwrap());
    assert_eq!(listed.matches("pending, together").count(), 3, "{listed}");
    assert_eq!(code(&decide(&user, &[])), 0);
    let flushed = flush(&user);
    assert_eq!(code(&flushed), 4, "{}", err(&flushed));
    assert!(
        err(&flushed).contains("accepted 3 = stored 0 + refused 0 + in doubt 0 + spooled 3"),
        "{}",
        err(&flushed)
    );
}

#[test]
fn a_transaction_that_cannot_be_published_can_be_given_up() {
    let user = User::new();
    let mut send = user.send();
    send.arg("--transaction");
    assert_eq!(code(&send.write_stdin("a\nb\n").output().unwrap()), 4);
    let mut drop = user.mqsafe();
    let alone = drop.args(["spool", "drop", "spool/1", "--force", "--yes", "--spool", "spool"]);
    let alone = alone.output().unwrap();
    assert_eq!(code(&alone), 2, "{}", err(&alone));
    assert!(err(&alone).contains("rollback` gives all of it up"), "{}", err(&alone));
    // It is decided, so there is nothing to commit; its name is that of the group.
    assert_eq!(code(&decide(&user, &["0", "commit"])), 2);
    let given_up = decide(&user, &["0", "rollback"]);
    assert_eq!(code(&given_up), 0, "{}", err(&given_up));
    assert_eq!(user.spool("spool"), [0, 2, 0]);
    assert_eq!(code(&flush(&user)), 0);
}

#[test]
fn a_second_interrupt_leaves_the_action_undecided_and_tells_the_counts() {
    let user = User::new();
    let mut send = Command::new(BINARY);
    send.env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", user.path(""))
        .current_dir(user.path(""));
    send.args([
        "--no-progress",
        "send",
        "-b",
        NOBODY,
        "-t",
        "orders",
        "--spool",
        "spool",
    ]);
    send.args(["--connect-timeout", "200ms", "--receipts", "r.jsonl"]);
    // It goes on after whoever waited for it is gone, and leaves a sign when it is done.
    send.args(["--exec", "--", "sh", "-c", "touch began; sleep 4; touch done"]);
    let mut running = Running::start(send);
    running.write("a\nb\n");
    running.close();
    running.wait_for(|| user.path("began").exists());
    running.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    running.signal("INT");
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(
        said.contains("sh still runs") && said.contains("mqsafe spool decide"),
        "{said}"
    );
    let last = said.lines().last().unwrap_or_default();
    assert!(
        last.contains("accepted 2 = stored 0 + refused 0 + in doubt 0 + spooled 2"),
        "{said}"
    );
    let receipts = std::fs::read_to_string(user.path("r.jsonl")).unwrap();
    assert_eq!(receipts.matches("\"status\":\"spooled\"").count(), 2, "{receipts}");
    assert!(receipts.contains("\"spooled\":2"), "{receipts}");
    // They are listed, and nobody may drop one of them alone.
    let mut ls = user.mqsafe();
    ls.args([
        "spool",
        "ls",
        "--spool",
        "spool",
        "--state",
        "undecided",
        "--format",
        "jsonl",
    ]);
    let listed = out(&ls.output().unwrap());
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(
        listed.contains("\"state\":\"undecided\"") && listed.contains("touch began"),
        "{listed}"
    );
    let id: serde_json::Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    let mut drop = user.mqsafe();
    drop.args([
        "spool",
        "drop",
        id["spool_id"].as_str().unwrap(),
        "--spool",
        "spool",
        "--force",
        "--yes",
    ]);
    let refused = drop.output().unwrap();
    assert_eq!(code(&refused), 2, "{}", err(&refused));
    assert!(err(&refused).contains("spool decide"), "{}", err(&refused));
    let end = Instant::now() + Duration::from_secs(60);
    while !user.path("done").exists() {
        assert!(Instant::now() < end, "the action was ended with its run");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(feature = "rocketmq")]
#[test]
fn without_a_broker_nothing_is_prepared_and_the_action_decides_all_the_same() {
    let user = User::new();
    for (program, exit, spool) in [("true", 4, [2, 0, 0]), ("false", 1, [2, 2, 0])] {
        let mut send = user.mqsafe();
        send.args([
            "send",
            "-b",
            "rocketmq://127.0.0.1:1",
            "-t",
            "orders",
            "--spool",
            "spool",
        ]);
        send.args(["--connect-timeout", "200ms", "--exec", "--", program]);
        let done = send.write_stdin("a\nb\n").output().unwrap();
        assert_eq!(code(&done), exit, "{}", err(&done));
        assert!(
            err(&done).contains("2 messages could not be prepared at the broker"),
            "{}",
            err(&done)
        );
        assert!(last_line(&done).contains("accepted 2 = stored 0"), "{}", err(&done));
        assert_eq!(user.spool("spool"), spool, "{}", err(&done));
    }
}
