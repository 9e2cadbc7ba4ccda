//! Facts: what a configuration says, and where it says it. All that a rule ever sees.

use crate::text::{Span, Spot};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// What kind of setup a set of facts describes. One file may describe two, as a client file shared by a producer and a consumer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// Kafka's `server.properties`, of a broker, a controller or both.
    KafkaBroker,
    /// Settings of a Java producer.
    KafkaProducer,
    /// Settings of a Java consumer.
    KafkaConsumer,
    /// Settings of a librdkafka producer.
    LibrdkafkaProducer,
    /// Settings of a librdkafka consumer.
    LibrdkafkaConsumer,
    /// A Kafka client file that names brokers and security only: producer or consumer, nothing tells.
    KafkaClient,
    /// RabbitMQ's exported definitions.
    RabbitmqDefinitions,
    /// RocketMQ's `broker.conf`.
    RocketmqBroker,
    /// Kafka topics, declared as named things.
    KafkaTopics,
    /// A Strimzi node pool whose cluster's settings stand in another file: disks and replicas alone.
    KafkaNodePool,
    /// A worker of Kafka Connect.
    KafkaConnect,
    /// A connector of Kafka Connect, one of a cluster's MirrorMaker 2 too.
    KafkaConnector,
    /// A Kafka Streams application.
    KafkaStreams,
    /// MirrorMaker 2 with a file of its own.
    KafkaMirror,
    /// RabbitMQ's `rabbitmq.conf`, or a node as a container.
    RabbitmqConf,
    /// RocketMQ's controller or name server.
    RocketmqController,
    /// RocketMQ topics, declared as named things.
    RocketmqTopics,
    /// An application's settings under the full names of its framework: Spring, Quarkus, MicroProfile.
    Application,
}

impl Dialect {
    /// Every dialect that a file can be declared to be.
    pub const NAMED: [Dialect; 14] = [
        Dialect::KafkaBroker,
        Dialect::KafkaProducer,
        Dialect::KafkaConsumer,
        Dialect::LibrdkafkaProducer,
        Dialect::LibrdkafkaConsumer,
        Dialect::RabbitmqDefinitions,
        Dialect::RocketmqBroker,
        Dialect::KafkaConnect,
        Dialect::KafkaConnector,
        Dialect::KafkaStreams,
        Dialect::KafkaMirror,
        Dialect::RabbitmqConf,
        Dialect::RocketmqController,
        Dialect::Application,
    ];

    /// The name in flags and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Dialect::KafkaBroker => "kafka-broker",
            Dialect::KafkaProducer => "kafka-producer",
            Dialect::KafkaConsumer => "kafka-consumer",
            Dialect::LibrdkafkaProducer => "librdkafka-producer",
            Dialect::LibrdkafkaConsumer => "librdkafka-consumer",
            Dialect::KafkaClient => "kafka-client",
            Dialect::RabbitmqDefinitions => "rabbitmq-definitions",
            Dialect::RocketmqBroker => "rocketmq-broker",
            Dialect::KafkaTopics => "kafka-topics",
            Dialect::KafkaNodePool => "kafka-node-pool",
            Dialect::KafkaConnect => "kafka-connect",
            Dialect::KafkaConnector => "kafka-connector",
            Dialect::KafkaStreams => "kafka-streams",
            Dialect::KafkaMirror => "kafka-mirrormaker",
            Dialect::RabbitmqConf => "rabbitmq-conf",
            Dialect::RocketmqController => "rocketmq-controller",
            Dialect::RocketmqTopics => "rocketmq-topics",
            Dialect::Application => "application",
        }
    }

    /// The dialect of this name, of those in [`Dialect::NAMED`].
    pub fn from_name(name: &str) -> Option<Dialect> {
        Dialect::NAMED.into_iter().find(|d| d.name() == name)
    }
}

/// The program that will read the configuration: it decides what an absent key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Component {
    /// An Apache Kafka broker or controller.
    KafkaBroker,
    /// A Kafka broker that keeps its log in object storage, where replication factors do not count copies.
    AutoMq,
    /// The Java client of Apache Kafka.
    KafkaClients,
    /// librdkafka, in whatever language.
    Librdkafka,
    /// A Kafka client with settings that only Java knows beside others that only librdkafka knows.
    UnknownKafkaClient,
    /// A RabbitMQ node.
    RabbitMq,
    /// A RocketMQ broker.
    RocketMq,
    /// A worker of Kafka Connect, with what runs in it.
    KafkaConnect,
    /// A Kafka Streams application.
    KafkaStreams,
    /// An application that a framework gives its settings to.
    Application,
}

