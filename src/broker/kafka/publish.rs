//! Publishing by librdkafka's producer, with a verdict for every message.

use super::config::{self, KafkaTarget};
use super::context::{LastError, Publishing};
use super::delivery;
use crate::model::{Deliver, Delivery, Offer, Outgoing, Publish, Result, STAMP_HEADER, VOID_HEADER};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, PurgeConfig, ThreadedProducer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A purge is answered from memory; this only bounds a client that hangs.
const RECALL: Duration = Duration::from_secs(5);

/// A connection that publishes to one topic.
pub(super) struct KafkaPublisher {
    target: KafkaTarget,
    batch_bytes: u32,
    last_error: LastError,
    deliver: Arc<Deliver>,
    too_large: Arc<AtomicBool>,
    one_by_one: bool,
    producer: ThreadedProducer<Publishing>,
}

impl KafkaPublisher {
    pub(super) fn new(
        target: KafkaTarget,
        batch_bytes: u32,
        last_error: LastError,
        deliver: Deliver,
    ) -> Result<KafkaPublisher> {
        let (deliver, too_large) = (Arc::new(deliver), Arc::new(AtomicBool::new(false)));
        let producer = connect(&target, batch_bytes, &last_error, &deliver, &too_large, false)?;
        Ok(KafkaPublisher {
            target,
            batch_bytes,
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
    last_error: &LastError,
    deliver: &Arc<Deliver>,
    too_large: &Arc<AtomicBool>,
    one_by_one: bool,
) -> Result<ThreadedProducer<Publishing>> {
    let context = Publishing {
        last_error: last_error.clone(),
        deliver: Arc::clone(deliver),
        too_large: Arc::clone(too_large),
        one_by_one,
        batch_bytes,
        tokens: target.tokens.clone(),
    };
    target
        .producer(batch_bytes, one_by_one)
        .create_with_context(context)
        .map_err(|e| config::refused(&e, &target.properties))
}

impl Publish for KafkaPublisher {
    fn offer(&mut self, message: &Outgoing<'_>) -> Offer {
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

    fn recall(&mut self) {
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
            &self.last_error,
            &self.deliver,
            &self.too_large,
            self.one_by_one,
        )?;
        Ok(())
    }
}
