//! What was typed. Words only; no I/O.

mod audit;
#[cfg(feature = "broker")]
mod broker;
#[cfg(feature = "broker")]
mod context;
#[cfg(feature = "kafka")]
mod drill;
#[cfg(feature = "broker")]
mod query_key;
#[cfg(feature = "broker")]
mod send;
#[cfg(feature = "broker")]
mod spool;
#[cfg(feature = "broker")]
mod verify;

#[cfg(feature = "broker")]
pub use audit::LiveArgs;
pub use audit::{AuditArgs, AuditFormat, ClientName, DialectName, FailOn};
#[cfg(feature = "kafka")]
pub use drill::{CarelessArgs, DrillArgs, DrillFormat, DrillRun, Habit};
#[cfg(feature = "broker")]
pub use {
    broker::{BrokerArgs, SettingArgs},
    context::{ContextAction, ContextCommand, ContextFormat, Tool},
    query_key::{PlaceArgs, QueryFormat, QueryKeyArgs, WhatArgs},
    send::{
        AcksArg, AfterArgs, InputArgs, InputForm, KeyFromName, LaneArg, PartitionerArg, PublishArgs, SendArgs,
        SpoolArgs, WaitArgs,
    },
    spool::{
        Decision, SpoolAckArgs, SpoolAction, SpoolBodyState, SpoolCommand, SpoolDecideArgs, SpoolDropArgs,
        SpoolExportArgs, SpoolFlushArgs, SpoolFsckArgs, SpoolListFormat, SpoolLsArgs, SpoolRetryArgs, SpoolShowArgs,
        SpoolState, StatsFormat,
    },
    verify::{
        Allow, Deny, JudgeArgs, MergeArgs, QueueArgs, TruthArgs, VerifyAction, VerifyArgs, VerifyFormat, VerifyProfile,
    },
};

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Makes message loss visible and preventable on Apache Kafka, RabbitMQ and Apache RocketMQ
#[derive(Debug, Parser)]
#[command(name = "mqsafe", version = crate::VERSION, propagate_version = false, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 good answer, 1 negative answer reliably known, 2 usage error, 3 unknown or incomplete, \
4 safe in the spool but not delivered, 130/143 interrupted."
)]
pub struct Cli {
    /// Options that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// When to use colour
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "MQSAFE_COLOR",
        hide_env_values = true
    )]
    pub color: Color,
    /// Show no progress bar and no progress lines
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// The answer only; twice: nothing but the exit code
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub quiet: u8,
    /// More about what is done; up to three times
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// How log lines look on stderr
    #[arg(long, global = true, value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// When colour is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Sentences
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Can this setup lose messages? Lints broker, topic and client configuration
    Audit(Box<AuditArgs>),
    /// Did it really get there? Publishes, waits for the confirmation, and never loses what it accepted
    #[cfg(feature = "broker")]
    Send(Box<SendArgs>),
    /// Where is the message of this key? Finds it, and says whether the whole place was searched
    #[cfg(feature = "broker")]
    QueryKey(Box<QueryKeyArgs>),
    /// Did we lose any? Reads the stamps and names every gap
    #[cfg(feature = "broker")]
    Verify(Box<VerifyArgs>),
    /// What waits for its confirmation
    #[cfg(feature = "broker")]
    Spool(SpoolCommand),
    /// Named connections, and whether they work
    #[cfg(feature = "broker")]
    Context(ContextCommand),
    /// See messages die, and not die: careless producers and `send`, under the same faults
    #[cfg(feature = "kafka")]
    Drill(DrillArgs),
    /// The careless application of a drill
    #[cfg(feature = "kafka")]
    #[command(hide = true)]
    DrillCareless(CarelessArgs),
    /// Write shell completions and man pages
    #[command(hide = true)]
    Generate {
        /// The directory that receives them
        dir: PathBuf,
    },
}

/// Which messages of transactions count.
#[cfg(feature = "broker")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Isolation {
    /// Only those of committed transactions
    #[default]
    #[value(name = "read_committed")]
    ReadCommitted,
    /// All that are in the log
    #[value(name = "read_uncommitted")]
    ReadUncommitted,
}

/// A length of time: `500ms`, `10s`, `2m`, `1h`, or a bare number of seconds.
#[cfg(feature = "broker")]
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(std::time::Duration::from_secs(seconds.into()));
    }
    let span: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "write it as 500ms, 10s, 2m or 1h".to_owned())?;
    span.try_into().map_err(|_| "a time cannot be negative".to_owned())
}
