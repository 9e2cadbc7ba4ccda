//! How `send` publishes.

use clap::Args;

/// What is asked of the broker.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Publishing")]
pub struct PublishArgs {
    /// The partition (Kafka) or queue id (RocketMQ); by default it is chosen by key as Kafka's Java client does
    #[arg(short, long)]
    pub partition: Option<i32>,
}
