//! The tool as a process: started, fed, stopped, and heard.

use crate::cluster::Cluster;
use serde_json::Value;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No run of the tool may take longer; one that hangs is a failure of its own.
const LIMIT: Duration = Duration::from_secs(300);

/// A topic and a spool of one test.
pub(crate) struct Case<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) topic: String,
    pub(crate) dir: TempDir,
}

impl<'a> Case<'a> {
    pub(crate) fn new(cluster: &'a Cluster, about: &str, partitions: i32) -> Case<'a> {
        Case::with(cluster, about, partitions, &[])
    }

    pub(crate) fn with(cluster: &'a Cluster, about: &str, partitions: i32, settings: &[(&str, &str)]) -> Case<'a> {
        Case {
            cluster,
            topic: cluster.topic(about, partitions, settings),
            dir: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn mqsafe(&self, command: &[&str]) -> Command {
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

    fn on_topic(&self, command: &str) -> Command {
        let mut mqsafe = self.mqsafe(&[command]);
        mqsafe.args(["-b", self.cluster.bootstrap(), "-t", &self.topic]);
        mqsafe
    }

    pub(crate) fn send(&self, arguments: &[&str]) -> Command {
        self.send_with("spool", arguments)
    }

    pub(crate) fn send_with(&self, spool: &str, arguments: &[&str]) -> Command {
        let mut send = self.on_topic("send");
        send.arg("--spool").arg(self.path(spool)).args(arguments);
        send
    }

    pub(crate) fn send_without(&self, arguments: &[&str]) -> Command {
        let mut send = self.on_topic("send");
        send.arg("--no-spool").args(arguments);
        send
    }

    pub(crate) fn query(&self, arguments: &[&str]) -> Command {
        let mut query = self.on_topic("query-key");
        query.args(arguments);
        query
    }

    pub(crate) fn verify_command(&self, arguments: &[&str]) -> Command {
        let mut verify = self.on_topic("verify");
        verify.args(["--format", "json"]).args(arguments);
        verify
    }

    /// What `verify` says of the topic.
    pub(crate) fn verify(&self, arguments: &[&str]) -> Verified {
        Verified::from(run(self.verify_command(arguments)))
    }

    pub(crate) fn flush(&self) -> Done {
        self.flush_of("spool")
    }

    pub(crate) fn flush_of(&self, spool: &str) -> Done {
        run(self.flush_command(spool))
    }

    pub(crate) fn flush_command(&self, spool: &str) -> Command {
        let mut flush = self.mqsafe(&["spool", "flush", "--spool"]);
        flush.arg(self.path(spool));
        flush
    }

    /// `(pending, failed, confirmed)` of the spool.
    pub(crate) fn stats(&self) -> (u64, u64, u64) {
        if !self.path("spool/spool.redb").exists() {
            return (0, 0, 0);
        }
        let mut stats = self.mqsafe(&["spool", "stats", "--format", "json", "--spool"]);
        stats.arg(self.path("spool"));
        let json = run(stats).expect(0).json();
        let number = |name: &str| json[name].as_u64().unwrap();
        (number("pending"), number("failed"), number("confirmed"))
    }
}

/// The answer of `verify`.
pub(crate) struct Verified {
    pub(crate) code: i32,
    pub(crate) json: Value,
    pub(crate) stderr: String,
}

impl Verified {
    pub(crate) fn from(done: Done) -> Verified {
        Verified {
            code: done.code,
            json: done.json(),
            stderr: done.stderr,
        }
    }

    pub(crate) fn total(&self, name: &str) -> u64 {
        self.json["totals"][name].as_u64().unwrap()
    }

    /// The totals that are not 0, in the order of the output.
    pub(crate) fn totals(&self) -> Vec<(&str, u64)> {
        let totals = self.json["totals"].as_object().unwrap();
        // What is null was not judged.
        let all = totals.iter().filter_map(|(name, n)| Some((name.as_str(), n.as_u64()?)));
        all.filter(|(_, n)| *n > 0).collect()
    }

    pub(crate) fn coverage(&self) -> &str {
        self.json["coverage"].as_str().unwrap()
    }

    /// No anomaly, everything read, and this many records with a stamp.
    #[track_caller]
    pub(crate) fn expect_clean(&self, stamped: u64) {
        let said = (self.code, self.coverage(), self.total("gap"), self.total("stamped"));
        assert_eq!(
            said,
            (0, "COMPLETE", 0, stamped),
            "{}\n{}",
            self.json["totals"],
            self.stderr
        );
    }
}

/// A run that ended.
pub(crate) struct Done {
    /// The exit code; the negative signal when one ended it.
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Done {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Done {
        assert_eq!(
            self.code,
            code,
            "{}\n{}",
            String::from_utf8_lossy(&self.stdout),
            self.stderr
        );
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}: {:?}\n{}", String::from_utf8_lossy(&self.stdout), self.stderr))
    }
}

/// A run that goes on.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

pub(crate) fn run(command: Command) -> Done {
    let mut running = start(command);
    running.close();
    running.wait()
}

/// With these bytes on standard input.
pub(crate) fn run_with(command: Command, input: &[u8]) -> Done {
    let mut running = start(command);
    running.feed(input);
    running.close();
    running.wait()
}

pub(crate) fn start(mut command: Command) -> Running {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdout, stderr) = (drain(child.stdout.take().unwrap()), drain(child.stderr.take().unwrap()));
    Running {
        stdin: child.stdin.take(),
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
    /// Writes to its standard input; a process that reads no more is not an error here, its exit code tells.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(bytes).and_then(|()| stdin.flush());
        }
    }

    pub(crate) fn close(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it hears Ctrl-C itself; before that a signal ends it as any other process.
    pub(crate) fn await_listening(&mut self) {
        let began = Instant::now();
        while !self.is_over() {
            let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
            let caught = status.lines().find_map(|l| l.strip_prefix("SigCgt:"));
            let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
            // The first bit is signal 1; SIGINT is 2.
            if caught.is_some_and(|mask| mask & 0b10 != 0) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "it never hears a signal");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(sent.success(), "SIG{name} could not be sent");
    }

    /// The signal twice, a moment apart, as `timeout` tells a process and then its group.
    pub(crate) fn signal_twice(&self, name: &str) {
        let twice = format!("kill -s {name} {0}; kill -s {name} {0}", self.pid());
        assert!(Command::new("sh").args(["-c", &twice]).status().unwrap().success());
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
            std::thread::sleep(Duration::from_millis(5));
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

/// The receipts of a run: one for each message, and the summary.
pub(crate) struct Receipts {
    pub(crate) each: Vec<Value>,
    pub(crate) summary: Value,
}

impl Receipts {
    pub(crate) fn read(path: &Path) -> Receipts {
        Receipts::parse(&std::fs::read(path).unwrap())
    }

    /// Reads them and holds them to the contract: the last line is the summary, and its counts are those of the lines.
    #[track_caller]
    pub(crate) fn parse(bytes: &[u8]) -> Receipts {
        let mut each: Vec<Value> = serde_json::Deserializer::from_slice(bytes)
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let summary = each.pop().unwrap();
        let receipts = Receipts { each, summary };
        assert_eq!(receipts.summary["schema"], "mqsafe.send/1");
        for status in ["stored", "refused", "in_doubt", "spooled", "rejected"] {
            let counted = receipts.with(status).count() as u64;
            assert_eq!(counted, receipts.count(status), "{status}: {}", receipts.summary);
        }
        let sum: u64 = ["stored", "refused", "in_doubt", "spooled"]
            .iter()
            .map(|s| receipts.count(s))
            .sum();
        assert_eq!(receipts.count("accepted"), sum, "{}", receipts.summary);
        receipts
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        self.summary[name].as_u64().unwrap()
    }

    pub(crate) fn with<'r>(&'r self, status: &'r str) -> impl Iterator<Item = &'r Value> {
        self.each.iter().filter(move |r| r["status"] == status)
    }

    /// The input lines of all receipts, sorted.
    pub(crate) fn lines(&self) -> Vec<u64> {
        let mut lines: Vec<u64> = self.each.iter().map(|r| r["line"].as_u64().unwrap()).collect();
        lines.sort_unstable();
        lines
    }

    /// The input lines that were accepted, sorted.
    pub(crate) fn accepted_lines(&self) -> Vec<u64> {
        let accepted = self.each.iter().filter(|r| r["status"] != "rejected");
        let mut lines: Vec<u64> = accepted.map(|r| r["line"].as_u64().unwrap()).collect();
        lines.sort_unstable();
        lines
    }
}
