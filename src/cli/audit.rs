//! `mqsafe audit`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[cfg(feature = "broker")]
const AFTER_HELP: &str = "Nothing is changed at a running broker. What may not be read is named, with the permission it needs, and makes the exit code 3 \
where nothing is found. Kafka: Describe and DescribeConfigs on the cluster and on all topics, Describe on all groups. \
RabbitMQ: the tag monitoring, and an entry in each virtual host, which may allow nothing \
but with --peek to read. RocketMQ: a user that the brokers know, \
with the action Get on all topics and groups.\n\n\
Examples:\n  mqsafe audit .\n  mqsafe audit -b kafka://localhost:9092\n  mqsafe audit -b kafka://localhost:9092 --topic 'orders*' topics/ server.properties\n  mqsafe audit --profile finance server.properties definitions.json broker.conf\n  mqsafe audit --format json config/ > findings.json\n  mqsafe audit --explain KB002";
#[cfg(not(feature = "broker"))]
const AFTER_HELP: &str = "Examples:\n  mqsafe audit .\n  mqsafe audit --profile finance server.properties definitions.json broker.conf\n  mqsafe audit --format json config/ > findings.json\n  mqsafe audit --explain KB002";

/// What was typed after `audit`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct AuditArgs {
    /// Files, or directories to walk
    #[cfg_attr(feature = "broker", arg(value_name = "PATH", required_unless_present_any = ["explain", "list_rules", "broker", "context"]))]
    #[cfg_attr(not(feature = "broker"), arg(value_name = "PATH", required_unless_present_any = ["explain", "list_rules"]))]
    pub paths: Vec<PathBuf>,
    /// What "safe" means here: finance, orders, logs, or the path of a profile [default: orders, or what .mqsafe.yaml says]
    #[arg(long, env = "MQSAFE_PROFILE")]
    pub profile: Option<String>,
    /// How findings are written
    #[arg(long, value_enum, default_value_t)]
    pub format: AuditFormat,
    /// Write a report to a file as well, in any format; may be given several times
    #[arg(long, value_name = "FORMAT=FILE", value_parser = output)]
    pub output: Vec<(AuditFormat, PathBuf)>,
    /// The lowest severity that makes the exit code 1
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t)]
    pub fail_on: FailOn,
    /// Read every given file as this dialect instead of recognising it
    #[arg(long, value_enum, value_name = "DIALECT")]
    pub dialect: Option<DialectName>,
    /// The release that the brokers of Kafka run, as 3.7 or 3.7.1, whatever the files tell
    #[arg(long, value_name = "RELEASE", value_parser = release)]
    pub kafka_version: Option<(u16, u16, u16)>,
    /// The release that the RabbitMQ nodes run, whatever the files tell
    #[arg(long, value_name = "RELEASE", value_parser = release)]
    pub rabbitmq_version: Option<(u16, u16, u16)>,
    /// The release that the RocketMQ brokers run, whatever the files tell
    #[arg(long, value_name = "RELEASE", value_parser = release)]
    pub rocketmq_version: Option<(u16, u16, u16)>,
    /// The client and its release, whatever the files tell: java:3.7, librdkafka:2.3
    #[arg(long, value_name = "CLIENT:RELEASE", value_parser = client)]
    pub client: Vec<(ClientName, (u16, u16, u16))>,
    /// Let a comment silence a finding only when it gives a reason
    #[arg(long)]
    pub strict: bool,
    /// Leave out what this file holds from before
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write everything that is found now to this file, to be left out by --baseline later; what is no longer found goes
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    pub write_baseline: Option<PathBuf>,
    /// Tell only of files that differ from this revision of git; all are read, so that files are still joined
    #[arg(long, value_name = "REVISION")]
    pub changed_since: Option<String>,
    /// Tell what is new, what is gone and what is the same since this report, which --format json wrote
    #[arg(long, value_name = "FILE")]
    pub since_report: Option<PathBuf>,
    /// Let every rule speak, even where one finding already says it all
    #[arg(long)]
    pub pedantic: bool,
    /// Change the files where a rule knows a safe value; comments and format stay
    #[arg(long)]
    pub fix: bool,
    /// Show what --fix would change, and change nothing
    #[arg(long)]
    pub diff: bool,
    /// Read the settings of the repository from this file instead of .mqsafe.yaml
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Explain one rule and stop
    #[arg(long, value_name = "CODE")]
    pub explain: Option<String>,
    /// List the rules and stop
    #[arg(long)]
    pub list_rules: bool,
    /// Running brokers.
    #[cfg(feature = "broker")]
    #[command(flatten)]
    pub live: LiveArgs,
}

