//! `send` killed at random moments, and its brokers disturbed in the middle: nothing that was accepted is lost, on any of the three.
//!
//! One harness for all brokers. What must be there is a list that the test keeps itself; what is there is read by kcat, by
//! RabbitMQ's management API and by mqadmin, never by this project's code.
#![cfg(all(
    feature = "test-hooks",
    feature = "kafka",
    feature = "rabbitmq",
    feature = "rocketmq"
))]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test fails by panic and prints what it measured"
)]

mod support;

#[path = "support/kafka_nodes.rs"]
mod kafka_nodes;

#[path = "killed/broker.rs"]
mod broker;
#[path = "killed/cluster.rs"]
mod cluster;
#[path = "killed/faults.rs"]
mod faults;
#[allow(dead_code, reason = "the Kafka tests use the rest of it")]
#[path = "kafka/judge.rs"]
mod judge;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "killed/series.rs"]
mod series;
#[path = "killed/tool.rs"]
mod tool;
