//! What every broker's connection is made from: the URL, the client properties, TLS settings. Nothing here opens a connection.

mod context;
mod edit;
mod file;
mod import;
mod jaas;
mod login;
mod origin;
mod program;
mod properties;
mod resolve;
mod secret;
mod store;
mod tls;
mod translate;
mod unchecked;
mod url;
mod words;
mod yaml;

pub use context::{Context, ContextFile, Contexts};
pub use edit::{top_level_line, with_contexts, yaml_text};
pub use import::{Foreign, Imported, import};
pub use origin::Origin;
pub use program::{feed, hide, print_of, without_hidden};
pub use properties::{ClientProperties, is_secret};
pub use resolve::{BROKER_VARIABLE, CONTEXT_VARIABLE, Resolved, Typed, resolve};
pub use secret::{Surroundings, Value};
pub use tls::{TLS_PROPERTIES, client_config};
pub use translate::shown;
pub use url::{BrokerKind, BrokerUrl};

/// Everything that is needed to connect to one broker. Secrets are inside, and never show in `Debug`.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The broker.
    pub url: BrokerUrl,
    /// The client's properties, secrets included.
    pub properties: ClientProperties,
    /// RabbitMQ's management API, `http://host:15672` or `https://…`, without user and password.
    pub management: Option<String>,
}

impl Connection {
    /// What a person must know before this connection is used: checks that were switched off.
    pub fn warnings(&self) -> Vec<String> {
        let of = |key: &str| self.properties.get(key).map(str::trim);
        let place = |key: &str| {
            self.properties
                .origin(key)
                .map(|o| format!(" ({o})"))
                .unwrap_or_default()
        };
        let mut warnings = Vec::new();
        let (verify, name) = (
            "enable.ssl.certificate.verification",
            "ssl.endpoint.identification.algorithm",
        );
        if of(verify).is_some_and(|v| v.eq_ignore_ascii_case("false")) {
            warnings.push(format!(
                "{verify}=false{}: the broker's certificate is not checked, so anybody on the way can read and change everything",
                place(verify)
            ));
        } else if of(name).is_some_and(|v| v.is_empty() || v.eq_ignore_ascii_case("none")) {
            warnings.push(format!(
                "{name}=none{}: the broker's host name is not checked, so whoever has any certificate of its authority can read and change everything",
                place(name)
            ));
        }
        let endpoint = "sasl.oauthbearer.token.endpoint.url";
        if let Some(rest) = of(endpoint).and_then(|url| url.strip_prefix("http://"))
            && !["127.0.0.1", "localhost", "[::1]"].contains(&host_of(rest))
        {
            warnings.push(format!(
                "{endpoint}{}: the client's secret goes there in the clear; write https://",
                place(endpoint)
            ));
        }
        warnings
    }
}

/// The host of what follows `http://`.
fn host_of(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) => host,
        Some(_) | None => authority,
    }
}
