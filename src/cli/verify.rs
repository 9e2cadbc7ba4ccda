//! `mqsafe verify`.

use super::{BrokerArgs, Isolation, duration};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// What was typed after `verify`.
#[derive(Debug, Args)]
#[command(
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 no anomaly, 1 anomalies, 3 something could not be read, is not drained, or nothing is stamped.\n\n\
Examples:\n  mqsafe verify -b localhost:9092 -t orders\n  mqsafe verify -b localhost:9092 -t orders --journal ~/.local/state/mqsafe/spool\n  \
mqsafe verify -b localhost:9092 -t orders --deny duplicate,reordered --format json\n  \
mqsafe verify -b localhost:9092 -t orders -p 0-31 --state a.state\n  mqsafe verify merge a.state b.state"
)]
pub struct VerifyArgs {
    /// Another thing than to read a topic.
    #[command(subcommand)]
    pub action: Option<VerifyAction>,
    /// Which broker.
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// The topic (Kafka, RocketMQ) or queue (RabbitMQ)
    #[arg(short, long, required = true)]
    pub topic: Option<String>,
    /// Only these partitions: 0,2,5-7
    #[arg(short, long, value_name = "LIST")]
    pub partitions: Option<String>,
    /// Whether messages of open or aborted transactions count
    #[arg(long, value_enum, default_value_t)]
    pub isolation: Isolation,
    /// Keep what was read in this file, and go on from there if it exists; `verify merge` joins several
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// How often --state is written while the reading goes on
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s", requires = "state")]
    pub state_every: Duration,
    /// What is known of gaps may take so many MiB; more goes to a file in the directory for temporary files (TMPDIR)
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..))]
    pub memory: u64,
    /// Kafka: read as a member of this group, which divides the partitions among all that name it; `verify merge` joins their
    /// states. The group must be for this alone: how far it has read is committed to it
    #[arg(long, value_name = "NAME", requires = "state", conflicts_with_all = ["partitions", "follow", "tap", "drain", "pid", "journal", "against", "groups", "expect"])]
    pub group: Option<String>,
    /// How a queue of RabbitMQ is read.
    #[command(flatten)]
    pub queue: QueueArgs,
    /// What it is compared with.
    #[command(flatten)]
    pub truth: TruthArgs,
    /// Go on when the end is reached, until Ctrl-C
    #[arg(long, conflicts_with_all = ["against", "expect"])]
    pub follow: bool,
    /// With --follow: serve what is seen as Prometheus text at http://ADDR/metrics, as 127.0.0.1:9464. Whoever reaches it may read it
    #[arg(long, value_name = "ADDR", requires = "follow")]
    pub metrics: Option<String>,
    /// With --follow: a number that is missing for less than this is late, and not yet called missing
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    pub late_after: Duration,
    /// How it is judged.
    #[command(flatten)]
    pub judge: JudgeArgs,
}

/// How a queue of RabbitMQ that keeps no history is read.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Queues of RabbitMQ")]
pub struct QueueArgs {
    /// Watch what is routed to the queue from now on, by a private queue with the same bindings; needs --management
    #[arg(long, conflicts_with_all = ["drain", "follow", "state", "journal"])]
    pub tap: bool,
    /// How long --tap watches; until Ctrl-C otherwise
    #[arg(long = "for", value_name = "TIME", value_parser = duration, requires = "tap")]
    pub watch: Option<Duration>,
    /// Consume what waits in the queue: THE MESSAGES ARE GONE from it. Each is acknowledged after its number is in --state
    #[arg(long, requires = "state", conflicts_with = "follow")]
    pub drain: bool,
    /// With --drain: nobody else has ever consumed from the queue, so that what is not there is missing
    #[arg(long, requires = "drain")]
    pub alone: bool,
    /// Agree to --drain
    #[arg(long, requires = "drain")]
    pub yes: bool,
}

/// What may be done besides reading a topic.
#[derive(Debug, Subcommand)]
pub enum VerifyAction {
    /// One verdict from the states that several readers kept, each of some partitions or of some time
    Merge(MergeArgs),
}

/// What was typed after `verify merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The files that `verify --state` wrote
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Also write what they say together as a state
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// What is known of gaps may take so many MiB; more goes to a file in the directory for temporary files (TMPDIR)
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..))]
    pub memory: u64,
    /// The sender's journal: a spool, or a directory of spools
    #[arg(long, value_name = "DIR")]
    pub journal: Vec<PathBuf>,
    /// How it is judged.
    #[command(flatten)]
    pub judge: JudgeArgs,
}

