//! How messages are handed to a broker.

use super::{Decide, Delivery, Prepare, Problem, Result, Transact};
use std::time::Duration;

/// One message as a broker's client needs it.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Comes back with the delivery; unique among messages in flight.
    pub ticket: u64,
    /// The partition, chosen before the first attempt and kept for every other; of named lanes, the spool's number of the lane.
    pub partition: i32,
    /// The lane: `TOPIC/PARTITION`, or its whole name where lanes are named.
    pub lane: &'a str,
    /// Milliseconds since the Unix epoch at which the message was accepted.
    pub timestamp_ms: i64,
    /// The message key.
    pub key: Option<&'a [u8]>,
    /// The payload; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers of the sender, without the stamp.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
    /// RocketMQ's tag; other brokers have none.
    pub tag: Option<&'a str>,
    /// The value of the stamp header.
    pub stamp: &'a str,
    /// The value of the void header, where there is one.
    pub voids: Option<&'a str>,
}

/// How one topic is published to. The default is the strongest that each broker has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct How {
    /// What the broker must have done before it acknowledges (Kafka `acks`).
    pub acks: Acks,
    /// Makes the topic when it is not there (Kafka, RocketMQ), or the queue (RabbitMQ).
    pub create: Option<Create>,
    /// Publishes to a queue or exchange that does not survive a restart of the broker (RabbitMQ).
    pub allow_transient: bool,
    /// Publishes in AMQP transactions instead of with confirms (RabbitMQ).
    pub amqp_tx: bool,
    /// Sends each lane one message after the other, so that no resend overtakes.
    pub ordered: bool,
}

/// What a broker must have done before it acknowledges a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Acks {
    /// Every in-sync replica has it, and there are at least `min.insync.replicas` of them.
    #[default]
    All,
    /// The leader has it in its page cache.
    One,
    /// Nothing; the message was written to a socket.
    Zero,
}

impl Acks {
    /// As Kafka's `acks` is written.
    pub const fn word(self) -> &'static str {
        match self {
            Acks::All => "all",
            Acks::One => "1",
            Acks::Zero => "0",
        }
    }

    /// What less than all replicas comes to, for a person; `None` for all.
    pub const fn warning(self) -> Option<&'static str> {
        match self {
            Acks::All => None,
            Acks::One => Some("acks=1: stored means the leader's page cache"),
            Acks::Zero => Some("acks=0: nobody was asked whether anything arrived"),
        }
    }
}

/// What a topic that is made is to be like. `None` is the broker's own default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Create {
    /// How many partitions, or queues of a RocketMQ broker.
    pub partitions: Option<i32>,
    /// How many replicas of each (Kafka).
    pub replicas: Option<i16>,
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
    /// It is there, with these lanes to write to.
    Known(Lanes),
    /// The broker answered, and the topic does not exist.
    NoSuchTopic,
    /// The broker answered, and this user may not see or write it.
    Denied(String),
    /// The broker answered, and what it said forbids to publish in the way that was asked for: the problem tells all.
    Unfit(Problem),
    /// It does not exist, was asked to be made, and cannot be made as asked.
    CannotMake(String),
}

/// The lanes of one topic that can be written to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lanes {
    /// Partitions 0 to this number, exclusive; a lane is `TOPIC/PARTITION` (Kafka).
    Partitions(i32),
    /// Each by its whole name, in an order that is the same whenever the same lanes are there. Never empty.
    Named(Vec<NamedLane>),
}

/// A lane with a name of its own: a RocketMQ queue `TOPIC/BROKER/QUEUE`, or a RabbitMQ exchange and routing key `EXCHANGE|KEY`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NamedLane {
    /// The lane as it stands in stamps.
    pub name: String,
    /// What `-p` calls it: the queue id, or 0 where there are none.
    pub queue: i32,
}

impl NamedLane {
    /// The queue of a lane that is used only by who asks for it, and by messages that have it already.
    pub const ON_REQUEST: i32 = i32::MAX;
}

/// Why a broker could not be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// How far it came, where the client can tell.
    pub stage: Option<Stage>,
    /// What went wrong, in words.
    pub why: String,
}

/// The steps of reaching a broker, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The host name is looked up.
    Dns,
    /// The port is connected to.
    Tcp,
    /// The certificates are checked.
    Tls,
    /// The broker checks who this is: SASL, AMQP's login, RocketMQ's signature.
    Authentication,
    /// The broker looks whether this user may do it.
    Authorisation,
}

