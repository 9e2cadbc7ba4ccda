//! The tool as a process over one growing input, and the ledger that the test keeps of it.

use crate::broker::{Broker, missing_numbers};
use crate::judge::{self, Told};
use serde_json::Value;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No run of the tool may take longer; one that hangs is a failure of its own.
const LIMIT: Duration = Duration::from_secs(300);
const LINE_BYTES: usize = 100;

/// A topic, a spool, an input, and the lines that were ever written to it.
pub(crate) struct Case<'a> {
    pub(crate) broker: &'a dyn Broker,
    pub(crate) topic: String,
    dir: TempDir,
    /// The ledger: every line that was given to `send`.
    pub(crate) lines: Vec<Vec<u8>>,
}

/// What `spool stats` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stats {
    pub(crate) pending: u64,
    pub(crate) failed: u64,
    pub(crate) confirmed: u64,
}

impl Stats {
    pub(crate) fn accepted(self) -> u64 {
        self.pending + self.failed + self.confirmed
    }
}

/// The counts of a summary line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) stored: u64,
    pub(crate) refused: u64,
    pub(crate) in_doubt: u64,
    pub(crate) spooled: u64,
}

impl Counts {
    /// Reads `accepted 3 = stored 1 + refused 0 + in doubt 2 + spooled 0`.
    fn read(line: &str) -> Option<Counts> {
        let number = |word: &str| -> Option<u64> {
            let (_, rest) = line.split_once(word)?;
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        };
        Some(Counts {
            accepted: number("accepted ")?,
            stored: number("stored ")?,
            refused: number("refused ")?,
            in_doubt: number("in doubt ")?,
            spooled: number("spooled ")?,
        })
    }

    fn keeps_the_law(self) -> bool {
        self.accepted == self.stored + self.refused + self.in_doubt + self.spooled
    }

    fn left(self) -> u64 {
        self.in_doubt + self.spooled
    }
}

