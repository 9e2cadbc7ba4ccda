//! Mistakes that would cost messages: they end before anything is done, and say why.

use super::stop::Running;
use super::{User, code, err, out};

#[test]
fn receipts_never_overwrite_the_input() {
    let user = User::new();
    user.file("in.txt", "a\nb\n");
    std::os::unix::fs::symlink(user.path("in.txt"), user.path("link")).unwrap();
    for receipts in ["in.txt", "./in.txt", "link"] {
        let output = user.send().args(["--receipts", receipts, "in.txt"]).output().unwrap();
        assert_eq!(code(&output), 2, "{}", err(&output));
        assert!(err(&output).contains("is the input"), "{}", err(&output));
    }
    assert_eq!(std::fs::read_to_string(user.path("in.txt")).unwrap(), "a\nb\n");
}

#[test]
fn a_run_that_does_nothing_leaves_old_receipts_alone() {
    let user = User::new();
    user.file("old", "precious\n");
    let bad = [["-H", "nothing"], ["-X", "nonsense=1"], ["-X", "max.in.flight=10"]];
    for bad in bad {
        let output = user
            .send()
            .args(["--receipts", "old"])
            .args(bad)
            .write_stdin("a\n")
            .output()
            .unwrap();
        assert_eq!(code(&output), 2, "{bad:?}: {}", err(&output));
    }
    assert_eq!(std::fs::read_to_string(user.path("old")).unwrap(), "precious\n");
}

#[test]
fn no_property_may_name_another_cluster_or_change_what_an_answer_means() {
    let user = User::new();
    for property in [
        "metadata.broker.list=elsewhere:1",
        "test.mock.num.brokers=1",
        "acks=0",
        "enable.idempotence=false",
    ] {
        for command in ["send", "verify"] {
            let mut run = user.mqsafe();
            run.args([command, "-b", super::NOBODY, "-t", "orders", "-X", property]);
            let output = run.write_stdin("a\n").output().unwrap();
            assert_eq!(code(&output), 2, "{command} {property}: {}", err(&output));
        }
    }
}

/// Another store would accept the whole file once more, under numbers that no reader can tell apart from new messages.
#[test]
fn a_resume_never_takes_another_store() {
    let user = User::new();
    user.file("in.txt", "a\nb\n");
    let send = |more: &[&str]| {
        let mut run = user.mqsafe();
        run.args(["send", "-t", "orders", "--connect-timeout", "0s"]).args(more);
        run.output().unwrap()
    };
    assert_eq!(code(&send(&["-b", super::NOBODY, "in.txt"])), 4);
    // The same cluster under another name.
    let other = send(&["-b", "127.0.0.1:1,127.0.0.2:1", "--resume", "in.txt"]);
    assert_eq!(code(&other), 2, "{}", err(&other));
    assert!(
        err(&other).contains("was being sent to kafka://127.0.0.1:1"),
        "{}",
        err(&other)
    );
    // The store is in use by a process that may be sending this very file.
    let mut holder = user.process();
    holder.args(["send", "-b", super::NOBODY, "-t", "orders"]);
    let mut holder = Running::start(holder);
    let lock = user.path("state/mqsafe/spool/0001/lock");
    let owner = format!("process {} ", holder.id());
    holder.wait_for(|| std::fs::read_to_string(&lock).is_ok_and(|words| words.contains(&owner)));
    let refused = send(&["-b", super::NOBODY, "--resume", "in.txt"]);
    assert_eq!(code(&refused), 2, "{}", err(&refused));
    assert!(err(&refused).contains(&owner), "{}", err(&refused));
    holder.signal("TERM");
    holder.end();
    // Free again: nothing of the file is left to accept.
    let resumed = send(&["-b", super::NOBODY, "--resume", "in.txt"]);
    assert_eq!(code(&resumed), 4, "{}", err(&resumed));
    assert!(
        err(&resumed).contains("resuming in.txt after line 2"),
        "{}",
        err(&resumed)
    );
    assert!(err(&resumed).contains("accepted 0 ="), "{}", err(&resumed));
}

