//! What `send` reads, and how it becomes messages.

use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

/// The input.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// One message a line; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
    /// Go on after the last accepted line of FILE
    #[arg(long)]
    pub resume: bool,
    /// The key of every message
    #[arg(short, long, conflicts_with = "key_delimiter")]
    pub key: Option<OsString>,
    /// Split each line into key and value at the first DELIM
    #[arg(short = 'K', long, value_name = "DELIM")]
    pub key_delimiter: Option<OsString>,
    /// A header of every message (can be repeated)
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE")]
    pub headers: Vec<String>,
    /// Reject lines longer than this
    #[arg(long, value_name = "BYTES", default_value = "16777216", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub max_message_bytes: u32,
}
