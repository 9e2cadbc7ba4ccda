//! What `send` reads, and how it becomes messages.

use crate::cli::duration;
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The input.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// The input; - is standard input, and so is no FILE. More than one only with --input files
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How the input becomes messages
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub input: InputForm,
    /// Go on after the last accepted line of FILE
    #[arg(long)]
    pub resume: bool,
    /// Send again those lines of FILE that were refused or rejected, by the receipts of an earlier run
    #[arg(long, value_name = "RECEIPTS", conflicts_with_all = ["resume", "template"])]
    pub only_failed: Option<PathBuf>,
    /// The key of every message that has none of its own
    #[arg(short, long, conflicts_with_all = ["key_delimiter", "key_column", "key_from", "key_template"])]
    pub key: Option<OsString>,
    /// Split each line into key and value at the first DELIM
    #[arg(short = 'K', long, value_name = "DELIM")]
    pub key_delimiter: Option<OsString>,
    /// Messages end with this text instead of the end of a line; \n, \r, \t, \0, \xNN and \\ are understood
    #[arg(short = 'D', long, value_name = "DELIM", conflicts_with = "null")]
    pub delimiter: Option<OsString>,
    /// Messages end with a NUL, as those of find -print0
    #[arg(short = '0', long)]
    pub null: bool,
    /// CSV: the column that is the key
    #[arg(long, value_name = "NAME")]
    pub key_column: Option<String>,
    /// CSV: the column that is the payload; by default the whole row is, as a JSON object
    #[arg(long, value_name = "NAME")]
    pub value_column: Option<String>,
    /// CSV: columns that become headers
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub header_columns: Vec<String>,
    /// Files: what the key of each is
    #[arg(long, value_enum, value_name = "WHAT")]
    pub key_from: Option<KeyFromName>,
    /// JSONL: send each record to the partition that it names
    #[arg(long, conflicts_with = "partition")]
    pub keep_partition: bool,
    /// JSONL: reject a record that went from a broker to a broker so often already, as in a loop of dead letters and redrives
    #[arg(long, value_name = "N", default_value = "5")]
    pub max_redrives: u32,
    /// Make messages for a test instead of reading any: {seq}, {uuid}, {now}, {rand:N} and {key} are filled in
    #[arg(long, value_name = "TEXT", requires = "count", conflicts_with_all = ["files", "resume", "key_delimiter"])]
    pub template: Option<OsString>,
    /// How many messages are made of --template
    #[arg(long, value_name = "N", requires = "template")]
    pub count: Option<u64>,
    /// The keys of the messages made of --template
    #[arg(long, value_name = "TEXT", requires = "template")]
    pub key_template: Option<OsString>,
    /// A header of every message (can be repeated)
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE")]
    pub headers: Vec<String>,
    /// The tag of every message that has none of its own (RocketMQ)
    #[arg(long)]
    pub tag: Option<String>,
    /// Stop reading at the first line that cannot be read, instead of rejecting it and going on
    #[arg(long)]
    pub strict: bool,
    /// Send a message once, however often it is given: key, header:NAME, json:/POINTER or column:NAME says what it is known by
    #[arg(long, value_name = "FIELD")]
    pub idempotency_key: Option<String>,
    /// How long an idempotency key is remembered
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration, requires = "idempotency_key")]
    pub dedupe_window: Duration,
    /// Read and judge the input and look at the topic, but send and store nothing
    #[arg(long, conflicts_with_all = ["resume", "receipts", "only_failed"])]
    pub dry_run: bool,
    /// No more messages than this: 500, 500/s, 30/m
    #[arg(long, value_name = "N")]
    pub rate: Option<String>,
    /// Reject messages longer than this
    #[arg(long, value_name = "BYTES", default_value = "16777216", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub max_message_bytes: u32,
}

/// How the input becomes messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum InputForm {
    /// One message a line
    #[default]
    Lines,
    /// One JSON record a line, as query-key writes them: key, value, headers, tag
    Jsonl,
    /// CSV whose first line names the columns
    Csv,
    /// Each FILE is one message
    Files,
}

/// What the key of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyFromName {
    /// Its name, without the directory
    Name,
}
