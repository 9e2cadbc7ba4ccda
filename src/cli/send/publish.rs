//! How `send` publishes.

use crate::model::{Acks, Create, KeyHash};
use clap::{Args, ValueEnum};

/// What is asked of the broker.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Publishing")]
pub struct PublishArgs {
    /// The partition (Kafka) or queue id (RocketMQ); by default it is chosen by key as Kafka's Java client does
    #[arg(short, long, conflicts_with = "partitioner")]
    pub partition: Option<i32>,

    // Kafka's own, and what RocketMQ and RabbitMQ share with it.
    /// As which client the partition is chosen by key: murmur2 as Java's, crc32 as librdkafka's and kcat's, fnv1a as Sarama's
    #[arg(long, value_name = "HASH")]
    pub partitioner: Option<PartitionerArg>,
    /// Who must have a message before it counts as stored (Kafka); all in-sync replicas unless less is asked for, and 0 only with
    /// --no-spool
    #[arg(long, value_name = "WHO", default_value = "all")]
    pub acks: AcksArg,
    /// Make the topic (or queue) when it is not there, with so many partitions and replicas or the broker's own default
    #[arg(
        long,
        value_name = "PARTITIONS[xREPLICAS]",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        value_parser = create
    )]
    pub create_topic: Option<Create>,

    /// Publish also to a queue or exchange that does not survive a restart of the broker; that is looked at with --management
    #[arg(long, help_heading = "Publishing (RabbitMQ)")]
    pub allow_transient: bool,
    /// Send one message after the other, so that no resend overtakes. Each costs a round trip and the broker's write to its disk:
    /// some hundred messages a second instead of some ten thousand. The other brokers' lanes keep their order anyway
    #[arg(long, help_heading = "Publishing (RabbitMQ)")]
    pub ordered: bool,
    /// What a lane is, in which messages are numbered and `verify` finds gaps: key for each routing key, exchange for all of an
    /// exchange, where each message has a routing key of its own
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "key",
        conflicts_with = "partition",
        help_heading = "Publishing (RabbitMQ)"
    )]
    pub lane: LaneArg,
    /// Publish in AMQP transactions, up to 500 messages each, instead of with confirms. Slow: nothing is sent while a commit is
    /// awaited, and a commit that is lost leaves all its messages in doubt
    #[arg(long, help_heading = "Publishing (RabbitMQ)")]
    pub tx: bool,
}

/// A hash by which keys are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PartitionerArg {
    /// Kafka's Java client
    Murmur2,
    /// librdkafka (consistent_random), kcat
    Crc32,
    /// Sarama (Go)
    Fnv1a,
}

/// What a lane of RabbitMQ is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LaneArg {
    /// An exchange and a routing key
    Key,
    /// An exchange
    Exchange,
}

/// How much an acknowledgement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AcksArg {
    /// All in-sync replicas
    All,
    /// The leader's page cache
    #[value(name = "1")]
    One,
    /// Nobody
    #[value(name = "0")]
    Zero,
}

impl From<PartitionerArg> for KeyHash {
    fn from(arg: PartitionerArg) -> KeyHash {
        match arg {
            PartitionerArg::Murmur2 => KeyHash::Murmur2,
            PartitionerArg::Crc32 => KeyHash::Crc32,
            PartitionerArg::Fnv1a => KeyHash::Fnv1a,
        }
    }
}

impl From<AcksArg> for Acks {
    fn from(acks: AcksArg) -> Acks {
        match acks {
            AcksArg::All => Acks::All,
            AcksArg::One => Acks::One,
            AcksArg::Zero => Acks::Zero,
        }
    }
}

/// `6x3`, `6`, or nothing for the broker's own default.
fn create(text: &str) -> Result<Create, String> {
    if text.is_empty() {
        return Ok(Create::default());
    }
    let bad = || "write PARTITIONS or PARTITIONSxREPLICAS, as 6 or 6x3".to_owned();
    let (partitions, replicas) = match text.split_once('x') {
        Some((partitions, replicas)) => (partitions, Some(replicas.parse().map_err(|_| bad())?)),
        None => (text, None),
    };
    let create = Create {
        partitions: Some(partitions.parse().map_err(|_| bad())?),
        replicas,
    };
    let is_positive = create.partitions > Some(0) && create.replicas.is_none_or(|n| n > 0);
    is_positive.then_some(create).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_and_replicas_are_read_or_left_to_the_broker() {
        let read = |text| create(text).map(|c| (c.partitions, c.replicas));
        assert_eq!(read(""), Ok((None, None)));
        assert_eq!(read("6"), Ok((Some(6), None)));
        assert_eq!(read("6x3"), Ok((Some(6), Some(3))));
        for bad in ["0", "x3", "6x", "6x0", "-1", "6X3", "6x3x1", "99999999999", "1x99999"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
