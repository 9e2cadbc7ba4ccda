//! What running brokers tell. Whoever asks a broker fills an [`Observation`]; rules see its units as they see those of files.
//!
//! A unit of a live broker has the carrier [`super::terms::canonical::LIVE`], and its `file` is the target as it may be shown
//! (`kafka://10.0.0.1:9092`, never with a password). Facts of a live broker have no span: [`place`] makes theirs.

use super::fact::{Place, Unit};
use crate::text::{Span, Spot};
use std::sync::Arc;

/// What was read from one running cluster.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// What runs, as facts.
    pub units: Vec<Unit>,
    /// What could not be read. An audit that misses something is not "clean": without findings it ends with exit code 3.
    pub unread: Vec<Unread>,
    /// What could be lost if one node died now, by node; only nodes whose death could lose something.
    pub at_risk: Vec<AtRisk>,
    /// How many requests were made.
    pub requests: u64,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// What: `the configuration of topic orders`.
    pub what: String,
    /// Why: the broker's own words, or the system's.
    pub why: String,
    /// What to do: the permission to grant, by its name, or what to start.
    pub next: String,
}

/// What could be lost if a node, or everything in a rack, died now with its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtRisk {
    /// The node as operators name it: `broker 2`, `rabbit@a`, `broker-a at 10.0.0.1:10911`; or `rack eu-1a`.
    pub node: String,
    /// What could be lost, by name.
    pub losses: Vec<Loss>,
}

/// Acknowledged messages that one death could lose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Where they are: `orders/3` for a partition, `orders` for a queue.
    pub name: String,
    /// Why: `the only replica in sync`, `a classic queue lives on one node`.
    pub why: String,
}

/// Where a fact of a live broker stands: at the broker, and nowhere in a text.
pub fn place(target: &Arc<str>) -> Place {
    Place {
        file: target.clone(),
        span: Span { start: 0, end: 0 },
        spot: Spot { line: 0, column: 0 },
    }
}
