//! Shell completions and man pages, written from the command line's own description.

use crate::cli::Cli;
use crate::model::{Outcome, Problem, Result};
use crate::ui::Ui;
use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::Shell;
use std::path::Path;

/// Writes the completions of every shell into `dir` and one man page for each command into `dir/man`.
pub(super) fn run(dir: &Path, ui: &Ui) -> Result<Outcome> {
    let failed = |e: std::io::Error| {
        Problem::usage(format!("cannot write completions to {}", dir.display()))
            .because(e)
            .next("give a directory that you may write to")
    };
    let man = dir.join("man");
    std::fs::create_dir_all(&man).map_err(failed)?;
    let mut cli = described();
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut cli, "mqsafe", dir).map_err(failed)?;
    }
    clap_mangen::generate_to(described(), &man).map_err(failed)?;
    ui.summary(&format!("wrote completions and man pages to {}", dir.display()));
    Ok(Outcome::Good)
}

/// The command line without its hidden commands, which no completion should offer.
fn described() -> Command {
    let all = Cli::command();
    let mut shown = Command::new("mqsafe")
        .version(crate::VERSION)
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .args(all.get_arguments().cloned())
        .subcommands(all.get_subcommands().filter(|c| !c.is_hide_set()).cloned());
    if let Some(about) = all.get_about() {
        shown = shown.about(about.clone());
    }
    if let Some(words) = all.get_after_help() {
        shown = shown.after_help(words.clone());
    }
    shown
}
