//! A value that may stand somewhere else: in the environment, in a file, or in what a command prints.

use super::yaml::{Data, Node};
use crate::model::{Problem, Result};
use std::fmt;

/// Where a value is. A text may be a secret, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Written in place.
    Text(String),
    /// `{env: NAME}`.
    Environment(String),
    /// `{file: PATH}`; a line break at its end is not part of it.
    File(String),
    /// `{command: [PROGRAM, ARG…]}`; what it prints, without a line break at its end.
    Command(Vec<String>),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(_) => f.write_str("Text(…)"),
            Value::Environment(name) => f.debug_tuple("Environment").field(name).finish(),
            Value::File(path) => f.debug_tuple("File").field(path).finish(),
            Value::Command(words) => f.debug_tuple("Command").field(&words.first()).finish(),
        }
    }
}

/// The ways out of this program that finding settings needs. A test gives its own.
pub trait Surroundings {
    /// A whole file of moderate size.
    ///
    /// # Errors
    /// Those of the system.
    fn file(&self, path: &str) -> std::io::Result<Vec<u8>>;

    /// A variable of the environment, when it is set and not empty.
    fn variable(&self, name: &str) -> Option<String>;

    /// What a program prints. Its arguments are no secrets, and no secret is in its environment.
    ///
    /// # Errors
    /// A usage problem that names the program, and nothing that it printed to stdout.
    fn command(&self, words: &[String]) -> Result<String>;
}

impl Value {
    /// Fetches the text. `what` names the property for a person.
    ///
    /// # Errors
    /// A usage problem that names the property and the place.
    pub(super) fn fetch(&self, what: &str, around: &dyn Surroundings) -> Result<String> {
        match self {
            Value::Text(text) => Ok(text.clone()),
            Value::Environment(name) => around.variable(name).ok_or_else(|| {
                Problem::usage(format!("{what}: the environment has no {name}")).next(format!("export {name} first"))
            }),
            Value::File(path) => {
                let bytes = around.file(path).map_err(|e| {
                    Problem::usage(format!("cannot read {path} for {what}"))
                        .because(e)
                        .next("check the path")
                })?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| Problem::usage(format!("{path} for {what} is not UTF-8")).next("check the file"))?;
                let text = without_line_end(&text);
                if text.is_empty() {
                    return Err(Problem::usage(format!("{path} for {what} is empty")).next("check the file"));
                }
                Ok(text.to_owned())
            }
            Value::Command(words) => {
                let text = around.command(words)?;
                Ok(without_line_end(&text).to_owned())
            }
        }
    }

    /// Reads what a YAML file says; the error is a reason that repeats nothing.
    pub(super) fn of(node: &Node) -> std::result::Result<Value, &'static str> {
        const FORM: &str = "a value is a text, {env: NAME}, {file: PATH} or {command: [PROGRAM, ARG, …]}";
        match &node.data {
            Data::Text { text, .. } => Ok(Value::Text(text.clone())),
            Data::List(_) => Err(FORM),
            Data::Map(map) => {
                let [(key, value)] = map.as_slice() else {
                    return Err(FORM);
                };
                match (key.name.as_str(), value.text(), value.list()) {
                    ("env", Some(name), _) if !name.is_empty() => Ok(Value::Environment(name.to_owned())),
                    ("file", Some(path), _) if !path.is_empty() => Ok(Value::File(path.to_owned())),
                    ("command", _, Some(words)) if !words.is_empty() => {
                        let words: Option<Vec<String>> = words.iter().map(|w| w.text().map(str::to_owned)).collect();
                        words.map(Value::Command).ok_or(FORM)
                    }
                    _ => Err(FORM),
                }
            }
        }
    }
}

/// A text without the line break that an editor puts at its end.
pub(super) fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}
