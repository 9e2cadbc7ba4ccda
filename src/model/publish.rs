//! How messages are handed to a broker.

use super::{Delivery, Result};
use std::time::Duration;

/// One message as a broker's client needs it.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Comes back with the delivery; unique among messages in flight.
    pub ticket: u64,
    /// The partition, chosen before the first attempt and kept for every other.
    pub partition: i32,
    /// Milliseconds since the Unix epoch at which the message was accepted.
    pub timestamp_ms: i64,
    /// The message key.
    pub key: Option<&'a [u8]>,
    /// The payload; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers of the sender, without the stamp.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
    /// The value of the stamp header.
    pub stamp: &'a str,
    /// The value of the void header, where there is one.
    pub voids: Option<&'a str>,
}

/// The answer to an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// Taken; its delivery will be reported.
    Taken,
    /// Not taken, because the client's queue is full. Offer it again when something was delivered.
    Full,
    /// Not taken, and this is what became of it. No delivery will be reported.
    Settled(Delivery),
}

/// What a broker said about the place that messages go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// It is there, with this many partitions.
    Known {
        /// Partitions 0 to this number, exclusive.
        partitions: i32,
    },
    /// The broker answered, and the topic does not exist.
    NoSuchTopic,
    /// The broker answered, and this user may not see or write it.
    Denied(String),
}

/// A connection that publishes to one topic. Deliveries are reported on the channel that it was made with.
pub trait Publish {
    /// Hands one message to the client.
    fn offer(&mut self, message: &Outgoing<'_>) -> Offer;

    /// Whether the client is dead and must be renewed before anything is offered again.
    fn must_renew(&self) -> bool;

    /// Takes everything back that was not delivered yet. Each message is still reported, as not sent or in doubt, before this returns.
    fn recall(&mut self);

    /// Replaces a dead client by a new one. Nothing may be in flight.
    ///
    /// # Errors
    /// When the client cannot be made.
    fn renew(&mut self) -> Result<()>;
}

/// Where deliveries are reported: the ticket and what became of it. Called on the client's own thread; must not block.
pub type Report = Box<dyn Fn(u64, Delivery) + Send + Sync>;

/// One topic of one broker, before there is a connection.
pub trait Endpoint: Send + Sync {
    /// Asks the broker about the topic. Never creates it.
    ///
    /// # Errors
    /// The last thing that went wrong, when no broker answered within the time.
    fn topology(&self, timeout: Duration) -> std::result::Result<Topology, String>;

    /// Connects for publishing.
    ///
    /// # Errors
    /// A usage problem when the client refuses its configuration.
    fn publisher(&self, report: Report) -> Result<Box<dyn Publish>>;

    /// The last thing that went wrong below a publisher, for a person who waits.
    fn last_error(&self) -> Option<String>;
}
