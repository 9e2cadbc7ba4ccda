//! The input: lines that are too long, more of it than memory, and a disk that is full.

use super::{NOBODY, User, code, err};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Runs it while `feed` writes its input; returns the exit code, what it said, and its peak memory in MiB.
fn measured(mut command: Command, feed: impl FnOnce(&mut dyn Write) + Send) -> (Option<i32>, String, u64) {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let status = std::thread::scope(|scope| {
        scope.spawn(move || feed(&mut stdin));
        loop {
            // The kernel's own high-water mark only grows, so the last look counts.
            let text = std::fs::read_to_string(&status_file).unwrap_or_default();
            let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = mark.and_then(|mark| mark.trim().strip_suffix(" kB")?.trim().parse().ok());
            peak = peak.max(kib.unwrap_or(0u64) / 1024);
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert!(peak > 1, "the memory was not read");
    (status.code(), said, peak)
}

fn send(user: &User) -> Command {
    let mut command = user.process();
    command.args([
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
    command
}

#[test]
fn a_line_of_100_mb_is_rejected_and_never_held() {
    let user = User::new();
    let (code, said, peak) = measured(send(&user), |input| {
        input.write_all(b"before\n").unwrap();
        let block = vec![b'x'; 1 << 20];
        for _ in 0..100 {
            input.write_all(&block).unwrap();
        }
        input.write_all(b"\nafter\n").unwrap();
    });
    // Rejected (1) is told before spooled (4).
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("line 2 was rejected: the line has 104857600 bytes"),
        "{said}"
    );
    let last = said.lines().last().unwrap();
    assert!(last.contains("accepted 2 = ") && last.contains("rejected 1"), "{last}");
    assert_eq!(user.spool("spool"), [2, 0, 0]);
    assert!(peak < 200, "{peak} MiB");
}

#[test]
fn an_input_of_200_mb_is_not_held_in_memory() {
    let user = User::new();
    let lines: u64 = 100_000;
    let (code, said, peak) = measured(send(&user), move |input| {
        let mut input = std::io::BufWriter::with_capacity(1 << 20, input);
        let line = "x".repeat(1999) + "\n";
        for _ in 0..lines {
            input.write_all(line.as_bytes()).unwrap();
        }
    });
    assert_eq!(code, Some(4), "{said}");
    assert_eq!(user.spool("spool"), [lines, 0, 0]);
    assert!(peak < 200, "{peak} MiB");
}

#[test]
fn any_bytes_are_a_message() {
    let user = User::new();
    let output = user
        .send()
        .write_stdin(&b"\xff\xfe\n\0\n\nlast without an end"[..])
        .output()
        .unwrap();
    assert_eq!(code(&output), 4, "{}", err(&output));
    // Not UTF-8, a NUL, an empty line, and a last line without its end.
    assert_eq!(user.spool("spool"), [4, 0, 0], "{}", err(&output));
}

#[test]
fn a_line_without_the_delimiter_is_rejected_and_the_rest_goes_on() {
    let user = User::new();
    let output = user
        .send()
        .args(["-K", ":"])
        .write_stdin("1:a\nnone\n2:b\n")
        .output()
        .unwrap();
    assert_eq!(code(&output), 1, "{}", err(&output));
    assert!(err(&output).contains("line 2 was rejected"), "{}", err(&output));
    assert_eq!(user.spool("spool"), [2, 0, 0]);
}

#[test]
fn resume_goes_on_after_the_last_accepted_line() {
    let user = User::new();
    let file = user.file("in.txt", "a\nb\n");
    assert_eq!(code(&user.send().arg("in.txt").output().unwrap()), 4);
    let mut more = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
    more.write_all(b"c\n").unwrap();
    let resumed = user.send().args(["--resume", "in.txt"]).output().unwrap();
    assert_eq!(code(&resumed), 4, "{}", err(&resumed));
    assert!(
        err(&resumed).contains("resuming in.txt after line 2"),
        "{}",
        err(&resumed)
    );
    assert_eq!(user.spool("spool"), [3, 0, 0]);
    // A file that begins differently is another file.
    user.file("in.txt", "A\nb\nc\n");
    let changed = user.send().args(["--resume", "in.txt"]).output().unwrap();
    assert_eq!(code(&changed), 2, "{}", err(&changed));
    assert_eq!(user.spool("spool"), [3, 0, 0]);
}

/// A disk of its own size, which only root can make.
struct Disk(std::path::PathBuf);

impl Disk {
    fn new(user: &User, size: &str) -> Option<Disk> {
        let path = user.path("disk");
        std::fs::create_dir(&path).unwrap();
        let options = format!("size={size},mode=700");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(&path)
            .output();
        mount.is_ok_and(|output| output.status.success()).then_some(Disk(path))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_fills_up_ends_the_run_and_keeps_what_was_accepted() {
    let user = User::new();
    let Some(_disk) = Disk::new(&user, "6m") else {
        return super::support::skip("a_disk_that_fills_up", "needs root, to mount a small disk");
    };
    let mut command = user.mqsafe();
    command.args([
        "send",
        "-b",
        NOBODY,
        "-t",
        "orders",
        "--connect-timeout",
        "1s",
        "--spool",
        "disk/spool",
    ]);
    let output = command
        .write_stdin("a line of twenty-six bytes\n".repeat(400_000))
        .output()
        .unwrap();
    let said = err(&output);
    assert_eq!(code(&output), 4, "{said}");
    assert!(
        said.contains("disk is full") && said.contains("No space left on device"),
        "{said}"
    );
    // Standard input cannot be read again.
    assert!(
        said.contains("next: make room, then give the rest") && !said.contains("--resume"),
        "{said}"
    );
    let last = said.lines().last().unwrap();
    let accepted: u64 = last
        .split("accepted ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(accepted > 0 && accepted < 400_000, "{last}");
    assert!(said.contains(&format!("stopped after line {accepted}: ")), "{said}");
    assert_eq!(user.spool("disk/spool"), [accepted, 0, 0], "{said}");
}

#[test]
fn a_disk_that_is_full_from_the_start_is_a_usage_error() {
    let user = User::new();
    let Some(_disk) = Disk::new(&user, "64k") else {
        return super::support::skip("a_disk_that_is_full", "needs root, to mount a small disk");
    };
    let mut command = user.mqsafe();
    command.args([
        "send",
        "-b",
        NOBODY,
        "-t",
        "orders",
        "--connect-timeout",
        "1s",
        "--spool",
        "disk/spool",
    ]);
    let output = command.write_stdin("a\n").output().unwrap();
    assert_eq!(code(&output), 2, "{}", err(&output));
    assert!(err(&output).contains("next: free some disk space"), "{}", err(&output));
}
