//! Apache Kafka, and what speaks its protocol, by librdkafka.

mod config;
mod context;
mod delivery;
mod endpoint;
mod publish;
mod raw;
mod scan;

pub use config::KafkaTarget;
pub use endpoint::KafkaEndpoint;
pub use scan::KafkaScan;
