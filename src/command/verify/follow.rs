//! `--follow`: reads on, and tells what is late apart from what is missing.

use super::Reader;
use super::metrics::Metrics;
use crate::cli::VerifyArgs;
use crate::command::stop::Asked;
use crate::model::{Outcome, Result, Scan, ScanPlan};
use crate::ui::emit::verify_metrics::{LaneNow, Now, metrics};
use crate::ui::{Table, Ui};
use crate::verify::{self, Beside, LaneVerdict, Verdict};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(1);
/// How often the table is written where it cannot be followed on a terminal.
const TABLE: Duration = Duration::from_secs(10);
/// How often the metrics are made anew.
const METRICS: Duration = Duration::from_secs(1);
/// How finely a pause listens for a signal.
const SLICE: Duration = Duration::from_millis(50);
/// Lanes that the table shows.
const SHOWN: usize = 20;

/// A producer and a lane.
type Name = (String, String);

/// Missing numbers of all lanes, by when each hole was first seen. A hole is known by its last number.
#[derive(Default)]
pub(super) struct Late(HashMap<Name, HashMap<u64, Instant>>);

impl Late {
    /// How many numbers of a lane are late, and how many are missing by now.
    fn count(&mut self, lane: &LaneVerdict, now: Instant, after: Duration) -> (u64, u64) {
        let name = (lane.producer.clone(), lane.lane.clone());
        if lane.gaps.is_empty() {
            self.0.remove(&name);
            return (0, 0);
        }
        let known = self.0.remove(&name).unwrap_or_default();
        let (mut late, mut missing, mut open) = (0u64, 0u64, HashMap::with_capacity(lane.gaps.len()));
        for &(from, to) in &lane.gaps {
            let since = known.get(&to).copied().unwrap_or(now);
            open.insert(to, since);
            let count = (to - from).saturating_add(1);
            if now.duration_since(since) < after {
                late = late.saturating_add(count);
            } else {
                missing = missing.saturating_add(count);
            }
        }
        self.0.insert(name, open);
        (late, missing)
    }
}

/// How fast each lane comes in.
#[derive(Default)]
struct Rates {
    read: HashMap<Name, u64>,
    all: u64,
    since: Option<Instant>,
}

impl Rates {
    /// Messages a second of each lane, and of all, since the last call; 0 in the first.
    fn next(&mut self, verdict: &Verdict, now: Instant) -> (Vec<f64>, f64) {
        let seconds = self
            .since
            .replace(now)
            .map(|since| now.duration_since(since).as_secs_f64().max(0.001));
        let rate = |before: u64, read: u64| seconds.map_or(0.0, |s| read.saturating_sub(before) as f64 / s);
        let lanes = verdict
            .lanes
            .iter()
            .map(|lane| {
                let name = (lane.producer.clone(), lane.lane.clone());
                let before = self.read.insert(name, lane.read).unwrap_or(0);
                rate(before, lane.read)
            })
            .collect();
        let before = std::mem::replace(&mut self.all, verdict.totals.read);
        (lanes, rate(before, verdict.totals.read))
    }
}