impl Component {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Component::KafkaBroker => "kafka",
            Component::AutoMq => "automq",
            Component::KafkaClients => "kafka-clients",
            Component::Librdkafka => "librdkafka",
            Component::UnknownKafkaClient => "unknown",
            Component::RabbitMq => "rabbitmq",
            Component::RocketMq => "rocketmq",
            Component::KafkaConnect => "kafka-connect",
            Component::KafkaStreams => "kafka-streams",
            Component::Application => "application",
        }
    }
}

/// The part of a setup that a fact is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer {
    /// A broker or controller.
    Broker,
    /// A topic.
    Topic,
    /// A producer.
    Producer,
    /// A consumer.
    Consumer,
    /// A queue or stream.
    Queue,
    /// An exchange.
    Exchange,
    /// A binding, named by its source exchange.
    Binding,
    /// A policy.
    Policy,
    /// A worker of Kafka Connect.
    Worker,
    /// A connector.
    Connector,
    /// A Kafka Streams application.
    Streams,
    /// A shovel.
    Shovel,
    /// A virtual host.
    VirtualHost,
    /// An operator policy.
    OperatorPolicy,
    /// An application, for producers and consumers alike.
    Application,
}

impl Layer {
    /// The word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Layer::Broker => "broker",
            Layer::Topic => "topic",
            Layer::Producer => "producer",
            Layer::Consumer => "consumer",
            Layer::Queue => "queue",
            Layer::Exchange => "exchange",
            Layer::Binding => "binding",
            Layer::Policy => "policy",
            Layer::Worker => "worker",
            Layer::Connector => "connector",
            Layer::Streams => "streams application",
            Layer::Shovel => "shovel",
            Layer::VirtualHost => "virtual host",
            Layer::OperatorPolicy => "operator policy",
            Layer::Application => "application",
        }
    }
}

/// Where a fact stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named.
    pub file: Arc<str>,
    /// The bytes to point at; empty when the fact is that something is absent.
    pub span: Span,
    /// Line and column of the first of them.
    pub spot: Spot,
}

/// The value of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactValue {
    /// Text as written, or a number in the digits that it was written in.
    Text(String),
    /// A JSON boolean.
    Bool(bool),
    /// JSON null.
    Null,
    /// A list or an object.
    Composite,
    /// Something that looks like a secret. It is dropped when the file is read, so nothing after that can show it.
    Secret,
}

impl FactValue {
    /// The value as it may be shown.
    pub fn show(&self) -> String {
        match self {
            FactValue::Text(text) => text.clone(),
            FactValue::Bool(b) => b.to_string(),
            FactValue::Null => "null".to_owned(),
            FactValue::Composite => "…".to_owned(),
            FactValue::Secret => "***".to_owned(),
        }
    }

    /// The value of a setting of this name, unless it may be a secret.
    pub fn unless_secret(name: &str, text: &str) -> FactValue {
        use super::secret::{is_secret_name, is_secret_text};
        // A switch holds none, whatever it is called.
        let harmless = matches!(text, "true" | "false" | "") || text.parse::<i64>().is_ok();
        match !harmless && (is_secret_name(name) || is_secret_text(text)) {
            true => FactValue::Secret,
            false => FactValue::Text(text.to_owned()),
        }
    }

    /// The text, when it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            FactValue::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Whether the component ever sees what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It does.
    Live,
    /// The same key comes again later; Java keeps the last.
    Overridden {
        /// The line of the one that counts.
        by_line: usize,
    },
    /// A byte order mark stands before the key, and Java takes it for a part of the name.
    ByteOrderMark,
    /// It never reaches the component, as with a variable that the image does not know.
    Ignored {
        /// Why.
        why: &'static str,
    },
}

/// One setting: what, where, and of which part. Dialect, component and version are those of its [`Unit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The key as written.
    pub key: String,
    /// Its value.
    pub value: FactValue,
    /// Where it stands, from the key to the end of the value.
    pub place: Place,
    /// The part that it is about.
    pub layer: Layer,
    /// Whether it counts.
    pub effect: Effect,
}

