//! A producer as careless as it is told to be. It exists to lose messages, for `mqsafe drill`.
//!
//! Everything else here is careful: acks=all, retries without end, a report read for every message, a flush before the exit.
//! Each habit takes away one of these, so that whoever flips one habit sees what it cost.

use super::config::{self, KafkaTarget};
use super::raw::{self, Persistence};
use crate::drill::Belief;
use crate::model::{Problem, Result, STAMP_HEADER, Stamp};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The name that the careless producer signs with.
pub const PRODUCER: &str = "careless";
/// How long a careful exit waits for what is not delivered.
const FLUSH: Duration = Duration::from_secs(60);

/// What is not done, or done too little.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Habits {
    /// `message.timeout.ms=500`: shorter than an outage.
    pub short_timeout: bool,
    /// `retries=0`.
    pub no_retries: bool,
    /// `acks=1`: the leader alone confirms.
    pub leader_only: bool,
    /// Delivery reports are not read: what `send` took counts as sent.
    pub unread: bool,
    /// The process ends without a flush.
    pub no_flush: bool,
}

#[derive(Default)]
struct Reports {
    stored: u64,
    failed: VecDeque<u64>,
}

struct Context(Mutex<Reports>);

impl ClientContext for Context {
    fn log(&self, _level: rdkafka::config::RDKafkaLogLevel, _facility: &str, _message: &str) {}
    fn error(&self, _error: KafkaError, _reason: &str) {}
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let mut reports = self.0.lock().unwrap_or_else(|e| e.into_inner());
        match result {
            Ok(message) if raw::persistence(message) == Persistence::Persisted => reports.stored += 1,
            Ok(_) | Err(_) => reports.failed.push_back(number as u64),
        }
    }
}

fn settings(target: &KafkaTarget, habits: Habits) -> ClientConfig {
    let mut config = target.asking();
    config.set("acks", if habits.leader_only { "1" } else { "all" });
    if habits.short_timeout {
        config.set("message.timeout.ms", "500");
    }
    if habits.no_retries {
        config.set("retries", "0");
    }
    config
}

/// Sends `messages` stamped messages to partition 0, one every `pace`. With [`Habits::no_flush`] the caller must end the
/// process right after this, as the application that it plays does.
///
/// # Errors
/// When the client cannot be made.
pub fn send(target: &KafkaTarget, habits: Habits, messages: u64, pace: Duration) -> Result<Belief> {
    let context = Context(Mutex::default());
    let producer: BaseProducer<Context> = settings(target, habits)
        .create_with_context(context)
        .map_err(|e| config::refused(&e, &target.properties))?;
    let start = Instant::now();
    for number in 1..=messages {
        offer(&producer, &target.topic, number)?;
        let due = start + pace * u32::try_from(number).unwrap_or(u32::MAX);
        producer.poll(due.saturating_duration_since(Instant::now()));
    }
    if !habits.no_flush {
        finish(&producer, target, habits)?;
    }
    let stored = producer.context().0.lock().unwrap_or_else(|e| e.into_inner()).stored;
    let belief = Belief {
        sent: messages,
        believed: if habits.unread { messages } else { stored },
    };
    if habits.no_flush {
        // Dropping the producer would be a kind of flush; the application that this plays is gone by now.
        std::mem::forget(producer);
    }
    Ok(belief)
}

/// Waits for every report; who reads them sends again what failed.
fn finish(producer: &BaseProducer<Context>, target: &KafkaTarget, habits: Habits) -> Result<()> {
    let deadline = Instant::now() + FLUSH;
    loop {
        // An error says that something is left; the loop ends by its own deadline.
        let flushed = producer.flush(Duration::from_secs(1)).is_ok();
        let failed = std::mem::take(&mut producer.context().0.lock().unwrap_or_else(|e| e.into_inner()).failed);
        if Instant::now() >= deadline || (flushed && (habits.unread || failed.is_empty())) {
            return Ok(());
        }
        if habits.unread {
            continue;
        }
        for number in failed {
            offer(producer, &target.topic, number)?;
        }
    }
}

fn offer(producer: &BaseProducer<Context>, topic: &str, number: u64) -> Result<()> {
    let lane = format!("{topic}/0");
    let stamp = Stamp {
        seq: number,
        producer: PRODUCER,
        lane: &lane,
    }
    .to_string();
    let value = format!("message {number}");
    loop {
        let headers = OwnedHeaders::new_with_capacity(1).insert(Header {
            key: STAMP_HEADER,
            value: Some(&stamp),
        });
        let record = BaseRecord::<str, str, usize>::with_opaque_to(topic, number as usize)
            .partition(0)
            .payload(&value);
        match producer.send(record.headers(headers)) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                producer.poll(Duration::from_millis(10))
            }
            Err((e, _)) => return Err(Problem::unknown("the drill's producer cannot send").because(e)),
        }
    }
}
