//! Parse, run, print the error, exit code.

use clap::Parser;
use mqsafe::cli::{Cli, Color, LogFormat};
use mqsafe::model::Outcome;
use mqsafe::ui::{ColorChoice, Ui, UiOptions};
use std::process::ExitCode;

/// Not for our own code but for librdkafka's, whose `malloc` it takes the place of too: each message is made on one thread and
/// freed on another, which costs glibc's allocator a third of all the time of `send`.
#[cfg(feature = "kafka")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version are answers; anything else is a usage error. A closed stream is nobody's fault.
            let _ = e.print();
            let outcome = if e.use_stderr() { Outcome::Usage } else { Outcome::Good };
            return ExitCode::from(outcome.exit_code());
        }
    };
    let ui = Ui::new(UiOptions {
        color: match cli.global.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        },
        no_progress: cli.global.no_progress,
        quiet: cli.global.quiet,
    });
    start_log(cli.global.verbose, cli.global.log_format);
    let outcome = mqsafe::command::run(cli, &ui).unwrap_or_else(|problem| {
        ui.problem(&problem);
        problem.outcome
    });
    ExitCode::from(outcome.exit_code())
}

/// Logs go to stderr and are off by default: what a person must know is said by the terminal layer, not logged.
fn start_log(verbose: u8, format: LogFormat) {
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::prelude::*;
    let level = match verbose {
        0 => "off",
        1 => "mqsafe=info",
        2 => "mqsafe=debug,librdkafka=info",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("MQSAFE_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    // Client crates trace what they send, logins and tokens included, and warn with payloads: whatever the filter asks for, only
    // this project's own words and librdkafka's are written.
    let own = filter_fn(|about| about.target().starts_with("mqsafe") || about.target() == "librdkafka");
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry
            .with(layer.without_time().with_target(false).with_filter(own))
            .init(),
        LogFormat::Json => registry.with(layer.json().with_filter(own)).init(),
    }
}
