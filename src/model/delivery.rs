//! What became of one message that was handed to a broker.

use std::fmt;

/// Where a message is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The partition (Kafka) or queue id.
    pub partition: i32,
    /// The offset, where the broker told it. Kafka acknowledges a duplicate of an idempotent producer without one.
    pub offset: Option<i64>,
}

/// What became of one attempt. Whatever is not proven stored, refused for good or certainly not sent is in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Acknowledged positively, with everything that makes the acknowledgement mean it.
    Stored(Position),
    /// Permanently refused: no retry of this message can succeed.
    Refused(String),
    /// Certainly not stored, for a reason that can heal.
    NotSent(String),
    /// May or may not be stored.
    InDoubt(String),
}

/// The fate of an accepted message as it is told in receipts and summaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fate {
    /// Acknowledged.
    Stored,
    /// Refused for good; kept as failed in the spool.
    Refused,
    /// May or may not be there; pending in the spool.
    InDoubt,
    /// Not sent; pending in the spool.
    Spooled,
    /// Could not be read as a message, so never accepted.
    Rejected,
    /// The business gave it before, and it was accepted then; so it is not accepted again.
    Repeated,
}

impl Fate {
    /// The word of the contract.
    pub const fn word(self) -> &'static str {
        match self {
            Fate::Stored => "stored",
            Fate::Refused => "refused",
            Fate::InDoubt => "in_doubt",
            Fate::Spooled => "spooled",
            Fate::Rejected => "rejected",
            Fate::Repeated => "repeated",
        }
    }
}

/// How many messages came to which fate. `accepted = stored + refused + in_doubt + spooled` holds by construction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Acknowledged.
    pub stored: u64,
    /// Refused for good.
    pub refused: u64,
    /// May or may not be there.
    pub in_doubt: u64,
    /// Not sent.
    pub spooled: u64,
    /// Never accepted.
    pub rejected: u64,
    /// Accepted before under the same id, and not again.
    pub repeated: u64,
}

impl Tally {
    /// Counts one fate `n` times.
    pub fn count(&mut self, fate: Fate, n: u64) {
        let slot = match fate {
            Fate::Stored => &mut self.stored,
            Fate::Refused => &mut self.refused,
            Fate::InDoubt => &mut self.in_doubt,
            Fate::Spooled => &mut self.spooled,
            Fate::Rejected => &mut self.rejected,
            Fate::Repeated => &mut self.repeated,
        };
        *slot += n;
    }

    /// All messages that were accepted.
    pub const fn accepted(&self) -> u64 {
        self.stored + self.refused + self.in_doubt + self.spooled
    }

    /// The counts of both.
    #[must_use]
    pub const fn plus(self, other: Tally) -> Tally {
        Tally {
            stored: self.stored + other.stored,
            refused: self.refused + other.refused,
            in_doubt: self.in_doubt + other.in_doubt,
            spooled: self.spooled + other.spooled,
            rejected: self.rejected + other.rejected,
            repeated: self.repeated + other.repeated,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            stored,
            refused,
            in_doubt,
            spooled,
            rejected,
            repeated,
        } = self;
        let accepted = self.accepted();
        write!(
            f,
            "accepted {accepted} = stored {stored} + refused {refused} + in doubt {in_doubt} + spooled {spooled}"
        )?;
        if *rejected > 0 {
            write!(f, "; rejected {rejected}")?;
        }
        if *repeated > 0 {
            write!(f, "; repeated {repeated}")?;
        }
        Ok(())
    }
}
