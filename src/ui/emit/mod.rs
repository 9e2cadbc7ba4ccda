//! Output formats: pure functions from a result to bytes.
