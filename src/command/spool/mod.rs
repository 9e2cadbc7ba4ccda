//! `mqsafe spool`: what waits for its confirmation, what failed, and the journal of what was confirmed.

mod ack;
mod decide;
mod flush;
mod fsck;
mod list;
mod on_failed;
mod stores;
mod tend;

use super::resolve;
use crate::cli::{SpoolAction, SpoolArgs, SpoolCommand, StatsFormat};
use crate::model::{Outcome, Result};
use crate::spool::Stats;
use crate::ui::emit::spool_stats;
use crate::ui::{Table, Ui, count};
use std::path::PathBuf;

pub(super) fn run(command: SpoolCommand, ui: &Ui) -> Result<Outcome> {
    match command.action {
        SpoolAction::Ls(args) => list::ls(&args, ui),
        SpoolAction::Show(args) => list::show(&args, ui),
        SpoolAction::Export(args) => list::export(&args, ui),
        SpoolAction::Flush(args) => flush::run(args, ui),
        SpoolAction::Retry(args) => tend::retry(&args, ui),
        SpoolAction::Drop(args) => tend::drop(&args, ui),
        SpoolAction::Decide(args) => decide::run(&args, ui),
        SpoolAction::Ack(args) => ack::run(&args, ui),
        SpoolAction::Fsck(args) => fsck::run(&args, ui),
        SpoolAction::Stats { spool, format } => stats(&paths(&spool)?, format, ui),
    }
}

/// The directories of the stores that are meant.
fn paths(spool: &SpoolArgs) -> Result<Vec<PathBuf>> {
    resolve::stores(resolve::named_spool(spool).as_deref())
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn stats(paths: &[PathBuf], format: StatsFormat, ui: &Ui) -> Result<Outcome> {
    let mut outcome = Outcome::Good;
    let mut sum = Stats::default();
    let mut table = Table::new(
        &["spool", "pending", "failed", "confirmed", "oldest", "bytes"],
        ui.width(),
    );
    table.numbers([1, 2, 3, 5]);
    for path in paths {
        let Some(spool) = stores::open(path, ui) else {
            outcome = Outcome::Unknown;
            continue;
        };
        let stats = spool.stats()?;
        sum = sum.plus(stats);
        let oldest = stats.oldest_ms.map_or_else(|| "-".to_owned(), spool_stats::time);
        let counts = [stats.pending, stats.failed, stats.confirmed].map(|n| n.to_string());
        let [pending, failed, confirmed] = counts;
        table.row([
            path.display().to_string(),
            pending,
            failed,
            confirmed,
            oldest,
            stats.bytes.to_string(),
        ]);
    }
    match format {
        StatsFormat::Json => ui.data(&spool_stats::json(&sum))?,
        StatsFormat::Human if paths.is_empty() => {}
        StatsFormat::Human => ui.data(table.render().as_bytes())?,
    }
    let Stats {
        pending,
        failed,
        confirmed,
        awaiting,
        consumed,
        scheduled,
        undecided,
        ..
    } = sum;
    let consumption = match awaiting + consumed {
        0 => String::new(),
        _ => format!(", awaiting {awaiting}, consumed {consumed}"),
    };
    let mut apart = String::new();
    for (what, n) in [("scheduled", scheduled), ("undecided", undecided)] {
        if n > 0 {
            apart.push_str(&format!(", {what} {n}"));
        }
    }
    ui.summary(&format!(
        "{}: pending {pending}, failed {failed}, confirmed {confirmed}{consumption}{apart}",
        count(paths.len() as u64, "spool")
    ));
    Ok(outcome)
}
