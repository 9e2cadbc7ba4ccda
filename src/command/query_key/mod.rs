//! `mqsafe query-key`: every message with a key, and how complete the search was.

mod journey;
mod search;
mod sink;
mod what;

use super::resolve;
use super::stop::Asked;
use crate::broker;
use crate::cli::{Isolation, QueryKeyArgs};
use crate::connect::{BrokerKind, Connection};
use crate::model::{Coverage, Outcome, Problem, Record, Result, ScanPlan, ScanReport, Visit};
use crate::query::{self, Absence, Hit, Placing, Plan, Wanted};
use crate::ui::emit::{journey as emit_journey, query as emit};
use crate::ui::{Ui, escape_bytes};
use search::Search;
use serde_json::Value;
use sink::Sink;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// Bytes of the key that the summary repeats.
const SHOWN_KEY_BYTES: usize = 200;
/// How long a broker may think about how many partitions a topic has.
const PATIENCE: Duration = Duration::from_secs(3);
/// What took no longer may be read again, to tell whether a transaction hides it.
const AGAIN: Duration = Duration::from_secs(5);
/// So many hits are kept for a journey.
const MOST_HITS: usize = 1000;

/// What is the same in every place that is searched.
struct Run<'a> {
    args: &'a QueryKeyArgs,
    ui: &'a Ui,
    wanted: &'a Wanted,
    placing: &'a Placing,
    window: what::Window,
    asked: &'a Asked,
}

/// What one place came to.
struct Place {
    found: u64,
    report: ScanReport,
    coverage: Coverage,
    hits: Vec<Hit>,
    /// Why nothing of it was read.
    problem: Option<Problem>,
}

pub(super) fn run(args: &QueryKeyArgs, ui: &Ui) -> Result<Outcome> {
    let connection = resolve::connection(&args.broker, ui)?;
    let window = what::window(&args.place)?;
    let run = Run {
        args,
        ui,
        wanted: &what::wanted(&args.what, window, ui)?,
        placing: &what::placing(&args.place, &args.what, connection.url.kind())?,
        window,
        asked: &Asked::listen()?,
    };
    let partitions = what::partitions(&args.place)?;
    let raw = args.raw.then_some(if args.what.null { 0 } else { b'\n' });
    let mut sink = Sink::new(ui, args.format, raw, args.follow.journey);
    let start = Instant::now();
    let place = run.search(&connection, &args.topic, Some(&partitions), &mut sink)?;
    let (mut found, mut coverage) = (place.found, place.coverage.clone());
    let mut summary = emit::summary(found, &place.report, &coverage);
    if args.follow.journey && place.problem.is_none() {
        let (journey, in_all, places) = journey::follow(&run, &place, &connection, &mut sink)?;
        (found, coverage) = (in_all, query::all_of(&places));
        (summary["found"], summary["coverage"]) = (Value::from(found), Value::from(coverage.word()));
        summary["journey"] = emit_journey::json(&journey);
        if sink.is_human() {
            ui.data(emit_journey::human(&journey).as_bytes())?;
        }
    }
    let reasons = match (found, &place.problem) {
        (0, None) => query::explain(&place.report, run.absence(&connection, start.elapsed())),
        _ => Vec::new(),
    };
    if !reasons.is_empty() {
        summary["why_absent"] = Value::from(reasons.clone());
    }
    sink.end(summary)?;
    if let Some(problem) = place.problem {
        ui.problem(&problem);
        ui.summary(&run.summary(found, problem.outcome, &coverage));
        return Ok(run.asked.outcome(problem.outcome));
    }
    for line in emit::coverage_lines(&args.topic, &place.report) {
        ui.say(&line);
    }
    for reason in &reasons {
        ui.say(&format!("may explain it: {reason}"));
    }
    let outcome = query::outcome(found, &coverage);
    ui.summary(&run.summary(found, outcome, &coverage));
    Ok(run.asked.outcome(outcome))
}

