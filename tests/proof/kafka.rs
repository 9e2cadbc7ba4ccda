//! The proofs on Kafka, with its own C client: writers and readers know nothing of this project.

use crate::nodes::{Healed, alone, eventually, fresh, script};
use crate::proofs::{self, Of, Proof, SIDES, Side};
use crate::support;
use crate::verdict::{Ran, Shown, series};
use crate::worker::{self, Job, Worker};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
/// How many messages are written at a time.
const FEW: usize = 20;
/// A producer that asks for all that there is to ask for.
const SAFE_PRODUCER: &str = "bootstrap.servers={bootstrap}\nacks=all\nmessage.timeout.ms=120000\nlinger.ms=0\n";

#[test]
fn the_rules_of_kafka_are_right() {
    let Some(bootstrap) = support::kafka("proof::the_rules_of_kafka_are_right") else {
        return;
    };
    let _alone = alone(Of::Kafka);
    let _healed = Healed("kafka");
    let cluster = Cluster::new(&bootstrap);
    series(Of::Kafka, || {
        cluster.await_whole();
        let mut all = cluster.consumers();
        all.extend(cluster.leader_dies_before_its_followers_have_it());
        all.extend(cluster.followers_go_and_the_disk_of_the_leader_is_wiped());
        all
    });
}

struct Cluster {
    bootstrap: String,
    /// Topics of others, which the wipe of a disk may have taken for good.
    foreign: BTreeSet<String>,
    admin: AdminClient<DefaultClientContext>,
    runtime: tokio::runtime::Runtime,
}

/// One side of a proof: its topic, and who writes there.
struct Line {
    proof: &'static Proof,
    side: Side,
    text: String,
    topic: String,
    writer: Writer,
}

/// Replicas and settings of a topic, as the manifest declares them.
struct Declared {
    replicas: usize,
    settings: Vec<(String, String)>,
}

impl Declared {
    fn read(manifest: &str) -> Declared {
        let document: serde_json::Value = serde_yaml::from_str(manifest).unwrap();
        let spec = &document["spec"];
        let setting = |(name, value): (&String, &serde_json::Value)| (name.clone(), value.to_string());
        Declared {
            replicas: spec["replicas"].as_u64().unwrap() as usize,
            settings: spec["config"].as_object().unwrap().iter().map(setting).collect(),
        }
    }
}

impl Cluster {
    fn new(bootstrap: &str) -> Cluster {
        let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .create()
            .unwrap();
        let there = admin.inner().fetch_metadata(None, Duration::from_secs(30)).unwrap();
        let names = there.topics().iter().map(|t| t.name().to_owned());
        Cluster {
            bootstrap: bootstrap.to_owned(),
            foreign: names.filter(|name| !name.starts_with("__")).collect(),
            admin,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap(),
        }
    }

    fn client(&self, text: &str) -> String {
        text.replace("{bootstrap}", &self.bootstrap)
    }

    /// Leader and replicas in sync of the only partition.
    fn state(&self, topic: &str) -> Option<(i32, BTreeSet<i32>)> {
        let metadata = self.admin.inner().fetch_metadata(None, Duration::from_secs(5)).ok()?;
        let topic = metadata.topics().iter().find(|t| t.name() == topic)?;
        let partition = topic.partitions().first()?;
        Some((partition.leader(), partition.isr().iter().copied().collect()))
    }

    fn await_leader(&self, topic: &str, among: &[i32]) {
        eventually(&format!("{topic} is led by one of {among:?}"), || {
            self.state(topic).is_some_and(|(leader, _)| among.contains(&leader))
        });
    }

