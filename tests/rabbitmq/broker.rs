//! The broker under test, and its management API as the judge.

use crate::support;
use mqsafe::connect::{BrokerUrl, ClientProperties, Connection};
use mqsafe::model::{Delivery, Endpoint, Offer, Outgoing, Publish};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

static QUIET: RwLock<()> = RwLock::new(());

/// Held by a test: shared by those that only use the broker, alone by those that disturb it.
pub(crate) enum Turn {
    #[allow(dead_code, reason = "held")]
    Shared(RwLockReadGuard<'static, ()>),
    #[allow(dead_code, reason = "held")]
    Alone(RwLockWriteGuard<'static, ()>),
}

/// The same broker over TLS.
pub(crate) struct Secured {
    pub(crate) amqp: String,
    pub(crate) management: String,
    pub(crate) ca: String,
}

pub(crate) struct Broker {
    pub(crate) amqp: String,
    pub(crate) management: String,
    pub(crate) secured: Secured,
    user: String,
    pub(crate) password: String,
    #[allow(dead_code, reason = "held")]
    turn: Turn,
}

impl Broker {
    /// The broker, shared with others; `None` when there is none, which the test has then said.
    pub(crate) fn shared(test: &str) -> Option<Broker> {
        Broker::with(test, Turn::Shared(QUIET.read().unwrap_or_else(|e| e.into_inner())))
    }

    /// The broker alone.
    pub(crate) fn alone(test: &str) -> Option<Broker> {
        Broker::with(test, Turn::Alone(QUIET.write().unwrap_or_else(|e| e.into_inner())))
    }

    /// RabbitMQ 4, shared with others; `None` when there is none, which the test has then said.
    pub(crate) fn second(test: &str) -> Option<Broker> {
        if std::env::var_os("RABBITMQ4_AMQP").is_none_or(|v| v.is_empty()) {
            support::skip(
                test,
                "needs a second Debian, which tests/brokers/up rabbitmq4 makes for root",
            );
            return None;
        }
        let turn = Turn::Shared(QUIET.read().unwrap_or_else(|e| e.into_inner()));
        Broker::of("RABBITMQ4", test, turn)
    }

    fn with(test: &str, turn: Turn) -> Option<Broker> {
        let broker = Broker::of("RABBITMQ", test, turn)?;
        broker.await_counted();
        Some(broker)
    }

    /// Whoever was started again a moment ago answers, and has counted nothing yet: an audit says so.
    fn await_counted(&self) {
        eventually("the management API tells of its node", || {
            let (status, nodes) = self.http("GET", "nodes", &Value::Null);
            let counted = |node: &Value| !node["disk_free_limit"].is_null();
            status == 200 && nodes.as_array().is_some_and(|all| all.iter().all(counted))
        });
    }

    fn of(name: &str, test: &str, turn: Turn) -> Option<Broker> {
        let address = |key: &str| support::address(test, &format!("{name}_{key}"));
        Some(Broker {
            amqp: address("AMQP")?,
            management: address("MANAGEMENT")?,
            secured: Secured {
                amqp: address("AMQPS")?,
                management: address("MANAGEMENT_TLS")?,
                ca: format!("{}/ca.pem", support::address(test, "CERTS_DIR")?),
            },
            user: address("USER")?,
            password: address("PASSWORD")?,
            turn,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("amqp://{}@{}", self.user, self.amqp)
    }

    pub(crate) fn connection(&self) -> Connection {
        self.connection_with(&[])
    }

    pub(crate) fn connection_with(&self, more: &[&str]) -> Connection {
        self.connection_as(&self.url(), &self.password, more)
    }

    pub(crate) fn connection_as(&self, url: &str, password: &str, more: &[&str]) -> Connection {
        let mut properties = vec!["sasl.password=env:P".to_owned()];
        properties.extend(more.iter().map(|p| (*p).to_owned()));
        Connection {
            url: BrokerUrl::parse(url).unwrap(),
            properties: ClientProperties::parse(
                &properties,
                |path| std::fs::read_to_string(path),
                |_| Some(password.to_owned()),
            )
            .unwrap(),
            management: None,
        }
    }

    /// Asks the management API: the status and the body.
    pub(crate) fn http(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
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

    /// Makes a queue with a fresh name.
    pub(crate) fn queue(&self, about: &str, kind: &str, more: Value) -> String {
        let name = format!("t.{about}.{}.{}", kind, nonce());
        let mut arguments = more;
        arguments["x-queue-type"] = json!(kind);
        let (status, answer) = self.http(
            "PUT",
            &format!("queues/%2F/{name}"),
            &json!({"durable": true, "arguments": arguments}),
        );
        assert_eq!(status, 201, "{answer}");
        name
    }

    /// Takes every message out of a queue.
    pub(crate) fn take(&self, queue: &str) -> Vec<Value> {
        let ask = json!({"count": 200_000, "ackmode": "ack_requeue_false", "encoding": "auto"});
        let (status, messages) = self.http("POST", &format!("queues/%2F/{queue}/get"), &ask);
        assert_eq!(status, 200, "{messages}");
        messages.as_array().unwrap().clone()
    }

    /// Publishes by the management API.
    pub(crate) fn put(&self, queue: &str, properties: Value, payload: &str) {
        let message =
            json!({"properties": properties, "routing_key": queue, "payload": payload, "payload_encoding": "string"});
        let (status, answer) = self.http("POST", "exchanges/%2F/amq.default/publish", &message);
        assert_eq!((status, &answer["routed"]), (200, &json!(true)));
    }

    /// Starts RabbitMQ's own PerfTest with one sender and no receiver, which declares nothing.
    pub(crate) fn perf_test(&self, exchange: &str, key: &str, arguments: &[&str]) -> std::process::Child {
        let script = format!("{}/tests/brokers/perf-test", env!("CARGO_MANIFEST_DIR"));
        let mut url = self.url();
        url.insert_str(url.find('@').unwrap(), &format!(":{}", self.password));
        Command::new(script)
            .args([
                "-h", &url, "-x", "1", "-y", "0", "-p", "-c", "500", "-e", exchange, "-k", key,
            ])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// A script of `tests/brokers`.
    pub(crate) fn script(&self, name: &str) {
        let script = format!("{}/tests/brokers/{name}", env!("CARGO_MANIFEST_DIR"));
        let done = Command::new(script)
            .arg("rabbitmq")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success(), "{name} failed");
    }
}

impl Broker {
    /// Evaluates Erlang in the server, and gives what it returned.
    pub(crate) fn eval(&self, expressions: &str) -> String {
        self.try_eval(expressions)
            .unwrap_or_else(|answer| panic!("{expressions}: {answer}"))
    }

    fn try_eval(&self, expressions: &str) -> Result<String, String> {
        let script = format!("{}/tests/brokers/rabbitmq-eval", env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(expressions.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        let answer = String::from_utf8_lossy(&done.stdout).trim().to_owned();
        if done.status.success() { Ok(answer) } else { Err(answer) }
    }

    /// How many messages a queue holds, as the queue itself says: the management API counts every five seconds.
    pub(crate) fn count(&self, queue: &str) -> u64 {
        self.try_count("/", queue).unwrap_or_else(|answer| panic!("{answer}"))
    }

    fn try_count(&self, host: &str, queue: &str) -> Result<u64, String> {
        let answer = self.try_eval(&format!(
            "{{ok, Q}} = rabbit_amqqueue:lookup({}), {{ok, N, _}} = rabbit_amqqueue:stat(Q), N.",
            resource_in(host, queue)
        ))?;
        let digits = answer.trim_start_matches("{ok,").trim_end_matches('}').trim();
        digits.parse().map_err(|_| answer.clone())
    }

    /// Waits until so many can be had of a queue: what somebody looked at and gave back comes back a moment after that one has gone,
    /// and a server that was started again has its queues back one after another.
    pub(crate) fn await_count(&self, queue: &str, count: u64) {
        self.await_count_in("/", queue, count);
    }

    /// The same in another virtual host.
    pub(crate) fn await_count_in(&self, host: &str, queue: &str, count: u64) {
        let mut told = Err("nobody was asked".to_owned());
        eventually(&format!("{queue} holds {count}"), || {
            told = self.try_count(host, queue);
            told == Ok(count)
        });
    }

    /// Makes a durable queue what it is while its node is down: defined, and not running. `false` brings it back.
    pub(crate) fn down(&self, queue: &str, down: bool) {
        let name = resource(queue);
        let kept = format!("{{mqsafe_down, <<\"{queue}\">>}}");
        self.eval(&if down {
            format!(
                "[Q] = mnesia:dirty_read(rabbit_queue, {name}), persistent_term:put({kept}, Q), \
                 mnesia:dirty_delete(rabbit_queue, {name})."
            )
        } else {
            format!("mnesia:dirty_write(rabbit_queue, persistent_term:get({kept})).")
        });
    }
}

/// The name of a queue in the default virtual host, in Erlang.
fn resource(queue: &str) -> String {
    resource_in("/", queue)
}

fn resource_in(host: &str, queue: &str) -> String {
    format!("{{resource, <<\"{host}\">>, queue, <<\"{queue}\">>}}")
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

pub(crate) fn nonce() -> String {
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos();
    format!("{nanos:x}")
}

/// A publisher, and what it reported until now.
pub(crate) struct Sender {
    pub(crate) publisher: Box<dyn Publish>,
    reports: Receiver<(u64, Delivery)>,
    pub(crate) verdicts: BTreeMap<u64, Delivery>,
}

impl Sender {
    pub(crate) fn new(endpoint: &dyn Endpoint) -> Sender {
        let (report, reports) = channel();
        let deliver = Box::new(move |ticket, delivery| drop(report.send((ticket, delivery))));
        Sender {
            publisher: endpoint.publisher(deliver).unwrap(),
            reports,
            verdicts: BTreeMap::new(),
        }
    }

    /// Hands one message over, waiting for room.
    pub(crate) fn offer(&mut self, ticket: u64, lane: &str, value: &[u8]) {
        let end = Instant::now() + Duration::from_secs(120);
        while !self.try_offer(ticket, lane, value) {
            assert!(Instant::now() < end, "no room for {ticket}");
            self.hear(Duration::from_millis(5));
        }
    }

    pub(crate) fn try_offer(&mut self, ticket: u64, lane: &str, value: &[u8]) -> bool {
        let key = format!("k{ticket}");
        let stamp = format!("{ticket} test {lane}");
        let offer = self.publisher.offer(&Outgoing {
            ticket,
            partition: 0,
            lane,
            timestamp_ms: 1_700_000_000_000,
            key: Some(key.as_bytes()),
            value: Some(value),
            headers: &[("h", Some(b"x"))],
            tag: None,
            stamp: &stamp,
            voids: None,
        });
        match offer {
            Offer::Taken => true,
            Offer::Full => false,
            Offer::Settled(delivery) => {
                self.note(ticket, delivery);
                true
            }
        }
    }

    fn note(&mut self, ticket: u64, delivery: Delivery) {
        let before = self.verdicts.insert(ticket, delivery);
        assert_eq!(before, None, "two verdicts for {ticket}");
    }

    /// Takes in what is reported within the time.
    pub(crate) fn hear(&mut self, wait: Duration) {
        if let Ok((ticket, delivery)) = self.reports.recv_timeout(wait) {
            self.note(ticket, delivery);
        }
        while let Ok((ticket, delivery)) = self.reports.try_recv() {
            self.note(ticket, delivery);
        }
    }

    /// Waits until so many have their verdict.
    pub(crate) fn wait_for(&mut self, count: usize, limit: Duration) {
        let end = Instant::now() + limit;
        while self.verdicts.len() < count {
            assert!(Instant::now() < end, "{} of {count} verdicts", self.verdicts.len());
            self.hear(Duration::from_millis(50));
        }
    }

    pub(crate) fn stored(&self) -> Vec<u64> {
        let stored = |(t, d): (&u64, &Delivery)| matches!(d, Delivery::Stored(_)).then_some(*t);
        self.verdicts.iter().filter_map(stored).collect()
    }
}
