//! One container, of a compose file or of a pod: its image, its environment, its command, its disks.

use super::{Found, Reader};
use crate::audit::fact::Layer;
use crate::audit::fact::{Component, Dialect, FactValue, Implied, Unit};
use crate::audit::read::images::{self, Image, Variable};
use crate::audit::read::placeholder::{self, Syntax};
use crate::audit::read::sheet::{Item, Thing};
use crate::audit::read::spring;
use crate::audit::read::words::{self, Word};
use crate::audit::read::{Reading, own_names, properties};
use crate::text::Span;
use crate::text::yaml::{Data, Node, Style};

/// A container on its way to a unit.
pub(super) struct Container<'a> {
    pub name: &'a str,
    pub head: Span,
    pub image: Option<&'a Node>,
    pub variables: Vec<Variable>,
    /// The words of its entry point and its command.
    pub words: Vec<Word>,
    /// What is known of its surroundings.
    pub surroundings: Vec<Item>,
    /// Whether a file of settings is mounted or variables come from files that are not at hand.
    pub partial: bool,
    pub carrier: &'static str,
    /// What was resolved on the way, with the line.
    pub remarks: Vec<(usize, String)>,
}

/// The words of a command: a text that a shell splits, or a list.
pub(super) fn words_of(reader: &Reader<'_>, node: Option<&Node>) -> Vec<Word> {
    let Some(node) = node else { return Vec::new() };
    let raw_words = |node: &Node| -> Vec<Word> {
        let span = node.block(reader.text).unwrap_or(node.span);
        let raw = reader.text.get(span.range()).unwrap_or_default();
        // The quotes of the scalar itself are none of the shell's.
        let quoted = matches!(
            &node.data,
            Data::Text {
                style: Style::Quoted,
                ..
            }
        ) && raw.len() >= 2;
        match quoted {
            true => words::split(&raw[1..raw.len() - 1], span.start + 1),
            false => words::split(raw, span.start),
        }
    };
    if node.text().is_some() {
        return scripts(reader, raw_words(node));
    }
    let mut out: Vec<Word> = Vec::new();
    for element in node.list() {
        match element.text() {
            // A script for a shell.
            Some(text) if text.contains([' ', '\n']) => {
                let mut inner = raw_words(element);
                if let Some(first) = inner.first_mut() {
                    first.first = true;
                }
                out.append(&mut inner);
            }
            Some(text) => out.push(Word {
                text: text.to_owned(),
                span: element.span,
                first: out.is_empty(),
            }),
            None => {}
        }
    }
    scripts(reader, out)
}

/// Words that are scripts themselves, as what a shell gets after `-c`, as the words of these.
fn scripts(reader: &Reader<'_>, words: Vec<Word>) -> Vec<Word> {
    const TOOLS: [&str; 6] = [
        "kafka-topics",
        "kafka-configs",
        "kafka-server-start",
        "mqbroker",
        "mqadmin",
        "rabbitmqadmin",
    ];
    let mut out = Vec::new();
    for word in words {
        let is_script = word.text.contains(char::is_whitespace) && TOOLS.iter().any(|t| word.text.contains(t));
        let raw = reader.text.get(word.span.range()).unwrap_or_default();
        match raw.find(['"', '\'']) {
            Some(quote) if is_script && quote + 1 < raw.len() => {
                let inner = raw.get(quote + 1..raw.len() - 1).unwrap_or_default();
                out.extend(words::split(inner, word.span.start + quote + 1));
            }
            _ => out.push(word),
        }
    }
    out
}

/// Replaces defaults of compose placeholders in a value, and says so.
pub(super) fn resolved(reader: &Reader<'_>, text: &str, span: Span, remarks: &mut Vec<(usize, String)>) -> String {
    match placeholder::defaults(text, Syntax::Compose) {
        Some(value) => {
            remarks.push((
                reader.sheet.line(span.start),
                "a variable stands here; its default is judged, and the environment may give another value".to_owned(),
            ));
            value
        }
        None => text.to_owned(),
    }
}

