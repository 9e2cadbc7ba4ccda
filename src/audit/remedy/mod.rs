//! From a finding at a running cluster to the command of the broker's own tools that mends it, with the values filled in.
//!
//! It is text for a person. Nothing is changed by `mqsafe` itself, so a command may only be told where it can be whole: a value that
//! takes effect only in a file of the broker has none.

mod kafka;
mod rabbitmq;
mod rocketmq;

use super::fact::{Component, Subject, Unit};
use super::judge::Hit;
use crate::config::Profile;

/// The command, where there is one.
pub(super) fn command(unit: &Unit, subject: Option<&Subject>, hit: &Hit, profile: &Profile) -> Option<String> {
    match unit.component {
        Component::KafkaBroker => kafka::command(unit, subject, hit, profile),
        Component::RabbitMq => rabbitmq::command(unit, subject, hit, profile),
        Component::RocketMq => rocketmq::command(unit, subject, hit, profile),
        _ => None,
    }
}

pub(in crate::audit) use kafka::{set_topic, unset_broker};

/// The hosts of a target without its scheme.
fn hosts(target: &str) -> &str {
    target.split_once("://").map_or(target, |(_, hosts)| hosts)
}

/// A word for a POSIX shell: as it is where nothing in it means anything, else in single quotes.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_reads_back_what_is_quoted() {
        for word in [
            "orders",
            "a b",
            "it's",
            "$(rm -rf /)",
            "",
            "a;b|c&d",
            "*",
            "\n",
            "ż",
            "\\",
        ] {
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(word))])
                .output()
                .expect("a shell");
            assert_eq!(String::from_utf8_lossy(&output.stdout), word);
        }
    }
}
