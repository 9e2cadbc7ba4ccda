//! Messages that readers get all together or not at all.
//!
//! What is promised when the process dies
//!
//! - before [`Transact::commit`] was asked for: no reader ever sees one of them. Whoever comes next calls [`Transact::fence`] under
//!   the same name and publishes them again;
//! - after that: the broker ends what was begun, either way. Whoever comes next calls [`Transact::fence`], after which nothing
//!   changes any more, and [`Transact::find`] looks where the messages were written which way it was.

use super::{Offer, Outgoing};
use std::time::Duration;

/// Why a step of a transaction did not come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindered {
    /// It can heal, and may be tried again on the same connection.
    NotYet(String),
    /// This user may not do it.
    Denied(String),
    /// The connection is of no more use; the transaction will be ended by the broker, or by the next one of the same name.
    Over(String),
}

impl Hindered {
    /// The words.
    pub fn why(&self) -> &str {
        match self {
            Hindered::NotYet(why) | Hindered::Denied(why) | Hindered::Over(why) => why,
        }
    }
}

/// What asking for a commit came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// Readers get all of them.
    Yes,
    /// Not known yet; to be asked again on the same connection, which is safe.
    NotYet(String),
    /// Whether it was committed must be found out on another connection.
    Unknown(String),
}

/// Where one message of a transaction was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The partition.
    pub partition: i32,
    /// The offset that its delivery was reported with.
    pub offset: i64,
    /// The value of its stamp header.
    pub stamp: String,
}

/// What was found where a transaction was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Readers get its messages.
    Committed,
    /// Its messages are there, and readers do not get them.
    Aborted,
    /// Neither is proven, and why.
    Unknown(String),
}

/// A connection that publishes to one topic in transactions. Deliveries are reported on the channel that it was made with.
pub trait Transact {
    /// Makes sure that nothing that was begun under the same name is still open or being ended, and that no other process goes on
    /// with it. To be called first, and again after [`Hindered::NotYet`].
    ///
    /// # Errors
    /// What hinders it.
    fn fence(&mut self, patience: Duration) -> Result<(), Hindered>;

    /// Opens a transaction.
    ///
    /// # Errors
    /// What hinders it.
    fn begin(&mut self) -> Result<(), Hindered>;

    /// Hands one message to the client. A delivery only says that it was written; nothing is stored before the commit.
    fn offer(&mut self, message: &Outgoing<'_>) -> Offer;

    /// Asks the broker to hand out everything. Every delivery must have been reported as stored.
    fn commit(&mut self, patience: Duration) -> Committed;

    /// Asks the broker to drop everything.
    ///
    /// # Errors
    /// Why that is not known to have happened; the broker does it by itself in the end.
    fn abort(&mut self, patience: Duration) -> Result<(), Hindered>;

    /// Looks where an earlier transaction was written what became of it. After [`Transact::fence`].
    fn find(&mut self, probes: &[Probe], patience: Duration) -> Found;
}
