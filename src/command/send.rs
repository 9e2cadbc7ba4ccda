//! `mqsafe send`: lines to confirmed messages.

use super::exec::{self, Action};
use super::followers::{Followers, Wanted};
use super::input::{self, From, Plan};
use super::receipts::Receipts;
use super::{dry_run, ensure, how, only_failed, resolve, resume, stdin, stop, together};
use crate::broker;
use crate::cli::SendArgs;
use crate::connect::BrokerKind;
use crate::model::{Endpoint, Fate, Outcome, Outgoing, Problem, Result, Tally};
use crate::send::{Ensure, Event, Events, Input, Latency, Observer, Options, Pump, Receipt, Report, State};
use crate::spool::{Spool, Target};
use crate::ui::emit::receipt;
use crate::ui::{Progress, Ui, count};
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) fn run(args: &SendArgs, ui: &Ui) -> Result<Outcome> {
    let connection = resolve::connection(&args.broker, ui)?;
    let topic = resolve::place(connection.url.kind(), args)?;
    // Everything is looked at before anything is done, so that a mistake costs nothing.
    let headers = headers(&args.input.headers)?;
    let mut plan = Plan::new(args, &headers)?;
    if args.input.resume {
        plan.regular_file("--resume")?;
    }
    if args.input.tag.is_some() && connection.url.kind() != BrokerKind::RocketMq {
        let name = connection.url.kind().name();
        return Err(Problem::usage(format!("{name} has no tags")).next("leave --tag out, or send a header with -H"));
    }
    let again = match &args.input.only_failed {
        Some(receipts) => Some(only_failed::read(
            receipts,
            plan.regular_file("--only-failed")?,
            &plan.form,
        )?),
        None => None,
    };
    let action = match args.after.exec {
        true => Some(Action::new(&args.after.program, "--exec")?),
        false => None,
    };
    let mut named = resolve::named_spool(&args.spool);
    dedupe_has_a_spool(args, named.is_some())?;
    let limit = args
        .spool_limit
        .as_deref()
        .map(|text| input::bytes("--spool-limit", text));
    let limit = limit.transpose()?;
    let broker = connection.url.to_string();
    let how = how::how(connection.url.kind(), args)?;
    let kind = connection.url.kind();
    if args.after.transaction {
        together::transaction_is_possible(kind, how)?;
    }
    let endpoint = broker::endpoint(&connection, &topic, how)?;
    if matches!(plan.from, From::Stdin) {
        stdin::must_be_open()?;
    }
    if matches!(plan.from, From::Stdin) && std::io::stdin().is_terminal() {
        ui.say("reading messages from the terminal, one a line; Ctrl-D ends");
    }
    if let Some(again) = &again {
        again.words.iter().for_each(|words| ui.say(words));
        plan.only(again);
        // What waits from then goes with it.
        named = named.or(again.spool.clone().filter(|_| !args.no_spool));
    }
    let fresh = match args.input.resume {
        true => None,
        false => Some(Input::new(plan.source()?, plan.options.clone())?),
    };
    let mut options = Options {
        partitioner: how::partitioner(&args.publish),
        key: args.input.key.as_ref().map(|k| k.as_os_str().as_bytes().into()),
        headers: headers.into(),
        tag: args.input.tag.as_deref().map(Into::into),
        dedupe_window: args.input.idempotency_key.as_ref().map(|_| args.input.dedupe_window),
        rate: plan.options.rate,
        connect_timeout: args.wait.connect_timeout,
        delivery_timeout: args.wait.delivery_timeout,
        grace: args.wait.grace,
        max_attempts: args.wait.max_attempts,
        retry_every: None,
        await_consumed: args.wait.await_consumed,
        hold: None,
        own: None,
        dead_letter: None,
        check: None,
    };
    let fresh = match (args.input.dry_run, fresh) {
        (true, Some(input)) => {
            let at = dry_run::Where {
                broker: &broker,
                topic: &topic,
                spool: named.as_deref(),
            };
            return dry_run::run(&at, &*endpoint, options, input, Teller::new(ui, None), ui);
        }
        (_, fresh) => fresh,
    };
    // A place that cannot be read is told before anything is sent.
    let scan = match (args.after.ensure, &args.topic) {
        (true, Some(topic)) => Some(broker::scan(&connection, topic)?),
        (true, None) => {
            return Err(Problem::usage("--ensure cannot read an exchange back")
                .next("send to a stream by its name with -t, or leave --ensure out"));
        }
        (false, _) => None,
    };
    let inputs: Vec<PathBuf> = match &plan.from {
        From::Stdin => vec![PathBuf::from("-")],
        From::File(path) => vec![path.clone()],
        From::Files(paths, _) => paths.clone(),
        From::Template(_) => Vec::new(),
    };
    let receipts = args
        .receipts
        .as_deref()
        .map(|path| Receipts::open(path, &inputs))
        .transpose()?;
    let mut spool = match (args.no_spool, args.input.resume) {
        (true, _) => Spool::without()?,
        (false, true) => resume::open_spool(named.as_deref(), &broker, &topic, plan.regular_file("--resume")?)?,
        (false, false) => resolve::open_spool(named.as_deref())?,
    };
    if let Some(limit) = limit {
        spool.limit(limit);
    }
    let target = spool.target(&broker, &topic)?;
    let input = match fresh {
        Some(input) => input,
        None => {
            let file = plan.regular_file("--resume")?;
            let source = resume::source(&spool, &target, file, &plan.options.form, ui)?;
            Input::new(source, plan.options.clone())?
        }
    };
    let undecided = exec::look_after(&mut spool, ui)?;
    let wanted = Wanted::of_send(args, how);
    let flags = wanted.again();
    let followers = Followers::new(wanted, &connection, &topic, &mut spool)?;
    followers.join(&mut options);
    // Receipts that are read as well as written go on, as those of a file that is resumed do.
    let goes_on = args.input.resume || (again.is_some() && same_file(&args.receipts, &args.input.only_failed));
    let receipts = receipts.map(|r| r.begin(goes_on)).transpose()?;
    let mut teller = Teller::new(ui, receipts);
    teller.ensure = scan.is_some().then(Ensure::default);
    if let From::Files(paths, _) = &plan.from {
        teller.files.clone_from(paths);
    }
    let finished = finish_earlier(&mut spool, &target, &endpoint, &options, &mut teller)?;
    if let Some(report) = &finished
        && matches!(report.outcome, Outcome::Interrupted(_))
    {
        // Nothing of the input was read.
        teller.finish(None)?;
        let at = spool.path().map(|p| p.display().to_string());
        tell(
            ui,
            report,
            &target,
            at.as_deref().map(|at| (at, &*flags)),
            teller.started.elapsed(),
        );
        return Ok(report.outcome);
    }
    let place = (&mut spool, &target);
    let report = match &action {
        None if args.after.transaction => together::transaction(place, &endpoint, &options, input, &mut teller),
        None => pump(
            &mut spool,
            &target,
            Arc::clone(&endpoint),
            options,
            Some(input),
            &mut teller,
        ),
        Some(action) => {
            let run = exec::Run {
                action,
                way: together::way(kind, how),
                endpoint: Arc::clone(&endpoint),
                ui,
            };
            exec::deliver(&run, place, options, input, &mut teller)
        }
    };
    let report = report.map(|report| together::with_earlier(finished, report));
    if let Some(made) = endpoint.made() {
        ui.say(&made);
    }
    let mut report = report?;
    report.note = report.note.or(how.acks.warning().map(str::to_owned));
    let took = teller.started.elapsed();
    let told_receipts = teller.finish(Some(&receipt::Summary {
        tally: &report.own,
        input: (&plan.name, &plan.form, report.read_to),
        spool: spool.path(),
        latency: report.latency,
        seconds: took.as_secs_f64(),
        rate: rate(&report, took),
    }));
    let at = spool.path().map(|p| p.display().to_string());
    // Whoever interrupts waits for nothing that comes after; dead letters stay in the spool.
    let interrupted = matches!(report.outcome, Outcome::Interrupted(_));
    let ensured = match (scan, teller.ensure.take()) {
        (Some(_), Some(_)) if interrupted => {
            ui.say("nothing was read back: it was interrupted");
            Outcome::Good
        }
        (Some(scan), Some(read_back)) => match stop::Asked::listen() {
            Ok(asked) => ensure::run(scan, read_back, &broker, &asked, ui),
            Err(problem) => told(ui, problem.with_outcome(Outcome::Unknown)),
        },
        (_, _) => Outcome::Good,
    };
    let followed = if interrupted {
        Outcome::Good
    } else {
        // The counts of the run are told whatever becomes of this.
        let followed = followers.deliver(&mut spool, args, ui);
        followed.unwrap_or_else(|problem| told(ui, problem.with_outcome(Outcome::Spooled)))
    };
    followers.tell_others(&spool, &target, ui)?;
    tell(ui, &report, &target, at.as_deref().map(|at| (at, &*flags)), took);
    Ok(report
        .outcome
        .and(ensured)
        .and(undecided)
        .and(followed)
        .and(told_receipts.map_or_else(|p| told(ui, p), |()| Outcome::Good)))
}

