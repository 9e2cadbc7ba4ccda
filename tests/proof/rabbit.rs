//! The proofs on RabbitMQ, each side in a virtual host of its own, so that both have the same names.
//!
//! Topologies are imported as they are. What an application's file says goes where Spring AMQP puts it: into the fields of the
//! protocol.

use crate::nodes::{Healed, alone, audit, eventually, fresh, named, script, script_with};
use crate::proofs::{self, Of, Proof, SIDES, SOUND_QUEUE, Side};
use crate::support;
use crate::verdict::{Ran, Shown, series};
use crate::worker::{Job, Worker};
use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, BasicQosOptions, BasicRejectOptions,
    ConfirmSelectOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

const FEW: usize = 20;
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn the_rules_of_rabbitmq_are_right() {
    let Some(broker) = Broker::of("proof::the_rules_of_rabbitmq_are_right") else {
        return;
    };
    let _alone = alone(Of::Rabbit);
    let _healed = Healed("rabbitmq");
    series(Of::Rabbit, || {
        let mut all = vec![
            broker.overflow(),
            broker.expiry(),
            broker.vanishing(),
            broker.rejected(),
            broker.unroutable(),
            broker.killed_consumer(),
        ];
        all.extend(broker.killed());
        all
    });
    // The canary: a proof that cannot tell its sides apart fails, with the line that loses and with the one that does not.
    for side in SIDES {
        let proof = proofs::of("RQT005");
        let same = broker.overflow_of([side, side].map(|side| broker.line(proof, side)));
        assert_eq!(same.bad.lost() == 0, side == Side::Good);
        let flaw = same.flaw().unwrap_or_default();
        assert!(flaw.contains("differ"), "{flaw}");
    }
}

/// One queue of each kind, with the exchange that leads to it by its name.
const KINDS: &str = r#"{
  "exchanges": [{ "name": "orders", "type": "direct", "durable": true, "auto_delete": false, "internal": false, "arguments": {} }],
  "queues": [
    { "name": "classic", "durable": true, "auto_delete": false, "arguments": { "x-queue-type": "classic" } },
    { "name": "fleeting", "durable": false, "auto_delete": false, "arguments": { "x-queue-type": "classic" } },
    { "name": "quorum", "durable": true, "auto_delete": false, "arguments": { "x-queue-type": "quorum" } },
    { "name": "stream", "durable": true, "auto_delete": false, "arguments": { "x-queue-type": "stream" } }
  ],
  "bindings": [
    { "source": "orders", "destination": "classic", "destination_type": "queue", "routing_key": "classic", "arguments": {} },
    { "source": "orders", "destination": "fleeting", "destination_type": "queue", "routing_key": "fleeting", "arguments": {} },
    { "source": "orders", "destination": "quorum", "destination_type": "queue", "routing_key": "quorum", "arguments": {} },
    { "source": "orders", "destination": "stream", "destination_type": "queue", "routing_key": "stream", "arguments": {} }
  ]
}"#;

/// What `audit` names for the node is what is lost when it dies with its disk, and holds what is lost when only the process dies.
#[test]
fn queues_that_a_node_takes_with_it_are_named_before() {
    let Some(broker) = Broker::of("proof::queues_that_a_node_takes_with_it_are_named_before") else {
        return;
    };
    let _alone = alone(Of::Rabbit);
    let _healed = Healed("rabbitmq");
    let all: BTreeSet<String> = ["classic", "fleeting", "quorum", "stream"].map(str::to_owned).into();
    let vhost = broker.host(KINDS);
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for queue in &all {
        told.insert(queue.clone(), broker.confirmed(&vhost, queue));
    }
    // The server tells of new queues after some seconds.
    eventually("the audit names every queue", || broker.named(&vhost) == all);
    script_with("rabbitmq-eval", &[], support::DECLARED);
    script("kill", &["rabbitmq", "server"]);
    script("up", &["rabbitmq"]);
    let lost = broker.lacking(&vhost, &told);
    assert_eq!(lost, ["fleeting".to_owned()].into(), "without the disk");
    broker.http("DELETE", &format!("vhosts/{vhost}"), "");

    let vhost = broker.host(KINDS);
    for (queue, told) in &mut told {
        *told = broker.confirmed(&vhost, queue);
    }
    eventually("the audit names every queue", || broker.named(&vhost) == all);
    let named = broker.named(&vhost);
    script("wipe", &["rabbitmq", "server"]);
    script("up", &["rabbitmq"]);
    // The virtual host went too; whoever wants to read needs one.
    broker.http("PUT", &format!("vhosts/{vhost}"), "{}");
    let rights = json!({"configure": ".*", "write": ".*", "read": ".*"}).to_string();
    broker.http("PUT", &format!("permissions/{vhost}/{}", broker.user), &rights);
    assert_eq!(broker.lacking(&vhost, &told), named);
    broker.http("DELETE", &format!("vhosts/{vhost}"), "");
}

