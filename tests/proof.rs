//! Loss rules shown to be right: with the value that a rule names a real broker loses messages, and with the value that it asks for
//! it loses none in the same trouble. The two configurations differ in one line, which is printed.
//!
//! Bad and good stand side by side in the same fault where that can be, so that nothing but the line tells them apart.
#![cfg(all(feature = "kafka", feature = "rabbitmq", feature = "rocketmq"))]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test fails by panic and prints what it measured"
)]

mod support;

#[path = "proof/kafka.rs"]
mod kafka;
#[path = "proof/nodes.rs"]
mod nodes;
#[path = "proof/proofs.rs"]
mod proofs;
#[path = "proof/rabbit.rs"]
mod rabbit;
#[path = "proof/rocket.rs"]
mod rocket;
#[path = "proof/verdict.rs"]
mod verdict;
#[path = "proof/wire.rs"]
mod wire;
#[path = "proof/worker.rs"]
mod worker;
