//! One grammar that names a broker of any kind.

use crate::model::{Problem, Result};
use std::fmt;

/// A broker as the user named it, without secrets: a password never gets in here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerUrl {
    /// `kafka://h1:9092,h2:9092`, or the bare host list.
    Kafka {
        /// `host:port`, sorted, so that one cluster has one name however it is written.
        hosts: Vec<String>,
    },
    /// `amqp://user@host:5672/vhost` or `amqps://…` (RabbitMQ URI specification).
    Amqp {
        /// Whether the connection is TLS from its first byte.
        tls: bool,
        /// The user in the URL, decoded.
        user: Option<String>,
        /// `host:port`, sorted; more than one are nodes of one cluster.
        hosts: Vec<String>,
        /// The virtual host, decoded; `/` when the URL names none.
        vhost: String,
    },
    /// `rocketmq://ns1:9876,ns2:9876`: name servers.
    RocketMq {
        /// `host:port`, sorted.
        hosts: Vec<String>,
    },
}

/// The kind of broker that a URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BrokerKind {
    /// Apache Kafka and what speaks its protocol.
    Kafka,
    /// RabbitMQ, by AMQP 0-9-1.
    RabbitMq,
    /// Apache RocketMQ, by its remoting protocol.
    RocketMq,
}

impl BrokerKind {
    /// Its name as people write it.
    pub const fn name(self) -> &'static str {
        match self {
            BrokerKind::Kafka => "Kafka",
            BrokerKind::RabbitMq => "RabbitMQ",
            BrokerKind::RocketMq => "RocketMQ",
        }
    }
}

impl BrokerUrl {
    /// Reads a broker URL that may not hold a password, as on a command line.
    ///
    /// # Errors
    /// A usage problem that never repeats a password.
    pub fn parse(text: &str) -> Result<BrokerUrl> {
        match BrokerUrl::parse_with_password(text)? {
            (url, None) => Ok(url),
            (_, Some(_)) => Err(Problem::usage(
                "the broker URL holds a password, where every user of this machine can read it",
            )
            .next(
                "leave it out and give it with -X sasl.password=@FILE, -X sasl.password=env:NAME, -F FILE or a context",
            )),
        }
    }

    /// Reads a broker URL from a place that may hold secrets: the environment or the user's own configuration.
    ///
    /// # Errors
    /// A usage problem that never repeats a password.
    pub fn parse_with_password(text: &str) -> Result<(BrokerUrl, Option<String>)> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("kafka", text));
        let (user, password, rest) = userinfo(rest)?;
        let plain = |broker: &str| match (&user, &password) {
            (None, None) => Ok(()),
            (_, _) => Err(
                Problem::usage(format!("a broker URL for {broker} holds no user or password"))
                    .next("give them with -X, -F FILE or a context"),
            ),
        };
        let url = match scheme {
            "kafka" => {
                plain("Kafka")?;
                BrokerUrl::Kafka {
                    hosts: hosts(rest, 9092)?,
                }
            }
            "amqp" | "amqps" => {
                let tls = scheme == "amqps";
                let (list, vhost) = match rest.split_once('/') {
                    None => (rest, "/".to_owned()),
                    Some((list, "")) => (list, "/".to_owned()),
                    Some((list, vhost)) => (list, decoded(vhost)?),
                };
                if vhost.contains('?') {
                    return Err(Problem::usage("a broker URL takes no ?parameters here")
                        .next("give settings with -X KEY=VALUE"));
                }
                BrokerUrl::Amqp {
                    tls,
                    user,
                    hosts: hosts(list, if tls { 5671 } else { 5672 })?,
                    vhost,
                }
            }
            "rocketmq" => {
                plain("RocketMQ")?;
                BrokerUrl::RocketMq {
                    hosts: hosts(rest, 9876)?,
                }
            }
            other => {
                // What stands before :// in a URL that was written wrongly may be a part of a password.
                let is_word = other.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
                let what = match is_word {
                    true => format!("no broker speaks {other}://"),
                    false => "the broker URL cannot be read".to_owned(),
                };
                return Err(Problem::usage(what).next(
                    "use kafka://HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT",
                ));
            }
        };
        Ok((url, password))
    }

    /// The kind of broker.
    pub const fn kind(&self) -> BrokerKind {
        match self {
            BrokerUrl::Kafka { .. } => BrokerKind::Kafka,
            BrokerUrl::Amqp { .. } => BrokerKind::RabbitMq,
            BrokerUrl::RocketMq { .. } => BrokerKind::RocketMq,
        }
    }

    /// `host:port` of each server that is named, an IPv6 address in brackets.
    pub fn hosts(&self) -> &[String] {
        match self {
            BrokerUrl::Kafka { hosts } | BrokerUrl::Amqp { hosts, .. } | BrokerUrl::RocketMq { hosts } => hosts,
        }
    }

    /// The list that a Kafka client calls `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        self.hosts().join(",")
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.hosts().join(",");
        match self {
            BrokerUrl::Kafka { .. } => write!(f, "kafka://{hosts}"),
            BrokerUrl::RocketMq { .. } => write!(f, "rocketmq://{hosts}"),
            BrokerUrl::Amqp { tls, user, vhost, .. } => {
                f.write_str(if *tls { "amqps://" } else { "amqp://" })?;
                if let Some(user) = user {
                    write!(f, "{}@", encoded(user))?;
                }
                f.write_str(&hosts)?;
                if vhost == "/" {
                    Ok(())
                } else {
                    write!(f, "/{}", encoded(vhost))
                }
            }
        }
    }
}

