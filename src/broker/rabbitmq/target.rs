//! What is known about a broker before it is connected to: addresses, who we are, how long to wait.

use crate::connect::{BrokerUrl, Connection, TLS_PROPERTIES, client_config};
use crate::model::{Problem, Result};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How often both sides prove that they live; RabbitMQ's guide to heartbeats calls 5 to 20 s right for most.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long one server may take from the look-up of its name to the open virtual host.
const SETUP: Duration = Duration::from_secs(10);
/// AMQP carries names of exchanges, queues and keys in short strings (AMQP 0-9-1, 4.2.5.3).
pub(super) const SHORT_BYTES: usize = 255;

/// How the broker is told who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mechanism {
    Plain,
    AmqPlain,
    External,
}

impl Mechanism {
    /// Its name on the wire.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::AmqPlain => "AMQPLAIN",
            Mechanism::External => "EXTERNAL",
        }
    }
}

/// A broker, and everything that is needed to log in. The password never shows in `Debug`.
#[derive(Clone)]
pub(super) struct Target {
    /// The broker as the user named it.
    pub(super) broker: String,
    pub(super) hosts: Vec<String>,
    pub(super) vhost: String,
    pub(super) mechanism: Mechanism,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) heartbeat: Duration,
    pub(super) setup: Duration,
    pub(super) tls: Option<Arc<rustls::ClientConfig>>,
    /// The management API, and what its TLS is made of.
    pub(super) management: Option<String>,
    pub(super) management_tls: Option<Arc<rustls::ClientConfig>>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("broker", &self.broker)
            .field("mechanism", &self.mechanism)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Target {
    /// Looks at the URL and at every property. Nothing is connected.
    ///
    /// # Errors
    /// A usage problem that names what cannot be used.
    pub(super) fn new(connection: &Connection) -> Result<Target> {
        let BrokerUrl::Amqp {
            tls,
            user,
            hosts,
            vhost,
        } = &connection.url
        else {
            return Err(Problem::usage(format!("{} is not a RabbitMQ URL", connection.url))
                .next("write -b amqp://USER@HOST:5672/VHOST"));
        };
        let properties = &connection.properties;
        if let Some((key, _)) = properties.iter().find(|(key, _)| !is_known(key)) {
            return Err(
                Problem::usage(format!("the RabbitMQ client has no property {key}")).next(
                    "use sasl.mechanism, sasl.username, sasl.password, ssl.*, heartbeat.interval.ms or \
                 socket.connection.setup.timeout.ms",
                ),
            );
        }
        let https = connection
            .management
            .as_ref()
            .is_some_and(|url| url.starts_with("https://"));
        let tls_key = properties.iter().find(|(key, _)| TLS_PROPERTIES.contains(key));
        if let Some((key, _)) = tls_key.filter(|_| !tls && !https) {
            return Err(
                Problem::usage(format!("{key} is given, and the connection has no TLS")).next("write -b amqps://…")
            );
        }
        let mechanism = mechanism(properties.get("sasl.mechanism").or(properties.get("sasl.mechanisms")))?;
        let (user, password) = credentials(
            mechanism,
            user.as_deref(),
            properties.get("sasl.username"),
            properties.get("sasl.password"),
        )?;
        if vhost.len() > SHORT_BYTES {
            return Err(Problem::usage("the virtual host is longer than 255 bytes").next("check the broker URL"));
        }
        let management_is_tls = connection
            .management
            .as_ref()
            .is_some_and(|url| url.starts_with("https://"));
        let config = if *tls || management_is_tls {
            Some(client_config(properties)?)
        } else {
            None
        };
        Ok(Target {
            broker: connection.url.to_string(),
            hosts: hosts.clone(),
            vhost: vhost.clone(),
            mechanism,
            user,
            password,
            heartbeat: milliseconds(
                properties.get("heartbeat.interval.ms"),
                "heartbeat.interval.ms",
                HEARTBEAT,
            )?,
            setup: milliseconds(
                properties.get("socket.connection.setup.timeout.ms"),
                "socket.connection.setup.timeout.ms",
                SETUP,
            )?,
            tls: config.clone().filter(|_| *tls),
            management: connection.management.clone(),
            management_tls: config.filter(|_| management_is_tls),
        })
    }

    /// What is agreed with the broker, in whole seconds (AMQP 0-9-1, `connection.tune`); 0 would mean none. lapin looks every
    /// half of it whether the broker was silent for twice as long, so four fifths keep the promise of two heartbeats.
    pub(super) fn heartbeat_seconds(&self) -> u16 {
        let seconds = (self.heartbeat.as_millis() * 4 / 5000).max(1);
        u16::try_from(seconds).unwrap_or(u16::MAX)
    }
}