/// Turns a container into units; how many brokers of Kafka they are.
pub(super) fn read(reader: &Reader<'_>, container: Container<'_>, found: &mut Found) -> usize {
    let sheet = &reader.sheet;
    worker_in_a_variable(reader, &container, found);
    let mut remarks = container.remarks;
    let image_text = container
        .image
        .and_then(Node::given)
        .map(|text| placeholder::defaults(text, Syntax::Compose).unwrap_or_else(|| text.to_owned()));
    let by_name = image_text.as_deref().and_then(images::of_name);
    let rocketmq = ["mqbroker", "mqnamesrv", "mqcontroller"];
    let by_command = || {
        rocketmq
            .iter()
            .any(|p| words::starts(&container.words, p))
            .then_some(Image::RocketMq)
    };
    let broker = || words::starts(&container.words, "kafka-server-start").then_some(Image::Kafka);
    // AutoMQ takes Bitnami's variables, whatever image it is unpacked in.
    let automq = container
        .words
        .iter()
        .any(|w| w.text.contains("/automq/") || w.text == "--s3.bucket");
    let by_name = if automq { Some(Image::AutoMq) } else { by_name };
    let told = by_name.or_else(|| images::of_environment(&container.variables));
    let image = told.or_else(by_command).or_else(broker);
    let topics = words::topics(sheet, &container.words);
    let topics: Vec<Thing> = topics
        .into_iter()
        .chain(wurstmeister_topics(reader, image, &container.variables))
        .collect();
    if !topics.is_empty() {
        let mut unit = sheet.things(Dialect::KafkaTopics, Component::KafkaBroker, topics);
        reader.named(&mut unit, container.name, container.head, container.carrier);
        found.units.push(unit);
    }
    found.topology.extend(words::rabbitmq_things(sheet, &container.words));
    let rocketmq_topics = words::rocketmq_topics(sheet, &container.words);
    if !rocketmq_topics.is_empty() {
        let mut unit = sheet.things(Dialect::RocketmqTopics, Component::RocketMq, rocketmq_topics);
        reader.named(&mut unit, container.name, container.head, container.carrier);
        found.units.push(unit);
    }
    spring::read_environment(reader, container.name, container.head, &container.variables, found);
    if image.is_none() {
        // The names of the images begin with KAFKA_; a program's own begin with its own.
        let own = container.variables.iter().filter(|v| !v.name.starts_with("KAFKA_"));
        let items =
            own.filter_map(|v| Some(sheet.item(v.name.as_str(), v.value.as_deref()?, v.name_span, v.value_span)));
        found.units.extend(own_names::topics(sheet, items));
    }
    let mut surroundings = container.surroundings;
    if let Some(node) = container.image {
        surroundings.insert(
            0,
            sheet.item("image", image_text.as_deref().unwrap_or_default(), node.span, node.span),
        );
    }
    // A house builds its image on one of these, which declare their data directory as a volume. Where it mounts a volume, its data
    // directory is its own too.
    // A compose file builds an image that it does not name.
    let is_container = container.image.is_some() || container.carrier == "compose";
    let own = match told.filter(|_| by_name.is_none() && is_container) {
        Some(Image::Kafka) => Some("/var/lib/kafka/data"),
        Some(Image::PlainKafka) => Some("/kafka"),
        _ => None,
    };
    let has_volume = surroundings
        .iter()
        .any(|s| s.key == "volume" && s.value != FactValue::Text("/var/run/docker.sock".to_owned()));
    let unknown = own.is_some();
    if let Some(own) = own.filter(|_| !has_volume) {
        let span = container.image.map_or(container.head, |node| node.span);
        surroundings.push(sheet.item("volume.anonymous", own, span, span));
    }
    // With a host part, as in `rabbit@node1`, the node keeps its name whatever its host is called.
    let nodename = container.variables.iter().find(|v| v.name == "RABBITMQ_NODENAME");
    if let Some(v) = nodename.filter(|v| v.value.as_deref().is_none_or(|name| name.contains('@'))) {
        let value = v.value.as_deref().unwrap_or_default();
        surroundings.push(sheet.item("nodename", value, v.name_span, v.value_span));
    }
    let release = told
        .zip(image_text.as_deref())
        .and_then(|(i, name)| images::release(i, name));
    let finish = |mut unit: Unit, remarks: Vec<(usize, String)>| {
        reader.named(&mut unit, container.name, container.head, container.carrier);
        unit.release = release;
        unit.surroundings = sheet.surroundings(surroundings.clone());
        unit.remarks = remarks;
        unit
    };
    match image {
        Some(image @ (Image::Kafka | Image::BitnamiKafka | Image::PlainKafka | Image::Strimzi)) => {
            let mut items = images::settings(sheet, image, &container.variables);
            items.extend(words::overrides(sheet, &container.words));
            let other_program = runs_a_tool(&container.words, items.iter().any(|i| is_brokers_own(&i.key)))
                || container
                    .variables
                    .iter()
                    .any(|v| v.value.as_deref() == Some("ignored"));
            let is_worker =
                items.iter().all(|i| !is_broker_key(&i.key)) && words::starts(&container.words, "connect-distributed");
            if other_program || is_worker || container.variables.iter().any(|v| v.name == "KAFKA_STANDALONE") {
                // The image of a broker that runs a tool, as the one that creates the topics does.
                return 0;
            }
            let sample = image == Image::Kafka
                && is_apache(image_text.as_deref())
                && !container.partial
                && !container.variables.iter().any(|v| v.name.starts_with("KAFKA_"));
            let mut unit = sheet.unit(Dialect::KafkaBroker, Component::KafkaBroker, items);
            unit.implied = match image {
                _ if sample => SAMPLE.to_vec(),
                Image::PlainKafka if image_text.as_deref().is_some_and(|i| i.contains("debezium")) => DEBEZIUM.to_vec(),
                Image::PlainKafka if unknown && has_volume => vec![implied("log.dirs", "${LOG_DIRS}")],
                Image::PlainKafka => WURSTMEISTER.to_vec(),
                // The file that its command names is the sample file of Kafka, as long as none is mounted.
                Image::Strimzi if container.partial => Vec::new(),
                Image::Strimzi => SAMPLE.to_vec(),
                Image::BitnamiKafka => vec![implied("log.dirs", "/bitnami/kafka/data")],
                _ if is_apache(image_text.as_deref()) => Vec::new(),
                _ if told.is_none() => Vec::new(),
                _ if unknown && has_volume => vec![implied("log.dirs", "${LOG_DIRS}")],
                _ => vec![implied("log.dirs", "/var/lib/kafka/data")],
            };
            if told.is_none() {
                unit.fragment = Some("the file that the command names may add it");
            } else if container.partial {
                unit.fragment = Some("a mounted file or an env_file may add it");
            }
            found.units.push(finish(unit, remarks));
            return 1;
        }
        Some(Image::AutoMq) => {
            let items = words::overrides(sheet, &container.words);
            if !items.is_empty() {
                found.units.push(finish(
                    sheet.unit(Dialect::KafkaBroker, Component::AutoMq, items),
                    remarks,
                ));
            } else {
                found
                    .not_yet
                    .get_or_insert("AutoMQ keeps its log in object storage, so its settings are not judged".to_owned());
            }
        }
        Some(image @ (Image::CpConnect | Image::DebeziumConnect)) => {
            let items = images::settings(sheet, image, &container.variables);
            let mut unit = sheet.unit(Dialect::KafkaConnect, Component::KafkaConnect, items);
            if container.partial {
                unit.fragment = Some("a mounted file or an env_file may add it");
            }
            found.units.push(finish(unit, remarks));
        }
        Some(Image::RabbitMq) => {
            let mut unit = sheet.unit(Dialect::RabbitmqConf, Component::RabbitMq, Vec::new());
            if container.partial {
                unit.fragment = Some("a mounted file may add it");
            }
            found.units.push(finish(unit, remarks));
        }
        Some(Image::RocketMq) => {
            if let Some(words) = broker_without_file(&container.words) {
                let mut unit = finish(
                    sheet.unit(Dialect::RocketmqBroker, Component::RocketMq, Vec::new()),
                    remarks,
                );
                unit.head = Some(sheet.place(words));
                found.units.push(unit);
            } else {
                found
                    .not_yet
                    .get_or_insert("its RocketMQ settings stand in the files that the commands name".to_owned());
            }
        }
        Some(Image::Companion) if ksqldb(reader, &container.variables, found, &finish) => {}
        Some(Image::Companion) => {
            found
                .not_yet
                .get_or_insert("it holds programs beside a broker, and no broker".to_owned());
        }
        None if container.partial => remarks.clear(),
        None => {}
    }
    0
}

