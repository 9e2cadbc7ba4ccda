//! `send --dead-letter` and `--check-topic`: messages that follow from the verdicts on others.

use super::resolve;
use super::send::{Teller, pump, tell};
use crate::broker;
use crate::cli::SendArgs;
use crate::connect::Connection;
use crate::model::{How, Outcome, Problem, Result};
use crate::send::Options;
use crate::spool::{Spool, Target};
use crate::ui::emit::time;
use crate::ui::{Ui, count};
use std::time::Duration;

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
        args: &SendArgs,
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
        let after = &args.after;
        let dead_letter = after.dead_letter.as_deref().map(&mut target).transpose()?;
        let check = after.check_topic.as_deref().map(target).transpose()?;
        let earlier = dead_letter
            .as_ref()
            .map_or(Ok(0), |to| spool.waiting(to).map(|w| w.count))?;
        Ok(Followers {
            connection,
            first_own: spool.next_id(),
            earlier,
            dead_letter,
            check: check.map(|target| (target, after.check_after)),
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
                tell(ui, &report, target, at.as_deref(), teller.started.elapsed());
                Ok(report.outcome)
            }
            Err(problem) => {
                ui.problem(&problem.with_outcome(Outcome::Spooled));
                Ok(Outcome::Spooled)
            }
        }
    }
}
