//! `mqsafe audit`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What was typed after `audit`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mqsafe audit .\n  mqsafe audit --profile finance server.properties definitions.json broker.conf\n  mqsafe audit --format json config/ > findings.json\n  mqsafe audit --explain KB002"
)]
pub struct AuditArgs {
    /// Files, or directories to walk
    #[arg(value_name = "PATH", required_unless_present_any = ["explain", "list_rules"])]
    pub paths: Vec<PathBuf>,
    /// What "safe" means here: finance, orders, logs, or the path of a profile
    #[arg(long, default_value = "orders", env = "MQSAFE_PROFILE")]
    pub profile: String,
    /// How findings are written
    #[arg(long, value_enum, default_value_t)]
    pub format: AuditFormat,
    /// The lowest severity that makes the exit code 1
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t)]
    pub fail_on: FailOn,
    /// Read every given file as this dialect instead of recognising it
    #[arg(long, value_enum, value_name = "DIALECT")]
    pub dialect: Option<DialectName>,
    /// Explain one rule and stop
    #[arg(long, value_name = "CODE")]
    pub explain: Option<String>,
    /// List the rules and stop
    #[arg(long)]
    pub list_rules: bool,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum AuditFormat {
    /// With the source line, the failure story and the fix
    #[default]
    Full,
    /// One JSON object (mqsafe.audit/1)
    Json,
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
}
