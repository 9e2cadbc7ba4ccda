//! The proofs: for each rule the configuration, and the one line of it that decides.

/// A broker's part of the proofs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Kafka,
    Rabbit,
    Rocket,
}

/// One rule to be shown.
#[derive(Debug)]
pub(crate) struct Proof {
    pub(crate) of: Of,
    /// The code of the rule, and what tells two proofs of one rule apart.
    pub(crate) rule: &'static str,
    pub(crate) case: &'static str,
    /// The trouble in which bad and good differ.
    pub(crate) trouble: &'static str,
    /// The name of the file that `audit` is given.
    pub(crate) file: &'static str,
    /// The text of it; `{line}` stands for the line that differs. Empty where a broker's own file is taken as it is.
    text: &'static str,
    bad: &'static str,
    good: &'static str,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Bad,
    Good,
}

pub(crate) const SIDES: [Side; 2] = [Side::Bad, Side::Good];

impl Side {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Side::Bad => "bad",
            Side::Good => "good",
        }
    }
}

impl Proof {
    /// The line that decides, or nothing where it is the absence of one.
    pub(crate) fn line(&self, side: Side) -> &'static str {
        match side {
            Side::Bad => self.bad,
            Side::Good => self.good,
        }
    }

    /// The configuration of one side.
    pub(crate) fn text(&self, side: Side) -> String {
        let line = self.line(side);
        let lines = self.text.lines().filter(|l| !(line.is_empty() && l.trim() == "{line}"));
        lines.map(|l| l.replace("{line}", line) + "\n").collect()
    }

    pub(crate) fn name(&self) -> String {
        match self.case {
            "" => self.rule.to_owned(),
            case => format!("{} {case}", self.rule),
        }
    }
}

/// The proof of a rule.
pub(crate) fn of(name: &str) -> &'static Proof {
    PROOFS.iter().find(|p| p.name() == name).unwrap()
}

const PRODUCER: &str = "bootstrap.servers={bootstrap}
{line}
message.timeout.ms=120000
linger.ms=0
";

const CONSUMER: &str = "bootstrap.servers={bootstrap}
group.id=billing
auto.offset.reset=earliest
session.timeout.ms=6000
{line}
enable.auto.commit=true
auto.commit.interval.ms=200
";

const JAVA_CONSUMER: &str = "bootstrap.servers={bootstrap}
group.id=billing
auto.offset.reset=earliest
session.timeout.ms=6000
key.deserializer=org.apache.kafka.common.serialization.StringDeserializer
value.deserializer=org.apache.kafka.common.serialization.StringDeserializer
{line}
auto.commit.interval.ms=200
";

const SKIPPING: &str = "bootstrap.servers={bootstrap}
group.id=billing
{line}
enable.auto.offset.store=false
";

const TOPIC: &str = "apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata:
  name: orders
spec:
  partitions: 1
{line}
  config:
    min.insync.replicas: 2
";

const TOPIC_OF_THREE: &str = "apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata:
  name: orders
spec:
  partitions: 1
  replicas: 3
  config:
{line}
";

const TOPIC_OF_TWO: &str = "apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata:
  name: orders
spec:
  partitions: 1
  replicas: 2
  config:
    min.insync.replicas: 1
{line}
";

/// A queue `orders` behind an exchange of the same name, and a place for dead letters that it may use.
macro_rules! definitions {
    ($durable:literal, $auto_delete:literal, $arguments:literal) => {
        concat!(
            "{
  \"exchanges\": [
    { \"name\": \"orders\", \"type\": \"direct\", \"durable\": true, \"auto_delete\": false, \"internal\": false, \"arguments\": {} },
    { \"name\": \"parked\", \"type\": \"fanout\", \"durable\": true, \"auto_delete\": false, \"internal\": false, \"arguments\": {} }
  ],
  \"queues\": [
    { \"name\": \"parked\", \"durable\": true, \"auto_delete\": false, \"arguments\": {} },
    {
      \"name\": \"orders\",
",
            $durable,
            $auto_delete,
            "      \"arguments\": {
",
            $arguments,
            "        \"x-queue-type\": \"classic\"
      }
    }
  ],
  \"bindings\": [
    { \"source\": \"orders\", \"destination\": \"orders\", \"destination_type\": \"queue\", \"routing_key\": \"new\", \"arguments\": {} },
    { \"source\": \"parked\", \"destination\": \"parked\", \"destination_type\": \"queue\", \"routing_key\": \"\", \"arguments\": {} }
  ]
}
"
        )
    };
}

