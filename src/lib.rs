//! `mqsafe` makes message loss visible and preventable on Apache Kafka, RabbitMQ and Apache RocketMQ.
//!
//! The rooms depend on each other in one direction only, and a test reads the `use crate::` lines to hold it:
//!
//! `model, text <- config, connect, audit, spool, verify, query, send <- broker <- command <- main`
//!
//! `ui` knows `model`, findings and results. Below `command` nothing knows `ui`, `cli` or the environment.

pub mod audit;
#[cfg(feature = "broker")]
pub mod broker;
pub mod cli;
pub mod command;
pub mod config;
#[cfg(feature = "broker")]
pub mod connect;
#[cfg(feature = "kafka")]
pub mod drill;
#[cfg(feature = "broker")]
mod hooks;
pub mod model;
#[cfg(feature = "broker")]
pub mod query;
#[cfg(feature = "broker")]
pub mod send;
#[cfg(feature = "broker")]
pub mod spool;
pub mod text;
pub mod ui;
#[cfg(feature = "broker")]
pub mod verify;

/// The version of the package.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
