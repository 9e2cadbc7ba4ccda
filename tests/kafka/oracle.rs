//! Is everything found that is there, and nothing else? Generated searches over topics that different writers filled, judged by
//! what those writers were told, with a judge of its own: nothing of `src/query` decides what must be found.

use crate::cluster::{self, Cluster};
use mqsafe::connect::{BrokerUrl, ClientProperties, Connection};
use mqsafe::model::{Coverage, KeyHash, Record, ScanPlan, Visit};
use mqsafe::query::{Placing, Wanted};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const PATIENCE: Duration = Duration::from_secs(120);
const QUERIES: usize = 2000;
/// No record may grow old while it is searched for.
const KEPT: [(&str, &str); 1] = [("retention.ms", "-1")];

/// The time of the first records: a little ago, because what is written long after its own time is beyond what a search until a
/// moment promises.
fn base_ms() -> i64 {
    static BASE: OnceLock<i64> = OnceLock::new();
    *BASE.get_or_init(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        i64::try_from(now.as_millis()).unwrap() - 120_000
    })
}

/// What a writer was told of one record.
#[derive(Debug, Clone)]
struct Entry {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    header: Option<Vec<u8>>,
    time_ms: i64,
    aborted: bool,
    hash: Option<KeyHash>,
}

type Place = (i32, i64);
type Ledger = BTreeMap<Place, Entry>;

/// Writes down where each record lies, when its broker says so.
#[derive(Clone, Default)]
struct Scribe(Arc<Mutex<Vec<(usize, Place)>>>);

impl ClientContext for Scribe {}

impl ProducerContext for Scribe {
    type DeliveryOpaque = Box<usize>;

    fn delivery(&self, result: &DeliveryResult<'_>, n: Box<usize>) {
        let message = result.as_ref().unwrap_or_else(|(e, _)| panic!("{e}"));
        self.0
            .lock()
            .unwrap()
            .push((*n, (message.partition(), message.offset())));
    }
}

struct Writer {
    producer: BaseProducer<Scribe>,
    scribe: Scribe,
}

impl Writer {
    fn new(cluster: &Cluster, codec: &str, hash: Option<KeyHash>, transactional: Option<&str>) -> Writer {
        let scribe = Scribe::default();
        let partitioner = match hash {
            Some(KeyHash::Murmur2) => "murmur2_random",
            Some(KeyHash::Crc32) => "consistent_random",
            Some(KeyHash::Fnv1a) => "fnv1a_random",
            None => "random",
        };
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", cluster.bootstrap())
            .set("compression.codec", codec)
            .set("partitioner", partitioner)
            .set("linger.ms", "20")
            // Whoever tries again without it on a busy machine writes what it was never told of.
            .set("enable.idempotence", "true")
            .set("topic.metadata.refresh.interval.ms", "500");
        if let Some(id) = transactional {
            config.set("transactional.id", id);
        }
        Writer {
            producer: config.create_with_context(scribe.clone()).unwrap(),
            scribe,
        }
    }

    fn write(&self, topic: &str, entries: &[Entry]) -> Ledger {
        for (n, entry) in entries.iter().enumerate() {
            let mut record =
                BaseRecord::<[u8], [u8], Box<usize>>::with_opaque_to(topic, Box::new(n)).timestamp(entry.time_ms);
            if let Some(key) = &entry.key {
                record = record.key(key);
            }
            if let Some(value) = &entry.value {
                record = record.payload(value);
            }
            if let Some(value) = &entry.header {
                let header = Header {
                    key: "h",
                    value: Some(value),
                };
                record = record.headers(OwnedHeaders::new().insert(header));
            }
            self.producer.send(record).map_err(|(e, _)| e).unwrap();
            self.producer.poll(Duration::ZERO);
        }
        self.producer.flush(PATIENCE).unwrap();
        let told = std::mem::take(&mut *self.scribe.0.lock().unwrap());
        assert_eq!(told.len(), entries.len());
        told.into_iter().map(|(n, place)| (place, entries[n].clone())).collect()
    }
}

struct Topic {
    name: String,
    ledger: Ledger,
    /// Partition counts before the last.
    earlier: Vec<i32>,
    compacted: bool,
}

