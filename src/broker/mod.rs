//! The brokers: one folder each, the only users of client crates. They implement the traits of `model`.
//!
//! No answer of a client is taken for good by a wildcard: whatever is not recognised is in doubt.

#![deny(clippy::wildcard_enum_match_arm)]

#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "rabbitmq")]
pub mod rabbitmq;
#[cfg(feature = "rocketmq")]
pub mod rocketmq;

mod tls;

use crate::audit::live::{Observation, Wanted};
use crate::connect::{BrokerKind, Connection};
use crate::model::{Endpoint, Follow, How, Member, Problem, Result, Scan, Step};
use std::sync::Arc;
use std::time::Duration;

/// One topic (Kafka, RocketMQ), or one queue or exchange with its routing key (RabbitMQ, as `EXCHANGE|KEY`), to publish to.
/// Nothing is connected yet.
///
/// # Errors
/// A usage problem when the name cannot be one of this broker, or the client refuses a property.
pub fn endpoint(connection: &Connection, topic: &str, how: How) -> Result<Arc<dyn Endpoint>> {
    if how.amqp_tx || how.allow_transient {
        only_rabbitmq(
            connection.url.kind(),
            if how.amqp_tx { "--tx" } else { "--allow-transient" },
        )?;
    }
    match connection.url.kind() {
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka => {
            let target = kafka::KafkaTarget::new(connection, topic)?;
            Ok(Arc::new(kafka::KafkaEndpoint::new(target)?.publishing(how)))
        }
        #[cfg(feature = "rabbitmq")]
        BrokerKind::RabbitMq => Ok(Arc::new(
            rabbitmq::RabbitEndpoint::new(connection, topic)?.publishing(how)?,
        )),
        #[cfg(feature = "rocketmq")]
        BrokerKind::RocketMq => Ok(Arc::new(
            rocketmq::RocketEndpoint::new(connection, topic)?.publishing(how),
        )),
        #[allow(unreachable_patterns, reason = "reached where a feature is left out")]
        kind => Err(left_out(kind)),
    }
}

/// Refuses what only RabbitMQ has, instead of leaving it out unsaid.
fn only_rabbitmq(kind: BrokerKind, flag: &str) -> Result<()> {
    match kind {
        BrokerKind::RabbitMq => Ok(()),
        BrokerKind::Kafka | BrokerKind::RocketMq => {
            Err(Problem::usage(format!("{} has no {flag}", kind.name())).next("leave it out; it is for RabbitMQ"))
        }
    }
}

/// One topic (Kafka, RocketMQ) or queue (RabbitMQ) to read. Nothing is connected yet.
///
/// # Errors
/// As [`endpoint`].
pub fn scan(connection: &Connection, topic: &str) -> Result<Box<dyn Scan>> {
    match connection.url.kind() {
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka => Ok(Box::new(kafka::KafkaScan::new(kafka::KafkaTarget::new(
            connection, topic,
        )?)?)),
        #[cfg(feature = "rabbitmq")]
        BrokerKind::RabbitMq => Ok(Box::new(rabbitmq::RabbitScan::new(connection, topic)?)),
        #[cfg(feature = "rocketmq")]
        BrokerKind::RocketMq => Ok(Box::new(rocketmq::RocketScan::new(connection, topic)?)),
        #[allow(unreachable_patterns, reason = "reached where a feature is left out")]
        kind => Err(left_out(kind)),
    }
}

/// A queue of RabbitMQ that is watched for so long, or until the visitor ends it. Nothing is connected yet.
///
/// # Errors
/// A usage problem when the broker is another, or does not tell the bindings of the queue.
pub fn tap(connection: &Connection, topic: &str, watch: Option<Duration>) -> Result<Box<dyn Scan>> {
    only_rabbitmq(connection.url.kind(), "--tap")?;
    #[cfg(feature = "rabbitmq")]
    return Ok(Box::new(rabbitmq::RabbitTap::new(connection, topic, watch)?));
    #[cfg(not(feature = "rabbitmq"))]
    {
        let _ = (topic, watch);
        Err(left_out(connection.url.kind()))
    }
}

