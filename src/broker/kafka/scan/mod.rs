//! Reading a topic from its log start to the end that it had when the scan began.

mod hand;
mod job;
mod keys;
mod lane;
mod pieces;
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
use reach::Reached;
use std::time::{Duration, Instant};

/// Reads one topic. It takes part in no group and commits nothing.
///
/// It reads over its own connections. What these cannot do (Kerberos, a cipher list, a key that rustls does not read) goes
/// through librdkafka's consumer, which is some ten times slower; the log says so.
pub struct KafkaScan {
    target: KafkaTarget,
    settings: std::result::Result<Settings, String>,
    /// What was reached when the partitions were asked for, and when: a scan that follows at once goes on with it.
    reached: Option<(Instant, Reached)>,
}

/// How long what was learnt of a cluster may be believed. A leader that moved since is found all the same.
const FRESH: Duration = Duration::from_secs(1);

impl KafkaScan {
    /// A scan; nothing is connected yet, and the client has looked at every property.
    ///
    /// # Errors
    /// A usage problem that names the property which the client refuses.
    pub fn new(target: KafkaTarget) -> Result<KafkaScan> {
        let settings = Settings::of(&target);
        match &settings {
            // Nothing that librdkafka alone would know to contradict itself.
            Ok(_) if !is_secured(&target) => endpoint::worded(&target)?,
            Ok(_) | Err(_) => checked(&target)?,
        }
        Ok(KafkaScan {
            target,
            settings,
            reached: None,
        })
    }
}

/// Whether any property is about encryption or a login.
fn is_secured(target: &KafkaTarget) -> bool {
    let about = |name: &str| ["ssl", "sasl", "security"].iter().any(|word| name.contains(word));
    target.properties.iter().any(|(name, _)| about(name))
}

impl Scan for KafkaScan {
    fn scan(&mut self, plan: &ScanPlan, visit: &mut dyn Visit) -> Result<ScanReport> {
        match &self.settings {
            Ok(settings) => {
                let known = self.reached.take().filter(|(when, _)| when.elapsed() < FRESH);
                run::scan(&self.target, settings, plan, visit, known.map(|(_, known)| known))
            }
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
            Ok(settings) => {
                let reached = reach::alone(&self.target, settings, patience)?;
                let count = reach::partitions(&reached.1);
                // What is no answer yet is asked for again.
                self.reached = count.is_some().then(|| (Instant::now(), reached));
                count
            }
            Err(_) => match KafkaEndpoint::new(self.target.clone()).ok()?.topology(patience) {
                Ok(Topology::Known(Lanes::Partitions(count))) => Some(count),
                Ok(_) | Err(_) => None,
            },
        }
    }
}
