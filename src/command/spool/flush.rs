//! `spool flush`: delivers what waits, once or every now and then.

use super::on_failed::OnFailed;
use super::{now_ms, paths, stores};
use crate::broker;
use crate::cli::SpoolFlushArgs;
use crate::command::exec;
use crate::command::followers::{Followers, Wanted};
use crate::command::resolve;
use crate::command::send::{self, Newly, Teller};
use crate::command::stop::Rounds;
use crate::command::together;
use crate::connect::{BrokerKind, BrokerUrl};
use crate::model::{Endpoint, Outcome, Problem, Result};
use crate::send::{Events, Options, Pump, Report, Together};
use crate::spool::{Spool, StoreDir, Target};
use crate::ui::Ui;
use crate::ui::emit::spool as emit;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// So many messages that failed are told one by one.
const TOLD_EACH: usize = 5;

pub(super) fn run(args: SpoolFlushArgs, ui: &Ui) -> Result<Outcome> {
    // Mistakes in what was typed cost nothing, whatever waits.
    resolve::properties(&args.settings.properties)?;
    let on_failed = OnFailed::new(args.on_failed.clone(), args.command.clone())?;
    let mut flush = Flush {
        args: &args,
        on_failed,
        rounds: Rounds::listen()?,
        ui,
        left_out: BTreeSet::new(),
    };
    let first = match (paths(&args.spool), args.watch) {
        (Ok(paths), _) => paths,
        // A store may still come to be in a directory that is there.
        (Err(_), true) if resolve::named_spool(&args.spool).is_some_and(|dir| dir.is_dir()) => Vec::new(),
        (Err(problem), _) => return Err(problem),
    };
    if !args.watch {
        return flush.round(&first);
    }
    ui.say(&format!("delivering what waits every {:?}; Ctrl-C ends", args.every));
    flush.watch(first)
}

struct Flush<'a> {
    args: &'a SpoolFlushArgs,
    on_failed: Option<OnFailed>,
    rounds: Rounds,
    ui: &'a Ui,
    /// Stores that could not be opened the last time, as it was told.
    left_out: BTreeSet<PathBuf>,
}

