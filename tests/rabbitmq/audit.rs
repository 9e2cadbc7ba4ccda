//! `audit` of a running RabbitMQ: what it finds, what it says it could not read, what one death could lose.
//!
//! Each test has a virtual host of its own, so that the lists are exact beside other tests.

use crate::audit_user::User;
use crate::broker::{Broker, nonce};
use crate::support;
use crate::tool::Over;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The server tells of messages and channels every five seconds.
const TOLD: Duration = Duration::from_secs(120);

/// A virtual host that is there for one test.
pub(crate) struct Host<'b> {
    pub(crate) broker: &'b Broker,
    pub(crate) name: String,
}

impl<'b> Host<'b> {
    pub(crate) fn new(broker: &'b Broker) -> Host<'b> {
        let name = format!("audit.{}", nonce());
        let host = Host { broker, name };
        host.put(&format!("vhosts/{}", host.name), json!({}));
        host.put(
            &format!("permissions/{}/guest", host.name),
            json!({"configure": ".*", "write": ".*", "read": ".*"}),
        );
        host
    }

    #[track_caller]
    pub(crate) fn put(&self, path: &str, body: Value) {
        let (status, answer) = self.broker.http("PUT", path, &body);
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
    }

    pub(crate) fn queue(&self, name: &str, durable: bool, arguments: Value) {
        let body = json!({"durable": durable, "arguments": arguments});
        self.put(&format!("queues/{}/{name}", self.name), body);
    }

    pub(crate) fn exchange(&self, name: &str, durable: bool) {
        let body = json!({"type": "direct", "durable": durable});
        self.put(&format!("exchanges/{}/{name}", self.name), body);
    }

    pub(crate) fn bind(&self, exchange: &str, queue: &str) {
        let path = format!("bindings/{}/e/{exchange}/q/{queue}", self.name);
        let (status, answer) = self.broker.http("POST", &path, &json!({"routing_key": "k"}));
        assert_eq!(status, 201, "{answer}");
    }

    pub(crate) fn policy(&self, name: &str, pattern: &str, priority: i64, definition: Value) {
        let body = json!({"pattern": pattern, "apply-to": "queues", "priority": priority, "definition": definition});
        self.put(&format!("policies/{}/{name}", self.name), body);
    }

    /// The audit of this virtual host, with its exit code.
    pub(crate) fn audit(&self, over: Over, user: &str, password: &str, more: &[&str]) -> (i32, Value) {
        let (url, management) = match over {
            Over::Plain => (
                format!("amqp://{user}@{}/{}", self.broker.amqp, self.name),
                self.broker.management.clone(),
            ),
            Over::Tls => (
                format!("amqps://{user}@{}/{}", self.broker.secured.amqp, self.name),
                self.broker.secured.management.clone(),
            ),
        };
        audit(self.broker, &url, &management, over, password, more)
    }

    pub(crate) fn as_guest(&self, more: &[&str]) -> (i32, Value) {
        self.audit(Over::Plain, "guest", &self.broker.password, more)
    }

    pub(crate) fn channel(&self, runtime: &tokio::runtime::Runtime) -> (Connection, Channel) {
        let url = format!(
            "amqp://guest:{}@{}/{}",
            self.broker.password, self.broker.amqp, self.name
        );
        runtime.block_on(async {
            let connection = Connection::connect(&url, ConnectionProperties::default())
                .await
                .unwrap();
            let channel = connection.create_channel().await.unwrap();
            (connection, channel)
        })
    }
}

impl Drop for Host<'_> {
    fn drop(&mut self) {
        self.broker.http("DELETE", &format!("vhosts/{}", self.name), &json!({}));
    }
}