const DURABLE: &str = definitions!(
    "{line}\n",
    "      \"auto_delete\": false,\n",
    "        \"x-dead-letter-exchange\": \"parked\",\n"
);
const DELETING: &str = definitions!(
    "      \"durable\": true,\n",
    "{line}\n",
    "        \"x-dead-letter-exchange\": \"parked\",\n"
);
const LIMITED: &str = definitions!(
    "      \"durable\": true,\n",
    "      \"auto_delete\": false,\n",
    "        \"x-max-length\": 20,\n{line}\n"
);
const EXPIRING: &str = definitions!(
    "      \"durable\": true,\n",
    "      \"auto_delete\": false,\n",
    "        \"x-message-ttl\": 300,\n{line}\n"
);
const REJECTED: &str = definitions!(
    "      \"durable\": true,\n",
    "      \"auto_delete\": false,\n",
    "{line}\n"
);
/// What the proofs declare whose line is elsewhere.
pub(crate) const SOUND_QUEUE: &str = definitions!(
    "      \"durable\": true,\n",
    "      \"auto_delete\": false,\n",
    "        \"x-dead-letter-exchange\": \"parked\",\n"
);

/// Every proof.
pub(crate) static PROOFS: [Proof; 21] = [
    Proof {
        of: Of::Kafka,
        rule: "KP001",
        case: "acks=1",
        trouble: "the followers are held back, the leader answers and is killed",
        file: "producer.properties",
        text: PRODUCER,
        bad: "acks=1",
        good: "acks=all",
    },
    Proof {
        of: Of::Kafka,
        rule: "KP001",
        case: "acks=0",
        trouble: "the followers are held back, and the leader is killed",
        file: "producer.properties",
        text: PRODUCER,
        bad: "acks=0",
        good: "acks=all",
    },
    Proof {
        of: Of::Kafka,
        rule: "KT001",
        case: "",
        trouble: "the disk of the leader is wiped",
        file: "topic.yaml",
        text: TOPIC,
        bad: "  replicas: 1",
        good: "  replicas: 3",
    },
    Proof {
        of: Of::Kafka,
        rule: "KT002",
        case: "",
        trouble: "the followers are shut down, the leader goes on alone, and its disk is wiped",
        file: "topic.yaml",
        text: TOPIC_OF_THREE,
        bad: "    min.insync.replicas: 1",
        good: "    min.insync.replicas: 2",
    },
    Proof {
        of: Of::Kafka,
        rule: "KT004",
        case: "",
        trouble: "the follower is shut down, the leader goes on alone and is killed, the follower comes first",
        file: "topic.yaml",
        text: TOPIC_OF_TWO,
        bad: "    unclean.leader.election.enable: true",
        good: "    unclean.leader.election.enable: false",
    },
    Proof {
        of: Of::Kafka,
        rule: "KC001",
        case: "",
        trouble: "a Java consumer is killed while another of its threads works on what was polled, and another takes over",
        file: "consumer.properties",
        text: JAVA_CONSUMER,
        bad: "enable.auto.commit=true",
        good: "enable.auto.commit=false",
    },
    Proof {
        of: Of::Kafka,
        rule: "KC002",
        case: "",
        trouble: "a group starts for the first time when messages are already there",
        file: "consumer.properties",
        text: SKIPPING,
        bad: "auto.offset.reset=latest",
        good: "auto.offset.reset=earliest",
    },
    Proof {
        of: Of::Kafka,
        rule: "KC003",
        case: "",
        trouble: "the consumer is killed while it works on a message, and another takes over",
        file: "consumer.properties",
        text: CONSUMER,
        bad: "enable.auto.offset.store=true",
        good: "enable.auto.offset.store=false",
    },
    Proof {
        of: Of::Rabbit,
        rule: "RQP001",
        case: "",
        trouble: "the broker hangs, what is published waits in its socket, and it is killed",
        file: "application.properties",
        text: "spring.rabbitmq.template.mandatory=true\n{line}\n",
        bad: "spring.rabbitmq.publisher-confirm-type=none",
        good: "spring.rabbitmq.publisher-confirm-type=correlated",
    },
    Proof {
        of: Of::Rabbit,
        rule: "RQP002",
        case: "",
        trouble: "messages are published with a routing key that no queue is bound with",
        file: "application.properties",
        text: "spring.rabbitmq.publisher-confirm-type=correlated\n{line}\n",
        bad: "spring.rabbitmq.template.mandatory=false",
        good: "spring.rabbitmq.template.mandatory=true",
    },
    Proof {
        of: Of::Rabbit,
        rule: "RQP003",
        case: "",
        trouble: "the broker is killed and started again",
        file: "application.properties",
        text: "spring.rabbitmq.publisher-confirm-type=correlated\nspring.rabbitmq.template.mandatory=true\n{line}\n",
        bad: "spring.cloud.stream.rabbit.bindings.orders-out-0.producer.delivery-mode=NON_PERSISTENT",
        good: "spring.cloud.stream.rabbit.bindings.orders-out-0.producer.delivery-mode=PERSISTENT",
    },
    Proof {
        of: Of::Rabbit,
        rule: "RQT001",
        case: "",
        trouble: "the broker is killed and started again",
        file: "definitions.json",
        text: DURABLE,
        bad: "      \"durable\": false,",
        good: "      \"durable\": true,",
    },
    Proof {
        of: Of::Rabbit,
        rule: "RQT005",
        case: "",
        trouble: "three times as much is published as the queue may hold",
        file: "definitions.json",
        text: LIMITED,
        bad: "        \"x-overflow\": \"drop-head\",",
        good: "        \"x-overflow\": \"reject-publish\",",
    },
    Proof {
        of: Of::Rabbit,
        rule: "RQT007",
        case: "",
        trouble: "the consumer is away for longer than messages live",
        file: "definitions.json",
        text: EXPIRING,
        bad: "",
        good: "        \"x-dead-letter-exchange\": \"parked\",",
    },
    Proof {
        of: Of::Rabbit,
        rule: "RQT008",
        case: "",
        trouble: "the only consumer goes away",
        file: "definitions.json",
        text: DELETING,
        bad: "      \"auto_delete\": true,",
        good: "      \"auto_delete\": false,",
    },
    Proof {
        of: Of::Rabbit,
        rule: "RQT009",
        case: "",
        trouble: "the consumer rejects what it cannot work on",
        file: "definitions.json",
        text: REJECTED,
        bad: "        \"x-dead-letter-exchange\": \"praked\",",
        good: "        \"x-dead-letter-exchange\": \"parked\",",
    },
    Proof {
        of: Of::Rabbit,
        rule: "RQC001",
        case: "",
        trouble: "the consumer is killed while it works on a message, and another takes over",
        file: "application.properties",
        text: "spring.rabbitmq.host=127.0.0.1\n{line}\n",
        bad: "spring.rabbitmq.listener.simple.acknowledge-mode=none",
        good: "spring.rabbitmq.listener.simple.acknowledge-mode=manual",
    },
    Proof {
        of: Of::Rocket,
        rule: "RMB001",
        case: "",
        trouble: "the host of the broker loses its power: what was not synced is cut off",
        file: "broker.conf",
        text: "",
        bad: "flushDiskType=ASYNC_FLUSH",
        good: "flushDiskType=SYNC_FLUSH",
    },
    Proof {
        of: Of::Rocket,
        rule: "RMB002",
        case: "",
        trouble: "the slave is dead, and the disk of the master is wiped",
        file: "broker.conf",
        text: "",
        bad: "brokerRole=ASYNC_MASTER",
        good: "brokerRole=SYNC_MASTER",
    },
    Proof {
        of: Of::Rocket,
        rule: "RMB003",
        case: "",
        trouble: "the slave is dead, and the disk of the master is wiped",
        file: "broker.conf",
        text: "",
        bad: "",
        good: "inSyncReplicas=2",
    },
    Proof {
        of: Of::Rocket,
        rule: "RMB006",
        case: "",
        trouble: "the broker is killed",
        file: "broker.conf",
        text: "",
        bad: "transientStorePoolEnable=true",
        good: "transientStorePoolEnable=false",
    },
];
