//! Output formats: pure functions from a result to bytes.

mod audit_full;
mod audit_json;
#[cfg(feature = "kafka")]
pub mod drill;
#[cfg(feature = "kafka")]
pub mod query;
#[cfg(feature = "kafka")]
pub mod receipt;
#[cfg(feature = "kafka")]
pub mod spool_stats;
#[cfg(feature = "kafka")]
pub mod verify;

pub use audit_full::audit_full;
pub use audit_json::audit_json;

/// A moment as RFC 3339 in UTC; the number itself where it is outside every calendar.
#[cfg(feature = "kafka")]
pub fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |t| format!("{t:.3}"))
}

/// One JSON value as a line.
#[cfg(feature = "kafka")]
fn json_line(value: &impl serde::Serialize) -> Vec<u8> {
    // Only a map with keys that are no text, or a failing Serialize of our own, could fail here; neither exists.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}