/// A worker of Connect whose settings stand in one variable as they stand in a file: so the images of Strimzi and Redpanda take them.
fn worker_in_a_variable(reader: &Reader<'_>, container: &Container<'_>, found: &mut Found) {
    let sheet = &reader.sheet;
    let whole = container.variables.iter().filter(|v| {
        matches!(v.name.as_str(), "KAFKA_CONNECT_CONFIGURATION" | "CONNECT_CONFIGURATION")
            && v.value_span.end <= sheet.source.bytes().len()
    });
    for variable in whole {
        let (span, dialect) = (variable.value_span, Some(Dialect::KafkaConnect));
        if let Reading::Units { units, .. } =
            properties::read_at(sheet.file, sheet.source, span, &variable.name, dialect)
        {
            for mut unit in units {
                reader.named(&mut unit, container.name, container.head, "environment");
                found.units.push(unit);
            }
        }
    }
}

/// Whether the image of a broker runs something else, as the one that creates the topics does. Such a container is often given a
/// broker's variables all the same, because the image asks for them.
fn runs_a_tool(words: &[Word], has_broker_keys: bool) -> bool {
    const TOOLS: [&str; 9] = [
        "cub",
        "kafka-acls",
        "kafka-broker-api-versions",
        "kafka-configs",
        "kafka-console-consumer",
        "kafka-console-producer",
        "kafka-producer-perf-test",
        "kafka-topics",
        "kafka-verifiable-producer",
    ];
    const STARTS: [&str; 4] = ["kafka-server-start", "run", "start-kafka", "launch"];
    if words.is_empty() || STARTS.iter().any(|s| words::starts(words, s)) {
        return false;
    }
    !has_broker_keys || TOOLS.iter().any(|t| words::starts(words, t))
}

