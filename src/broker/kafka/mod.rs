//! Apache Kafka, and what speaks its protocol, by librdkafka.

mod batch;
pub mod careless;
mod config;
mod consumer;
mod context;
mod create;
mod delivery;
mod endpoint;
mod groups;
mod handshake;
mod member;
pub mod mock;
mod oauth;
mod observe;
mod probe;
mod publish;
mod raw;
#[cfg(test)]
mod renew_tests;
mod scan;
mod security;
pub mod testbed;
mod transact;
mod wire;

pub use config::KafkaTarget;
pub use endpoint::KafkaEndpoint;
pub use groups::KafkaFollow;
pub use member::KafkaMember;
pub use observe::observe;
pub use probe::probe;
pub use scan::KafkaScan;