struct Broker {
    amqp: String,
    management: String,
    user: String,
    password: String,
    runtime: tokio::runtime::Runtime,
}

/// One side of a proof: a virtual host with its topology, and what became of the messages.
struct Line {
    proof: &'static Proof,
    text: String,
    vhost: String,
    publishing: Publishing,
    told: BTreeSet<String>,
}

/// How an application publishes.
#[derive(Debug, Clone, Copy)]
struct Publishing {
    confirms: bool,
    mandatory: bool,
    persistent: bool,
}

const SOUND: Publishing = Publishing {
    confirms: true,
    mandatory: true,
    persistent: true,
};

/// The value of a property.
fn property<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

impl Publishing {
    /// As Spring Boot's `RabbitTemplate` and Spring Cloud Stream's binder do it.
    fn of(text: &str) -> Publishing {
        let mode = "spring.cloud.stream.rabbit.bindings.orders-out-0.producer.delivery-mode";
        Publishing {
            confirms: property(text, "spring.rabbitmq.publisher-confirm-type") == Some("correlated"),
            mandatory: property(text, "spring.rabbitmq.template.mandatory") == Some("true"),
            persistent: property(text, mode) != Some("NON_PERSISTENT"),
        }
    }
}

impl Broker {
    fn of(test: &str) -> Option<Broker> {
        Some(Broker {
            amqp: support::address(test, "RABBITMQ_AMQP")?,
            management: support::address(test, "RABBITMQ_MANAGEMENT")?,
            user: support::address(test, "RABBITMQ_USER")?,
            password: support::address(test, "RABBITMQ_PASSWORD")?,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap(),
        })
    }

    #[track_caller]
    fn http(&self, method: &str, path: &str, body: &str) {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-m", "60", "-w", "\n%{http_code}", "-X", method]);
        curl.args(["-u", &format!("{}:{}", self.user, self.password)]);
        curl.args(["-H", "content-type: application/json", "-d", body]);
        let out = curl.arg(format!("{}/api/{path}", self.management)).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        let (answer, status) = text.rsplit_once('\n').unwrap();
        assert!(status.starts_with("20"), "{method} {path}: {status} {answer}");
    }

    /// A virtual host with exactly this topology.
    fn host(&self, definitions: &str) -> String {
        let name = fresh("proof");
        self.http("PUT", &format!("vhosts/{name}"), "{}");
        let all = json!({"configure": ".*", "write": ".*", "read": ".*"}).to_string();
        self.http("PUT", &format!("permissions/{name}/{}", self.user), &all);
        self.http("POST", &format!("definitions/{name}"), definitions);
        name
    }

    /// Both sides of a proof. The line is in the topology, or in how the application publishes and consumes.
    fn lines(&self, name: &str) -> [Line; 2] {
        let proof = proofs::of(name);
        SIDES.map(|side| self.line(proof, side))
    }

    fn line(&self, proof: &'static Proof, side: Side) -> Line {
        let text = proof.text(side);
        let topology = proof.file == "definitions.json";
        Line {
            proof,
            vhost: self.host(if topology { &text } else { SOUND_QUEUE }),
            publishing: if topology { SOUND } else { Publishing::of(&text) },
            text,
            told: BTreeSet::new(),
        }
    }

    /// Publishes to a queue; every message is confirmed.
    fn confirmed(&self, vhost: &str, queue: &str) -> BTreeSet<String> {
        let (connection, channel) = self.runtime.block_on(open(&self.address(vhost)));
        let ids = some(queue, FEW);
        self.runtime.block_on(async {
            channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
            for id in &ids {
                assert!(publish(&channel, queue, id, SOUND).await, "{id}");
            }
        });
        self.close(connection);
        ids.into_iter().collect()
    }