fn is_broker_key(key: &str) -> bool {
    crate::audit::terms::kafka::BROKER.contains(&key)
}

/// Whether only a broker is told this. Where ZooKeeper is, and the port of the brokers, is told to tools and tests too.
fn is_brokers_own(key: &str) -> bool {
    is_broker_key(key) && !matches!(key, "zookeeper.connect" | "port")
}

fn is_apache(image: Option<&str>) -> bool {
    image.is_some_and(|i| i.contains("apache/kafka"))
}

const fn implied(key: &'static str, value: &'static str) -> Implied {
    Implied {
        key,
        value,
        assumes: None,
    }
}

/// What the sample file of Apache's own image says, which counts only when no variable is given and no file is mounted.
const SAMPLE: [Implied; 6] = [
    implied("log.dirs", "/tmp/kraft-combined-logs"),
    implied("offsets.topic.replication.factor", "1"),
    implied("transaction.state.log.replication.factor", "1"),
    implied("transaction.state.log.min.isr", "1"),
    implied("share.coordinator.state.topic.replication.factor", "1"),
    implied("share.coordinator.state.topic.min.isr", "1"),
];

/// What Debezium's image writes into Kafka's sample file.
const DEBEZIUM: [Implied; 4] = [
    implied("log.dirs", "/kafka/data/1"),
    implied("offsets.topic.replication.factor", "1"),
    implied("transaction.state.log.replication.factor", "1"),
    implied("transaction.state.log.min.isr", "1"),
];

/// What the base file of wurstmeister's image says.
const WURSTMEISTER: [Implied; 4] = [
    implied("log.dirs", "/kafka/kafka-logs-$HOSTNAME"),
    implied("offsets.topic.replication.factor", "1"),
    implied("transaction.state.log.replication.factor", "1"),
    implied("transaction.state.log.min.isr", "1"),
];

