//! `spool ack`: what consumers report.

use super::stores::Stores;
use super::{now_ms, paths};
use crate::broker;
use crate::cli::{BrokerArgs, SpoolAckArgs};
use crate::command::resolve;
use crate::command::stop::Asked;
use crate::model::{Coverage, Outcome, Problem, Record, Result, Scan, ScanPlan, Stamp, Visit};
use crate::spool::{Consumption, Reported};
use crate::ui::emit::query as coverage;
use crate::ui::{Progress, Ui};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;

/// Reports noted in one synced transaction.
const BATCH: usize = 5000;
/// No report is longer; a stamp has some hundred bytes.
const MOST_BYTES: u64 = 1 << 20;
/// So many lines with bad news are told one by one.
const TOLD_EACH: u64 = 5;

/// How many reports came to what.
#[derive(Debug, Default)]
struct Counts {
    consumed: u64,
    failed: u64,
    already: u64,
    not_awaited: u64,
    foreign: u64,
    never_given: u64,
    unreadable: u64,
}

pub(super) fn run(args: &SpoolAckArgs, ui: &Ui) -> Result<Outcome> {
    let reports = match &args.broker {
        Some(broker) => Source::Topic(place(broker, args, ui)?),
        None => Source::Lines(lines(&args.from)?),
    };
    let mut noting = Noting {
        stores: Stores::open(&paths(&args.spool)?, ui),
        counts: Counts::default(),
        batch: Vec::new(),
        number: 0,
        ui,
    };
    let read = match reports {
        Source::Lines(input) => noting.lines(input)?,
        Source::Topic(place) => noting.topic(place, args.peek)?,
    };
    noting.note()?;
    let outcome = read.and(tell(&noting.counts, ui));
    // A report about a message of a store that is in use now is not noted, and nobody can tell which those are.
    let unknown = if noting.counts.foreign > 0 {
        noting.stores.outcome()
    } else {
        Outcome::Good
    };
    Ok(outcome.and(unknown))
}

/// Where the reports come from.
enum Source {
    Lines(Box<dyn Read>),
    Topic(Place),
}

/// A topic or queue of reports.
struct Place {
    scan: Box<dyn Scan>,
    name: String,
    broker: String,
}

fn lines(from: &Path) -> Result<Box<dyn Read>> {
    if from == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    match File::open(from) {
        Ok(file) => Ok(Box::new(file)),
        Err(e) => Err(Problem::usage(format!("cannot read {}", from.display()))
            .because(e)
            .next("check the path; a topic or queue is read with -b URL")),
    }
}

fn place(broker: &str, args: &SpoolAckArgs, ui: &Ui) -> Result<Place> {
    let connection = resolve::connection(
        &BrokerArgs {
            broker: Some(broker.to_owned()),
            settings: args.settings.clone(),
        },
        ui,
    )?;
    let Some(name) = args.from.to_str() else {
        return Err(Problem::usage("--from is no name of a topic or queue"));
    };
    Ok(Place {
        scan: broker::scan(&connection, name)?,
        name: name.to_owned(),
        broker: connection.url.to_string(),
    })
}

/// Notes reports as they are read.
struct Noting<'a> {
    stores: Stores,
    counts: Counts,
    batch: Vec<(u64, Consumption)>,
    /// Lines, or messages, until now.
    number: u64,
    ui: &'a Ui,
}

