//! What every broker's connection is made from: the URL and the client properties. Nothing here opens a connection.

mod properties;
mod url;

pub use properties::ClientProperties;
pub use url::BrokerUrl;
