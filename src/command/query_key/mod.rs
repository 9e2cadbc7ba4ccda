//! `mqsafe query-key`: every message with a key, and how complete the search was.

mod search;
mod sink;
mod what;

use super::resolve;
use super::stop::Asked;
use crate::broker;
use crate::cli::{Isolation, QueryKeyArgs};
use crate::model::{Coverage, Outcome, Result, ScanPlan};
use crate::query::{self, Plan};
use crate::ui::emit::query as emit;
use crate::ui::{Ui, escape_bytes};
use search::Search;
use sink::Sink;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// Bytes of the key that the summary repeats.
const SHOWN_KEY_BYTES: usize = 200;
/// How long a broker may think about how many partitions a topic has.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run(args: &QueryKeyArgs, ui: &Ui) -> Result<Outcome> {
    let connection = resolve::connection(&args.broker, ui)?;
    let window = what::window(&args.place)?;
    let wanted = what::wanted(&args.what, window, ui)?;
    let placing = what::placing(&args.place, connection.url.kind())?;
    let asked_partitions = what::partitions(&args.place)?;
    let mut scan = broker::scan(&connection, &args.topic)?;
    let asked = Asked::listen()?;

    let keys = wanted.exact_keys();
    let count = keys.as_ref().and_then(|_| scan.hash_partitions(PATIENCE));
    let Plan {
        partitions,
        first,
        assumption,
    } = count.map_or_else(
        || Plan {
            partitions: asked_partitions.clone(),
            ..Plan::default()
        },
        |count| placing.plan(keys.as_deref(), count, &asked_partitions),
    );
    if placing.leaves_out() && assumption.is_none() {
        tracing::info!("no partition can be left out for what is looked for; all of them are read");
    }
    let plan = ScanPlan {
        partitions,
        first,
        read_uncommitted: args.place.isolation == Isolation::ReadUncommitted,
        since_ms: window.0,
        until_ms: window.1,
        keys: keys.unwrap_or_default(),
        ids: wanted.ids().to_vec(),
        index: what::index(&args.place, &wanted),
        newest_first: args.place.newest_first,
        peek: args.place.peek,
        peek_at_risk: args.place.yes,
        ..ScanPlan::default()
    };
    let raw = args.raw.then_some(if args.what.null { 0 } else { b'\n' });
    let mut sink = Sink::new(ui, args.format, raw);
    let broker_name = connection.url.to_string();
    let mut search = Search {
        wanted: &wanted,
        sink: &mut sink,
        broker: &broker_name,
        topic: &args.topic,
        limit: args.place.limit,
        progress: ui.progress("query-key"),
        asked: &asked,
        found: 0,
        bytes: 0,
        start: Instant::now(),
        failed: None,
    };
    let (report, problem) = resolve::read(scan.scan(&plan, &mut search))?;
    search.progress.finish();
    if let Some(problem) = search.failed {
        return Err(problem);
    }
    let found = search.found;
    let coverage = query::coverage(&report, assumption.as_deref(), args.place.limit, found);
    sink.end(emit::summary(found, &report, &coverage))?;
    if let Some(problem) = problem {
        ui.problem(&problem);
        return Ok(asked.outcome(problem.outcome));
    }
    for line in emit::coverage_lines(&args.topic, &report) {
        ui.say(&line);
    }
    let outcome = query::outcome(found, &coverage);
    ui.summary(&summary(args, found, outcome, &coverage));
    Ok(asked.outcome(outcome))
}

fn summary(args: &QueryKeyArgs, found: u64, outcome: Outcome, coverage: &Coverage) -> String {
    let words = match outcome {
        Outcome::Good => format!("found {found}"),
        Outcome::Negative => "not found".to_owned(),
        Outcome::Usage | Outcome::Unknown | Outcome::Spooled | Outcome::Interrupted(_) => {
            "not found in what could be read".to_owned()
        }
    };
    let what = match args.what.keys.as_slice() {
        [key] => format!("key {}", escape_bytes(key.as_bytes(), SHOWN_KEY_BYTES)),
        _ => args.topic.clone(),
    };
    format!("{what}: {words}; {}", coverage.word())
}