/// A named thing inside a unit: a queue, an exchange, a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// What it is.
    pub layer: Layer,
    /// Its virtual host; `None` in the export of a single one.
    pub vhost: Option<String>,
    /// Its name; for a binding that of its source.
    pub name: String,
    /// Where it is named.
    pub place: Place,
    /// Which of the unit's facts are about it.
    pub facts: Range<usize>,
}

/// What is known of the version of the component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Nothing.
    Unknown,
    /// RocketMQ 5.0 or later.
    RocketMq5,
}

/// What a framework, an image or an operator gives the component when the file says nothing: stronger than the component's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Implied {
    /// The key.
    pub key: &'static str,
    /// The value.
    pub value: &'static str,
    /// The versions that it holds for; `None` when it is the same in every version.
    pub assumes: Option<&'static str>,
}

/// One of the places that give a setting of a live broker its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Given {
    /// Where, in words that follow "set by": `the broker's own file`.
    pub origin: &'static str,
    /// Under which name: a topic's `retention.ms` is a broker's `log.retention.hours`.
    pub key: String,
    /// Which value, in the unit of that name.
    pub value: String,
}

impl Given {
    /// What would count if the first of these were taken away, and so on, for a person: `the broker's own file: log.retention.hours=1`.
    pub fn otherwise(places: &[Given]) -> Option<String> {
        let others = places.iter().skip(1);
        let words: Vec<String> = others.map(|g| format!("{}: {}={}", g.origin, g.key, g.value)).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}

/// One setup as one dialect sees it: the facts that share a dialect, a component and a version.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The file as it was named.
    pub file: Arc<str>,
    /// The dialect.
    pub dialect: Dialect,
    /// The program that reads it.
    pub component: Component,
    /// What is known of that program's version.
    pub version: Version,
    /// Why the file may hold less than what the component will read: it is a template. Then nothing is known of absent keys.
    pub fragment: Option<&'static str>,
    /// The settings in the order of the file.
    pub facts: Vec<Fact>,
    /// The named things.
    pub subjects: Vec<Subject>,
    /// Its name, when the file holds several: a compose service, a resource, a profile.
    pub name: Option<String>,
    /// Where it begins, when that is not the begin of the file.
    pub head: Option<Place>,
    /// What the settings are written as, when that is not the component's own file.
    pub carrier: Option<&'static str>,
    /// The release of the component, when the file tells it: major, minor, patch.
    pub release: Option<(u16, u16, u16)>,
    /// What the carrier gives the component for absent keys.
    pub implied: Vec<Implied>,
    /// What is known of the surroundings and is no setting: `image`, `hostname`, `volume`, `tmpfs`, `replicas`, `storage.type` and such.
    pub surroundings: Vec<Fact>,
    /// How many brokers of the same cluster the file shows, this one included; `None` when it cannot tell.
    pub brokers: Option<usize>,
    /// Of a live broker: where the value of each fact comes from, in the order of the facts. Empty for files.
    pub origins: Vec<&'static str>,
    /// Of a live broker: every place that gives a fact its value, by the number of the fact; the first is the one that counts, each
    /// next one would if those before it were taken away. Only of what somebody set.
    pub given: HashMap<usize, Vec<Given>>,
    /// Named things that were not asked for, as findings name them: rules know them, and nothing is told of them.
    pub unasked: HashSet<String>,
    /// What should be known of how the file was read, with the line.
    pub remarks: Vec<(usize, String)>,
    /// The numbers of the facts in the order of their keys, and of the file where they share one. A map would weigh as much as the facts.
    by_key: Box<[u32]>,
}

impl Unit {
    /// Puts a unit together.
    pub fn new(
        file: Arc<str>,
        dialect: Dialect,
        component: Component,
        facts: Vec<Fact>,
        subjects: Vec<Subject>,
    ) -> Unit {
        let mut facts = facts;
        // Thousands of units are held at once.
        facts.shrink_to_fit();
        let key = |i: &u32| facts.get(*i as usize).map(|f| f.key.as_str());
        let mut by_key: Box<[u32]> = match subjects.is_empty() {
            true => (0..u32::try_from(facts.len()).unwrap_or(u32::MAX)).collect(),
            false => Box::default(),
        };
        by_key.sort_by(|a, b| key(a).cmp(&key(b)));
        Unit {
            file,
            dialect,
            component,
            version: Version::Unknown,
            fragment: None,
            facts,
            subjects,
            name: None,
            head: None,
            carrier: None,
            release: None,
            implied: Vec::new(),
            surroundings: Vec::new(),
            brokers: None,
            origins: Vec::new(),
            given: HashMap::new(),
            unasked: HashSet::new(),
            remarks: Vec::new(),
            by_key,
        }
    }

