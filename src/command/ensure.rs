//! `send --ensure`: reads back what was acknowledged.

use super::stop::Asked;
use crate::model::{Coverage, Outcome, Problem, Record, Scan, ScanPlan, Visit};
use crate::send::Ensure;
use crate::ui::{Progress, Ui};
use std::ops::ControlFlow;

/// Clocks differ, and a topic may keep the broker's time: reading begins this much before the first message was accepted.
const MARGIN_MS: i64 = 5 * 60 * 1000;

/// Reads the topic until everything that was acknowledged is found, or to its end.
pub(super) fn run(mut scan: Box<dyn Scan>, ensure: Ensure, broker: &str, asked: &Asked, ui: &Ui) -> Outcome {
    let plan = ScanPlan {
        since_ms: ensure.since_ms().map(|ms| ms - MARGIN_MS),
        ..ScanPlan::default()
    };
    let mut reader = Reader {
        ensure,
        broker,
        asked,
        progress: ui.progress("read back"),
    };
    let scanned = if reader.ensure.waits() {
        Some(scan.scan(&plan, &mut reader))
    } else {
        None
    };
    reader.progress.finish();
    let result = reader.ensure.result();
    let coverage = match &scanned {
        // Nothing is missing, however little had to be read.
        _ if result.missing() == 0 => Coverage::Complete,
        Some(Ok(report)) => report.coverage(),
        Some(Err(problem)) => {
            ui.problem(problem);
            Coverage::Partial(problem.to_string())
        }
        None => Coverage::Complete,
    };
    let missing = result.missing();
    ui.say(&format!(
        "read back: of {} acknowledged, found {}, different {}, not found {missing}; {}",
        result.acknowledged,
        result.found,
        result.different,
        coverage.word()
    ));
    if result.different == 0 && missing == 0 {
        return Outcome::Good;
    }
    if result.different == 0 && !coverage.is_complete() {
        return asked.outcome(Outcome::Unknown);
    }
    let problem = Problem::unknown(format!(
        "the broker acknowledged messages that it does not have as they were sent: {missing} are not there, {} are different",
        result.different
    ))
    .because(format!("missing: {}", result.missing.join(", ")))
    .next("look at retention, compaction and who else writes there; `mqsafe verify` reads the whole topic");
    ui.problem(&problem);
    Outcome::Negative
}

struct Reader<'a> {
    ensure: Ensure,
    broker: &'a str,
    asked: &'a Asked,
    progress: Progress,
}

impl Reader<'_> {
    fn go_on(&self) -> ControlFlow<()> {
        if self.asked.signal().is_none() && self.ensure.waits() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

impl Visit for Reader<'_> {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        records.iter().for_each(|record| self.ensure.read(record));
        self.go_on()
    }

    fn progress(&mut self, done: u64, total: u64) -> ControlFlow<()> {
        if total > 0 {
            self.progress.set_total(total);
        }
        self.progress.set_or_waiting(done, "read back", self.broker);
        self.go_on()
    }
}
