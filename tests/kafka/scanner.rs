//! The scanner on a real cluster, held against kcat: codecs, transactions, compaction, leaders that move, brokers that are down.

use crate::cluster::{self, Cluster, Seen};
use crate::support;
use mqsafe::broker::kafka::{KafkaScan, KafkaTarget};
use mqsafe::connect::{BrokerUrl, ClientProperties, Connection, Origin};
use mqsafe::model::{BatchHeader, Control, Coverage, Record, Scan, ScanPlan, ScanReport, Visit};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

/// What a scan handed over.
#[derive(Default)]
struct Handed {
    records: Vec<Seen>,
    headers: Vec<(i32, BatchHeader)>,
    /// Ends the scan after so many messages.
    most: Option<usize>,
    /// Does something once, after the first message.
    once: Option<Box<dyn FnOnce() + Send>>,
}

impl Visit for Handed {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        for record in records {
            let id = record
                .header("mqsafe-id")
                .map(|id| String::from_utf8_lossy(id).into_owned());
            self.records.push(Seen {
                partition: record.partition,
                offset: record.offset,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.unwrap_or_default().to_vec(),
                id,
            });
        }
        if let Some(once) = self.once.take() {
            once();
        }
        match self.most.is_some_and(|most| self.records.len() >= most) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn headers(&mut self, partition: i32, header: &BatchHeader) {
        self.headers.push((partition, *header));
    }