pub(crate) fn audit(
    broker: &Broker,
    url: &str,
    management: &str,
    over: Over,
    password: &str,
    more: &[&str],
) -> (i32, Value) {
    let home = tempfile::TempDir::new().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mqsafe"));
    command
        .env_remove("MQSAFE_LOG")
        .env("HOME", home.path())
        .env("XDG_STATE_HOME", home.path())
        .current_dir(home.path())
        .env("PW", password)
        .args([
            "--no-progress",
            "audit",
            "--format",
            "json",
            "-X",
            "sasl.password=env:PW",
        ])
        .args(["-b", url, "--management", management])
        .args(more);
    if matches!(over, Over::Tls) {
        command.args(["-X", &format!("ssl.ca.location={}", broker.secured.ca)]);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    (output.status.code().unwrap(), report)
}

/// Rule and thing of each finding. What is so because there is one node, with the limits that it starts with, is left to one test.
pub(crate) fn found(report: &Value) -> Vec<String> {
    let mut all: Vec<String> = of_rules(report, |f| {
        format!(
            "{} {}",
            f["rule"].as_str().unwrap(),
            name_of(f["subject"].as_str().unwrap_or_default())
        )
    });
    all.retain(|line| !line.starts_with("RQB"));
    all
}

/// The name between the first pair of back ticks.
pub(crate) fn name_of(subject: &str) -> &str {
    subject.split('`').nth(1).unwrap_or(subject)
}

pub(crate) fn of_rules(report: &Value, tell: impl Fn(&Value) -> String) -> Vec<String> {
    let mut all: Vec<String> = report["findings"].as_array().unwrap().iter().map(tell).collect();
    all.sort();
    all
}

#[track_caller]
pub(crate) fn finding<'r>(report: &'r Value, rule: &str, name: &str) -> &'r Value {
    let all = report["findings"].as_array().unwrap();
    let is = |f: &&Value| f["rule"] == rule && f["subject"].as_str().is_some_and(|s| name_of(s) == name);
    all.iter().find(is).unwrap_or_else(|| panic!("no {rule} of {name}"))
}

/// Names what could not be read.
pub(crate) fn unread(report: &Value) -> Vec<&str> {
    let all = report["running"][0]["unread"].as_array().unwrap();
    all.iter().map(|u| u["what"].as_str().unwrap()).collect()
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

pub(crate) fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < TOLD, "never: {what}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn a_well_configured_broker_has_what_one_node_cannot_have() {
    let Some(broker) = Broker::shared("a_well_configured_broker_has_what_one_node_cannot_have") else {
        return;
    };
    let host = Host::new(&broker);
    let quorum = json!({"x-queue-type": "quorum"});
    host.queue("orders", true, quorum.clone());
    host.queue("orders.dead", true, quorum);
    host.exchange("shop", true);
    host.bind("shop", "orders");
    host.policy(
        "safe",
        "^orders$",
        1,
        json!({"dead-letter-exchange": "", "dead-letter-routing-key": "orders.dead",
            "dead-letter-strategy": "at-least-once", "overflow": "reject-publish", "max-length": 1000}),
    );
    let (code, report) = host.as_guest(&[]);
    let all = of_rules(&report, |f| {
        format!(
            "{} {}",
            f["rule"].as_str().unwrap(),
            f["subject"].as_str().unwrap_or("-")
        )
    });
    // One node has one copy, and a member each; the limits are those that it starts with.
    let cluster = all.iter().find(|l| l.starts_with("RQB006 cluster ")).cloned();
    let mut expected = [
        "RQB003 rabbitmq@localhost".to_owned(),
        cluster.unwrap_or_default(),
        format!("RQT012 queue `orders` in virtual host `{}`", host.name),
        format!("RQT012 queue `orders.dead` in virtual host `{}`", host.name),
    ];
    expected.sort();
    assert_eq!((code, all), (1, expected.to_vec()));
    assert_eq!(unread(&report), [""; 0]);
    let disk = &finding(&report, "RQB003", "rabbitmq@localhost")["command"];
    assert_eq!(
        *disk,
        "rabbitmqctl -n rabbitmq@localhost set_disk_free_limit mem_relative 1.0"
    );

    // The same over TLS, for a user who may only look: the tag, and an entry that allows nothing.
    let user = format!("auditor.{}", nonce());
    host.put(
        &format!("users/{user}"),
        json!({"password": "look", "tags": "monitoring"}),
    );
    let (code, blind) = host.audit(Over::Tls, &user, "look", &[]);
    assert_eq!(code, 1, "{blind}");
    assert!(
        unread(&blind).contains(&"the virtual hosts") || unread(&blind).contains(&"the queues"),
        "{blind}"
    );
    let next = blind["running"][0]["unread"][0]["next"].as_str().unwrap();
    assert!(
        next.contains("monitoring") && next.contains("set_permissions"),
        "{next}"
    );
    host.put(
        &format!("permissions/{}/{user}", host.name),
        json!({"configure": "", "write": "", "read": ""}),
    );
    let (code, seen) = host.audit(Over::Tls, &user, "look", &[]);
    assert_eq!((code, found(&seen)), (1, found(&report)));
    assert_eq!(unread(&seen), [""; 0]);
    broker.http("DELETE", &format!("users/{user}"), &json!({}));
}

