//! What was typed. Words only; no I/O.

mod audit;

pub use audit::{AuditArgs, AuditFormat, DialectName, FailOn};

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
    Audit(AuditArgs),
    /// Write shell completions and man pages
    #[command(hide = true)]
    Generate {
        /// The directory that receives them
        dir: PathBuf,
    },
}
