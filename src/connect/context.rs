//! Contexts: named connections in the user's own configuration.
//!
//! ```yaml
//! current: prod
//! contexts:
//!   prod:
//!     broker: kafka://kafka-1.example.com:9093,kafka-2.example.com:9093
//!     properties:
//!       security.protocol: SASL_SSL
//!       sasl.mechanism: SCRAM-SHA-512
//!       sasl.username: mqsafe
//!       sasl.password: {env: KAFKA_PASSWORD}      # or {file: PATH}, or {command: [PROGRAM, ARG]}
//!   rabbit:
//!     broker: amqps://mqsafe@rabbit.example.com
//!     management: https://rabbit.example.com:15671
//!     password: {file: secrets/rabbit}             # sasl.password; secret.key for RocketMQ
//!   java:
//!     config_file: /etc/kafka/client.properties    # as -F
//! ```
//!
//! Relative paths begin at the directory of the file.

use super::properties::is_secret;
use super::secret::Value;
use super::yaml::{self, Data, Key, Node};
use crate::model::{Problem, Result};

/// The user's contexts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contexts {
    /// The one that counts when none is named.
    pub current: Option<String>,
    /// All of them, in the order of the file.
    pub all: Vec<Context>,
}

/// One context.
#[derive(Clone, PartialEq, Eq)]
pub struct Context {
    /// Its name.
    pub name: String,
    /// The broker's URL; it may hold a password, so it does not show in `Debug`.
    pub broker: Option<String>,
    /// RabbitMQ's management API.
    pub management: Option<String>,
    /// A file as `-F` names one.
    pub config_file: Option<String>,
    /// `username:` and `password:`, whose property depends on the broker.
    pub username: Option<Value>,
    /// See `username`.
    pub password: Option<Value>,
    /// The properties in their order.
    pub properties: Vec<(String, Value)>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What is told of the file beside its text.
pub struct ContextFile<'a> {
    /// Its path, for a person.
    pub path: &'a str,
    /// Its directory, where relative paths begin.
    pub dir: &'a str,
    /// Whether nobody else may read it, so that a secret may stand in it.
    pub is_private: bool,
}

impl Contexts {
    /// Reads the file. Its words are checked one by one: a slip is an error and not a setting that does nothing.
    ///
    /// # Errors
    /// A usage problem that names the file and the line, and repeats no value.
    pub fn parse(text: &str, file: &ContextFile<'_>) -> Result<Contexts> {
        let reader = Reader { file };
        let root = yaml::read(text).map_err(|bad| reader.bad(bad.line, bad.why))?;
        let Some(root) = root else {
            return Ok(Contexts::default());
        };
        let mut contexts = Contexts::default();
        for (key, node) in reader.map(&root, "the file")? {
            match key.name.as_str() {
                "current" if node.is_null() => {}
                "current" => contexts.current = Some(reader.text(key, node)?),
                "contexts" if node.is_null() => {}
                "contexts" => {
                    for (name, node) in reader.map(node, "contexts")? {
                        contexts.all.push(reader.context(name, node)?);
                    }
                }
                _ => return Err(reader.unknown(key, "current and contexts")),
            }
        }
        Ok(contexts)
    }

    /// The context of a name.
    ///
    /// # Errors
    /// A usage problem that names those that there are.
    pub fn get(&self, name: &str) -> Result<&Context> {
        self.all.iter().find(|c| c.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.all.iter().map(|c| c.name.as_str()).collect();
            let next = if names.is_empty() {
                "write one into ~/.config/mqsafe/config.yaml, or run `mqsafe context import`".to_owned()
            } else {
                format!("there are {}", names.join(", "))
            };
            Problem::usage(format!("there is no context {name}")).next(next)
        })
    }
}

struct Reader<'a> {
    file: &'a ContextFile<'a>,
}

