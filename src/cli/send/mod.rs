//! `mqsafe send`.

mod after;
mod input;
mod publish;
mod wait;

pub use after::AfterArgs;
pub use input::{InputArgs, InputForm, KeyFromName};
pub use publish::{AcksArg, LaneArg, PartitionerArg, PublishArgs};
pub use wait::WaitArgs;

use super::BrokerArgs;
use clap::Args;
use std::path::PathBuf;

/// What was typed after `send`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  echo hello | mqsafe send -b kafka://localhost:9092 -t orders -k 123\n  \
mqsafe send -b localhost:9092 -t orders -K : --receipts receipts.jsonl orders.txt\n  \
mqsafe send -b localhost:9092 -t orders --resume orders.txt   # go on after a crash\n  \
mqsafe send -b localhost:9092 -t orders --input jsonl records.jsonl\n  \
mqsafe send -b localhost:9092 -t orders --input csv --key-column id orders.csv\n  \
mqsafe send -b localhost:9092 -t orders --only-failed receipts.jsonl orders.txt\n  \
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
    /// What becomes of the input.
    #[command(flatten)]
    pub input: InputArgs,
    /// How it is published.
    #[command(flatten)]
    pub publish: PublishArgs,
    /// How long it is waited for.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// What else belongs to it.
    #[command(flatten)]
    pub after: AfterArgs,
    /// Write what became of each message, one JSON object a line; - is standard output
    #[arg(long, value_name = "FILE")]
    pub receipts: Option<PathBuf>,
    /// Where messages wait until they are confirmed
    #[command(flatten)]
    pub spool: SpoolArgs,
    /// Send without a spool: what is not confirmed when this ends is not kept
    #[arg(long, conflicts_with_all = ["spool", "resume"])]
    pub no_spool: bool,
    /// Accept nothing more once the spool's file would grow beyond this; k, M and G are powers of 1024
    #[arg(long, value_name = "BYTES", conflicts_with = "no_spool")]
    pub spool_limit: Option<String>,
}

/// Where the spool is.
#[derive(Debug, Clone, Args)]
pub struct SpoolArgs {
    /// The directory of the spool, also from MQSAFE_SPOOL; by default a store below the user's state directory that no other
    /// process uses
    #[arg(long, value_name = "DIR")]
    pub spool: Option<PathBuf>,
}
