//! Connections from the files of other tools. What cannot be translated is named; secrets are only handed on.

mod kaf;
mod kafkactl;
mod kcl;
mod rabbitmqadmin;
mod rpk;

use super::file;
use super::yaml::{self, Data, Key, Node};
use crate::model::{Problem, Result};

/// A check that another tool was told to leave out is not left out here without being asked for.
const INSECURE: &str = "certificates are checked; -X enable.ssl.certificate.verification=false switches that off";

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// kcat's `kcat.conf`: librdkafka's properties.
    Kcat,
    /// rpk's `rpk.yaml`.
    Rpk,
    /// kaf's `config`.
    Kaf,
    /// kafkactl's `config.yml`.
    Kafkactl,
    /// kcl's `config.toml`.
    Kcl,
    /// rabbitmqadmin's `rabbitmqadmin.conf`, of either version.
    Rabbitmqadmin,
}

/// One connection of another tool. Its properties hold secrets, so there is no `Debug`.
#[derive(Default)]
pub struct Imported {
    /// Its name there.
    pub name: String,
    /// The URL, without a password.
    pub broker: Option<String>,
    /// RabbitMQ's management API.
    pub management: Option<String>,
    /// The properties, secrets included.
    pub properties: Vec<(String, String)>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
}

impl Imported {
    fn new(name: &str) -> Imported {
        Imported {
            name: name.to_owned(),
            ..Imported::default()
        }
    }

    fn set(&mut self, key: &str, value: impl Into<String>) {
        self.properties.push((key.to_owned(), value.into()));
    }

    fn leave(&mut self, path: &str, why: &str) {
        self.left_out.push(format!("{path}: {why}"));
    }

    /// The security protocol that TLS and a login come to.
    fn protocol(&mut self, tls: bool, sasl: bool) {
        match (tls, sasl) {
            (true, true) => self.set("security.protocol", "SASL_SSL"),
            (true, false) => self.set("security.protocol", "SSL"),
            (false, true) => self.set("security.protocol", "SASL_PLAINTEXT"),
            (false, false) => {}
        }
    }
}

/// The mechanism that a tool writes in its own way.
fn mechanism(text: &str) -> Option<&'static str> {
    let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    match plain.to_ascii_uppercase().as_str() {
        "PLAIN" | "PLAINTEXT" => Some("PLAIN"),
        "SCRAMSHA256" => Some("SCRAM-SHA-256"),
        "SCRAMSHA512" => Some("SCRAM-SHA-512"),
        "OAUTHBEARER" | "OAUTH" => Some("OAUTHBEARER"),
        _ => None,
    }
}

/// Reads a file of another tool.
///
/// # Errors
/// A usage problem that names the file and the line, and repeats nothing of its text.
pub fn import(foreign: Foreign, path: &str, bytes: Vec<u8>) -> Result<Vec<Imported>> {
    if foreign == Foreign::Kcat {
        return kcat(path, bytes);
    }
    let text = String::from_utf8(bytes).map_err(|_| unreadable(path, 0, "it is not UTF-8"))?;
    if foreign == Foreign::Rabbitmqadmin {
        return rabbitmqadmin::import(&text).map_err(|line| unreadable(path, line, "it is not KEY = VALUE"));
    }
    let root = if foreign == Foreign::Kcl {
        Some(from_toml(&text).ok_or_else(|| unreadable(path, 0, "it is not TOML"))?)
    } else {
        yaml::read(&text).map_err(|bad| unreadable(path, bad.line, bad.why))?
    };
    let Some(root) = root else { return Ok(Vec::new()) };
    Ok(match foreign {
        Foreign::Rpk => rpk::import(&root),
        Foreign::Kaf => kaf::import(&root),
        Foreign::Kafkactl => kafkactl::import(&root),
        Foreign::Kcl => kcl::import(&root),
        Foreign::Kcat | Foreign::Rabbitmqadmin => Vec::new(),
    })
}