impl Reader<'_> {
    fn bad(&self, line: usize, why: &str) -> Problem {
        Problem::usage(format!("cannot read {}:{line}", self.file.path))
            .because(why)
            .next("correct that line; `mqsafe context --help` shows the form")
    }

    fn unknown(&self, key: &Key, known: &str) -> Problem {
        // A key may be a slip of the pen, but it is no value.
        self.bad(key.line, &format!("{:?} is no word here; there are {known}", key.name))
    }

    fn map<'n>(&self, node: &'n Node, what: &str) -> Result<&'n [(Key, Node)]> {
        node.map()
            .ok_or_else(|| self.bad(node.line, &format!("{what} must hold KEY: VALUE lines")))
    }

    fn text(&self, key: &Key, node: &Node) -> Result<String> {
        match node.text() {
            Some(text) if !node.is_null() => Ok(text.to_owned()),
            _ => Err(self.bad(key.line, &format!("{} must be a text", key.name))),
        }
    }

    fn path(&self, path: String) -> String {
        let absolute = path.starts_with('/') || path.starts_with("~/");
        if absolute {
            path
        } else {
            format!("{}/{path}", self.file.dir)
        }
    }

    /// The value of a property. Only a file that nobody else can read may hold a secret itself.
    fn value(&self, property: &str, node: &Node) -> Result<Value> {
        match Value::of(node).map_err(|why| self.bad(node.line, why))? {
            Value::File(path) => Ok(Value::File(self.path(path))),
            Value::Text(_) if is_secret(property) && !self.file.is_private => Err(Problem::usage(format!(
                "{}:{} holds a secret, and others may read the file",
                self.file.path, node.line
            ))
            .next(format!(
                "run chmod 600 {}, or write {{env: NAME}}, {{file: PATH}} or {{command: [PROGRAM]}}",
                self.file.path
            ))),
            other => Ok(other),
        }
    }

    fn context(&self, name: &Key, node: &Node) -> Result<Context> {
        let mut context = Context {
            name: name.name.clone(),
            broker: None,
            management: None,
            config_file: None,
            username: None,
            password: None,
            properties: Vec::new(),
        };
        for (key, node) in self.map(node, "a context")? {
            match key.name.as_str() {
                "broker" => {
                    let url = self.text(key, node)?;
                    if has_password(&url) && !self.file.is_private {
                        return Err(self.bad(key.line, "the URL holds a password, and others may read the file"));
                    }
                    context.broker = Some(url);
                }
                "management" => context.management = Some(self.text(key, node)?),
                "config_file" => context.config_file = Some(self.path(self.text(key, node)?)),
                "username" => context.username = Some(self.value("username", node)?),
                "password" => context.password = Some(self.value("password", node)?),
                "properties" if node.is_null() => {}
                "properties" => {
                    for (property, node) in self.map(node, "properties")? {
                        let null = matches!(node.data, Data::Text { .. }) && node.is_null();
                        if null {
                            return Err(self.bad(property.line, &format!("{} has no value", property.name)));
                        }
                        let value = self.value(&property.name, node)?;
                        context.properties.push((property.name.clone(), value));
                    }
                }
                _ => {
                    return Err(self.unknown(
                        key,
                        "broker, management, config_file, username, password and properties",
                    ));
                }
            }
        }
        Ok(context)
    }
}

/// Whether a URL holds `USER:PASSWORD@`.
fn has_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.rfind('@').is_some_and(|at| rest[..at].contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, is_private: bool) -> Result<Contexts> {
        let file = ContextFile {
            path: "config.yaml",
            dir: "/home/u",
            is_private,
        };
        Contexts::parse(text, &file)
    }

    #[test]
    fn a_file_with_every_word() {
        let text = "current: a\ncontexts:\n  a:\n    broker: h:1\n    management: http://h:15672\n    config_file: c.properties\n    \
                    username: u\n    password: {command: [pass, show]}\n    properties:\n      linger.ms: 020\n      x: {file: s}\n  b: {broker: 'h:2'}\n";
        let contexts = parse(text, false).unwrap();
        assert_eq!(contexts.current.as_deref(), Some("a"));
        let a = contexts.get("a").unwrap();
        assert_eq!(a.config_file.as_deref(), Some("/home/u/c.properties"));
        assert_eq!(
            a.password,
            Some(Value::Command(vec!["pass".to_owned(), "show".to_owned()]))
        );
        assert_eq!(a.properties[0].1, Value::Text("020".to_owned()));
        assert_eq!(a.properties[1].1, Value::File("/home/u/s".to_owned()));
        assert_eq!(contexts.get("b").unwrap().broker.as_deref(), Some("h:2"));
        assert_eq!(contexts.get("c").unwrap_err().next.as_deref(), Some("there are a, b"));
        assert_eq!(parse("", true), Ok(Contexts::default()));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line_and_never_by_its_value() {
        for (text, line) in [
            ("contexts: hunter2\n", ":1"),
            ("contexts:\n  a: hunter2\n", ":2"),
            ("contexts:\n  a:\n    passwrd: hunter2\n", ":3"),
            ("contexts:\n  a:\n    password: [hunter2]\n", ":3"),
            ("contexts:\n  a:\n    password: {value: hunter2}\n", ":3"),
            ("contexts:\n  a:\n    password: {env: [hunter2]}\n", ":3"),
            ("contexts:\n  a:\n    password: \"hunter2\n", ""),
            ("contexts:\n  a:\n    properties: hunter2\n", ":3"),
            ("contexts:\n  a:\n    broker: {url: hunter2}\n", ":3"),
        ] {
            let problem = parse(text, true).unwrap_err();
            let said = format!("{problem:?}");
            assert!(said.contains(line) && !said.contains("hunter2"), "{text}: {said}");
        }
    }

    #[test]
    fn a_secret_stands_only_where_nobody_else_reads() {
        for text in [
            "contexts:\n  a:\n    password: hunter2\n",
            "contexts:\n  a:\n    properties: {sasl.jaas.config: hunter2}\n",
            "contexts:\n  a:\n    broker: amqp://u:hunter2@h\n",
        ] {
            let problem = parse(text, false).unwrap_err();
            assert!(!format!("{problem:?}").contains("hunter2"));
            let contexts = parse(text, true).unwrap();
            assert!(!format!("{contexts:?}").contains("hunter2"));
        }
    }
}