fn is_known(key: &str) -> bool {
    TLS_PROPERTIES.contains(&key)
        || [
            "sasl.mechanism",
            "sasl.mechanisms",
            "sasl.username",
            "sasl.password",
            "heartbeat.interval.ms",
            "socket.connection.setup.timeout.ms",
        ]
        .contains(&key)
}

fn mechanism(name: Option<&str>) -> Result<Mechanism> {
    let all = [Mechanism::Plain, Mechanism::AmqPlain, Mechanism::External];
    let Some(name) = name else {
        return Ok(Mechanism::Plain);
    };
    all.into_iter()
        .find(|m| m.name().eq_ignore_ascii_case(name))
        .ok_or_else(|| {
            Problem::usage(format!("RabbitMQ has no sasl.mechanism {name}")).next("use PLAIN, AMQPLAIN or EXTERNAL")
        })
}

/// Who logs in. `guest` is RabbitMQ's own default user, and is used only when nobody is named.
fn credentials(
    mechanism: Mechanism,
    in_url: Option<&str>,
    username: Option<&str>,
    password: Option<&str>,
) -> Result<(String, String)> {
    if let (Some(a), Some(b)) = (in_url, username)
        && a != b
    {
        return Err(
            Problem::usage("the broker URL and sasl.username name different users").next("leave one of them out")
        );
    }
    let user = in_url.or(username);
    match (mechanism, user, password) {
        (Mechanism::External, user, _) => Ok((user.unwrap_or_default().to_owned(), String::new())),
        (_, None, None) => Ok(("guest".to_owned(), "guest".to_owned())),
        (_, Some("guest"), None) => Ok(("guest".to_owned(), "guest".to_owned())),
        (_, Some(user), Some(password)) => Ok((user.to_owned(), password.to_owned())),
        (_, Some(user), None) => Err(Problem::usage(format!("there is no password for user {user}"))
            .next("give it with -X sasl.password=@FILE or -X sasl.password=env:NAME")),
        (_, None, Some(_)) => Err(Problem::usage("there is a password and no user")
            .next("name the user in the broker URL or with -X sasl.username=NAME")),
    }
}

fn milliseconds(text: Option<&str>, key: &str, default: Duration) -> Result<Duration> {
    let Some(text) = text else { return Ok(default) };
    text.parse::<u64>()
        .ok()
        .filter(|ms| (1..=3_600_000).contains(ms))
        .map(Duration::from_millis)
        .ok_or_else(|| {
            Problem::usage(format!("{key} is not a number of milliseconds from 1 to 3600000"))
                .next(format!("write -X {key}={}", default.as_millis()))
        })
}

/// An exchange and a routing key. The empty exchange is the default exchange, which routes to the queue of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) exchange: String,
    pub(super) key: String,
}

impl Place {
    /// Reads `EXCHANGE|KEY`, `|QUEUE` or the name of a queue.
    ///
    /// # Errors
    /// A usage problem when a part cannot be a name.
    pub(super) fn parse(text: &str) -> Result<Place> {
        let (exchange, key) = text.split_once('|').unwrap_or(("", text));
        let long = [exchange, key].into_iter().any(|part| part.len() > SHORT_BYTES);
        if long {
            return Err(
                Problem::usage("the name of a queue, exchange or routing key is longer than 255 bytes")
                    .next("AMQP has no longer ones; check the name"),
            );
        }
        if exchange.is_empty() && key.is_empty() {
            return Err(Problem::usage("no queue is named").next("give one with -t QUEUE"));
        }
        Ok(Place {
            exchange: exchange.to_owned(),
            key: key.to_owned(),
        })
    }

