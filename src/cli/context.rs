//! `mqsafe context`.

use super::{BrokerArgs, duration};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// What was typed after `context`.
#[derive(Debug, Args)]
#[command(
    after_help = "Contexts stand in ~/.config/mqsafe/config.yaml:\n\n  current: prod\n  contexts:\n    prod:\n      \
broker: kafka://kafka-1.example.com:9093,kafka-2.example.com:9093\n      properties:\n        security.protocol: SASL_SSL\n        \
sasl.mechanism: SCRAM-SHA-512\n        sasl.username: mqsafe\n        sasl.password: {env: KAFKA_PASSWORD}\n    \
rabbit:\n      broker: amqps://mqsafe@rabbit.example.com\n      management: https://rabbit.example.com:15671\n      \
password: {file: secrets/rabbit}\n    java:\n      config_file: /etc/kafka/client.properties\n\n\
A secret is {env: NAME}, {file: PATH} or {command: [PROGRAM, ARG]}, or stands there itself when nobody else may read the file."
)]
pub struct ContextCommand {
    /// What to do with them.
    #[command(subcommand)]
    pub action: ContextAction,
}

/// What can be done with contexts.
#[derive(Debug, Subcommand)]
pub enum ContextAction {
    /// List the contexts
    Ls,
    /// Make a context the one that counts when none is named
    Use {
        /// Its name
        name: String,
    },
    /// Show what a command would connect with, secrets left out
    Show {
        /// The context; by default what the other options and the environment come to
        #[arg(conflicts_with = "context")]
        name: Option<String>,
        /// Which broker.
        #[command(flatten)]
        broker: BrokerArgs,
        /// Also where each value comes from
        #[arg(long)]
        origin: bool,
    },
    /// Connect step by step and say which step fails
    #[command(after_help = "Exit codes: 0 every step went well, 2 configuration error, 3 a step failed.")]
    Test {
        /// The context; by default what the other options and the environment come to
        #[arg(conflicts_with = "context")]
        name: Option<String>,
        /// Which broker.
        #[command(flatten)]
        broker: BrokerArgs,
        /// Also whether this topic may be seen
        #[arg(short, long)]
        topic: Option<String>,
        /// How long each step may take
        #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
        timeout: Duration,
        /// How the steps are written
        #[arg(long, value_enum, default_value_t)]
        format: ContextFormat,
    },
    /// Take the connections of another tool
    Import {
        /// The tool
        #[arg(value_enum)]
        tool: Tool,
        /// Its file; by default where the tool looks for it
        file: Option<PathBuf>,
        /// Put this before the name of each context
        #[arg(long, value_name = "TEXT", default_value = "")]
        prefix: String,
    },
}

/// Whose files can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tool {
    /// ~/.config/kcat.conf
    Kcat,
    /// ~/.config/rpk/rpk.yaml
    Rpk,
    /// ~/.kaf/config
    Kaf,
    /// ~/.config/kafkactl/config.yml
    Kafkactl,
    /// ~/.config/kcl/config.toml
    Kcl,
    /// ~/.rabbitmqadmin.conf
    Rabbitmqadmin,
}

/// How steps are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ContextFormat {
    /// A table
    #[default]
    Human,
    /// One JSON object (mqsafe.context/1)
    Json,
}
