//! Rules on RabbitMQ: publishers, topology, nodes, consumers.

pub(crate) mod rqb001_partitions;
pub(crate) mod rqb002_data_directory;
pub(crate) mod rqb003_disk_limit;
pub(crate) mod rqb004_memory_watermark;
pub(crate) mod rqb005_consumer_timeout;
pub(crate) mod rqb006_cluster_size;
pub(crate) mod rqb007_node_state;
pub(crate) mod rqc001_auto_ack;
pub(crate) mod rqc002_rejected;
pub(crate) mod rqc003_prefetch;
pub(crate) mod rqc004_early_ack;
pub(crate) mod rqp001_confirms;
pub(crate) mod rqp002_mandatory;
pub(crate) mod rqp003_persistence;
pub(crate) mod rqp004_expiration;
pub(crate) mod rqt001_transient_queue;
pub(crate) mod rqt002_classic_queue;
pub(crate) mod rqt003_mirroring;
pub(crate) mod rqt004_transient_exchange;
pub(crate) mod rqt005_overflow;
pub(crate) mod rqt006_reject_publish_dlx;
pub(crate) mod rqt007_message_ttl;
pub(crate) mod rqt008_vanishing_queue;
pub(crate) mod rqt009_dead_letters;
pub(crate) mod rqt010_dead_letter_strategy;
pub(crate) mod rqt011_delivery_limit;
pub(crate) mod rqt012_quorum_size;
pub(crate) mod rqt013_streams;
pub(crate) mod rqt014_policy_effect;
pub(crate) mod rqt015_members_away;
pub(in crate::audit::rules) mod topology;

use crate::audit::fact::{FactValue, Subject, Unit};

/// Names that the broker gives, and refuses or skips in an import; and the queue that its own health check leaves behind.
pub(super) fn is_reserved(name: &str) -> bool {
    name.is_empty() || name.starts_with("amq.") || name == "aliveness-test"
}

/// Whether a queue is replicated by its type and cannot be transient.
fn is_always_durable(unit: &Unit, queue: &Subject) -> bool {
    ["arguments.x-queue-type", "type"]
        .iter()
        .filter_map(|key| unit.of(queue, key)?.value.text())
        .any(|kind| kind == "quorum" || kind == "stream")
}

/// Whether a queue outlives a restart of its node. A definition without `durable` means a durable queue.
pub(super) fn is_durable_queue(unit: &Unit, queue: &Subject) -> bool {
    is_always_durable(unit, queue)
        || unit
            .of(queue, "durable")
            .is_none_or(|f| f.value != FactValue::Bool(false))
}
