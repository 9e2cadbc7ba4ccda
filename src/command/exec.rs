//! `send --exec`: messages that belong to a local action, as all or none of them.
//!
//! Neither Kafka nor AMQP has a two-phase commit with a program. So everything is in the spool before the program begins, its outcome
//! is written and synced there, and only then is anything published: whatever crashes between, the next run knows what happened, or
//! knows that only the program can tell.

use super::send::pump;
use super::stop::Asked;
use super::together::{self, Held, Prepare, Published, Waiting};
use crate::connect;
use crate::hooks;
use crate::model::{Endpoint, Fate, Outcome, Problem, Result};
use crate::send::{Input, Observer, Options, Receipt, Report};
use crate::spool::{Group, Phase, Spool, SpoolError, Target, Way};
use crate::ui::{Ui, count};
use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// What the program finds the name of its messages in: to write down with what it does, and to look for when it is asked later.
const NAME_VARIABLE: &str = "MQSAFE_EXEC_ID";

/// How often it is looked whether the program has ended.
const POLL: Duration = Duration::from_millis(20);

/// A program of the user's with its arguments.
#[derive(Debug, Clone)]
pub(super) struct Action(Vec<OsString>);

/// How an action ended.
pub(super) enum Ended {
    /// It did its work.
    Done,
    /// It did not, and says so.
    Refused(String),
    /// Only it could tell.
    Unknown(String),
}

impl Action {
    /// # Errors
    /// When no program is named.
    pub(super) fn new(words: &[OsString], flag: &str) -> Result<Action> {
        if words.first().is_none_or(|program| program.is_empty()) {
            return Err(
                Problem::usage(format!("{flag} names no program")).next(format!("write {flag} -- PROGRAM ARGS"))
            );
        }
        Ok(Action(words.to_owned()))
    }

    fn words(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|w| w.to_string_lossy()).collect();
        words.join(" ")
    }

    fn program(&self) -> String {
        self.0[0].to_string_lossy().into_owned()
    }

    /// Runs it to its end, however long that takes. What it prints goes to stderr: stdout is for data.
    ///
    /// # Errors
    /// When it cannot be started; then it did nothing.
    pub(super) fn run(&self, name: &str) -> Result<Ended> {
        self.run_until(name, || false)
    }

    /// The same, unless somebody does not want to wait for its end: it goes on then, and nobody here knows how it ends.
    fn run_until(&self, name: &str, enough: impl Fn() -> bool) -> Result<Ended> {
        connect::hide(connect::BROKER_VARIABLE);
        let mut command = Command::new(&self.0[0]);
        // In a group of its own: a Ctrl-C that is meant for us must not end it in the middle of its work.
        command
            .args(&self.0[1..])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(std::io::stderr());
        connect::without_hidden(&mut command);
        command.env(NAME_VARIABLE, name);
        let cannot = |e: std::io::Error| {
            Problem::usage(format!("cannot run {}", self.program()))
                .because(e)
                .next("check the program after --")
        };
        let mut child = command.spawn().map_err(cannot)?;
        let mut pause = Duration::from_millis(1);
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(self.judge(status)),
                Ok(None) if enough() => return Ok(Ended::Unknown(format!("{} still runs", self.program()))),
                Ok(None) => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(POLL);
                }
                // It began, and nobody can say more.
                Err(e) => {
                    return Ok(Ended::Unknown(format!(
                        "how {} ended cannot be asked: {e}",
                        self.program()
                    )));
                }
            }
        }
    }

    fn judge(&self, status: ExitStatus) -> Ended {
        match (status.code(), status.signal()) {
            (Some(0), _) => Ended::Done,
            (Some(code), _) => Ended::Refused(format!("{} ended with exit {code}", self.program())),
            (None, Some(signal)) => Ended::Unknown(format!("{} was ended by signal {signal}", self.program())),
            (None, None) => Ended::Unknown(format!("{} ended without a word", self.program())),
        }
    }
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// What is run, and what is said of it.
pub(super) struct Run<'a> {
    /// The program.
    pub(super) action: &'a Action,
    /// How its messages are published, where that is not one by one.
    pub(super) way: Option<Way>,
    /// Where they go.
    pub(super) endpoint: Arc<dyn Endpoint>,
    /// To a person.
    pub(super) ui: &'a Ui,
}