impl Run<'_> {
    /// Searches one place. In the first one the partitions may be named.
    fn search(
        &self,
        connection: &Connection,
        topic: &str,
        named: Option<&[i32]>,
        sink: &mut Sink<'_>,
    ) -> Result<Place> {
        let args = self.args;
        let mut scan = match args.place.tap {
            true => broker::tap(connection, topic, args.place.watch)?,
            false => broker::scan(connection, topic)?,
        };
        let keys = self.wanted.exact_keys();
        let count = keys.as_ref().and_then(|_| scan.hash_partitions(PATIENCE));
        let named = named.unwrap_or_default();
        let Plan {
            partitions,
            first,
            assumption,
        } = match count {
            Some(count) => self.placing.plan(keys.as_deref(), count, named),
            None => Plan {
                partitions: named.to_vec(),
                ..Plan::default()
            },
        };
        if self.placing.leaves_out() && assumption.is_none() {
            tracing::info!("no partition can be left out for what is looked for; all of them are read");
        }
        let plan = ScanPlan {
            partitions,
            first,
            read_uncommitted: args.place.isolation == Isolation::ReadUncommitted,
            since_ms: self.window.0,
            until_ms: self.window.1,
            keys: keys.unwrap_or_default(),
            ids: self.wanted.ids().to_vec(),
            index: what::index(&args.place, self.wanted),
            newest_first: args.place.newest_first,
            peek: args.place.peek,
            peek_at_risk: args.place.yes,
            ..ScanPlan::default()
        };
        let broker = connection.url.to_string();
        let mut search = Search {
            wanted: self.wanted,
            sink,
            broker: &broker,
            topic,
            limit: args.place.limit,
            newest_first: args.place.newest_first,
            has_more: false,
            windows: BTreeMap::new(),
            progress: self.ui.progress("query-key"),
            asked: self.asked,
            found: 0,
            bytes: 0,
            hits: Vec::new(),
            most_hits: if args.follow.journey { MOST_HITS } else { 0 },
            start: Instant::now(),
            failed: None,
        };
        let (mut report, problem) = resolve::read(scan.scan(&plan, &mut search))?;
        search.end();
        report.stopped |= search.has_more;
        search.progress.finish();
        if let Some(problem) = search.failed {
            return Err(problem);
        }
        let (found, hits) = (search.found, search.hits);
        let coverage = query::coverage(&report, assumption.as_deref(), args.place.limit, found);
        Ok(Place {
            found,
            report,
            coverage,
            hits,
            problem,
        })
    }

    /// What is known of why nothing was found; `took` is how long that took.
    fn absence(&self, connection: &Connection, took: Duration) -> Absence {
        let is_committed = self.args.place.isolation == Isolation::ReadCommitted;
        let only_committed = is_committed && connection.url.kind() == BrokerKind::Kafka;
        let may_look_again = only_committed && took < AGAIN && self.asked.signal().is_none();
        Absence {
            since_ms: self.window.0,
            until_ms: self.window.1,
            only_committed,
            uncommitted: may_look_again.then(|| self.uncommitted(connection)).flatten(),
            by_key: self.wanted.exact_keys().is_some(),
            some_partitions: self.args.place.partitions.is_some(),
            no_history: self.args.place.peek || self.args.place.tap,
        }
    }

    /// How many messages match when those of aborted and open transactions count; `None` when that could not be read.
    fn uncommitted(&self, connection: &Connection) -> Option<u64> {
        let plan = ScanPlan {
            partitions: what::partitions(&self.args.place).ok()?,
            read_uncommitted: true,
            since_ms: self.window.0,
            until_ms: self.window.1,
            keys: self.wanted.exact_keys().unwrap_or_default(),
            ..ScanPlan::default()
        };
        let mut counting = Counting { run: self, count: 0 };
        let mut scan = broker::scan(connection, &self.args.topic).ok()?;
        let report = scan.scan(&plan, &mut counting).ok()?;
        match report.coverage() {
            Coverage::Complete | Coverage::CompleteIf(_) => Some(counting.count),
            Coverage::Partial(_) => Some(counting.count).filter(|count| *count > 0),
        }
    }

    fn summary(&self, found: u64, outcome: Outcome, coverage: &Coverage) -> String {
        let words = match outcome {
            Outcome::Good => format!("found {found}"),
            Outcome::Negative => "not found".to_owned(),
            Outcome::Usage | Outcome::Unknown | Outcome::Spooled | Outcome::Interrupted(_) => {
                "not found in what could be read".to_owned()
            }
        };
        let what = match self.args.what.keys.as_slice() {
            [key] => format!("key {}", escape_bytes(key.as_bytes(), SHOWN_KEY_BYTES)),
            _ => self.args.topic.clone(),
        };
        format!("{what}: {words}; {}", coverage.word())
    }
}

/// Counts what matches.
struct Counting<'a> {
    run: &'a Run<'a>,
    count: u64,
}

impl Visit for Counting<'_> {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        let matches = records.iter().filter(|record| self.run.wanted.matches(record));
        self.count += matches.count() as u64;
        ControlFlow::Continue(())
    }

    fn progress(&mut self, _done: u64, _total: u64) -> ControlFlow<()> {
        match self.run.asked.signal() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }
}