    /// The queues of a virtual host that are named for the only node.
    fn named(&self, vhost: &str) -> BTreeSet<String> {
        let broker = format!("amqp://{}@{}/{vhost}", self.user, self.amqp);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &self.password).unwrap();
        let password = format!("sasl.password=@{}", file.path().display());
        let report = audit(&["-b", &broker, "--management", &self.management, "-X", &password]);
        named(&report, |_| true)
    }

    /// The queues that lack something of what was confirmed.
    fn lacking(&self, vhost: &str, told: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
        // One that is there may need a moment until somebody leads it again; one that is not there is not waited for so long.
        let lacks = |queue: &str, told: &BTreeSet<String>| {
            let start = std::time::Instant::now();
            let mut found = BTreeSet::new();
            loop {
                let (connection, channel) = self.runtime.block_on(open(&self.address(vhost)));
                found.extend(self.runtime.block_on(async {
                    match queue {
                        "stream" => first_of_stream(&channel, FEW).await,
                        _ => take(&channel, queue).await,
                    }
                }));
                self.close(connection);
                if found.is_superset(told) {
                    return false;
                }
                // After a start the server brings its queues back one after the other.
                let patience = if self.has(vhost, queue) { 60 } else { 10 };
                if start.elapsed() > Duration::from_secs(patience) {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(500));
            }
        };
        let lacks = told.iter().filter(|(queue, told)| lacks(queue, told));
        lacks.map(|(queue, _)| queue.clone()).collect()
    }

    /// Whether the server has a queue of this name.
    fn has(&self, vhost: &str, queue: &str) -> bool {
        let asked = Command::new("curl")
            .args(["-s", "-m", "60", "-o", "/dev/null", "-w", "%{http_code}"])
            .args(["-u", &format!("{}:{}", self.user, self.password)])
            .arg(format!("{}/api/queues/{vhost}/{queue}", self.management))
            .output()
            .unwrap();
        String::from_utf8_lossy(&asked.stdout) != "404"
    }

    fn open(&self, line: &Line) -> (Connection, Channel) {
        self.runtime.block_on(open(&self.address(&line.vhost)))
    }

    fn address(&self, vhost: &str) -> String {
        format!("amqp://{}:{}@{}/{vhost}", self.user, self.password, self.amqp)
    }

    /// Publishes one after the other on a connection of its own, and notes what the publisher may call safe.
    fn publish(&self, line: &mut Line, key: &str, ids: &[String]) {
        let (connection, channel) = self.open(line);
        let publishing = line.publishing;
        let told = self.runtime.block_on(async {
            if publishing.confirms {
                channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
            }
            let mut told = Vec::new();
            for id in ids {
                if publish(&channel, key, id, publishing).await {
                    told.push(id.clone());
                }
            }
            told
        });
        line.told.extend(told);
        self.close(connection);
    }

    /// Ends a connection. The server may have ended it before, as it does when a queue that is asked for has no leader yet; what was
    /// found or told by then is judged elsewhere.
    fn close(&self, connection: Connection) {
        drop(self.runtime.block_on(connection.close(200, "done".into())));
    }

    /// Takes everything out of the queue and of the place for dead letters, until there is nothing for a second.
    fn drain(&self, line: &Line) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut empty = 0;
        while empty < 5 {
            let before = found.len();
            for queue in ["orders", "parked"] {
                // A queue that is not there closes the channel: each has one of its own.
                let (connection, channel) = self.open(line);
                found.extend(self.runtime.block_on(take(&channel, queue)));
                self.close(connection);
            }
            empty = if found.len() == before { empty + 1 } else { 0 };
            std::thread::sleep(Duration::from_millis(200));
        }
        found
    }

    /// What both sides came to; the virtual hosts are gone afterwards.
    fn shown(&self, lines: [Line; 2], found: [BTreeSet<String>; 2]) -> Shown {
        let proof = lines[0].proof;
        let mut sides = lines.into_iter().zip(found).map(|(line, found)| {
            self.http("DELETE", &format!("vhosts/{}", line.vhost), "");
            Ran {
                text: line.text,
                told: line.told,
                found,
            }
        });
        let (bad, good) = (sides.next().unwrap(), sides.next().unwrap());
        Shown { proof, bad, good }
    }

    fn overflow(&self) -> Shown {
        self.overflow_of(self.lines("RQT005"))
    }

    fn overflow_of(&self, mut lines: [Line; 2]) -> Shown {
        let found = each(&mut lines, |line| {
            let mut left = some("m", 3 * FEW);
            let mut found = BTreeSet::new();
            // Who is refused keeps its messages and tries again, and the consumer takes what is there in between.
            for _ in 0..5 {
                if !left.is_empty() {
                    self.publish(line, "new", &left);
                    found.extend(self.drain(line));
                    left.retain(|id| !line.told.contains(id));
                }
            }
            found
        });
        self.shown(lines, found)
    }

    fn expiry(&self) -> Shown {
        let mut lines = self.lines("RQT007");
        each(&mut lines, |line| self.publish(line, "new", &some("m", FEW)));
        std::thread::sleep(Duration::from_millis(1000));
        let found = each(&mut lines, |line| self.drain(line));
        self.shown(lines, found)
    }

    fn vanishing(&self) -> Shown {
        let mut lines = self.lines("RQT008");
        let found = each(&mut lines, |line| {
            self.publish(line, "new", &some("m", FEW));
            let (connection, channel) = self.open(line);
            self.runtime.block_on(async {
                channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
                let mut consumer = consume_from(&channel, false).await;
                let first = tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap();
                assert!(first.is_some_and(|first| first.is_ok()));
            });
            self.close(connection);
            self.drain(line)
        });
        self.shown(lines, found)
    }

    fn rejected(&self) -> Shown {
        let mut lines = self.lines("RQT009");
        let found = each(&mut lines, |line| {
            self.publish(line, "new", &[some("easy", FEW), some("hard", FEW)].concat());
            let (connection, channel) = self.open(line);
            let mut done = self.runtime.block_on(async {
                let mut consumer = consume_from(&channel, false).await;
                let mut done = BTreeSet::new();
                for _ in 0..2 * FEW {
                    let delivery = tokio::time::timeout(PATIENCE, consumer.next())
                        .await
                        .unwrap()
                        .unwrap()
                        .unwrap();
                    let id = String::from_utf8_lossy(&delivery.data).into_owned();
                    if id.starts_with("hard") {
                        delivery.reject(BasicRejectOptions { requeue: false }).await.unwrap();
                    } else {
                        delivery.ack(BasicAckOptions::default()).await.unwrap();
                        done.insert(id);
                    }
                }
                done
            });
            self.close(connection);
            done.extend(self.drain(line));
            done
        });
        self.shown(lines, found)
    }

    fn unroutable(&self) -> Shown {
        let mut lines = self.lines("RQP002");
        let found = each(&mut lines, |line| {
            let all = some("m", FEW);
            self.publish(line, "nwe", &all);
            // Who was told that it routes nowhere puts that right; who was told of success has nothing left to send.
            let left: Vec<String> = all.iter().filter(|id| !line.told.contains(*id)).cloned().collect();
            self.publish(line, "new", &left);
            self.drain(line)
        });
        self.shown(lines, found)
    }

    fn killed_consumer(&self) -> Shown {
        let mut lines = self.lines("RQC001");
        each(&mut lines, |line| {
            let all = [some("before", 3), vec!["work-slow".to_owned()], some("later", FEW)].concat();
            line.publishing = SOUND;
            self.publish(line, "new", &all);
        });
        let mut workers = each(&mut lines, |line| {
            Worker::start("rabbit", &line.text, &self.address(&line.vhost))
        });
        workers.iter().for_each(Worker::await_slow);
        // Time for what is on its way to the consumer.
        std::thread::sleep(Duration::from_millis(500));
        workers.iter_mut().for_each(Worker::kill);
        let mut found = each(&mut lines, |line| self.drain(line));
        found
            .iter_mut()
            .zip(&workers)
            .for_each(|(found, worker)| found.extend(worker.done()));
        self.shown(lines, found)
    }

    /// Everything that a broker may forget when it is killed, in one kill.
    fn killed(&self) -> Vec<Shown> {
        let mut all: Vec<[Line; 2]> = ["RQT001", "RQP003", "RQP001"]
            .into_iter()
            .map(|name| self.lines(name))
            .collect();
        for lines in &mut all[..2] {
            each(lines, |line| self.publish(line, "new", &some("m", FEW)));
        }
        let ids = some("m", FEW);
        let opened = each(&mut all[2], |line| {
            let (connection, channel) = self.open(line);
            if line.publishing.confirms {
                let options = ConfirmSelectOptions::default();
                self.runtime
                    .block_on(async { channel.confirm_select(options).await.unwrap() });
            }
            (connection, channel)
        });
        script_with("rabbitmq-eval", &[], support::DECLARED);
        script("stop", &["rabbitmq"]);
        for (line, (_, channel)) in all[2].iter_mut().zip(&opened) {
            let publishing = line.publishing;
            for id in &ids {
                let told = self.runtime.block_on(async {
                    let answer =
                        tokio::time::timeout(Duration::from_secs(1), publish(channel, "new", id, publishing)).await;
                    // A confirm that does not come is no confirm.
                    answer.unwrap_or(false)
                });
                // Who is not answered keeps the rest.
                if !told {
                    break;
                }
                line.told.insert(id.clone());
            }
        }
        // The client has written everything; it waits in the socket of the broker.
        std::thread::sleep(Duration::from_millis(500));
        script("kill", &["rabbitmq"]);
        script("up", &["rabbitmq"]);
        drop(opened);
        // Who is told nothing, or that it routes nowhere while the queue is not back yet, tries again.
        for line in &mut all[2] {
            for _ in 0..30 {
                let left: Vec<String> = ids.iter().filter(|id| !line.told.contains(*id)).cloned().collect();
                if left.is_empty() {
                    break;
                }
                self.publish(line, "new", &left);
                std::thread::sleep(Duration::from_millis(500));
            }
        }
        let shown = all.into_iter().map(|mut lines| {
            let found = each(&mut lines, |line| self.drain(line));
            self.shown(lines, found)
        });
        shown.collect()
    }
}

