//! `mqsafe send`: lines to confirmed messages.

use super::receipts::Receipts;
use super::{how, resolve, resume, stop};
use crate::broker;
use crate::cli::SendArgs;
use crate::model::{Endpoint, Fate, Outcome, Problem, Result, Tally};
use crate::send::{Event, Events, InputOptions, Observer, Options, Pump, Receipt, Report, Source, State};
use crate::spool::{Spool, Target};
use crate::ui::emit::receipt;
use crate::ui::{Progress, Ui};
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) fn run(args: SendArgs, ui: &Ui) -> Result<Outcome> {
    let connection = resolve::connection(&args.broker, ui)?;
    let topic = resolve::place(connection.url.kind(), &args)?;
    let from_stdin = args.input.file == Path::new("-");
    if from_stdin && args.input.resume {
        return Err(
            Problem::usage("--resume needs a file; standard input cannot be read again")
                .next("give the FILE that was being sent, or run `mqsafe spool flush` for what still waits"),
        );
    }
    if from_stdin && std::io::stdin().is_terminal() {
        ui.say("reading messages from the terminal, one a line; Ctrl-D ends");
    }
    // Everything is looked at before anything is done, so that a mistake costs nothing.
    let broker = connection.url.to_string();
    let how = how::how(connection.url.kind(), &args)?;
    let endpoint = broker::endpoint(&connection, &topic, how)?;
    let headers = headers(&args.input.headers)?;
    let delimiter = args
        .input
        .key_delimiter
        .as_ref()
        .map(|d| d.as_os_str().as_bytes().to_vec());
    if delimiter.as_ref().is_some_and(Vec::is_empty) {
        return Err(Problem::usage("-K is empty").next("give the text that stands between key and value"));
    }
    if args.input.resume && !args.input.file.is_file() {
        return Err(
            Problem::usage(format!("{} cannot be resumed", args.input.file.display()))
                .because("it is no regular file that could be read again")
                .next("send it without --resume"),
        );
    }
    let fresh = match (from_stdin, args.input.resume) {
        (true, _) => Some(Source::stream("standard input", Box::new(std::io::stdin()))),
        (false, false) => Some(Source::file(&args.input.file, None)?),
        (false, true) => None,
    };
    let receipts = match args.receipts.as_deref() {
        Some(path) => Some(Receipts::open(path, &args.input.file)?),
        None => None,
    };
    let mut spool = match (args.no_spool, args.input.resume) {
        (true, _) => Spool::without()?,
        (false, true) => resume::open_spool(
            resolve::named_spool(&args.spool).as_deref(),
            &broker,
            &topic,
            &args.input.file,
        )?,
        (false, false) => resolve::open_spool(resolve::named_spool(&args.spool).as_deref())?,
    };
    let target = spool.target(&broker, &topic)?;
    let source = match fresh {
        Some(source) => source,
        None => resume::source(&spool, &target, &args.input.file, ui)?,
    };
    let receipts = receipts.map(|r| r.begin(args.input.resume)).transpose()?;
    let options = Options {
        partitioner: how::partitioner(&args.publish),
        key: args.input.key.as_ref().map(|k| k.as_os_str().as_bytes().into()),
        headers: headers.into(),
        tag: None,
        connect_timeout: args.wait.connect_timeout,
        delivery_timeout: args.wait.delivery_timeout,
        grace: args.wait.grace,
    };
    let input = InputOptions {
        key_delimiter: delimiter,
        max_line_bytes: args.input.max_message_bytes as usize,
    };
    let mut teller = Teller::new(ui, receipts);
    let pumped = pump(
        &mut spool,
        &target,
        Arc::clone(&endpoint),
        options,
        Some((source, input)),
        &mut teller,
    );
    if let Some(made) = endpoint.made() {
        ui.say(&made);
    }
    let mut report = pumped?;
    report.warning = how.acks.warning();
    let receipts = teller.finish(Some(&report.own));
    let at = spool.path().map(|p| p.display().to_string());
    tell(ui, &report, &target, at.as_deref(), teller.started.elapsed());
    Ok(report
        .outcome
        .and(receipts.map_or_else(|p| told(ui, p), |()| Outcome::Good)))
}

fn told(ui: &Ui, problem: Problem) -> Outcome {
    ui.problem(&problem);
    problem.outcome
}

/// One run to one target, with Ctrl-C and TERM as its events. Shared with `spool flush`.
pub(super) fn pump(
    spool: &mut Spool,
    target: &Target,
    endpoint: Arc<dyn Endpoint>,
    options: Options,
    input: Option<(Source, InputOptions)>,
    observer: &mut dyn Observer,
) -> Result<Report> {
    let events = Events::default();
    let sender = events.sender.clone();
    stop::on_signal(move |signal| drop(sender.send(Event::Stop(signal))))?;
    Pump::new(spool, target.clone(), endpoint, options, input, observer, events)?.run()
}

fn headers(arguments: &[String]) -> Result<Vec<(String, Option<Vec<u8>>)>> {
    let split = |argument: &String| {
        let (name, value) = argument
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| Problem::usage(format!("-H {argument:?} is not NAME=VALUE")).next("write -H source=shop"))?;
        if name.starts_with("mqsafe-") {
            return Err(
                Problem::usage(format!("-H {name} cannot be set")).because("the stamp's headers belong to mqsafe")
            );
        }
        if name.contains('\0') {
            return Err(Problem::usage("a header name cannot hold a NUL"));
        }
        Ok((name.to_owned(), Some(value.as_bytes().to_vec())))
    };
    arguments.iter().map(split).collect()
}