    /// The lane of everything that is published to a named exchange, whatever its routing key.
    pub(super) fn exchange_lane(&self) -> Option<String> {
        (!self.exchange.is_empty()).then(|| format!("{}|{}", self.exchange, crate::model::ANY_KEY))
    }

    /// The lane: `EXCHANGE|KEY`.
    pub(super) fn lane(&self) -> String {
        format!("{}|{}", self.exchange, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::ClientProperties;

    fn target(url: &str, properties: &[&str]) -> Result<Target> {
        let properties: Vec<String> = properties.iter().map(|p| (*p).to_owned()).collect();
        let properties = ClientProperties::parse(
            &properties,
            |_| Ok("hunter2".to_owned()),
            |_| Some("hunter2".to_owned()),
        )?;
        Target::new(&Connection {
            url: BrokerUrl::parse(url)?,
            properties,
            management: None,
        })
    }

    #[test]
    fn guest_is_only_for_nobody() {
        let who = |url: &str, properties: &[&str]| target(url, properties).map(|t| (t.user, t.password));
        let guest = Ok(("guest".to_owned(), "guest".to_owned()));
        assert_eq!(who("amqp://h", &[]), guest);
        assert_eq!(who("amqp://guest@h", &[]), guest);
        let shop = Ok(("shop".to_owned(), "hunter2".to_owned()));
        assert_eq!(who("amqp://shop@h", &["sasl.password=env:P"]), shop);
        assert_eq!(who("amqp://h", &["sasl.username=shop", "sasl.password=@f"]), shop);
        for bad in [
            target("amqp://shop@h", &[]),
            target("amqp://h", &["sasl.password=env:P"]),
            target("amqp://a@h", &["sasl.username=b", "sasl.password=env:P"]),
        ] {
            assert!(bad.unwrap_err().next.is_some());
        }
        assert!(!format!("{:?}", target("amqp://shop@h", &["sasl.password=env:P"])).contains("hunter2"));
    }

    #[test]
    fn what_is_not_known_is_named() {
        for (property, named) in [
            ("linger.ms=5", "linger.ms"),
            ("sasl.mechanism=GSSAPI", "GSSAPI"),
            ("heartbeat.interval.ms=soon", "heartbeat.interval.ms"),
            ("heartbeat.interval.ms=0", "heartbeat.interval.ms"),
        ] {
            let problem = target("amqp://h", &[property]).unwrap_err();
            assert!(problem.what.contains(named), "{problem:?}");
        }
        let beat =
            |ms: &str| target("amqp://h", &[&format!("heartbeat.interval.ms={ms}")]).map(|t| t.heartbeat_seconds());
        assert_eq!(beat("1"), Ok(1));
        assert_eq!(beat("10000"), Ok(8));
        assert_eq!(
            target("amqp://h", &["sasl.mechanism=amqplain"]).map(|t| t.mechanism),
            Ok(Mechanism::AmqPlain)
        );
    }

    #[test]
    fn a_place_is_an_exchange_and_a_key() {
        let lane = |text: &str| Place::parse(text).map(|p| p.lane());
        assert_eq!(lane("orders").as_deref(), Ok("|orders"));
        assert_eq!(lane("|orders").as_deref(), Ok("|orders"));
        assert_eq!(lane("ex|a.b").as_deref(), Ok("ex|a.b"));
        assert_eq!(lane("ex|").as_deref(), Ok("ex|"));
        assert_eq!(lane("ex|a|b").as_deref(), Ok("ex|a|b"));
        assert!(lane("|").is_err());
        let of_exchange = |text: &str| Place::parse(text).unwrap().exchange_lane();
        assert_eq!(of_exchange("ex|a.b").as_deref(), Some("ex|*"));
        assert_eq!(of_exchange("|orders"), None);
        assert!(lane(&"x".repeat(256)).is_err());
    }
}