#[test]
fn a_badly_configured_broker_is_told_by_every_rule_that_it_breaks() {
    let Some(broker) = Broker::shared("a_badly_configured_broker_is_told_by_every_rule_that_it_breaks") else {
        return;
    };
    let host = Host::new(&broker);
    host.queue("transient", false, json!({}));
    host.queue("full", true, json!({"x-max-length": 5, "x-queue-type": "classic"}));
    host.queue("odd", true, json!({"x-queue-type": "quorum"}));
    host.queue("idle", true, json!({"x-queue-type": "quorum"}));
    host.exchange("empty", true);
    host.exchange("fleeting", false);
    host.bind("fleeting", "full");
    host.policy("low", "^odd$", 1, json!({"dead-letter-exchange": "nowhere"}));
    host.policy(
        "high",
        "^o",
        2,
        json!({"overflow": "reject-publish-dlx", "max-length": 9}),
    );
    host.policy(
        "ends",
        "^idle$",
        1,
        json!({"dead-letter-exchange": "nowhere", "message-ttl": 60_000}),
    );
    let threads = runtime();
    let (publisher, channel) = host.channel(&threads);
    // A consumer that is dropped goes.
    let _consumer = threads.block_on(async {
        let publish = async |exchange: &str, key: &str| {
            let options = BasicPublishOptions::default();
            let transient = BasicProperties::default();
            let sent = channel.basic_publish(
                ShortString::from(exchange),
                ShortString::from(key),
                options,
                b"x",
                transient,
            );
            drop(sent.await.unwrap());
        };
        publish("", "full").await;
        publish("", "full").await;
        publish("empty", "k").await;
        let options = BasicConsumeOptions {
            no_ack: true,
            ..BasicConsumeOptions::default()
        };
        let consumer = channel.basic_consume("transient".into(), "tag".into(), options, FieldTable::default());
        consumer.await.unwrap()
    });
    // A queue with an argument of its own, and one with a policy.
    let mut report = Value::Null;
    let at_last = ["RQC001", "RQP001", "RQP002", "RQP003"];
    eventually("the server tells of messages and channels", || {
        report = host.as_guest(&[]).1;
        let all = found(&report);
        // It may have counted between the one and the other.
        let both = "2 of 2 messages in durable queue `full` are transient";
        let findings = report["findings"].as_array().unwrap();
        let counted = findings
            .iter()
            .any(|f| f["message"].as_str().is_some_and(|m| m.starts_with(both)));
        // Which policy a queue has is told with its messages, and a command needs it.
        let has_command = |rule: &str, name: &str| {
            let findings = report["findings"].as_array().unwrap();
            findings.iter().any(|f| {
                f["rule"] == rule
                    && name_of(f["subject"].as_str().unwrap_or_default()) == name
                    && f["command"].is_string()
            })
        };
        has_command("RQT006", "odd")
            && has_command("RQT009", "odd")
            && has_command("RQT009", "full")
            && counted
            && at_last.iter().all(|rule| all.iter().any(|line| line.starts_with(rule)))
    });
    assert_eq!(
        found(&report),
        [
            "RQC001 transient",
            "RQP001 guest",
            &format!("RQP002 {}", host.name),
            "RQP003 full",
            "RQT001 transient",
            "RQT002 full",
            "RQT004 fleeting",
            "RQT005 full",
            "RQT006 odd",
            "RQT009 full",
            "RQT009 idle",
            "RQT009 odd",
            "RQT010 idle",
            "RQT012 idle",
            "RQT012 odd",
            "RQT014 low",
            "X-R03 empty",
        ]
    );
    let told =
        |rule: &str, name: &str, field: &str| finding(&report, rule, name)[field].as_str().unwrap_or("-").to_owned();
    assert!(told("RQP003", "full", "message").starts_with("2 of 2 messages in durable queue `full` are transient"));
    assert!(told("RQP001", "guest", "message").starts_with("user `guest` publishes without confirms (1 channel: "));
    assert!(told("RQP002", &host.name, "message").contains("1 messages were dropped"));
    assert!(told("RQC001", "transient", "message").contains("(1 of 1 consumers: "));
    assert_eq!(told("RQT005", "full", "origin"), "the queue itself");
    // A policy for one queue outranks the one in force, and repeats what that one gives.
    let host_name = &host.name;
    assert_eq!(
        told("RQT006", "odd", "command"),
        format!(
            "rabbitmqadmin -V {host_name} declare queue name=odd.dead-letters durable=true arguments='{{\"x-queue-type\":\"quorum\"}}' && \
             rabbitmqctl set_policy -p {host_name} --priority 3 --apply-to queues odd.durability '^odd$' \
             '{{\"max-length\":9,\"overflow\":\"reject-publish\",\"dead-letter-exchange\":\"\",\"dead-letter-routing-key\":\"odd.dead-letters\"}}'"
        )
    );
    // The second of two policies of one queue would undo the first: both findings tell the one that mends both.
    assert_eq!(told("RQT006", "odd", "command"), told("RQT009", "odd", "command"));
    assert_eq!(told("RQT005", "full", "command"), told("RQT009", "full", "command"));
    assert_eq!(
        told("RQT009", "full", "command"),
        format!(
            "rabbitmqadmin -V {host_name} declare queue name=full.dead-letters durable=true arguments='{{\"x-queue-type\":\"quorum\"}}' && \
             rabbitmqctl set_policy -p {host_name} --priority 0 --apply-to queues full.durability '^full$' \
             '{{\"overflow\":\"reject-publish\",\"dead-letter-exchange\":\"\",\"dead-letter-routing-key\":\"full.dead-letters\"}}'"
        )
    );
    // What one death could lose.
    let at_risk = &report["running"][0]["at_risk"];
    let losses: Vec<(&str, &str)> = at_risk[0]["losses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| (l["name"].as_str().unwrap(), l["why"].as_str().unwrap()))
        .collect();
    assert_eq!(
        (at_risk.as_array().unwrap().len(), &at_risk[0]["node"]),
        (1, &json!("rabbitmq@localhost"))
    );
    assert_eq!(
        losses,
        [
            ("full", "a classic queue lives on one node; 2 messages are in it"),
            ("idle", "the quorum queue has one member"),
            ("odd", "the quorum queue has one member"),
            (
                "transient",
                "it is not durable: it goes with its node, with or without the disk"
            ),
        ]
    );
    // The same over TLS, for a user who has what the tool lists and nothing more.
    let auditor = User::new(&broker, "monitoring");
    auditor.enters(&host, "");
    let (code, seen) = auditor.audit(&host, &[]);
    assert_eq!((code, unread(&seen)), (1, Vec::new()));
    let whole = |report: &Value| {
        let told = of_rules(report, |f| {
            format!(
                "{} {} {} {} {}",
                f["rule"], f["severity"], f["subject"], f["message"], f["command"]
            )
        });
        (told, report["running"][0]["at_risk"].clone())
    };
    assert_eq!(whole(&seen), whole(&report));
    // Only what is asked for is told, and still judged with everything that is there.
    let (_, some) = host.as_guest(&["--queue", "f*", "--exclude", "fleet*"]);
    assert_eq!(
        found(&some).iter().filter(|l| l.starts_with("RQT")).collect::<Vec<_>>(),
        ["RQT002 full", "RQT005 full", "RQT009 full", "RQT014 low"]
    );
    assert_eq!(some["running"][0]["at_risk"][0]["losses"].as_array().unwrap().len(), 1);
    threads.block_on(publisher.close(200, "bye".into())).unwrap();
}

#[test]
fn a_look_into_queues_shows_transient_messages_and_takes_none() {
    let Some(broker) = Broker::shared("a_look_into_queues_shows_transient_messages_and_takes_none") else {
        return;
    };
    let host = Host::new(&broker);
    host.queue("looked", true, json!({}));
    host.queue("left", true, json!({"x-queue-type": "quorum"}));
    for (queue, mode) in [("looked", 2), ("looked", 1), ("looked", 1), ("left", 1)] {
        let message = json!({"properties": {"delivery_mode": mode}, "routing_key": queue, "payload": "x", "payload_encoding": "string"});
        let path = format!("exchanges/{}/amq.default/publish", host.name);
        assert_eq!(broker.http("POST", &path, &message), (200, json!({"routed": true})));
    }
    let (_, report) = host.as_guest(&["--peek", "2"]);
    let message = finding(&report, "RQP003", "looked")["message"].as_str().unwrap();
    assert!(
        message.starts_with("1 of 2 messages in durable queue `looked` are transient"),
        "{message}"
    );
    assert!(!found(&report).contains(&"RQP003 left".to_owned()));
    let take = json!({"count": 9, "ackmode": "ack_requeue_false", "encoding": "auto"});
    let taken = |queue: &str| {
        broker
            .http("POST", &format!("queues/{}/{queue}/get", host.name), &take)
            .1
    };
    broker.await_count_in(&host.name, "looked", 3);
    broker.await_count_in(&host.name, "left", 1);
    let is_again = |message: &Value| message["redelivered"] == json!(true);
    let looked = taken("looked");
    assert_eq!(
        looked.as_array().unwrap().iter().map(is_again).collect::<Vec<_>>(),
        [true, true, false]
    );
    // A quorum queue stores every message and counts deliveries, so it is not looked into.
    assert_eq!(
        taken("left")
            .as_array()
            .unwrap()
            .iter()
            .map(is_again)
            .collect::<Vec<_>>(),
        [false]
    );
}

#[test]
fn who_may_not_look_and_who_is_not_there_are_named() {
    let Some(broker) = Broker::shared("who_may_not_look_and_who_is_not_there_are_named") else {
        return;
    };
    let Some(file) = support::address(
        "who_may_not_look_and_who_is_not_there_are_named",
        "RABBITMQ_FEW_PASSWORD_FILE",
    ) else {
        return;
    };
    let password = std::fs::read_to_string(file).unwrap();
    let url = |user: &str| format!("amqp://{user}@{}", broker.amqp);
    let ask = |user: &str, password: &str, management: &str| {
        let (code, report) = audit(&broker, &url(user), management, Over::Plain, password, &[]);
        let unread = report["running"][0]["unread"].clone();
        assert_eq!((code, unread.as_array().unwrap().len()), (3, 1), "{report}");
        let words = |key: &str| unread[0][key].as_str().unwrap().to_owned();
        (words("what"), words("why"), words("next"))
    };
    let (what, why, next) = ask("few", &password, &broker.management);
    assert_eq!(what, format!("the management API of RabbitMQ at {}", broker.management));
    assert_eq!(why, "Not management user (401)");
    assert!(next.contains("rabbitmqctl set_user_tags few monitoring"), "{next}");
    let (_, why, _) = ask("guest", "hunter2", &broker.management);
    assert!(why.contains("401") && !why.contains("hunter2"), "{why}");
    let (what, why, next) = ask("guest", &broker.password, "http://127.0.0.1:1");
    assert_eq!(what, "the management API of RabbitMQ at http://127.0.0.1:1");
    assert!(
        why.contains("refused") && next.contains("rabbitmq_management"),
        "{why} {next}"
    );
    // The AMQP port is no management API.
    let (_, why, _) = ask("guest", &broker.password, &format!("http://{}", broker.amqp));
    assert!(why.contains("not the management API"), "{why}");
    // A user with an entry nowhere is shown empty lists by the server: that is not "nothing there".
    let user = format!("auditor.{}", nonce());
    broker.http(
        "PUT",
        &format!("users/{user}"),
        &json!({"password": "look", "tags": "monitoring"}),
    );
    let (code, report) = audit(&broker, &url(&user), &broker.management, Over::Plain, "look", &[]);
    broker.http("DELETE", &format!("users/{user}"), &json!({}));
    assert!(unread(&report).contains(&"virtual host /"), "{report}");
    // What is known of the node alone is found all the same.
    let queues: Vec<String> = found(&report).into_iter().filter(|l| l.starts_with("RQT")).collect();
    assert_eq!((code, queues), (1, Vec::new()));
}

#[test]
fn queues_are_read_page_by_page() {
    let Some(broker) = Broker::shared("queues_are_read_page_by_page") else {
        return;
    };
    let (count, limit) = match support::full() {
        true => (10_000, Duration::from_secs(120)),
        false => (600, Duration::from_secs(90)),
    };
    let host = Host::new(&broker);
    let queues: Vec<Value> = (0..count)
        .map(|n| json!({"name": format!("q{n:05}"), "durable": true, "auto_delete": false, "arguments": {"x-queue-type": "classic"}}))
        .collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({"queues": queues}).to_string()).unwrap();
    let done = std::process::Command::new("curl")
        .args(["-s", "-m", "300", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST"])
        .args([
            "-u",
            &format!("guest:{}", broker.password),
            "-H",
            "content-type: application/json",
        ])
        .arg("-d")
        .arg(format!("@{}", file.path().display()))
        .arg(format!("{}/api/definitions/{}", broker.management, host.name))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout), "204");
    let start = Instant::now();
    let (_, report) = host.as_guest(&[]);
    let took = start.elapsed();
    let classic = found(&report).iter().filter(|line| line.starts_with("RQT002 ")).count();
    assert_eq!(classic, count);
    let running = &report["running"][0];
    let losses = running["at_risk"][0]["losses"].as_array().unwrap();
    assert_eq!(losses.len(), count);
    let requests = running["requests"].as_u64().unwrap();
    println!("{count} queues: {requests} requests, {took:?}");
    assert!(requests <= 10 + (count as u64).div_ceil(500), "{requests}");
    assert!(took < limit, "{took:?}");
}

