//! One grammar that names a broker of any kind.

use crate::model::{Problem, Result};
use std::fmt;

/// A broker as the user named it, without secrets: a password in a URL is refused before this exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerUrl {
    /// `kafka://h1:9092,h2:9092`, or the bare host list.
    Kafka {
        /// `host:port`, sorted, so that one cluster has one name however it is written.
        hosts: Vec<String>,
    },
}

impl BrokerUrl {
    /// Reads a `-b` argument.
    ///
    /// # Errors
    /// A usage problem that never repeats a password.
    pub fn parse(text: &str) -> Result<BrokerUrl> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("kafka", text));
        if rest.contains('@') {
            return Err(Problem::usage("a broker URL for Kafka holds no user or password")
                .next("give them with -X sasl.username=NAME and -X sasl.password=@FILE"));
        }
        match scheme {
            "kafka" => Ok(BrokerUrl::Kafka {
                hosts: hosts(rest, 9092)?,
            }),
            "amqp" | "amqps" => Err(not_yet("RabbitMQ", scheme)),
            "rocketmq" => Err(not_yet("RocketMQ", scheme)),
            other => Err(Problem::usage(format!("no broker speaks {other}://"))
                .next("use kafka://HOST:PORT, or a bare HOST:PORT for Kafka")),
        }
    }

    /// The list that a Kafka client calls `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        match self {
            BrokerUrl::Kafka { hosts } => hosts.join(","),
        }
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BrokerUrl::Kafka { hosts } => write!(f, "kafka://{}", hosts.join(",")),
        }
    }
}

fn not_yet(broker: &str, scheme: &str) -> Problem {
    Problem::usage(format!("this version does not talk to {broker} ({scheme}://) yet"))
        .next("its configuration files can be checked with `mqsafe audit`")
}

/// A comma-separated list of `host`, `host:port`, `[v6]` and `[v6]:port`, each with its port, sorted and without repeats.
fn hosts(list: &str, default_port: u16) -> Result<Vec<String>> {
    let list = list.strip_suffix('/').unwrap_or(list);
    let mut hosts = Vec::new();
    for one in list.split(',').map(str::trim) {
        let bad = |why: &str| {
            Problem::usage(format!("{one:?} is not HOST:PORT"))
                .because(why)
                .next("write -b kafka://HOST:9092,HOST:9092")
        };
        let (host, port) = match one.strip_prefix('[') {
            Some(v6) => {
                let (host, after) = v6.split_once(']').ok_or_else(|| bad("the bracket is not closed"))?;
                (format!("[{host}]"), after.strip_prefix(':'))
            }
            None if one.matches(':').count() > 1 => return Err(bad("an IPv6 address stands in brackets")),
            None => match one.split_once(':') {
                Some((host, port)) => (host.to_owned(), Some(port)),
                None => (one.to_owned(), None),
            },
        };
        if host.is_empty() || host == "[]" {
            return Err(bad("there is no host"));
        }
        if !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._[]:%".contains(c)) {
            return Err(bad("a host name holds letters, digits, dots and dashes"));
        }
        let port = match port {
            Some(port) => port
                .parse::<u16>()
                .ok()
                .filter(|p| *p > 0)
                .ok_or_else(|| bad("the port is not 1 to 65535"))?,
            None => default_port,
        };
        hosts.push(format!("{host}:{port}"));
    }
    hosts.sort();
    hosts.dedup();
    Ok(hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cluster_has_one_name() {
        let kafka = |text: &str| BrokerUrl::parse(text).map(|u| u.to_string());
        assert_eq!(kafka("kafka://b:9093,a").as_deref(), Ok("kafka://a:9092,b:9093"));
        assert_eq!(kafka("a:9092, b:9093,a:9092"), kafka("kafka://b:9093,a:9092/"));
        assert_eq!(kafka("[::1]:9092").as_deref(), Ok("kafka://[::1]:9092"));
    }

    #[test]
    fn rubbish_is_named_and_secrets_are_not() {
        for bad in [
            "", "a:b", "a:0", "a:70000", "::1", "[::1", "http://a", "a,,b", "a b:1", "a/b",
        ] {
            let problem = BrokerUrl::parse(bad).unwrap_err();
            assert!(problem.next.is_some(), "{bad}");
        }
        let problem = BrokerUrl::parse("kafka://u:hunter2@h:1").unwrap_err();
        assert!(!format!("{problem:?}").contains("hunter2"));
    }
}