/// The same for both sides.
fn each<T>(lines: &mut [Line; 2], mut run: impl FnMut(&mut Line) -> T) -> [T; 2] {
    lines.each_mut().map(&mut run)
}

fn some(about: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{about}-{n}")).collect()
}

async fn open(address: &str) -> (Connection, Channel) {
    let connection = Connection::connect(address, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// Whether the publisher may call the message safe: without confirms it may when it is written, for it hears no more.
async fn publish(channel: &Channel, key: &str, id: &str, how: Publishing) -> bool {
    let options = BasicPublishOptions {
        mandatory: how.mandatory,
        ..BasicPublishOptions::default()
    };
    let properties = BasicProperties::default().with_delivery_mode(if how.persistent { 2 } else { 1 });
    let sent = channel
        .basic_publish("orders".into(), key.into(), options, id.as_bytes(), properties)
        .await;
    let Ok(confirm) = sent else { return false };
    match confirm.await {
        Ok(Confirmation::Ack(None)) => true,
        Ok(Confirmation::NotRequested) => !how.confirms,
        Ok(Confirmation::Ack(Some(_)) | Confirmation::Nack(_)) | Err(_) => false,
    }
}

async fn consume_from(channel: &Channel, no_ack: bool) -> lapin::Consumer {
    let options = BasicConsumeOptions {
        no_ack,
        ..BasicConsumeOptions::default()
    };
    channel
        .basic_consume("orders".into(), "".into(), options, FieldTable::default())
        .await
        .unwrap()
}

/// Everything that is ready in a queue; nothing where there is no such queue.
async fn take(channel: &Channel, queue: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    while let Ok(Some(message)) = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await {
        found.insert(String::from_utf8_lossy(&message.delivery.data).into_owned());
    }
    found
}

/// What a stream holds from its begin on, up to so many; nothing where there is no such queue.
async fn first_of_stream(channel: &Channel, count: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if channel.basic_qos(100, BasicQosOptions::default()).await.is_err() {
        return found;
    }
    let mut from = FieldTable::default();
    from.insert("x-stream-offset".into(), AMQPValue::LongString("first".into()));
    let options = BasicConsumeOptions::default();
    let Ok(mut consumer) = channel.basic_consume("stream".into(), "".into(), options, from).await else {
        return found;
    };
    while found.len() < count {
        match tokio::time::timeout(Duration::from_secs(5), consumer.next()).await {
            Ok(Some(Ok(delivery))) => {
                found.insert(String::from_utf8_lossy(&delivery.data).into_owned());
                if delivery.ack(BasicAckOptions::default()).await.is_err() {
                    break;
                }
            }
            Ok(Some(Err(_)) | None) | Err(_) => break,
        }
    }
    found
}

/// What the worker does, with the acknowledgement that its configuration says.
pub(crate) fn consume(job: &Job) {
    let automatic = property(&job.text(), "spring.rabbitmq.listener.simple.acknowledge-mode") == Some("none");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (_connection, channel) = runtime.block_on(open(&job.place));
    let mut consumer = runtime.block_on(consume_from(&channel, automatic));
    while let Some(Ok(delivery)) = runtime.block_on(consumer.next()) {
        job.work(&String::from_utf8_lossy(&delivery.data));
        if !automatic {
            runtime.block_on(async { delivery.ack(BasicAckOptions::default()).await.unwrap() });
        }
    }
}
