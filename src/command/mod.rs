//! One file for each command: typed words, a resolved plan, the core, a result. The only room that wires the others.

mod audit;
#[cfg(feature = "kafka")]
mod drill;
mod generate;
#[cfg(feature = "kafka")]
mod query_key;
#[cfg(feature = "kafka")]
mod receipts;
#[cfg(feature = "kafka")]
mod resolve;
#[cfg(feature = "kafka")]
mod resume;
#[cfg(feature = "kafka")]
mod send;
#[cfg(feature = "kafka")]
mod spool;
#[cfg(feature = "kafka")]
mod stop;
#[cfg(feature = "kafka")]
mod verify;

use crate::cli::{Cli, Command};
use crate::model::{Outcome, Result};
use crate::ui::Ui;

/// Runs the command that was typed.
///
/// # Errors
/// A [`crate::model::Problem`] when there is no answer; `main` prints it and takes its outcome.
pub fn run(cli: Cli, ui: &Ui) -> Result<Outcome> {
    match cli.command {
        Command::Audit(args) => audit::run(args, ui),
        #[cfg(feature = "kafka")]
        Command::Send(args) => send::run(args, ui),
        #[cfg(feature = "kafka")]
        Command::QueryKey(args) => query_key::run(args, ui),
        #[cfg(feature = "kafka")]
        Command::Verify(args) => verify::run(args, ui),
        #[cfg(feature = "kafka")]
        Command::Spool(command) => spool::run(command, ui),
        #[cfg(feature = "kafka")]
        Command::Drill(args) => drill::run(args, ui),
        #[cfg(feature = "kafka")]
        Command::DrillCareless(args) => drill::careless(&args, ui),
        Command::Generate { dir } => generate::run(&dir, ui),
    }
}