/// An audit that goes on beside the test.
fn start(host: &Host<'_>, home: &tempfile::TempDir) -> std::process::Child {
    std::fs::write(home.path().join("settings.yaml"), "select: [RQT001]\n").unwrap();
    std::process::Command::new(env!("CARGO_BIN_EXE_mqsafe"))
        .env("HOME", home.path())
        .current_dir(home.path())
        .env("PW", &host.broker.password)
        .args([
            "--no-progress",
            "audit",
            "--format",
            "json",
            "--config",
            "settings.yaml",
        ])
        .args(["-X", "sasl.password=env:PW", "--management", &host.broker.management])
        .args(["-b", &format!("amqp://guest@{}/{}", host.broker.amqp, host.name)])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets a server go on that hangs, and starts one that is dead, also when a test fails.
struct Healed<'b>(&'b Broker);

impl Drop for Healed<'_> {
    fn drop(&mut self) {
        self.0.script("cont");
        self.0.script("up");
    }
}

#[test]
fn a_server_that_dies_or_hangs_while_it_is_asked_is_never_clean() {
    let test = "rabbitmq::a_server_that_dies_or_hangs_while_it_is_asked_is_never_clean";
    let Some(broker) = Broker::alone(test) else { return };
    let Some(logs) = support::address(test, "RABBITMQ_LOGS") else {
        return;
    };
    let host = Host::new(&broker);
    // Dropped before the virtual host is.
    let _healed = Healed(&broker);
    // Several pages.
    let queues = 700;
    for n in 0..queues {
        host.queue(&format!("q{n}"), true, json!({}));
    }
    let home = tempfile::TempDir::new().unwrap();
    let pid = || {
        let file = std::path::Path::new(&logs).parent().unwrap().join("pid");
        let text = std::fs::read_to_string(file).unwrap();
        text.split_whitespace().next().unwrap().to_owned()
    };
    let signal = |name: &str| {
        let done = std::process::Command::new("kill").args([name, &pid()]).status();
        assert!(done.unwrap().success());
    };
    let judged = |child: std::process::Child| {
        let start = Instant::now();
        let done = child.wait_with_output().unwrap();
        assert!(start.elapsed() < Duration::from_secs(150));
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        let unread = report["running"][0]["unread"].as_array().unwrap().len();
        match done.status.code() {
            Some(0) => assert_eq!(unread, 0, "{report}"),
            Some(3) => assert!(unread > 0, "{report}"),
            other => panic!("{other:?}: {report}"),
        }
        unread > 0
    };
    assert!(!judged(start(&host, &home)), "the whole of it is read");
    let rounds = if support::full() { 20 } else { 2 };
    let mut missed = 0;
    // Some more where the machine was so fast that each signal came too late.
    for round in 0..3 * rounds {
        if round >= rounds && missed > 0 {
            break;
        }
        let delay = Duration::from_millis(30 + round % rounds * 200 / rounds);
        let running = start(&host, &home);
        std::thread::sleep(delay);
        signal("-STOP");
        missed += u32::from(judged(running));
        signal("-CONT");
        let running = start(&host, &home);
        std::thread::sleep(delay);
        signal("-KILL");
        missed += u32::from(judged(running));
        assert!(judged(start(&host, &home)), "nobody is there");
        broker.script("up");
        // It has counted nothing yet, and is called whole only when it has.
        let end = Instant::now() + TOLD;
        while judged(start(&host, &home)) {
            assert!(Instant::now() < end, "the server does not tell everything again");
            std::thread::sleep(Duration::from_millis(500));
        }
    }
    assert!(missed > 0, "no audit met a server that died");
}