impl Noting<'_> {
    fn lines(&mut self, input: Box<dyn Read>) -> Result<Outcome> {
        let cannot = |e: std::io::Error| Problem::unknown("cannot read the reports").because(e);
        let mut lines = BufReader::new(input);
        loop {
            let mut line = Vec::new();
            match lines.by_ref().take(MOST_BYTES).read_until(b'\n', &mut line) {
                Ok(0) => return Ok(Outcome::Good),
                Ok(_) => {}
                // What was read until here is noted all the same.
                Err(e) => {
                    let problem = Problem::unknown(format!("cannot read the reports after line {}", self.number));
                    let problem = problem.because(e);
                    self.ui
                        .problem(&problem.next("give them again; what was noted already stays so"));
                    return Ok(Outcome::Unknown);
                }
            }
            self.number += 1;
            let is_whole = line.ends_with(b"\n") || (line.len() as u64) < MOST_BYTES;
            self.read(line.trim_ascii(), is_whole, "line");
            if !is_whole {
                skip_line(&mut lines).map_err(cannot)?;
            }
            self.note_many()?;
        }
    }

    fn topic(&mut self, mut place: Place, peek: bool) -> Result<Outcome> {
        let asked = Asked::listen()?;
        let mut reader = Reader {
            progress: self.ui.progress("read reports"),
            noting: self,
            asked: &asked,
            broker: &place.broker,
            failed: None,
        };
        let plan = ScanPlan {
            peek,
            ..ScanPlan::default()
        };
        let scanned = place.scan.scan(&plan, &mut reader);
        reader.progress.finish();
        if let Some(problem) = reader.failed {
            return Err(problem);
        }
        let (report, problem) = resolve::read(scanned)?;
        if let Some(problem) = problem {
            self.ui.problem(&problem);
        }
        let coverage = report.coverage();
        for line in coverage::coverage_lines(&place.name, &report) {
            self.ui.say(&line);
        }
        self.ui.say(&format!("{}: {}", place.name, coverage.word()));
        let outcome = match coverage {
            Coverage::Complete | Coverage::CompleteIf(_) => Outcome::Good,
            // What was not read may hold reports; they are noted when it is read again.
            Coverage::Partial(_) => Outcome::Unknown,
        };
        Ok(asked.outcome(outcome))
    }

    /// Reads one line of a file or of a message.
    fn read(&mut self, text: &[u8], is_whole: bool, what: &str) {
        if text.is_empty() {
            return;
        }
        match parse(text).filter(|_| is_whole) {
            Some(Parsed::Report(report)) => self.batch.push((self.number, report)),
            Some(Parsed::Summary) => {}
            None => {
                self.counts.unreadable += 1;
                if self.counts.unreadable <= TOLD_EACH {
                    self.ui.warn(&format!(
                        "{what} {} is no report: give {{\"id\":…,\"status\":…}} or SEQ PRODUCER LANE",
                        self.number
                    ));
                }
            }
        }
    }

    fn note_many(&mut self) -> Result<()> {
        if self.batch.len() >= BATCH { self.note() } else { Ok(()) }
    }

    fn note(&mut self) -> Result<()> {
        note(&mut self.stores, &mut self.batch, &mut self.counts, self.ui)
    }
}

/// Reads the messages of a topic.
struct Reader<'a, 'b> {
    noting: &'a mut Noting<'b>,
    progress: Progress,
    asked: &'a Asked,
    broker: &'a str,
    failed: Option<Problem>,
}

impl Visit for Reader<'_, '_> {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        for record in records {
            self.noting.number += 1;
            let value = record.value.unwrap_or_default();
            for line in value.split(|b| *b == b'\n') {
                self.noting
                    .read(line.trim_ascii(), line.len() as u64 <= MOST_BYTES, "message");
            }
            if let Err(problem) = self.noting.note_many() {
                self.failed = Some(problem);
                return ControlFlow::Break(());
            }
        }
        match self.asked.signal() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    fn progress(&mut self, done: u64, total: u64) -> ControlFlow<()> {
        if total > 0 {
            self.progress.set_total(total);
        }
        self.progress.set_or_waiting(done, "read", self.broker);
        match self.asked.signal() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }
}

fn skip_line(lines: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = lines.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|b| *b == b'\n');
        let used = end.map_or(buffer.len(), |i| i + 1);
        lines.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

fn tell(counts: &Counts, ui: &Ui) -> Outcome {
    let Counts {
        consumed,
        failed,
        already,
        not_awaited,
        foreign,
        never_given,
        unreadable,
    } = counts;
    if *failed > 0 {
        ui.say(&format!(
            "{failed} were not consumed; `mqsafe spool retry --unconsumed` sends them again"
        ));
    }
    if *foreign > 0 {
        ui.say(&format!("{foreign} are about messages of other spools"));
    }
    ui.summary(&format!(
        "reports: consumed {consumed}, failed {failed}, known already {already}, failed and not awaited {not_awaited}, \
         of other spools {foreign}, of numbers never given {never_given}, unreadable {unreadable}"
    ));
    if never_given + unreadable + not_awaited > 0 {
        Outcome::Negative
    } else {
        Outcome::Good
    }
}

