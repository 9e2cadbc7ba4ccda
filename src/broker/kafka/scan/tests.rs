//! The scanner against a broker that does what it is told: what a real one does too rarely to be tested with.

use super::super::batch::write::{Message, Plan};
use super::super::config::KafkaTarget;
use super::KafkaScan;
use crate::connect::{BrokerUrl, ClientProperties, Connection, Origin};
use crate::model::{Coverage, Record, Result, Scan, ScanPlan, ScanReport, Visit};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, BrokerId, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
    MetadataResponse, OffsetForLeaderEpochResponse, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes, decode_request_header_from_buffer};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const TOPIC: &str = "orders";

/// What a fetch asks for, as far as a script cares.
#[derive(Debug, Clone, Copy)]
struct Fetch {
    /// Which fetch of this broker it is.
    number: usize,
    offset: i64,
    epoch: i32,
    most_bytes: i32,
}

type Script = dyn Fn(Fetch) -> (i32, PartitionData) + Send + Sync;

/// One broker with one partition, the messages 0 to 9.
struct Fake {
    address: String,
    newest_fetch: i16,
    /// The epoch that it tells of its partition.
    epoch: AtomicI32,
    /// Where it says that the epoch before ended.
    cut_at: i64,
    fetches: AtomicUsize,
    script: Box<Script>,
    asked: Mutex<Vec<Fetch>>,
}

fn batch(first: i64, last: i64) -> Vec<u8> {
    batch_of(first, last, b"value".to_vec())
}

fn batch_of(first: i64, last: i64, value: Vec<u8>) -> Vec<u8> {
    let message = |delta: i64| Message {
        offset_delta: delta as i32,
        key: Some((first + delta).to_string().into_bytes()),
        value: Some(value.clone()),
        ..Message::default()
    };
    let plan = Plan {
        base_offset: first,
        last_offset_delta: (last - first) as i32,
        leader_epoch: 1,
        attributes: 0,
        base_ms: 1000,
        max_ms: 1000,
        producer: (-1, -1, -1),
        messages: (0..=last - first).map(message).collect(),
    };
    plan.bytes()
}

fn data(records: Vec<u8>) -> PartitionData {
    PartitionData::default()
        .with_high_watermark(10)
        .with_last_stable_offset(10)
        .with_log_start_offset(0)
        .with_aborted_transactions(None)
        .with_records(Some(Bytes::from(records)))
}

fn refusal(code: i16) -> PartitionData {
    data(Vec::new()).with_error_code(code).with_high_watermark(-1)
}

/// Everything from an offset on, in batches of five.
fn from(offset: i64) -> PartitionData {
    data(
        [batch(0, 4), batch(5, 9)]
            .concat()
            .split_off(if offset >= 5 { batch(0, 4).len() } else { 0 }),
    )
}

fn name() -> TopicName {
    TopicName(StrBytes::from_static_str(TOPIC))
}