    /// Does what an operator does when a partition stays without a leader: it takes whichever replica there is. Where the only copy in
    /// sync came back with an empty disk, Kafka 4 may leave the partition so (`LastKnownElr`) instead of electing the empty one.
    fn elect(&self, line: &Line) {
        let start = Instant::now();
        while self.state(&line.topic).is_none_or(|(leader, _)| leader <= 0) {
            if start.elapsed() > Duration::from_secs(30) {
                let class = "org.apache.kafka.tools.LeaderElectionCommand";
                let election = ["--election-type", "UNCLEAN", "--topic", &line.topic, "--partition", "0"];
                script(
                    "kafka-tool",
                    &[&[class, "--bootstrap-server", &self.bootstrap][..], &election].concat(),
                );
                println!("  {}, {}: nobody led it", line.proof.name(), line.side.name());
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn await_in_sync(&self, topic: &str, nodes: &[i32]) {
        let wanted: BTreeSet<i32> = nodes.iter().copied().collect();
        eventually(&format!("{nodes:?} are in sync of {topic}"), || {
            self.state(topic).is_some_and(|(_, isr)| isr == wanted)
        });
    }

    /// Every replica of every topic of ours, and of Kafka's own, is in sync.
    fn await_whole(&self) {
        let start = Instant::now();
        loop {
            let limping = self.limping();
            if limping.as_ref().is_some_and(Vec::is_empty) {
                return;
            }
            assert!(start.elapsed() < 3 * PATIENCE, "never in sync: {limping:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Partitions that lack a replica in sync, with leader, replicas in sync and replicas; `None` while a node is away.
    fn limping(&self) -> Option<Vec<String>> {
        let metadata = self.admin.inner().fetch_metadata(None, Duration::from_secs(5)).ok()?;
        let ours = metadata.topics().iter().filter(|t| !self.foreign.contains(t.name()));
        let partitions = ours.flat_map(|t| t.partitions().iter().map(move |p| (t.name(), p)));
        let limping = partitions.filter(|(_, p)| p.replicas().len() > 1 && p.isr().len() != p.replicas().len());
        let said = limping.map(|(topic, p)| {
            format!(
                "{topic}/{}: led by {}, in sync {:?} of {:?}",
                p.id(),
                p.leader(),
                p.isr(),
                p.replicas()
            )
        });
        (metadata.brokers().len() == 3).then(|| said.collect())
    }

    /// A topic of one partition on these nodes, the first of which leads it.
    fn make(&self, nodes: &[i32], settings: &[(String, String)]) -> String {
        let name = fresh("proof");
        let place = [nodes];
        let mut topic = NewTopic::new(&name, 1, TopicReplication::Variable(&place));
        for (name, value) in settings {
            topic = topic.set(name, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = self.runtime.block_on(self.admin.create_topics([&topic], &options));
        made.unwrap().into_iter().for_each(|t| drop(t.unwrap()));
        self.await_in_sync(&name, nodes);
        self.await_leader(&name, &nodes[..1]);
        name
    }

    fn delete(&self, lines: &[Line]) {
        let names: Vec<&str> = lines.iter().map(|l| l.topic.as_str()).collect();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        // What is left over disturbs nobody.
        let _ = self.runtime.block_on(self.admin.delete_topics(&names, &options));
    }

    /// Both sides of a proof whose line is the producer's.
    fn producers(&self, name: &str, nodes: &[i32]) -> [Line; 2] {
        let proof = proofs::of(name);
        SIDES.map(|side| {
            let text = self.client(&proof.text(side));
            Line {
                proof,
                side,
                topic: self.make(nodes, &[]),
                writer: Writer::new(&text),
                text,
            }
        })
    }

    /// Both sides of a proof whose line is the topic's.
    fn topics(&self, name: &str) -> [Line; 2] {
        let proof = proofs::of(name);
        SIDES.map(|side| {
            let text = proof.text(side);
            let declared = Declared::read(&text);
            Line {
                proof,
                side,
                topic: self.make(&[1, 2, 3][..declared.replicas], &declared.settings),
                writer: Writer::new(&self.client(SAFE_PRODUCER)),
                text,
            }
        })
    }

    /// What a reader of committed messages gets of a topic. One that has no leader for half a minute can be read by nobody.
    fn read(&self, topic: &str) -> BTreeSet<String> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .set("group.id", fresh("reader"))
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        // Where the only copy is gone the controller may find nobody to lead, and then there is nothing to read from.
        let start = Instant::now();
        while self.state(topic).is_none_or(|(leader, _)| leader <= 0) {
            if start.elapsed() > Duration::from_secs(30) {
                return BTreeSet::new();
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        let mut end = -1;
        eventually(&format!("{topic} tells where it ends"), || {
            let marks = consumer.fetch_watermarks(topic, 0, Duration::from_secs(5));
            marks.inspect(|(_, high)| end = *high).is_ok()
        });
        let mut place = TopicPartitionList::new();
        place.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&place).unwrap();
        let (mut found, mut next) = (BTreeSet::new(), 0);
        let start = Instant::now();
        while next < end {
            assert!(start.elapsed() < PATIENCE, "{topic} is read to {next} of {end}");
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) {
                next = message.offset() + 1;
                found.insert(String::from_utf8_lossy(message.payload().unwrap()).into_owned());
            }
        }
        found
    }

    fn shown(&self, lines: &[Line]) -> Vec<Shown> {
        let ran = |line: &Line| Ran {
            text: line.text.clone(),
            told: line.writer.told(),
            found: self.read(&line.topic),
        };
        let pairs = lines.chunks(2).map(|pair| {
            assert_eq!([pair[0].side, pair[1].side], SIDES);
            Shown {
                proof: pair[0].proof,
                bad: ran(&pair[0]),
                good: ran(&pair[1]),
            }
        });
        pairs.collect()
    }

    /// `acks`, and an election of a replica that is behind.
    fn leader_dies_before_its_followers_have_it(&self) -> Vec<Shown> {
        let mut lines = Vec::new();
        lines.extend(self.producers("KP001 acks=1", &[1, 3, 2]));
        lines.extend(self.producers("KP001 acks=0", &[1, 3, 2]));
        lines.extend(self.topics("KT004"));
        let (acks, unclean) = lines.split_at(4);
        lines.iter().for_each(|l| l.writer.write(&l.topic, "before", FEW));
        lines.iter().for_each(|l| l.writer.await_told(FEW));

        script("down", &["kafka", "2"]);
        acks.iter().for_each(|l| self.await_in_sync(&l.topic, &[1, 3]));
        unclean.iter().for_each(|l| self.await_in_sync(&l.topic, &[1]));
        unclean.iter().for_each(|l| l.writer.write(&l.topic, "alone", FEW));
        unclean.iter().for_each(|l| l.writer.await_told(2 * FEW));
        script("stop", &["kafka", "3"]);
        // The fetch that waited at the leader (replica.fetch.wait.max.ms, 500 ms) must be answered empty before anything is
        // written: a stopped follower still finds in its socket what came as an answer.
        std::thread::sleep(Duration::from_millis(1500));
        acks.iter().for_each(|l| l.writer.write(&l.topic, "held", FEW));
        acks.iter()
            .filter(|l| l.side == Side::Bad)
            .for_each(|l| l.writer.await_told(2 * FEW));
        script("kill", &["kafka", "1"]);
        script("cont", &["kafka", "3"]);
        script("up", &["kafka", "2"]);

        acks.iter().for_each(|l| self.await_leader(&l.topic, &[2, 3]));
        unclean
            .iter()
            .filter(|l| l.side == Side::Bad)
            .for_each(|l| self.await_leader(&l.topic, &[2]));
        script("up", &["kafka", "1"]);
        // Whoever was told nothing has kept its messages and goes on trying.
        lines.iter().for_each(|l| l.writer.await_told(2 * FEW));
        self.await_whole();
        let shown = self.shown(&lines);
        self.delete(&lines);
        shown
    }

    /// Copies, and how many of them must be in sync.
    fn followers_go_and_the_disk_of_the_leader_is_wiped(&self) -> Vec<Shown> {
        let mut lines = Vec::new();
        lines.extend(self.topics("KT001"));
        lines.extend(self.topics("KT002"));
        let in_sync = &lines[2..];
        lines.iter().for_each(|l| l.writer.write(&l.topic, "before", FEW));
        lines.iter().for_each(|l| l.writer.await_told(FEW));

        // One after the other, as when a cluster is restarted node by node: each hands over before it ends.
        script("down", &["kafka", "3"]);
        script("down", &["kafka", "2"]);
        in_sync.iter().for_each(|l| self.await_in_sync(&l.topic, &[1]));
        in_sync.iter().for_each(|l| l.writer.write(&l.topic, "alone", FEW));
        in_sync
            .iter()
            .filter(|l| l.side == Side::Bad)
            .for_each(|l| l.writer.await_told(2 * FEW));
        script("wipe", &["kafka", "1"]);
        // Not together with the empty one, whose voice as a controller would count.
        script("up", &["kafka", "2", "3"]);
        script("up", &["kafka", "1"]);
        lines.iter().for_each(|l| self.elect(l));
        in_sync.iter().for_each(|l| l.writer.await_told(2 * FEW));
        self.await_whole();
        let shown = self.shown(&lines);
        self.delete(&lines);
        shown
    }

    /// Where a consumer begins, and when it commits.
    fn consumers(&self) -> Vec<Shown> {
        let mut lines = Vec::new();
        for name in ["KC002", "KC003", "KC001"] {
            let proof = proofs::of(name);
            lines.extend(SIDES.map(|side| Line {
                proof,
                side,
                text: self.client(&proof.text(side)),
                topic: self.make(&[1, 2, 3], &[]),
                writer: Writer::new(&self.client(SAFE_PRODUCER)),
            }));
        }
        let (skipping, killed) = lines.split_at(2);
        skipping.iter().for_each(|l| l.writer.write(&l.topic, "before", FEW));
        for line in killed {
            line.writer.write(&line.topic, "before", FEW);
            line.writer.send(&line.topic, "work-slow");
            line.writer.write(&line.topic, "later", FEW);
        }
        skipping.iter().for_each(|l| l.writer.await_told(FEW));
        killed.iter().for_each(|l| l.writer.await_told(2 * FEW + 1));

        let kinds = ["kafka", "kafka", worker::JAVA, worker::JAVA];
        let mut workers: Vec<Worker> = killed
            .iter()
            .zip(kinds)
            .map(|(l, kind)| Worker::start(kind, &l.text, &l.topic))
            .collect();
        let found: Vec<BTreeSet<String>> = skipping.iter().map(|l| self.group_reads(l)).collect();
        workers.iter().for_each(Worker::await_slow);
        // What the client stores before the work it commits by itself (every 200 ms), the message that is worked on too.
        for bad in killed.iter().filter(|l| l.side == Side::Bad) {
            eventually("the message that is worked on is committed", || {
                self.committed(bad) > FEW as i64
            });
        }
        std::thread::sleep(Duration::from_millis(500));
        for good in killed.iter().filter(|l| l.side == Side::Good) {
            let committed = self.committed(good);
            assert!(
                committed <= FEW as i64,
                "{}: {committed} is committed",
                good.proof.name()
            );
        }
        workers.iter_mut().for_each(Worker::kill);
        // Whoever takes over is done when it is done with this, wherever it begins.
        killed.iter().for_each(|l| l.writer.send(&l.topic, "end"));
        killed.iter().for_each(|l| l.writer.await_told(2 * FEW + 2));
        workers.iter_mut().for_each(Worker::succeed);
        eventually("the successors are done", || {
            workers.iter().all(|w| w.done().contains("end"))
        });

        let ran = |line: &Line, found: BTreeSet<String>| Ran {
            text: line.text.clone(),
            told: line.writer.told(),
            found,
        };
        let found = found.into_iter().chain(workers.iter().map(Worker::done));
        let mut ran: Vec<(&Line, Ran)> = lines.iter().zip(found).map(|(l, found)| (l, ran(l, found))).collect();
        let mut shown = Vec::new();
        while let (Some((_, good)), Some((line, bad))) = (ran.pop(), ran.pop()) {
            shown.push(Shown {
                proof: line.proof,
                bad,
                good,
            });
        }
        self.delete(&lines);
        shown
    }

    /// Where the group of a line goes on after its consumer died.
    fn committed(&self, line: &Line) -> i64 {
        // Not the whole of it: Java's words are none of this client's.
        let group = line.text.lines().find_map(|l| l.strip_prefix("group.id=")).unwrap();
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .set("group.id", format!("{group}-{}", line.topic))
            .create()
            .unwrap();
        let mut place = TopicPartitionList::new();
        place.add_partition(&line.topic, 0);
        let offsets = consumer.committed_offsets(place, Duration::from_secs(10));
        let of = |offsets: TopicPartitionList| offsets.elements()[0].offset().to_raw();
        offsets.ok().and_then(of).unwrap_or(-1)
    }

    /// What a group gets that subscribes when something is there already, until it has what was written after it came.
    fn group_reads(&self, line: &Line) -> BTreeSet<String> {
        let consumer = subscribed(&line.text, &line.topic);
        let mut found = BTreeSet::new();
        // A group may look for its place longer than until it has its partition: then what came meanwhile is skipped too.
        for later in 0..60 {
            let id = format!("later-{later}");
            let start = Instant::now();
            while start.elapsed() < Duration::from_secs(1) || !assigned(&consumer) {
                assert!(
                    start.elapsed() < PATIENCE,
                    "{}: the group gets no partition",
                    line.topic
                );
                if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
                    found.insert(String::from_utf8_lossy(message.payload().unwrap()).into_owned());
                }
                if later > 0 && found.contains(&format!("later-{}", later - 1)) {
                    return found;
                }
            }
            line.writer.send(&line.topic, &id);
            line.writer.await_told(FEW + later + 1);
        }
        panic!("{}: the group gets nothing", line.topic);
    }
}

fn assigned(consumer: &BaseConsumer) -> bool {
    consumer.assignment().is_ok_and(|a| a.count() > 0)
}

/// Exactly this configuration, but for the group, which is named after the topic too, so that both sides can run at once.
fn grouped(text: &str, topic: &str) -> ClientConfig {
    let mut config = configured(text);
    let group = format!("{}-{topic}", config.get("group.id").unwrap());
    config.set("group.id", group);
    config
}

fn subscribed(text: &str, topic: &str) -> BaseConsumer {
    let consumer: BaseConsumer = grouped(text, topic).create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    consumer
}

/// Every line of a properties file, handed to the client.
fn configured(text: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    for line in text.lines() {
        let (name, value) = line.split_once('=').unwrap();
        config.set(name, value);
    }
    config
}

/// What the worker does: it takes a message, works on it, and says that it is done with it.
pub(crate) fn consume(job: &Job) {
    let consumer = subscribed(&job.text(), &job.place);
    loop {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) {
            job.work(&String::from_utf8_lossy(message.payload().unwrap()));
            // Refused where the client has stored it by itself, before the work.
            let _ = consumer.store_offset_from_message(&message);
        }
    }
}

/// A producer, and what it was told of.
struct Writer {
    producer: ThreadedProducer<Reports>,
    told: Arc<Mutex<BTreeSet<String>>>,
}

struct Reports(Arc<Mutex<BTreeSet<String>>>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<String>;

    fn delivery(&self, result: &DeliveryResult<'_>, id: Box<String>) {
        if result.is_ok() {
            self.0.lock().unwrap().insert(*id);
        }
    }
}

impl Writer {
    fn new(text: &str) -> Writer {
        let told = Arc::new(Mutex::new(BTreeSet::new()));
        let producer = configured(text).create_with_context(Reports(told.clone())).unwrap();
        Writer { producer, told }
    }

    fn send(&self, topic: &str, id: &str) {
        let record = BaseRecord::with_opaque_to(topic, Box::new(id.to_owned()))
            .partition(0)
            .key("k")
            .payload(id);
        assert!(self.producer.send(record).is_ok());
    }

    fn write(&self, topic: &str, about: &str, count: usize) {
        (0..count).for_each(|n| self.send(topic, &format!("{about}-{n}")));
    }

    fn told(&self) -> BTreeSet<String> {
        self.told.lock().unwrap().clone()
    }

    #[track_caller]
    fn await_told(&self, count: usize) {
        eventually("the producer is told of its messages", || self.told().len() >= count);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.producer
            .purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
    }
}
