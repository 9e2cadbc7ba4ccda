//! The three brokers: how a topic is made, and how it is read by somebody else's program.

use crate::cluster::Seen;
use crate::kafka_nodes;
use crate::support;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A broker under test.
pub(crate) trait Broker: Sync {
    fn name(&self) -> &'static str;

    /// What `-b` takes.
    fn url(&self) -> String;

    /// Gives a command what it needs beside `-b`.
    fn log_in(&self, _: &mut Command) {}

    /// Makes a topic or queue with a name that was never used.
    fn make(&self) -> String;

    /// Everything that is in it. A queue is empty afterwards.
    fn read(&self, topic: &str) -> Vec<Seen>;

    /// Whether `verify` reads it, and counts duplicates.
    fn verifies(&self) -> bool;

    /// About as many messages as are delivered in a third of a second.
    fn lines_a_run(&self) -> usize;
}

/// The brokers that are up.
pub(crate) fn all(test: &str) -> Vec<Box<dyn Broker>> {
    let test = format!("killed::{test}");
    let mut brokers: Vec<Box<dyn Broker>> = Vec::new();
    brokers.extend(Kafka::new(&test).map(|b| Box::new(b) as Box<dyn Broker>));
    brokers.extend(Rabbit::new(&test).map(|b| Box::new(b) as Box<dyn Broker>));
    brokers.extend(Rocket::new(&test).map(|b| Box::new(b) as Box<dyn Broker>));
    brokers
}

fn fresh_name(about: &str) -> String {
    format!("{about}-{:016x}", rand::random::<u64>())
}

/// A script of `tests/brokers`, run to its end; what it printed.
#[track_caller]
pub(crate) fn script(name: &str, arguments: &[&str]) -> String {
    script_with(name, arguments, "")
}

/// The same with something on its stdin.
pub(crate) fn script_with(name: &str, arguments: &[&str], input: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers").join(name);
    let mut child = Command::new(path)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A script that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{name} {arguments:?}: {said}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < Duration::from_secs(180), "never: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

pub(crate) struct Kafka {
    bootstrap: String,
    /// Instead of the cluster itself, for `mqsafe`.
    pub(crate) through: Option<String>,
    admin: AdminClient<DefaultClientContext>,
}

impl Kafka {
    pub(crate) fn new(test: &str) -> Option<Kafka> {
        let bootstrap = support::address(test, "KAFKA_BOOTSTRAP")?;
        let admin = ClientConfig::new()
            .set("bootstrap.servers", &bootstrap)
            .create()
            .unwrap();
        Some(Kafka {
            bootstrap,
            through: None,
            admin,
        })
    }

    /// The leader of each partition and whether all replicas follow; `None` while nobody says.
    pub(crate) fn leaders(&self, topic: &str) -> Option<(Vec<i32>, bool)> {
        let metadata = self.admin.inner().fetch_metadata(None, Duration::from_secs(5)).ok()?;
        let topic = metadata.topics().iter().find(|t| t.name() == topic)?;
        let whole = topic.partitions().iter().all(|p| p.isr().len() == 3);
        Some((topic.partitions().iter().map(|p| p.leader()).collect(), whole))
    }
}

impl Broker for Kafka {
    fn name(&self) -> &'static str {
        "Kafka"
    }

    fn url(&self) -> String {
        format!("kafka://{}", self.through.as_ref().unwrap_or(&self.bootstrap))
    }

    fn make(&self) -> String {
        let name = fresh_name("killed");
        let topic = NewTopic::new(&name, 3, TopicReplication::Fixed(3));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(60)));
        let made = runtime.block_on(self.admin.create_topics([&topic], &options));
        made.unwrap().into_iter().for_each(|t| drop(t.unwrap()));
        eventually("every node has the new topic with its replicas", || {
            kafka_nodes::have_topic(&self.bootstrap, &name, 3, 3)
        });
        name
    }

    /// By kcat. The values of these tests have neither tabs nor line ends.
    fn read(&self, topic: &str) -> Vec<Seen> {
        // It asks once, and a node that has only just come back may not know the topic or its leader yet.
        let mut text = String::new();
        eventually(&format!("kcat reads {topic}"), || {
            let read = Command::new("kcat")
                .args(["-C", "-b", &self.bootstrap, "-t", topic, "-o", "beginning", "-e", "-q"])
                .args(["-X", "isolation.level=read_committed", "-f", "%h\t%s\n"])
                .stdin(Stdio::null())
                .output()
                .unwrap();
            text = String::from_utf8(read.stdout).unwrap();
            read.status.success()
        });
        let seen = |line: &str| {
            let (headers, value) = line.split_once('\t').unwrap();
            let id = headers.split(',').find_map(|h| h.strip_prefix("mqsafe-id="));
            Seen::new(id, value)
        };
        text.lines().map(seen).collect()
    }

    fn verifies(&self) -> bool {
        true
    }

    fn lines_a_run(&self) -> usize {
        1500
    }
}

