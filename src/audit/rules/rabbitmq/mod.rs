//! Rules on RabbitMQ: topology.

pub(crate) mod rqt001_transient_queue;
pub(crate) mod rqt004_transient_exchange;

use crate::audit::fact::{FactValue, Subject, Unit};

/// Names that the broker gives, and refuses or skips in an import; and the queue that its own health check leaves behind.
fn is_reserved(name: &str) -> bool {
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
fn is_durable_queue(unit: &Unit, queue: &Subject) -> bool {
    is_always_durable(unit, queue)
        || unit
            .of(queue, "durable")
            .is_none_or(|f| f.value != FactValue::Bool(false))
}
