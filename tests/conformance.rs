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

/// The whole list for each broker, under names that say what broke.
macro_rules! broker {
    ($name:ident) => {
        mod $name {
            use crate::behaviour;

            #[test]
            fn right_credentials_send_and_find() {
                behaviour::right(&crate::$name::door("right_credentials_send_and_find"));
            }

            #[test]
            fn wrong_credentials_are_refused_and_nothing_is_lost() {
                behaviour::refused(
                    &crate::$name::door("wrong_credentials_are_refused"),
                    behaviour::Refusal::Authentication,
                );
            }

            #[test]
            fn a_certificate_for_another_host_is_refused() {
                behaviour::refused(
                    &crate::$name::door("a_certificate_for_another_host_is_refused"),
                    behaviour::Refusal::WrongHost,
                );
            }

            #[test]
            fn an_expired_certificate_is_refused() {
                behaviour::refused(
                    &crate::$name::door("an_expired_certificate_is_refused"),
                    behaviour::Refusal::Expired,
                );
            }

            #[test]
            fn a_foreign_authority_is_refused() {
                behaviour::refused(
                    &crate::$name::door("a_foreign_authority_is_refused"),
                    behaviour::Refusal::Foreign,
                );
            }

            #[test]
            fn a_topic_without_permission_is_denied() {
                behaviour::denied(&crate::$name::door("a_topic_without_permission_is_denied"));
            }

            #[test]
            fn a_broker_that_closes_midway_costs_nothing() {
                behaviour::closes_midway(&crate::$name::door("a_broker_that_closes_midway_costs_nothing"));
            }

            #[test]
            fn a_half_open_connection_is_found() {
                behaviour::half_open(&crate::$name::door("a_half_open_connection_is_found"));
            }
        }
    };
}

mod on {
    broker!(kafka);
    broker!(rabbitmq);
    broker!(rocketmq);
}
