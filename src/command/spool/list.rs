//! `spool ls`, `show` and `export`: they read and change nothing.

use super::stores::Stores;
use super::{now_ms, paths};
use crate::cli::{
    SpoolBodyState, SpoolExportArgs, SpoolListFormat, SpoolLsArgs, SpoolShowArgs, SpoolState, StatsFormat,
};
use crate::model::{Outcome, Problem, Result};
use crate::spool::{Kept, Run, Target, Which};
use crate::ui::emit::spool as emit;
use crate::ui::{Table, Ui, count};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A person reads no more lines than this without having asked for them.
const LINES: u64 = 1000;

pub(super) fn ls(args: &SpoolLsArgs, ui: &Ui) -> Result<Outcome> {
    let stores = Stores::open(&paths(&args.spool)?, ui);
    let is = |state| args.state.is_none_or(|s| s == state || s == SpoolState::All);
    let which = Which {
        pending: is(SpoolState::Pending),
        failed: is(SpoolState::Failed),
        awaiting: is(SpoolState::Awaiting),
        scheduled: is(SpoolState::Scheduled),
        undecided: is(SpoolState::Undecided),
    };
    // What is no longer kept with its body has no key either.
    let runs = matches!(args.state, Some(SpoolState::Confirmed | SpoolState::All)) && args.key.is_none();
    let most = match (args.limit, args.format) {
        (Some(limit), _) => limit,
        (None, SpoolListFormat::Human) => LINES,
        (None, SpoolListFormat::Json | SpoolListFormat::Jsonl) => u64::MAX,
    };
    let mut list = List::new(args.format, ui, most);
    let key = args.key.as_ref().map(|key| key.as_os_str().as_bytes());
    for (no, store) in stores.open.iter().enumerate() {
        store.spool.each(which, |target, kept| {
            let to = args.topic.as_deref().is_none_or(|name| emit::goes_to(target, name));
            let with = key.is_none_or(|key| kept.message.key.as_deref() == Some(key));
            if !(to && with) {
                return ControlFlow::Continue(());
            }
            list.message(&stores.id(no, kept.message.id), target, &kept)
        })?;
        if runs {
            let targets = store.spool.targets()?;
            store.spool.runs(|run| {
                let to = |name: &str| targets.iter().any(|t| emit::goes_to(t, name) && has_lane(t, &run.lane));
                if args.topic.as_deref().is_none_or(to) {
                    list.run(&store.name, &run)
                } else {
                    ControlFlow::Continue(())
                }
            })?;
        }
    }
    list.end(stores.open.len())?;
    Ok(stores.outcome())
}

/// Whether a lane is one of a target.
fn has_lane(target: &Target, lane: &str) -> bool {
    lane == target.topic
        || lane
            .strip_prefix(&target.topic)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// A list as it grows.
struct List<'a> {
    ui: &'a Ui,
    format: SpoolListFormat,
    most: u64,
    now_ms: i64,
    listed: u64,
    more: u64,
    table: Table,
    runs: Table,
    messages_json: Vec<serde_json::Value>,
    runs_json: Vec<serde_json::Value>,
    failed: Option<Problem>,
}

