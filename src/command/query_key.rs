//! `mqsafe query-key`: every message with a key, and how complete the search was.

use super::resolve;
use super::stop::Asked;
use crate::broker;
use crate::cli::{Isolation, QueryFormat, QueryKeyArgs};
use crate::model::{Outcome, Problem, Record, Result, ScanPlan, Visit};
use crate::query::{self, Wanted};
use crate::ui::emit::query as emit;
use crate::ui::{Progress, Ui, escape_bytes};
use serde_json::Value;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;

/// Bytes of the key that the summary repeats.
const SHOWN_KEY_BYTES: usize = 200;

pub(super) fn run(args: QueryKeyArgs, ui: &Ui) -> Result<Outcome> {
    let connection = resolve::connection(&args.broker, ui)?;
    let mut scan = broker::scan(&connection, &args.topic)?;
    let plan = ScanPlan {
        partitions: resolve::partitions(args.partitions.as_deref())?,
        read_uncommitted: args.isolation == Isolation::ReadUncommitted,
        keys: vec![args.key.as_bytes().to_vec()],
        peek: args.peek,
        ..ScanPlan::default()
    };
    let asked = Asked::listen()?;
    let (broker, topic) = (connection.url.to_string(), args.topic.clone());
    let mut search = Search {
        wanted: Wanted {
            key: args.key.as_bytes().to_vec(),
        },
        broker: &broker,
        topic: &topic,
        format: args.format,
        ui,
        progress: ui.progress("query-key"),
        asked: &asked,
        found: 0,
        records: Vec::new(),
        failed: None,
    };
    let (report, problem) = resolve::read(scan.scan(&plan, &mut search))?;
    search.progress.finish();
    if let Some(problem) = search.failed {
        return Err(problem);
    }
    let (found, coverage) = (search.found, report.coverage());
    match args.format {
        QueryFormat::Human => {}
        QueryFormat::Jsonl => ui.data(&emit::summary(found, &report, None))?,
        QueryFormat::Json => ui.data(&emit::summary(found, &report, Some(search.records)))?,
    }
    if let Some(problem) = problem {
        ui.problem(&problem);
        return Ok(asked.outcome(problem.outcome));
    }
    for line in emit::coverage_lines(&topic, &report) {
        ui.say(&line);
    }
    let outcome = query::outcome(found, &coverage);
    let words = match outcome {
        Outcome::Good => format!("found {found}"),
        Outcome::Negative => "not found".to_owned(),
        Outcome::Usage | Outcome::Unknown | Outcome::Spooled | Outcome::Interrupted(_) => {
            "not found in what could be read".to_owned()
        }
    };
    let key = escape_bytes(args.key.as_bytes(), SHOWN_KEY_BYTES);
    ui.summary(&format!("key {key}: {words}; {}", coverage.word()));
    Ok(asked.outcome(outcome))
}

struct Search<'a> {
    wanted: Wanted,
    broker: &'a str,
    topic: &'a str,
    format: QueryFormat,
    ui: &'a Ui,
    progress: Progress,
    asked: &'a Asked,
    found: u64,
    records: Vec<Value>,
    failed: Option<Problem>,
}

impl Search<'_> {
    fn show(&mut self, record: &Record<'_>) -> Result<()> {
        self.found += 1;
        match self.format {
            QueryFormat::Human => self.ui.data(emit::human(self.topic, record).as_bytes()),
            QueryFormat::Jsonl => self
                .ui
                .data(&emit::line(&emit::record(self.broker, self.topic, record))),
            QueryFormat::Json => {
                self.records.push(emit::record(self.broker, self.topic, record));
                Ok(())
            }
        }
    }

    fn go_on(&self) -> ControlFlow<()> {
        if self.failed.is_some() || self.asked.signal().is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

impl Visit for Search<'_> {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        for record in records {
            if self.wanted.matches(record)
                && let Err(problem) = self.show(record)
            {
                self.failed = Some(problem);
            }
        }
        self.go_on()
    }

    fn progress(&mut self, done: u64, total: u64) -> ControlFlow<()> {
        if total > 0 {
            self.progress.set_total(total);
        }
        self.progress
            .set_or_waiting(done, &format!("{} found", self.found), self.broker);
        self.go_on()
    }
}