impl Fake {
    fn start(newest_fetch: i16, cut_at: i64, script: Box<Script>) -> Arc<Fake> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fake = Arc::new(Fake {
            address: listener.local_addr().unwrap().to_string(),
            newest_fetch,
            epoch: AtomicI32::new(1),
            cut_at,
            fetches: AtomicUsize::new(0),
            script,
            asked: Mutex::default(),
        });
        let this = Arc::clone(&fake);
        // It ends with the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let this = Arc::clone(&this);
                std::thread::spawn(move || this.serve(stream));
            }
        });
        fake
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length).ok()?;
            let mut request = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut request).ok()?;
            let mut request = Bytes::from(request);
            let header = decode_request_header_from_buffer(&mut request).unwrap();
            let version = header.request_api_version;
            let mut out = BytesMut::new();
            let id = header.correlation_id;
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "this broker stands for none of the other requests"
            )]
            match ApiKey::try_from(header.request_api_key).unwrap() {
                ApiKey::ApiVersions => self.put(&mut out, id, version, &self.versions()),
                ApiKey::Metadata => self.put(&mut out, id, version, &self.metadata()),
                ApiKey::ListOffsets => {
                    let request = ListOffsetsRequest::decode(&mut request, version).unwrap();
                    self.put(&mut out, id, version, &offsets(&request));
                }
                ApiKey::OffsetForLeaderEpoch => self.put(&mut out, id, version, &self.epochs()),
                ApiKey::Fetch => {
                    let request = FetchRequest::decode(&mut request, version).unwrap();
                    self.put(&mut out, id, version, &self.fetch(&request));
                }
                other => panic!("nobody asks for {other:?}"),
            }
            let length = (out.len() as u32).to_be_bytes();
            stream.write_all(&length).ok()?;
            stream.write_all(&out).ok()?;
        }
    }

    fn put<R: Encodable + HeaderVersion>(&self, out: &mut BytesMut, id: i32, version: i16, answer: &R) {
        ResponseHeader::default()
            .with_correlation_id(id)
            .encode(out, R::header_version(version))
            .unwrap();
        answer.encode(out, version).unwrap();
    }

    fn versions(&self) -> ApiVersionsResponse {
        let api = |key: ApiKey, min, max| {
            ApiVersion::default()
                .with_api_key(key as i16)
                .with_min_version(min)
                .with_max_version(max)
        };
        ApiVersionsResponse::default().with_api_keys(vec![
            api(ApiKey::ApiVersions, 0, 3),
            api(ApiKey::Metadata, 0, 9),
            api(ApiKey::ListOffsets, 1, 5),
            api(ApiKey::OffsetForLeaderEpoch, 0, 3),
            api(ApiKey::Fetch, 4, self.newest_fetch),
        ])
    }

    fn metadata(&self) -> MetadataResponse {
        let (host, port) = self.address.rsplit_once(':').unwrap();
        let broker = MetadataResponseBroker::default()
            .with_node_id(BrokerId(7))
            .with_host(StrBytes::from_string(host.to_owned()))
            .with_port(port.parse().unwrap());
        let partition = MetadataResponsePartition::default()
            .with_leader_id(BrokerId(7))
            .with_leader_epoch(self.epoch.load(Ordering::Relaxed));
        let topic = MetadataResponseTopic::default()
            .with_name(Some(name()))
            .with_partitions(vec![partition]);
        MetadataResponse::default()
            .with_brokers(vec![broker])
            .with_topics(vec![topic])
    }

    fn epochs(&self) -> OffsetForLeaderEpochResponse {
        let end = EpochEndOffset::default()
            .with_leader_epoch(1)
            .with_end_offset(self.cut_at);
        let topic = OffsetForLeaderTopicResult::default()
            .with_topic(name())
            .with_partitions(vec![end]);
        OffsetForLeaderEpochResponse::default().with_topics(vec![topic])
    }

    fn fetch(&self, request: &FetchRequest) -> FetchResponse {
        let asked = &request.topics[0].partitions[0];
        let fetch = Fetch {
            number: self.fetches.fetch_add(1, Ordering::Relaxed),
            offset: asked.fetch_offset,
            epoch: asked.current_leader_epoch,
            most_bytes: asked.partition_max_bytes,
        };
        self.asked.lock().unwrap().push(fetch);
        let (throttle_ms, data) = (self.script)(fetch);
        let topic = FetchableTopicResponse::default().with_topic(name());
        let topics = match throttle_ms > 0 && data.records.as_ref().is_none_or(Bytes::is_empty) {
            // A broker that only throttles names no topic.
            true => Vec::new(),
            false => vec![topic.with_partitions(vec![data])],
        };
        FetchResponse::default()
            .with_throttle_time_ms(throttle_ms)
            .with_responses(topics)
    }
}

fn offsets(request: &ListOffsetsRequest) -> ListOffsetsResponse {
    let asked = &request.topics[0].partitions[0];
    let offset = match asked.timestamp {
        -2 => 0,
        -1 => 10,
        _ => -1,
    };
    let topic = ListOffsetsTopicResponse::default()
        .with_name(name())
        .with_partitions(vec![ListOffsetsPartitionResponse::default().with_offset(offset)]);
    ListOffsetsResponse::default().with_topics(vec![topic])
}

