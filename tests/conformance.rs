//! One list of behaviours that the connection of every broker has, on the secured listeners of `tests/brokers/up`.
//!
//! Each broker tells how it is knocked at (`tests/conformance/BROKER.rs`); what must come of it is the same for all and stands here
//! once: the exit code of each command, the step that fails, and that nothing is lost on the way.
#![cfg(all(feature = "kafka", feature = "rabbitmq", feature = "rocketmq"))]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panic and prints what it did"
)]

mod support;

#[path = "support/kafka_nodes.rs"]
mod kafka_nodes;

#[path = "conformance/behaviour.rs"]
mod behaviour;
#[path = "conformance/console_tools.rs"]
mod console_tools;
#[path = "conformance/kafka.rs"]
mod kafka;
#[path = "conformance/knock.rs"]
mod knock;
#[path = "conformance/rabbitmq.rs"]
mod rabbitmq;
#[path = "conformance/rocketmq.rs"]
mod rocketmq;
#[path = "conformance/trouble.rs"]
mod trouble;

use behaviour::{Door, Refusal};

/// Runs one behaviour on all brokers at once, and says which of them broke it.
fn on_each(test: &str, behaviour: impl Fn(&Option<Door>) + Sync) {
    type Knocker = (&'static str, fn(&str) -> Option<Door>);
    let brokers: [Knocker; 3] = [
        ("Kafka", kafka::door),
        ("RabbitMQ", rabbitmq::door),
        ("RocketMQ", rocketmq::door),
    ];
    let behaviour = &behaviour;
    let broken: Vec<&str> = std::thread::scope(|scope| {
        let running = brokers.map(|(name, door)| (name, scope.spawn(move || behaviour(&door(test)))));
        let ended = running.map(|(name, thread)| (name, thread.join().is_err()));
        ended
            .into_iter()
            .filter(|(_, broke)| *broke)
            .map(|(name, _)| name)
            .collect()
    });
    assert!(
        broken.is_empty(),
        "broken on {}; what broke stands above",
        broken.join(", ")
    );
}

#[test]
fn right_credentials_send_and_find() {
    on_each("right_credentials_send_and_find", behaviour::right);
}

#[test]
fn a_transaction_is_whole_through_every_door() {
    kafka::transactions(&kafka::door("a_transaction_is_whole_through_every_door"));
}

#[test]
fn wrong_credentials_are_refused_and_nothing_is_lost() {
    on_each("wrong_credentials_are_refused_and_nothing_is_lost", |door| {
        behaviour::refused(door, Refusal::Authentication);
    });
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    on_each("a_certificate_for_another_host_is_refused", |door| {
        behaviour::refused(door, Refusal::WrongHost);
    });
}

#[test]
fn an_expired_certificate_is_refused() {
    on_each("an_expired_certificate_is_refused", |door| {
        behaviour::refused(door, Refusal::Expired);
    });
}

#[test]
fn a_foreign_authority_is_refused() {
    on_each("a_foreign_authority_is_refused", |door| {
        behaviour::refused(door, Refusal::Foreign);
    });
}

#[test]
fn a_topic_without_permission_is_denied() {
    on_each("a_topic_without_permission_is_denied", behaviour::denied);
}

#[test]
fn a_broker_that_closes_midway_costs_nothing() {
    on_each("a_broker_that_closes_midway_costs_nothing", behaviour::closes_midway);
}

#[test]
fn a_half_open_connection_is_found() {
    on_each("a_half_open_connection_is_found", behaviour::half_open);
}

#[test]
fn an_interrupted_run_keeps_what_it_accepted() {
    on_each("an_interrupted_run_keeps_what_it_accepted", trouble::interrupted);
}

#[test]
fn a_message_that_cannot_be_taken_is_refused_alone() {
    on_each("a_message_that_cannot_be_taken_is_refused_alone", trouble::bad_messages);
}

#[test]
fn what_is_not_there_is_not_made_up() {
    on_each("what_is_not_there_is_not_made_up", trouble::nothing_there);
}
