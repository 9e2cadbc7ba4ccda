//! Publishing by librdkafka's producer, with a verdict for every message.

use super::config::{self, KafkaTarget};
use super::context::{LastError, Publishing};
use super::delivery;
use super::raw;
use crate::hooks;
use crate::model::{Acks, Deliver, Delivery, How, Offer, Outgoing, Publish, Result, STAMP_HEADER, VOID_HEADER};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, PurgeConfig, ThreadedProducer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A purge is answered from memory; this only bounds a client that hangs.
const RECALL: Duration = Duration::from_secs(5);

/// How long a new client is made to hurry; after that it goes its own pace.
const HURRY: Duration = Duration::from_millis(500);
/// How long a dead client waits for answers to what is on the wire.
const ANSWERS: Duration = Duration::from_secs(2);

/// A client that delivers on a thread of its own.
pub(super) type Client = ThreadedProducer<Publishing>;

/// A connection that publishes to one topic.
pub(super) struct KafkaPublisher {
    target: KafkaTarget,
    batch_bytes: u32,
    how: How,
    last_error: LastError,
    deliver: Arc<Deliver>,
    too_large: Arc<AtomicBool>,
    one_by_one: bool,
    producer: Arc<ThreadedProducer<Publishing>>,
}

impl KafkaPublisher {
    /// Over a client that is there already, and is never renewed.
    pub(super) fn over(producer: Client, target: KafkaTarget, last_error: LastError) -> KafkaPublisher {
        let context = producer.context();
        let (deliver, too_large) = (Arc::clone(&context.deliver), Arc::clone(&context.too_large));
        KafkaPublisher {
            batch_bytes: context.batch_bytes,
            how: How::default(),
            one_by_one: false,
            producer: Arc::new(producer),
            target,
            last_error,
            deliver,
            too_large,
        }
    }

    /// Makes batches no larger than this. Nothing may have been offered yet.
    ///
    /// # Errors
    /// As for a new one.
    pub(super) fn limit_batches(&mut self, batch_bytes: u32) -> Result<()> {
        if batch_bytes == self.batch_bytes {
            return Ok(());
        }
        self.batch_bytes = batch_bytes;
        self.renew()
    }

    /// The client.
    pub(super) fn client(&self) -> &Client {
        &self.producer
    }

    pub(super) fn new(
        target: KafkaTarget,
        batch_bytes: u32,
        how: How,
        last_error: LastError,
        deliver: Deliver,
    ) -> Result<KafkaPublisher> {
        let (deliver, too_large) = (Arc::new(deliver), Arc::new(AtomicBool::new(false)));
        let producer = connect(&target, batch_bytes, how, &last_error, &deliver, &too_large, false)?;
        Ok(KafkaPublisher {
            target,
            batch_bytes,
            how,
            last_error,
            deliver,
            too_large,
            one_by_one: false,
            producer,
        })
    }
}

fn connect(
    target: &KafkaTarget,
    batch_bytes: u32,
    how: How,
    last_error: &LastError,
    deliver: &Arc<Deliver>,
    too_large: &Arc<AtomicBool>,
    one_by_one: bool,
) -> Result<Arc<ThreadedProducer<Publishing>>> {
    let context = Publishing {
        last_error: last_error.clone(),
        deliver: Arc::clone(deliver),
        too_large: Arc::clone(too_large),
        one_by_one,
        batch_bytes,
        tokens: target.tokens.clone(),
    };
    let producer: ThreadedProducer<Publishing> = target
        .producer(batch_bytes, one_by_one, how)
        .create_with_context(context)
        .map_err(|e| config::refused(&e, &target.properties))?;
    let producer = Arc::new(producer);
    hurry(&producer, &target.topic);
    Ok(producer)
}

/// A new idempotent client asks for its producer id only when a broker is up, and looks for one every half second, or when a broker
/// has told it about a topic (librdkafka 2.12 `rdkafka_idempotence.c`). So it is made to ask about the topic, twice, because the
/// first answer may come by the connection to a bootstrap address, which is then given up. Nothing depends on the answers.
fn hurry(producer: &Arc<ThreadedProducer<Publishing>>, topic: &str) {
    let (producer, topic) = (Arc::clone(producer), topic.to_owned());
    let ask = move || {
        for _ in 0..2 {
            if let Err(e) = producer.client().fetch_metadata(Some(&topic), HURRY) {
                tracing::debug!("metadata: {e}");
            }
        }
    };
    if let Err(e) = std::thread::Builder::new().name("hurry".to_owned()).spawn(ask) {
        tracing::debug!("a new client takes its time: {e}");
    }
}

impl Publish for KafkaPublisher {
    fn offer(&mut self, message: &Outgoing<'_>) -> Offer {
        if hooks::client_dies() {
            raw::kill(self.producer.client());
        }
        let mut headers = OwnedHeaders::new_with_capacity(message.headers.len() + 2);
        for (name, value) in message.headers {
            headers = headers.insert(Header {
                key: name,
                value: *value,
            });
        }
        headers = headers.insert(Header {
            key: STAMP_HEADER,
            value: Some(message.stamp),
        });
        if let Some(voids) = message.voids {
            headers = headers.insert(Header {
                key: VOID_HEADER,
                value: Some(voids),
            });
        }
        let record = BaseRecord::<[u8], [u8], usize> {
            topic: &self.target.topic,
            partition: Some(message.partition),
            payload: message.value,
            key: message.key,
            timestamp: Some(message.timestamp_ms),
            headers: Some(headers),
            delivery_opaque: message.ticket as usize,
        };
        let Err((error, _)) = self.producer.send(record) else {
            return Offer::Taken;
        };
        // The client did not take it, so it is certainly not sent; the code says whether that can heal.
        let KafkaError::MessageProduction(code) = error else {
            return Offer::Settled(Delivery::NotSent(error.to_string()));
        };
        if code == RDKafkaErrorCode::QueueFull {
            Offer::Full
        } else {
            Offer::Settled(delivery::not_sent(code))
        }
    }

    fn must_renew(&self) -> bool {
        self.too_large.load(Ordering::Relaxed) || self.producer.client().fatal_error().is_some()
    }

    fn is_acknowledged(&self) -> bool {
        self.how.acks != Acks::Zero
    }

    fn recall(&mut self) {
        if self.must_renew() {
            // What is on the wire is still answered, also to a client that is dead; what is known then is not sent twice.
            self.producer.purge(PurgeConfig::default().queue());
            if let Err(e) = self.producer.flush(ANSWERS) {
                tracing::info!("not every message on the wire was answered: {e}");
            }
        }
        self.producer.purge(PurgeConfig::default().queue().inflight());
        // Each purged message is reported with its own status; an error here only says that the client hangs.
        if let Err(e) = self.producer.flush(RECALL) {
            tracing::warn!("the client did not give everything back: {e}");
        }
    }

    fn renew(&mut self) -> Result<()> {
        self.one_by_one |= self.too_large.swap(false, Ordering::Relaxed);
        self.producer = connect(
            &self.target,
            self.batch_bytes,
            self.how,
            &self.last_error,
            &self.deliver,
            &self.too_large,
            self.one_by_one,
        )?;
        Ok(())
    }
}
