//! RabbitMQ, by AMQP 0-9-1.
//!
//! A message goes to an exchange with a routing key, and that pair is its lane, `EXCHANGE|KEY`. It is stored when the broker
//! confirmed it and did not return it ([`verdict`] says why that needs care). What is read back is a stream, which keeps
//! its messages; a queue gives them up to whoever reads, so it is only looked into when that is allowed.

mod client;
mod endpoint;
mod message;
mod publish;
mod session;
mod socket;
mod target;
mod verdict;
mod words;
mod worker;

pub use endpoint::RabbitEndpoint;

use crate::connect::Connection;
use crate::model::{Problem, Result, Scan, ScanPlan, ScanReport, Step, Visit};
use std::time::Duration;

/// A place to read.
#[derive(Debug)]
pub struct RabbitScan;

impl RabbitScan {
    /// A scan.
    pub fn new(_connection: &Connection, _topic: &str) -> Result<RabbitScan> {
        Err(Problem::usage("not built yet"))
    }
}

impl Scan for RabbitScan {
    fn scan(&mut self, _plan: &ScanPlan, _visit: &mut dyn Visit) -> Result<ScanReport> {
        Err(Problem::usage("not built yet"))
    }
    fn is_compacted(&mut self, _patience: Duration) -> Option<bool> {
        None
    }
}

/// The steps of connecting.
pub fn probe(_connection: &Connection, _topic: Option<&str>, _patience: Duration) -> Result<Vec<Step>> {
    Err(Problem::usage("not built yet"))
}