fn keys(random: &mut StdRng) -> Vec<Option<Vec<u8>>> {
    let mut keys: Vec<Option<Vec<u8>>> = vec![None, Some(Vec::new()), Some(b"\0".to_vec()), Some(vec![0xff; 300])];
    keys.extend((0..200).map(|n| Some(format!("order-{n}").into_bytes())));
    keys.extend((0..60).map(|_| {
        let length = random.random_range(1..20);
        Some((0..length).map(|_| random.random()).collect())
    }));
    keys
}

fn entries(random: &mut StdRng, keys: &[Option<Vec<u8>>], count: usize, hash: Option<KeyHash>) -> Vec<Entry> {
    (0..count)
        .map(|n| Entry {
            key: keys.choose(random).unwrap().clone(),
            value: match random.random_range(0..10) {
                0 => None,
                1 => Some(Vec::new()),
                2 => Some((0..random.random_range(0..200)).map(|_| random.random()).collect()),
                _ => Some(format!("{{\"n\":{},\"text\":\"{}\"}}", n % 50, "x".repeat(n % 90)).into_bytes()),
            },
            header: (n % 3 == 0).then(|| vec![b'0' + (n % 7) as u8]),
            // Out of order on purpose: CreateTime is the producer's.
            time_ms: base_ms() + n as i64 * 100 + random.random_range(-2_000..2_000),
            aborted: false,
            hash,
        })
        .collect()
}

fn topics(cluster: &Cluster, random: &mut StdRng) -> Vec<Topic> {
    let keys = keys(random);
    let hashes = [Some(KeyHash::Murmur2), Some(KeyHash::Crc32), Some(KeyHash::Fnv1a), None];
    let mut all = Vec::new();

    // Every codec and every partitioner.
    let name = cluster.topic("oracle-mixed", 6, &KEPT);
    let mut ledger = Ledger::new();
    for (hash, codec) in hashes.iter().zip(["gzip", "snappy", "lz4", "zstd"]) {
        ledger.extend(Writer::new(cluster, codec, *hash, None).write(&name, &entries(random, &keys, 600, *hash)));
    }
    ledger.extend(Writer::new(cluster, "none", None, None).write(&name, &entries(random, &keys, 300, None)));
    all.push(Topic {
        name,
        ledger,
        earlier: Vec::new(),
        compacted: false,
    });

    // Grown in between.
    let name = cluster.topic("oracle-grown", 3, &KEPT);
    let mut ledger = Ledger::new();
    for hash in &hashes[..3] {
        ledger.extend(Writer::new(cluster, "lz4", *hash, None).write(&name, &entries(random, &keys, 250, *hash)));
    }
    grow(cluster, &name, 8);
    for hash in &hashes[..3] {
        ledger.extend(Writer::new(cluster, "zstd", *hash, None).write(&name, &entries(random, &keys, 250, *hash)));
    }
    all.push(Topic {
        name,
        ledger,
        earlier: vec![3],
        compacted: false,
    });

    // Transactions, committed and aborted, with others in between.
    let name = cluster.topic("oracle-transactions", 4, &KEPT);
    let mut ledger = Ledger::new();
    let writer = Writer::new(cluster, "snappy", hashes[0], Some(&name));
    writer.producer.init_transactions(PATIENCE).unwrap();
    let plain = Writer::new(cluster, "none", hashes[1], None);
    for turn in 0..12 {
        writer.producer.begin_transaction().unwrap();
        let mut its = entries(random, &keys, 60, hashes[0]);
        its.iter_mut().for_each(|entry| entry.aborted = turn % 3 == 1);
        ledger.extend(writer.write(&name, &its));
        ledger.extend(plain.write(&name, &entries(random, &keys, 20, hashes[1])));
        match turn % 3 {
            1 => writer.producer.abort_transaction(PATIENCE).unwrap(),
            _ => writer.producer.commit_transaction(PATIENCE).unwrap(),
        }
    }
    cluster.await_transactions(&name, 4);
    all.push(Topic {
        name,
        ledger,
        earlier: Vec::new(),
        compacted: false,
    });

    // Compacted while it is searched, or not: what may be gone is no fault, and the last of each key must be there.
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "500"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("delete.retention.ms", "86400000"),
    ];
    let name = cluster.topic("oracle-compacted", 3, &settings);
    let mut ledger = Ledger::new();
    let with_key: Vec<Option<Vec<u8>>> = keys.iter().filter(|key| key.is_some()).cloned().collect();
    for hash in &hashes[..3] {
        ledger.extend(Writer::new(cluster, "gzip", *hash, None).write(&name, &entries(random, &with_key, 400, *hash)));
        std::thread::sleep(Duration::from_millis(600));
    }
    all.push(Topic {
        name,
        ledger,
        earlier: Vec::new(),
        compacted: true,
    });
    all
}

