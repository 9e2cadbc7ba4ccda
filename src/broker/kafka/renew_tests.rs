//! Answers that kill a client or bump its epoch in the middle of a run, on librdkafka's mock cluster: the whole way from input to
//! acknowledgement. The mock drops no resends, so what is there twice is counted and must be what the stamps say.

use super::mock::MockKafka;
use super::{KafkaEndpoint, KafkaTarget};
use crate::connect::{BrokerUrl, ClientProperties, Connection};
use crate::model::{Deliver, Endpoint, Fate, Offer, Outgoing, Publish, Result, Stamp, Topology, Unreached};
use crate::send::{Events, Form, Input, InputOptions, Observer, Options, Partitioner, Pump, Receipt, Source, State};
use crate::spool::Spool;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr as Code;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const LINES: usize = 4000;
const PARTITIONS: i32 = 3;

/// Hears the receipts, and plants the errors when the first half of the input has some.
struct Heard<'a> {
    stored: u64,
    again: u64,
    mock: &'a MockKafka,
    answers: &'a [Code],
    planted: Arc<AtomicBool>,
}

impl Observer for Heard<'_> {
    fn receipt(&mut self, receipt: &Receipt<'_>) {
        assert_eq!(receipt.fate, Fate::Stored, "{receipt:?}");
        self.stored += 1;
        if !self.planted.load(Ordering::SeqCst) {
            self.mock.answer_next(self.answers);
            self.planted.store(true, Ordering::SeqCst);
        }
        self.again += u64::from(receipt.attempts > 1);
    }

    fn state(&mut self, _state: &State) {}
}

/// An endpoint that counts how often a client was replaced.
struct Counted {
    inner: KafkaEndpoint,
    renewed: Arc<AtomicU64>,
}

struct CountedPublisher {
    inner: Box<dyn Publish>,
    renewed: Arc<AtomicU64>,
}

impl Endpoint for Counted {
    fn topology(&self, timeout: Duration) -> std::result::Result<Topology, Unreached> {
        self.inner.topology(timeout)
    }

    fn publisher(&self, deliver: Deliver) -> Result<Box<dyn Publish>> {
        Ok(Box::new(CountedPublisher {
            inner: self.inner.publisher(deliver)?,
            renewed: Arc::clone(&self.renewed),
        }))
    }

    fn last_error(&self) -> Option<String> {
        self.inner.last_error()
    }
}

impl Publish for CountedPublisher {
    fn offer(&mut self, message: &Outgoing<'_>) -> Offer {
        self.inner.offer(message)
    }

    fn must_renew(&self) -> bool {
        self.inner.must_renew()
    }

    fn recall(&mut self) {
        self.inner.recall();
    }

    fn renew(&mut self) -> Result<()> {
        self.renewed.fetch_add(1, Ordering::Relaxed);
        self.inner.renew()
    }
}

/// Gives its second half only when the errors are planted, so that they fall into the middle.
struct InHalves {
    halves: [Cursor<Vec<u8>>; 2],
    planted: Arc<AtomicBool>,
}

impl Read for InHalves {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.halves[0].read(into)?;
        if read > 0 {
            return Ok(read);
        }
        let start = Instant::now();
        while !self.planted.load(Ordering::SeqCst) && start.elapsed() < Duration::from_secs(90) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.halves[1].read(into)
    }
}

