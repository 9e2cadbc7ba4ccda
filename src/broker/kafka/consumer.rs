//! Reading a topic through librdkafka's consumer, where our own connections cannot log in or check a certificate as it was asked for.

use super::config::{self, KafkaTarget};
use super::context::{Asking, LastError, hear};
use super::endpoint::{KafkaEndpoint, SETTINGS, is_compacted};
use super::raw;
use crate::model::{Endpoint, Lanes, PartitionRead, Problem, Record, Result, ScanPlan, ScanReport, Topology, Visit};
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
const OFFSETS: Duration = Duration::from_secs(5);
/// How long all of them together may take; partitions without a leader must not add up.
const ALL_OFFSETS: Duration = Duration::from_secs(30);
/// How long it may take until somebody who asks to stop is heard.
const SLICE: Duration = Duration::from_secs(1);
/// How often the visitor is told how far it is.
const PROGRESS: Duration = Duration::from_millis(100);

/// Reads one topic. It takes part in no group and commits nothing.
pub(super) struct ConsumerScan {
    target: KafkaTarget,
}

impl ConsumerScan {
    /// A scan; nothing is connected yet.
    pub(super) const fn new(target: KafkaTarget) -> ConsumerScan {
        ConsumerScan { target }
    }

    fn partitions(&self, plan: &ScanPlan, visit: &mut dyn Visit) -> Result<Vec<i32>> {
        let (topic, broker) = (&self.target.topic, &self.target.broker);
        let endpoint = KafkaEndpoint::new(self.target.clone())?;
        let start = Instant::now();
        // In slices, so that whoever asks to stop is heard.
        let answer = loop {
            match endpoint.topology(SLICE) {
                Err(_) if visit.progress(0, 0).is_break() => {
                    return Err(Problem::unknown(format!("stopped before {broker} answered")));
                }
                Err(why) if !why.is_refusal() && start.elapsed() < CONNECT => {}
                answer => break answer,
            }
        };
        let count = match answer {
            Ok(Topology::Known(Lanes::Partitions(count))) => count,
            Ok(Topology::Known(Lanes::Named(lanes))) => lanes.len() as i32,
            Ok(Topology::NoSuchTopic) => {
                return Err(Problem::absent(format!("topic {topic} does not exist on {broker}"))
                    .next("check its spelling; an absent topic is not an empty one"));
            }
            // Only who publishes is told so.
            Ok(Topology::Unfit(problem)) => return Err(problem),
            Ok(Topology::Denied(why) | Topology::CannotMake(why)) => {
                return Err(Problem::unknown(format!("topic {topic} on {broker} may not be read"))
                    .because(why)
                    .next("ask for READ and DESCRIBE on the topic"));
            }
            Err(why) => {
                let next = if why.is_refusal() {
                    "try it step by step: `mqsafe context test` with the same options"
                } else {
                    "check the address and that a broker runs there"
                };
                return Err(Problem::unknown(format!("cannot reach {broker}"))
                    .because(why)
                    .next(next));
            }
        };
        let wanted: Vec<i32> = if plan.partitions.is_empty() {
            (0..count).collect()
        } else {
            plan.partitions.clone()
        };
        match wanted.iter().find(|p| **p < 0 || **p >= count) {
            Some(p) => Err(Problem::usage(format!("topic {topic} has no partition {p}"))
                .next(format!("it has partitions 0 to {}", count - 1))),
            None => Ok(wanted),
        }
    }
}

