//! `mqsafe spool`.

use super::{PartitionerArg, SettingArgs, SpoolArgs, duration};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What was typed after `spool`.
#[derive(Debug, Args)]
#[command(
    after_help = "A message is named by its store and its number, as 0001/17; with --spool DIR of one store the number does."
)]
pub struct SpoolCommand {
    /// What to do with it.
    #[command(subcommand)]
    pub action: SpoolAction,
}

/// What can be done with a spool.
#[derive(Debug, Subcommand)]
pub enum SpoolAction {
    /// List what is kept, a line a message, and the journal of what was confirmed
    #[command(
        visible_alias = "list",
        after_help = "Examples:\n  mqsafe spool ls\n  mqsafe spool ls --state failed -t orders --format jsonl\n  \
mqsafe spool ls --state confirmed    # runs of numbers, with the position of the first"
    )]
    Ls(SpoolLsArgs),
    /// Show everything of one message
    Show(SpoolShowArgs),
    /// Deliver everything that waits
    #[command(
        after_help = "Examples:\n  mqsafe spool flush    # exit 0 when nothing waits any more, 4 when something still does\n  \
mqsafe spool flush --watch --every 3m --max-attempts 5 --on-failed -- notify-operator --queue orders"
    )]
    Flush(SpoolFlushArgs),
    /// Send again what failed, what nobody consumed, or what waits for a lane that is gone
    #[command(
        after_help = "Examples:\n  mqsafe spool retry 0001/17 && mqsafe spool flush\n  mqsafe spool retry --all-failed\n  \
mqsafe spool retry --relane    # after the topic was made again with fewer partitions"
    )]
    Retry(SpoolRetryArgs),
    /// Forget messages for good
    Drop(SpoolDropArgs),
    /// Write messages as JSON lines that `send --input jsonl` takes; nothing is removed
    Export(SpoolExportArgs),
    /// Note what consumers report as consumed or failed
    #[command(
        after_help = "A report is a JSON line {\"id\":{\"producer\":…,\"lane\":…,\"seq\":…},\"status\":\"consumed\"} or \
{…,\"status\":\"failed\",\"reason\":…}, or the text of the header mqsafe-id (SEQ PRODUCER LANE), which means consumed."
    )]
    Ack(SpoolAckArgs),
    /// Say how the local action of `send --exec` ended, when the run that started it could not
    #[command(
        after_help = "Examples:\n  mqsafe spool decide    # what has no decision\n  mqsafe spool decide 0001/17 commit && mqsafe spool flush\n  \
mqsafe spool decide 0001/17 --check -- has-order    # MQSAFE_EXEC_ID names it; exit 0 commit, 1 rollback"
    )]
    Decide(SpoolDecideArgs),
    /// Check a spool: exit 0 when it is in order, 1 when something is wrong, 3 when it cannot be read
    Fsck(SpoolFsckArgs),
    /// Say how much waits, failed and was confirmed
    Stats {
        /// Which spool; by default every store of this user.
        #[command(flatten)]
        spool: SpoolArgs,
        /// How it is written
        #[arg(long, value_enum, default_value_t)]
        format: StatsFormat,
    },
}

/// `spool ls`.
#[derive(Debug, Args)]
pub struct SpoolLsArgs {
    /// Which spool; by default every store of this user.
    #[command(flatten)]
    pub spool: SpoolArgs,
    /// Only these; by default whatever is kept with its body
    #[arg(long, value_enum)]
    pub state: Option<SpoolState>,
    /// Only messages to this topic, queue or exchange
    #[arg(short, long)]
    pub topic: Option<String>,
    /// Only messages with this key
    #[arg(short, long)]
    pub key: Option<OsString>,
    /// At most so many lines; by default 1000 for people and all for programs
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: SpoolListFormat,
}

/// `spool show`.
#[derive(Debug, Args)]
pub struct SpoolShowArgs {
    /// The message, as `ls` names it
    #[arg(value_name = "ID")]
    pub id: String,
    /// Which spool; by default every store of this user.
    #[command(flatten)]
    pub spool: SpoolArgs,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: StatsFormat,
}

