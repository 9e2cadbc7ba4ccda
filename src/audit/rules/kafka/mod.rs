//! Rules on Apache Kafka: producers, brokers, consumers.

mod cluster;
pub(crate) mod kb000_single_broker;
pub(crate) mod kb001_replication_factor;
pub(crate) mod kb002_min_insync;
pub(crate) mod kb003_unclean_election;
pub(crate) mod kc001_auto_commit;
pub(crate) mod kc002_offset_reset;
pub(crate) mod kc003_offset_store;
pub(crate) mod kp001_acks;
pub(crate) mod kp002_idempotence;
pub(crate) mod kp003_retries;
pub(crate) mod kp004_delivery_timeout;
pub(crate) mod kp005_delivery_reports;
pub(crate) mod kp007_max_block;

use crate::audit::fact::Dialect;
use crate::audit::judge::Judge;

/// Files of producers, whatever their language.
const PRODUCERS: &[Dialect] = &[Dialect::KafkaProducer, Dialect::LibrdkafkaProducer];
/// Files of consumers, whatever their language.
const CONSUMERS: &[Dialect] = &[Dialect::KafkaConsumer, Dialect::LibrdkafkaConsumer];

/// Whether a consumer's file leaves the group to the code. Then the code may set what else is absent, so that proves less.
fn group_is_set_elsewhere(judge: &Judge<'_>) -> bool {
    judge.setting("group.id").given.is_none()
}
