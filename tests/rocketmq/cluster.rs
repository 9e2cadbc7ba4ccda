//! The cluster, the tool as a process, and mqadmin as a reader and writer that is not this project's.

use crate::support;
use mqsafe::connect::{BrokerUrl, ClientProperties, Connection};
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
    pub(crate) master: String,
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
        let master = support::address(&test, "ROCKETMQ_MASTER")?;
        let case = Case {
            topic: format!("t-{:016x}", rand::random::<u64>()),
            name_server,
            master,
            dir: TempDir::new().unwrap(),
            _hold: hold(),
        };
        std::fs::write(case.path("no-secret"), "x").unwrap();
        case.make(&case.topic, queues, "");
        Some(case)
    }

    /// `host:port` of the name server.
    pub(crate) fn servers(&self) -> &str {
        &self.name_server
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a topic as mqadmin does, and waits until the name server knows it. A master that was just started may not answer yet.
    pub(crate) fn make(&self, topic: &str, queues: u32, attributes: &str) {
        let queues = queues.to_string();
        let fields = [
            ("topic", topic),
            ("defaultTopic", "TBW102"),
            ("readQueueNums", &queues),
            ("writeQueueNums", &queues),
            ("perm", "6"),
            ("topicFilterType", "SINGLE_TAG"),
            ("topicSysFlag", "0"),
            ("order", "false"),
            ("attributes", attributes),
        ];
        eventually("the topic is made", || self.call(&self.master, 17, &fields, "").is_ok());
        eventually("the name server knows the topic", || self.route_of(topic).is_ok());
    }

    pub(crate) fn name_server(&self) -> &str {
        &self.name_server
    }

    pub(crate) fn route_of(&self, topic: &str) -> Result<Vec<u8>, String> {
        self.call(&self.name_server, 105, &[("topic", topic)], "")
    }

    /// One request to a server, without this project's code and without a JVM; the error holds the code and words of its answer.
    pub(crate) fn call(
        &self,
        address: &str,
        code: u32,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Result<Vec<u8>, String> {
        let mut call = Command::new(script("signed-call"));
        call.arg(address)
            .arg("nobody")
            .arg(self.path("no-secret"))
            .arg(code.to_string());
        call.args(fields.iter().map(|(name, value)| format!("{name}={value}")));
        let mut child = call
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), body.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// What the broker's index holds under a key, as the bytes of the messages.
    pub(crate) fn indexed(&self, topic: &str, key: &str) -> String {
        let fields = [
            ("topic", topic),
            ("key", key),
            ("maxNum", "32"),
            ("beginTimestamp", "0"),
            ("endTimestamp", "9223372036854775807"),
            ("_UNIQUE_KEY_QUERY", "false"),
        ];
        match self.call(&self.master, 12, &fields, "") {
            Ok(body) => String::from_utf8_lossy(&body).into_owned(),
            // `QUERY_NOT_FOUND`.
            Err(why) if why.starts_with("22:") => String::new(),
            Err(why) => panic!("{why}"),
        }
    }

    pub(crate) fn connection(&self) -> Connection {
        Connection {
            url: BrokerUrl::parse(&format!("rocketmq://{}", self.name_server)).unwrap(),
            properties: ClientProperties::default(),
            management: None,
        }
    }

    pub(crate) fn mqadmin(&self, arguments: &[&str]) -> String {
        let output = Command::new(script("mqadmin"))
            .args(arguments)
            .args(["-n", &self.name_server])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    pub(crate) fn mqsafe(&self, command: &[&str]) -> Command {
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

    /// `query-key` with these words alone.
    pub(crate) fn search(&self, topic: &str, arguments: &[&str]) -> Done {
        let mut query = self.on("query-key", topic);
        query.args(arguments);
        run_with(query, "")
    }

    pub(crate) fn verify(&self) -> Done {
        let mut verify = self.on("verify", &self.topic);
        verify.args(["--format", "json"]);
        run_with(verify, "")
    }

    /// How many messages the broker counts in the topic (as `mqadmin topicStatus` asks).
    pub(crate) fn held(&self) -> u64 {
        self.held_in(&self.topic)
    }

    pub(crate) fn held_in(&self, topic: &str) -> u64 {
        let said = self.call(&self.master, 202, &[("topic", topic)], "").unwrap();
        let said = String::from_utf8(said).unwrap();
        let sum = |name: &str| -> u64 {
            let name = format!("\"{name}\":");
            let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>();
            let parts = said.split(&name).skip(1);
            parts.map(|part| digits(part).parse::<u64>().unwrap()).sum()
        };
        sum("maxOffset") - sum("minOffset")
    }
}

impl Case {
    /// Gives the master another configuration until it is dropped.
    pub(crate) fn configured(&self, now: &str, later: &'static str) -> Configured<'_> {
        self.configured_at(&self.master, now, later)
    }

    /// The same for any broker.
    pub(crate) fn configured_at(&self, address: &str, now: &str, later: &'static str) -> Configured<'_> {
        self.call(address, 25, &[], now).unwrap();
        Configured(self, address.to_owned(), later)
    }
}

pub(crate) struct Configured<'a>(&'a Case, String, &'static str);

impl Drop for Configured<'_> {
    fn drop(&mut self) {
        let put_right = self.0.call(&self.1, 25, &[], self.2);
        assert!(put_right.is_ok() || std::thread::panicking(), "{put_right:?}");
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

pub(crate) fn run_script(name: &str, nodes: &[&str]) {
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
