//! Can this setup lose messages? From files to facts to findings.
//!
//! A reader turns a file into facts, [`resolve`] turns facts into what the component does, a rule compares that with a profile. Rules
//! see no parser and no client, so that one rule serves files and live clusters.

mod addition;
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
#[cfg(test)]
mod live_tests;
mod locks;
mod read;
mod recognise;
pub mod registry;
mod remedy;
mod report;
pub mod resolve;
pub mod role;
pub mod rule;
mod rules;
mod secret;
mod since;
pub mod stated;
mod terms;
pub mod world;

pub use engine::{Options, audit, audit_bytes, audit_texts, audit_with};
pub use excerpt::Excerpt;
pub use fact::Given;
pub use fingerprint::{fingerprint_of, fingerprints};
pub use report::{
    Edit, Finding, Judged, Note, Places, ReadError, Report, Running, ShownPlace, Undecided, Unrecognised,
};
pub use since::{Before, Gone, Since};