impl Flush<'_> {
    /// Round after round until a signal. What a round could not do, the next one tries again.
    fn watch(&mut self, first: Vec<PathBuf>) -> Result<Outcome> {
        let mut stores = Some(first);
        loop {
            let (paths, is_first) = match stores.take() {
                Some(paths) => (Ok(paths), true),
                None => (paths(&self.args.spool), false),
            };
            match paths.and_then(|paths| self.round(&paths)) {
                // A mistake in what was typed is one in every round.
                Ok(Outcome::Usage) if is_first => return Ok(Outcome::Usage),
                Ok(_) => {}
                Err(problem) => self.ui.problem(&problem),
            }
            if let Some(signal) = self.rounds.wait(self.args.every) {
                return Ok(Outcome::Interrupted(signal));
            }
        }
    }

    /// Every store once.
    fn round(&mut self, paths: &[PathBuf]) -> Result<Outcome> {
        let (mut outcomes, mut flushed) = (Vec::new(), 0);
        let mut left_out = BTreeSet::new();
        for path in paths {
            let Some(spool) = self.open(path) else {
                left_out.insert(path.clone());
                outcomes.push(Outcome::Unknown);
                continue;
            };
            flushed += self.store(path, spool, &mut outcomes)?;
            if let Some(signal) = self.rounds.heard() {
                outcomes.push(Outcome::Interrupted(signal));
                break;
            }
        }
        self.left_out = left_out;
        if flushed == 0 && outcomes.is_empty() && !self.args.watch {
            self.ui.summary("nothing waits");
        }
        Ok(Outcome::combine(outcomes))
    }

    /// Opens a store. Whoever watches is told once why it was left out, not every round.
    fn open(&self, path: &Path) -> Option<Spool> {
        if self.left_out.contains(path) {
            return StoreDir::lock(path).and_then(Spool::open).ok();
        }
        stores::open(path, self.ui)
    }

    /// Everything that waits in one store. Returns how many targets there were.
    fn store(&self, path: &Path, mut spool: Spool, outcomes: &mut Vec<Outcome>) -> Result<u64> {
        let (mut flushed, mut failed) = (0, Vec::new());
        let undecided = exec::look_after(&mut spool, self.ui)?;
        if undecided != Outcome::Good {
            outcomes.push(undecided);
        }
        spool.release_due(now_ms())?;
        // Dead letters of this flush are delivered by it, so their places come last.
        for followers in [false, true] {
            for target in spool.targets()? {
                if self.is_follower(&target) != followers || self.rounds.heard().is_some() {
                    continue;
                }
                if spool.waiting(&target)?.count == 0 && spool.to_publish(&target)?.is_empty() {
                    continue;
                }
                flushed += 1;
                match self.target(path, &mut spool, &target, &mut failed) {
                    Ok(outcome) => outcomes.push(outcome),
                    Err(problem) => {
                        self.ui.problem(&problem);
                        // What is wrong with the connection is not wrong with the messages: they are still safe.
                        let mistake = problem.outcome == Outcome::Usage;
                        outcomes.push(if mistake { Outcome::Usage } else { Outcome::Spooled });
                    }
                }
            }
        }
        self.tell_failed(path, &spool, &failed)?;
        let records = self.records(path, &spool, &failed)?;
        // Nobody waits for a program of the user's to get at the store.
        drop(spool);
        if let Some(program) = &self.on_failed {
            for (id, record) in records {
                if let Err(problem) = program.tell(&record) {
                    self.ui.warn(&format!(
                        "{id} failed, and the program that is to hear of it did too: {problem}"
                    ));
                }
            }
        }
        Ok(flushed)
    }

    /// Whether dead letters or checks go there.
    fn is_follower(&self, target: &Target) -> bool {
        let Ok(url) = BrokerUrl::parse(&target.broker) else {
            return false;
        };
        let places = [&self.args.dead_letter, &self.args.check_topic];
        places
            .into_iter()
            .flatten()
            .any(|text| resolve::place_of(url.kind(), text) == target.topic)
    }

    fn target(&self, path: &Path, spool: &mut Spool, target: &Target, failed: &mut Vec<Newly>) -> Result<Outcome> {
        // A copied store signs with a name of its own from now on.
        let target = spool.target(&target.broker, &target.topic)?;
        let connection = resolve::connection_to(&target.broker, &self.args.settings, self.ui)?;
        let args = self.args;
        let mut wanted = Wanted::of_flush(args);
        // One flush may have several brokers; what only one kind has is for that one.
        wanted.how.allow_transient &= connection.url.kind() == BrokerKind::RabbitMq;
        let endpoint = broker::endpoint(&connection, &target.topic, wanted.how)?;
        let again = wanted.again();
        let mut options = Options::to_deliver(args.connect_timeout, args.delivery_timeout, args.grace);
        // What follows from a message has nothing that follows from it.
        if !self.is_follower(&target) {
            Followers::new(wanted, &connection, &target.topic, spool)?.join(&mut options);
        }
        options.max_attempts = args.max_attempts;
        options.retry_every = args.watch.then_some(args.every);
        let mut teller = Teller::new(self.ui, None).naming_failed();
        let finished = self.together((&mut *spool, &target), &endpoint, &options, &mut teller)?;
        if let (0, Some(report)) = (spool.waiting(&target)?.count, &finished) {
            teller.finish(None)?;
            failed.append(&mut teller.newly_failed);
            send::tell(
                self.ui,
                report,
                &target,
                Some((&path.display().to_string(), &again)),
                teller.started.elapsed(),
            );
            return Ok(report.outcome);
        }
        let events = Events::default();
        self.rounds.begin(events.sender.clone());
        let run = Pump::new(spool, target.clone(), endpoint, options, None, &mut teller, events).and_then(Pump::run);
        let run = run.map(|report| together::with_earlier(finished, report));
        self.rounds.end();
        teller.finish(None)?;
        failed.append(&mut teller.newly_failed);
        // The topic is not there, or may not be written: what waits for it is safe all the same.
        let report = run.map_err(|problem| problem.with_outcome(Outcome::Spooled))?;
        let at = path.display().to_string();
        send::tell(self.ui, &report, &target, Some((&at, &again)), teller.started.elapsed());
        Ok(report.outcome)
    }

    /// What is to be published together comes first: it was accepted before what still has no number.
    fn together(
        &self,
        (spool, target): (&mut Spool, &Target),
        endpoint: &Arc<dyn Endpoint>,
        options: &Options,
        teller: &mut Teller<'_>,
    ) -> Result<Option<Report>> {
        let mut all = None;
        for group in spool.to_publish(target)? {
            let events = Events::default();
            self.rounds.begin(events.sender.clone());
            let (options, endpoint) = (options.clone(), Arc::clone(endpoint));
            let report = Together::new(spool, target.clone(), group, endpoint, options, teller, events).publish();
            self.rounds.end();
            let is_over = report.outcome != Outcome::Good;
            all = Some(together::earlier(all, report));
            if is_over {
                break;
            }
        }
        Ok(all)
    }

    fn tell_failed(&self, path: &Path, spool: &Spool, failed: &[Newly]) -> Result<()> {
        if failed.is_empty() {
            return Ok(());
        }
        let name = stores::name(path);
        for newly in failed.iter().take(TOLD_EACH) {
            self.ui.warn(&format!("{name}/{} failed: {}", newly.id, newly.why));
        }
        if failed.len() > TOLD_EACH {
            self.ui.warn(&format!("{} more failed", failed.len() - TOLD_EACH));
        }
        let at = spool.path().unwrap_or(path).display();
        self.ui
            .say(&format!("  next: mqsafe spool ls --state failed --spool {at}"));
        Ok(())
    }

    /// What the user's program is to read of each message that failed.
    fn records(&self, path: &Path, spool: &Spool, failed: &[Newly]) -> Result<Vec<(String, Vec<u8>)>> {
        if self.on_failed.is_none() {
            return Ok(Vec::new());
        }
        let mut records = Vec::with_capacity(failed.len());
        for newly in failed {
            let id = format!("{}/{}", stores::name(path), newly.id);
            if let Some((target, kept)) = spool.find(newly.id).map_err(Problem::from)? {
                records.push((id.clone(), emit::line(&emit::shown(&id, &target, &kept, now_ms()))));
            }
        }
        Ok(records)
    }
}
