//! Where a setting comes from, so that a person finds the place to correct.

use std::fmt;

/// The place of one setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origin {
    /// A flag of its own, as `-b`.
    Flag(&'static str),
    /// `-X`.
    #[default]
    Property,
    /// A line of a file that `-F` or a context names.
    File {
        /// The file as it was named.
        path: String,
        /// The line, from 1.
        line: usize,
    },
    /// A variable of the environment.
    Environment(&'static str),
    /// A context of the user's configuration.
    Context(String),
    /// Nothing said otherwise.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => f.write_str(flag),
            Origin::Property => f.write_str("-X"),
            Origin::File { path, line } => write!(f, "{path}:{line}"),
            Origin::Environment(name) => f.write_str(name),
            Origin::Context(name) => write!(f, "context {name}"),
            Origin::Default => f.write_str("default"),
        }
    }
}