pub(crate) struct Rabbit {
    pub(crate) amqp: String,
    pub(crate) through: Option<String>,
    management: String,
    user: String,
    password: String,
}

impl Rabbit {
    pub(crate) fn new(test: &str) -> Option<Rabbit> {
        Some(Rabbit {
            amqp: support::address(test, "RABBITMQ_AMQP")?,
            through: None,
            management: support::address(test, "RABBITMQ_MANAGEMENT")?,
            user: support::address(test, "RABBITMQ_USER")?,
            password: support::address(test, "RABBITMQ_PASSWORD")?,
        })
    }

    fn http(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-m", "300", "-w", "\n%{http_code}", "-X", method]);
        curl.args(["-u", &format!("{}:{}", self.user, self.password)]);
        curl.args(["-H", "content-type: application/json", "-d", &body.to_string()]);
        let out = curl.arg(format!("{}/api/{path}", self.management)).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (
            status.parse().unwrap(),
            serde_json::from_str(body).unwrap_or(Value::Null),
        )
    }
}

impl Broker for Rabbit {
    fn name(&self) -> &'static str {
        "RabbitMQ"
    }

    fn url(&self) -> String {
        format!("amqp://{}@{}", self.user, self.through.as_ref().unwrap_or(&self.amqp))
    }

    fn log_in(&self, command: &mut Command) {
        command.env("PW", &self.password).args(["-X", "sasl.password=env:PW"]);
    }

    fn make(&self) -> String {
        let name = fresh_name("killed");
        let queue = json!({"durable": true, "arguments": {"x-queue-type": "quorum"}});
        eventually("the queue is made", || {
            self.http("PUT", &format!("queues/%2F/{name}"), &queue).0 == 201
        });
        name
    }

    /// By the management API, in batches.
    fn read(&self, queue: &str) -> Vec<Seen> {
        let ask = json!({"count": 4000, "ackmode": "ack_requeue_false", "encoding": "auto"});
        let mut all = Vec::new();
        loop {
            let (status, messages) = self.http("POST", &format!("queues/%2F/{queue}/get"), &ask);
            assert_eq!(status, 200, "{messages}");
            let messages = messages.as_array().unwrap().clone();
            if messages.is_empty() {
                return all;
            }
            all.extend(messages.iter().map(|m| {
                let id = m["properties"]["headers"]["mqsafe-id"].as_str();
                Seen::new(id, m["payload"].as_str().unwrap())
            }));
        }
    }

    fn verifies(&self) -> bool {
        false
    }

    fn lines_a_run(&self) -> usize {
        120
    }
}

const ROCKET_QUEUES: usize = 8;

pub(crate) struct Rocket {
    pub(crate) name_server: String,
    pub(crate) through: Option<String>,
    cluster: String,
    pub(crate) master: String,
}

impl Rocket {
    pub(crate) fn new(test: &str) -> Option<Rocket> {
        Some(Rocket {
            name_server: support::address(test, "ROCKETMQ_NAMESRV")?,
            through: None,
            cluster: support::address(test, "ROCKETMQ_CLUSTER")?,
            master: support::address(test, "ROCKETMQ_MASTER")?,
        })
    }

