//! What every broker's connection is made from: the URL, the client properties, TLS settings. Nothing here opens a connection.

mod properties;
#[cfg(any(feature = "rabbitmq", feature = "rocketmq"))]
mod tls;
mod url;

pub use properties::ClientProperties;
#[cfg(any(feature = "rabbitmq", feature = "rocketmq"))]
pub use tls::client_config;
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
