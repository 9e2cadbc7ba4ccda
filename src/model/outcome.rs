//! What a run came to, and the one place where that becomes an exit code.

/// What a whole run came to. One run may come to several; [`Outcome::combine`] picks the one that the caller must hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Clean, all stored, found, no anomaly.
    Good,
    /// A negative answer that is reliably known: findings, refused messages, not found in a complete search, anomalies.
    Negative,
    /// A usage or configuration error; nothing was done.
    Usage,
    /// Unknown or incomplete: unreachable, a partial scan, a path that cannot be read, nothing recognised.
    Unknown,
    /// `send`: something is not delivered now, but is safe in the spool.
    Spooled,
    /// The run was told to stop, and kept its promises before it did.
    Interrupted(Signal),
}

/// The signals that ask a run to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// SIGINT, as Ctrl-C sends it.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Outcome {
    /// The process exit code, the same in every subcommand.
    pub const fn exit_code(self) -> u8 {
        match self {
            Outcome::Good => 0,
            Outcome::Negative => 1,
            Outcome::Usage => 2,
            Outcome::Unknown => 3,
            Outcome::Spooled => 4,
            Outcome::Interrupted(Signal::Interrupt) => 130,
            Outcome::Interrupted(Signal::Terminate) => 143,
        }
    }

    /// How loudly an outcome speaks when several apply: usage, then the signals, then negative, unknown, spooled, good.
    const fn rank(self) -> u8 {
        match self {
            Outcome::Usage => 5,
            Outcome::Interrupted(_) => 4,
            Outcome::Negative => 3,
            Outcome::Unknown => 2,
            Outcome::Spooled => 1,
            Outcome::Good => 0,
        }
    }

    /// The outcome to report when both apply. A proven loss is told even when the search was also incomplete.
    #[must_use]
    pub const fn and(self, other: Outcome) -> Outcome {
        if other.rank() > self.rank() { other } else { self }
    }

    /// The outcome to report when all of these apply; [`Outcome::Good`] when there are none.
    pub fn combine(all: impl IntoIterator<Item = Outcome>) -> Outcome {
        all.into_iter().fold(Outcome::Good, Outcome::and)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_contract() {
        let all = [
            (Outcome::Good, 0),
            (Outcome::Negative, 1),
            (Outcome::Usage, 2),
            (Outcome::Unknown, 3),
            (Outcome::Spooled, 4),
            (Outcome::Interrupted(Signal::Interrupt), 130),
            (Outcome::Interrupted(Signal::Terminate), 143),
        ];
        for (outcome, code) in all {
            assert_eq!(outcome.exit_code(), code);
        }
    }

    #[test]
    fn the_first_of_usage_interrupt_negative_unknown_spooled_wins() {
        let order = [
            Outcome::Usage,
            Outcome::Interrupted(Signal::Terminate),
            Outcome::Negative,
            Outcome::Unknown,
            Outcome::Spooled,
            Outcome::Good,
        ];
        for (i, louder) in order.iter().enumerate() {
            for quieter in &order[i..] {
                assert_eq!(louder.and(*quieter), *louder);
                assert_eq!(quieter.and(*louder), *louder);
            }
        }
        assert_eq!(Outcome::combine([]), Outcome::Good);
    }
}