/// What the topic is compared with.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Compared with")]
pub struct TruthArgs {
    /// The sender's journal: a spool, or a directory of spools. Only with it can a message be called lost
    #[arg(long, value_name = "DIR")]
    pub journal: Vec<PathBuf>,
    /// Business ids from a CSV, JSONL or plain file, one a line: which are missing, unexpected, there more than once
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    /// The column (CSV) or field (JSONL) of --expect that holds the id
    #[arg(long, value_name = "NAME", requires = "expect")]
    pub column: Option<String>,
    /// Where a message has its business id: key, key:REGEX, value, value:REGEX, header:NAME or json:/POINTER
    #[arg(long, value_name = "FIELD", default_value = "key")]
    pub id_from: String,
    /// Kafka's own numbers of producers, from the headers of batches: works where nothing is stamped
    #[arg(long, conflicts_with_all = ["seq_from", "expect", "against", "state", "journal"])]
    pub pid: bool,
    /// A copy of the topic: the same messages must be there, by their ids; @CONTEXT/TOPIC is at another broker
    #[arg(long, value_name = "TOPIC")]
    pub against: Option<String>,
    /// The broker of --against, if it is another
    #[arg(long, value_name = "URL", requires = "against")]
    pub against_broker: Option<String>,
    /// Where another stamp has its number: key:REGEX, value, value:REGEX, header:NAME, json:/POINTER, or body:int32@0 for four bytes of
    /// the payload from its first on, as PerfTest writes them (also int16, int64, uint32 and so on; int32le: the lowest byte first)
    #[arg(long, value_name = "FIELD", conflicts_with = "against")]
    pub seq_from: Option<String>,
    /// Where another stamp has its sender
    #[arg(long, value_name = "FIELD", requires = "seq_from")]
    pub producer_from: Option<String>,
    /// Where these consumer groups stand: what is stored and not consumed, and what of it lies in dead-letter topics; with receipts, also
    /// what a group has skipped: committed beyond without a receipt
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with = "pid")]
    pub groups: Vec<String>,
    /// What was consumed: a file of ids (SEQ PRODUCER LANE, one a line), as a consumer wrote them
    #[arg(long, value_name = "FILE", conflicts_with = "pid")]
    pub receipts: Option<PathBuf>,
    /// The same from a topic or queue of the same broker: one id a line in each message, as JSON with an "id", or the check messages
    /// of `send --check-topic`
    #[arg(long, value_name = "TOPIC", conflicts_with = "pid")]
    pub receipts_topic: Option<String>,
    /// Note in the spools of --journal what was consumed, and put back what was not consumed in time: `spool flush` sends it again.
    /// Only messages that were sent with --await-consumed are still there to be sent
    #[arg(long, requires = "journal", conflicts_with_all = ["pid", "follow"])]
    pub resend: bool,
}

/// How it is judged and written.
#[derive(Debug, Args)]
pub struct JudgeArgs {
    /// Also call these anomalies: exit 1
    #[arg(long, value_enum, value_delimiter = ',', value_name = "LIST")]
    pub deny: Vec<Deny>,
    /// Do not call these anomalies
    #[arg(long, value_enum, value_delimiter = ',', value_name = "LIST")]
    pub allow: Vec<Allow>,
    /// What is an anomaly for this kind of work: finance denies duplicates and reordering too, logs tolerates --max-loss
    #[arg(long, value_enum, value_name = "NAME")]
    pub profile: Option<VerifyProfile>,
    /// With --profile logs: the share of messages that may be missing, as 0.01%
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub max_loss: Option<f64>,
    /// How the verdict is written
    #[arg(long, value_enum, default_value_t)]
    pub format: VerifyFormat,
    /// Also write what is missing, and what excludes every other reason, as Markdown for a ticket
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
}

fn percent(text: &str) -> Result<f64, String> {
    let bad = || "write it as 0.01%".to_owned();
    let number = text.trim().strip_suffix('%').ok_or_else(bad)?;
    let percent: f64 = number.trim().parse().map_err(|_| bad())?;
    match (0.0..=100.0).contains(&percent) {
        true => Ok(percent / 100.0),
        false => Err(bad()),
    }
}

/// What may be called an anomaly besides what is lost, missing or corrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Deny {
    /// One id at two positions of its lane
    Duplicate,
    /// A number read after a larger one of its lane
    Reordered,
    /// A stamp read outside its lane
    Moved,
}

/// What need not be called an anomaly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Allow {
    /// Missing, with no journal to say whether it was acknowledged
    Gap,
    /// A stamp that cannot be read
    Corrupt,
    /// Handed to a reader of committed messages although aborted
    AbortedRead,
    /// One id at two positions of its lane
    Duplicate,
    /// A number read after a larger one of its lane
    Reordered,
    /// A stamp read outside its lane
    Moved,
}

/// What is an anomaly for a kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VerifyProfile {
    /// Nothing may be missing, there twice, or out of order
    Finance,
    /// Nothing may be missing
    Orders,
    /// A stated share may be missing
    Logs,
}

/// How the verdict is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum VerifyFormat {
    /// A table
    #[default]
    Human,
    /// One JSON object (mqsafe.verify/1)
    Json,
    /// JUnit XML: one test case for each kind of anomaly and each lane that has one
    Junit,
    /// Markdown for a ticket
    Markdown,
}