/// Stores the whole input, runs the action, writes down how it ended, and delivers, or does not.
pub(super) fn deliver(
    run: &Run<'_>,
    (spool, target): (&mut Spool, &Target),
    options: Options,
    input: Input,
    observer: &mut dyn Observer,
) -> Result<Report> {
    let Run {
        action,
        way,
        endpoint,
        ui,
    } = run;
    let no = spool.begin_group(target, &action.words(), now_ms())?;
    let name = spool.group_name(no);
    if let Some(way) = way {
        spool.publish_together(target, no, *way, &together::name(*way, target))?;
    }
    let mut held = match together::hold((&mut *spool, target, no), endpoint, &options, input, observer)? {
        Held::Whole(held) => held,
        Held::Cut(mut held, why) => {
            let why = format!("{why}, so the action was not begun");
            let messages = spool.decide(target, no, Some(&why), now_ms())?;
            settled(&mut held, observer, &messages, Fate::Refused, &why);
            held.why.get_or_insert(why);
            held.outcome = held.outcome.and(Outcome::Negative);
            return Ok(held);
        }
    };
    let place = (&mut *spool, target, no);
    let mut prepared = match way {
        Some(Way::Prepared) => match Waiting::prepare(place, endpoint, &options, observer, ui) {
            Ok(Prepare::Ready(waiting)) => Some(waiting),
            Ok(Prepare::Not(why, outcome)) => {
                let messages = spool.decide(target, no, Some(&why), now_ms())?;
                settled(&mut held, observer, &messages, Fate::Refused, &why);
                held.why = Some(why);
                held.outcome = held.outcome.and(Outcome::Negative).and(outcome);
                return Ok(held);
            }
            Err(problem) => {
                spool.decide(target, no, Some("its messages could not be prepared"), now_ms())?;
                return Err(problem);
            }
        },
        Some(Way::Transaction) | None => None,
    };
    // With the names of the lanes that its messages got meanwhile.
    let target = &spool.target(&target.broker, &target.topic)?;
    // The first Ctrl-C waits for the action and publishes nothing more, the second leaves its messages undecided.
    let asked = Asked::listen_twice()?;
    spool.begin_action(target, no)?;
    ui.say(&format!(
        "{} stored; running {}",
        count(held.held, "message"),
        action.program()
    ));
    // Whatever it did stays true when it cannot be written down; then the messages are undecided, and safe.
    let unwritten = |e: SpoolError| {
        Problem::from(e)
            .because("how the action ended could not be written down")
            .next(format!("`mqsafe spool decide {no}` says it to the spool"))
            .with_outcome(Outcome::Spooled)
    };
    match action.run_until(&name, || asked.is_twice()) {
        Ok(Ended::Done) => {
            // One message needs no transaction.
            let together = way.filter(|way| *way == Way::Prepared || held.held > 1);
            let ids = match together {
                Some(_) => {
                    let ids = spool.group_messages(target, no)?;
                    spool.advance(target, no, Phase::Decided, &[]).map_err(unwritten)?;
                    ids
                }
                None => spool.decide(target, no, None, now_ms()).map_err(unwritten)?,
            };
            hooks::die_at("decided");
            if let Some(signal) = asked.signal() {
                let why = "it was interrupted";
                settled(&mut held, observer, &ids, Fate::Spooled, why);
                held.why = Some(why.to_owned());
                held.outcome = Outcome::Interrupted(signal).and(held.outcome);
                return Ok(held);
            }
            let place = (&mut *spool, target, no);
            let published = match (together, prepared.take()) {
                (Some(_), waiting) => together::publish(place, endpoint, &options, observer, waiting, &ids)?,
                (None, _) => {
                    let own = ids.first().map(|(first, _)| (*first, ids.len() as u64));
                    let after = Options { own, ..options };
                    Published {
                        report: pump(spool, target, Arc::clone(endpoint), after, None, observer)?,
                        earlier_again: true,
                    }
                }
            };
            Ok(together::joined(held, published))
        }
        Ok(Ended::Refused(why)) => {
            let why = format!("rolled back: {why}");
            let handles = spool.handles(target, no)?;
            let messages = spool.decide(target, no, Some(&why), now_ms()).map_err(unwritten)?;
            if let Some(waiting) = prepared.take() {
                waiting.give_up(&handles);
            }
            settled(&mut held, observer, &messages, Fate::Refused, &why);
            held.why = Some(why);
            held.outcome = asked.outcome(held.outcome.and(Outcome::Negative));
            Ok(held)
        }
        Ok(Ended::Unknown(why)) => {
            let messages = spool.group_messages(target, no)?;
            settled(&mut held, observer, &messages, Fate::Spooled, &why);
            let at = spool.path().map(|p| p.display().to_string()).unwrap_or_default();
            held.troubles.push(
                Problem::unknown(format!("whether the action {name} did its work is not known"))
                    .because(&why)
                    .next(format!(
                        "look for it, then: mqsafe spool decide {no} commit (or rollback) --spool {at}"
                    ))
                    .with_outcome(Outcome::Spooled),
            );
            held.why = Some(why);
            held.outcome = asked.outcome(held.outcome.and(Outcome::Spooled));
            Ok(held)
        }
        Err(problem) => {
            // It never began, so nothing of it happened.
            let handles = spool.handles(target, no)?;
            spool.decide(target, no, Some(&problem.to_string()), now_ms())?;
            if let Some(waiting) = prepared.take() {
                waiting.give_up(&handles);
            }
            Err(problem)
        }
    }
}