impl<'a> List<'a> {
    fn new(format: SpoolListFormat, ui: &'a Ui, most: u64) -> List<'a> {
        let mut table = Table::new(&emit::TITLES, ui.width());
        table.numbers([4, 6, 7]);
        let mut runs = Table::new(&emit::RUN_TITLES, ui.width());
        runs.numbers([3, 4, 5]);
        List {
            ui,
            format,
            most,
            now_ms: now_ms(),
            listed: 0,
            more: 0,
            table,
            runs,
            messages_json: Vec::new(),
            runs_json: Vec::new(),
            failed: None,
        }
    }

    fn message(&mut self, id: &str, target: &Target, kept: &Kept) -> ControlFlow<()> {
        if !self.has_room() {
            return ControlFlow::Continue(());
        }
        match self.format {
            SpoolListFormat::Human => self.table.row(emit::row(id, target, kept, self.now_ms)),
            SpoolListFormat::Json => self.messages_json.push(emit::listed(id, target, kept, self.now_ms)),
            SpoolListFormat::Jsonl => return self.line(&emit::listed(id, target, kept, self.now_ms)),
        }
        ControlFlow::Continue(())
    }

    fn run(&mut self, store: &str, run: &Run) -> ControlFlow<()> {
        if !self.has_room() {
            return ControlFlow::Continue(());
        }
        match self.format {
            SpoolListFormat::Human => self.runs.row(emit::run_row(store, run)),
            SpoolListFormat::Json => self.runs_json.push(emit::run(store, run)),
            SpoolListFormat::Jsonl => return self.line(&emit::run(store, run)),
        }
        ControlFlow::Continue(())
    }

    /// Whether one more may be listed; what may not is counted, so that nobody takes the list for all there is.
    fn has_room(&mut self) -> bool {
        let has = self.listed < self.most;
        if has {
            self.listed += 1;
        } else {
            self.more += 1;
        }
        has
    }

    fn line(&mut self, value: &serde_json::Value) -> ControlFlow<()> {
        match self.ui.data(&emit::line(value)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(problem) => {
                self.failed = Some(problem);
                ControlFlow::Break(())
            }
        }
    }

    fn end(self, stores: usize) -> Result<()> {
        if let Some(problem) = self.failed {
            return Err(problem);
        }
        match self.format {
            SpoolListFormat::Human => {
                for table in [&self.table, &self.runs].into_iter().filter(|table| !table.is_empty()) {
                    self.ui.data(table.render().as_bytes())?;
                }
            }
            SpoolListFormat::Json => self.ui.data(&emit::list(self.messages_json, self.runs_json))?,
            SpoolListFormat::Jsonl => {}
        }
        let more = match self.more {
            0 => String::new(),
            n => format!(", {n} more (--limit {})", self.listed + n),
        };
        self.ui.summary(&format!(
            "{}: {} listed{more}",
            count(stores as u64, "spool"),
            self.listed
        ));
        Ok(())
    }
}

pub(super) fn show(args: &SpoolShowArgs, ui: &Ui) -> Result<Outcome> {
    let stores = Stores::open(&paths(&args.spool)?, ui);
    let (store, target, kept) = stores.find(&args.id)?;
    let id = stores.id(store, kept.message.id);
    match args.format {
        StatsFormat::Human => ui.data(emit::human(&id, &target, &kept, now_ms()).as_bytes())?,
        StatsFormat::Json => ui.data(&emit::line(&emit::shown(&id, &target, &kept, now_ms())))?,
    }
    Ok(Outcome::Good)
}

/// Where an export goes.
enum Sink<'a> {
    Stdout(&'a Ui),
    File(BufWriter<File>),
}

impl Sink<'_> {
    fn open<'a>(path: &Path, ui: &'a Ui) -> Result<Sink<'a>> {
        if path == Path::new("-") {
            return Ok(Sink::Stdout(ui));
        }
        // Messages may be anybody's secrets; and no file is worth losing to a slip.
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = options.open(path).map_err(|e| {
            Problem::usage(format!("cannot write to {}", path.display()))
                .because(e)
                .next("give -o a file that is not there yet")
        })?;
        Ok(Sink::File(BufWriter::new(file)))
    }

    fn write(&mut self, line: &[u8]) -> Result<()> {
        match self {
            Sink::Stdout(ui) => ui.data(line),
            Sink::File(file) => file.write_all(line).map_err(incomplete),
        }
    }

    fn end(self) -> Result<()> {
        match self {
            Sink::Stdout(_) => Ok(()),
            Sink::File(file) => {
                let file = file.into_inner().map_err(|e| incomplete(e.into_error()))?;
                file.sync_all().map_err(incomplete)
            }
        }
    }
}

fn incomplete(e: std::io::Error) -> Problem {
    Problem::unknown("the export is incomplete")
        .because(e)
        .next("make room and export again; the spool still holds all of it")
}

pub(super) fn export(args: &SpoolExportArgs, ui: &Ui) -> Result<Outcome> {
    let stores = Stores::open(&paths(&args.spool)?, ui);
    let mut written = 0u64;
    if !args.ids.is_empty() {
        let found: Vec<_> = args.ids.iter().map(|id| stores.find(id)).collect::<Result<_>>()?;
        let mut sink = Sink::open(&args.output, ui)?;
        for (_, target, kept) in &found {
            sink.write(&emit::line(&emit::record(target, kept)))?;
            written += 1;
        }
        sink.end()?;
    } else {
        let is = |state| args.state.is_some_and(|s| s == state || s == SpoolBodyState::All);
        // What is stored is not sent again by who only wants to take along what waits.
        let which = Which {
            pending: args.state.is_none() || is(SpoolBodyState::Pending),
            failed: args.state.is_none() || is(SpoolBodyState::Failed),
            awaiting: is(SpoolBodyState::Awaiting),
            ..Which::default()
        };
        let mut sink = Sink::open(&args.output, ui)?;
        let mut failed = None;
        for store in &stores.open {
            store.spool.each(which, |target, kept| {
                match sink.write(&emit::line(&emit::record(target, &kept))) {
                    Ok(()) => {
                        written += 1;
                        ControlFlow::Continue(())
                    }
                    Err(problem) => {
                        failed = Some(problem);
                        ControlFlow::Break(())
                    }
                }
            })?;
        }
        failed.map_or(Ok(()), Err)?;
        sink.end()?;
    }
    ui.summary(&format!("{written} messages exported; the spool still holds them"));
    Ok(stores.outcome())
}
