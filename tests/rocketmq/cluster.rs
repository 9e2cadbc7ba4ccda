//! The cluster, the tool as a process, and mqadmin as a reader and writer that is not this project's.

use crate::support;
use mqsafe::connect::{BrokerUrl, ClientProperties, Connection};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};
use tempfile::TempDir;

static CLUSTER: RwLock<()> = RwLock::new(());
/// Nothing takes so long that comes at all, on a machine that is five times slower too: mqadmin starts a JVM each time, and its producer
/// gives up three seconds later.
const PATIENCE: Duration = Duration::from_secs(300);

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
        case.make(&case.topic, queues, "");
        case.await_pair();
        Some(case)
    }

    /// Waits until the master says of a message that its slave has it too: one whose slave has only just come says of the first ones
    /// that it has not, and then they are sent again.
    fn await_pair(&self) {
        let fields = [
            ("a", "tests"),
            ("b", "BenchmarkTest"),
            ("c", "BenchmarkTest"),
            ("d", "1"),
            ("e", "0"),
            ("f", "0"),
            ("g", "0"),
            ("h", "0"),
            ("i", "WAIT\u{1}true\u{2}"),
            ("j", "0"),
            ("k", "false"),
            ("m", "false"),
            ("n", "broker-a"),
        ];
        eventually("the slave has what the master has", || {
            self.call(&self.master, 310, &fields, "whole").is_ok()
        });
    }

    /// Waits until readers get what the master has taken by now: it puts messages into their queues and its index a moment after it has
    /// acknowledged them.
    pub(crate) fn await_dispatched(&self) {
        let state = || -> Option<(u64, u64)> {
            let told: Value = serde_json::from_slice(&self.ask(28, &[]).ok()?).ok()?;
            let number = |name: &str| told["table"][name].as_str()?.parse::<u64>().ok();
            Some((number("commitLogMaxOffset")?, number("dispatchBehindBytes")?))
        };
        let mut taken = None;
        eventually("readers get what was taken", || {
            let Some((end, behind)) = state() else { return false };
            end.saturating_sub(behind) >= *taken.get_or_insert(end)
        });
    }

    /// What the master answers to a question that changes nothing; asked again while it does not answer, or is too busy to.
    fn ask(&self, code: u32, fields: &[(&str, &str)]) -> Result<Vec<u8>, String> {
        let began = Instant::now();
        loop {
            let answer = self.call(&self.master, code, fields, "");
            // Its own words begin with its code: 2 is a broker that is busy, 14 one that has only just begun.
            let is_answer = |why: &str| match why.split_once(':') {
                Some((code, _)) => code.parse::<u32>().is_ok_and(|code| code != 2 && code != 14),
                None => false,
            };
            match answer {
                Err(why) if !is_answer(&why) && began.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(200));
                }
                answer => return answer,
            }
        }
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
        let fields: serde_json::Map<String, Value> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect();
        let header = serde_json::json!({"code": code, "flag": 0, "language": "JAVA", "opaque": 1, "version": 0, "extFields": fields});
        let (header, answer) = exchange(address, header.to_string().as_bytes(), body.trim().as_bytes())
            .map_err(|e| format!("no answer of {address}: {e}"))?;
        match header["code"].as_i64() {
            Some(0) => Ok(answer),
            code => Err(format!(
                "{}: {}",
                code.unwrap_or(-1),
                header["remark"].as_str().unwrap_or("None")
            )),
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
        match self.ask(12, &fields) {
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
        self.settled(run_with(self.send_command(topic, arguments), input))
    }

    /// What came to its end with the broker, when readers have it too.
    fn settled(&self, done: Done) -> Done {
        if [0, 1].contains(&done.code) {
            self.await_dispatched();
        }
        done
    }

    pub(crate) fn send_command(&self, topic: &str, arguments: &[&str]) -> Command {
        let mut send = self.on("send", topic);
        send.arg("--spool").arg(self.path("spool")).args(arguments);
        send
    }

    pub(crate) fn flush(&self) -> Done {
        let mut flush = self.mqsafe(&["spool", "flush", "--spool"]);
        flush.arg(self.path("spool"));
        self.settled(run_with(flush, ""))
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
        let said = self.ask(202, &[("topic", topic)]).unwrap();
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
        eventually("the broker takes the configuration", || {
            self.call(address, 25, &[], now).is_ok()
        });
        Configured(self, address.to_owned(), later)
    }
}

pub(crate) struct Configured<'a>(&'a Case, String, &'static str);

impl Drop for Configured<'_> {
    fn drop(&mut self) {
        let began = Instant::now();
        loop {
            let put_right = self.0.call(&self.1, 25, &[], self.2);
            if put_right.is_ok() || std::thread::panicking() {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{put_right:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// One request and its answer: the header and the body.
fn exchange(address: &str, header: &[u8], body: &[u8]) -> std::io::Result<(Value, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut frame = (4 + header.len() as u32 + body.len() as u32).to_be_bytes().to_vec();
    // The highest byte says how the header is written: 0 is JSON.
    frame.extend((header.len() as u32).to_be_bytes());
    frame.extend(header);
    frame.extend(body);
    stream.write_all(&frame)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer)?;
    let end = 4 + u32::from_be_bytes([0, answer[1], answer[2], answer[3]]) as usize;
    Ok((serde_json::from_slice(&answer[4..end])?, answer[end..].to_vec()))
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
