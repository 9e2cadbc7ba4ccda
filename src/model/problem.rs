//! An error as a person reads it: the thing, the cause, and what to do next.

use super::Outcome;
use std::fmt;

/// The result of anything that can end a command.
pub type Result<T> = std::result::Result<T, Problem>;

/// What kind of problem it is, where somebody must tell it from others without reading its words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProblemKind {
    /// Whatever else.
    #[default]
    Other,
    /// The broker answered, and there is no such topic or queue. Where a broker or its client does not say so for certain, it is
    /// [`ProblemKind::Other`].
    Absent,
}

/// Why a command ends without its answer.
///
/// The three texts are plain and unescaped; whoever prints them escapes them, because parts of them come from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What the run comes to because of this.
    pub outcome: Outcome,
    /// What kind it is.
    pub kind: ProblemKind,
    /// The thing that failed, as a sentence fragment: `cannot read orders.txt`.
    pub what: String,
    /// Why, outermost first; often the words of the system or of the broker.
    pub causes: Vec<String>,
    /// What to do next.
    pub next: Option<String>,
}

impl Problem {
    /// A usage or configuration error: exit 2, nothing was done.
    pub fn usage(what: impl Into<String>) -> Problem {
        Problem {
            outcome: Outcome::Usage,
            kind: ProblemKind::Other,
            what: what.into(),
            causes: Vec::new(),
            next: None,
        }
    }

    /// Something could not be learnt: exit 3.
    pub fn unknown(what: impl Into<String>) -> Problem {
        Problem {
            outcome: Outcome::Unknown,
            ..Problem::usage(what)
        }
    }

    /// The broker answered, and what was named is not there: exit 3, because an absent topic is not an empty one.
    pub fn absent(what: impl Into<String>) -> Problem {
        Problem {
            kind: ProblemKind::Absent,
            ..Problem::unknown(what)
        }
    }

    /// Adds a cause below those already there.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Problem {
        self.causes.push(cause.to_string());
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Problem {
        self.next = Some(next.into());
        self
    }

    /// The same problem under another outcome.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Problem {
        self.outcome = outcome;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
