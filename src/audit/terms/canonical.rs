//! Keys that no component has: what a manifest or a live broker tells beside the settings. A reader writes them, rules ask for them.
//!
//! They begin with `@`, so that they never meet a key of a file. Facts about named things use these words:
//!
//! | layer | keys |
//! |---|---|
//! | Kafka topic | `replication.factor`, `partitions`, and every topic setting under its own name |
//! | RabbitMQ queue, exchange | `durable`, `auto_delete`, `exclusive`, `type`, `arguments.NAME` |
//! | RabbitMQ binding (named by its source) | `destination`, `destination_type`, `routing_key` |
//! | RabbitMQ policy | `pattern`, `apply-to`, `priority`, `definition.NAME` |
//! | RocketMQ topic | `readQueueNums`, `writeQueueNums`, `perm`, `attributes.NAME` |
//!
//! Applications keep the full names of their framework (`spring.rabbitmq.publisher-confirm-type`), in kebab case where it binds loosely.

/// Live: the version of a broker's feature `eligible.leader.replicas.version`.
pub(crate) const ELR: &str = "@feature.eligible.leader.replicas.version";
/// Live: the number of members of a quorum queue.
pub(crate) const MEMBERS: &str = "@members";
/// Live: whether the consumers of a queue acknowledge.
pub(crate) const ACK_REQUIRED: &str = "@ack-required";
