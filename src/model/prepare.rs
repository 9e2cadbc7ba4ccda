//! Messages that a broker keeps from its readers until it is told what is to become of them.
//!
//! For a message that belongs to a local action: prepare it, do the action, write the decision down where it survives a crash,
//! then tell the broker. What is promised when the process dies
//!
//! - before or during [`Prepare::prepare`]: no reader ever sees the message, unless [`Decide`] answers [`Decision::Commit`] for
//!   its stamp. Prepared once more by the next run, there are two of it at the broker; the older one stays unseen as long as
//!   [`Decide`] answers [`Decision::RollBack`] from the moment at which the newer one is stored;
//! - after `prepare`, before the decision is written down: the same. The broker asks [`Decide`], which answers
//!   [`Decision::Open`] until somebody decides; after so many questions (RocketMQ: 15, half a minute apart) the broker gives
//!   the message up, which readers never see;
//! - after the decision is written down, before or during [`Prepare::end`]: the next run calls `end` with the kept
//!   [`Prepared`] and the decision. A message that is already with the readers is found by its id and not handed out again; one
//!   that the broker gave up is handed out all the same, as long as the broker's log still holds it; after that it is
//!   [`Ended::Gone`], and is to be sent as an ordinary message. The broker may also ask first, and is answered from the decision;
//! - after `end` said [`Ended::Stored`]: nothing is left to do. In every later run [`Decide`] must answer
//!   [`Decision::RollBack`] for this stamp: what is asked about then can only be a second copy of it. The same connection
//!   knows that by itself.
//!
//! A reader may see a message twice, with the same id, only when the answer to a first `end` was lost and the broker's index
//! did not yet know the message at the second, or when two processes end it at once.

use super::{Delivery, Outgoing, Position};

/// A message that waits at its broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// What the broker needs to find it again: one line, to be kept with the decision. Its content is the broker's own.
    pub handle: String,
}

/// What is to become of a prepared message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Readers are to get it.
    Commit,
    /// Nobody is to get it.
    RollBack,
    /// Not known yet.
    Open,
}

/// Asked by a broker that was not told: what is to become of the message with this stamp, the whole value of the header? The
/// answer is given on the client's own thread, must not block, and [`Decision::Commit`] only when that is written down.
pub type Decide = Box<dyn Fn(&str) -> Decision + Send + Sync>;

/// What telling the broker came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Readers get it; it is stored as safely as a message that was acknowledged. The offset is not always known.
    Stored(Position),
    /// No reader will ever get it.
    Dropped,
    /// The broker has it no more, nor did a reader get it: to be handed out it must be sent as an ordinary message.
    Gone(String),
    /// Nothing was changed, for a reason that can heal.
    NotYet(String),
    /// It may have been ended or not, or not as safely as was asked: to be ended again.
    InDoubt(String),
}

/// A connection on which messages of one topic are prepared and ended.
pub trait Prepare {
    /// Hands a message to the broker, which keeps it from readers. Waits for the answer.
    ///
    /// # Errors
    /// What became of it instead; never [`Delivery::Stored`]. One that is in doubt may be there, and no reader sees it.
    fn prepare(&mut self, message: &Outgoing<'_>) -> Result<Prepared, Delivery>;

    /// Ends it: `commit` hands it to readers, otherwise it is dropped. Waits for the answer. To be called again with the same
    /// decision until it is [`Ended::Stored`], [`Ended::Dropped`] or [`Ended::Gone`].
    fn end(&mut self, prepared: &Prepared, commit: bool) -> Ended;

    /// Where readers find a message that may have been ended, by its id, when its [`Prepared`] was not kept; `None` when the
    /// broker's index does not know it.
    ///
    /// # Errors
    /// Why it cannot be told.
    fn find(&mut self, message: &Outgoing<'_>) -> Result<Option<Position>, String>;
}
