//! The cluster, the tool as a process, and mqadmin as a reader and writer that is not this project's.

use crate::support;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};
use tempfile::TempDir;

static CLUSTER: RwLock<()> = RwLock::new(());
const PATIENCE: Duration = Duration::from_secs(60);

#[expect(dead_code, reason = "the guards are held, not read")]
enum Hold {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// The cluster, a topic and a spool of one test.
pub(crate) struct Case {
    pub(crate) topic: String,
    name_server: String,
    cluster: String,
    dir: TempDir,
    _hold: Hold,
}

/// A run that ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Done {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}\n{}", self.out, self.err))
    }
}

/// The cluster, shared with other tests; `None` (and the test listed as not run) when there is none.
pub(crate) fn shared(test: &str, queues: u32) -> Option<Case> {
    Case::new(test, queues, || {
        Hold::Shared(CLUSTER.read().unwrap_or_else(|e| e.into_inner()))
    })
}

/// The cluster for this test alone, to be disturbed.
pub(crate) fn alone(test: &str, queues: u32) -> Option<Case> {
    Case::new(test, queues, || {
        Hold::Alone(CLUSTER.write().unwrap_or_else(|e| e.into_inner()))
    })
}

impl Case {
    fn new(test: &str, queues: u32, hold: impl FnOnce() -> Hold) -> Option<Case> {
        let test = format!("rocketmq::{test}");
        let name_server = support::address(&test, "ROCKETMQ_NAMESRV")?;
        let cluster = support::address(&test, "ROCKETMQ_CLUSTER")?;
        let case = Case {
            topic: format!("t-{:016x}", rand::random::<u64>()),
            name_server,
            cluster,
            dir: TempDir::new().unwrap(),
            _hold: hold(),
        };
        let queues = queues.to_string();
        eventually("the topic is made", || {
            let made = case.mqadmin(&[
                "updateTopic",
                "-c",
                &case.cluster,
                "-t",
                &case.topic,
                "-r",
                &queues,
                "-w",
                &queues,
            ]);
            made.contains("success")
        });
        Some(case)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn mqadmin(&self, arguments: &[&str]) -> String {
        let output = Command::new(script("mqadmin"))
            .args(arguments)
            .args(["-n", &self.name_server])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    fn mqsafe(&self, command: &[&str]) -> Command {
        let mut mqsafe = Command::new(env!("CARGO_BIN_EXE_mqsafe"));
        for name in ["MQSAFE_BROKER", "MQSAFE_SPOOL", "MQSAFE_LOG", "MQSAFE_COLOR"] {
            mqsafe.env_remove(name);
        }
        // Nothing of the user's own may be read or written.
        mqsafe
            .env("XDG_STATE_HOME", self.dir.path())
            .env("HOME", self.dir.path())
            .arg("--no-progress")
            .args(command);
        mqsafe
    }

    fn on(&self, command: &str, topic: &str) -> Command {
        let mut mqsafe = self.mqsafe(&[command, "-t", topic]);
        mqsafe.args(["-b", &format!("rocketmq://{}", self.name_server)]);
        mqsafe
    }

    pub(crate) fn send(&self, input: &str, arguments: &[&str]) -> Done {
        self.send_to(&self.topic, input, arguments)
    }

    pub(crate) fn send_to(&self, topic: &str, input: &str, arguments: &[&str]) -> Done {
        run_with(self.send_command(topic, arguments), input)
    }

    pub(crate) fn send_command(&self, topic: &str, arguments: &[&str]) -> Command {
        let mut send = self.on("send", topic);
        send.arg("--spool").arg(self.path("spool")).args(arguments);
        send
    }

    pub(crate) fn flush(&self) -> Done {
        let mut flush = self.mqsafe(&["spool", "flush", "--spool"]);
        flush.arg(self.path("spool"));
        run_with(flush, "")
    }

    /// `(pending, failed, confirmed)` of the spool.
    pub(crate) fn stats(&self) -> [u64; 3] {
        let mut stats = self.mqsafe(&["spool", "stats", "--format", "json", "--spool"]);
        stats.arg(self.path("spool"));
        let json = run_with(stats, "").expect(0).json();
        ["pending", "failed", "confirmed"].map(|name| json[name].as_u64().unwrap())
    }

    pub(crate) fn query(&self, key: &str, arguments: &[&str]) -> Done {
        self.query_in(&self.topic, key, arguments)
    }

    pub(crate) fn query_in(&self, topic: &str, key: &str, arguments: &[&str]) -> Done {
        let mut query = self.on("query-key", topic);
        query.args(["--format", "json"]).args(arguments).arg(key);
        run_with(query, "")
    }

    pub(crate) fn verify(&self) -> Done {
        let mut verify = self.on("verify", &self.topic);
        verify.args(["--format", "json"]);
        run_with(verify, "")
    }

    /// How many messages mqadmin sees in the topic.
    pub(crate) fn held(&self) -> u64 {
        let said = self.mqadmin(&["topicStatus", "-t", &self.topic]);
        // `#Broker Name  #QID  #Min Offset  #Max Offset  #Last Updated`
        let rows = said.lines().filter(|line| !line.starts_with('#'));
        let number = |row: &str| -> Option<u64> {
            let mut columns = row.split_whitespace().skip(2);
            let (from, to) = (
                columns.next()?.parse::<u64>().ok()?,
                columns.next()?.parse::<u64>().ok()?,
            );
            Some(to - from)
        };
        rows.filter_map(number).sum()
    }
}

/// A script of `tests/brokers`, run to its end.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers").join(name)
}

/// Disturbs nodes, and puts everything right when it is dropped.
pub(crate) struct Disturbed(&'static str, &'static [&'static str]);

/// `kill` or `stop` (SIGSTOP).
pub(crate) fn disturb(how: &'static str, nodes: &'static [&'static str]) -> Disturbed {
    run_script(how, nodes);
    Disturbed(how, nodes)
}

impl Drop for Disturbed {
    fn drop(&mut self) {
        if self.0 == "stop" {
            run_script("cont", self.1);
        }
        run_script("up", &[]);
    }
}

fn run_script(name: &str, nodes: &[&str]) {
    let output = Command::new(script(name)).arg("rocketmq").args(nodes).output().unwrap();
    assert!(
        output.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

pub(crate) fn run_with(mut command: Command, input: &str) -> Done {
    use std::io::Write;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let feeder = std::thread::spawn(move || {
        // A process that reads no more is not an error here, its exit code tells.
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let done = Done {
        code: output.status.code().unwrap_or(-1),
        out: text(&output.stdout),
        err: text(&output.stderr),
    };
    assert!(!done.err.contains("panicked"), "{}", done.err);
    done
}

/// Waits until it is true.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