fn grow(cluster: &Cluster, topic: &str, count: usize) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap())
        .create()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let partitions = [NewPartitions::new(topic, count)];
    let grown = runtime
        .block_on(admin.create_partitions(&partitions, &AdminOptions::new()))
        .unwrap();
    grown.into_iter().for_each(|one| drop(one.unwrap()));
    cluster::eventually("it has grown", || {
        crate::kafka_nodes::have_topic(cluster.bootstrap(), topic, count, 3)
    });
}

/// What is looked for, as the judge understands it.
#[derive(Debug, Default)]
struct Search {
    keys: Vec<Vec<u8>>,
    no_key: bool,
    prefix: Option<String>,
    header: Option<Vec<u8>>,
    n: Option<usize>,
    contains: Option<Vec<u8>>,
    window: Option<(i64, i64)>,
    partitions: Vec<i32>,
    uncommitted: bool,
    pruned: bool,
    only: Option<KeyHash>,
    newest_first: bool,
}

impl Search {
    fn any(random: &mut StdRng, topic: &Topic) -> Search {
        let mut search = Search {
            uncommitted: random.random_ratio(1, 5),
            newest_first: random.random_ratio(1, 6),
            ..Search::default()
        };
        let entry = |random: &mut StdRng| {
            topic
                .ledger
                .values()
                .nth(random.random_range(0..topic.ledger.len()))
                .unwrap()
                .clone()
        };
        match random.random_range(0..10) {
            0 => search.keys = vec![format!("absent-{}", random.random::<u32>()).into_bytes()],
            1 => search.no_key = true,
            2 => search.prefix = Some(format!("order-{}", random.random_range(0..20))),
            3 => search.keys = (0..5).filter_map(|_| entry(random).key).collect(),
            4 => search.keys = vec![Vec::new()],
            _ => search.keys = entry(random).key.into_iter().collect(),
        }
        if search.keys.is_empty() && search.prefix.is_none() {
            search.no_key = true;
        }
        match random.random_range(0..12) {
            0 => search.header = Some(vec![b'0' + random.random_range(0..8)]),
            1 => search.n = Some(random.random_range(0..60)),
            2 => search.contains = Some(b"\"text\":\"xxx".to_vec()),
            3 => {
                let from = base_ms() + random.random_range(-5_000..60_000);
                search.window = Some((from, from + random.random_range(1..30_000)));
            }
            4 => search.partitions = vec![random.random_range(0..3)],
            5 | 6 if search.prefix.is_none() && !search.no_key => search.pruned = true,
            7 if search.prefix.is_none() && !search.no_key => search.only = KeyHash::ALL.choose(random).copied(),
            _ => {}
        }
        search
    }

    /// The judge.
    fn is(&self, place: Place, entry: &Entry) -> bool {
        let named = match &entry.key {
            None => self.no_key,
            Some(key) => {
                self.keys.contains(key)
                    || self
                        .prefix
                        .as_ref()
                        .is_some_and(|prefix| key.starts_with(prefix.as_bytes()))
            }
        };
        let value = entry.value.as_deref().unwrap_or_default();
        let holds =
            |text: &[u8]| entry.value.is_some() && (text.is_empty() || value.windows(text.len()).any(|w| w == text));
        named
            && (self.uncommitted || !entry.aborted)
            && (self.partitions.is_empty() || self.partitions.contains(&place.0))
            && self
                .header
                .as_ref()
                .is_none_or(|wanted| entry.header.as_ref() == Some(wanted))
            && self
                .n
                .is_none_or(|n| value.starts_with(format!("{{\"n\":{n},").as_bytes()))
            && self.contains.as_ref().is_none_or(|text| holds(text))
            && self.window.is_none_or(|(from, to)| (from..to).contains(&entry.time_ms))
    }

