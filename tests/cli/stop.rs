//! Ctrl-C and TERM: nothing that was accepted is dropped, and the counts are said.

use super::{NOBODY, User};
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A process whose input stays open. It is killed when the test ends early.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(mut command: Command) -> Running {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Running(command.spawn().unwrap())
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn write(&mut self, text: &str) {
        let stdin = self.0.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).unwrap();
    }

    /// Waits until it hears Ctrl-C itself; before that a signal ends it as any other process.
    pub(crate) fn wait_until_it_listens(&mut self) {
        let status = format!("/proc/{}/status", self.id());
        self.wait_for(|| {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let caught = text.lines().find_map(|l| l.strip_prefix("SigCgt:"));
            let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
            // The first bit is signal 1; SIGINT is 2.
            caught.is_some_and(|mask| mask & 0b10 != 0)
        });
    }

    /// Waits until something holds, at most a minute and a half.
    pub(crate) fn wait_for(&mut self, holds: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(90);
        while !holds() {
            assert!(Instant::now() < end, "it did not come to that");
            if let Some(status) = self.0.try_wait().unwrap() {
                panic!("it ended early, {status}: {}", self.stderr());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends its input.
    pub(crate) fn close(&mut self) {
        self.0.stdin = None;
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for its end, at most two minutes; its input is still open.
    pub(crate) fn end(&mut self) -> (ExitStatus, String) {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return (status, self.stderr());
            }
            assert!(Instant::now() < end, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn stderr(&mut self) -> String {
        let mut text = String::new();
        let _ = self.0.stderr.as_mut().unwrap().read_to_string(&mut text);
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `send` from a pipe that stays open, with `lines` lines accepted.
fn sending(user: &User, lines: usize) -> Running {
    let mut command = user.process();
    command.args([
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
    command.args(["--receipts", "r.jsonl"]);
    let mut running = Running::start(command);
    running.write(&"a line\n".repeat(lines));
    running.wait_for(|| user.path("spool/spool.redb").is_file());
    // The lines were taken out of the pipe; one commit takes milliseconds, and more on a busy machine.
    std::thread::sleep(Duration::from_millis(2000));
    running
}

fn ends_with_the_counts(signal: &str, code: i32) {
    let user = User::new();
    let mut running = sending(&user, 3);
    running.signal(signal);
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(code), "{status}: {said}");
    let last = said.lines().last().unwrap();
    let counts = "orders: accepted 3 = stored 0 + refused 0 + in doubt 0 + spooled 3 ";
    assert!(last.starts_with(counts), "{said}");
    assert!(said.contains("stopped after line 3: "), "{said}");
    // An absolute path: the next command may be typed elsewhere.
    let next = format!("next: mqsafe spool flush --spool {}", user.path("spool").display());
    assert!(said.contains(&next), "{said}");
    assert_eq!(user.spool("spool"), [3, 0, 0]);
    let receipts = std::fs::read_to_string(user.path("r.jsonl")).unwrap();
    assert!(receipts.lines().last().unwrap().contains("\"spooled\":3"), "{receipts}");
}

#[test]
fn ctrl_c_in_a_pipe_ends_with_130() {
    ends_with_the_counts("INT", 130);
}

#[test]
fn term_ends_with_143() {
    ends_with_the_counts("TERM", 143);
}

#[test]
fn a_second_ctrl_c_drops_nothing_either() {
    let user = User::new();
    let mut running = sending(&user, 3);
    running.signal("INT");
    // The run may be over by now.
    let _ = Command::new("sh")
        .args(["-c", &format!("kill -INT {} 2>&1", running.id())])
        .output();
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(130), "{status}: {said}");
    // On a slow machine the second one may come before the lines were taken out of the pipe: then they are not called accepted.
    let accepted = match said.contains("accepted 3 = ") {
        true => 3,
        false => 0,
    };
    assert!(said.contains(&format!("accepted {accepted} = ")), "{said}");
    assert_eq!(user.spool("spool"), [accepted, 0, 0], "{said}");
}

#[test]
fn kill_9_drops_nothing_that_was_accepted() {
    let user = User::new();
    let mut running = sending(&user, 3);
    // Without an answer from the broker, lines are accepted after three seconds, because their lane is not known.
    std::thread::sleep(Duration::from_secs(6));
    running.signal("KILL");
    let (status, _) = running.end();
    assert_eq!(status.code(), None);
    assert_eq!(user.spool("spool"), [3, 0, 0]);
}

#[test]
fn a_reader_ends_with_130_too() {
    let user = User::new();
    // It listens and never answers, so the reader is at work when the signal comes.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = deaf.local_addr().unwrap().to_string();
    let mut command = user.process();
    command.args(["verify", "-b", &address, "-t", "orders"]);
    let mut running = Running::start(command);
    running.wait_until_it_listens();
    std::thread::sleep(Duration::from_millis(300));
    running.signal("INT");
    running.signal("INT");
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(130), "{status}: {said}");
}
