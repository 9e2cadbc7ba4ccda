//! `mqsafe drill`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What was typed after `drill`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mqsafe drill                                       # on a mock, nothing needs to be installed\n  \
mqsafe drill -b localhost:9092                     # on a real test cluster: what a client alone can lose\n  \
mqsafe drill -b localhost:9092 -- ./node           # and what brokers lose: runs `./node stop|cont|kill|restart BROKER-ID`"
)]
pub struct DrillArgs {
    /// A real test cluster; by default librdkafka's mock cluster runs inside this process
    #[arg(short, long, value_name = "URL")]
    pub broker: Option<String>,
    /// A client property for the cluster (can be repeated); secrets as KEY=@FILE or KEY=env:NAME
    #[arg(short = 'X', value_name = "KEY=VALUE", requires = "broker")]
    pub properties: Vec<String>,
    /// Messages in each run
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(100..=20_000))]
    pub messages: u64,
    /// Only this run (can be repeated)
    #[arg(long, value_enum, value_name = "RUN")]
    pub only: Vec<DrillRun>,
    /// Take one careless habit away and see the loss go with it (can be repeated)
    #[arg(long, value_enum, value_name = "HABIT")]
    pub without: Vec<Habit>,
    /// How the table is written
    #[arg(long, value_enum, default_value_t)]
    pub format: DrillFormat,
    /// A program, with arguments, that stops, continues, kills and restarts brokers of the test cluster
    #[arg(last = true, value_name = "PROGRAM", requires = "broker")]
    pub program: Vec<PathBuf>,
}

/// The runs of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DrillRun {
    /// message.timeout.ms shorter than an outage, and nobody reads the delivery reports
    ShortTimeout,
    /// retries=0, and nobody reads the delivery reports
    NoRetries,
    /// The process ends without a flush
    NoFlush,
    /// acks=1, and the leader dies before its followers have the message (real cluster)
    Acks1,
    /// min.insync.replicas=1 with unclean leader election (real cluster)
    Unclean,
    /// `mqsafe send` as it is
    Careful,
}

/// What a careless run leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Habit {
    /// message.timeout.ms back to its default
    ShortTimeout,
    /// retries back to their default
    NoRetries,
    /// acks back to all
    Acks1,
    /// Delivery reports are read, and what failed is sent again
    Unread,
    /// A flush before the exit
    NoFlush,
    /// min.insync.replicas=2
    MinIsr1,
    /// unclean.leader.election.enable=false
    Unclean,
}

/// How the table is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum DrillFormat {
    /// For people
    #[default]
    Human,
    /// One JSON object (mqsafe.drill/1)
    Json,
}

/// What the careless application of a drill is told. Not for people: it exists to lose messages.
#[derive(Debug, Args)]
pub struct CarelessArgs {
    /// The cluster.
    #[arg(long)]
    pub broker: String,
    /// A client property.
    #[arg(short = 'X')]
    pub properties: Vec<String>,
    /// The topic.
    #[arg(long)]
    pub topic: String,
    /// How many messages.
    #[arg(long)]
    pub messages: u64,
    /// What it leaves out.
    #[arg(long, value_enum)]
    pub habit: Vec<Habit>,
}