/// `spool flush`.
#[derive(Debug, Args)]
pub struct SpoolFlushArgs {
    /// Which spool; by default every store of this user.
    #[command(flatten)]
    pub spool: SpoolArgs,
    /// How to connect; without -C by the context of each message's broker.
    #[command(flatten)]
    pub settings: SettingArgs,
    /// How long the broker may take to answer for the first time
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub connect_timeout: Duration,
    /// How long to go on without any message being confirmed
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub delivery_timeout: Duration,
    /// How long the first Ctrl-C waits for what is in flight
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub grace: Duration,
    /// Give a message up, as failed, after so many attempts at a broker that was there; by default it is never given up
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_attempts: Option<u32>,
    /// Where a copy of each message goes that fails for good, as `send --dead-letter`: the spool does not remember that it was asked
    /// for
    #[arg(long, value_name = "TARGET")]
    pub dead_letter: Option<String>,
    /// Where a check of each stored message goes, as `send --check-topic`: the spool does not remember that it was asked for
    #[arg(long, value_name = "TARGET")]
    pub check_topic: Option<String>,
    /// How long after a message was stored its check is sent, by a later `spool flush`
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration, requires = "check_topic")]
    pub check_after: Duration,
    /// Publish also to a queue or exchange that does not survive a restart of the broker (RabbitMQ), as `send --allow-transient`
    #[arg(long)]
    pub allow_transient: bool,
    /// Send one message after the other, so that no resend overtakes (RabbitMQ), as `send --ordered`
    #[arg(long)]
    pub ordered: bool,
    /// Go on, and deliver what waits every now and then, until stopped by Ctrl-C or TERM
    #[arg(long)]
    pub watch: bool,
    /// How long --watch rests between two rounds
    #[arg(long, value_name = "TIME", default_value = "3m", value_parser = duration, requires = "watch")]
    pub every: Duration,
    /// Run PROGRAM, with what stands after --, for each message that fails, with its JSON record on standard input
    #[arg(long, value_name = "PROGRAM", num_args = 0..=1)]
    pub on_failed: Option<Option<OsString>>,
    /// The program of --on-failed, or its arguments
    #[arg(last = true, value_name = "ARGS", requires = "on_failed")]
    pub command: Vec<OsString>,
}

/// `spool decide`.
#[derive(Debug, Args)]
pub struct SpoolDecideArgs {
    /// The action, as the list without an ID names it
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// How it ended
    #[arg(value_enum, requires = "id")]
    pub decision: Option<Decision>,
    /// Ask the program after --, which finds the name of the action in MQSAFE_EXEC_ID
    #[arg(long, requires = "id", conflicts_with = "decision")]
    pub check: bool,
    /// Which spool; by default every store of this user.
    #[command(flatten)]
    pub spool: SpoolArgs,
    /// The program of --check, and its arguments
    #[arg(last = true, value_name = "PROGRAM ARGS", requires = "check")]
    pub program: Vec<OsString>,
}

/// How a local action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Decision {
    /// It did its work: its messages are published
    Commit,
    /// It did not: its messages are kept as failed
    Rollback,
}

