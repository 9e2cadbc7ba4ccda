//! Apache Kafka, and what speaks its protocol, by librdkafka.

pub mod careless;
mod config;
mod context;
mod delivery;
mod endpoint;
pub mod mock;
mod publish;
mod raw;
mod scan;
pub mod testbed;

pub use config::KafkaTarget;
pub use endpoint::{KafkaEndpoint, is_compacted};
pub use scan::KafkaScan;