/// Which running brokers are judged, and how they are reached. `--config` is the repository's here, so a client file has a name of its own.
#[cfg(feature = "broker")]
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Running brokers")]
pub struct LiveArgs {
    /// Judge what runs: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT;
    /// with paths as well, both are joined (can be repeated)
    #[arg(short, long, value_name = "URL")]
    pub broker: Vec<String>,
    /// A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME
    #[arg(short = 'X', value_name = "KEY=VALUE")]
    pub properties: Vec<String>,
    /// Client properties from a file of a Java client, librdkafka or kcat
    #[arg(short = 'F', long, value_name = "FILE")]
    pub client_config: Option<PathBuf>,
    /// A context of ~/.config/mqsafe/config.yaml
    #[arg(short = 'C', long, value_name = "NAME")]
    pub context: Option<String>,
    /// RabbitMQ's management API [default: port 15672 of the first host, 15671 with amqps]
    #[arg(long, value_name = "URL")]
    pub management: Option<String>,
    /// Only topics that match this shell pattern (can be repeated)
    #[arg(long, value_name = "PATTERN")]
    pub topic: Vec<String>,
    /// RabbitMQ: only queues and exchanges that match this shell pattern (can be repeated)
    #[arg(long, value_name = "PATTERN")]
    pub queue: Vec<String>,
    /// No topics, queues and exchanges that match this shell pattern (can be repeated)
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,
    /// RabbitMQ: fetch so many waiting messages of each durable classic queue and put them back, to see whether they are persistent; they are
    /// marked as redelivered (quorum queues and streams store every message, and are left alone)
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub peek: u32,
}

#[cfg(feature = "broker")]
impl LiveArgs {
    /// Whether any running broker is asked for.
    pub fn any(&self) -> bool {
        !self.broker.is_empty() || self.context.is_some()
    }
}

/// `sarif=findings.sarif`.
fn output(text: &str) -> Result<(AuditFormat, PathBuf), String> {
    let (format, file) = text
        .split_once('=')
        .ok_or("give format and file as sarif=findings.sarif")?;
    if file.is_empty() {
        return Err("the name of the file is missing".to_owned());
    }
    Ok((AuditFormat::from_str(format, false)?, PathBuf::from(file)))
}

/// Clients whose defaults depend on their release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientName {
    /// The Java client of Kafka.
    Java,
    /// librdkafka, in whatever language.
    Librdkafka,
}

/// `3.7`, `v3.7.1` or `4`.
fn release(text: &str) -> Result<(u16, u16, u16), String> {
    let numbers: Result<Vec<u16>, _> = text.trim().trim_start_matches('v').split('.').map(str::parse).collect();
    match numbers.as_deref() {
        Ok([major]) => Ok((*major, 0, 0)),
        Ok([major, minor]) => Ok((*major, *minor, 0)),
        Ok([major, minor, patch]) => Ok((*major, *minor, *patch)),
        _ => Err("give a release as 3.7 or 3.7.1".to_owned()),
    }
}

/// `java:3.7`.
fn client(text: &str) -> Result<(ClientName, (u16, u16, u16)), String> {
    let (name, number) = text.split_once(':').ok_or("give client and release as java:3.7")?;
    let name = match name {
        "java" => ClientName::Java,
        "librdkafka" => ClientName::Librdkafka,
        _ => return Err("the clients are java and librdkafka".to_owned()),
    };
    Ok((name, release(number)?))
}

/// How findings are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum AuditFormat {
    /// With the source line, the failure story and the fix
    #[default]
    Full,
    /// One line for each finding
    Concise,
    /// One JSON object (mqsafe.audit/1)
    Json,
    /// SARIF 2.1.0
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// GitLab's code quality report
    Gitlab,
    /// JUnit XML
    Junit,
    /// A table in Markdown
    Markdown,
}

/// Severities, the worst first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Acknowledged data can vanish on one ordinary failure
    Critical,
    /// As critical, when something else goes wrong as well
    High,
    /// Under a rare or partly known condition
    #[default]
    Medium,
    /// Advice
    Low,
}

/// Dialects that a file can be declared to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DialectName {
    /// server.properties of a broker or controller
    KafkaBroker,
    /// Settings of a Java producer
    KafkaProducer,
    /// Settings of a Java consumer
    KafkaConsumer,
    /// Settings of a librdkafka producer
    LibrdkafkaProducer,
    /// Settings of a librdkafka consumer
    LibrdkafkaConsumer,
    /// definitions.json
    RabbitmqDefinitions,
    /// broker.conf
    RocketmqBroker,
    /// Settings of a Kafka Connect worker
    KafkaConnect,
    /// Settings of a connector
    KafkaConnector,
    /// Settings of a Kafka Streams application
    KafkaStreams,
    /// Settings of MirrorMaker 2
    #[value(name = "kafka-mirrormaker")]
    KafkaMirror,
    /// rabbitmq.conf
    RabbitmqConf,
    /// controller.conf or namesrv.conf
    RocketmqController,
    /// application.yml or application.properties of Spring or Quarkus
    Application,
}
