//! How `send` publishes.

use clap::Args;

/// What is asked of the broker.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Publishing")]
pub struct PublishArgs {
    /// The partition (Kafka) or queue id (RocketMQ); by default it is chosen by key as Kafka's Java client does
    #[arg(short, long)]
    pub partition: Option<i32>,

    /// Publish also to a queue or exchange that does not survive a restart of the broker; that is looked at with --management
    #[arg(long, help_heading = "Publishing (RabbitMQ)")]
    pub allow_transient: bool,
    /// Send one message after the other, so that no resend overtakes. Each costs a round trip and the broker's write to its disk:
    /// some hundred messages a second instead of some ten thousand. The other brokers' lanes keep their order anyway
    #[arg(long, help_heading = "Publishing (RabbitMQ)")]
    pub ordered: bool,
    /// Publish in AMQP transactions, up to 500 messages each, instead of with confirms. Slow: nothing is sent while a commit is
    /// awaited, and a commit that is lost leaves all its messages in doubt
    #[arg(long, help_heading = "Publishing (RabbitMQ)")]
    pub tx: bool,
}
