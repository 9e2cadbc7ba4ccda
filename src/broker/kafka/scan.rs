//! Reading a topic from its log start to the end that it had when the scan began.

use super::config::{self, KafkaTarget};
use super::context::{Asking, LastError};
use super::endpoint::{KafkaEndpoint, topic_config};
use super::raw;
use crate::model::{
    Endpoint, Outcome, PartitionRead, Problem, Record, Result, Scan, ScanPlan, ScanReport, Topology, Visit,
};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use std::time::{Duration, Instant};

/// How long the first answer of a cluster may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing at all may come before the partitions that are left are given up, with that as the reason.
const SILENCE: Duration = Duration::from_secs(30);
/// How long one question about offsets may take.
const OFFSETS: Duration = Duration::from_secs(10);
/// How often the visitor is told how far it is.
const PROGRESS: Duration = Duration::from_millis(100);

/// Reads one topic. It takes part in no group and commits nothing.
pub struct KafkaScan {
    target: KafkaTarget,
}

impl KafkaScan {
    /// A scan; nothing is connected yet.
    pub fn new(target: KafkaTarget) -> KafkaScan {
        KafkaScan { target }
    }

    fn partitions(&self, plan: &ScanPlan) -> Result<Vec<i32>> {
        let (topic, broker) = (&self.target.topic, &self.target.broker);
        let endpoint = KafkaEndpoint::new(self.target.clone());
        let count = match endpoint.topology(CONNECT) {
            Ok(Topology::Known { partitions }) => partitions,
            Ok(Topology::NoSuchTopic) => {
                return Err(Problem::unknown(format!("topic {topic} does not exist on {broker}"))
                    .next("check its spelling; an absent topic is not an empty one"));
            }
            Ok(Topology::Denied(why)) => {
                return Err(Problem::unknown(format!("topic {topic} on {broker} may not be read"))
                    .because(why)
                    .next("ask for READ and DESCRIBE on the topic"));
            }
            Err(why) => {
                return Err(Problem::unknown(format!("cannot reach {broker}"))
                    .because(why)
                    .next("check the address and that a broker runs there"));
            }
        };
        let wanted: Vec<i32> = if plan.partitions.is_empty() {
            (0..count).collect()
        } else {
            plan.partitions.clone()
        };
        match wanted.iter().find(|p| **p < 0 || **p >= count) {
            Some(p) => Err(Problem::usage(format!("topic {topic} has no partition {p}"))
                .next(format!("it has partitions 0 to {}", count - 1))
                .with_outcome(Outcome::Usage)),
            None => Ok(wanted),
        }
    }
}

impl Scan for KafkaScan {
    fn scan(&mut self, plan: &ScanPlan, visit: &mut dyn Visit) -> Result<ScanReport> {
        let wanted = self.partitions(plan)?;
        let last_error = LastError::default();
        let client = |uncommitted| -> Result<BaseConsumer<Asking>> {
            let context = Asking {
                last_error: last_error.clone(),
            };
            self.target
                .consumer(uncommitted)
                .create_with_context(context)
                .map_err(|e| config::refused(&e))
        };
        let consumer = client(plan.read_uncommitted)?;
        let all = client(true)?;
        let mut run = Run::start(&self.target.topic, &consumer, &all, &wanted);
        drop(all);
        let policy = std::thread::scope(|scope| {
            let policy = scope.spawn(|| topic_config(&self.target, "cleanup.policy"));
            run.read(visit, &last_error);
            policy.join().ok().flatten()
        });
        let compacted = policy.map(|policy| policy.contains("compact"));
        Ok(ScanReport {
            partitions: run.states.into_iter().map(|s| s.read).collect(),
            compacted,
            stopped: run.stopped,
        })
    }
}

/// One partition on its way.
struct State {
    read: PartitionRead,
    done: bool,
    /// Where committed messages end, when that is before `read.to`: an open transaction holds the rest back.
    stable_end: i64,
}

impl State {
    fn finish(&mut self, error: Option<String>) {
        self.done = true;
        if error.is_none() {
            self.read.read_to = self.read.to;
        }
        self.read.error = error;
    }

    /// Nothing more can come below the end that is being read to.
    fn reached_end(&mut self) {
        let held_back = (self.stable_end < self.read.to)
            .then(|| format!("an open transaction holds back offsets from {} on", self.stable_end));
        self.finish(held_back);
    }
}

/// One scan on its way.
struct Run<'a> {
    topic: &'a str,
    consumer: &'a BaseConsumer<Asking>,
    states: Vec<State>,
    stopped: bool,
}

