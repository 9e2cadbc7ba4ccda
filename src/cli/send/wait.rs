//! How long `send` waits, and for what.

use crate::cli::duration;
use clap::Args;
use std::time::Duration;

/// Times.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Waiting")]
pub struct WaitArgs {
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
    /// Keep each message after its confirmation until `spool ack` reports it as consumed, and call it overdue after this time
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "no_spool")]
    pub await_consumed: Option<Duration>,
}
