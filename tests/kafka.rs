//! The tool against a real Kafka cluster of three nodes, which `tests/brokers/up kafka` starts.
//!
//! What the cluster holds is judged by kcat and by Kafka's own tools, never by this project's code alone. Each test has a topic
//! and a spool of its own; those that disturb the cluster run alone.
#![cfg(feature = "kafka")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test fails by panic and prints what it measured"
)]

mod support;

#[path = "support/kafka_nodes.rs"]
mod kafka_nodes;

#[path = "kafka/audit.rs"]
mod audit;
#[path = "kafka/audit_full.rs"]
mod audit_full;
#[path = "kafka/cluster.rs"]
mod cluster;
#[path = "kafka/forms.rs"]
mod forms;
#[path = "kafka/full.rs"]
mod full;
#[path = "kafka/history.rs"]
mod history;
#[path = "kafka/honest.rs"]
mod honest;
#[path = "kafka/input.rs"]
mod input;
#[path = "kafka/judge.rs"]
mod judge;
#[path = "kafka/ledger.rs"]
mod ledger;
#[path = "kafka/memory.rs"]
mod memory;
#[path = "kafka/oracle.rs"]
mod oracle;
#[path = "kafka/outage.rs"]
mod outage;
#[path = "kafka/publish.rs"]
mod publish;
#[path = "kafka/query.rs"]
mod query;
#[path = "kafka/resume.rs"]
mod resume;
#[path = "kafka/scanner.rs"]
mod scanner;
#[path = "kafka/spool.rs"]
mod spool;
#[path = "kafka/stop.rs"]
mod stop;
#[path = "kafka/tool.rs"]
mod tool;
#[path = "kafka/transaction.rs"]
mod transaction;
#[path = "kafka/verify.rs"]
mod verify;
#[path = "kafka/verify_history.rs"]
mod verify_history;
#[path = "kafka/verify_together.rs"]
mod verify_together;