impl<'a> Run<'a> {
    /// Takes the offsets between which each partition is read, and begins to fetch.
    fn start(
        topic: &'a str,
        consumer: &'a BaseConsumer<Asking>,
        all: &BaseConsumer<Asking>,
        wanted: &[i32],
    ) -> Run<'a> {
        let mut states = Vec::with_capacity(wanted.len());
        let mut assignment = TopicPartitionList::new();
        for &partition in wanted {
            let mut state = State {
                read: PartitionRead {
                    partition,
                    ..PartitionRead::default()
                },
                done: false,
                stable_end: 0,
            };
            let ends = all.fetch_watermarks(topic, partition, OFFSETS);
            let stable = consumer.fetch_watermarks(topic, partition, OFFSETS);
            match (ends, stable) {
                (Ok((from, to)), Ok((_, stable_end))) => {
                    (state.read.from, state.read.to, state.read.read_to, state.stable_end) =
                        (from, to, from, stable_end);
                    if from >= to {
                        state.finish(None);
                    } else if let Err(e) =
                        assignment.add_partition_offset(topic, partition, rdkafka::Offset::Offset(from))
                    {
                        state.finish(Some(words(&e)));
                    }
                }
                (Err(e), _) | (_, Err(e)) => state.finish(Some(format!("its offsets cannot be asked: {}", words(&e)))),
            }
            states.push(state);
        }
        if let Err(e) = consumer.assign(&assignment) {
            states
                .iter_mut()
                .filter(|s| !s.done)
                .for_each(|s| s.finish(Some(words(&e))));
        }
        Run {
            topic,
            consumer,
            states,
            stopped: false,
        }
    }

    fn state(&mut self, partition: i32) -> Option<&mut State> {
        self.states
            .iter_mut()
            .find(|s| s.read.partition == partition && !s.done)
    }

    fn read(&mut self, visit: &mut dyn Visit, last_error: &LastError) {
        let total: i64 = self.states.iter().map(|s| s.read.to - s.read.from).sum();
        let (mut told, mut heard) = (Instant::now(), Instant::now());
        while !self.stopped && self.states.iter().any(|s| !s.done) {
            match self.consumer.poll(PROGRESS) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    self.message(&message, visit);
                }
                Some(Err(e)) if self.error(&e) => heard = Instant::now(),
                Some(Err(_)) | None => {}
            }
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                let done: i64 = self.states.iter().map(|s| s.read.read_to - s.read.from).sum();
                self.stopped |= visit.progress(done.unsigned_abs(), total.unsigned_abs()).is_break();
            }
            if heard.elapsed() >= SILENCE {
                let cause = last_error.get().unwrap_or_else(|| "no error was told".to_owned());
                let why = format!("no answer for {} s ({cause})", SILENCE.as_secs());
                self.states
                    .iter_mut()
                    .filter(|s| !s.done)
                    .for_each(|s| s.finish(Some(why.clone())));
            }
        }
        for state in self.states.iter_mut().filter(|s| !s.done) {
            let at = state.read.read_to;
            state.finish(Some(format!("stopped at offset {at}")));
        }
    }

    fn message(&mut self, message: &BorrowedMessage<'_>, visit: &mut dyn Visit) {
        let (consumer, topic) = (self.consumer, self.topic);
        let Some(state) = self.state(message.partition()) else {
            return;
        };
        let offset = message.offset();
        let mut stopped = false;
        if offset < state.read.to {
            let (key, value, time) = (message.key(), message.payload(), message.timestamp().to_millis());
            let record = Record {
                partition: message.partition(),
                offset,
                timestamp_ms: time,
                key,
                value,
                headers: raw::headers(message),
            };
            stopped = visit.batch(std::slice::from_ref(&record)).is_break();
            let read = &mut state.read;
            read.read_to = offset + 1;
            read.records += 1;
            read.bytes += (key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)) as u64;
            if let Some(t) = time {
                read.times_ms = Some(read.times_ms.map_or((t, t), |(a, b)| (a.min(t), b.max(t))));
            }
        }
        if offset + 1 >= state.read.to {
            state.finish(None);
            let mut list = TopicPartitionList::new();
            list.add_partition(topic, message.partition());
            // What comes after the end is not asked for again; a failure here only costs the fetches.
            let _ = consumer.pause(&list);
        }
        self.stopped |= stopped;
    }

    /// Returns whether the error is a sign of life.
    fn error(&mut self, error: &KafkaError) -> bool {
        if let KafkaError::PartitionEOF(partition) = error {
            if let Some(state) = self.state(*partition) {
                state.reached_end();
            }
            return true;
        }
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
        let why = match () {
            () if code == RDKafkaErrorCode::AutoOffsetReset || code == RDKafkaErrorCode::OffsetOutOfRange => {
                "an offset went away while it was read (retention or deletion)".to_owned()
            }
            () if FINAL.contains(&code) => words(error),
            // Everything else may heal; silence ends it otherwise.
            () => return false,
        };
        // The error does not name its partition here: all that are left cannot be called complete.
        self.states
            .iter_mut()
            .filter(|s| !s.done)
            .for_each(|s| s.finish(Some(why.clone())));
        true
    }
}

/// Errors of reading that do not heal by waiting.
const FINAL: [RDKafkaErrorCode; 7] = [
    RDKafkaErrorCode::TopicAuthorizationFailed,
    RDKafkaErrorCode::GroupAuthorizationFailed,
    RDKafkaErrorCode::UnknownTopicOrPartition,
    RDKafkaErrorCode::UnknownTopic,
    RDKafkaErrorCode::UnknownPartition,
    RDKafkaErrorCode::BadMessage,
    RDKafkaErrorCode::Fatal,
];

fn words(error: &KafkaError) -> String {
    error
        .rdkafka_error_code()
        .map_or_else(|| error.to_string(), |code| code.to_string())
}
