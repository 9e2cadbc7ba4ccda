//! `mqsafe spool`: what waits for its confirmation.

use super::resolve;
use super::send::{self, Teller};
use crate::broker;
use crate::cli::{SettingArgs, SpoolAction, SpoolCommand, StatsFormat};
use crate::model::{How, Outcome, Result};
use crate::send::{Options, Partitioner};
use crate::spool::{Spool, SpoolError, Stats, StoreDir};
use crate::ui::emit::spool_stats;
use crate::ui::{Table, Ui, count};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(super) fn run(command: SpoolCommand, ui: &Ui) -> Result<Outcome> {
    match command.action {
        SpoolAction::Stats { spool, format } => {
            stats(&resolve::stores(resolve::named_spool(&spool).as_deref())?, format, ui)
        }
        SpoolAction::Flush {
            spool,
            settings,
            connect_timeout,
            delivery_timeout,
            grace,
        } => {
            // Mistakes in what was typed cost nothing, whatever waits.
            resolve::properties(&settings.properties)?;
            let how = FlushHow {
                settings,
                connect_timeout,
                delivery_timeout,
                grace,
            };
            flush(&resolve::stores(resolve::named_spool(&spool).as_deref())?, &how, ui)
        }
    }
}

struct FlushHow {
    settings: SettingArgs,
    connect_timeout: Duration,
    delivery_timeout: Duration,
    grace: Duration,
}

/// Opens a store, or says why it was left out: another process is at work there, or it is broken. The others go on.
fn open(path: &Path, ui: &Ui) -> Option<Spool> {
    match StoreDir::lock(path).and_then(Spool::open) {
        Ok(spool) => Some(spool),
        Err(e @ SpoolError::InUse { .. }) => {
            ui.warn(&format!("{e}; it was left to that process"));
            None
        }
        Err(e) => {
            ui.problem(&e.into());
            None
        }
    }
}

fn stats(stores: &[PathBuf], format: StatsFormat, ui: &Ui) -> Result<Outcome> {
    let mut outcome = Outcome::Good;
    let mut sum = Stats::default();
    let mut table = Table::new(
        &["spool", "pending", "failed", "confirmed", "oldest", "bytes"],
        ui.width(),
    );
    table.numbers([1, 2, 3, 5]);
    for path in stores {
        let Some(spool) = open(path, ui) else {
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
        StatsFormat::Human if stores.is_empty() => {}
        StatsFormat::Human => ui.data(table.render().as_bytes())?,
    }
    let Stats {
        pending,
        failed,
        confirmed,
        ..
    } = sum;
    ui.summary(&format!(
        "{}: pending {pending}, failed {failed}, confirmed {confirmed}",
        count(stores.len() as u64, "spool")
    ));
    Ok(outcome)
}

fn flush(stores: &[PathBuf], how: &FlushHow, ui: &Ui) -> Result<Outcome> {
    let mut outcomes = Vec::new();
    let mut flushed = 0;
    for path in stores {
        let Some(mut spool) = open(path, ui) else {
            outcomes.push(Outcome::Unknown);
            continue;
        };
        for target in spool.targets()? {
            if spool.waiting(&target)?.count == 0 {
                continue;
            }
            // A copied store signs with a name of its own from now on.
            let target = spool.target(&target.broker, &target.topic)?;
            let connection = resolve::connection_to(&target.broker, &how.settings, ui)?;
            let endpoint = broker::endpoint(&connection, &target.topic, How::default())?;
            let options = Options {
                partitioner: Partitioner::by_key(rand::random()),
                key: None,
                headers: Arc::new([]),
                tag: None,
                dedupe_window: None,
                rate: None,
                connect_timeout: how.connect_timeout,
                delivery_timeout: how.delivery_timeout,
                grace: how.grace,
            };
            let mut teller = Teller::new(ui, None);
            let run = send::pump(&mut spool, &target, endpoint, options, None, &mut teller);
            teller.finish(None)?;
            flushed += 1;
            match run {
                Ok(report) => {
                    send::tell(
                        ui,
                        &report,
                        &target,
                        Some(&path.display().to_string()),
                        teller.started.elapsed(),
                    );
                    outcomes.push(report.outcome);
                    if let Outcome::Interrupted(_) = report.outcome {
                        return Ok(Outcome::combine(outcomes));
                    }
                }
                Err(problem) => {
                    ui.problem(&problem);
                    outcomes.push(Outcome::Spooled);
                }
            }
        }
    }
    if flushed == 0 && outcomes.is_empty() {
        ui.summary("nothing waits");
    }
    Ok(Outcome::combine(outcomes))
}