impl ConsumerScan {
    /// As [`crate::model::Scan::scan`], but in the order of offsets only, and without batch headers.
    pub(super) fn scan(&self, plan: &ScanPlan, visit: &mut dyn Visit) -> Result<ScanReport> {
        if plan.newest_first {
            return Err(
                Problem::usage("--newest-first is not possible with these security settings")
                    .because("they need librdkafka's consumer, which reads forwards")
                    .next("leave it out, or narrow the search with --since"),
            );
        }
        let wanted = self.partitions(plan, visit)?;
        let last_error = LastError::default();
        let client = |uncommitted| -> Result<BaseConsumer<Asking>> {
            let context = Asking::new(&self.target, last_error.clone());
            let consumer: BaseConsumer<Asking> = self
                .target
                .consumer(uncommitted)
                .create_with_context(context)
                .map_err(|e| config::refused(&e, &self.target.properties))?;
            // A client that needs a token asks for it here, and waits for whoever polls.
            hear(&consumer);
            Ok(consumer)
        };
        let consumer = client(plan.read_uncommitted)?;
        let all = client(true)?;
        let mut run = Run::start(&self.target.topic, &consumer, &all, &wanted, plan.since_ms, visit);
        drop(all);
        let compacted = std::thread::scope(|scope| {
            let compacted = scope.spawn(|| is_compacted(&self.target, SETTINGS));
            run.read(visit, &last_error);
            compacted.join().ok().flatten()
        });
        Ok(ScanReport {
            partitions: run.states.into_iter().map(|s| s.read).collect(),
            compacted,
            stopped: run.stopped,
            unread: None,
            assumption: None,
            leaves: None,
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
    fn new(partition: i32) -> State {
        let read = PartitionRead {
            partition,
            ..PartitionRead::default()
        };
        State {
            read,
            done: false,
            stable_end: 0,
        }
    }

    /// Asks between which offsets the partition is to be read.
    fn ask(&mut self, topic: &str, since_ms: Option<i64>, consumer: &BaseConsumer<Asking>, all: &BaseConsumer<Asking>) {
        let partition = self.read.partition;
        let ends = all.fetch_watermarks(topic, partition, OFFSETS);
        let asked = ends.and_then(|ends| Ok((ends, consumer.fetch_watermarks(topic, partition, OFFSETS)?.1)));
        match asked {
            Ok(((from, to), stable_end)) => {
                let since = since_ms.and_then(|ms| offset_at(topic, partition, ms, consumer));
                // No message from then on: only the end is left.
                let from = since.map_or(from, |since| since.unwrap_or(to).clamp(from, to));
                (self.read.from, self.read.to, self.read.read_to, self.stable_end) = (from, to, from, stable_end);
            }
            Err(e) => self.finish(Some(format!("its offsets cannot be asked: {}", words(&e)))),
        }
    }

    fn finish(&mut self, error: Option<String>) {
        self.done = true;
        if error.is_none() {
            self.read.read_to = self.read.to;
        }
        self.read.error = error;
    }

    /// Nothing more can come below the end that is being read to, unless the log itself has become shorter.
    fn reached_end(&mut self, topic: &str, consumer: &BaseConsumer<Asking>) {
        let end = self.stable_end.min(self.read.to);
        let error = if self.stable_end < self.read.to {
            Some(format!("an open transaction holds back offsets from {end} on"))
        } else if self.read.read_to < end {
            // Transaction markers and compacted records are never handed over, so only the broker knows whether this is the end.
            match consumer.fetch_watermarks(topic, self.read.partition, OFFSETS) {
                Ok((_, now)) if now >= end => None,
                Ok((_, now)) => Some(format!("the log was cut from offset {end} to {now} while it was read")),
                Err(e) => Some(format!("its end cannot be asked again: {}", words(&e))),
            }
        } else {
            None
        };
        self.finish(error);
    }
}

/// The first offset whose message is not older (ListOffsets by time), `Some(None)` when there is none, `None` when nobody says.
fn offset_at(topic: &str, partition: i32, since_ms: i64, consumer: &BaseConsumer<Asking>) -> Option<Option<i64>> {
    let mut times = TopicPartitionList::new();
    let at = rdkafka::Offset::Offset(since_ms.max(0));
    times.add_partition_offset(topic, partition, at).ok()?;
    let offsets = consumer.offsets_for_times(times, OFFSETS).ok()?;
    let found = offsets.find_partition(topic, partition)?;
    found.error().ok()?;
    match found.offset() {
        rdkafka::Offset::Offset(offset) => Some(Some(offset)),
        rdkafka::Offset::End => Some(None),
        rdkafka::Offset::Beginning
        | rdkafka::Offset::Stored
        | rdkafka::Offset::Invalid
        | rdkafka::Offset::OffsetTail(_) => None,
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
        since_ms: Option<i64>,
        visit: &mut dyn Visit,
    ) -> Run<'a> {
        let mut states = Vec::with_capacity(wanted.len());
        let mut assignment = TopicPartitionList::new();
        let (start, mut stopped) = (Instant::now(), false);
        for &partition in wanted {
            let mut state = State::new(partition);
            stopped = stopped || visit.progress(0, 0).is_break();
            if stopped {
                state.finish(Some("stopped before it was read".to_owned()));
            } else if start.elapsed() > ALL_OFFSETS {
                state.finish(Some(
                    "its offsets were not asked: others took too long to answer".to_owned(),
                ));
            } else {
                state.ask(topic, since_ms, consumer, all);
            }
            let (from, offset) = (state.read.from, rdkafka::Offset::Offset(state.read.from));
            if !state.done && from >= state.read.to {
                state.finish(None);
            } else if !state.done
                && let Err(e) = assignment.add_partition_offset(topic, partition, offset)
            {
                state.finish(Some(words(&e)));
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
            stopped,
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
                // What still comes of a partition that is read to its end says nothing about the others.
                Some(Ok(message)) if self.message(&message, visit) => heard = Instant::now(),
                Some(Ok(_)) => {}
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

    /// Returns whether the message was one that the scan waits for.
    fn message(&mut self, message: &BorrowedMessage<'_>, visit: &mut dyn Visit) -> bool {
        let (consumer, topic) = (self.consumer, self.topic);
        let Some(state) = self.state(message.partition()) else {
            return false;
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
                headers: raw::headers(message).into(),
                ..Record::default()
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
            pause(consumer, topic, message.partition());
        }
        self.stopped |= stopped;
        true
    }

    /// Returns whether the error is a sign of life.
    fn error(&mut self, error: &KafkaError) -> bool {
        if let KafkaError::PartitionEOF(partition) = error {
            let (topic, consumer) = (self.topic, self.consumer);
            if let Some(state) = self.state(*partition) {
                state.reached_end(topic, consumer);
                pause(consumer, topic, *partition);
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

/// Asks for no more of a partition. A failure only costs the fetches.
fn pause(consumer: &BaseConsumer<Asking>, topic: &str, partition: i32) {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    let _ = consumer.pause(&list);
}

/// Errors of reading that do not heal by waiting. A group that may not be looked up is none: reading needs no group.
const FINAL: [RDKafkaErrorCode; 6] = [
    RDKafkaErrorCode::TopicAuthorizationFailed,
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