/// Counts the messages of an action that are not published, and tells each.
pub(super) fn settled(
    report: &mut Report,
    observer: &mut dyn Observer,
    messages: &[(u64, u64)],
    fate: Fate,
    why: &str,
) {
    report.own.count(fate, messages.len() as u64);
    for (_, line) in messages {
        observer.receipt(&Receipt {
            line: *line,
            id: None,
            fate,
            partition: None,
            offset: None,
            attempts: 0,
            latency_ms: 0,
            reason: Some(why),
        });
    }
}

/// Looks after what runs that died have left: an action that never began did not happen, one that may have is told.
///
/// # Errors
/// When the store fails.
pub(super) fn look_after(spool: &mut Spool, ui: &Ui) -> Result<Outcome> {
    let mut outcome = Outcome::Good;
    for (target, group) in spool.undecided()? {
        // Only the broker's word on it is missing.
        if group.is_decided() {
            continue;
        }
        let name = spool.group_name(group.no);
        if group.begun {
            tell(&target, &group, &name, ui);
            outcome = outcome.and(Outcome::Spooled);
            continue;
        }
        let why = format!("the run ended before the action {name} began");
        let failed = spool.decide(&target, group.no, Some(&why), now_ms())?.len();
        if failed > 0 {
            ui.warn(&format!(
                "{} to {} failed: {why} ({}); `mqsafe spool retry --all-failed` sends them all the same",
                count(failed as u64, "message"),
                target.words(),
                group.words
            ));
        }
    }
    Ok(outcome)
}

fn tell(target: &Target, group: &Group, name: &str, ui: &Ui) {
    ui.warn(&format!(
        "no decision yet for {} to {}: whether `{}` did its work as {name} is not known",
        count(group.messages, "message"),
        target.words(),
        group.words
    ));
    ui.say(&format!(
        "  next: mqsafe spool decide {} commit (or rollback)",
        group.no
    ));
}

/// How long a group has waited, for a person.
pub(super) fn age(group: &Group) -> Duration {
    Duration::from_millis(u64::try_from(now_ms() - group.since_ms).unwrap_or(0))
}