/// Where a RocketMQ broker is started without a file of settings.
fn broker_without_file(words: &[Word]) -> Option<Span> {
    let at = words
        .iter()
        .position(|w| w.text.rsplit('/').next() == Some("mqbroker"))?;
    let rest = words.get(at + 1..)?;
    let end = rest.iter().position(|w| w.first).unwrap_or(rest.len());
    let file = rest
        .get(..end)?
        .iter()
        .any(|w| matches!(w.text.as_str(), "-c" | "--configFile"));
    (!file).then_some(words.get(at)?.span)
}

/// `KAFKA_CREATE_TOPICS` of wurstmeister's image: `name:partitions:replicas[:cleanup.policy]`, after commas.
fn wurstmeister_topics(reader: &Reader<'_>, image: Option<Image>, variables: &[Variable]) -> Vec<Thing> {
    let variable = variables
        .iter()
        .find(|v| v.name == "KAFKA_CREATE_TOPICS" && image == Some(Image::PlainKafka));
    let Some((variable, value)) = variable.and_then(|v| Some((v, v.value.as_deref()?))) else {
        return Vec::new();
    };
    let raw = reader.text.get(variable.value_span.range()).unwrap_or_default();
    let mut from = 0;
    let mut out = Vec::new();
    for topic in value.split([',', '\n', ';']).map(str::trim) {
        let at = raw.get(from..).and_then(|r| r.find(topic)).map_or(0, |i| from + i);
        from = at + topic.len();
        let start = variable.value_span.start + at;
        let span = Span::new(start, start + topic.len());
        let mut parts = topic.split(':');
        let (Some(name), partitions, replicas, policy) = (
            parts.next().filter(|n| !n.is_empty()),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            continue;
        };
        let keys = [
            ("partitions", partitions),
            ("replication.factor", replicas),
            ("cleanup.policy", policy),
        ];
        out.push(Thing {
            layer: Layer::Topic,
            vhost: None,
            name: name.to_owned(),
            span,
            items: keys
                .into_iter()
                .filter_map(|(key, value)| Some(reader.sheet.item(key, value?, span, span)))
                .collect(),
        });
    }
    out
}

/// Variables that say how many copies the topics have that such a program makes for itself.
const COPIES: [&str; 3] = [
    "KSQL_KSQL_INTERNAL_TOPIC_REPLICAS",
    "CONTROL_CENTER_REPLICATION_FACTOR",
    "CONTROL_CENTER_INTERNAL_TOPICS_REPLICATION",
];

/// ksqlDB and Control Center: a Streams application, and a worker of Connect inside of it where it has one; true when its variables set any of the two.
fn ksqldb(
    reader: &Reader<'_>,
    variables: &[Variable],
    found: &mut Found,
    finish: &dyn Fn(Unit, Vec<(usize, String)>) -> Unit,
) -> bool {
    let under = |prefix: &str| -> Vec<Item> {
        let own = variables.iter().filter_map(|v| {
            let rest = v.name.strip_prefix(prefix)?;
            Some((rest, v, v.value.as_deref()?))
        });
        own.filter_map(|(rest, v, value)| {
            let key = match prefix {
                _ if COPIES.contains(&prefix) && !rest.is_empty() => return None,
                _ if COPIES.contains(&prefix) => "replication.factor".to_owned(),
                _ => images::three_underscores(rest),
            };
            Some(reader.sheet.item(key, value, v.name_span, v.value_span))
        })
        .collect()
    };
    let mut streams = under("KSQL_STREAMS_");
    streams.extend(under("KSQL_KSQL_STREAMS_"));
    streams.extend(under("CONTROL_CENTER_STREAMS_"));
    streams.extend(COPIES.into_iter().flat_map(under));
    let connect = under("KSQL_CONNECT_");
    let before = found.units.len();
    for (dialect, component, items) in [
        (Dialect::KafkaStreams, Component::KafkaStreams, streams),
        (Dialect::KafkaConnect, Component::KafkaConnect, connect),
    ] {
        let storage = |i: &Item| i.key.contains("storage") || dialect == Dialect::KafkaStreams;
        if items.iter().any(storage) {
            found
                .units
                .push(finish(reader.sheet.unit(dialect, component, items), Vec::new()));
        }
    }
    found.units.len() > before
}
