//! What else belongs to a run of `send`: a local action before it, and what follows from each verdict.

use crate::cli::duration;
use clap::Args;
use std::ffi::OsString;
use std::time::Duration;

/// Before and after publishing.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Before and after")]
pub struct AfterArgs {
    /// Run the program after -- once everything is in the spool, and publish only when it ends with exit 0
    #[arg(long, requires = "program", conflicts_with_all = ["no_spool", "resume", "dry_run", "idempotency_key"])]
    pub exec: bool,
    /// Publish the whole input in one Kafka transaction, once all of it is in the spool: readers of committed messages get all of it
    /// or nothing
    #[arg(long, conflicts_with_all = ["exec", "resume", "no_spool"])]
    pub transaction: bool,
    /// Where a copy of each message goes that failed for good, with the reason in its headers: a topic, a queue, or EXCHANGE|KEY
    #[arg(long, value_name = "TARGET", conflicts_with = "no_spool")]
    pub dead_letter: Option<String>,
    /// Where a check of each stored message goes, for a service that asks whether it was consumed: a topic, a queue, or EXCHANGE|KEY
    #[arg(long, value_name = "TARGET", conflicts_with = "no_spool")]
    pub check_topic: Option<String>,
    /// How long after a message was stored its check is sent, by `spool flush`
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration, requires = "check_topic")]
    pub check_after: Duration,
    /// Read back each acknowledged message and compare it (Kafka, RocketMQ, RabbitMQ streams)
    #[arg(long)]
    pub ensure: bool,
    /// The program of --exec, and its arguments; MQSAFE_EXEC_ID in its environment names what it does
    #[arg(last = true, value_name = "PROGRAM ARGS", requires = "exec")]
    pub program: Vec<OsString>,
}
