//! One file for each rule.

pub(crate) mod cross;
pub(crate) mod kafka;
pub(crate) mod rabbitmq;
pub(crate) mod rocketmq;
mod storage;
#[cfg(test)]
pub(crate) mod testing;

use crate::audit::fact::{Effect, Fact, FactValue, Subject, Unit};
use crate::audit::judge::Judge;
use crate::audit::resolve::is_placeholder;

/// What a named thing says under a key, as text. What is filled in elsewhere is recorded as undecided.
fn text_of<'a>(judge: &mut Judge<'a>, subject: &Subject, key: &str) -> Option<(&'a Fact, String)> {
    let fact = judge.unit.of(subject, key)?;
    match &fact.value {
        FactValue::Text(text) if is_placeholder(text) => {
            judge.undecided(format!("the value of `{key}` is filled in elsewhere"));
            None
        }
        FactValue::Text(text) => Some((fact, text.trim().to_owned())),
        FactValue::Bool(truth) => Some((fact, truth.to_string())),
        FactValue::Null | FactValue::Composite | FactValue::Secret => None,
    }
}

/// What a named thing says under a key, as a whole number.
fn int_of<'a>(judge: &mut Judge<'a>, subject: &Subject, key: &str) -> Option<(&'a Fact, i64)> {
    let (fact, text) = text_of(judge, subject, key)?;
    match text.parse() {
        Ok(number) => Some((fact, number)),
        Err(_) => {
            judge.undecided(format!("`{key}` is not a whole number"));
            None
        }
    }
}

/// Whether a value is the word or the truth `true`.
fn is_true(fact: &Fact) -> bool {
    match &fact.value {
        FactValue::Bool(truth) => *truth,
        FactValue::Text(text) => text.trim().eq_ignore_ascii_case("true"),
        FactValue::Null | FactValue::Composite | FactValue::Secret => false,
    }
}

/// Whether a value is the word or the truth `false`.
fn is_false(fact: &Fact) -> bool {
    match &fact.value {
        FactValue::Bool(truth) => !*truth,
        FactValue::Text(text) => text.trim().eq_ignore_ascii_case("false"),
        FactValue::Null | FactValue::Composite | FactValue::Secret => false,
    }
}

/// The settings of an application whose full names begin and end so, those that take effect.
fn named<'a>(unit: &'a Unit, prefix: &'a str, suffix: &'a str) -> impl Iterator<Item = &'a Fact> {
    let whole = prefix.len() + suffix.len();
    unit.facts.iter().filter(move |f| {
        f.effect == Effect::Live && f.key.len() >= whole && f.key.starts_with(prefix) && f.key.ends_with(suffix)
    })
}

/// Whether a path is gone after a restart: below a temporary directory or in memory.
fn is_temporary(path: &str) -> bool {
    ["/tmp", "/var/tmp", "/dev/shm", "/run"]
        .iter()
        .any(|root| path == *root || path.starts_with(&format!("{root}/")))
}
