//! `send --dead-letter` and `--check-topic`: messages that follow from the verdicts on others.

use super::resolve;
use super::send::{Teller, pump, tell};
use crate::broker;
use crate::cli::{SendArgs, SpoolFlushArgs};
use crate::connect::Connection;
use crate::model::{How, Outcome, Problem, Result};
use crate::send::Options;
use crate::spool::{Spool, Target};
use crate::ui::emit::time;
use crate::ui::{Ui, count};
use std::time::Duration;

/// What is asked for, as it was typed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) dead_letter: Option<&'a str>,
    pub(super) check_topic: Option<&'a str>,
    pub(super) check_after: Duration,
    /// Publishing to what does not survive a restart, and one message after the other: the spool remembers neither.
    pub(super) how: How,
}

impl<'a> Wanted<'a> {
    pub(super) fn of_send(args: &'a SendArgs, how: How) -> Wanted<'a> {
        Wanted {
            dead_letter: args.after.dead_letter.as_deref(),
            check_topic: args.after.check_topic.as_deref(),
            check_after: args.after.check_after,
            how,
        }
    }

    pub(super) fn of_flush(args: &'a SpoolFlushArgs) -> Wanted<'a> {
        Wanted {
            dead_letter: args.dead_letter.as_deref(),
            check_topic: args.check_topic.as_deref(),
            check_after: args.check_after,
            how: How {
                allow_transient: args.allow_transient,
                ordered: args.ordered,
                ..How::default()
            },
        }
    }

    /// The flags that a `spool flush` needs to go on as this run did; each with a space before it.
    pub(super) fn again(&self) -> String {
        let mut words = Vec::new();
        for (flag, target) in [("--dead-letter", self.dead_letter), ("--check-topic", self.check_topic)] {
            words.extend(target.map(|target| format!(" {flag} {}", quoted(target))));
        }
        if self.check_topic.is_some() {
            words.push(format!(" --check-after {}ms", self.check_after.as_millis()));
        }
        for (flag, is_asked) in [
            (" --allow-transient", self.how.allow_transient),
            (" --ordered", self.how.ordered),
        ] {
            words.extend(is_asked.then(|| flag.to_owned()));
        }
        words.concat()
    }
}

/// One word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Where they go.
pub(super) struct Followers<'a> {
    connection: &'a Connection,
    dead_letter: Option<Target>,
    check: Option<(Target, Duration)>,
    /// The first local number of this run: dead letters below it were left by earlier runs.
    first_own: u64,
    /// How many such wait.
    earlier: u64,
}

impl<'a> Followers<'a> {
    /// # Errors
    /// When a target cannot be one of this broker.
    pub(super) fn new(
        wanted: Wanted<'_>,
        connection: &'a Connection,
        topic: &str,
        spool: &mut Spool,
    ) -> Result<Followers<'a>> {
        let broker = connection.url.to_string();
        let mut target = |text: &str| -> Result<Target> {
            let place = resolve::place_of(connection.url.kind(), text);
            if place == topic {
                return Err(Problem::usage(format!("{text} is where the messages go themselves"))
                    .next("give dead letters and checks a place of their own"));
            }
            // Looked at now: a dead letter must not find out that its place cannot be one.
            broker::endpoint(connection, &place, How::default())?;
            Ok(spool.target(&broker, &place)?)
        };
        let dead_letter = wanted.dead_letter.map(&mut target).transpose()?;
        let check = wanted.check_topic.map(target).transpose()?;
        let earlier = dead_letter
            .as_ref()
            .map_or(Ok(0), |to| spool.waiting(to).map(|w| w.count))?;
        Ok(Followers {
            connection,
            first_own: spool.next_id(),
            earlier,
            dead_letter,
            check: check.map(|target| (target, wanted.check_after)),
        })
    }

    /// Lets them follow in a run.
    pub(super) fn join(&self, options: &mut Options) {
        options.dead_letter.clone_from(&self.dead_letter);
        options.check.clone_from(&self.check);
    }

    /// Delivers the dead letters; checks are sent by `spool flush`, when their time has come.
    ///
    /// # Errors
    /// When the store fails. A place that is not there is told, and what was to go there stays in the spool.
    pub(super) fn deliver(&self, spool: &mut Spool, args: &SendArgs, ui: &Ui) -> Result<Outcome> {
        let outcome = match &self.dead_letter {
            Some(target) => self.dead_letters(target, spool, args, ui)?,
            None => Outcome::Good,
        };
        let scheduled = spool.scheduled()?;
        if let Some(first_ms) = scheduled.first_ms {
            ui.say(&format!(
                "{} from {} on: `mqsafe spool flush` sends what is due, --watch does so every now and then",
                count(scheduled.count, "check"),
                time(first_ms)
            ));
        }
        Ok(outcome)
    }

    /// Says what waits for other places in this spool: dead letters and checks of earlier runs, which nobody delivers here.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) fn tell_others(&self, spool: &Spool, own: &Target, ui: &Ui) -> Result<()> {
        for target in spool.targets()? {
            let is_told = [Some(own), self.dead_letter.as_ref()]
                .into_iter()
                .flatten()
                .any(|told| told.broker == target.broker && told.topic == target.topic);
            let waits = if is_told { 0 } else { spool.waiting(&target)?.count };
            if waits > 0 {
                ui.say(&format!(
                    "{} in this spool {} for {}: `mqsafe spool flush` delivers what waits for any place",
                    count(waits, "message"),
                    if waits == 1 { "waits" } else { "wait" },
                    target.words()
                ));
            }
        }
        Ok(())
    }

    fn dead_letters(&self, target: &Target, spool: &mut Spool, args: &SendArgs, ui: &Ui) -> Result<Outcome> {
        let waiting = spool.waiting(target)?;
        if waiting.count == 0 {
            return Ok(Outcome::Good);
        }
        let endpoint = broker::endpoint(self.connection, &target.topic, How::default())?;
        let waits = &args.wait;
        let mut options = Options::to_deliver(waits.connect_timeout, waits.delivery_timeout, waits.grace);
        options.max_attempts = waits.max_attempts;
        options.own = Some((self.first_own, waiting.count.saturating_sub(self.earlier)));
        let at = spool.path().map(|p| p.display().to_string());
        let mut teller = Teller::new(ui, None);
        let run = pump(spool, target, endpoint, options, None, &mut teller);
        teller.finish(None)?;
        match run {
            Ok(report) => {
                tell(
                    ui,
                    &report,
                    target,
                    at.as_deref().map(|at| (at, "")),
                    teller.started.elapsed(),
                );
                Ok(report.outcome)
            }
            Err(problem) => {
                ui.problem(&problem.with_outcome(Outcome::Spooled));
                Ok(Outcome::Spooled)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_spool_does_not_remember_is_told_as_flags() {
        let nothing = Wanted {
            dead_letter: None,
            check_topic: None,
            check_after: Duration::from_secs(60),
            how: How::default(),
        };
        assert_eq!(nothing.again(), "");
        let all = Wanted {
            dead_letter: Some("ex|it's dead"),
            check_topic: Some("checks"),
            how: How {
                allow_transient: true,
                ordered: true,
                ..How::default()
            },
            ..nothing
        };
        assert_eq!(
            all.again(),
            r" --dead-letter 'ex|it'\''s dead' --check-topic checks --check-after 60000ms --allow-transient --ordered"
        );
    }
}