/// A queue of RabbitMQ that is emptied: what is read is gone from it. `is_alone` is the user's word that nobody else has consumed from
/// it. Nothing is connected yet.
///
/// # Errors
/// A usage problem when the broker is another.
pub fn drain(connection: &Connection, topic: &str, is_alone: bool) -> Result<Box<dyn Scan>> {
    only_rabbitmq(connection.url.kind(), "--drain")?;
    #[cfg(feature = "rabbitmq")]
    return Ok(Box::new(rabbitmq::RabbitDrain::new(connection, topic, is_alone)?));
    #[cfg(not(feature = "rabbitmq"))]
    {
        let _ = (topic, is_alone);
        Err(left_out(connection.url.kind()))
    }
}

/// A member of a group of Kafka that reads a topic together with others. Nothing is connected yet.
///
/// # Errors
/// A usage problem when the broker is another.
pub fn member(connection: &Connection, topic: &str, group: &str) -> Result<Box<dyn Member>> {
    match connection.url.kind() {
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka => Ok(Box::new(kafka::KafkaMember::new(connection, topic, group)?)),
        kind => {
            let _ = (topic, group);
            Err(Problem::usage(format!("{} has no --group", kind.name()))
                .because("only Kafka divides the partitions among the members of a group")
                .next("give each reader some partitions with -p"))
        }
    }
}

/// One topic or queue whose readers can be asked for. Nothing is connected yet.
///
/// # Errors
/// As [`endpoint`].
pub fn follow(connection: &Connection, topic: &str) -> Result<Box<dyn Follow>> {
    match connection.url.kind() {
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka => Ok(Box::new(kafka::KafkaFollow::new(connection, topic)?)),
        #[cfg(feature = "rabbitmq")]
        BrokerKind::RabbitMq => Ok(Box::new(rabbitmq::RabbitFollow::new(connection, topic)?)),
        #[cfg(feature = "rocketmq")]
        BrokerKind::RocketMq => Ok(Box::new(rocketmq::RocketFollow::new(connection, topic)?)),
        #[allow(unreachable_patterns, reason = "reached where a feature is left out")]
        kind => Err(left_out(kind)),
    }
}

/// What a running cluster tells for an audit: nothing of it is changed. `heard` hears how much is done, of how much, and of what.
///
/// # Errors
/// When nothing of it could be read, or a usage problem as in [`endpoint`]. What of it could not be read is in the answer.
pub fn observe(connection: &Connection, wanted: &Wanted, heard: &dyn Fn(u64, u64, &str)) -> Result<Observation> {
    match connection.url.kind() {
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka => kafka::observe(connection, wanted, heard),
        #[cfg(feature = "rabbitmq")]
        BrokerKind::RabbitMq => rabbitmq::observe(connection, wanted, heard),
        #[cfg(feature = "rocketmq")]
        BrokerKind::RocketMq => rocketmq::observe(connection, wanted, heard),
        #[allow(unreachable_patterns, reason = "reached where a feature is left out")]
        kind => {
            let _ = (wanted, heard);
            Err(left_out(kind))
        }
    }
}

/// Tries a connection step by step for `context test`: each named server, then what the user may do with `topic` when one is
/// given. The steps come in their order; after one that failed, what stands on it is not tried.
///
/// # Errors
/// A usage problem as in [`endpoint`].
pub fn probe(connection: &Connection, topic: Option<&str>, patience: Duration) -> Result<Vec<Step>> {
    match connection.url.kind() {
        #[cfg(feature = "kafka")]
        BrokerKind::Kafka => kafka::probe(connection, topic, patience),
        #[cfg(feature = "rabbitmq")]
        BrokerKind::RabbitMq => rabbitmq::probe(connection, topic, patience),
        #[cfg(feature = "rocketmq")]
        BrokerKind::RocketMq => rocketmq::probe(connection, topic, patience),
        #[allow(unreachable_patterns, reason = "reached where a feature is left out")]
        kind => Err(left_out(kind)),
    }
}

#[allow(dead_code, reason = "used where a feature is left out")]
fn left_out(kind: BrokerKind) -> Problem {
    Problem::usage(format!("this build of mqsafe does not talk to {}", kind.name()))
        .next(format!("build it with --features {}", kind.name().to_lowercase()))
}
