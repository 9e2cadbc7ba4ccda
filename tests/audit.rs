//! `mqsafe audit`, as a person or a job runs it: the whole binary, without any broker feature.

#[path = "audit/additions.rs"]
mod additions;
#[path = "audit/carriers.rs"]
mod carriers;
#[path = "audit/common.rs"]
mod common;
#[path = "audit/corpus.rs"]
mod corpus;
#[path = "audit/env_files.rs"]
mod env_files;
#[path = "audit/examples.rs"]
mod examples;
#[path = "audit/exit_codes.rs"]
mod exit_codes;
#[path = "audit/fixtures.rs"]
mod fixtures;
#[path = "audit/formats.rs"]
mod formats;
#[path = "audit/hostile.rs"]
mod hostile;
#[path = "audit/joined.rs"]
mod joined;
#[path = "audit/outputs.rs"]
mod outputs;
#[path = "audit/real_shapes.rs"]
mod real_shapes;
#[path = "audit/recognition.rs"]
mod recognition;
#[path = "audit/schemas.rs"]
mod schemas;
#[path = "audit/secrets.rs"]
mod secrets;
