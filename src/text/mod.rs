//! Source files as bytes with places. Nothing here knows a broker, a rule or the terminal.

pub mod hcl;
pub mod json;
pub mod properties;
mod source;
pub mod yaml;

pub use source::{SourceFile, Span, Spot};
