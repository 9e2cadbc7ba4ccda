//! From a finding at a running cluster to the command of the broker's own tools that mends it, with the values filled in.
//!
//! It is text for a person. Nothing is changed by `mqsafe` itself, so a command may only be told where it can be whole: a value that
//! takes effect only in a file of the broker has none.

mod kafka;
mod rabbitmq;
mod rocketmq;

use super::fact::{Component, Dialect, Subject, Unit};
use super::judge::Hit;
use super::report::Finding;
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

/// Makes the commands of findings about one thing one command, where each by itself would undo what another did.
pub(super) fn join(unit: &Unit, findings: &mut [Finding], profile: &Profile) {
    if unit.dialect == Dialect::RabbitmqDefinitions {
        rabbitmq::join(unit, findings, profile);
    }
}

/// The hosts of a target without its scheme.
fn hosts(target: &str) -> &str {
    target.split_once("://").map_or(target, |(_, hosts)| hosts)
}

/// A word for a POSIX shell: as it is where nothing in it means anything, else in single quotes. What a terminal would act on, or show as
/// something else, is written by `printf`, so that a command which was copied from a terminal still names the same thing; a line break at
/// the very end is lost by that.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let is_shown = |c: char| c == ' ' || c.is_ascii_graphic() || !c.is_ascii() && c.is_alphanumeric();
    if word.chars().all(is_shown) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut format = String::new();
    for c in word.chars() {
        match c {
            '\'' => format.push_str(r"'\''"),
            '%' => format.push_str("%%"),
            '\\' => format.push_str(r"\\"),
            c if is_shown(c) => format.push(c),
            c => {
                let bytes = c
                    .encode_utf8(&mut [0; 4])
                    .bytes()
                    .map(|b| format!("\\{b:03o}"))
                    .collect::<String>();
                format.push_str(&bytes);
            }
        }
    }
    format!("\"$(printf -- '{format}')\"")
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
            "a\nb",
            "ż",
            "\\",
            "\x1b[31m%s\\n'\u{202e}$(id)`\t",
            "-\u{1}\n0 1",
            "☃",
        ] {
            assert!(
                quoted(word)
                    .chars()
                    .all(|c| c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric())
            );
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(word))])
                .output()
                .expect("a shell");
            assert_eq!(String::from_utf8_lossy(&output.stdout), word);
        }
    }
}
