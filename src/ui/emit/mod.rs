//! Output formats: pure functions from a result to bytes.

mod audit_full;
mod audit_json;

pub use audit_full::audit_full;
pub use audit_json::audit_json;