/// The input does not wait long for what earlier runs have left to be published together; that waits as safely as it does.
const FINISH: Duration = Duration::from_secs(3);

/// Publishes what earlier runs have left to be published together, before anything new gets a number.
fn finish_earlier(
    spool: &mut Spool,
    target: &Target,
    endpoint: &Arc<dyn Endpoint>,
    options: &Options,
    observer: &mut Teller<'_>,
) -> Result<Option<Report>> {
    let options = Options {
        connect_timeout: options.connect_timeout.min(FINISH),
        ..options.clone()
    };
    // Their lines are not those of this input.
    let mut quiet = Teller::new(observer.ui, None);
    let finished = together::finish((spool, target), endpoint, &options, &mut quiet)?;
    quiet.finish(None)?;
    Ok(finished)
}

/// What was sent before is remembered by one store. Without a name any of the user's stores may be taken, and another one would
/// not remember.
fn dedupe_has_a_spool(args: &SendArgs, named: bool) -> Result<()> {
    let next = "name one with --spool DIR or MQSAFE_SPOOL, the same in every run";
    match (args.input.idempotency_key.is_some(), args.no_spool, named) {
        (false, ..) | (true, false, true) => Ok(()),
        (true, true, _) => {
            Err(Problem::usage("--idempotency-key needs a spool, which remembers what was sent").next(next))
        }
        (true, false, false) => Err(Problem::usage("--idempotency-key needs a spool that is named")
            .because(
                "without a name each run takes any store that is free, and each store remembers its own messages only",
            )
            .next(next)),
    }
}