/// Gives the reports to the stores in turn, until one signs with the name.
fn note(stores: &mut Stores, batch: &mut Vec<(u64, Consumption)>, counts: &mut Counts, ui: &Ui) -> Result<()> {
    let now_ms = now_ms();
    let mut left = std::mem::take(batch);
    for store in &mut stores.open {
        let reports: Vec<Consumption> = left.iter().map(|(_, report)| report.clone()).collect();
        if reports.is_empty() {
            break;
        }
        let answers = store.spool.report(&reports, now_ms)?;
        let mut rest = Vec::new();
        for ((line, report), answer) in left.into_iter().zip(answers) {
            match answer {
                Reported::Consumed => counts.consumed += 1,
                Reported::Already => counts.already += 1,
                Reported::Failed => counts.failed += 1,
                Reported::NotAwaited => counts.not_awaited += 1,
                Reported::NeverGiven => {
                    counts.never_given += 1;
                    if counts.never_given <= TOLD_EACH {
                        let Consumption { seq, lane, .. } = &report;
                        ui.warn(&format!("line {line}: number {seq} of {lane} was never given"));
                    }
                }
                Reported::Foreign => rest.push((line, report)),
            }
        }
        left = rest;
    }
    counts.foreign += left.len() as u64;
    Ok(())
}

/// What a line says.
enum Parsed {
    Report(Consumption),
    /// A summary, as stands at the end of receipts.
    Summary,
}

/// Reads one line; `None` when it is no report.
fn parse(line: &[u8]) -> Option<Parsed> {
    if !line.starts_with(b"{") {
        let Stamp { seq, producer, lane } = Stamp::parse(line).ok()?;
        return Some(Parsed::Report(Consumption {
            producer: producer.to_owned(),
            lane: lane.to_owned(),
            seq,
            failure: None,
        }));
    }
    let value: Value = serde_json::from_slice(line).ok()?;
    if value.get("schema").is_some() {
        return Some(Parsed::Summary);
    }
    let id = value.get("id")?;
    let failure = match value.get("status")?.as_str()? {
        "consumed" => None,
        "failed" => {
            let reason = value.get("reason").and_then(Value::as_str);
            Some(reason.unwrap_or("no reason was given").to_owned())
        }
        _ => return None,
    };
    Some(Parsed::Report(Consumption {
        producer: id.get("producer")?.as_str()?.to_owned(),
        lane: id.get("lane")?.as_str()?.to_owned(),
        seq: id.get("seq")?.as_u64().filter(|seq| *seq > 0)?,
        failure,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(line: &str) -> Option<(u64, Option<String>)> {
        match parse(line.as_bytes())? {
            Parsed::Report(r) => Some((r.seq, r.failure)),
            Parsed::Summary => Some((0, None)),
        }
    }

    #[test]
    fn lines_are_read_or_refused() {
        let id = r#""id":{"producer":"p","lane":"orders/3","seq":17}"#;
        assert_eq!(report("17 p orders/3"), Some((17, None)));
        assert_eq!(report(&format!(r#"{{{id},"status":"consumed"}}"#)), Some((17, None)));
        assert_eq!(
            report(&format!(r#"{{{id},"status":"failed","reason":"no stock"}}"#)),
            Some((17, Some("no stock".to_owned())))
        );
        assert!(report(&format!(r#"{{{id},"status":"failed"}}"#)).is_some());
        assert_eq!(report(r#"{"schema":"mqsafe.send/1"}"#), Some((0, None)));
        for bad in [
            "17",
            "x p l",
            "{",
            "{}",
            r#"{"id":{"producer":"p","lane":"l","seq":0},"status":"consumed"}"#,
            r#"{"id":{"producer":"p","lane":"l","seq":-1},"status":"consumed"}"#,
            r#"{"id":{"producer":"p","lane":"l"},"status":"consumed"}"#,
            r#"{"id":{"producer":"p","lane":"l","seq":1},"status":"stored"}"#,
            r#"{"id":null,"status":"consumed"}"#,
        ] {
            assert!(report(bad).is_none(), "{bad}");
        }
    }
}
