//! What consumers say that they have consumed: files and topics of ids, and what is done about the rest (`--resend`).

use super::lists;
use crate::broker;
use crate::cli::VerifyArgs;
use crate::command::resolve;
use crate::command::stop::Asked;
use crate::connect::Connection;
use crate::model::{ORIGIN_HEADER, Problem, Record, Result, STAMP_HEADER, Scan, ScanPlan, Stamp, Visit};
use crate::spool::{Consumption, Held, Kept, Reported, Spool, SpoolError, StoreDir, Which};
use crate::ui::{Progress, Ui};
use crate::verify::{Compared, Ids, Skips, Standing, Tracker};
use std::ops::ControlFlow;

/// Reports noted in one synced transaction.
const BATCH: usize = 5000;

/// All receipts together, and why they are not all, if so; `None` when none were asked for.
pub(super) fn read(
    args: &VerifyArgs,
    connection: &Connection,
    asked: &Asked,
    ui: &Ui,
) -> Result<Option<(Tracker, Vec<String>)>> {
    let (mut unknown, mut noted) = (Vec::new(), Noted::default());
    if let Some(path) = &args.truth.receipts {
        lists::receipts(path, &mut noted)?;
    } else if args.truth.receipts_topic.is_none() {
        return Ok(None);
    }
    if let Some(topic) = &args.truth.receipts_topic {
        let place = resolve::place_of(connection.url.kind(), topic);
        let mut scan = broker::scan(connection, &place)?;
        let mut reader = Receipts {
            noted: &mut noted,
            unreadable: 0,
            progress: ui.progress("receipts"),
            asked,
        };
        let (report, problem) = resolve::read(scan.scan(&ScanPlan::default(), &mut reader))?;
        reader.progress.finish();
        let unreadable = reader.unreadable;
        if let Some(problem) = problem {
            ui.problem(&problem);
        }
        let coverage = report.coverage();
        if !coverage.is_complete() {
            unknown.push(format!("receipts {topic}: {}", coverage.word()));
        }
        if unreadable > 0 {
            unknown.push(format!("receipts {topic}: {unreadable} messages are no receipts"));
        }
    }
    Ok(Some((noted.tracker, unknown)))
}

/// Ids, one after the other.
#[derive(Default)]
pub(super) struct Noted {
    tracker: Tracker,
    next: i64,
}

impl Noted {
    /// Takes one id; whether it is one.
    pub(super) fn id(&mut self, id: &[u8]) -> bool {
        let headers: Vec<(&[u8], Option<&[u8]>)> = vec![(STAMP_HEADER.as_bytes(), Some(id))];
        let record = Record {
            offset: self.next,
            headers: headers.into(),
            ..Record::default()
        };
        let is_one = matches!(record.stamp(), Some(Ok(_)));
        if is_one {
            // Consumers of all lanes write into one file.
            self.tracker.insert("", &record);
            self.next += 1;
        }
        is_one
    }
}

/// Finds what groups have committed beyond although no receipt says that it was consumed: reads the topic once more for where it lies.
/// Also says why not all of it was looked at.
pub(super) fn skipped(
    scan: &mut dyn Scan,
    compared: &Compared,
    standings: &mut [Standing],
    asked: &Asked,
    ui: &Ui,
) -> Result<Option<String>> {
    let mut look = Beyond {
        skips: Skips::new(compared, standings),
        progress: ui.progress("skipped"),
        asked,
    };
    if compared.missing.is_empty() {
        return Ok(None);
    }
    let (report, problem) = resolve::read(scan.scan(&ScanPlan::default(), &mut look))?;
    look.progress.finish();
    let coverage = report.coverage();
    let why = problem.map(|problem| problem.to_string());
    let why = why.or_else(|| (!coverage.is_complete()).then(|| coverage.word()));
    Ok(why.map(|why| format!("which messages groups have committed beyond: {why}")))
}

struct Beyond<'a> {
    skips: Skips<'a>,
    progress: Progress,
    asked: &'a Asked,
}

impl Visit for Beyond<'_> {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        records.iter().for_each(|record| self.skips.insert(record));
        ControlFlow::Continue(())
    }

    fn progress(&mut self, done: u64, total: u64) -> ControlFlow<()> {
        if total > 0 {
            self.progress.set_total(total);
        }
        self.progress.set(done, "");
        match self.asked.signal() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }
}

