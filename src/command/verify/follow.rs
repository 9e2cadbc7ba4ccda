//! `--follow`: reads on, and tells what is late apart from what is missing.

use super::Reader;
use crate::cli::VerifyArgs;
use crate::command::stop::Asked;
use crate::model::{Outcome, Result, Scan, ScanPlan};
use crate::ui::{Table, Ui};
use crate::verify::{self, Beside, LaneVerdict};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(1);
/// How often the table is written where it cannot be followed on a terminal.
const TABLE: Duration = Duration::from_secs(10);
/// How finely a pause listens for a signal.
const SLICE: Duration = Duration::from_millis(50);
/// Lanes that the table shows.
const SHOWN: usize = 20;

/// Missing numbers of a lane, by when each hole was first seen. A hole is known by its first number.
#[derive(Default)]
pub(super) struct Late(HashMap<(String, String, u64), Instant>);

impl Late {
    /// How many numbers of a lane are late, and how many are missing by now.
    fn count(&mut self, lane: &LaneVerdict, now: Instant, after: Duration) -> (u64, u64) {
        let (mut late, mut missing) = (0u64, 0u64);
        for &(from, to) in &lane.gaps {
            let key = (lane.producer.clone(), lane.lane.clone(), to);
            let since = *self.0.entry(key).or_insert(now);
            let count = (to - from).saturating_add(1);
            if now.duration_since(since) < after {
                late = late.saturating_add(count);
            } else {
                missing = missing.saturating_add(count);
            }
        }
        (late, missing)
    }
}

pub(super) fn run(
    args: &VerifyArgs,
    reader: &mut Reader<'_>,
    scan: &mut dyn Scan,
    plan: &ScanPlan,
    asked: &Asked,
    ui: &Ui,
) -> Result<()> {
    let mut late = Late::default();
    let (mut shown, mut read, mut since) = (None::<Instant>, reader.state.tracker.handed, Instant::now());
    let mut told = String::new();
    while asked.signal().is_none() {
        let now = Instant::now();
        let topic = reader.state.topic.clone();
        let verdict = verify::judge(
            &mut reader.state.tracker,
            &topic,
            &reader.state.report,
            Beside::default(),
        );
        if shown.is_none_or(|at| at.elapsed() >= TABLE) {
            let seconds = now.duration_since(since).as_secs_f64().max(0.001);
            let rate = reader.state.tracker.handed.saturating_sub(read) as f64 / seconds;
            (read, since, shown) = (reader.state.tracker.handed, now, Some(now));
            let mut table = Table::new(
                &["producer", "lane", "last", "open gaps", "late", "missing"],
                ui.width(),
            );
            table.numbers([2, 3, 4, 5]);
            for lane in verdict.lanes.iter().take(SHOWN) {
                let (waits, missing) = late.count(lane, now, args.late_after);
                let cells = [
                    lane.producer.clone(),
                    lane.lane.clone(),
                    lane.last.to_string(),
                    lane.gaps.len().to_string(),
                    waits.to_string(),
                    missing.to_string(),
                ];
                table.row(cells);
            }
            let text = table.render();
            // What did not change is not told again.
            if text != told {
                text.lines().for_each(|line| ui.say(line));
                ui.say(&format!(
                    "{topic}: read {read}, {rate:.0} a second, {} lanes",
                    verdict.lanes.len()
                ));
                told = text;
            }
        }
        let pause = Instant::now();
        while pause.elapsed() < ROUND && asked.signal().is_none() {
            std::thread::sleep(SLICE);
        }
        if asked.signal().is_some() {
            break;
        }
        let next = ScanPlan {
            from: reader.state.resume(),
            ..plan.clone()
        };
        if let Some(problem) = reader.scan(scan, &next)? {
            // It may come back; what is known stays known.
            ui.warn(&problem.to_string());
            if problem.outcome == Outcome::Usage {
                return Err(problem);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_late_before_it_is_missing() {
        let lane = LaneVerdict {
            gaps: vec![(3, 4), (7, 7)],
            ..LaneVerdict::default()
        };
        let (mut late, begin, after) = (Late::default(), Instant::now(), Duration::from_secs(30));
        assert_eq!(late.count(&lane, begin, after), (3, 0));
        // One of the two came, later than the other began to be missed.
        let rest = LaneVerdict {
            gaps: vec![(4, 4), (9, 9)],
            ..lane
        };
        assert_eq!(late.count(&rest, begin + after, after), (1, 1));
    }
}
