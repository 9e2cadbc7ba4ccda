//! The tool against a real RocketMQ with a master and a slave, which `tests/brokers/up rocketmq` starts.
//!
//! What the broker holds is judged by mqadmin or its own administration requests, never by this project's code alone. Each test has a topic and a spool of its own;
//! those that disturb the cluster run alone.
#![cfg(feature = "rocketmq")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test fails by panic and prints what it measured"
)]

mod support;

#[path = "rocketmq/audit.rs"]
mod audit;
#[path = "rocketmq/cluster.rs"]
mod cluster;
#[path = "rocketmq/contact.rs"]
mod contact;
#[path = "rocketmq/direct.rs"]
mod direct;
#[path = "rocketmq/exec.rs"]
mod exec;
#[path = "rocketmq/half.rs"]
mod half;
#[path = "rocketmq/honest.rs"]
mod honest;
#[path = "rocketmq/outage.rs"]
mod outage;
#[path = "rocketmq/query.rs"]
mod query;
#[path = "rocketmq/verify.rs"]
mod verify;
