//! The tool and the library against a real RabbitMQ, which `tests/brokers/up rabbitmq` starts.
//!
//! What the broker holds is judged by its management API through curl, never by this project's code alone. Each test has a
//! queue of its own; those that disturb the broker run alone.
#![cfg(feature = "rabbitmq")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test fails by panic and prints what it measured"
)]

mod support;

#[path = "rabbitmq/audit.rs"]
mod audit;
#[path = "rabbitmq/audit_cluster.rs"]
mod audit_cluster;
#[path = "rabbitmq/audit_joined.rs"]
mod audit_joined;
#[path = "rabbitmq/audit_releases.rs"]
mod audit_releases;
#[path = "rabbitmq/audit_user.rs"]
mod audit_user;
#[path = "rabbitmq/broker.rs"]
mod broker;
#[path = "rabbitmq/durability.rs"]
mod durability;
#[path = "rabbitmq/honest.rs"]
mod honest;
#[path = "rabbitmq/hostile.rs"]
mod hostile;
#[path = "rabbitmq/outage.rs"]
mod outage;
#[path = "rabbitmq/publish.rs"]
mod publish;
#[path = "rabbitmq/query.rs"]
mod query;
#[path = "rabbitmq/read.rs"]
mod read;
#[path = "rabbitmq/tool.rs"]
mod tool;
#[path = "rabbitmq/unrouted.rs"]
mod unrouted;
#[path = "rabbitmq/verify.rs"]
mod verify;
#[path = "rabbitmq/ways.rs"]
mod ways;
