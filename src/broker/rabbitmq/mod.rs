//! RabbitMQ, by AMQP 0-9-1.
//!
//! A message goes to an exchange with a routing key, and that pair is its lane, `EXCHANGE|KEY`. It is stored when the broker
//! confirmed it and did not return it (`verdict` says why that needs care). What is read back is a stream, which keeps its
//! messages; a queue gives them up to whoever reads, so it is only looked into when that is allowed.

mod client;
mod endpoint;
mod kind;
mod message;
mod peek;
mod publish;
mod record;
mod scan;
mod session;
mod socket;
mod stream;
mod target;
mod verdict;
mod words;
mod worker;

pub use endpoint::RabbitEndpoint;
pub use scan::RabbitScan;

use crate::connect::Connection;
use crate::model::{Problem, Result, Step};
use std::time::Duration;

/// The steps of connecting.
pub fn probe(_connection: &Connection, _topic: Option<&str>, _patience: Duration) -> Result<Vec<Step>> {
    Err(Problem::usage("not built yet"))
}
