//! RabbitMQ, by AMQP 0-9-1.
//!
//! A message goes to an exchange with a routing key, and that pair is its lane, `EXCHANGE|KEY`. It is stored when the broker
//! confirmed it and did not return it (`verdict` says why that needs care). What is read back is a stream, which keeps its
//! messages; a queue gives them up to whoever reads, so it is only looked into when that is allowed.

mod backwards;
mod client;
mod confirms;
mod drain;
mod durability;
mod endpoint;
mod follow;
mod greeting;
mod kind;
mod management;
mod message;
mod observe;
mod peek;
mod probe;
mod publish;
mod record;
mod scan;
mod session;
mod socket;
mod stream;
mod tap;
mod target;
mod tx;
mod unrouted;
mod verdict;
mod words;
mod worker;

pub use drain::RabbitDrain;
pub use endpoint::RabbitEndpoint;
pub use follow::RabbitFollow;
pub(crate) use observe::observe;
pub use probe::probe;
pub use scan::RabbitScan;
pub use tap::RabbitTap;