/// Gives the server its watermark back, also when a test fails.
struct Watermark<'b>(&'b Broker);

impl Watermark<'_> {
    const USUAL: &'static str = "vm_memory_monitor:set_vm_memory_high_watermark(0.4).";
}

impl Drop for Watermark<'_> {
    fn drop(&mut self) {
        self.0.eval(Watermark::USUAL);
    }
}

#[test]
fn a_node_in_trouble_and_a_queue_without_its_members_are_told() {
    let Some(broker) = Broker::alone("rabbitmq::a_node_in_trouble_and_a_queue_without_its_members_are_told") else {
        return;
    };
    let host = Host::new(&broker);
    host.queue("replicated", true, json!({"x-queue-type": "quorum"}));
    let told = |report: &Value| -> Vec<String> {
        let all = of_rules(report, |f| {
            let word = |key: &str| f[key].as_str().unwrap_or("-").to_owned();
            format!(
                "{} {} {}={}",
                word("severity"),
                word("rule"),
                word("key"),
                word("value")
            )
        });
        all.into_iter()
            .filter(|l| ["RQB004", "RQB007", "RQT015"].iter().any(|rule| l.contains(rule)))
            .collect()
    };
    let awaited = |expected: &[&str]| {
        let end = Instant::now() + TOLD;
        loop {
            let (code, report) = host.as_guest(&[]);
            if told(&report) == expected {
                assert!(expected.is_empty() || code == 1, "{report}");
                return;
            }
            assert!(Instant::now() < end, "{expected:?}: {:?}", told(&report));
            std::thread::sleep(Duration::from_millis(500));
        }
    };
    awaited(&[]);
    broker.eval("rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []}).");
    awaited(&["medium RQB007 @node.alarms=memory"]);
    broker.eval("rabbit_alarm:clear_alarm({resource_limit, memory, node()}).");
    awaited(&[]);
    // A watermark that no memory is below.
    let _healed = Watermark(&broker);
    broker.eval("vm_memory_monitor:set_vm_memory_high_watermark(0).");
    awaited(&[
        "medium RQB004 vm_memory_high_watermark.relative=0",
        "medium RQB007 @node.alarms=memory",
    ]);
    broker.eval(Watermark::USUAL);
    awaited(&[]);
    // The member of the queue ends, as with a node that does not come back.
    let member = format!(
        "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"{}\">>, queue, <<\"replicated\">>)), \
         ra:stop_server(quorum_queues, amqqueue:get_pid(Q)).",
        host.name
    );
    broker.eval(&member);
    awaited(&["high RQT015 @members.online=0"]);
    let start = member.replace("stop_server", "restart_server");
    broker.eval(&start);
    awaited(&[]);
}

