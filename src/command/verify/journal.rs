//! The sender's journal: what its stores say of the numbers that they gave.

use crate::command::resolve;
use crate::connect::Connection;
use crate::model::{Problem, Result};
use crate::spool::{Held, Kept, Spool, SpoolError, StoreDir, Target, Which};
use crate::ui::Ui;
use crate::verify::{Acked, Truth};
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// What the stores know.
#[derive(Default)]
pub(super) struct Journal {
    truth: Truth,
    is_given: bool,
    /// Stores that could not be read, and why.
    pub(super) left_out: Vec<String>,
}

impl Journal {
    pub(super) fn truth(&self) -> Option<&Truth> {
        self.is_given.then_some(&self.truth)
    }

    /// Reads every store below these directories.
    pub(super) fn read(dirs: &[PathBuf], connection: &Connection, topic: &str, ui: &Ui) -> Result<Journal> {
        Journal::of(dirs, Some(&connection.url.to_string()), topic, ui)
    }

    /// As [`Journal::read`]; without a broker, the lanes of a topic of this name at any.
    pub(super) fn of(dirs: &[PathBuf], broker: Option<&str>, topic: &str, ui: &Ui) -> Result<Journal> {
        let mut journal = Journal {
            is_given: !dirs.is_empty(),
            ..Journal::default()
        };
        for dir in dirs {
            for path in resolve::stores(Some(dir))? {
                match StoreDir::lock(&path).and_then(Spool::open) {
                    Ok(spool) => journal.store(&spool, broker, topic)?,
                    // One store that is missing must not look like a store that knows of nothing.
                    Err(e @ SpoolError::InUse { .. }) => {
                        let why = format!("the journal {} was not read: {e}", path.display());
                        ui.warn(&why);
                        journal.left_out.push(why);
                    }
                    Err(e) => return Err(Problem::from(e)),
                }
            }
        }
        Ok(journal)
    }

    fn store(&mut self, spool: &Spool, broker: Option<&str>, topic: &str) -> Result<()> {
        let targets = spool.targets()?;
        let is_its = |target: &Target| {
            let place = target.topic.split_once('|');
            let queue = place.is_some_and(|(exchange, key)| exchange.is_empty() && key == topic);
            (target.topic == topic || queue || place.is_some()) && broker.is_none_or(|broker| target.broker == broker)
        };
        let producers: HashSet<&str> = targets
            .iter()
            .filter(|t| is_its(t))
            .map(|t| t.producer.as_str())
            .collect();
        let is_lane =
            |lane: &str| lane.contains('|') || lane.strip_prefix(topic).is_some_and(|rest| rest.starts_with('/'));
        // A store that was copied signs with another name, and knows of what it signed before.
        let is_copied = |producer: &str| !targets.iter().any(|t| t.producer == producer);
        spool.runs(|run| {
            if is_lane(&run.lane) && (producers.contains(run.producer.as_str()) || is_copied(&run.producer)) {
                let acked = Acked {
                    first: run.first,
                    last: run.last,
                    offset: run.offset,
                    time_ms: Some(run.time_ms),
                };
                self.truth.acked(&run.producer, &run.lane, acked);
            }
            ControlFlow::Continue(())
        })?;
        let which = Which {
            pending: true,
            failed: true,
            // What is stored is in the runs; what waits for its time or a decision has no number yet.
            ..Which::default()
        };
        spool.each(which, |target, Kept { message, held }| {
            if let Some(partition) = message.partition.filter(|_| is_its(target) && message.seq > 0) {
                let lane = target.lane(partition);
                match held {
                    Held::Failed { void: true, .. } => self.truth.void(&message.producer, &lane, message.seq),
                    Held::Pending { .. }
                    | Held::Failed { .. }
                    | Held::Awaiting { .. }
                    | Held::Scheduled { .. }
                    | Held::Undecided { .. } => {
                        self.truth.unconfirmed(&message.producer, &lane, message.seq);
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(())
    }
}