struct Receipts<'a> {
    noted: &'a mut Noted,
    unreadable: u64,
    progress: Progress,
    asked: &'a Asked,
}

impl Receipts<'_> {
    /// A check of `send --check-topic` names its message in a header; a consumer writes it into the message.
    fn record(&mut self, record: &Record<'_>) {
        let origin = record
            .headers
            .iter()
            .find(|(name, _)| *name == ORIGIN_HEADER.as_bytes())
            .and_then(|(_, value)| value);
        if let Some(id) = origin {
            self.unreadable += u64::from(!self.noted.id(id));
            return;
        }
        let value = record.value.unwrap_or_default();
        for line in value
            .split(|b| *b == b'\n')
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty())
        {
            let is_read = match line.starts_with(b"{") {
                true => self.json(line),
                false => self.noted.id(line),
            };
            self.unreadable += u64::from(!is_read);
        }
    }

    /// As `spool ack` takes them: an id, and whether it was consumed.
    fn json(&mut self, line: &[u8]) -> bool {
        let Ok(value) = serde_json::from_slice::<serde_json::Value>(line) else {
            return false;
        };
        let id = &value["id"];
        let (Some(seq), Some(producer), Some(lane)) =
            (id["seq"].as_u64(), id["producer"].as_str(), id["lane"].as_str())
        else {
            // The last line of a run is its summary.
            return value.get("schema").is_some();
        };
        match value["status"].as_str() {
            // One whose consumer failed is not consumed.
            Some("failed") => true,
            Some("consumed") | None => self.noted.id(Stamp { seq, producer, lane }.to_string().as_bytes()),
            Some(_) => false,
        }
    }
}

impl Visit for Receipts<'_> {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        records.iter().for_each(|record| self.record(record));
        ControlFlow::Continue(())
    }

    fn progress(&mut self, done: u64, total: u64) -> ControlFlow<()> {
        if total > 0 {
            self.progress.set_total(total);
        }
        self.progress.set(done, "");
        match self.asked.signal() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }
}

/// What `--resend` did.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Resent {
    /// Messages that wait in a spool again.
    pub(super) again: u64,
    /// Messages whose consumption was noted.
    pub(super) consumed: u64,
    /// Messages that are not consumed, and whose time is not over.
    pub(super) waits: u64,
}

/// Notes in the spools what was consumed, and makes pending again what was not consumed in time.
pub(super) fn resend(args: &VerifyArgs, broker: &str, topic: &str, consumed: &mut Tracker, ui: &Ui) -> Result<Resent> {
    let ids = Ids::of(consumed);
    let mut resent = Resent::default();
    for dir in &args.truth.journal {
        for path in resolve::stores(Some(dir))? {
            match StoreDir::lock(&path).and_then(Spool::open) {
                Ok(spool) => resend_of(spool, broker, topic, &ids, &mut resent)?,
                Err(e @ SpoolError::InUse { .. }) => ui.warn(&format!("{e}; nothing of it was put back")),
                Err(e) => return Err(Problem::from(e)),
            }
        }
    }
    Ok(resent)
}

fn resend_of(mut spool: Spool, broker: &str, topic: &str, ids: &Ids<'_>, resent: &mut Resent) -> Result<()> {
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let (mut reports, mut late) = (Vec::new(), Vec::new());
    let which = Which {
        awaiting: true,
        ..Which::default()
    };
    spool.each(which, |target, Kept { message, held }| {
        let Some(partition) = message
            .partition
            .filter(|_| target.broker == broker && target.topic == topic)
        else {
            return ControlFlow::Continue(());
        };
        let lane = target.lane(partition);
        if ids.has(&message.producer, &lane, message.seq) {
            reports.push(Consumption {
                producer: message.producer.clone(),
                lane,
                seq: message.seq,
                failure: None,
            });
        } else if held.is_unconsumed(now_ms) {
            late.push(message.id);
        } else if matches!(held, Held::Awaiting { .. }) {
            resent.waits += 1;
        }
        ControlFlow::Continue(())
    })?;
    for some in reports.chunks(BATCH) {
        let answers = spool.report(some, now_ms)?;
        resent.consumed += answers.iter().filter(|answer| **answer == Reported::Consumed).count() as u64;
    }
    if !late.is_empty() {
        let target = spool.target(broker, topic)?;
        resent.again += spool.retry(&target, &late, None)?.len() as u64;
    }
    Ok(())
}

/// What they are compared as.
pub(super) const WHAT: &str = "what was consumed";
