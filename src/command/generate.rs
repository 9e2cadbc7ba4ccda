//! Shell completions and man pages, written from the command line's own description.

use crate::cli::Cli;
use crate::model::{Outcome, Problem, Result};
use crate::ui::Ui;
use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;
use std::path::Path;

/// Writes the completions of every shell and one man page for each command into `dir`.
pub(super) fn run(dir: &Path, ui: &Ui) -> Result<Outcome> {
    let failed = |e: std::io::Error| {
        Problem::usage(format!("cannot write completions to {}", dir.display()))
            .because(e)
            .next("give a directory that you may write to")
    };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let mut cli = Cli::command();
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut cli, "mqsafe", dir).map_err(failed)?;
    }
    clap_mangen::generate_to(cli, dir).map_err(failed)?;
    ui.summary(&format!("wrote completions and man pages to {}", dir.display()));
    Ok(Outcome::Good)
}
