//! Our own connections to Kafka brokers, for reading: TCP or TLS, the login, requests and answers.
//!
//! Requests and answers are those of the crate `kafka-protocol`; only the answer to a fetch is walked in place ([`fetch`]), because
//! it is read by the million.

pub(super) mod ask;
mod connection;
mod error;
pub(super) mod fetch;
mod sasl;
mod scram;
mod settings;
mod stream;

pub(super) use connection::{Connection, Limits};
pub(super) use error::{is_denied, is_moved, words};
pub(super) use settings::Settings;