pub(super) fn run(
    args: &VerifyArgs,
    reader: &mut Reader<'_>,
    scan: &mut dyn Scan,
    plan: &ScanPlan,
    to: Option<&Metrics>,
    asked: &Asked,
    ui: &Ui,
) -> Result<()> {
    let (mut late, mut shown, mut told) = (Late::default(), None::<Instant>, String::new());
    // The table and the metrics come at different times, so each has its own measure.
    let (mut table_rates, mut metric_rates, mut scraped) = (Rates::default(), Rates::default(), None::<Instant>);
    let topic = reader.state.topic.clone();
    while asked.signal().is_none() {
        let now = Instant::now();
        let is_table = shown.is_none_or(|at| at.elapsed() >= TABLE);
        let is_scraped = to.is_some() && scraped.is_none_or(|at| at.elapsed() >= METRICS);
        if is_table || is_scraped {
            let state = &mut reader.state;
            let verdict = verify::judge(&mut state.tracker, &topic, &state.report, Beside::default());
            let counts: Vec<(u64, u64)> = verdict
                .lanes
                .iter()
                .map(|lane| late.count(lane, now, args.late_after))
                .collect();
            if is_table {
                shown = Some(now);
                let (rates, rate) = table_rates.next(&verdict, now);
                let text = table(&verdict, &counts, &rates, ui.width());
                // What did not change is not told again.
                if text != told {
                    text.lines().for_each(|line| ui.say(line));
                    let read = reader.state.tracker.handed;
                    ui.say(&format!(
                        "{topic}: read {read}, {rate:.0} a second, {} lanes",
                        verdict.lanes.len()
                    ));
                    told = text;
                }
            }
            if let Some(to) = to.filter(|_| is_scraped) {
                scraped = Some(now);
                let (rates, rate) = metric_rates.next(&verdict, now);
                to.tell(round(&topic, &verdict, &counts, &rates, rate));
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
        reader.keep_now_and_then(ui);
    }
    Ok(())
}

/// The lanes by what a person wants to see first: missing, late, and then the others.
fn by_trouble(verdict: &Verdict, counts: &[(u64, u64)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..verdict.lanes.len()).collect();
    order.sort_by_key(|no| {
        let (late, missing) = counts.get(*no).copied().unwrap_or_default();
        (std::cmp::Reverse(missing), std::cmp::Reverse(late))
    });
    order
}

fn table(verdict: &Verdict, counts: &[(u64, u64)], rates: &[f64], width: usize) -> String {
    let mut table = Table::new(
        &["producer", "lane", "last", "open gaps", "late", "missing", "a second"],
        width,
    );
    table.numbers([2, 3, 4, 5, 6]);
    let order = by_trouble(verdict, counts);
    let lanes = order.iter().zip(0..SHOWN).filter_map(|(no, _)| {
        let lane = verdict.lanes.get(*no)?;
        Some((lane, counts.get(*no)?, rates.get(*no)?))
    });
    for (lane, (waits, missing), rate) in lanes {
        table.row(vec![
            lane.producer.clone(),
            lane.lane.clone(),
            lane.last.to_string(),
            lane.gaps.len().to_string(),
            waits.to_string(),
            missing.to_string(),
            format!("{rate:.0}"),
        ]);
    }
    table.render()
}

fn round(topic: &str, verdict: &Verdict, counts: &[(u64, u64)], rates: &[f64], rate: f64) -> String {
    let order = by_trouble(verdict, counts);
    let lanes: Vec<LaneNow<'_>> = order
        .iter()
        .filter_map(|no| {
            let (late, missing) = *counts.get(*no)?;
            Some(LaneNow {
                lane: verdict.lanes.get(*no)?,
                late,
                missing,
                rate: *rates.get(*no)?,
            })
        })
        .collect();
    let sum = |pick: fn(&(u64, u64)) -> u64| counts.iter().map(pick).fold(0, u64::saturating_add);
    metrics(&Now {
        topic,
        totals: &verdict.totals,
        lanes: &lanes,
        late: sum(|c| c.0),
        missing: sum(|c| c.1),
        rate,
        is_complete: verdict.coverage.is_complete(),
        at_ms: jiff::Timestamp::now().as_millisecond(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Coverage;
    use crate::verify::Totals;

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
        // Holes that were filled are forgotten.
        assert_eq!(late.0.values().map(HashMap::len).sum::<usize>(), 2);
        late.count(&LaneVerdict::default(), begin + after, after);
        assert!(late.0.is_empty());
    }

    #[test]
    fn each_lane_has_its_rate() {
        let verdict = |counts: [u64; 2]| Verdict {
            totals: Totals {
                read: counts.iter().sum(),
                ..Totals::default()
            },
            lanes: ["a", "b"]
                .into_iter()
                .zip(counts)
                .map(|(name, read)| LaneVerdict {
                    lane: name.to_owned(),
                    read,
                    ..LaneVerdict::default()
                })
                .collect(),
            coverage: Coverage::Complete,
            gaps_are_proven: true,
        };
        let (mut rates, begin) = (Rates::default(), Instant::now());
        assert_eq!(rates.next(&verdict([100, 5]), begin), (vec![0.0, 0.0], 0.0));
        let next = rates.next(&verdict([120, 5]), begin + Duration::from_secs(2));
        assert_eq!(next, (vec![10.0, 0.0], 10.0));
    }
}