    /// What is known of the surroundings under a name.
    pub fn surrounding(&self, name: &str) -> impl Iterator<Item = &Fact> {
        self.surroundings.iter().filter(move |f| f.key == name)
    }

    /// What the carrier gives for an absent key.
    pub fn implied(&self, key: &str) -> Option<&Implied> {
        self.implied.iter().find(|i| i.key == key)
    }

    /// Every time a key is written, in the order of the file. Of no use for the facts of subjects.
    pub fn all(&self, key: &str) -> impl Iterator<Item = &Fact> {
        let name = |i: &u32| self.facts.get(*i as usize).map_or("", |f| f.key.as_str());
        let first = self.by_key.partition_point(|i| name(i) < key);
        let rest = self.by_key.get(first..).unwrap_or_default().iter();
        let same = rest.filter_map(|i| self.facts.get(*i as usize));
        same.take_while(move |f| f.key == key)
    }

    /// The setting that counts: the last one that the component sees.
    pub fn live(&self, key: &str) -> Option<&Fact> {
        self.all(key).filter(|f| f.effect == Effect::Live).last()
    }

    /// The facts about one subject.
    pub fn facts_of(&self, subject: &Subject) -> &[Fact] {
        self.facts.get(subject.facts.clone()).unwrap_or_default()
    }

    /// The number of a fact of this unit; `None` for one of another.
    pub fn number_of(&self, fact: &Fact) -> Option<usize> {
        let (all, one) = (self.facts.as_ptr_range(), std::ptr::from_ref(fact));
        let bytes = one.addr().checked_sub(all.start.addr())?;
        all.contains(&one).then_some(bytes / size_of::<Fact>())
    }

    /// What a subject says under a key: the last time it says it.
    pub fn of(&self, subject: &Subject, key: &str) -> Option<&Fact> {
        self.facts_of(subject).iter().rev().find(|f| f.key == key)
    }

    /// The subjects of one kind.
    pub fn subjects_of(&self, layer: Layer) -> impl Iterator<Item = &Subject> {
        self.subjects.iter().filter(move |s| s.layer == layer)
    }

    /// Tells nothing of the named things that are not asked for. They stay, because what is told of others may depend on them.
    pub fn leave_out(&mut self, is_asked: impl Fn(&Subject) -> bool) {
        let others = self.subjects.iter().filter(|s| !is_asked(s));
        self.unasked = others.map(super::judge::describe).collect();
    }

    /// Whether it is what a broker tells, and no file.
    pub fn is_live(&self) -> bool {
        self.carrier == Some(super::terms::canonical::LIVE)
    }

    /// Where the value of a fact comes from; `None` where nothing tells.
    pub fn origin(&self, number: usize) -> Option<&'static str> {
        self.origins.get(number).copied().filter(|origin| !origin.is_empty())
    }

    /// The same as a person says it, with the name of a policy.
    pub fn origin_words(&self, number: usize) -> Option<String> {
        let origin = self.origin(number)?;
        let owner = self.subjects.iter().find(|s| s.facts.contains(&number));
        Some(
            match owner.filter(|s| matches!(s.layer, Layer::Policy | Layer::OperatorPolicy)) {
                Some(policy) => format!("{origin} `{}`", policy.name),
                None => origin.to_owned(),
            },
        )
    }

    /// Every place that gives a fact its value, the one that counts first; empty where nothing tells.
    pub fn given(&self, number: usize) -> &[Given] {
        self.given.get(&number).map(Vec::as_slice).unwrap_or_default()
    }

    /// Where the value of a subject's key comes from.
    pub fn origin_of(&self, subject: &Subject, key: &str) -> Option<&'static str> {
        let number = self.facts_of(subject).iter().rposition(|f| f.key == key)?;
        self.origin(subject.facts.start + number)
    }

    /// The place of what is not there: where the unit begins.
    pub fn top(&self) -> Place {
        self.head.clone().unwrap_or_else(|| Place {
            file: self.file.clone(),
            span: Span::default(),
            spot: Spot { line: 1, column: 1 },
        })
    }
}
