//! `mqsafe verify`: what the stamps in a topic prove.

use super::resolve;
use super::stop::Asked;
use crate::broker;
use crate::cli::{Deny, Isolation, VerifyArgs, VerifyFormat};
use crate::model::{Outcome, Record, Result, ScanPlan, Visit};
use crate::ui::emit::{query as coverage, verify as emit};
use crate::ui::{Progress, Table, Ui};
use crate::verify::{self, LaneVerdict, Totals, Tracker, Verdict};
use std::ops::ControlFlow;
use std::time::Duration;

/// Lanes without trouble are shown one by one up to this many.
const SHOWN_LANES: usize = 50;
/// Ranges that a person is shown of one lane; JSON has all.
const SHOWN_RANGES: usize = 8;

/// How long a broker may think about whether a topic is compacted, when that decides the verdict.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) fn run(args: VerifyArgs, ui: &Ui) -> Result<Outcome> {
    let connection = resolve::connection(&args.broker, ui)?;
    let broker_url = connection.url.to_string();
    let mut scan = broker::scan(&connection, &args.topic)?;
    let plan = ScanPlan {
        partitions: resolve::partitions(args.partitions.as_deref())?,
        read_uncommitted: args.isolation == Isolation::ReadUncommitted,
        ..ScanPlan::default()
    };
    let asked = Asked::listen()?;
    let mut reader = Reader {
        broker: &broker_url,
        topic: &args.topic,
        tracker: Tracker::default(),
        progress: ui.progress("verify"),
        asked: &asked,
    };
    let (mut report, problem) = resolve::read(scan.scan(&plan, &mut reader))?;
    reader.progress.finish();
    let mut verdict = verify::judge(&reader.tracker, &args.topic, &report);
    if verdict.totals.gap > 0 && !verdict.gaps_are_proven {
        // Now the answer decides between loss and compaction, so it is worth a longer wait.
        report.compacted = scan.is_compacted(PATIENCE);
        verdict = verify::judge(&reader.tracker, &args.topic, &report);
    }
    match args.format {
        VerifyFormat::Json => ui.data(&emit::json(&verdict))?,
        VerifyFormat::Human if problem.is_some() => {}
        VerifyFormat::Human => ui.data(table(&verdict, ui.width()).as_bytes())?,
    }
    if let Some(problem) = problem {
        ui.problem(&problem);
        return Ok(asked.outcome(problem.outcome));
    }
    for line in coverage::coverage_lines(&args.topic, &report) {
        ui.say(&line);
    }
    let outcome = outcome(&verdict, &args.deny);
    ui.summary(&summary(&args.topic, &verdict, outcome));
    Ok(asked.outcome(outcome))
}

/// What a verdict comes to. A topic in which nothing is stamped proves nothing, which is not the same as nothing lost.
fn outcome(verdict: &Verdict, deny: &[Deny]) -> Outcome {
    let Totals {
        stamped,
        gap,
        corrupt,
        duplicate,
        reordered,
        moved,
        ..
    } = verdict.totals;
    let denied = |what: Deny, count: u64| deny.contains(&what) && count > 0;
    let anomaly = (gap > 0 && verdict.gaps_are_proven)
        || corrupt > 0
        || denied(Deny::Duplicate, duplicate)
        || denied(Deny::Reordered, reordered)
        || denied(Deny::Moved, moved);
    if anomaly {
        Outcome::Negative
    } else if stamped == 0 || !verdict.coverage.is_complete() {
        Outcome::Unknown
    } else {
        Outcome::Good
    }
}

fn summary(topic: &str, verdict: &Verdict, outcome: Outcome) -> String {
    let Totals {
        read,
        stamped,
        gap,
        duplicate,
        reordered,
        moved,
        expired,
        void,
        corrupt,
    } = verdict.totals;
    let nothing = if stamped == 0 {
        "; nothing here is stamped by mqsafe, so nothing can be said about loss"
    } else {
        ""
    };
    let word = match outcome {
        Outcome::Good => "no anomaly",
        Outcome::Negative => "ANOMALIES",
        Outcome::Usage | Outcome::Unknown | Outcome::Spooled | Outcome::Interrupted(_) => "no answer",
    };
    let mut more = String::new();
    for (name, count) in [
        ("moved", moved),
        ("expired", expired),
        ("void", void),
        ("corrupt", corrupt),
    ] {
        if count > 0 {
            more.push_str(&format!(", {name} {count}"));
        }
    }
    let coverage = verdict.coverage.word();
    format!(
        "{topic}: {word}: read {read}, stamped {stamped}, gap {gap}, duplicate {duplicate}, reordered {reordered}{more}{nothing}; {coverage}"
    )
}

fn ranges(ranges: &[(u64, u64)]) -> String {
    if ranges.is_empty() {
        return "-".to_owned();
    }
    let one = |&(from, to): &(u64, u64)| {
        if from == to {
            from.to_string()
        } else {
            format!("{from}-{to}")
        }
    };
    let mut text = ranges.iter().take(SHOWN_RANGES).map(one).collect::<Vec<_>>().join(",");
    if ranges.len() > SHOWN_RANGES {
        text.push_str(&format!(" and {} more", ranges.len() - SHOWN_RANGES));
    }
    text
}

fn table(verdict: &Verdict, width: usize) -> String {
    let all = verdict.lanes.len() <= SHOWN_LANES;
    let shown: Vec<&LaneVerdict> = verdict.lanes.iter().filter(|lane| all || !lane.is_clean()).collect();
    let mut table = Table::new(
        &[
            "producer",
            "lane",
            "read",
            "numbers",
            "missing",
            "gaps",
            "duplicates",
            "reordered",
        ],
        width,
    );
    table.numbers([2, 4, 7]);
    for lane in &shown {
        table.row([
            lane.producer.clone(),
            lane.lane.clone(),
            lane.read.to_string(),
            format!("{}-{}", lane.first, lane.last),
            lane.gap().to_string(),
            ranges(&lane.gaps),
            ranges(&lane.duplicates),
            lane.reordered.to_string(),
        ]);
    }
    let Totals {
        stamped,
        gap,
        duplicate,
        reordered,
        ..
    } = verdict.totals;
    let clean = verdict.lanes.len() - shown.len();
    let name = if clean > 0 {
        format!("{clean} more lanes without trouble")
    } else {
        String::new()
    };
    let cells = [
        "total".to_owned(),
        name,
        stamped.to_string(),
        String::new(),
        gap.to_string(),
        String::new(),
        duplicate.to_string(),
    ];
    table.row(cells.into_iter().chain([reordered.to_string()]));
    table.render()
}

struct Reader<'a> {
    broker: &'a str,
    topic: &'a str,
    tracker: Tracker,
    progress: Progress,
    asked: &'a Asked,
}

impl Visit for Reader<'_> {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        for record in records {
            self.tracker.insert(self.topic, record);
        }
        ControlFlow::Continue(())
    }

    fn progress(&mut self, done: u64, total: u64) -> ControlFlow<()> {
        if total > 0 {
            self.progress.set_total(total);
        }
        self.progress
            .set_or_waiting(done, &format!("{} stamped", self.tracker.stamped), self.broker);
        if self.asked.signal().is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}
