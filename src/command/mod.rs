//! One file for each command: typed words, a resolved plan, the core, a result. The only room that wires the others.

mod audit;
mod generate;

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
        Command::Generate { dir } => generate::run(&dir, ui),
    }
}
