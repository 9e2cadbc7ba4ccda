//! `spool fsck`.

use super::{paths, stores};
use crate::cli::SpoolFsckArgs;
use crate::model::{Outcome, Problem, Result};
use crate::spool::{self, Checked, SpoolError, Stats, StoreDir};
use crate::ui::{Ui, count, escape};
use std::io::ErrorKind;
use std::path::Path;

pub(super) fn run(args: &SpoolFsckArgs, ui: &Ui) -> Result<Outcome> {
    let paths = paths(&args.spool)?;
    let mut outcomes = Vec::new();
    let (mut faults, mut held) = (0, Stats::default());
    for path in &paths {
        match store(path, args.repair, ui) {
            Ok(checked) => {
                let found = checked.faults.len() as u64 + checked.more;
                outcomes.push(if found > 0 { Outcome::Negative } else { Outcome::Good });
                faults += found;
                held = held.plus(checked.held);
                ui.data(lines(&stores::name(path), &checked).as_bytes())?;
            }
            Err(problem) => {
                // Nothing is known of what it holds.
                ui.problem(&problem);
                outcomes.push(Outcome::Unknown);
            }
        }
    }
    ui.summary(&format!(
        "{}: {faults} faults; pending {}, failed {}, confirmed {}",
        count(paths.len() as u64, "spool"),
        held.pending,
        held.failed,
        held.confirmed
    ));
    Ok(Outcome::combine(outcomes))
}

fn lines(name: &str, checked: &Checked) -> String {
    let mut text = String::new();
    for fault in &checked.faults {
        text.push_str(&format!("{name}: {}\n  {}\n", escape(&fault.what), fault.means));
    }
    if checked.more > 0 {
        text.push_str(&format!("{name}: {} more\n", checked.more));
    }
    if checked.faults.is_empty() {
        text.push_str(&format!("{name}: in order\n"));
    }
    text
}

fn store(path: &Path, repair: bool, ui: &Ui) -> Result<Checked> {
    let _lock = match StoreDir::lock(path) {
        Ok(lock) => Some(lock),
        // A store that nobody can write to has no other user either.
        Err(SpoolError::Io { source, .. })
            if !repair
                && matches!(
                    source.kind(),
                    ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
                ) =>
        {
            None
        }
        Err(e) => return Err(unreadable(e)),
    };
    let database = path.join("spool.redb");
    if !repair {
        return spool::check(&database).map_err(unreadable);
    }
    let copy = spool::copy_aside(&database).map_err(unreadable)?;
    ui.say(&format!("a copy of it is {}", copy.display()));
    if spool::repair(&database).map_err(unreadable)? {
        ui.warn(&format!("{}: redb mended its file", stores::name(path)));
    }
    spool::check(&database).map_err(unreadable)
}

/// Whoever asks whether a store is in order and gets no answer does not know it; that is no mistake of theirs.
fn unreadable(e: SpoolError) -> Problem {
    Problem::from(e).with_outcome(Outcome::Unknown)
}
