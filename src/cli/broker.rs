//! The options that name a broker, the same in every command.

use clap::Args;
use std::path::PathBuf;

/// Which broker, and how to connect to it.
#[derive(Debug, Clone, Args)]
pub struct BrokerArgs {
    /// The broker: kafka://HOST:PORT,HOST:PORT (or a bare HOST:PORT), amqp://HOST, amqps://HOST or rocketmq://HOST:PORT;
    /// also from MQSAFE_BROKER, -F or a context
    #[arg(short, long, value_name = "URL")]
    pub broker: Option<String>,
    /// How.
    #[command(flatten)]
    pub settings: SettingArgs,
}

/// How to connect, whatever the broker is.
#[derive(Debug, Clone, Default, Args)]
pub struct SettingArgs {
    /// A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME
    #[arg(short = 'X', value_name = "KEY=VALUE")]
    pub properties: Vec<String>,
    /// Client properties from a file of a Java client, librdkafka or kcat
    #[arg(short = 'F', long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A context of ~/.config/mqsafe/config.yaml, also from MQSAFE_CONTEXT
    #[arg(short = 'C', long, value_name = "NAME")]
    pub context: Option<String>,
    /// RabbitMQ's management API
    #[arg(long, value_name = "URL")]
    pub management: Option<String>,
}
