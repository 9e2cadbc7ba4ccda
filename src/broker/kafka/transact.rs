//! Publishing in transactions by librdkafka's transactional producer.
//!
//! What was read in librdkafka 2.12 (`rdkafka_txnmgr.c`), and what follows from it:
//!
//! - `init_transactions` answers only when whatever was begun under the same name has been committed or aborted, markers included,
//!   and later requests of that producer are refused (KIP-98): what a reader then sees of it stays so.
//! - `commit_transaction` may be called again after an error that is retriable. Any other error does not say that nothing was
//!   committed: a transaction may fail locally although its commit succeeded. So only success is an answer, everything else is read.
//! - An aborted record is there for a reader of everything, and not for one of committed messages. Both together prove it; that it
//!   cannot be found proves nothing, because retention and compaction remove records too.

use super::config::{self, KafkaTarget};
use super::context::{Asking, LastError, Publishing, hear};
use super::publish::{Client, KafkaPublisher};
use super::raw;
use crate::model::{
    Committed, Deliver, Found, Hindered, Offer, Outgoing, Probe, Publish, Result, STAMP_HEADER, Transact,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::Producer;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a question about offsets may take.
const OFFSETS: Duration = Duration::from_secs(5);
/// How long a record may take that is known to be there.
const READ: Duration = Duration::from_secs(10);

/// A connection that publishes to one topic in transactions.
pub(super) struct KafkaTransactor {
    target: KafkaTarget,
    last_error: LastError,
    publisher: KafkaPublisher,
}

impl KafkaTransactor {
    pub(super) fn new(
        target: KafkaTarget,
        batch_bytes: u32,
        name: &str,
        last_error: LastError,
        deliver: Deliver,
        too_large: Arc<AtomicBool>,
    ) -> Result<KafkaTransactor> {
        // A batch that was refused for its size says nothing about its messages, so the next attempt sends them one by one.
        let one_by_one = too_large.load(Ordering::Relaxed);
        let context = Publishing {
            last_error: last_error.clone(),
            deliver: Arc::new(deliver),
            too_large,
            one_by_one,
            batch_bytes,
            tokens: target.tokens.clone(),
        };
        let producer: Client = target
            .transactor(batch_bytes, one_by_one, name)
            .create_with_context(context)
            .map_err(|e| config::refused(&e, &target.properties))?;
        Ok(KafkaTransactor {
            publisher: KafkaPublisher::over(producer, target.clone(), last_error.clone()),
            target,
            last_error,
        })
    }

    fn hindered(&self, error: &KafkaError) -> Hindered {
        hindered(error, self.last_error.get())
    }

    fn reader(&self, uncommitted: bool) -> std::result::Result<BaseConsumer<Asking>, String> {
        let context = Asking::new(&self.target, self.last_error.clone());
        let consumer: std::result::Result<BaseConsumer<Asking>, KafkaError> =
            self.target.consumer(uncommitted).create_with_context(context);
        let consumer = consumer.map_err(|e| self.target.properties.without_secrets(&e.to_string()))?;
        // A client that needs a token asks for it here, and waits for whoever polls.
        hear(&consumer);
        Ok(consumer)
    }

    fn look(&self, probes: &[Probe], patience: Duration) -> std::result::Result<Found, String> {
        let (committed, all) = (self.reader(false)?, self.reader(true)?);
        let until = Instant::now() + patience;
        let mut unknown = "nothing was written down of where its messages are".to_owned();
        for probe in probes {
            match self.look_at(probe, &committed, &all, until) {
                // All or none of them: one proves it for every other.
                Ok(Found::Unknown(why)) | Err(why) => unknown = why,
                Ok(known) => return Ok(known),
            }
        }
        Ok(Found::Unknown(unknown))
    }

    fn look_at(
        &self,
        probe: &Probe,
        committed: &BaseConsumer<Asking>,
        all: &BaseConsumer<Asking>,
        until: Instant,
    ) -> std::result::Result<Found, String> {
        let (topic, partition, offset) = (self.target.topic.as_str(), probe.partition, probe.offset);
        // An open transaction of somebody else holds readers back, and ends before long.
        loop {
            let (_, stable) = committed
                .fetch_watermarks(topic, partition, OFFSETS)
                .map_err(|e| format!("the offsets of partition {partition} cannot be asked: {e}"))?;
            if stable > offset {
                break;
            }
            if Instant::now() >= until {
                return Ok(Found::Unknown(format!(
                    "an open transaction holds back partition {partition} from offset {stable} on"
                )));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        if self.has(committed, probe)? {
            return Ok(Found::Committed);
        }
        if self.has(all, probe)? {
            return Ok(Found::Aborted);
        }
        Ok(Found::Unknown(format!(
            "offset {offset} of partition {partition} does not hold its message any more"
        )))
    }

    /// Whether this reader gets the message at its place.
    fn has(&self, reader: &BaseConsumer<Asking>, probe: &Probe) -> std::result::Result<bool, String> {
        let failed = |e: KafkaError| format!("partition {} cannot be read: {e}", probe.partition);
        let mut at = TopicPartitionList::new();
        at.add_partition_offset(&self.target.topic, probe.partition, Offset::Offset(probe.offset))
            .and_then(|()| reader.assign(&at))
            .map_err(failed)?;
        let until = Instant::now() + READ;
        let found = loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break Err(format!("partition {} was not read in time", probe.partition));
            }
            match reader.poll(left) {
                None => {}
                Some(Ok(message)) => {
                    let headers = raw::headers(&message);
                    let stamp = headers.iter().find(|(name, _)| *name == STAMP_HEADER.as_bytes());
                    let is_it = message.offset() == probe.offset
                        && stamp.and_then(|(_, value)| *value) == Some(probe.stamp.as_bytes());
                    break Ok(is_it);
                }
                Some(Err(KafkaError::PartitionEOF(_))) => break Ok(false),
                // The log begins later now.
                Some(Err(e)) if gone(&e) => break Ok(false),
                Some(Err(e)) => break Err(failed(e)),
            }
        };
        reader.unassign().map_err(failed)?;
        found
    }
}

fn gone(error: &KafkaError) -> bool {
    let out = [RDKafkaErrorCode::OffsetOutOfRange, RDKafkaErrorCode::AutoOffsetReset];
    error.rdkafka_error_code().is_some_and(|code| out.contains(&code))
}

/// What an error of a step before the commit means.
fn hindered(error: &KafkaError, last: Option<String>) -> Hindered {
    let denied = [
        RDKafkaErrorCode::TransactionalIdAuthorizationFailed,
        RDKafkaErrorCode::ClusterAuthorizationFailed,
        RDKafkaErrorCode::TopicAuthorizationFailed,
    ];
    let KafkaError::Transaction(inner) = error else {
        return Hindered::Over(error.to_string());
    };
    let words = inner.string();
    if denied.contains(&inner.code()) {
        Hindered::Denied(words)
    } else if inner.is_retriable() {
        Hindered::NotYet(last.unwrap_or(words))
    } else {
        Hindered::Over(words)
    }
}

impl Transact for KafkaTransactor {
    fn fence(&mut self, patience: Duration) -> std::result::Result<(), Hindered> {
        self.publisher
            .client()
            .init_transactions(patience)
            .map_err(|e| self.hindered(&e))
    }

    fn begin(&mut self) -> std::result::Result<(), Hindered> {
        self.publisher
            .client()
            .begin_transaction()
            .map_err(|e| self.hindered(&e))
    }

    fn offer(&mut self, message: &Outgoing<'_>) -> Offer {
        self.publisher.offer(message)
    }

    fn commit(&mut self, patience: Duration) -> Committed {
        match self.publisher.client().commit_transaction(patience) {
            Ok(()) => Committed::Yes,
            Err(KafkaError::Transaction(e)) if e.is_retriable() && !e.is_fatal() && !e.txn_requires_abort() => {
                Committed::NotYet(e.string())
            }
            Err(KafkaError::Transaction(e)) => Committed::Unknown(e.string()),
            // The wait before it: nothing is left to be delivered, so this is a client that hangs.
            Err(e) => Committed::Unknown(e.to_string()),
        }
    }

    fn abort(&mut self, patience: Duration) -> std::result::Result<(), Hindered> {
        // What it gives back then is waited for in a way that can miss some of it; so nothing is left to be given back.
        self.publisher.recall();
        self.publisher
            .client()
            .abort_transaction(patience)
            .map_err(|e| self.hindered(&e))
    }

    fn find(&mut self, probes: &[Probe], patience: Duration) -> Found {
        self.look(probes, patience).unwrap_or_else(Found::Unknown)
    }
}
