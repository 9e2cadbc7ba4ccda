//! Apache RocketMQ, by its remoting protocol: `rocketmq-protocol` for frames and codes, and a thin connection of our own.

mod acl;
mod batch;
mod client;
mod connection;
mod create;
mod dial;
mod driver;
mod endpoint;
mod follow;
mod half;
mod handle;
mod inflate;
mod lane;
mod lost;
mod members;
mod message;
mod observe;
mod outgoing;
mod probe;
mod publish;
mod pull;
mod route;
mod scan;
mod settings;
mod verdict;
mod wire;

pub use endpoint::RocketEndpoint;
pub use follow::RocketFollow;
pub(crate) use observe::observe;
pub use probe::probe;
pub use scan::RocketScan;
