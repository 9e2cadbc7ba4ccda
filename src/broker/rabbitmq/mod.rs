//! RabbitMQ, by AMQP 0-9-1.

use crate::connect::Connection;
use crate::model::{
    Deliver, Endpoint, Problem, Publish, Result, Scan, ScanPlan, ScanReport, Step, Topology, Unreached, Visit,
};
use std::time::Duration;

/// A place to publish to.
#[derive(Debug)]
pub struct RabbitEndpoint;

impl RabbitEndpoint {
    /// An endpoint.
    pub fn new(_connection: &Connection, _topic: &str) -> Result<RabbitEndpoint> {
        Err(Problem::usage("not built yet"))
    }
}

impl Endpoint for RabbitEndpoint {
    fn topology(&self, _timeout: Duration) -> std::result::Result<Topology, Unreached> {
        Err(Unreached::new("not built yet"))
    }
    fn publisher(&self, _deliver: Deliver) -> Result<Box<dyn Publish>> {
        Err(Problem::usage("not built yet"))
    }
    fn last_error(&self) -> Option<String> {
        None
    }
}

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
