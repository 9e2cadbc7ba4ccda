//! The cluster: its topics, its nodes, and a reader and a writer that are not this project's.

use crate::kafka_nodes;
use crate::support;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Once, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

static CLUSTER: RwLock<()> = RwLock::new(());
/// Nothing takes so long that comes at all, on a machine that is five times slower too.
const PATIENCE: Duration = Duration::from_secs(120);

/// The cluster as one test has it.
pub(crate) struct Cluster {
    bootstrap: String,
    admin: AdminClient<DefaultClientContext>,
    runtime: tokio::runtime::Runtime,
    test: String,
    since: Instant,
    hold: Hold,
}

#[expect(dead_code, reason = "the guards are held, not read")]
enum Hold {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// One record as kcat saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Vec<u8>,
    /// The value of `mqsafe-id`.
    pub(crate) id: Option<String>,
}

/// The cluster, shared with other tests; `None` (and the test listed as not run) when there is none.
pub(crate) fn shared(test: &str) -> Option<Cluster> {
    Cluster::new(test, false)
}

/// The cluster for this test alone, to be disturbed; it is whole again when this is dropped.
pub(crate) fn alone(test: &str) -> Option<Cluster> {
    Cluster::new(test, true)
}

impl Cluster {
    fn new(test: &str, alone: bool) -> Option<Cluster> {
        let bootstrap = support::kafka(&format!("kafka::{test}"))?;
        let hold = if alone {
            Hold::Alone(CLUSTER.write().unwrap_or_else(|e| e.into_inner()))
        } else {
            Hold::Shared(CLUSTER.read().unwrap_or_else(|e| e.into_inner()))
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let admin = ClientConfig::new()
            .set("bootstrap.servers", &bootstrap)
            .create()
            .unwrap();
        let cluster = Cluster {
            bootstrap,
            admin,
            runtime,
            test: test.to_owned(),
            since: Instant::now(),
            hold,
        };
        cluster.await_in_sync();
        static WARM: Once = Once::new();
        WARM.call_once(|| cluster.warm());
        Some(cluster)
    }

    /// Lets Kafka make the topics of its own that the first group and the first transaction wait for.
    fn warm(&self) {
        let reader = self.member(&self.fresh_name("first"));
        let mut none = TopicPartitionList::new();
        none.add_partition("nowhere", 0);
        eventually("groups have their topic", || {
            reader.committed_offsets(none.clone(), Duration::from_secs(10)).is_ok()
        });
        let first: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .set("transactional.id", self.fresh_name("first"))
            .create()
            .unwrap();
        first.init_transactions(PATIENCE).unwrap();
        self.await_in_sync();
    }

    fn member(&self, group: &str) -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .create()
            .unwrap()
    }

    /// Commits an offset as a group, without reading. A coordinator that has only just moved is asked again.
    pub(crate) fn commit(&self, group: &str, topic: &str, partition: i32, offset: i64) {
        use RDKafkaErrorCode as Code;
        let member = self.member(group);
        let mut offsets = TopicPartitionList::new();
        offsets
            .add_partition_offset(topic, partition, Offset::Offset(offset))
            .unwrap();
        eventually("the group has committed", || {
            match member.commit(&offsets, CommitMode::Sync) {
                Ok(()) => true,
                Err(KafkaError::ConsumerCommit(
                    Code::WaitingForCoordinator
                    | Code::CoordinatorLoadInProgress
                    | Code::CoordinatorNotAvailable
                    | Code::NotCoordinator
                    | Code::RequestTimedOut
                    | Code::OperationTimedOut
                    | Code::BrokerTransportFailure,
                )) => false,
                Err(e) => panic!("{group} {topic}/{partition} {offset}: {e}"),
            }
        });
    }

    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The same list as one cluster is named by, however it is written.
    pub(crate) fn bootstrap_sorted(&self) -> String {
        let mut hosts: Vec<&str> = self.bootstrap.split(',').collect();
        hosts.sort_unstable();
        hosts.join(",")
    }

    /// Lets a group stand at an offset of a partition, and removes what lies before another.
    pub(crate) fn commit_and_expire(&self, group: &str, topic: &str, next: i64, start: i64) {
        self.commit(group, topic, 0, next);
        self.delete_before(topic, 0, start);
    }

    /// A name that no topic has.
    pub(crate) fn fresh_name(&self, about: &str) -> String {
        format!("{about}-{:08x}", rand::random::<u32>())
    }

    /// A topic with three replicas.
    pub(crate) fn topic(&self, about: &str, partitions: i32, settings: &[(&str, &str)]) -> String {
        let name = self.fresh_name(about);
        self.make_topic(&name, partitions, settings);
        name
    }