    fn mqadmin(&self, arguments: &[&str]) -> String {
        let mut all = arguments.to_vec();
        all.extend(["-n", &self.name_server]);
        script("mqadmin", &all)
    }
}

impl Broker for Rocket {
    fn name(&self) -> &'static str {
        "RocketMQ"
    }

    fn url(&self) -> String {
        format!("rocketmq://{}", self.through.as_ref().unwrap_or(&self.name_server))
    }

    fn make(&self) -> String {
        let name = fresh_name("killed");
        let queues = ROCKET_QUEUES.to_string();
        let make = [
            "updateTopic",
            "-c",
            &self.cluster,
            "-t",
            &name,
            "-r",
            &queues,
            "-w",
            &queues,
        ];
        eventually("the topic is made", || self.mqadmin(&make).contains("success"));
        name
    }

    /// By mqadmin, which says how far each queue goes before it prints what is in it. It exits 0 whatever happened, so an
    /// answer counts only when it has every queue and as many messages as these hold.
    fn read(&self, topic: &str) -> Vec<Seen> {
        let mut read = None;
        eventually("mqadmin prints all of the topic", || {
            read = printed(&self.mqadmin(&["printMsg", "-t", topic, "-d", "true"]));
            read.is_some()
        });
        read.unwrap()
    }

    fn verifies(&self) -> bool {
        true
    }

    fn lines_a_run(&self) -> usize {
        60
    }
}

/// What `printMsg` printed, when it is all.
fn printed(said: &str) -> Option<Vec<Seen>> {
    let number = |line: &str, name: &str| -> Option<u64> {
        let (_, rest) = line.split_once(name)?;
        rest.split(',').next()?.trim().parse().ok()
    };
    let held = |line: &str| Some(number(line, "maxOffset=")? - number(line, "minOffset=")?);
    let queues: Vec<u64> = said
        .lines()
        .filter(|l| l.starts_with("minOffset="))
        .filter_map(held)
        .collect();
    let seen = |line: &str| {
        let (head, body) = line.split_once("] BODY: ")?;
        let id = head.split_once("mqsafe-id=").map(|(_, rest)| {
            let end = rest.find([',', '}']).unwrap_or(rest.len());
            &rest[..end]
        });
        Some(Seen::new(id, body))
    };
    let all: Vec<Seen> = said
        .lines()
        .filter(|l| l.starts_with("MSGID:"))
        .filter_map(seen)
        .collect();
    (queues.len() == ROCKET_QUEUES && all.len() as u64 == queues.iter().sum::<u64>()).then_some(all)
}

#[test]
fn what_mqadmin_prints_is_read_whole_or_not_at_all() {
    let message = "MSGID: 7F MessageExt [queueId=0, toString()=Message{topic='t', properties={WAIT=true, mqsafe-id=1 p t/b/0}, body=[1]}] BODY: line\n";
    let queue = |held: u32| format!("minOffset=0, maxOffset={held}, MessageQueue [topic=t, queueId=0]\n");
    let empty = queue(0).repeat(ROCKET_QUEUES - 1);
    let whole = empty.clone() + &queue(1) + message;
    assert_eq!(printed(&whole), Some(vec![Seen::new(Some("1 p t/b/0"), "line")]));
    for broken in [
        empty.clone(),
        empty.clone() + message,
        empty + &queue(2) + message,
        String::new(),
    ] {
        assert_eq!(printed(&broken), None, "{broken}");
    }
}

/// Numbers that are missing from 1 to the last in any lane, as the stamps tell.
pub(crate) fn missing_numbers(seen: &[Seen]) -> usize {
    let mut lanes: BTreeMap<&str, std::collections::BTreeSet<u64>> = BTreeMap::new();
    for id in seen.iter().filter_map(|s| s.id.as_deref()) {
        let (seq, lane) = id.split_once(' ').unwrap();
        lanes.entry(lane).or_default().insert(seq.parse().unwrap());
    }
    let missing = |numbers: &std::collections::BTreeSet<u64>| *numbers.last().unwrap() as usize - numbers.len();
    lanes.values().map(missing).sum()
}