impl Stage {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Stage::Dns => "DNS",
            Stage::Tcp => "TCP",
            Stage::Tls => "TLS",
            Stage::Authentication => "authentication",
            Stage::Authorisation => "authorisation",
        }
    }
}

impl Unreached {
    /// A failure of which only the words are known.
    pub fn new(why: impl Into<String>) -> Unreached {
        Unreached {
            stage: None,
            why: why.into(),
        }
    }

    /// A failure at a known step.
    pub fn at(stage: Stage, why: impl Into<String>) -> Unreached {
        Unreached {
            stage: Some(stage),
            why: why.into(),
        }
    }

    /// Whether there was an answer, and it was no: asking the same way again does not help, and may lock an account.
    pub fn is_refusal(&self) -> bool {
        self.stage.is_some_and(|stage| stage >= Stage::Tls)
    }
}

impl std::fmt::Display for Unreached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.stage {
            Some(stage) => write!(f, "{}: {}", stage.word(), self.why),
            None => f.write_str(&self.why),
        }
    }
}

/// One step of `context test`, as it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was tried.
    pub stage: Stage,
    /// Against what: a host and port, a name.
    pub at: String,
    /// What came of it: words about the success, or about the failure.
    pub result: std::result::Result<String, String>,
}

/// A connection that publishes to one topic. Deliveries are reported on the channel that it was made with.
pub trait Publish {
    /// Hands one message to the client.
    fn offer(&mut self, message: &Outgoing<'_>) -> Offer;

    /// Whether an offer has any chance just now: what was not taken need not be read again before.
    fn has_room(&self) -> bool {
        true
    }

    /// Whether the client is dead and must be renewed before anything is offered again.
    fn must_renew(&self) -> bool;

    /// Whether an acknowledgement is asked for. Without one a message is handed over once, and what is in doubt then stays so.
    fn is_acknowledged(&self) -> bool {
        true
    }

    /// Takes everything back that was not delivered yet. Each message is still reported, as not sent or in doubt, before this returns.
    fn recall(&mut self);

    /// Replaces a dead client by a new one. Nothing may be in flight.
    ///
    /// # Errors
    /// When the client cannot be made.
    fn renew(&mut self) -> Result<()>;
}

/// Where deliveries are reported: the ticket and what became of it. Called on the client's own thread; must not block.
pub type Deliver = Box<dyn Fn(u64, Delivery) + Send + Sync>;

/// One topic of one broker, before there is a connection.
pub trait Endpoint: Send + Sync {
    /// Asks the broker about the topic. Creates it only where [`How::create`] says so.
    ///
    /// # Errors
    /// The last thing that went wrong, when no broker answered within the time; at once when one refused.
    fn topology(&self, timeout: Duration) -> std::result::Result<Topology, Unreached>;

    /// Connects for publishing.
    ///
    /// # Errors
    /// A usage problem when the client refuses its configuration.
    fn publisher(&self, deliver: Deliver) -> Result<Box<dyn Publish>>;

    /// The last thing that went wrong below a publisher, for a person who waits.
    fn last_error(&self) -> Option<String>;

    /// Connects for messages that are prepared first and handed out later; `None` where the broker has no such thing.
    /// `producer` is the one in the stamps: whoever comes back with it is asked about what was left undecided.
    ///
    /// # Errors
    /// As [`Endpoint::publisher`].
    fn preparer(&self, producer: &str, decide: Decide) -> Result<Option<Box<dyn Prepare>>> {
        let _ = (producer, decide);
        Ok(None)
    }

    /// Connects for messages that readers get all together or not at all; `None` where the broker has no such thing. Only one
    /// connection under this name is of use at a time: a later one ends what an earlier one left.
    ///
    /// # Errors
    /// As [`Endpoint::publisher`].
    fn transactor(&self, name: &str, deliver: Deliver) -> Result<Option<Box<dyn Transact>>> {
        let _ = (name, deliver);
        Ok(None)
    }

    /// What "stored" means less than it could at this place, as far as the broker was asked; words for the last line of a run.
    fn note(&self) -> Option<String> {
        None
    }

    /// What was made on the broker because it was asked for ([`How::create`]), in words; `None` when nothing was.
    fn made(&self) -> Option<String> {
        None
    }
}
