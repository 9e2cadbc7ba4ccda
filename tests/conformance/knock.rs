//! The tool as it is started here, and a place of its own for each start.

use serde_json::Value;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No run may take longer; one that hangs is a failure of its own.
const LIMIT: Duration = Duration::from_secs(300);

/// One way to connect: what follows the command on the command line, and the environment that it needs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Knock {
    pub(crate) label: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Publishes to this exchange with the topic as routing key, instead of to the queue by its name.
    pub(crate) exchange: Option<String>,
    /// Why this user may publish and not search.
    pub(crate) blind: Option<&'static str>,
}

impl Knock {
    pub(crate) fn new(label: &str) -> Knock {
        Knock {
            label: label.to_owned(),
            ..Knock::default()
        }
    }

    pub(crate) fn arg(mut self, argument: impl Into<String>) -> Knock {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn exchange(mut self, exchange: &str) -> Knock {
        self.exchange = Some(exchange.to_owned());
        self
    }

    pub(crate) fn blind(mut self, why: &'static str) -> Knock {
        self.blind = Some(why);
        self
    }

    pub(crate) fn broker(self, url: impl Into<String>) -> Knock {
        self.arg("-b").arg(url)
    }

    pub(crate) fn x(self, key: &str, value: &str) -> Knock {
        self.arg("-X").arg(format!("{key}={value}"))
    }

    /// How to connect, without the broker: a spool knows where its messages go.
    pub(crate) fn settings(&self) -> impl Iterator<Item = &String> {
        self.arguments.iter().skip_while(|a| *a != "-X" && *a != "-F")
    }

    /// A secret, by the environment.
    pub(crate) fn secret(mut self, key: &str, value: &str) -> Knock {
        let name = format!("SECRET_{}", self.environment.len());
        self.environment.push((name.clone(), value.to_owned()));
        self.x(key, &format!("env:{name}"))
    }
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Done {
    #[track_caller]
    pub(crate) fn expect(self, label: &str, code: i32) -> Done {
        let out = String::from_utf8_lossy(&self.stdout);
        assert_eq!(self.code, code, "{label}:\n{out}\n{}", self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// A home of its own, so that nothing of the user's is read or written.
pub(crate) struct Home {
    dir: TempDir,
}

impl Home {
    pub(crate) fn new() -> Home {
        Home {
            dir: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn spool(&self) -> PathBuf {
        self.dir.path().join("spool")
    }

    pub(crate) fn command(&self, words: &[&str], knock: &Knock) -> Command {
        let mut mqsafe = Command::new(env!("CARGO_BIN_EXE_mqsafe"));
        mqsafe.env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            mqsafe.env("PATH", path);
        }
        mqsafe.env("HOME", self.dir.path());
        mqsafe.envs(knock.environment.iter().map(|(k, v)| (k, v)));
        mqsafe.arg("--no-progress").args(words).args(&knock.arguments);
        mqsafe
    }

    pub(crate) fn send(&self, knock: &Knock, topic: &str, more: &[&str]) -> Command {
        let mut send = self.command(&["send"], knock);
        match &knock.exchange {
            Some(exchange) => send.args(["-e", exchange, "-r", topic]),
            None => send.args(["-t", topic]),
        };
        send.arg("--spool").arg(self.spool()).args(more);
        send
    }

    pub(crate) fn query(&self, knock: &Knock, topic: &str, key: &str) -> Command {
        let mut query = self.command(&["query-key"], knock);
        query.args(["-t", topic, "--format", "json", key]);
        query
    }

    pub(crate) fn test(&self, knock: &Knock, topic: &str) -> Command {
        let mut test = self.command(&["context", "test"], knock);
        test.args(["-t", topic, "--format", "json"]);
        test
    }

    /// How many messages with a key are found, once it is so many: an acknowledged message comes into RocketMQ's queue a moment later,
    /// and a broker that was killed has its topics back one after another.
    #[track_caller]
    pub(crate) fn found(&self, knock: &Knock, topic: &str, key: &str, least: u64) -> u64 {
        let mut found = 0;
        eventually(&format!("{}: {least} are found", knock.label), || {
            let done = run(self.query(knock, topic, key), b"");
            found = match done.code {
                0 => done.json()["found"].as_u64().unwrap(),
                _ => 0,
            };
            found >= least
        });
        found
    }

    /// `(pending, failed, confirmed)`.
    pub(crate) fn stats(&self) -> (u64, u64, u64) {
        let mut stats = self.command(&["spool", "stats", "--format", "json", "--spool"], &Knock::default());
        stats.arg(self.spool());
        let stats = run(stats, b"").expect("spool stats", 0).json();
        let number = |name: &str| stats[name].as_u64().unwrap();
        (number("pending"), number("failed"), number("confirmed"))
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(120), "never: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Runs to the end, with this on standard input.
pub(crate) fn run(command: Command, input: &[u8]) -> Done {
    let mut running = start(command);
    running.feed(input);
    running.wait()
}

/// Sends one line to a place that is refused. A busy broker may not answer in time: then the line is accepted and kept, and that is said;
/// an answer that comes after all does not change it. The first answer in time counts.
#[track_caller]
pub(crate) fn answered_in_time(send: impl Fn(&Home) -> Command) -> (Home, Done) {
    let mut turns = 0;
    loop {
        let home = Home::new();
        let done = run(send(&home), b"one line\n");
        let is_late = done.code == 4 && done.stderr.contains("cannot be reached");
        turns += 1;
        if !is_late || turns == 10 {
            return (home, done);
        }
        assert_eq!(home.stats(), (1, 0, 0), "{}", done.stderr);
    }
}

pub(crate) struct Running {
    child: Child,
    began: Instant,
    stdout: std::thread::JoinHandle<()>,
    stderr: std::thread::JoinHandle<()>,
    said: [Arc<Mutex<Vec<u8>>>; 2],
}

pub(crate) fn start(mut command: Command) -> Running {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let said: [Arc<Mutex<Vec<u8>>>; 2] = Default::default();
    fn read(mut from: impl Read + Send + 'static, said: &Arc<Mutex<Vec<u8>>>) -> std::thread::JoinHandle<()> {
        let said = Arc::clone(said);
        std::thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(read @ 1..) = from.read(&mut some) {
                said.lock().unwrap().extend_from_slice(&some[..read]);
            }
        })
    }
    let stdout = read(child.stdout.take().unwrap(), &said[0]);
    let stderr = read(child.stderr.take().unwrap(), &said[1]);
    Running {
        child,
        began: Instant::now(),
        stdout,
        stderr,
        said,
    }
}

impl Running {
    /// A process that reads no more is not an error here; its exit code tells.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let _ = self.child.stdin.as_mut().unwrap().write_all(bytes);
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .status();
        assert!(sent.unwrap().success());
    }

    /// What stands on standard error so far.
    pub(crate) fn told(&self) -> String {
        String::from_utf8_lossy(&self.said[1].lock().unwrap()).into_owned()
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Closes standard input and waits.
    pub(crate) fn wait(mut self) -> Done {
        drop(self.child.stdin.take());
        let mut hangs = false;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if !hangs && self.began.elapsed() > LIMIT {
                hangs = true;
                self.child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let took = self.began.elapsed();
        self.stdout.join().unwrap();
        self.stderr.join().unwrap();
        let [stdout, stderr] = self.said.map(|said| std::mem::take(&mut *said.lock().unwrap()));
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        assert!(!hangs, "still running after {LIMIT:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        Done {
            code: status.code().unwrap_or(-1),
            stdout,
            stderr,
            took,
        }
    }
}