/// `user:password@rest`, decoded; the last `@` before the first `/` ends it, as browsers read it.
fn userinfo(rest: &str) -> Result<(Option<String>, Option<String>, &str)> {
    let authority = rest.find('/').map_or(rest, |end| &rest[..end]);
    let Some(at) = authority.rfind('@') else {
        // A slash in a password hides its `@`; nothing of that may be repeated as a virtual host.
        return if rest.contains('@') {
            Err(Problem::usage("the broker URL cannot be read").next("write a `/` or `@` in a name as %2F or %40"))
        } else {
            Ok((None, None, rest))
        };
    };
    let (user, password) = match authority[..at].split_once(':') {
        Some((user, password)) => (user, Some(decoded(password)?)),
        None => (&authority[..at], None),
    };
    Ok((Some(decoded(user)?), password, &rest[at + 1..]))
}

/// Percent-decoding (RFC 3986). An error does not repeat the text: it may be a password.
fn decoded(text: &str) -> Result<String> {
    let bad =
        || Problem::usage("the broker URL has a % that is not followed by two hexadecimal digits, or is not UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|d| char::from(d).to_digit(16)).ok_or_else(bad);
        bytes.push((digit()? * 16 + digit()?) as u8);
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

/// The reverse of [`decoded`], for names that are shown and stored.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A comma-separated list of `host`, `host:port`, `[v6]` and `[v6]:port`, each with its port, sorted and without repeats.
fn hosts(list: &str, default_port: u16) -> Result<Vec<String>> {
    let list = list.strip_suffix('/').unwrap_or(list);
    let mut hosts = Vec::new();
    for (n, one) in list.split(',').map(str::trim).enumerate() {
        // The text itself is not repeated: in a URL that was written wrongly a password may stand there.
        let bad = |why: &str| {
            Problem::usage(format!("server {} of the broker URL is not HOST:PORT", n + 1))
                .because(why)
                .next("write -b kafka://HOST:9092,HOST:9092")
        };
        let (host, port) = match one.strip_prefix('[') {
            Some(v6) => {
                let (host, after) = v6.split_once(']').ok_or_else(|| bad("the bracket is not closed"))?;
                if !after.is_empty() && !after.starts_with(':') {
                    return Err(bad("after the bracket stands :PORT, or nothing"));
                }
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
            "", "a:b", "a:0", "a:70000", "::1", "[::1", "[::1]x:5", "http://a", "a,,b", "a b:1", "a/b",
        ] {
            let problem = BrokerUrl::parse(bad).unwrap_err();
            assert!(problem.next.is_some(), "{bad}");
        }
        for url in [
            "kafka://u:hunter2@h:1",
            "amqp://u:hunter2@h",
            "amqp://u:hunter2/x@h/v",
            "amqps://u:hunter2%zz@h",
            "rocketmq://u:hunter2@h:1",
            "ftp://u:hunter2@h",
            "amqp://u:hunter2%40h",
            "amqp://u:hunter2/x",
            "kafka://h:1?password=hunter2",
            "u:hunter2://x@h",
        ] {
            let problem = BrokerUrl::parse(url).unwrap_err();
            assert!(!format!("{problem:?}").contains("hunter2"), "{url}");
        }
    }

    #[test]
    fn every_broker_has_its_grammar() {
        for (text, shown) in [
            ("amqp://guest@h/", "amqp://guest@h:5672"),
            ("amqps://h/a%2Fb", "amqps://h:5671/a%2Fb"),
            ("amqp://a%40b@h2,h1:7/v", "amqp://a%40b@h1:7,h2:5672/v"),
            ("rocketmq://b,a:1", "rocketmq://a:1,b:9876"),
        ] {
            let url = BrokerUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(BrokerUrl::parse(shown), Ok(url));
        }
        let (url, password) = BrokerUrl::parse_with_password("amqp://u:p%3A%2F@h/%2F").unwrap();
        assert_eq!(password.as_deref(), Some("p:/"));
        assert_eq!(url.to_string(), "amqp://u@h:5672");
    }
}