    fn progress(&mut self, _done: u64, _total: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn connection(hosts: &str, properties: &[(&str, &str)]) -> Connection {
    let mut all = ClientProperties::default();
    for (key, value) in properties {
        all.set(*key, *value, Origin::Property);
    }
    Connection {
        url: BrokerUrl::parse(&format!("kafka://{hosts}")).unwrap(),
        properties: all,
        management: None,
    }
}

fn scan_with(connection: &Connection, topic: &str, plan: &ScanPlan, visit: &mut Handed) -> ScanReport {
    let mut scan = KafkaScan::new(KafkaTarget::new(connection, topic).unwrap()).unwrap();
    scan.scan(plan, visit).unwrap()
}

fn scan(cluster: &Cluster, topic: &str, plan: &ScanPlan) -> (Handed, ScanReport) {
    let mut handed = Handed::default();
    let report = scan_with(&connection(cluster.bootstrap(), &[]), topic, plan, &mut handed);
    (handed, report)
}

/// In the order that does not depend on which partition came first.
fn in_order(mut all: Vec<Seen>) -> Vec<Seen> {
    all.sort_by_key(|seen| (seen.partition, seen.offset));
    all
}

fn keys_of(n: u32) -> Option<Vec<u8>> {
    match n % 10 {
        0 => None,
        1 => Some(Vec::new()),
        2 => Some(vec![0xff, 0, n as u8]),
        _ => Some(format!("key-{}", n % 97).into_bytes()),
    }
}

/// Writes so many messages over all partitions, each batch as small or as large as `config` makes it.
pub(crate) fn fill(cluster: &Cluster, topic: &str, partitions: i32, count: u32, config: &[(&str, &str)]) {
    let mut producer = ClientConfig::new();
    // Without its idempotence a producer that tries again on a busy machine writes twice.
    let safe = config.iter().all(|(key, _)| *key != "acks");
    producer
        .set("bootstrap.servers", cluster.bootstrap())
        .set("enable.idempotence", if safe { "true" } else { "false" });
    for (key, value) in config {
        producer.set(*key, *value);
    }
    let producer: BaseProducer = producer.create().unwrap();
    for n in 0..count {
        let (key, value) = (keys_of(n), format!("value {n} ").repeat((n % 40) as usize));
        let id = format!("{n}");
        let headers = OwnedHeaders::new().insert(Header {
            key: "mqsafe-id",
            value: Some(&id),
        });
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(n as i32 % partitions);
        if let Some(key) = &key {
            record = record.key(key);
        }
        record = record.payload(value.as_bytes());
        if n % 3 == 0 {
            record = record.headers(headers);
        }
        producer.send(record).map_err(|(e, _)| e).unwrap();
        if n % 500 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(PATIENCE).unwrap();
}

#[test]
fn every_codec_is_read_as_kcat_reads_it() {
    let Some(cluster) = cluster::shared("every_codec_is_read_as_kcat_reads_it") else {
        return;
    };
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = cluster.topic("codec", 3, &[]);
        fill(
            &cluster,
            &topic,
            3,
            3000,
            &[("compression.type", codec), ("linger.ms", "5")],
        );
        let expected = in_order(cluster.read(&topic));
        assert_eq!(expected.len(), 3000);

        let plan = ScanPlan {
            batch_headers: true,
            ..ScanPlan::default()
        };
        let (all, report) = scan(&cluster, &topic, &plan);
        assert_eq!(report.coverage(), Coverage::Complete, "{codec}");
        assert_eq!(report.compacted, Some(false));
        assert!(in_order(all.records) == expected, "{codec}");
        let counted: u32 = all.headers.iter().map(|(_, h)| h.count).sum();
        assert_eq!(counted, 3000, "{codec}");

        for newest_first in [false, true] {
            let plan = ScanPlan {
                keys: vec![b"key-33".to_vec(), Vec::new(), vec![0xff, 0, 2]],
                newest_first,
                first: vec![2],
                ..ScanPlan::default()
            };
            let (some, report) = scan(&cluster, &topic, &plan);
            assert_eq!(report.coverage(), Coverage::Complete);
            let read: u64 = report.partitions.iter().map(|p| p.records).sum();
            assert_eq!(read, 3000, "all are counted");
            let wanted = |seen: &&Seen| seen.key.as_ref().is_some_and(|key| plan.keys.contains(key));
            let wanted: Vec<Seen> = expected.iter().filter(wanted).cloned().collect();
            assert!(wanted.len() > 300 && in_order(some.records) == wanted, "{codec}");
        }
        cluster.delete_topic(&topic);
    }
}

#[test]
fn backwards_the_newest_come_first_and_nothing_is_missing() {
    let Some(cluster) = cluster::shared("backwards_the_newest_come_first_and_nothing_is_missing") else {
        return;
    };
    let topic = cluster.topic("newest", 2, &[]);
    fill(
        &cluster,
        &topic,
        2,
        60_000,
        &[("linger.ms", "20"), ("compression.type", "lz4")],
    );
    let expected = in_order(cluster.read(&topic));
    let plan = ScanPlan {
        newest_first: true,
        ..ScanPlan::default()
    };
    let (all, report) = scan(&cluster, &topic, &plan);
    assert_eq!(report.coverage(), Coverage::Complete);
    let first: Vec<i64> = all
        .records
        .iter()
        .filter(|r| r.partition == 0)
        .map(|r| r.offset)
        .collect();
    assert!(first[0] >= 30_000 - 4096, "begins at {}", first[0]);
    assert!(in_order(all.records) == expected);

    let mut few = Handed {
        most: Some(100),
        ..Handed::default()
    };
    let report = scan_with(&connection(cluster.bootstrap(), &[]), &topic, &plan, &mut few);
    assert!(
        report.stopped && matches!(report.coverage(), Coverage::Partial(_)),
        "{report:?}"
    );
    assert!(few.records.len() < 10_000);
    cluster.delete_topic(&topic);
}

#[test]
fn aborted_transactions_and_marks_are_told_apart() {
    let Some(cluster) = cluster::shared("aborted_transactions_and_marks_are_told_apart") else {
        return;
    };
    let topic = cluster.topic("transactions", 1, &[]);
    let producer = |id: &str| -> BaseProducer {
        let id = format!("{topic}-{id}");
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", cluster.bootstrap())
            .set("transactional.id", id);
        let producer: BaseProducer = config.set("compression.type", "lz4").create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer
    };
    let (one, two) = (producer("one"), producer("two"));
    let write = |producer: &BaseProducer, key: &str| {
        for n in 0..20 {
            let value = n.to_string();
            let record = BaseRecord::to(&topic).partition(0).key(key).payload(&value);
            producer.send(record).map_err(|(e, _)| e).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    };
    // Two at the same time: what one aborts says nothing of the other.
    for (first, second) in [(true, false), (false, true), (false, false), (true, true)] {
        one.begin_transaction().unwrap();
        two.begin_transaction().unwrap();
        write(&one, "one");
        write(&two, "two");
        write(&one, "one");
        let end = |producer: &BaseProducer, commit: bool| match commit {
            true => producer.commit_transaction(PATIENCE).unwrap(),
            false => producer.abort_transaction(PATIENCE).unwrap(),
        };
        end(&one, first);
        write(&two, "two");
        end(&two, second);
    }
    cluster.await_transactions(&topic, 1);
    let plan = |read_uncommitted| ScanPlan {
        read_uncommitted,
        batch_headers: true,
        ..ScanPlan::default()
    };
    let expected = cluster.read(&topic);
    assert_eq!(expected.len(), 2 * 40 + 2 * 40);
    for newest_first in [false, true] {
        let plan = ScanPlan {
            newest_first,
            ..plan(false)
        };
        let (committed, report) = scan(&cluster, &topic, &plan);
        assert_eq!(report.coverage(), Coverage::Complete);
        assert!(in_order(committed.records) == expected);
    }
    let (all, _) = scan(&cluster, &topic, &plan(true));
    assert_eq!(all.records.len(), 4 * 80);
    let marks = |control| all.headers.iter().filter(|(_, h)| h.control == Some(control)).count();
    assert_eq!((marks(Control::Commit), marks(Control::Abort)), (4, 4));
    assert!(all.headers.iter().all(|(_, h)| h.transactional && h.producer_id >= 0));
    cluster.delete_topic(&topic);
}

#[test]
fn a_compacted_topic_with_holes_is_read_to_its_end() {
    let Some(cluster) = cluster::shared("a_compacted_topic_with_holes_is_read_to_its_end") else {
        return;
    };
    let settings = [
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("segment.ms", "200"),
        ("segment.bytes", "1048576"),
        ("max.compaction.lag.ms", "500"),
    ];
    let topic = cluster.topic("compacted", 1, &settings);
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap())
        .set("compression.type", "zstd")
        .create()
        .unwrap();
    for n in 0..3000 {
        let (key, value) = (format!("key-{}", n % 50), format!("value {n}"));
        let record = BaseRecord::to(&topic).partition(0).key(&key).payload(&value);
        producer.send(record).map_err(|(e, _)| e).unwrap();
        if n % 500 == 499 {
            producer.flush(PATIENCE).unwrap();
            std::thread::sleep(Duration::from_millis(250));
        }
    }
    cluster::eventually("the topic is compacted", || cluster.read(&topic).len() < 1500);
    let (mut handed, mut report, mut expected);
    // It may be compacted once more between two readers.
    let start = Instant::now();
    loop {
        expected = cluster.read(&topic);
        (handed, report) = scan(&cluster, &topic, &ScanPlan::default());
        if handed.records == expected || start.elapsed() > PATIENCE {
            break;
        }
    }
    assert_eq!((report.coverage(), report.compacted), (Coverage::Complete, Some(true)));
    assert!(handed.records == expected);
    let (backwards, report) = scan(
        &cluster,
        &topic,
        &ScanPlan {
            newest_first: true,
            ..ScanPlan::default()
        },
    );
    assert_eq!(report.coverage(), Coverage::Complete);
    assert!(backwards.records.len() <= expected.len() && backwards.records.len() >= 50);
    cluster.delete_topic(&topic);
}

#[test]
fn times_narrow_the_search_and_say_what_they_assume() {
    let Some(cluster) = cluster::shared("times_narrow_the_search_and_say_what_they_assume") else {
        return;
    };
    const HOUR: i64 = 3_600_000;
    // The messages are years old: with the default a broker may delete them at any moment.
    let topic = cluster.topic("times", 1, &[("retention.ms", "-1")]);
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap())
        .create()
        .unwrap();
    let begin = 1_700_000_000_000;
    for n in 0..100 {
        // Each tenth is half an hour late.
        let ms = begin + n * HOUR - if n % 10 == 0 { HOUR / 2 } else { 0 };
        let value = n.to_string();
        let record = BaseRecord::<(), str>::to(&topic)
            .partition(0)
            .payload(&value)
            .timestamp(ms);
        producer.send(record).map_err(|(e, _)| e).unwrap();
        producer.flush(PATIENCE).unwrap();
    }
    let plan = |since: Option<i64>, until: Option<i64>| ScanPlan {
        since_ms: since.map(|n| begin + n * HOUR),
        until_ms: until.map(|n| begin + n * HOUR),
        ..ScanPlan::default()
    };
    let within = |since: Option<i64>, until: Option<i64>| {
        let (handed, report) = scan(&cluster, &topic, &plan(since, until));
        let all: Vec<i64> = handed.records.iter().map(|r| r.offset).collect();
        (all, report)
    };
    let (late, report) = within(Some(90), None);
    assert_eq!(
        (late.first(), late.last()),
        (Some(&91), Some(&99)),
        "offset 90 is older"
    );
    assert_eq!((report.coverage(), report.partitions[0].from), (Coverage::Complete, 91));
    let (early, report) = within(None, Some(10));
    assert!(early.contains(&10) && early.last() < Some(&15), "{early:?}");
    assert!(matches!(report.coverage(), Coverage::CompleteIf(_)), "{report:?}");
    let (all, report) = within(Some(-5), Some(500));
    assert_eq!((all.len(), report.coverage()), (100, Coverage::Complete));
    let (none, report) = within(Some(500), None);
    assert_eq!((none.len(), report.coverage()), (0, Coverage::Complete));
    cluster.delete_topic(&topic);
}

#[test]
fn every_secured_listener_is_read_by_our_own_connections() {
    let test = "kafka::every_secured_listener_is_read_by_our_own_connections";
    let Some(cluster) = cluster::shared("every_secured_listener_is_read_by_our_own_connections") else {
        return;
    };
    let value = |name: &str| support::address(test, name);
    let (Some(tls), Some(mutual), Some(clear)) = (
        value("KAFKA_SASL_SSL"),
        value("KAFKA_SSL"),
        value("KAFKA_SASL_PLAINTEXT"),
    ) else {
        return;
    };
    let (certs, token) = (value("CERTS_DIR").unwrap(), value("OIDC_TOKEN_URL").unwrap());
    let read = |name: &str| std::fs::read_to_string(value(name).unwrap()).unwrap();
    let (password, secret) = (read("KAFKA_PASSWORD_FILE"), read("OIDC_SECRET_FILE"));
    let (ca, certificate, key) = (
        format!("{certs}/ca.pem"),
        format!("{certs}/client.pem"),
        format!("{certs}/client.key"),
    );
    let topic = cluster.topic("allowed", 3, &[]);
    fill(&cluster, &topic, 3, 2000, &[("compression.type", "snappy")]);
    let expected = in_order(cluster.read(&topic));
    let ca = ("ssl.ca.location", ca.as_str());
    let user = [("sasl.username", "alice"), ("sasl.password", password.as_str())];
    let login = |protocol: &'static str, mechanism: &'static str| {
        let mut all = vec![("security.protocol", protocol), ("sasl.mechanisms", mechanism), ca];
        all.extend(user);
        all
    };
    let (id, secret) = (value("OIDC_CLIENT_ID").unwrap(), secret.as_str());
    let cases = [
        (&tls, login("SASL_SSL", "SCRAM-SHA-512")),
        (&tls, login("SASL_SSL", "SCRAM-SHA-256")),
        (&tls, login("SASL_SSL", "PLAIN")),
        (
            &tls,
            vec![
                ("security.protocol", "SASL_SSL"),
                ("sasl.mechanisms", "OAUTHBEARER"),
                ca,
                ("sasl.oauthbearer.token.endpoint.url", token.as_str()),
                ("sasl.oauthbearer.client.id", id.as_str()),
                ("sasl.oauthbearer.client.secret", secret),
            ],
        ),
        (
            &mutual,
            vec![
                ("security.protocol", "SSL"),
                ca,
                ("ssl.certificate.location", certificate.as_str()),
                ("ssl.key.location", key.as_str()),
            ],
        ),
        (&clear, login("SASL_PLAINTEXT", "SCRAM-SHA-512")),
        // What only librdkafka honours is read through it, with the same answer.
        (
            &tls,
            [login("SASL_SSL", "SCRAM-SHA-512"), vec![("ssl.cipher.suites", "HIGH")]].concat(),
        ),
    ];
    for (hosts, properties) in &cases {
        let mut handed = Handed::default();
        let connection = connection(hosts, properties);
        let report = scan_with(&connection, &topic, &ScanPlan::default(), &mut handed);
        assert_eq!(report.coverage(), Coverage::Complete, "{}", properties[1].1);
        assert!(in_order(handed.records) == expected, "{}", properties[1].1);
    }
    let mut wrong = login("SASL_SSL", "SCRAM-SHA-512");
    wrong.retain(|(key, _)| *key != "sasl.password");
    wrong.push(("sasl.password", "not this"));
    let start = Instant::now();
    let connection = connection(&tls, &wrong);
    let mut scan = KafkaScan::new(KafkaTarget::new(&connection, &topic).unwrap()).unwrap();
    let problem = scan.scan(&ScanPlan::default(), &mut Handed::default()).unwrap_err();
    let said = problem.to_string();
    assert!(
        said.contains("cannot reach") && said.contains("authentication"),
        "{said}"
    );
    assert!(
        !said.contains("not this") && start.elapsed() < Duration::from_secs(25),
        "{said}"
    );
    cluster.delete_topic(&topic);
}

#[test]
fn a_topic_that_may_not_be_read_is_named_and_no_empty_one() {
    let test = "kafka::a_topic_that_may_not_be_read_is_named_and_no_empty_one";
    let Some(cluster) = cluster::shared("a_topic_that_may_not_be_read_is_named_and_no_empty_one") else {
        return;
    };
    let (Some(tls), Some(certs), Some(file)) = (
        support::address(test, "KAFKA_SASL_SSL"),
        support::address(test, "CERTS_DIR"),
        support::address(test, "KAFKA_READER_PASSWORD_FILE"),
    ) else {
        return;
    };
    let (ca, password) = (format!("{certs}/ca.pem"), std::fs::read_to_string(file).unwrap());
    let reader = connection(
        &tls,
        &[
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanisms", "SCRAM-SHA-256"),
            ("sasl.username", "reader"),
            ("sasl.password", &password),
            ("ssl.ca.location", &ca),
        ],
    );
    let (allowed, denied) = (cluster.topic("allowed", 1, &[]), cluster.topic("denied", 1, &[]));
    fill(&cluster, &allowed, 1, 10, &[]);
    let mut handed = Handed::default();
    let report = scan_with(&reader, &allowed, &ScanPlan::default(), &mut handed);
    assert_eq!((report.coverage(), handed.records.len()), (Coverage::Complete, 10));
    assert_eq!(report.compacted, None, "this user may not know");
    let mut scan = KafkaScan::new(KafkaTarget::new(&reader, &denied).unwrap()).unwrap();
    let problem = scan.scan(&ScanPlan::default(), &mut handed).unwrap_err();
    assert!(problem.to_string().contains(&denied), "{problem}");
    cluster.delete_topic(&allowed);
    cluster.delete_topic(&denied);
}

#[test]
fn a_leader_that_dies_moves_and_what_has_no_other_is_partial() {
    let Some(cluster) = cluster::alone("a_leader_that_dies_moves_and_what_has_no_other_is_partial") else {
        return;
    };
    let (safe, single) = (cluster.topic("safe", 3, &[]), cluster.fresh_name("single"));
    fill(
        &cluster,
        &safe,
        3,
        60_000,
        &[("compression.type", "zstd"), ("batch.size", "16384")],
    );
    cluster.make_topic_with(&single, 3, 1);
    fill(&cluster, &single, 3, 3000, &[]);
    let expected = in_order(cluster.read(&safe));
    let node = cluster.await_leader(&safe, 0).to_string();
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers/kill");
    let killed = node.clone();
    let mut handed = Handed {
        // In the middle: the rest of what this leader had must come from another.
        once: Some(Box::new(move || {
            let done = std::process::Command::new(script)
                .args(["kafka", &killed])
                .status()
                .unwrap();
            assert!(done.success());
        })),
        ..Handed::default()
    };
    let connection = connection(cluster.bootstrap(), &[("fetch.max.bytes", "20000")]);
    let start = Instant::now();
    let report = scan_with(&connection, &safe, &ScanPlan::default(), &mut handed);
    println!("a leader died in the middle: read after {:.1?}", start.elapsed());
    assert_eq!(report.coverage(), Coverage::Complete, "{report:?}");
    assert!(
        in_order(handed.records) == expected,
        "each message once and none missing"
    );

    // The whole tool beside it, because it takes its time: nothing is called absent, and what can be read is found.
    let tool = |key: &str| {
        let mut query = std::process::Command::new(env!("CARGO_BIN_EXE_mqsafe"));
        query.args([
            "--no-progress",
            "query-key",
            "-b",
            cluster.bootstrap(),
            "-t",
            &single,
            "--format",
            "json",
            key,
        ]);
        crate::tool::start(query)
    };
    let [mut absent, mut present] = ["absent", "key-33"].map(tool);
    let start = Instant::now();
    let (rest, report) = scan(&cluster, &single, &ScanPlan::default());
    println!("a partition without a leader: said after {:.1?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
    let broken: Vec<_> = report.partitions.iter().filter(|p| p.error.is_some()).collect();
    assert_eq!(broken.len(), 1, "{report:?}");
    let Coverage::Partial(why) = report.coverage() else {
        panic!("{report:?}");
    };
    assert!(why.contains(&format!("partition {}", broken[0].partition)), "{why}");
    assert_eq!(rest.records.len(), 2000);
    for (running, code) in [(&mut absent, 3), (&mut present, 0)] {
        running.close();
        let answer = running.wait().expect(code).json();
        let coverage = answer["coverage"].as_str().unwrap();
        assert!(
            coverage.starts_with(&format!("PARTIAL partition {}", broken[0].partition)),
            "{answer}"
        );
    }
    cluster.delete_topic(&safe);
    cluster.delete_topic(&single);
}