fn unreadable(path: &str, line: usize, why: &str) -> Problem {
    let place = if line > 0 {
        format!("{path}:{line}")
    } else {
        path.to_owned()
    };
    Problem::usage(format!("cannot read {place}"))
        .because(why)
        .next("check that it is the file of that tool")
}

fn kcat(path: &str, bytes: Vec<u8>) -> Result<Vec<Imported>> {
    let mut imported = Imported::new("kcat");
    for line in file::read(path, bytes)? {
        match line.key.as_str() {
            "bootstrap.servers" | "metadata.broker.list" => {
                imported.broker = Some(format!("kafka://{}", super::resolve::listeners(&line.value)));
            }
            key if super::properties::is_ours(key) => imported.leave(key, "the command sets it itself"),
            key => imported.set(key, line.value),
        }
    }
    Ok(vec![imported])
}

/// TOML as the same tree; its places are lost.
fn from_toml(text: &str) -> Option<Node> {
    fn plain(text: String) -> Data {
        Data::Text { text, plain: true }
    }
    fn node(value: toml::Value) -> Node {
        let data = match value {
            toml::Value::Table(table) => Data::Map(
                table
                    .into_iter()
                    .map(|(name, value)| {
                        let key = Key {
                            name,
                            line: 0,
                            offset: 0,
                            column: 0,
                        };
                        (key, node(value))
                    })
                    .collect(),
            ),
            toml::Value::Array(list) => Data::List(list.into_iter().map(node).collect()),
            toml::Value::String(text) => Data::Text { text, plain: false },
            toml::Value::Integer(number) => plain(number.to_string()),
            toml::Value::Float(number) => plain(number.to_string()),
            toml::Value::Boolean(is) => plain(is.to_string()),
            toml::Value::Datetime(time) => plain(time.to_string()),
        };
        Node {
            line: 0,
            offset: 0,
            data,
        }
    }
    text.parse::<toml::Table>()
        .ok()
        .map(|table| node(toml::Value::Table(table)))
}

/// The texts of a list, or one text that separates them by commas.
fn texts(node: Option<&Node>) -> Vec<String> {
    let one = |text: &str| {
        text.split(',')
            .map(|t| t.trim().to_owned())
            .filter(|t| !t.is_empty())
            .collect()
    };
    match node {
        None => Vec::new(),
        Some(node) => match (node.list(), node.text()) {
            (Some(list), _) => list.iter().filter_map(|n| n.text().map(str::to_owned)).collect(),
            (None, Some(text)) if !node.is_null() => one(text),
            (None, _) => Vec::new(),
        },
    }
}

fn brokers(hosts: &[String]) -> Option<String> {
    (!hosts.is_empty()).then(|| format!("kafka://{}", hosts.join(",")))
}

fn is_true(node: &Node, name: &str) -> bool {
    node.text_of(name).is_some_and(|v| v.eq_ignore_ascii_case("true"))
}

