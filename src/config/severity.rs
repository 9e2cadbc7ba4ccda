//! How bad a finding is.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How bad a finding is, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Advice.
    Low,
    /// Loses messages under a rare or partly known condition.
    Medium,
    /// Loses messages on an ordinary failure that something else must accompany.
    High,
    /// Acknowledged data can vanish on one ordinary failure.
    Critical,
}

impl Severity {
    /// Every severity, the worst first.
    pub const ALL: [Severity; 4] = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low];

    /// The word in flags and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
        }
    }

    /// The severity of this name.
    pub fn from_name(name: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|s| s.name() == name)
    }

    /// One step lower; [`Severity::Low`] stays.
    #[must_use]
    pub const fn lowered(self) -> Severity {
        match self {
            Severity::Critical => Severity::High,
            Severity::High => Severity::Medium,
            Severity::Medium | Severity::Low => Severity::Low,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a profile says of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The rule does not speak.
    Off,
    /// As the profile that is extended says, and at least [`Severity::High`]: it fails an audit that fails on that.
    Deny,
    /// Advice, however bad the profile that is extended finds it.
    Warn,
    /// As [`Severity::Low`].
    Low,
    /// As [`Severity::Medium`].
    Medium,
    /// As [`Severity::High`].
    High,
    /// As [`Severity::Critical`].
    Critical,
}

impl Level {
    /// The level that stays when a profile says this on top of another that said `base`.
    #[must_use]
    pub(super) const fn over(self, base: Option<Level>) -> Level {
        match (self, base) {
            (Level::Deny, Some(Level::Critical)) => Level::Critical,
            (Level::Deny, _) => Level::High,
            (Level::Warn, _) => Level::Low,
            (level, _) => level,
        }
    }

    /// The severity, unless the rule is off.
    pub const fn severity(self) -> Option<Severity> {
        match self {
            Level::Off => None,
            Level::Low | Level::Warn => Some(Severity::Low),
            Level::Medium => Some(Severity::Medium),
            Level::High | Level::Deny => Some(Severity::High),
            Level::Critical => Some(Severity::Critical),
        }
    }
}
