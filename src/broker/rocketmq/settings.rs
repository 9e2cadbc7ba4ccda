//! What a connection to RocketMQ is made from: name servers, TLS, the access key, the deadlines.

use crate::connect::{ClientProperties, Connection, TLS_PROPERTIES, client_config};
use crate::model::{Problem, Result};
use rustls::ClientConfig;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may stay silent before it is asked whether it lives; also how long that question may take.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// The group as which mqadmin reads (`MixAll.TOOLS_CONSUMER_GROUP`): brokers know it. Access control may want another.
const GROUP: &str = "TOOLS_CONSUMER";
/// How long a connection may take to be there.
const CONNECT: Duration = Duration::from_secs(5);

/// One topic of one cluster, with what is needed to connect.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// The cluster as the user named it.
    pub(super) broker: String,
    /// `host:port` of each name server.
    pub(super) name_servers: Vec<String>,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) credentials: Option<Credentials>,
    pub(super) heartbeat: Duration,
    pub(super) connect: Duration,
    /// The consumer group as which queues are read; nothing is committed for it.
    pub(super) group: String,
}

/// The access key and its secret. The secret never shows in `Debug`.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) access_key: String,
    pub(super) secret_key: String,
    pub(super) security_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// # Errors
    /// A usage problem that names the property which cannot be used.
    pub(super) fn new(connection: &Connection) -> Result<Settings> {
        let properties = &connection.properties;
        for (key, _) in properties.iter() {
            let known = [
                "access.key",
                "secret.key",
                "security.token",
                "tls.enable",
                "heartbeat.interval.ms",
                "socket.connection.setup.timeout.ms",
                "consumer.group",
            ];
            if !known.contains(&key) && !TLS_PROPERTIES.contains(&key) {
                return Err(Problem::usage(format!("RocketMQ has no property {key}"))
                    .next(format!("leave it out; there are {} and ssl.*", known.join(", "))));
            }
        }
        let tls = match properties.get("tls.enable").unwrap_or("false") {
            "true" => Some(client_config(properties)?),
            "false" => {
                if let Some((key, _)) = properties.iter().find(|(key, _)| key.starts_with("ssl.")) {
                    return Err(Problem::usage(format!("{key} is given, but TLS is not switched on"))
                        .next("add -X tls.enable=true"));
                }
                None
            }
            _ => return Err(Problem::usage("tls.enable is neither true nor false").next("write -X tls.enable=true")),
        };
        Ok(Settings {
            broker: connection.url.to_string(),
            name_servers: connection.url.hosts().to_vec(),
            tls,
            credentials: credentials(properties)?,
            heartbeat: milliseconds(properties, "heartbeat.interval.ms")?.unwrap_or(HEARTBEAT),
            group: properties.get("consumer.group").unwrap_or(GROUP).to_owned(),
            connect: milliseconds(properties, "socket.connection.setup.timeout.ms")?.unwrap_or(CONNECT),
        })
    }
}

fn credentials(properties: &ClientProperties) -> Result<Option<Credentials>> {
    let given = |key: &str| properties.get(key).map(str::to_owned);
    match (given("access.key"), given("secret.key"), given("security.token")) {
        (Some(access_key), Some(secret_key), security_token) => {
            if access_key.is_empty() || secret_key.is_empty() {
                return Err(Problem::usage("access.key or secret.key is empty").next("give both, or neither"));
            }
            Ok(Some(Credentials {
                access_key,
                secret_key,
                security_token,
            }))
        }
        (None, None, None) => Ok(None),
        (Some(_), None, _) => Err(Problem::usage("access.key is given without secret.key")
            .next("give it with -X secret.key=@FILE or -X secret.key=env:NAME")),
        (None, Some(_), _) => {
            Err(Problem::usage("secret.key is given without access.key").next("add -X access.key=NAME"))
        }
        (None, None, Some(_)) => Err(
            Problem::usage("security.token is given without access.key and secret.key").next("give all three, or none"),
        ),
    }
}

fn milliseconds(properties: &ClientProperties, key: &str) -> Result<Option<Duration>> {
    let Some(text) = properties.get(key) else {
        return Ok(None);
    };
    match text.parse::<u64>() {
        Ok(ms) if (100..=3_600_000).contains(&ms) => Ok(Some(Duration::from_millis(ms))),
        Ok(_) | Err(_) => Err(
            Problem::usage(format!("{key} is not a number of milliseconds from 100 to 3600000"))
                .next(format!("write -X {key}=10000")),
        ),
    }
}

/// Whether this can be the name of a topic (`TopicValidator`: 1 to 127 of these characters).
///
/// # Errors
/// A usage problem: it can only be a mistake.
pub(super) fn checked_topic(topic: &str) -> Result<String> {
    let legal =
        (1..=127).contains(&topic.len()) && topic.chars().all(|c| c.is_ascii_alphanumeric() || "%|_-".contains(c));
    if legal {
        return Ok(topic.to_owned());
    }
    Err(Problem::usage(format!("{topic:?} cannot be a RocketMQ topic"))
        .because("a topic name has 1 to 127 letters, digits, dashes, underscores, % and |")
        .next("check -t"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::BrokerUrl;

    fn settings(given: &[&str]) -> Result<Settings> {
        let given: Vec<String> = given.iter().map(|g| (*g).to_owned()).collect();
        let secret = |_: &str| Some("hunter2".to_owned());
        Settings::new(&Connection {
            url: BrokerUrl::parse("rocketmq://h")?,
            properties: ClientProperties::parse(&given, |_| Ok(String::new()), secret)?,
            management: None,
        })
    }

    #[test]
    fn what_cannot_be_used_is_named_and_secrets_are_not() {
        for (given, named) in [
            (&["linger.ms=5"][..], "linger.ms"),
            (&["access.key=a"], "secret.key"),
            (&["ssl.ca.location=x"], "tls.enable"),
            (&["heartbeat.interval.ms=0"], "heartbeat.interval.ms"),
            (&["tls.enable=yes"], "tls.enable"),
            (&["security.token=env:T"], "access.key"),
        ] {
            let problem = settings(given).unwrap_err();
            assert!(format!("{problem:?}").contains(named), "{problem:?}");
        }
        let credentials = settings(&["access.key=ak", "security.token=env:T"]);
        assert!(credentials.is_err());
    }

    #[test]
    fn secrets_never_show() {
        let credentials = Credentials {
            access_key: "ak".to_owned(),
            secret_key: "hunter2".to_owned(),
            security_token: Some("hunter3".to_owned()),
        };
        let shown = format!("{credentials:?}");
        assert!(shown.contains("ak") && !shown.contains("hunter"), "{shown}");
    }

    #[test]
    fn topics_are_checked_as_the_broker_does() {
        for good in ["a", "%RETRY%g", "a-b_c|1"] {
            assert!(checked_topic(good).is_ok());
        }
        for bad in ["", "a/b", "a.b", "ä", "a b"] {
            assert!(checked_topic(bad).is_err());
        }
    }
}
