//! One file for each command: typed words, a resolved plan, the core, a result. The only room that wires the others.

mod audit;
#[cfg(feature = "broker")]
mod context;
#[cfg(feature = "kafka")]
mod drill;
#[cfg(feature = "broker")]
mod dry_run;
#[cfg(feature = "broker")]
mod ensure;
#[cfg(feature = "broker")]
mod exec;
#[cfg(feature = "broker")]
mod followers;
mod generate;
#[cfg(feature = "broker")]
mod home;
#[cfg(feature = "broker")]
mod how;
#[cfg(feature = "broker")]
mod input;
#[cfg(feature = "broker")]
mod only_failed;
#[cfg(feature = "broker")]
mod query_key;
#[cfg(feature = "broker")]
mod receipts;
#[cfg(feature = "broker")]
mod resolve;
#[cfg(feature = "broker")]
mod resume;
#[cfg(feature = "broker")]
mod send;
#[cfg(feature = "broker")]
mod spool;
#[cfg(feature = "broker")]
mod stdin;
#[cfg(feature = "broker")]
mod stop;
#[cfg(feature = "broker")]
mod together;
#[cfg(feature = "broker")]
mod verify;

use crate::cli::{Cli, Command};
use crate::model::{Outcome, Problem, Result};
use crate::ui::Ui;

/// Runs the command that was typed.
///
/// # Errors
/// A [`crate::model::Problem`] when there is no answer; `main` prints it and takes its outcome.
pub fn run(cli: Cli, ui: &Ui) -> Result<Outcome> {
    room_for_files()?;
    match cli.command {
        Command::Audit(args) => audit::run(*args, ui),
        #[cfg(feature = "broker")]
        Command::Send(args) => send::run(&args, ui),
        #[cfg(feature = "broker")]
        Command::QueryKey(args) => query_key::run(&args, ui),
        #[cfg(feature = "broker")]
        Command::Verify(args) => verify::run(&args, ui),
        #[cfg(feature = "broker")]
        Command::Spool(command) => spool::run(command, ui),
        #[cfg(feature = "broker")]
        Command::Context(command) => context::run(command, ui),
        #[cfg(feature = "kafka")]
        Command::Drill(args) => drill::run(args, ui),
        #[cfg(feature = "kafka")]
        Command::DrillCareless(args) => drill::careless(&args, ui),
        Command::Generate { dir } => generate::run(&dir, ui),
    }
}

/// How many files must be free to be opened when a command begins: listening for signals takes 6, the first connection as many.
const FREE_FILES: usize = 12;

/// Whether some more files can be opened. Runtimes and clients panic, or hang in threads of theirs, where they get no descriptor.
fn room_for_files() -> Result<()> {
    // EMFILE and ENFILE are 24 and 23 on every system that this builds for; that there is no such file would be no matter.
    let exhausted = |e: &std::io::Error| matches!(e.raw_os_error(), Some(23 | 24));
    let open = || std::fs::File::open("/dev/null");
    let held: std::io::Result<Vec<std::fs::File>> = (0..FREE_FILES).map(|_| open()).collect();
    match held {
        Err(e) if exhausted(&e) => Err(Problem::unknown("cannot begin: too few files may be open")
            .because(e)
            .next("let more files be open, as with `ulimit -n 1024`")),
        Ok(_) | Err(_) => Ok(()),
    }
}
