//! Figures of a spool (`mqsafe.spool/1`).

use super::json_line;
pub use super::time;
use crate::spool::Stats;
use serde_json::json;

/// One JSON object.
pub fn json(stats: &Stats) -> Vec<u8> {
    let Stats {
        pending,
        failed,
        confirmed,
        awaiting,
        consumed,
        scheduled,
        undecided,
        oldest_ms,
        bytes,
    } = stats;
    json_line(&json!({
        "schema": "mqsafe.spool/1",
        "pending": pending,
        "failed": failed,
        "confirmed": confirmed,
        "oldest": oldest_ms.map(time),
        "bytes": bytes,
        "awaiting": awaiting,
        "consumed": consumed,
        "scheduled": scheduled,
        "undecided": undecided,
    }))
}
