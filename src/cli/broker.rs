//! The options that name a broker, the same in every command.

use clap::Args;

/// Which broker, and how to connect to it.
#[derive(Debug, Clone, Args)]
pub struct BrokerArgs {
    /// The broker: kafka://HOST:PORT,HOST:PORT or a bare HOST:PORT
    #[arg(short, long, value_name = "URL", env = "MQSAFE_BROKER", hide_env_values = true)]
    pub broker: String,
    /// A client property (can be repeated); secrets as KEY=@FILE or KEY=env:NAME
    #[arg(short = 'X', value_name = "KEY=VALUE")]
    pub properties: Vec<String>,
}
