//! `mqsafe send`.

use super::{BrokerArgs, duration};
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What was typed after `send`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  echo hello | mqsafe send -b kafka://localhost:9092 -t orders -k 123\n  \
mqsafe send -b localhost:9092 -t orders -K : --receipts receipts.jsonl orders.txt\n  \
mqsafe send -b localhost:9092 -t orders --resume orders.txt   # go on after a crash\n  \
mqsafe send -b amqps://shop@rabbit/sales -e orders -r paid -X sasl.password=env:PASSWORD orders.txt"
)]
pub struct SendArgs {
    /// Which broker.
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// The topic (Kafka, RocketMQ) or queue (RabbitMQ); it is never created by accident
    #[arg(short, long, required_unless_present = "exchange")]
    pub topic: Option<String>,
    /// The exchange to publish to (RabbitMQ)
    #[arg(short, long, conflicts_with = "topic")]
    pub exchange: Option<String>,
    /// The routing key to publish with (RabbitMQ)
    #[arg(short, long, requires = "exchange", value_name = "KEY")]
    pub routing_key: Option<String>,
    /// The key of every message
    #[arg(short, long, conflicts_with = "key_delimiter")]
    pub key: Option<OsString>,
    /// Split each line into key and value at the first DELIM
    #[arg(short = 'K', long, value_name = "DELIM")]
    pub key_delimiter: Option<OsString>,
    /// A header of every message (can be repeated)
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE")]
    pub headers: Vec<String>,
    /// The partition (Kafka) or queue id (RocketMQ); by default it is chosen by key as Kafka's Java client does
    #[arg(short, long)]
    pub partition: Option<i32>,
    /// One message a line; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
    /// Go on after the last accepted line of FILE
    #[arg(long)]
    pub resume: bool,
    /// Write what became of each message, one JSON object a line; - is standard output
    #[arg(long, value_name = "FILE")]
    pub receipts: Option<PathBuf>,
    /// Where messages wait until they are confirmed
    #[command(flatten)]
    pub spool: SpoolArgs,
    /// Send without a spool: what is not confirmed when this ends is not kept
    #[arg(long, conflicts_with_all = ["spool", "resume"])]
    pub no_spool: bool,
    /// How long the broker may take to answer for the first time
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub connect_timeout: Duration,
    /// How long to go on without any message being confirmed
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub delivery_timeout: Duration,
    /// How long the first Ctrl-C waits for what is in flight
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub grace: Duration,
    /// Reject lines longer than this
    #[arg(long, value_name = "BYTES", default_value = "16777216", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub max_message_bytes: u32,
}

/// Where the spool is.
#[derive(Debug, Clone, Args)]
pub struct SpoolArgs {
    /// The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user's state directory that no other
    /// process uses
    #[arg(long, value_name = "DIR")]
    pub spool: Option<PathBuf>,
}
