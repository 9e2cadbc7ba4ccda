//! What is needed to reach a broker by our own connections, from the properties that librdkafka takes; or why they cannot.

use super::super::config::KafkaTarget;
use super::super::oauth::Tokens;
use crate::connect::{TLS_PROPERTIES, client_config};
use rustls::ClientConfig;
use std::sync::Arc;

/// How the brokers of a cluster are reached. It holds secrets, so there is no `Debug`.
#[derive(Clone)]
pub(in crate::broker::kafka) struct Settings {
    /// The client's name to the broker, which quotas may go by.
    pub(super) client_id: String,
    /// TLS, where the listener speaks it.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// The login, where the listener wants one.
    pub(super) login: Option<Login>,
    /// Bytes that one fetch may bring, where the user asked for fewer than would be taken.
    pub(in crate::broker::kafka) fetch_bytes: Option<usize>,
}

/// A login by SASL.
#[derive(Clone)]
pub(super) enum Login {
    Plain(User),
    ScramSha256(User),
    ScramSha512(User),
    OauthBearer(Arc<Tokens>),
}

/// A name and a password.
#[derive(Clone)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
}

impl Settings {
    /// The settings of a target.
    ///
    /// # Errors
    /// What our own connections cannot do as it is asked for, in words; librdkafka may.
    pub(in crate::broker::kafka) fn of(target: &KafkaTarget) -> Result<Settings, String> {
        let properties = &target.properties;
        let get = |key: &str| properties.get(key).map(str::trim).filter(|v| !v.is_empty());
        let protocol = get("security.protocol").unwrap_or("PLAINTEXT").to_ascii_uppercase();
        let (is_tls, has_login) = match protocol.as_str() {
            "PLAINTEXT" => (false, false),
            "SSL" => (true, false),
            "SASL_PLAINTEXT" => (false, true),
            "SASL_SSL" => (true, true),
            _ => return Err("a security.protocol that is not known here".to_owned()),
        };
        // What changes where a connection goes, or through what.
        for key in ["client.dns.lookup", "socket.blocking.max.ms", "broker.address.family"] {
            if let Some(value) = get(key).filter(|v| !["any", "use_all_dns_ips"].contains(v)) {
                return Err(format!("{key}={value}"));
            }
        }
        let tls = match is_tls {
            true => Some(tls(target)?),
            false => None,
        };
        let login = match has_login {
            true => Some(login(target)?),
            false => None,
        };
        let bytes = |key: &str| get(key).and_then(|b| b.parse::<usize>().ok());
        let fetch_bytes = [
            "fetch.max.bytes",
            "max.partition.fetch.bytes",
            "fetch.message.max.bytes",
        ]
        .into_iter()
        .filter_map(bytes)
        .min();
        Ok(Settings {
            client_id: get("client.id").unwrap_or("mqsafe").to_owned(),
            tls,
            login,
            fetch_bytes,
        })
    }
}

fn tls(target: &KafkaTarget) -> Result<Arc<ClientConfig>, String> {
    let foreign = target
        .properties
        .iter()
        .map(|(key, _)| key)
        .find(|key| (key.starts_with("ssl.") || key.starts_with("enable.ssl.")) && !TLS_PROPERTIES.contains(key));
    if let Some(key) = foreign {
        return Err(format!("{key}, which only librdkafka honours"));
    }
    client_config(&target.properties).map_err(|problem| problem.to_string())
}

fn login(target: &KafkaTarget) -> Result<Login, String> {
    let get = |key: &str| target.properties.get(key).unwrap_or_default().to_owned();
    let user = || User {
        name: get("sasl.username"),
        password: get("sasl.password"),
    };
    let mechanism = get("sasl.mechanisms").trim().to_ascii_uppercase();
    match mechanism.as_str() {
        "PLAIN" => Ok(Login::Plain(user())),
        "SCRAM-SHA-256" => Ok(Login::ScramSha256(user())),
        "SCRAM-SHA-512" => Ok(Login::ScramSha512(user())),
        "OAUTHBEARER" => match &target.tokens {
            Some(tokens) => Ok(Login::OauthBearer(Arc::clone(tokens))),
            None => Err("OAUTHBEARER without tokens of its own".to_owned()),
        },
        other => Err(format!("the mechanism {other:?}")),
    }
}