/// `spool retry`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").args(["ids", "all_failed", "unconsumed", "relane"]).required(true).multiple(true))]
pub struct SpoolRetryArgs {
    /// The messages, as `ls` names them
    #[arg(value_name = "ID", conflicts_with_all = ["all_failed", "unconsumed", "lanes"])]
    pub ids: Vec<String>,
    /// Every message that failed for good
    #[arg(long, conflicts_with = "unconsumed")]
    pub all_failed: bool,
    /// Every stored message that was not consumed in time, or whose consumer failed
    #[arg(long, conflicts_with = "relane")]
    pub unconsumed: bool,
    /// Give a new lane and number; without ID or --lane to what waits for lanes that the broker no longer has
    #[arg(long)]
    pub relane: bool,
    /// As which client the new lane is chosen by key: murmur2 as Kafka's Java client (the default), crc32 as librdkafka, fnv1a as
    /// Sarama; what the messages were sent with
    #[arg(long, value_name = "HASH", requires = "relane")]
    pub partitioner: Option<PartitionerArg>,
    /// Of what waits, the messages of this lane, as `ls` names it (can be repeated)
    #[arg(
        long = "lane",
        value_name = "LANE",
        requires = "relane",
        conflicts_with = "all_failed"
    )]
    pub lanes: Vec<String>,
    /// Also for messages that may be stored, although a duplicate under another number is possible then
    #[arg(long, requires = "relane")]
    pub force: bool,
    /// Which spool; by default every store of this user.
    #[command(flatten)]
    pub spool: SpoolArgs,
}

/// `spool drop`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").args(["ids", "all_failed"]).required(true))]
pub struct SpoolDropArgs {
    /// The messages, as `ls` names them
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Every message that failed for good
    #[arg(long)]
    pub all_failed: bool,
    /// Also messages that still wait, or whose consumption is awaited
    #[arg(long, conflicts_with = "all_failed")]
    pub force: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Which spool; by default every store of this user.
    #[command(flatten)]
    pub spool: SpoolArgs,
}

/// `spool export`.
#[derive(Debug, Args)]
pub struct SpoolExportArgs {
    /// The messages, as `ls` names them
    #[arg(value_name = "ID", conflicts_with = "state")]
    pub ids: Vec<String>,
    /// Only these; by default what waits and what failed
    #[arg(long, value_enum)]
    pub state: Option<SpoolBodyState>,
    /// A file that is not there yet; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// Which spool; by default every store of this user.
    #[command(flatten)]
    pub spool: SpoolArgs,
}

/// `spool ack`.
#[derive(Debug, Args)]
pub struct SpoolAckArgs {
    /// The reports, one a line: a file, or - for standard input; with -b the topic or queue that holds them, each message one or more
    #[arg(long, value_name = "RECEIPTS")]
    pub from: PathBuf,
    /// The broker of that topic or queue. It is read to its end, and nothing is changed there
    #[arg(short, long, value_name = "URL")]
    pub broker: Option<String>,
    /// How to connect to it.
    #[command(flatten)]
    pub settings: SettingArgs,
    /// Fetch from a queue that keeps no history and put everything back, which its consumers can notice (RabbitMQ)
    #[arg(long, requires = "broker")]
    pub peek: bool,
    /// Which spool; by default every store of this user.
    #[command(flatten)]
    pub spool: SpoolArgs,
}

/// `spool fsck`.
#[derive(Debug, Args)]
pub struct SpoolFsckArgs {
    /// Which spool; by default every store of this user.
    #[command(flatten)]
    pub spool: SpoolArgs,
    /// Let the database mend its file, after a copy of it was made beside it
    #[arg(long)]
    pub repair: bool,
}

/// Where a message can stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SpoolState {
    /// Waits for its confirmation
    Pending,
    /// Refused for good, or given up
    Failed,
    /// Confirmed: runs of numbers for each lane
    Confirmed,
    /// Confirmed, and not yet reported as consumed
    Awaiting,
    /// Waits for its time, as the check of a confirmed message does
    Scheduled,
    /// Belongs to a local action or a transaction whose end is not known
    Undecided,
    /// All of them
    All,
}

/// Where a message can stand that is kept with its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SpoolBodyState {
    /// Waits for its confirmation
    Pending,
    /// Refused for good, or given up
    Failed,
    /// Confirmed, and not yet reported as consumed
    Awaiting,
    /// All of them
    All,
}

/// How a list is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SpoolListFormat {
    /// A table
    #[default]
    Human,
    /// One JSON object
    Json,
    /// One JSON object a line
    Jsonl,
}

/// How figures are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum StatsFormat {
    /// A table
    #[default]
    Human,
    /// One JSON object
    Json,
}