#[derive(Default)]
struct Offsets(Vec<i64>);

impl Visit for Offsets {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        self.0.extend(records.iter().map(|r| r.offset));
        ControlFlow::Continue(())
    }

    fn progress(&mut self, _done: u64, _total: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn connection(address: &str, properties: &[(&str, &str)]) -> Connection {
    let mut all = ClientProperties::default();
    for (key, value) in properties {
        all.set(*key, *value, Origin::Property);
    }
    Connection {
        url: BrokerUrl::parse(&format!("kafka://{address}")).unwrap(),
        properties: all,
        management: None,
    }
}

fn try_scan(address: &str, properties: &[(&str, &str)]) -> (Vec<i64>, Result<ScanReport>) {
    let target = KafkaTarget::new(&connection(address, properties), TOPIC).unwrap();
    let mut offsets = Offsets::default();
    let report = KafkaScan::new(target).unwrap().scan(&ScanPlan::default(), &mut offsets);
    (offsets.0, report)
}

fn scan(fake: &Fake) -> (Vec<i64>, ScanReport) {
    let (offsets, report) = try_scan(&fake.address, &[]);
    (offsets, report.unwrap())
}

fn partial(report: &ScanReport) -> String {
    match report.coverage() {
        Coverage::Partial(why) => why,
        other @ (Coverage::Complete | Coverage::CompleteIf(_)) => panic!("{other:?}"),
    }
}

#[test]
fn every_version_of_fetching_is_spoken() {
    for newest in 4..=12 {
        let fake = Fake::start(newest, 10, Box::new(|fetch| (0, from(fetch.offset))));
        let (offsets, report) = scan(&fake);
        assert_eq!(offsets, (0..10).collect::<Vec<_>>(), "version {newest}");
        assert_eq!(report.coverage(), Coverage::Complete);
        assert_eq!(report.compacted, None, "nobody said it");
    }
}

#[test]
fn a_broker_that_wants_to_be_left_alone_is() {
    let throttled = |fetch: Fetch| match fetch.number {
        0 => (300, data(Vec::new())),
        _ => (0, from(fetch.offset)),
    };
    let fake = Fake::start(11, 10, Box::new(throttled));
    let start = Instant::now();
    let (offsets, report) = scan(&fake);
    assert_eq!((offsets.len(), report.coverage()), (10, Coverage::Complete));
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[test]
fn what_expires_while_it_is_read_is_said() {
    let moved = |fetch: Fetch| match fetch.offset {
        0 => (0, refusal(1).with_log_start_offset(5)),
        offset => (0, from(offset)),
    };
    let (offsets, report) = scan(&Fake::start(11, 10, Box::new(moved)));
    assert_eq!(offsets, [5, 6, 7, 8, 9]);
    assert!(partial(&report).contains("offsets 0 to 5 went away"), "{report:?}");
}

#[test]
fn a_new_leader_goes_on_where_the_old_one_was() {
    let moved = |fetch: Fetch| match (fetch.offset, fetch.epoch) {
        (0, _) => (0, data(batch(0, 4))),
        (_, 1) => (0, refusal(74)),
        (offset, _) => (0, from(offset)),
    };
    for (cut_at, is_whole) in [(10, true), (5, true), (3, false)] {
        let fake = Fake::start(11, cut_at, Box::new(moved));
        let this = Arc::clone(&fake);
        // The metadata follows the refusal.
        std::thread::spawn(move || {
            while this.fetches.load(Ordering::Relaxed) < 2 {
                std::thread::sleep(Duration::from_millis(5));
            }
            this.epoch.store(2, Ordering::Relaxed);
        });
        let (offsets, report) = scan(&fake);
        if is_whole {
            assert_eq!(offsets, (0..10).collect::<Vec<_>>());
            assert_eq!(report.coverage(), Coverage::Complete);
        } else {
            assert_eq!(offsets, [0, 1, 2, 3, 4]);
            assert!(
                partial(&report).contains("the log was cut from offset 5 to 3"),
                "{report:?}"
            );
        }
    }
}

#[test]
fn damage_is_never_silent() {
    let damaged = |fetch: Fetch| {
        let mut bytes = [batch(0, 4), batch(5, 9)].concat();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let at = if fetch.offset >= 5 { batch(0, 4).len() } else { 0 };
        (0, data(bytes.split_off(at)))
    };
    let (offsets, report) = scan(&Fake::start(11, 10, Box::new(damaged)));
    assert_eq!(offsets, [0, 1, 2, 3, 4]);
    assert!(
        partial(&report).contains("the batch at offset 5 is damaged"),
        "{report:?}"
    );
    assert_eq!(report.partitions[0].read_to, 5);
}

#[test]
fn a_batch_larger_than_what_was_asked_for_is_asked_for_whole() {
    let cut = |fetch: Fetch| {
        let mut bytes = from(fetch.offset).records.unwrap().to_vec();
        bytes.truncate(fetch.most_bytes as usize);
        (0, data(bytes))
    };
    let fake = Fake::start(11, 10, Box::new(cut));
    let (offsets, report) = try_scan(&fake.address, &[("max.partition.fetch.bytes", "40")]);
    assert_eq!((offsets.len(), report.unwrap().coverage()), (10, Coverage::Complete));
    let asked = fake.asked.lock().unwrap();
    assert!(
        asked[0].most_bytes == 40 && asked.iter().any(|f| f.most_bytes > 100),
        "{asked:?}"
    );
}

#[test]
fn nothing_below_the_end_is_the_end_when_the_broker_says_so() {
    let compacted = |fetch: Fetch| match fetch.offset {
        0 => (0, data(batch(0, 4))),
        _ => (0, data(Vec::new())),
    };
    let (offsets, report) = scan(&Fake::start(11, 10, Box::new(compacted)));
    assert_eq!((offsets.len(), report.coverage()), (5, Coverage::Complete));
    assert_eq!(report.partitions[0].read_to, 10);
}

#[test]
fn a_denial_is_partial_and_names_the_topic() {
    let denied = |fetch: Fetch| match fetch.offset {
        0 => (0, data(batch(0, 4))),
        _ => (0, refusal(29)),
    };
    let (offsets, report) = scan(&Fake::start(11, 10, Box::new(denied)));
    assert_eq!(offsets.len(), 5);
    let why = partial(&report);
    assert!(why.contains("topic orders: not allowed to read"), "{why}");
}

#[test]
fn what_does_not_speak_kafka_is_told_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let (_, report) = try_scan(&address, &[]);
    let said = report.unwrap_err().to_string();
    assert!(
        said.contains("cannot reach") && said.contains("does not speak Kafka"),
        "{said}"
    );
}

/// Answers of half a megabyte, which are received while the one before is looked at.
#[test]
fn what_is_received_beside_comes_whole_and_in_order() {
    let large = |first: i64, last: i64| batch_of(first, last, vec![7; 300_000]);
    let whole = move |fetch: Fetch| (0, data(large(fetch.offset, fetch.offset + 1)));
    let (offsets, report) = scan(&Fake::start(11, 10, Box::new(whole)));
    assert_eq!(offsets, (0..10).collect::<Vec<_>>());
    assert_eq!(report.coverage(), Coverage::Complete);
    // What came before is handed over, and what follows is told.
    let denied = move |fetch: Fetch| match fetch.offset {
        4 => (0, refusal(29)),
        offset => (0, data(large(offset, offset + 1))),
    };
    let (offsets, report) = scan(&Fake::start(11, 10, Box::new(denied)));
    assert_eq!(offsets, [0, 1, 2, 3]);
    assert!(partial(&report).contains("not allowed to read"), "{report:?}");
    let damaged = move |fetch: Fetch| {
        let mut bytes = large(fetch.offset, fetch.offset + 1);
        let last = bytes.len() - 1;
        bytes[last] ^= u8::from(fetch.offset == 4);
        (0, data(bytes))
    };
    let (offsets, report) = scan(&Fake::start(11, 10, Box::new(damaged)));
    assert_eq!(offsets, [0, 1, 2, 3]);
    assert!(
        partial(&report).contains("the batch at offset 4 is damaged"),
        "{report:?}"
    );
    assert_eq!(report.partitions[0].read_to, 4);
}

/// Takes so many messages, and no more.
struct Few(Vec<i64>, usize);

impl Visit for Few {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        for record in records {
            if self.0.len() == self.1 {
                return ControlFlow::Break(());
            }
            self.0.push(record.offset);
        }
        ControlFlow::Continue(())
    }

    fn progress(&mut self, _done: u64, _total: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Searches for all ten keys, with as many connections as there are processors.
fn search(fake: &Fake, most: usize) -> (Vec<i64>, ScanReport) {
    let target = KafkaTarget::new(&connection(&fake.address, &[]), TOPIC).unwrap();
    let plan = ScanPlan {
        keys: (0..10).map(|n| n.to_string().into_bytes()).collect(),
        ..ScanPlan::default()
    };
    let mut few = Few(Vec::new(), most);
    let report = KafkaScan::new(target).unwrap().scan(&plan, &mut few).unwrap();
    (few.0, report)
}

#[test]
fn pieces_of_a_partition_are_handed_over_in_its_order() {
    let single = |fetch: Fetch| batch(fetch.offset, fetch.offset);
    for slow in [0, 5] {
        // Whichever piece is slow: what the second holds is more than it may, so that it goes on later.
        let script = move |fetch: Fetch| {
            if (slow..slow + 5).contains(&fetch.offset) {
                std::thread::sleep(Duration::from_millis(20));
            }
            (0, data(single(fetch)))
        };
        let fake = Fake::start(11, 10, Box::new(script));
        let (offsets, report) = search(&fake, 100);
        assert_eq!(offsets, (0..10).collect::<Vec<_>>(), "slow from {slow} on");
        assert_eq!(report.coverage(), Coverage::Complete);
        let read = &report.partitions[..];
        assert_eq!((read.len(), read[0].records, read[0].read_to), (1, 10, 10));
    }
}

#[test]
fn what_one_piece_cannot_read_is_said_of_the_partition() {
    for broken in [2, 7] {
        let script = move |fetch: Fetch| match fetch.offset == broken {
            true => (0, refusal(29)),
            false => (0, data(batch(fetch.offset, fetch.offset))),
        };
        let (offsets, report) = search(&Fake::start(11, 10, Box::new(script)), 100);
        // All before it; what lies behind it too where another piece reaches that.
        let before: Vec<i64> = (0..broken).collect();
        assert!(offsets.starts_with(&before) && offsets.is_sorted(), "{offsets:?}");
        assert!(!offsets.contains(&broken));
        assert!(partial(&report).contains("not allowed to read"), "{report:?}");
        assert_eq!((report.partitions.len(), report.partitions[0].read_to), (1, broken));
    }
}

#[test]
fn a_search_that_has_enough_does_not_claim_what_was_only_held() {
    let script = |fetch: Fetch| {
        if fetch.offset < 5 {
            std::thread::sleep(Duration::from_millis(30));
        }
        (0, data(batch(fetch.offset, fetch.offset)))
    };
    for most in [1, 3, 6] {
        let (offsets, report) = search(&Fake::start(11, 10, Box::new(script)), most);
        assert_eq!(offsets, (0..most as i64).collect::<Vec<_>>());
        assert!(report.stopped);
        let read = &report.partitions[0];
        assert_eq!(report.partitions.len(), 1);
        assert!(read.read_to <= most as i64 + 1, "{read:?}");
        partial(&report);
    }
}