fn same_file(one: &Option<PathBuf>, other: &Option<PathBuf>) -> bool {
    let canonical = |path: &Option<PathBuf>| path.as_ref().and_then(|path| path.canonicalize().ok());
    canonical(one).is_some_and(|one| Some(one) == canonical(other))
}

/// Messages acknowledged in a second.
fn rate(report: &Report, took: Duration) -> f64 {
    let (seconds, stored) = (took.as_secs_f64(), report.own.stored + report.earlier.stored);
    if seconds > 0.0 { stored as f64 / seconds } else { 0.0 }
}

fn told(ui: &Ui, problem: Problem) -> Outcome {
    ui.problem(&problem);
    problem.outcome
}

/// One run to one target, with Ctrl-C and TERM as its events.
pub(super) fn pump(
    spool: &mut Spool,
    target: &Target,
    endpoint: Arc<dyn Endpoint>,
    options: Options,
    input: Option<Input>,
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
    ensure: Option<Ensure>,
    /// Where each file is a message: the files, in the order of the lines.
    files: Vec<PathBuf>,
    told: Told,
    failed: Option<Problem>,
    names_failed: bool,
    pub(super) newly_failed: Vec<Newly>,
}

/// A message that failed in this run, for a command that goes on with it.
pub(super) struct Newly {
    /// Its local number in the spool.
    pub(super) id: u64,
    /// Why.
    pub(super) why: String,
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
            ensure: None,
            files: Vec::new(),
            told: Told::default(),
            failed: None,
            names_failed: false,
            newly_failed: Vec::new(),
        }
    }

    /// Keeps which messages fail, for `newly_failed`.
    #[must_use]
    pub(super) fn naming_failed(mut self) -> Teller<'a> {
        self.names_failed = true;
        self
    }

    fn write(&mut self, line: &[u8]) {
        let Some(receipts) = &mut self.receipts else { return };
        // The messages matter more than their receipts: the work goes on, and the exit tells.
        if let Err(problem) = receipts.write(line, self.ui) {
            self.failed.get_or_insert(problem);
        }
    }

    /// Ends the display and the receipts, whose last line holds the counts.
    pub(super) fn finish(&mut self, summary: Option<&receipt::Summary<'_>>) -> Result<()> {
        self.progress.finish();
        let Told { rejected, refused } = self.told;
        for (told, what) in [(rejected, "rejected"), (refused, "refused")] {
            if told > TOLD_EACH {
                let (more, were) = (told - TOLD_EACH, if told - TOLD_EACH == 1 { "was" } else { "were" });
                self.ui.warn(&format!(
                    "{} {were} {what} besides; --receipts FILE names each",
                    count(more, "line")
                ));
            }
        }
        if let Some(summary) = summary {
            self.write(&receipt::summary(summary));
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
    fn offered(&mut self, message: &Outgoing<'_>) {
        if let Some(ensure) = &mut self.ensure {
            ensure.offered(message);
        }
    }

    fn receipt(&mut self, receipt: &Receipt<'_>) {
        if let Some(ensure) = &mut self.ensure {
            ensure.settled(receipt);
        }
        if self.receipts.is_some() {
            let file = usize::try_from(receipt.line)
                .ok()
                .and_then(|line| self.files.get(line.checked_sub(1)?));
            self.write(&receipt::line(receipt, file.map(PathBuf::as_path)));
        }
        let told = match receipt.fate {
            Fate::Rejected => &mut self.told.rejected,
            Fate::Refused => &mut self.told.refused,
            Fate::Stored | Fate::InDoubt | Fate::Spooled | Fate::Repeated => return,
        };
        *told += 1;
        if *told <= TOLD_EACH {
            let (word, why) = (receipt.fate.word(), receipt.reason.unwrap_or_default());
            self.ui.warn(&format!("line {} was {word}: {why}", receipt.line));
        }
    }

    fn failed(&mut self, id: u64, why: &str) {
        if self.names_failed {
            let why = why.to_owned();
            self.newly_failed.push(Newly { id, why });
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
/// Says what a run came to; `spool` is where it is, with the flags that a flush needs to go on in the same way.
pub(super) fn tell(ui: &Ui, report: &Report, target: &Target, spool: Option<(&str, &str)>, took: Duration) {
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
            Some((at, again)) => {
                let are = if left == 1 { "is" } else { "are" };
                ui.say(&format!("{} {are} safe in {at}", count(left, "message")));
                ui.say(&format!("  next: mqsafe spool flush --spool {at}{again}"));
            }
            None => {
                let (were, are) = if left == 1 { ("was", "is") } else { ("were", "are") };
                let messages = count(left, "message");
                ui.say(&format!(
                    "{messages} {were} not confirmed and {are} not kept (--no-spool)"
                ));
            }
        }
    }
    if report.own.refused + report.earlier.refused > 0 && spool.is_some() {
        // What belonged to an action that was rolled back never had a number.
        let numbers = match report.held {
            0 => "; `verify` calls their numbers a gap until a later message of their lane has carried the news",
            _ => "",
        };
        ui.say(&format!("refused messages are kept as failed in the spool{numbers}"));
    }
    if report.earlier != Tally::default() {
        ui.say(&format!("left by earlier runs: {}", report.earlier));
    }
    let mut speed = format!("{:.1} s, {:.0}/s", took.as_secs_f64(), rate(report, took));
    if let Some(Latency { p50, p99, max }) = report.latency {
        speed.push_str(&format!("; latency p50 {p50} ms, p99 {p99} ms, max {max} ms"));
    }
    let note = report
        .note
        .as_ref()
        .map_or_else(String::new, |note| format!("; {note}"));
    ui.summary(&format!(
        "{}: {} ({speed}){note}",
        // A queue is published to by its name alone; the bar belongs to the lane.
        target.topic.strip_prefix('|').unwrap_or(&target.topic),
        report.own
    ));
}
