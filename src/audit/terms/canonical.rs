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
/// Live: how many slaves the route of a RocketMQ master shows.
pub(crate) const SLAVES: &str = "@slaves";
/// Live: how full a broker's disk is, in percent.
pub(crate) const DISK_USED_PERCENT: &str = "@disk-used-percent";
/// Live: the number of members of a quorum queue or stream that are there.
pub(crate) const ONLINE: &str = "@members.online";
/// Live: the nodes that the members are on, with a space between them.
pub(crate) const MEMBER_NODES: &str = "@members.nodes";
/// Live, of the surroundings: the nodes of a RabbitMQ cluster that run, with a space between them.
pub(crate) const NODES: &str = "@nodes";
/// Live: the name of the policy that a queue or exchange has; empty for none.
pub(crate) const POLICY: &str = "@policy";
/// Live: the name of the operator policy that a queue has; empty for none.
pub(crate) const OPERATOR_POLICY: &str = "@operator-policy";
/// Live: which consumers of a queue do not acknowledge, in words.
pub(crate) const ACK_REQUIRED_WHO: &str = "@ack-required.who";
/// Live: how many consumers of a queue may hold as much as they are sent, and an example, in words.
pub(crate) const UNBOUNDED: &str = "@prefetch.unbounded";
/// Live: how many channels of a user publish without confirms, and an example, in words.
pub(crate) const UNCONFIRMED: &str = "@publishes.unconfirmed";
/// Live: how many messages of a virtual host the broker has dropped because nothing was bound for them.
pub(crate) const UNROUTABLE: &str = "@unroutable.dropped";
/// Live: how many of the messages that wait in a queue are transient, in words.
pub(crate) const WAITING_TRANSIENT: &str = "@waiting.transient";
/// Live: the nodes that a RabbitMQ node has lost in a network partition.
pub(crate) const PARTITIONS: &str = "@node.partitions";
/// Live: what a RabbitMQ node has raised an alarm for.
pub(crate) const ALARMS: &str = "@node.alarms";
/// Live: whether a RabbitMQ node runs.
pub(crate) const RUNNING: &str = "@node.running";
/// Live: the group and topic that [`LAG_OLDEST_MS`] is about.
pub(crate) const LAG_OF: &str = "@lag.of";
/// Live: which groups lost messages that were deleted before they had read them, in words.
pub(crate) const SKIPPED: &str = "@lag.deleted-unread";
/// Live: the message model of the members of a RocketMQ group that are connected.
pub(crate) const MEMBERS_MODEL: &str = "@members.message-model";
/// Live: where the connected members of a RocketMQ group begin in a queue in which it has no position.
pub(crate) const MEMBERS_START: &str = "@members.start";
/// Live: the queues with messages in which a RocketMQ group whose members are connected has no position, in words.
pub(crate) const MEMBERS_UNPLACED: &str = "@members.unplaced";
/// The carrier of what was read from a live broker.
pub(crate) const LIVE: &str = "live";
/// Live: the replicas of each partition of a Kafka topic, as `0=1,2,3 1=2,3,1`.
pub(crate) const ASSIGNMENT: &str = "@assignment";
/// Live, of the surroundings: the brokers of a Kafka cluster with their racks, as `1=eu-1a 2=eu-1b 3=`.
pub(crate) const BROKERS: &str = "@brokers";
/// Live: the partitions of a topic that have no leader, as `0,3`.
pub(crate) const OFFLINE: &str = "@partitions.offline";
/// Live: the partitions of a topic with fewer replicas in sync than `min.insync.replicas`.
pub(crate) const UNDER_MIN_INSYNC: &str = "@partitions.under-min-isr";
/// Live: the partitions of a topic some of whose replicas are not in sync.
pub(crate) const UNDER_REPLICATED: &str = "@partitions.under-replicated";
/// Live: the group, and the partition, that [`COMMITTED`] and [`LAG_OLDEST_MS`] are about.
pub(crate) const GROUP: &str = "@group";
/// Live: groups with more members than a topic has partitions.
pub(crate) const IDLE_MEMBERS: &str = "@group.idle";
/// Live: log directories of a broker that it cannot use.
pub(crate) const OFFLINE_DIRECTORIES: &str = "@log-dirs.offline";
/// Live: how many controllers vote.
pub(crate) const VOTERS: &str = "@quorum.voters";
/// An origin: the topic itself sets it.
pub(crate) const ORIGIN_TOPIC: &str = "the topic itself";
/// An origin: a dynamic setting of one broker.
pub(crate) const ORIGIN_BROKER: &str = "the dynamic configuration of this broker";
/// An origin: a dynamic setting of all brokers.
pub(crate) const ORIGIN_CLUSTER: &str = "the dynamic configuration of the cluster";
/// An origin: nothing sets it.
pub(crate) const ORIGIN_DEFAULT: &str = "Kafka's default";