#[test]
fn a_file_is_compared_with_what_runs() {
    let Some(broker) = Broker::shared("rabbitmq::a_file_is_compared_with_what_runs") else {
        return;
    };
    let host = Host::new(&broker);
    let home = tempfile::TempDir::new().unwrap();
    let file = home.path().join("definitions.json");
    let name = &host.name;
    let queue = |queue: &str| json!({"vhost": name, "name": queue, "durable": true, "auto_delete": false, "arguments": {"x-queue-type": "classic"}});
    let declared = json!({
        "vhosts": [{"name": name}],
        "queues": [queue("kept"), queue("same"), queue("gone")],
        "exchanges": [{"vhost": name, "name": "orders", "type": "direct", "durable": true, "auto_delete": false, "internal": false,
                       "arguments": {}}],
        "bindings": [],
        "policies": [{"vhost": name, "name": "limit", "pattern": "^kept$", "apply-to": "queues", "priority": 1,
                      "definition": {"max-length": 99}}],
    });
    std::fs::write(&file, serde_json::to_string_pretty(&declared).unwrap()).unwrap();
    let (status, answer) = broker.http("POST", "definitions", &declared);
    assert_eq!(status, 204, "{answer}");
    let auditor = User::new(&broker, "monitoring");
    auditor.enters(&host, "");
    let file = file.to_str().unwrap();
    let drift = |report: &Value| -> Vec<String> {
        let all = of_rules(report, |f| {
            let word = |key: &str| f[key].as_str().unwrap_or("-").to_owned();
            format!("{} {} {}", word("rule"), name_of(&word("subject")), word("key"))
        });
        all.into_iter().filter(|l| l.starts_with("X-R09")).collect()
    };
    for (_, report) in [host.as_guest(&[file]), auditor.audit(&host, &[file])] {
        assert_eq!((drift(&report), unread(&report)), (Vec::new(), Vec::new()), "{report}");
    }

    // Behind the file's back.
    for queue in ["kept", "gone"] {
        assert_eq!(
            broker.http("DELETE", &format!("queues/{name}/{queue}"), &json!({})).0,
            204
        );
    }
    host.queue("kept", false, json!({"x-queue-type": "classic"}));
    host.policy("limit", "^kept$", 1, json!({"max-length": 9}));
    for (scheme, (code, report)) in [
        ("amqp://", host.as_guest(&[file])),
        ("amqps://", auditor.audit(&host, &[file])),
    ] {
        assert_eq!(
            (code, drift(&report)),
            (
                1,
                vec![
                    "X-R09 gone name".to_owned(),
                    "X-R09 kept durable".to_owned(),
                    "X-R09 limit definition.max-length".to_owned()
                ]
            ),
            "{report}"
        );
        // Both places: the file's, and the cluster's.
        let found = finding(&report, "X-R09", "kept");
        assert!(found["file"].as_str().unwrap().ends_with("definitions.json") && found["line"].as_u64().is_some());
        let related = found["related"][0]["file"].as_str().unwrap();
        assert!(related.starts_with(scheme), "{found}");
    }
}
