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
/// Live: `min.insync.replicas` as a dynamic setting of one broker.
pub(crate) const DYNAMIC_BROKER_MIN_INSYNC: &str = "@dynamic-broker.min.insync.replicas";
/// Live: the age of the oldest record or message that some group has not read, in milliseconds.
pub(crate) const LAG_OLDEST_MS: &str = "@lag.oldest-ms";
/// Live: the smallest position that a group has committed in a topic.
pub(crate) const COMMITTED: &str = "@group.committed";
/// Live: where the log of that partition begins.
pub(crate) const LOG_START: &str = "@log.start";
/// Live: the longest time that a delivery of a queue was unacknowledged, in milliseconds.
pub(crate) const WORK_MAX_MS: &str = "@work.max-ms";
/// Live: how many slaves the route of a RocketMQ master shows.
pub(crate) const SLAVES: &str = "@slaves";
/// Live: how full a broker's disk is, in percent.
pub(crate) const DISK_USED_PERCENT: &str = "@disk-used-percent";
/// The carrier of what was read from a live broker.
pub(crate) const LIVE: &str = "live";
