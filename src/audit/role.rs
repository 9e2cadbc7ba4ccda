//! What a unit is to the rules. The one place that knows which dialect speaks of what, so that a new dialect changes no rule.

use super::fact::{Dialect, Unit};

/// A part of a messaging setup that rules speak of, whatever the dialect that it is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// A Kafka broker or controller.
    KafkaBroker,
    /// Disks and replicas of brokers whose settings stand in another file.
    KafkaNodePool,
    /// Kafka topics, as named things with their configuration.
    KafkaTopic,
    /// A Java producer of Kafka, or one whose client is not known.
    KafkaProducer,
    /// A Java consumer of Kafka, or one whose client is not known.
    KafkaConsumer,
    /// A librdkafka producer.
    LibrdkafkaProducer,
    /// A librdkafka consumer.
    LibrdkafkaConsumer,
    /// A worker of Kafka Connect.
    KafkaConnectWorker,
    /// A connector of Kafka Connect.
    KafkaConnector,
    /// A Kafka Streams application.
    KafkaStreams,
    /// MirrorMaker 2.
    KafkaMirror,
    /// A RabbitMQ node.
    RabbitNode,
    /// Queues, exchanges, bindings, policies and shovels of RabbitMQ.
    RabbitTopology,
    /// A RocketMQ broker.
    RocketBroker,
    /// A RocketMQ controller or name server.
    RocketController,
    /// RocketMQ topics, as named things.
    RocketTopic,
    /// An application: its settings under the full names of its framework, in the framework's own spelling.
    Application,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 17] = [
        Role::KafkaBroker,
        Role::KafkaNodePool,
        Role::KafkaTopic,
        Role::KafkaProducer,
        Role::KafkaConsumer,
        Role::LibrdkafkaProducer,
        Role::LibrdkafkaConsumer,
        Role::KafkaConnectWorker,
        Role::KafkaConnector,
        Role::KafkaStreams,
        Role::KafkaMirror,
        Role::RabbitNode,
        Role::RabbitTopology,
        Role::RocketBroker,
        Role::RocketController,
        Role::RocketTopic,
        Role::Application,
    ];

    /// The name in lists.
    pub const fn name(self) -> &'static str {
        match self {
            Role::KafkaBroker => "kafka-broker",
            Role::KafkaNodePool => "kafka-node-pool",
            Role::KafkaTopic => "kafka-topic",
            Role::KafkaProducer => "kafka-producer",
            Role::KafkaConsumer => "kafka-consumer",
            Role::LibrdkafkaProducer => "librdkafka-producer",
            Role::LibrdkafkaConsumer => "librdkafka-consumer",
            Role::KafkaConnectWorker => "kafka-connect-worker",
            Role::KafkaConnector => "kafka-connector",
            Role::KafkaStreams => "kafka-streams",
            Role::KafkaMirror => "kafka-mirrormaker",
            Role::RabbitNode => "rabbitmq-node",
            Role::RabbitTopology => "rabbitmq-topology",
            Role::RocketBroker => "rocketmq-broker",
            Role::RocketController => "rocketmq-controller",
            Role::RocketTopic => "rocketmq-topic",
            Role::Application => "application",
        }
    }

    /// Whether it speaks of a cluster, of which a client has one.
    pub const fn is_of_a_cluster(self) -> bool {
        matches!(
            self,
            Role::KafkaBroker
                | Role::KafkaNodePool
                | Role::KafkaTopic
                | Role::RabbitNode
                | Role::RabbitTopology
                | Role::RocketBroker
                | Role::RocketController
                | Role::RocketTopic
        )
    }

    /// Whether it is one of those that a client file of unknown role may turn out to be.
    pub const fn is_kafka_client(self) -> bool {
        matches!(
            self,
            Role::KafkaProducer | Role::KafkaConsumer | Role::LibrdkafkaProducer | Role::LibrdkafkaConsumer
        )
    }
}

/// What a unit is. Empty for a client file that does not tell.
pub const fn of(unit: &Unit) -> &'static [Role] {
    match unit.dialect {
        Dialect::KafkaBroker => &[Role::KafkaBroker],
        Dialect::KafkaNodePool => &[Role::KafkaNodePool],
        Dialect::KafkaTopics => &[Role::KafkaTopic],
        Dialect::KafkaProducer => &[Role::KafkaProducer],
        Dialect::KafkaConsumer => &[Role::KafkaConsumer],
        Dialect::LibrdkafkaProducer => &[Role::LibrdkafkaProducer],
        Dialect::LibrdkafkaConsumer => &[Role::LibrdkafkaConsumer],
        Dialect::KafkaClient => &[],
        Dialect::KafkaConnect => &[Role::KafkaConnectWorker],
        Dialect::KafkaConnector => &[Role::KafkaConnector],
        Dialect::KafkaStreams => &[Role::KafkaStreams],
        Dialect::KafkaMirror => &[Role::KafkaMirror],
        Dialect::RabbitmqDefinitions => &[Role::RabbitTopology],
        Dialect::RabbitmqConf => &[Role::RabbitNode],
        Dialect::RocketmqBroker => &[Role::RocketBroker],
        Dialect::RocketmqController => &[Role::RocketController],
        Dialect::RocketmqTopics => &[Role::RocketTopic],
        Dialect::Application => &[Role::Application],
    }
}

/// Whether a unit is of a role.
pub fn is(unit: &Unit, role: Role) -> bool {
    of(unit).contains(&role)
}
