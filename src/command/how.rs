//! How a topic is to be published to: from flags to `model::How`, with what cannot be.

use crate::cli::{LaneArg, PublishArgs, SendArgs};
use crate::connect::BrokerKind;
use crate::model::{Acks, How, NamedLane, Problem, Result};
use crate::send::{KeyHash, Partitioner};

/// What the flags of `send` ask for.
///
/// # Errors
/// A usage problem for what this kind of broker does not have, and for promises that nothing could keep.
pub(super) fn how(kind: BrokerKind, args: &SendArgs) -> Result<How> {
    let acks = Acks::from(args.publish.acks);
    if acks != Acks::All && kind != BrokerKind::Kafka {
        return Err(Problem::usage(format!("{} has no --acks", kind.name()))
            .next("leave it out: what counts as stored there is as strong as the broker has it"));
    }
    if acks == Acks::Zero && !args.no_spool {
        return Err(Problem::usage("--acks 0 cannot be used with a spool")
            .because("without any acknowledgement nothing could ever leave the spool")
            .next("add --no-spool to send without any proof, or ask for --acks 1"));
    }
    if kind == BrokerKind::RabbitMq && args.publish.partitioner.is_some() {
        return Err(Problem::usage("RabbitMQ has no --partitioner").next("the routing key decides there: -r"));
    }
    if args.publish.lane == LaneArg::Exchange {
        let next = "leave it out; it is for RabbitMQ, with -e EXCHANGE";
        if kind != BrokerKind::RabbitMq {
            return Err(Problem::usage(format!("{} has no --lane exchange", kind.name())).next(next));
        }
        if args.exchange.as_deref().is_none_or(str::is_empty) {
            return Err(Problem::usage("--lane exchange needs an exchange with a name").next(next));
        }
    }
    Ok(How {
        acks,
        create: args.publish.create_topic,
        allow_transient: args.publish.allow_transient,
        amqp_tx: args.publish.tx,
        ordered: args.publish.ordered,
    })
}

/// What chooses the partition.
pub(super) fn partitioner(args: &PublishArgs) -> Partitioner {
    let hash = args.partitioner.map(KeyHash::from).unwrap_or_default();
    if args.lane == LaneArg::Exchange {
        return Partitioner::Fixed(NamedLane::ON_REQUEST);
    }
    args.partition
        .map_or_else(|| Partitioner::by(hash, rand::random()), Partitioner::Fixed)
}
