//! librdkafka's in-process mock cluster: what a drill runs on when nothing is installed.
//!
//! It has one log and no replicas, so acks=0, acks=1 and a killed leader lose nothing on it. It does not drop the duplicates of
//! a resend. It keeps about 5 MiB for each partition.

use crate::model::{Problem, Result};
use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::time::Duration;

/// A mock cluster that listens on loopback until dropped.
pub struct MockKafka(MockCluster<'static, DefaultProducerContext>);

fn failed(error: KafkaError) -> Problem {
    Problem::unknown("the mock cluster does not work")
        .because(error)
        .next("run the drill on a test cluster: mqsafe drill -b URL")
}

impl MockKafka {
    /// Starts `brokers` brokers that answer after `round_trip`.
    ///
    /// # Errors
    /// When librdkafka cannot open its listeners.
    pub fn start(brokers: i32, round_trip: Duration) -> Result<MockKafka> {
        let cluster = MockCluster::new(brokers).map_err(failed)?;
        for broker in 1..=brokers {
            cluster.broker_round_trip_time(broker, round_trip).map_err(failed)?;
        }
        Ok(MockKafka(cluster))
    }

    /// Where it listens.
    pub fn bootstrap(&self) -> String {
        self.0.bootstrap_servers()
    }

    /// Makes a topic.
    ///
    /// # Errors
    /// When it exists already.
    pub fn create_topic(&self, topic: &str, partitions: i32) -> Result<()> {
        self.0.create_topic(topic, partitions, 1).map_err(failed)
    }

    /// The next `requests` produce requests are answered with an error that heals: not enough replicas, nothing stored.
    pub fn refuse_next(&self, requests: usize) {
        let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS;
        self.0.request_errors(RDKafkaApiKey::Produce, &vec![error; requests]);
    }

    /// The next produce requests are answered like this, one after the other.
    #[cfg(test)]
    pub(super) fn answer_next(&self, errors: &[RDKafkaRespErr]) {
        self.0.request_errors(RDKafkaApiKey::Produce, errors);
    }

    /// Cuts all connections and accepts none, or accepts them again.
    ///
    /// # Errors
    /// When the cluster is gone.
    pub fn set_down(&self, down: bool) -> Result<()> {
        if down {
            self.0.broker_down(-1)
        } else {
            self.0.broker_up(-1)
        }
        .map_err(failed)
    }
}