impl<'a> Case<'a> {
    pub(crate) fn new(broker: &'a dyn Broker) -> Case<'a> {
        let case = Case {
            broker,
            topic: broker.make(),
            dir: TempDir::new().unwrap(),
            lines: Vec::new(),
        };
        std::fs::write(case.input(), "").unwrap();
        case
    }

    pub(crate) fn input(&self) -> PathBuf {
        self.dir.path().join("input")
    }

    pub(crate) fn phases(&self) -> PathBuf {
        self.dir.path().join("phases")
    }

    /// The input grows, and the ledger with it.
    pub(crate) fn grow(&mut self, count: usize) {
        let new = judge::lines(self.lines.len(), count, LINE_BYTES);
        let mut file = std::fs::OpenOptions::new().append(true).open(self.input()).unwrap();
        let mut text = Vec::new();
        for (n, line) in new.iter().enumerate() {
            text.extend_from_slice(format!("k{}:", n % 16).as_bytes());
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        file.write_all(&text).unwrap();
        self.lines.extend(new);
    }

    fn mqsafe(&self, command: &[&str]) -> Command {
        let mut mqsafe = Command::new(env!("CARGO_BIN_EXE_mqsafe"));
        for name in ["MQSAFE_BROKER", "MQSAFE_SPOOL", "MQSAFE_LOG", "MQSAFE_COLOR"] {
            mqsafe.env_remove(name);
        }
        // Nothing of the user's own may be read or written.
        mqsafe
            .env("XDG_STATE_HOME", self.dir.path())
            .env("HOME", self.dir.path());
        mqsafe.arg("--no-progress").args(command);
        mqsafe
    }

    fn spool(&self) -> PathBuf {
        self.dir.path().join("spool")
    }

    /// `send --resume` of the input.
    pub(crate) fn send(&self, arguments: &[&str]) -> Command {
        let _ = std::fs::remove_file(self.phases());
        let mut send = self.mqsafe(&[
            "send",
            "-b",
            &self.broker.url(),
            "-t",
            &self.topic,
            "-K",
            ":",
            "--resume",
        ]);
        self.broker.log_in(&mut send);
        send.arg("--spool").arg(self.spool()).args(arguments);
        send.arg(self.input()).env("MQSAFE_TEST_PHASES", self.phases());
        send
    }

    pub(crate) fn stats(&self) -> Stats {
        if !self.spool().join("spool.redb").exists() {
            return Stats::default();
        }
        let mut stats = self.mqsafe(&["spool", "stats", "--format", "json", "--spool"]);
        stats.arg(self.spool());
        let done = start(stats).wait().expect(0);
        let json: Value = serde_json::from_slice(&done.stdout).unwrap();
        let number = |name: &str| json[name].as_u64().unwrap();
        Stats {
            pending: number("pending"),
            failed: number("failed"),
            confirmed: number("confirmed"),
        }
    }

    /// What a run that came to its end said, against the store before and after it and against the ledger.
    pub(crate) fn judge_run(&self, done: &Done, before: Stats) -> Vec<String> {
        let after = self.stats();
        let mut faults = Vec::new();
        let mut law = |so: bool, what: String| {
            if !so {
                faults.push(what);
            }
        };
        let Some(own) = done.stderr.lines().last().and_then(Counts::read) else {
            return vec![format!(
                "a run ended with {} and without a summary: {}",
                done.code, done.stderr
            )];
        };
        let earlier = done.stderr.lines().find_map(|l| l.split_once("left by earlier runs: "));
        let earlier = earlier.and_then(|(_, counts)| Counts::read(counts)).unwrap_or_default();
        let said = format!("{own:?}, earlier {earlier:?}; before {before:?}, after {after:?}");
        law(
            own.keeps_the_law() && earlier.keeps_the_law(),
            format!("the counts do not add up: {said}"),
        );
        law(
            before.accepted() + own.accepted == after.accepted(),
            format!("accepted is not what the store has: {said}"),
        );
        law(
            earlier.accepted == before.pending,
            format!("what earlier runs left is not what waited: {said}"),
        );
        law(
            own.left() + earlier.left() == after.pending,
            format!("what is left is not what waits: {said}"),
        );
        law(
            before.confirmed + own.stored + earlier.stored == after.confirmed,
            format!("stored is not what the store has confirmed: {said}"),
        );
        law(
            after.accepted() <= self.lines.len() as u64,
            format!("more was accepted than the ledger has: {said}"),
        );
        law(
            (done.code == 0) == (after.pending + after.failed == 0),
            format!("exit {}: {said}", done.code),
        );
        faults
    }

    /// Sends the rest until the tool says that all is well, then compares what is there with the ledger.
    pub(crate) fn end(&self, mut faults: Vec<String>) -> (Vec<String>, u64) {
        let patience = Instant::now();
        loop {
            let before = self.stats();
            let done = start(self.send(&["--delivery-timeout", "30s"])).wait();
            faults.extend(self.judge_run(&done, before));
            if done.code == 0 {
                break;
            }
            assert!(
                patience.elapsed() < LIMIT,
                "{} never comes to its end: {}",
                self.broker.name(),
                done.stderr
            );
        }
        let all = Stats {
            confirmed: self.lines.len() as u64,
            ..Stats::default()
        };
        let stats = self.stats();
        if stats != all {
            faults.push(format!(
                "the ledger has {} lines, and the store {stats:?}",
                self.lines.len()
            ));
        }
        let mut told = None;
        if self.broker.verifies() {
            let mut verify = self.mqsafe(&[
                "verify",
                "-b",
                &self.broker.url(),
                "-t",
                &self.topic,
                "--format",
                "json",
            ]);
            self.broker.log_in(&mut verify);
            let done = start(verify).wait();
            let json: Value = serde_json::from_slice(&done.stdout).unwrap();
            let total = |name: &str| json["totals"][name].as_u64().unwrap();
            let said = Told {
                gap: total("gap"),
                duplicate: total("duplicate"),
                corrupt: total("corrupt"),
            };
            if done.code != i32::from(said.gap + said.corrupt > 0) {
                faults.push(format!("verify exits {}: {}", done.code, done.stderr));
            }
            told = Some(said);
        }
        let seen = self.broker.read(&self.topic);
        // Where `verify` cannot read, a message that is there again is named by nobody; it is allowed all the same.
        let ids: std::collections::BTreeSet<&str> = seen.iter().filter_map(|s| s.id.as_deref()).collect();
        let again = seen.iter().filter(|s| s.id.is_some()).count() - ids.len();
        let told = told.unwrap_or(Told {
            duplicate: again as u64,
            ..Told::default()
        });
        faults.extend(judge::faults(&self.lines, &seen, told));
        let missing = missing_numbers(&seen);
        if missing > 0 {
            faults.push(format!("{missing} numbers are missing"));
        }
        (faults, again as u64)
    }
}

/// A run that ended.
pub(crate) struct Done {
    /// The exit code; the negative signal when one ended it.
    pub(crate) code: i32,
    stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Done {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Done {
        let out = String::from_utf8_lossy(&self.stdout);
        assert_eq!(self.code, code, "{out}\n{}", self.stderr);
        self
    }
}

/// A run that goes on.
pub(crate) struct Running {
    child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

pub(crate) fn start(mut command: Command) -> Running {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdout, stderr) = (drain(child.stdout.take().unwrap()), drain(child.stderr.take().unwrap()));
    Running {
        child,
        stdout: Some(stdout),
        stderr: Some(stderr),
    }
}

fn drain(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

impl Running {
    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// SIGKILL; says whether it still ran.
    pub(crate) fn kill(&mut self) -> bool {
        if self.is_over() {
            return false;
        }
        self.child.kill().unwrap();
        true
    }

    pub(crate) fn wait(&mut self) -> Done {
        use std::os::unix::process::ExitStatusExt;
        let start = Instant::now();
        let mut hangs = false;
        while !self.is_over() {
            if start.elapsed() > LIMIT {
                hangs = true;
                self.child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let status = self.child.wait().unwrap();
        let text = |thread: Option<JoinHandle<Vec<u8>>>| thread.map_or_else(Vec::new, |t| t.join().unwrap());
        let (stdout, stderr) = (text(self.stdout.take()), text(self.stderr.take()));
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        assert!(!hangs, "still running after {LIMIT:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        Done {
            code: status.code().unwrap_or_else(|| -status.signal().unwrap()),
            stdout,
            stderr,
        }
    }
}

/// How many messages a run brought to each phase: read, synced, sent, acknowledged, committed.
pub(crate) fn counters(path: &Path) -> [u64; 5] {
    let bytes = std::fs::read(path).unwrap_or_default();
    let at = |i: usize| {
        bytes
            .get(i * 8..i * 8 + 8)
            .map_or(0, |b| u64::from_le_bytes(b.try_into().unwrap()))
    };
    std::array::from_fn(at)
}

#[test]
fn a_summary_is_read() {
    let line = "orders: accepted 10 = stored 1 + refused 2 + in doubt 3 + spooled 4 (0.1 s, 10/s)";
    let counts = Counts::read(line).unwrap();
    assert!(counts.keeps_the_law());
    assert_eq!((counts.accepted, counts.stored, counts.left()), (10, 1, 7));
    assert_eq!(Counts::read("stopped after line 3"), None);
}