/// Tells a person and the receipts what happens.
pub(super) struct Teller<'a> {
    ui: &'a Ui,
    progress: Progress,
    pub(super) started: Instant,
    shown: Instant,
    trouble: Option<String>,
    receipts: Option<Receipts>,
    told: Told,
    failed: Option<Problem>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(ui: &'a Ui, receipts: Option<Receipts>) -> Teller<'a> {
        let now = Instant::now();
        Teller {
            ui,
            progress: ui.progress("send"),
            started: now,
            shown: now,
            trouble: None,
            receipts,
            told: Told::default(),
            failed: None,
        }
    }

    fn write(&mut self, line: &[u8]) {
        let Some(receipts) = &mut self.receipts else { return };
        // The messages matter more than their receipts: the work goes on, and the exit tells.
        if let Err(problem) = receipts.write(line, self.ui) {
            self.failed.get_or_insert(problem);
        }
    }

    /// Ends the display and the receipts, whose last line holds the counts.
    pub(super) fn finish(&mut self, tally: Option<&Tally>) -> Result<()> {
        self.progress.finish();
        let Told { rejected, refused } = self.told;
        for (count, what) in [(rejected, "rejected"), (refused, "refused")] {
            if count > TOLD_EACH {
                self.ui.warn(&format!(
                    "{} more lines were {what}; --receipts FILE names each",
                    count - TOLD_EACH
                ));
            }
        }
        if let Some(tally) = tally {
            self.write(&receipt::summary(tally));
        }
        if let Some(receipts) = &mut self.receipts
            && let Err(problem) = receipts.end()
        {
            self.failed.get_or_insert(problem);
        }
        self.failed.take().map_or(Ok(()), Err)
    }
}

/// How many lines with bad news were told.
#[derive(Debug, Default, Clone, Copy)]
struct Told {
    rejected: u64,
    refused: u64,
}

/// So many lines of each kind of bad news are told one by one.
const TOLD_EACH: u64 = 5;

impl Observer for Teller<'_> {
    fn receipt(&mut self, receipt: &Receipt<'_>) {
        if self.receipts.is_some() {
            self.write(&receipt::line(receipt));
        }
        let told = match receipt.fate {
            Fate::Rejected => &mut self.told.rejected,
            Fate::Refused => &mut self.told.refused,
            Fate::Stored | Fate::InDoubt | Fate::Spooled => return,
        };
        *told += 1;
        if *told <= TOLD_EACH {
            let (word, why) = (receipt.fate.word(), receipt.reason.unwrap_or_default());
            self.ui.warn(&format!("line {} was {word}: {why}", receipt.line));
        }
    }

    fn state(&mut self, state: &State) {
        if self.shown.elapsed() < Duration::from_millis(200) {
            return;
        }
        self.shown = Instant::now();
        let State {
            accepted,
            stored,
            in_flight,
            waiting,
            trouble,
        } = state;
        self.progress.set(
            *stored,
            &format!("of {accepted} accepted, {in_flight} in flight, {waiting} waiting"),
        );
        if *trouble != self.trouble {
            match (trouble, &self.trouble) {
                (Some(now), None) => self.ui.say(&format!("waiting: {now}")),
                (None, Some(_)) => self.ui.say("going on"),
                (Some(_), Some(_)) | (None, None) => {}
            }
            self.trouble.clone_from(trouble);
        }
    }
}

/// The words after a run: what broke, what to do, and last the counts.
pub(super) fn tell(ui: &Ui, report: &Report, target: &Target, spool: Option<&str>, took: Duration) {
    for trouble in &report.troubles {
        ui.problem(trouble);
    }
    let left = report.own.in_doubt + report.own.spooled + report.earlier.in_doubt + report.earlier.spooled;
    if let Some(why) = &report.why {
        ui.say(&format!("stopped after line {}: {why}", report.lines));
    }
    if left > 0 {
        match spool {
            Some(_) if !report.spool_is_there => {}
            Some(at) => {
                ui.say(&format!("{left} messages are safe in {at}"));
                ui.say(&format!("  next: mqsafe spool flush --spool {at}"));
            }
            None => ui.say(&format!(
                "{left} messages were not confirmed and are not kept (--no-spool)"
            )),
        }
    }
    if report.own.refused + report.earlier.refused > 0 && spool.is_some() {
        ui.say("refused messages are kept as failed in the spool; `verify` calls their numbers a gap until a later message of their lane has carried the news");
    }
    if report.earlier != Tally::default() {
        ui.say(&format!("left by earlier runs: {}", report.earlier));
    }
    let (seconds, stored) = (took.as_secs_f64(), report.own.stored + report.earlier.stored);
    let rate = if seconds > 0.0 { stored as f64 / seconds } else { 0.0 };
    ui.summary(&format!(
        "{}: {} ({seconds:.1} s, {rate:.0}/s){}",
        // A queue is published to by its name alone; the bar belongs to the lane.
        target.topic.strip_prefix('|').unwrap_or(&target.topic),
        report.own,
        report.warning.map(|w| format!("; {w}")).unwrap_or_default()
    ));
}