    /// The same under a name that is known, as when somebody recreates a topic.
    pub(crate) fn make_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(3));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = self.runtime.block_on(self.admin.create_topics([&topic], &options));
        made.unwrap().into_iter().for_each(|t| drop(t.unwrap()));
        self.await_topic(name, partitions as usize, 3);
    }

    /// Waits until every node has the topic, with so many partitions and so many replicas in sync of each: whoever asks next may ask
    /// another node than this client did.
    fn await_topic(&self, name: &str, partitions: usize, in_sync: usize) {
        eventually("every node has the topic with its replicas", || {
            kafka_nodes::have_topic(&self.bootstrap, name, partitions, in_sync)
        });
    }

    /// A topic with so many replicas and the settings of the cluster, for what must be lost with a node.
    pub(crate) fn make_topic_with(&self, name: &str, partitions: i32, replicas: i32) {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas)).set("min.insync.replicas", "1");
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = self.runtime.block_on(self.admin.create_topics([&topic], &options));
        made.unwrap().into_iter().for_each(|t| drop(t.unwrap()));
        self.await_topic(name, partitions as usize, replicas as usize);
    }

    /// A topic with so many replicas and these settings.
    pub(crate) fn make_weak_topic(&self, name: &str, partitions: i32, replicas: i32, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = self.runtime.block_on(self.admin.create_topics([&topic], &options));
        made.unwrap().into_iter().for_each(|t| drop(t.unwrap()));
        self.await_topic(name, partitions as usize, replicas as usize);
    }

    /// A topic whose partitions lie on these nodes, the first of each leading.
    pub(crate) fn make_assigned_topic(&self, name: &str, replicas: &[[i32; 2]], settings: &[(&str, &str)]) {
        let lists: Vec<&[i32]> = replicas.iter().map(<[i32; 2]>::as_slice).collect();
        let count = i32::try_from(replicas.len()).unwrap();
        let mut topic = NewTopic::new(name, count, TopicReplication::Variable(&lists));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = self.runtime.block_on(self.admin.create_topics([&topic], &options));
        made.unwrap().into_iter().for_each(|t| drop(t.unwrap()));
        self.await_topic(name, replicas.len(), 2);
    }

    /// How many replicas of each partition are in sync.
    pub(crate) fn in_sync(&self, topic: &str) -> Vec<usize> {
        let topics = self.topics();
        topics
            .iter()
            .find(|t| t.name == topic)
            .map(|t| t.isrs.clone())
            .unwrap_or_default()
    }

    /// Gives a topic more partitions.
    pub(crate) fn grow(&self, topic: &str, partitions: usize) {
        let more = NewPartitions::new(topic, partitions);
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let grown = self.runtime.block_on(self.admin.create_partitions([&more], &options));
        grown.unwrap().into_iter().for_each(|t| drop(t.unwrap()));
        self.await_topic(topic, partitions, 3);
    }

    /// Waits until no transaction is open in a topic: a coordinator answers when it has decided, and its marks come to the logs a
    /// moment later.
    pub(crate) fn await_transactions(&self, topic: &str, partitions: i32) {
        let consumer = |isolation: &str| -> BaseConsumer {
            ClientConfig::new()
                .set("bootstrap.servers", &self.bootstrap)
                .set("isolation.level", isolation)
                .create()
                .unwrap()
        };
        let readers = ["read_committed", "read_uncommitted"].map(consumer);
        eventually("every transaction is over", || {
            let [committed, all] = readers.each_ref().map(|reader| -> Option<Vec<i64>> {
                let end = |partition| {
                    let marks = reader.fetch_watermarks(topic, partition, Duration::from_secs(10));
                    marks.ok().map(|(_, high)| high)
                };
                (0..partitions).map(end).collect()
            });
            committed.is_some() && committed == all
        });
    }

    /// Deletes the records of a partition before an offset.
    pub(crate) fn delete_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut before = TopicPartitionList::new();
        before
            .add_partition_offset(topic, partition, Offset::Offset(offset))
            .unwrap();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let deleted = self.runtime.block_on(self.admin.delete_records(&before, &options));
        deleted.unwrap().elements().iter().for_each(|p| p.error().unwrap());
    }

    pub(crate) fn delete_topic(&self, name: &str) {
        // Asked anew: the client may wait for a node that is dead and that it takes for the controller.
        let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(10)));
        eventually("the topic is deleted", || {
            match self.runtime.block_on(self.admin.delete_topics(&[name], &options)) {
                Err(KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut)) => false,
                Err(e) => panic!("{name}: {e}"),
                Ok(gone) => match gone.as_slice() {
                    [Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition))] => true,
                    // No controller, or none that answered the node in time.
                    [Err((_, RDKafkaErrorCode::NotController | RDKafkaErrorCode::RequestTimedOut))] => false,
                    other => panic!("{name}: {other:?}"),
                },
            }
        });
        if !std::thread::panicking() {
            eventually("no node has the deleted topic", || {
                kafka_nodes::lack_topic(&self.bootstrap, name)
            });
        }
    }

    pub(crate) fn set(&self, topic: &str, name: &str, value: &str) {
        self.set_all(topic, &[(name, value)]);
    }

    /// Gives a topic these settings, and takes all others away from it; every node has heard of it afterwards.
    pub(crate) fn set_all(&self, topic: &str, settings: &[(&str, &str)]) {
        let mut change = AlterConfig::new(ResourceSpecifier::Topic(topic));
        for (name, value) in settings {
            change = change.set(name, value);
        }
        let options = AdminOptions::new();
        let done = self.runtime.block_on(self.admin.alter_configs([&change], &options));
        done.unwrap().into_iter().for_each(|t| drop(t.unwrap()));
        eventually("every node has the settings of the topic", || {
            kafka_nodes::have_settings(&self.bootstrap, topic, settings)
        });
    }

    /// All topics; asking for all creates none. Asked again while nobody answers, as when the node that the client holds has just
    /// died: no answer must not look like no topics.
    pub(crate) fn topics(&self) -> Vec<Topic> {
        let began = Instant::now();
        let metadata = loop {
            match self.admin.inner().fetch_metadata(None, Duration::from_secs(10)) {
                Ok(metadata) => break metadata,
                Err(e) => assert!(began.elapsed() < PATIENCE, "no metadata after {PATIENCE:?}: {e}"),
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        let topic = |t: &rdkafka::metadata::MetadataTopic| Topic {
            name: t.name().to_owned(),
            leaders: t.partitions().iter().map(|p| p.leader()).collect(),
            isrs: t.partitions().iter().map(|p| p.isr().len()).collect(),
            replicas: t.partitions().iter().map(|p| p.replicas().len()).collect(),
        };
        metadata.topics().iter().map(topic).collect()
    }

    /// The node that leads a partition; -1 while nobody does, as Kafka writes it, or while the node that answers does not know the topic.
    pub(crate) fn leader(&self, topic: &str, partition: usize) -> i32 {
        let topics = self.topics();
        let found = topics.iter().find(|t| t.name == topic);
        found.and_then(|t| t.leaders.get(partition)).copied().unwrap_or(-1)
    }

    /// The node that leads a partition, once somebody does.
    pub(crate) fn await_leader(&self, topic: &str, partition: usize) -> i32 {
        eventually("somebody leads the partition", || self.leader(topic, partition) > 0);
        self.leader(topic, partition)
    }

    /// Lets nodes go on that were stopped, and waits until the cluster is itself again: it fences whoever was silent for longer than a
    /// session, also when all were, and until then everything looks as it did before.
    pub(crate) fn go_on(&self, nodes: &[&str]) {
        self.script("cont", &[&["kafka"], nodes].concat());
        // Whoever takes a topic with a copy on each node has a controller, and no node that is fenced.
        let probe = self.fresh_name("again");
        let topic = NewTopic::new(&probe, 1, TopicReplication::Fixed(3));
        let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(10)));
        eventually("the cluster takes a new topic", || {
            let made = self.runtime.block_on(self.admin.create_topics([&topic], &options));
            let is_there = |one: &Result<String, (String, RDKafkaErrorCode)>| {
                matches!(one, Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)))
            };
            made.is_ok_and(|all| all.iter().all(is_there))
        });
        self.await_topic(&probe, 1, 3);
        self.await_in_sync();
        self.delete_topic(&probe);
    }

    /// Waits until every replica follows: a test that starts on a limping cluster would find the faults of the one before.
    fn await_in_sync(&self) {
        let whole = || self.topics().iter().all(|t| t.isrs == t.replicas);
        eventually("every replica is in sync", whole);
    }

    /// One of the scripts that control the nodes.
    pub(crate) fn script(&self, name: &str, arguments: &[&str]) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers").join(name);
        let done = Command::new(script)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{name} {arguments:?}: {said}");
        done
    }

    /// `(partitions, replicas in sync of the first)` of a topic; `None` when there is none.
    pub(crate) fn shape(&self, topic: &str) -> Option<(usize, usize)> {
        let topics = self.topics();
        let found = topics.iter().find(|t| t.name == topic)?;
        Some((found.isrs.len(), *found.isrs.first()?))
    }

    /// The topics that Kafka's own tool lists.
    pub(crate) fn listed_topics(&self) -> Vec<String> {
        let arguments = [
            "org.apache.kafka.tools.TopicCommand",
            "--bootstrap-server",
            self.bootstrap(),
            "--list",
        ];
        let listed = self.script("kafka-tool", &arguments);
        String::from_utf8(listed.stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Every record of a topic that a reader of committed messages gets, by kcat. It asks once and gives up when a node that has only
    /// just come back does not know the topic or its leader yet; then it is started again, and what it printed does not count.
    pub(crate) fn read(&self, topic: &str) -> Vec<Seen> {
        let began = Instant::now();
        loop {
            let format = "%p %o %K %S %h\n%k%s\n";
            let read = Command::new("kcat")
                .args(["-C", "-b", self.bootstrap(), "-t", topic, "-o", "beginning", "-e", "-q"])
                .args(["-X", "isolation.level=read_committed", "-f", format])
                .stdin(Stdio::null())
                .output()
                .unwrap();
            if read.status.success() {
                return parse(&read.stdout);
            }
            let said = String::from_utf8_lossy(&read.stderr);
            assert!(began.elapsed() < PATIENCE, "kcat cannot read {topic}: {said}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Writes one record by kcat. Headers are `name=value`, any bytes but NUL.
    pub(crate) fn write(&self, topic: &str, partition: i32, headers: &[&[u8]], key: Option<&[u8]>, value: &[u8]) {
        use std::os::unix::ffi::OsStrExt;
        let mut kcat = Command::new("kcat");
        kcat.args(["-P", "-b", self.bootstrap(), "-t", topic, "-p", &partition.to_string()]);
        kcat.args(["-X", "acks=all", "-X", "linger.ms=0"]);
        for header in headers {
            kcat.arg("-H").arg(std::ffi::OsStr::from_bytes(header));
        }
        if let Some(key) = key {
            kcat.arg("-k").arg(std::ffi::OsStr::from_bytes(key));
        }
        // A file is one message, whatever its bytes.
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(value).unwrap();
        let done = kcat.arg(file.path()).stdin(Stdio::null()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        println!(
            "{}: {:.1?} without the wait for others",
            self.test,
            self.since.elapsed()
        );
        if let Hold::Alone(_) = self.hold {
            // Starts what is dead and wakes what is stopped; a test that failed in the middle must not fail the next one.
            let up = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers/up");
            let _ = Command::new(up).arg("kafka").stdin(Stdio::null()).output();
        }
    }
}

/// A topic as the cluster describes it.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    leaders: Vec<i32>,
    isrs: Vec<usize>,
    replicas: Vec<usize>,
}

/// Waits until something is so.
pub(crate) fn eventually(what: &str, so: impl Fn() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < PATIENCE, "not after {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Reads `partition offset key-length value-length headers⏎ key value ⏎`, where lengths make any bytes safe.
pub(crate) fn parse(mut bytes: &[u8]) -> Vec<Seen> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|b| *b == b'\n').unwrap();
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        bytes = &bytes[end + 1..];
        let mut words = head.splitn(5, ' ');
        let mut number = || words.next().unwrap().parse::<i64>().unwrap();
        let (partition, offset, key, value) = (number(), number(), number(), number());
        let headers = words.next().unwrap_or_default();
        let mut take = |length: i64| {
            let (taken, rest) = bytes.split_at(usize::try_from(length).unwrap_or(0));
            bytes = rest;
            taken.to_vec()
        };
        let (taken_key, taken_value) = (take(key), take(value));
        bytes = &bytes[1..];
        let id = headers.split_once("mqsafe-id=").map(|(_, rest)| {
            let id = rest.split_once(",mqsafe-void=").map_or(rest, |(id, _)| id);
            id.to_owned()
        });
        all.push(Seen {
            partition: partition as i32,
            offset,
            key: (key >= 0).then_some(taken_key),
            value: taken_value,
            id,
        });
    }
    all
}

#[test]
fn what_kcat_prints_is_read_back() {
    let text = b"1 7 2 3 mqsafe-id=5 p t/1,mqsafe-void=3,4\na\nb\nc\n0 0 -1 0 \n\n";
    let read = parse(text);
    assert_eq!(
        (read[0].partition, read[0].offset, read[0].id.as_deref()),
        (1, 7, Some("5 p t/1"))
    );
    assert_eq!(
        (read[0].key.as_deref(), read[0].value.as_slice()),
        (Some(&b"a\n"[..]), &b"b\nc"[..])
    );
    assert_eq!(
        (read[1].key.as_deref(), read[1].value.as_slice(), read[1].id.as_deref()),
        (None, &b""[..], None)
    );
}
