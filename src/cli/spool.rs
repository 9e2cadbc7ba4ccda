//! `mqsafe spool`.

use super::{SettingArgs, SpoolArgs, duration};
use clap::{Args, Subcommand, ValueEnum};
use std::time::Duration;

/// What was typed after `spool`.
#[derive(Debug, Args)]
pub struct SpoolCommand {
    /// What to do with it.
    #[command(subcommand)]
    pub action: SpoolAction,
}

/// What can be done with a spool.
#[derive(Debug, Subcommand)]
pub enum SpoolAction {
    /// Deliver everything that waits
    #[command(
        after_help = "Example:\n  mqsafe spool flush    # exit 0 when nothing waits any more, 4 when something still does"
    )]
    Flush {
        /// Which spool; by default every store of this user.
        #[command(flatten)]
        spool: SpoolArgs,
        /// How to connect; without -C by the context of each message's broker.
        #[command(flatten)]
        settings: SettingArgs,
        /// How long the broker may take to answer for the first time
        #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
        connect_timeout: Duration,
        /// How long to go on without any message being confirmed
        #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
        delivery_timeout: Duration,
        /// How long the first Ctrl-C waits for what is in flight
        #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
        grace: Duration,
    },
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

/// How figures are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum StatsFormat {
    /// A table
    #[default]
    Human,
    /// One JSON object (mqsafe.spool/1)
    Json,
}
