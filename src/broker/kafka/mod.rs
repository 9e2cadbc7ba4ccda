//! Apache Kafka, and what speaks its protocol, by librdkafka.

pub mod careless;
mod config;
mod context;
mod delivery;
mod endpoint;
mod handshake;
pub mod mock;
mod oauth;
mod probe;
mod publish;
mod raw;
mod scan;
mod security;
pub mod testbed;

pub use config::KafkaTarget;
pub use endpoint::KafkaEndpoint;
pub use probe::probe;
pub use scan::KafkaScan;
