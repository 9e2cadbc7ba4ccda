//! `mqsafe query-key`.

use super::{BrokerArgs, Isolation, PartitionerArg, duration};
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What was typed after `query-key`.
#[derive(Debug, Args)]
#[command(
    after_help = "What is given of one kind of condition together with another must all hold; of several keys one is enough.\n\
A time is RFC 3339, a date, now-2h, -48h, or milliseconds since the epoch.\n\n\
Exit codes: 0 found, 1 not found and everything was read, 3 not found and something was not read.\n\n\
Examples:\n  mqsafe query-key -b localhost:9092 -t orders 123\n  mqsafe query-key -b localhost:9092 -t orders --format jsonl 123 > hits.jsonl\n  \
mqsafe query-key -b localhost:9092 -t orders --since -2h --json /order/id=123\n  \
mqsafe query-key -b localhost:9092 -t orders --journey 123\n  \
mqsafe query-key -b localhost:9092 -t orders.DLQ --all --format jsonl > letters.jsonl\n  \
mqsafe send -b localhost:9092 -t orders --input jsonl letters.jsonl"
)]
pub struct QueryKeyArgs {
    /// Which broker.
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// The topic (Kafka, RocketMQ) or queue (RabbitMQ)
    #[arg(short, long)]
    pub topic: String,
    /// What is looked for.
    #[command(flatten)]
    pub what: WhatArgs,
    /// Where it is looked for.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// What follows a hit.
    #[command(flatten)]
    pub follow: FollowArgs,
    /// How messages are written
    #[arg(long, value_enum, default_value_t)]
    pub format: QueryFormat,
    /// Write the payloads alone, as they are, each with an end of line; with -0 each with a NUL
    #[arg(long, conflicts_with = "format")]
    pub raw: bool,
}

/// What is looked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "What")]
pub struct WhatArgs {
    /// The keys, byte for byte; one of them is enough
    #[arg(value_name = "KEY")]
    pub keys: Vec<OsString>,
    /// Keys from a file, one a line; - is standard input
    #[arg(long, value_name = "FILE")]
    pub keys_file: Option<PathBuf>,
    /// The keys of --keys-file end with a NUL, and so do the payloads of --raw
    #[arg(short = '0', long)]
    pub null: bool,
    /// KEY and the lines of --keys-file are base64
    #[arg(long)]
    pub base64: bool,
    /// Messages without a key
    #[arg(long)]
    pub no_key: bool,
    /// Keys that match this shell pattern (can be repeated)
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub glob: Vec<String>,
    /// Keys in which this regular expression is found (can be repeated)
    #[arg(long, value_name = "REGEX", allow_hyphen_values = true)]
    pub regex: Vec<String>,
    /// Where the key is: header:NAME, json:/POINTER or property:NAME
    #[arg(long, value_name = "FIELD")]
    pub key_from: Option<String>,
    /// The message id (RabbitMQ), or the unique key or offset id (RocketMQ)
    #[arg(long, value_name = "ID")]
    pub id: Vec<String>,
    /// A header with this value (can be repeated; all must hold)
    #[arg(short = 'H', long, value_name = "NAME=VALUE")]
    pub header: Vec<OsString>,
    /// A field of a JSON payload with this value (can be repeated; all must hold)
    #[arg(long, value_name = "/POINTER=VALUE")]
    pub json: Vec<String>,
    /// Payloads that hold this text (can be repeated; all must hold)
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub value_contains: Vec<OsString>,
    /// Every message of the window
    #[arg(long, conflicts_with_all = ["keys", "keys_file", "no_key", "glob", "regex", "id", "header", "json", "value_contains", "key_from"])]
    pub all: bool,
}

/// Where it is looked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where")]
pub struct PlaceArgs {
    /// Only these partitions: 0,2,5-7
    #[arg(short, long, value_name = "LIST")]
    pub partitions: Option<String>,
    /// Only messages of this time and later
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Only messages before this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Read each partition from its end backwards, which finds a recent message at once
    #[arg(long)]
    pub newest_first: bool,
    /// Stop after so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Read only partitions where a known client would have put the key (murmur2, crc32 or fnv1a)
    #[arg(long)]
    pub pruned: bool,
    /// Read only the partition where this client would have put the key
    #[arg(long, value_enum, value_name = "CLIENT", conflicts_with = "pruned")]
    pub partitioner: Option<PartitionerArg>,
    /// How many partitions the topic had before: 4,8
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = clap::value_parser!(i32).range(1..=100_000))]
    pub partition_counts: Vec<i32>,
    /// Whether messages of open or aborted transactions count
    #[arg(long, value_enum, default_value_t)]
    pub isolation: Isolation,
    /// RocketMQ: believe the brokers' index of keys when it finds nothing, instead of reading the queues
    #[arg(long, conflicts_with = "exhaustive")]
    pub index_only: bool,
    /// RocketMQ: read the queues also when the brokers' index of keys found the key
    #[arg(long)]
    pub exhaustive: bool,
    /// Fetch the messages of a RabbitMQ queue that keeps no history, and put them back: they are marked as redelivered,
    /// their order may change, and quorum queues count it as a delivery
    #[arg(long)]
    pub peek: bool,
    /// Agree to --peek where messages can be dropped for it: a queue with a delivery limit
    #[arg(long, requires = "peek")]
    pub yes: bool,
    /// RabbitMQ: watch what is routed to the queue from now on, by a private queue with the same bindings
    #[arg(long, conflicts_with_all = ["peek", "since", "until", "newest_first"])]
    pub tap: bool,
    /// How long --tap watches; until Ctrl-C or --limit otherwise
    #[arg(long = "for", value_name = "TIME", value_parser = duration, requires = "tap")]
    pub watch: Option<Duration>,
}

/// What follows a hit.
#[derive(Debug, Args)]
#[command(next_help_heading = "Follow")]
pub struct FollowArgs {
    /// Follow each hit: who consumed it, its copies in dead-letter and retry topics, the messages before and after it
    #[arg(long, conflicts_with_all = ["raw", "tap", "all"])]
    pub journey: bool,
    /// With --journey: look there too (can be repeated); @CONTEXT/TOPIC is a topic of another broker
    #[arg(long, value_name = "TOPIC", requires = "journey")]
    pub also: Vec<String>,
}

/// How found messages are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum QueryFormat {
    /// For people
    #[default]
    Human,
    /// One JSON object a line: the records, then the summary with a hash of the lines before it (mqsafe.query/1)
    Jsonl,
    /// One JSON object (mqsafe.query/1)
    Json,
}
