//! `mqsafe query-key`.

use super::{BrokerArgs, Isolation};
use clap::{Args, ValueEnum};
use std::ffi::OsString;

/// What was typed after `query-key`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 found, 1 not found and everything was read, 3 not found and something was not read.\n\n\
Examples:\n  mqsafe query-key -b localhost:9092 -t orders 123\n  mqsafe query-key -b localhost:9092 -t orders --format jsonl 123 > hits.jsonl"
)]
pub struct QueryKeyArgs {
    /// Which broker.
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// The topic (Kafka, RocketMQ) or queue (RabbitMQ)
    #[arg(short, long)]
    pub topic: String,
    /// The key, byte for byte
    pub key: OsString,
    /// Only these partitions: 0,2,5-7
    #[arg(short, long, value_name = "LIST")]
    pub partitions: Option<String>,
    /// Whether messages of open or aborted transactions count
    #[arg(long, value_enum, default_value_t)]
    pub isolation: Isolation,
    /// Fetch the messages of a RabbitMQ queue that keeps no history, and put them back: they are marked as redelivered,
    /// their order may change, and quorum queues count it as a delivery
    #[arg(long)]
    pub peek: bool,
    /// How messages are written
    #[arg(long, value_enum, default_value_t)]
    pub format: QueryFormat,
}

/// How found messages are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum QueryFormat {
    /// For people
    #[default]
    Human,
    /// One JSON object a line: the records, then the summary (mqsafe.query/1)
    Jsonl,
    /// One JSON object (mqsafe.query/1)
    Json,
}
