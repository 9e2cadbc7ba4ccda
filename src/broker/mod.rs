//! The brokers: one folder each, the only users of client crates. They implement the traits of `model`.
//!
//! No answer of a client is taken for good by a wildcard: whatever is not recognised is in doubt.

#![deny(clippy::wildcard_enum_match_arm)]

pub mod kafka;