#[test]
fn a_store_that_was_killed_while_it_was_made_is_made_again() {
    let user = User::new();
    std::fs::create_dir(user.path("spool")).unwrap();
    std::fs::set_permissions(user.path("spool"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    user.file("spool/spool.new", vec![0; 1 << 20]);
    assert_eq!(code(&user.send().write_stdin("a\n").output().unwrap()), 4);
    assert_eq!(user.spool("spool"), [1, 0, 0]);
    assert!(!user.path("spool/spool.new").exists());
}

#[test]
fn a_spool_that_was_removed_is_not_called_safe() {
    let user = User::new();
    let mut command = user.process();
    command.args([
        "send",
        "-b",
        super::NOBODY,
        "-t",
        "orders",
        "--connect-timeout",
        "5s",
        "--spool",
        "spool",
    ]);
    let mut running = Running::start(command);
    running.wait_for(|| user.path("spool/spool.redb").is_file());
    running.write("a\n");
    std::thread::sleep(std::time::Duration::from_millis(300));
    std::fs::remove_dir_all(user.path("spool")).unwrap();
    running.signal("TERM");
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(143), "{said}");
    assert!(
        said.contains("the spool was removed") && !said.contains("are safe in"),
        "{said}"
    );
}

#[test]
fn one_broken_store_does_not_hide_the_others() {
    let user = User::new();
    let mut run = user.mqsafe();
    run.args(["send", "-b", super::NOBODY, "-t", "orders", "--connect-timeout", "0s"])
        .write_stdin("a\n");
    assert_eq!(code(&run.output().unwrap()), 4);
    let broken = user.path("state/mqsafe/spool/0000");
    std::fs::create_dir(&broken).unwrap();
    std::fs::set_permissions(&broken, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(broken.join("spool.redb"), vec![7; 1 << 20]).unwrap();
    let output = user
        .mqsafe()
        .args(["spool", "stats", "--format", "json"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 3, "{}", err(&output));
    assert!(out(&output).contains("\"pending\":1"), "{}", out(&output));
    assert!(err(&output).contains("0000"), "{}", err(&output));
}

#[test]
fn a_drill_that_ran_nothing_shows_nothing() {
    let user = User::new();
    let output = user.mqsafe().args(["drill", "--only", "acks1"]).output().unwrap();
    assert_eq!(code(&output), 3, "{}", err(&output));
}

#[test]
fn machine_output_is_whole_also_when_nothing_could_be_read() {
    let user = User::new();
    for (command, schema) in [("verify", "mqsafe.verify/1"), ("query-key", "mqsafe.query/1")] {
        let mut run = user.mqsafe();
        run.args([command, "-b", super::NOBODY, "-t", "orders", "--format", "json"]);
        let output = if command == "query-key" { run.arg("k") } else { &mut run }
            .output()
            .unwrap();
        assert_eq!(code(&output), 3, "{}", err(&output));
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["schema"], schema);
        assert!(
            answer["coverage"].as_str().unwrap().starts_with("PARTIAL cannot reach"),
            "{answer}"
        );
    }
}

#[test]
fn where_few_files_may_be_open_it_is_said_and_nothing_panics() {
    let user = User::new();
    let line = user.file("line", "x\n");
    for broker in ["kafka://127.0.0.1:1", "amqp://127.0.0.1:1", "rocketmq://127.0.0.1:1"] {
        for limit in [5, 6, 7, 8, 10, 12, 14, 16, 20] {
            let send = format!(
                "ulimit -n {limit}; exec {} send -b {broker} -t t --no-spool --connect-timeout 1s --delivery-timeout 1s",
                super::BINARY
            );
            let mut limited = std::process::Command::new("bash");
            limited.args(["-c", &send]).current_dir(user.path(""));
            let done = limited.stdin(std::fs::File::open(&line).unwrap()).output().unwrap();
            let told = String::from_utf8_lossy(&done.stderr);
            assert_eq!(done.status.code(), Some(3), "{broker} {limit}: {told}");
            assert!(!told.contains("panicked"), "{broker} {limit}: {told}");
            assert!(limit >= 12 || told.contains("ulimit -n"), "{broker} {limit}: {told}");
        }
    }
}
