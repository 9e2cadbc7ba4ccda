//! Can this setup lose messages? From files to facts to findings.
//!
//! A reader turns a file into facts, [`resolve`] turns facts into what the component does, a rule compares that with a profile. Rules
//! see no parser and no client, so that one rule serves files and live clusters.

pub mod baseline;
mod engine;
mod excerpt;
pub mod fact;
mod fingerprint;
mod gather;
mod ignore;
mod input;
mod judge;
pub mod live;
mod locks;
mod read;
mod recognise;
pub mod registry;
mod report;
pub mod resolve;
pub mod role;
pub mod rule;
mod rules;
mod secret;
pub mod stated;
mod terms;
pub mod world;

pub use engine::{Options, audit, audit_bytes, audit_texts};
pub use excerpt::Excerpt;
pub use fingerprint::fingerprints;
pub use report::{Edit, Finding, Judged, Note, Places, ReadError, Report, ShownPlace, Undecided, Unrecognised};
