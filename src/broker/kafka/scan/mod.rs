//! Reading a topic from its log start to the end that it had when the scan began.

mod hand;
mod job;
mod keys;
mod lane;
mod ranges;
mod reach;
mod run;
#[cfg(test)]
mod tests;

use super::config::KafkaTarget;
use super::consumer::ConsumerScan;
use super::endpoint::{self, KafkaEndpoint, checked};
use super::wire::Settings;
use crate::model::{Endpoint, Lanes, Result, Scan, ScanPlan, ScanReport, Topology, Visit};
use std::time::Duration;

/// Reads one topic. It takes part in no group and commits nothing.
///
/// It reads over its own connections. What these cannot do (Kerberos, a cipher list, a key that rustls does not read) goes
/// through librdkafka's consumer, which is some ten times slower; the log says so.
pub struct KafkaScan {
    target: KafkaTarget,
    settings: std::result::Result<Settings, String>,
}

impl KafkaScan {
    /// A scan; nothing is connected yet, and the client has looked at every property.
    ///
    /// # Errors
    /// A usage problem that names the property which the client refuses.
    pub fn new(target: KafkaTarget) -> Result<KafkaScan> {
        checked(&target)?;
        let settings = Settings::of(&target);
        Ok(KafkaScan { target, settings })
    }
}

impl Scan for KafkaScan {
    fn scan(&mut self, plan: &ScanPlan, visit: &mut dyn Visit) -> Result<ScanReport> {
        match &self.settings {
            Ok(settings) => run::scan(&self.target, settings, plan, visit),
            Err(why) => {
                tracing::info!("reading by librdkafka, because our own connections do not have {why}");
                ConsumerScan::new(self.target.clone()).scan(plan, visit)
            }
        }
    }

    fn is_compacted(&mut self, patience: Duration) -> Option<bool> {
        match &self.settings {
            Ok(settings) => reach::is_compacted(&self.target, settings, patience),
            Err(_) => endpoint::is_compacted(&self.target, patience),
        }
    }

    fn log_ends(&mut self, patience: Duration) -> Vec<(i32, i64)> {
        match &self.settings {
            Ok(settings) => reach::log_ends(&self.target, settings, patience),
            Err(_) => Vec::new(),
        }
    }

    fn hash_partitions(&mut self, patience: Duration) -> Option<i32> {
        match &self.settings {
            Ok(settings) => reach::partitions(&self.target, settings, patience),
            Err(_) => match KafkaEndpoint::new(self.target.clone()).ok()?.topology(patience) {
                Ok(Topology::Known(Lanes::Partitions(count))) => Some(count),
                Ok(_) | Err(_) => None,
            },
        }
    }
}