/// Names every key of a mapping that was not read.
fn rest(imported: &mut Imported, node: &Node, path: &str, read: &[&str]) {
    for (key, value) in node.map().unwrap_or_default() {
        let is_empty = value.is_null()
            || value.text().is_some_and(|t| t.is_empty() || t == "false")
            || value.list().is_some_and(<[Node]>::is_empty);
        if !read.contains(&key.name.as_str()) && !is_empty {
            imported.leave(&format!("{path}{}", key.name), "it has no counterpart here");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(foreign: Foreign, text: &str) -> Vec<String> {
        let all = import(foreign, "f", text.as_bytes().to_vec()).unwrap();
        let mut out = Vec::new();
        for one in all {
            out.push(format!("{} {}", one.name, one.broker.unwrap_or_default()));
            out.extend(one.management);
            out.extend(one.properties.iter().map(|(k, v)| format!("{k}={v}")));
            out.extend(one.left_out.iter().map(|l| format!("left: {l}")));
        }
        out
    }

    #[test]
    fn each_tool() {
        assert_eq!(
            shown(Foreign::Kcat, "# c\nbootstrap.servers=h:1\nsasl.password=p\nacks=0\n"),
            [
                "kcat kafka://h:1",
                "sasl.password=p",
                "left: acks: the command sets it itself"
            ]
        );
        let rpk = "version: 4\ncurrent_profile: p\nprofiles:\n  - name: p\n    kafka_api:\n      brokers: [a:1, b:2]\n      tls: {ca_file: ca.pem}\n      sasl: {user: u, password: '1', mechanism: SCRAM-SHA-256}\n    admin_api: {addresses: [x:1]}\n";
        assert_eq!(
            shown(Foreign::Rpk, rpk),
            [
                "p kafka://a:1,b:2",
                "ssl.ca.location=ca.pem",
                "sasl.mechanism=SCRAM-SHA-256",
                "sasl.username=u",
                "sasl.password=1",
                "security.protocol=SASL_SSL",
                "left: admin_api: it has no counterpart here",
            ]
        );
        let kaf = "current-cluster: l\nclusters:\n- name: l\n  brokers: ['h:1']\n  SASL: {mechanism: PLAIN, username: u, password: p}\n  TLS: null\n  security-protocol: SASL_SSL\n  version: ''\n";
        assert_eq!(
            shown(Foreign::Kaf, kaf),
            [
                "l kafka://h:1",
                "sasl.mechanism=PLAIN",
                "sasl.username=u",
                "sasl.password=p",
                "security.protocol=SASL_SSL"
            ]
        );
        let kafkactl = "contexts:\n  default:\n    brokers: [h:1]\n    tls: {enabled: true, ca: ca.pem, insecure: true}\n    sasl: {enabled: true, username: u, password: p, mechanism: scram-sha512}\n    requestTimeout: 10s\ncurrent-context: default\n";
        assert_eq!(
            shown(Foreign::Kafkactl, kafkactl),
            [
                "default kafka://h:1",
                "ssl.ca.location=ca.pem",
                "sasl.mechanism=SCRAM-SHA-512",
                "sasl.username=u",
                "sasl.password=p",
                "security.protocol=SASL_SSL",
                "left: tls.insecure: certificates are checked; -X enable.ssl.certificate.verification=false switches that off",
                "left: requestTimeout: it has no counterpart here",
            ]
        );
        let kcl = "seed_brokers = [\"h:1\"]\ntls_ca_cert_path = \"ca.pem\"\nsasl_method = \"plain\"\nsasl_user = \"u\"\nsasl_pass = \"p\"\n";
        assert_eq!(
            shown(Foreign::Kcl, kcl),
            [
                "kcl kafka://h:1",
                "ssl.ca.location=ca.pem",
                "sasl.mechanism=PLAIN",
                "sasl.username=u",
                "sasl.password=p",
                "security.protocol=SASL_SSL",
            ]
        );
        let admin = "[node]\nhostname = h\nport = 15671\nusername = u\npassword = p%x\nssl = True\ndeclare_vhost = /v\n[b]\nhostname = \"i\"\nbase_uri = x\n";
        assert_eq!(
            shown(Foreign::Rabbitmqadmin, admin),
            [
                "node amqps://u@h/%2Fv",
                "https://h:15671",
                "sasl.password=p%x",
                "b amqp://i",
                "http://i:15672",
                "left: base_uri: it has no counterpart here",
            ]
        );
    }

    #[test]
    fn a_file_of_something_else_is_told_by_its_line_alone() {
        for (foreign, text) in [
            (Foreign::Rpk, "a: [hunter2\n"),
            (Foreign::Kcl, "pass = hunter2\n"),
            (Foreign::Rabbitmqadmin, "[a]\nhunter2\n"),
            (Foreign::Kcat, "sasl.mechanisms=PLAIN\nhunter2\n"),
        ] {
            let problem = import(foreign, "f", text.as_bytes().to_vec()).err().unwrap();
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        }
    }
}
