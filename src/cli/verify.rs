//! `mqsafe verify`.

use super::{BrokerArgs, Isolation};
use clap::{Args, ValueEnum};

/// What was typed after `verify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 no anomaly, 1 anomalies, 3 something could not be read, or nothing is stamped.\n\n\
Examples:\n  mqsafe verify -b localhost:9092 -t orders\n  mqsafe verify -b localhost:9092 -t orders --deny duplicate,reordered --format json"
)]
pub struct VerifyArgs {
    /// Which broker.
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// The topic
    #[arg(short, long)]
    pub topic: String,
    /// Only these partitions: 0,2,5-7
    #[arg(short, long, value_name = "LIST")]
    pub partitions: Option<String>,
    /// Also call these anomalies: exit 1
    #[arg(long, value_enum, value_delimiter = ',', value_name = "LIST")]
    pub deny: Vec<Deny>,
    /// Whether messages of open or aborted transactions count
    #[arg(long, value_enum, default_value_t)]
    pub isolation: Isolation,
    /// How the verdict is written
    #[arg(long, value_enum, default_value_t)]
    pub format: VerifyFormat,
}

/// What may be called an anomaly besides gaps and corrupt stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Deny {
    /// One id at two positions of its lane
    Duplicate,
    /// A number read after a larger one of its lane
    Reordered,
    /// A stamp read outside its lane
    Moved,
}

/// How the verdict is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum VerifyFormat {
    /// A table
    #[default]
    Human,
    /// One JSON object (mqsafe.verify/1)
    Json,
}