/// One run into whose middle these answers fall. Returns how often the client was replaced, and how many messages were sent again.
fn run(mock: &MockKafka, answers: &[Code]) -> (u64, u64) {
    let connection = Connection {
        url: BrokerUrl::parse(&mock.bootstrap()).unwrap(),
        properties: ClientProperties::default(),
        management: None,
    };
    let renewed = Arc::new(AtomicU64::new(0));
    let endpoint = Counted {
        inner: KafkaEndpoint::new(KafkaTarget::new(&connection, "orders").unwrap()).unwrap(),
        renewed: Arc::clone(&renewed),
    };
    let mut spool = Spool::in_memory().unwrap();
    let place = spool.target("kafka://mock:1", "orders").unwrap();
    let lines = |from: usize, to: usize| -> Cursor<Vec<u8>> {
        let lines: Vec<String> = (from..to).map(|n| format!("key{}:{n:08}\n", n % 100)).collect();
        Cursor::new(lines.concat().into_bytes())
    };
    let planted = Arc::new(AtomicBool::new(false));
    let input = InHalves {
        halves: [lines(0, LINES / 2), lines(LINES / 2, LINES)],
        planted: Arc::clone(&planted),
    };
    let options = Options {
        partitioner: Partitioner::by_key(0),
        ..Options::to_deliver(Duration::from_secs(10), Duration::from_secs(20), Duration::from_secs(1))
    };
    let how = InputOptions {
        form: Form::Text {
            end: b"\n".to_vec(),
            key_delimiter: Some(b":".to_vec()),
        },
        max_line_bytes: 1000,
        ..InputOptions::default()
    };
    let mut heard = Heard {
        stored: 0,
        again: 0,
        mock,
        answers,
        planted,
    };
    let source = Some(Input::new(Source::stream("lines", Box::new(input)), how).unwrap());
    let pump = Pump::new(
        &mut spool,
        place,
        Arc::new(endpoint),
        options,
        source,
        &mut heard,
        Events::default(),
    );
    let report = pump.unwrap().run().unwrap();
    assert_eq!(report.own.stored, LINES as u64, "{answers:?}: {:?}", report.why);
    assert_eq!(heard.stored, LINES as u64);
    (renewed.load(Ordering::Relaxed), heard.again)
}

/// `(partition, number, value)` of every record, in the order of each partition, by a plain consumer.
fn read(mock: &MockKafka) -> Vec<(i32, u64, String)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", mock.bootstrap())
        .set("group.id", "reader")
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    let mut left = 0;
    for partition in 0..PARTITIONS {
        all.add_partition_offset("orders", partition, Offset::Beginning)
            .unwrap();
        let marks = consumer.fetch_watermarks("orders", partition, Duration::from_secs(5));
        left += marks.unwrap().1;
    }
    consumer.assign(&all).unwrap();
    let (mut seen, start) = (Vec::new(), Instant::now());
    while left > 0 {
        assert!(start.elapsed() < Duration::from_secs(90), "{left} records are not read");
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            continue;
        };
        let message = message.unwrap();
        let stamp = message
            .headers()
            .unwrap()
            .iter()
            .find(|h| h.key == "mqsafe-id")
            .unwrap();
        let stamp = Stamp::parse(stamp.value.unwrap()).unwrap();
        let value = String::from_utf8(message.payload().unwrap().to_vec()).unwrap();
        seen.push((message.partition(), stamp.seq, value));
        left -= 1;
    }
    seen
}

/// Everything is there, each under one number, in order at its first appearance. Returns how many are there twice.
fn twice(seen: &[(i32, u64, String)]) -> usize {
    let mut lanes: BTreeMap<i32, Vec<(u64, &str)>> = BTreeMap::new();
    let mut known = BTreeSet::new();
    for (partition, seq, value) in seen {
        if known.insert((*partition, *seq)) {
            lanes.entry(*partition).or_default().push((*seq, value));
        }
    }
    for (partition, lane) in &lanes {
        assert!(
            lane.windows(2).all(|pair| pair[0].1 < pair[1].1),
            "partition {partition} is out of order"
        );
        let numbers: Vec<u64> = lane.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(numbers, (1..=lane.len() as u64).collect::<Vec<_>>());
    }
    let values: BTreeSet<&str> = lanes.values().flatten().map(|(_, value)| *value).collect();
    assert_eq!((values.len(), known.len()), (LINES, LINES));
    seen.len() - LINES
}

#[test]
fn an_answer_that_kills_the_client_or_bumps_its_epoch_costs_nothing() {
    let answers: [&[Code]; 5] = [
        &[Code::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER],
        &[Code::RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID],
        &[Code::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH],
        &[
            Code::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
            Code::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
            Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        ],
        &[Code::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING],
    ];
    let mut replaced = 0;
    for answers in answers {
        let mock = MockKafka::start(3, Duration::from_millis(5)).unwrap();
        mock.create_topic("orders", PARTITIONS).unwrap();
        let (renewed, again) = run(&mock, answers);
        let twice = twice(&read(&mock));
        assert!(
            twice as u64 <= again,
            "{answers:?}: {twice} are there twice, and only {again} were sent again"
        );
        replaced += renewed;
    }
    assert!(replaced > 0, "no answer killed a client, so this proves little");
}