    fn wanted(&self) -> Wanted {
        let mut wanted = Wanted::default();
        self.keys.iter().for_each(|key| wanted.or_key(key.clone()));
        if self.no_key {
            wanted.or_no_key();
        }
        if let Some(prefix) = &self.prefix {
            wanted.or_glob(&format!("{prefix}*")).unwrap();
        }
        if let Some(value) = &self.header {
            wanted.and_header("h", value.clone());
        }
        if let Some(n) = self.n {
            wanted.and_json(&format!("/n={n}")).unwrap();
        }
        if let Some(text) = &self.contains {
            wanted.and_contains(text).unwrap();
        }
        let (since, until) = self.window.unzip();
        wanted.within(since, until);
        wanted
    }
}

struct Found<'a> {
    wanted: &'a Wanted,
    records: Vec<(Place, Option<Vec<u8>>, Option<Vec<u8>>)>,
}

impl Visit for Found<'_> {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        for record in records.iter().filter(|record| self.wanted.matches(record)) {
            let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
            self.records.push((
                (record.partition, record.offset),
                owned(record.key),
                owned(record.value),
            ));
        }
        ControlFlow::Continue(())
    }

    fn progress(&mut self, _done: u64, _total: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn run(connection: &Connection, topic: &Topic, search: &Search) -> (BTreeSet<Place>, Coverage) {
    let wanted = search.wanted();
    let mut scan = mqsafe::broker::scan(connection, &topic.name).unwrap();
    let placing = Placing {
        only: search.only,
        pruned: search.pruned,
        earlier_counts: topic.earlier.clone(),
    };
    let keys = wanted.exact_keys();
    let count = keys.as_ref().and_then(|_| scan.hash_partitions(PATIENCE));
    let plan = count.map(|count| placing.plan(keys.as_deref(), count, &search.partitions));
    let assumption = plan.as_ref().and_then(|plan| plan.assumption.clone());
    let (since_ms, until_ms) = search.window.unzip();
    let scan_plan = ScanPlan {
        partitions: plan
            .as_ref()
            .map_or(search.partitions.clone(), |plan| plan.partitions.clone()),
        first: plan.map(|plan| plan.first).unwrap_or_default(),
        read_uncommitted: search.uncommitted,
        since_ms,
        until_ms,
        keys: keys.unwrap_or_default(),
        newest_first: search.newest_first,
        ..ScanPlan::default()
    };
    let mut found = Found {
        wanted: &wanted,
        records: Vec::new(),
    };
    let report = scan.scan(&scan_plan, &mut found).unwrap();
    let mut places = BTreeSet::new();
    for (place, key, value) in found.records {
        assert!(places.insert(place), "{place:?} is handed over twice: {search:?}");
        let entry = topic
            .ledger
            .get(&place)
            .unwrap_or_else(|| panic!("{place:?} was never written: {search:?}"));
        assert_eq!(
            (&entry.key, &entry.value),
            (&key, &value),
            "{place:?} of {} is not what was written: {search:?}",
            topic.name
        );
    }
    (
        places,
        mqsafe::query::coverage(&report, assumption.as_deref(), None, places_len(&report)),
    )
}

fn places_len(report: &mqsafe::model::ScanReport) -> u64 {
    report.partitions.iter().map(|p| p.records).sum()
}

#[test]
fn two_thousand_searches_find_everything_and_nothing_else() {
    let Some(cluster) = cluster::shared("two_thousand_searches_find_everything_and_nothing_else") else {
        return;
    };
    let seed = std::env::var("MQSAFE_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(6);
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let topics = topics(&cluster, &mut random);
    let connection = Connection {
        url: BrokerUrl::parse(&format!("kafka://{}", cluster.bootstrap())).unwrap(),
        properties: ClientProperties::default(),
        management: None,
    };
    for topic in topics.iter().filter(|topic| !topic.compacted) {
        agrees_with_kcat(&cluster, topic);
    }
    // A canary: a search that leaves partitions out is noticed by the judge.
    let everything = Search {
        prefix: Some("order-".to_owned()),
        ..Search::default()
    };
    let blind = Search {
        prefix: Some("order-".to_owned()),
        partitions: vec![0],
        ..Search::default()
    };
    let (seen, _) = run(&connection, &topics[0], &blind);
    let should: Vec<&Place> = topics[0]
        .ledger
        .iter()
        .filter(|(place, entry)| everything.is(**place, entry))
        .map(|(place, _)| place)
        .collect();
    assert!(should.iter().any(|place| !seen.contains(place)), "the judge is blind");
    let (start, mut found_in_all, mut absent, mut missed, mut wrong) = (Instant::now(), 0, 0, Vec::new(), Vec::new());
    for n in 0..QUERIES {
        let topic = &topics[n % topics.len()];
        let search = Search::any(&mut random, topic);
        let expected: BTreeSet<Place> = topic
            .ledger
            .iter()
            .filter(|(place, entry)| search.is(**place, entry))
            .map(|(place, _)| *place)
            .collect();
        let (found, coverage) = run(&connection, topic, &search);
        wrong.extend(found.difference(&expected).map(|place| (n, *place)));
        let last_of_key = last_of_each_key(&topic.ledger);
        for place in expected.difference(&found) {
            let entry = &topic.ledger[place];
            // What a pruned search leaves out was put there by no client that it is told of.
            let is_excused = (search.pruned && entry.hash.is_none())
                || search.only.is_some_and(|only| entry.hash != Some(only))
                || (topic.compacted && !last_of_key.contains(place));
            if !is_excused {
                missed.push((n, *place));
            }
        }
        match coverage {
            Coverage::Complete => {}
            Coverage::CompleteIf(_) => assert!(search.pruned || search.only.is_some(), "{search:?}"),
            Coverage::Partial(why) => panic!("{why}: {search:?}"),
        }
        found_in_all += found.len();
        absent += usize::from(expected.is_empty());
    }
    println!(
        "{QUERIES} searches, {found_in_all} found, {absent} with nothing to find, {:.1?}: missed {}, wrong {}",
        start.elapsed(),
        missed.len(),
        wrong.len()
    );
    assert!(
        found_in_all > QUERIES && absent > QUERIES / 20,
        "the searches prove little"
    );
    assert!(
        missed.is_empty() && wrong.is_empty(),
        "missed {missed:?}, wrong {wrong:?}"
    );
}

/// The ledger is what the writers were told, and kcat reads the same: neither is this project's.
fn agrees_with_kcat(cluster: &Cluster, topic: &Topic) {
    let read = cluster.read(&topic.name);
    let committed = topic.ledger.values().filter(|entry| !entry.aborted).count();
    assert_eq!(read.len(), committed, "{}", topic.name);
    for seen in read {
        let entry = &topic.ledger[&(seen.partition, seen.offset)];
        let value = entry.value.clone().unwrap_or_default();
        assert_eq!(
            (&entry.key, &value),
            (&seen.key, &seen.value),
            "kcat reads another {seen:?} in {}",
            topic.name
        );
    }
}

fn last_of_each_key(ledger: &Ledger) -> BTreeSet<Place> {
    let mut last: BTreeMap<(i32, &Option<Vec<u8>>), Place> = BTreeMap::new();
    for (place, entry) in ledger {
        last.insert((place.0, &entry.key), *place);
    }
    last.into_values().collect()
}

/// The judge itself must be able to fail: a ledger that lies is noticed.
#[test]
fn canary_the_judge_tells_a_key_from_its_likeness() {
    let entry = |key: Option<&[u8]>| Entry {
        key: key.map(<[u8]>::to_vec),
        value: Some(b"{\"n\":5,\"text\":\"xxxx\"}".to_vec()),
        header: None,
        time_ms: 10,
        aborted: true,
        hash: None,
    };
    let search = Search {
        keys: vec![b"a".to_vec()],
        uncommitted: true,
        ..Search::default()
    };
    assert!(search.is((0, 0), &entry(Some(b"a"))));
    for other in [None, Some(&b""[..]), Some(b"A"), Some(b"aa")] {
        assert!(!search.is((0, 0), &entry(other)), "{other:?}");
    }
    let committed = Search {
        uncommitted: false,
        ..Search {
            keys: vec![b"a".to_vec()],
            ..Search::default()
        }
    };
    assert!(!committed.is((0, 0), &entry(Some(b"a"))));
    let other_n = Search {
        keys: vec![b"a".to_vec()],
        uncommitted: true,
        n: Some(50),
        ..Search::default()
    };
    assert!(!other_n.is((0, 0), &entry(Some(b"a"))));
}
