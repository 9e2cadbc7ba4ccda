//! Connecting step by step, for a person who wants to know which step fails.

use crate::connect::Connection;
use crate::model::{Problem, Result, Step};
use std::time::Duration;

/// The steps of connecting to a cluster.
///
/// # Errors
/// A usage problem when the client refuses a property.
pub fn probe(_connection: &Connection, _topic: Option<&str>, _patience: Duration) -> Result<Vec<Step>> {
    Err(Problem::usage("not built yet"))
}
