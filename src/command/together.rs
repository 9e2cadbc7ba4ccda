//! Messages that are published together: `send --transaction`, and what `--exec` stands on.

use super::exec::settled;
use super::send::pump;
use super::stop;
use crate::connect::BrokerKind;
use crate::hooks;
use crate::model::{Acks, Endpoint, Fate, How, Outcome, Problem, Result};
use crate::send::{Event, Events, Input, Observer, Options, Preparation, Preparing, Report, Together};
use crate::spool::{Group, Phase, Spool, Target, Way};
use crate::ui::{Ui, count};
use std::sync::Arc;

/// A group of a store: the store, where its messages go, and its number.
type Place<'a> = (&'a mut Spool, &'a Target, u64);

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// How the messages of an action are published on this kind of broker; `None` is one by one.
pub(super) fn way(kind: BrokerKind, how: How) -> Option<Way> {
    match kind {
        BrokerKind::Kafka => (how.acks == Acks::All).then_some(Way::Transaction),
        BrokerKind::RocketMq => Some(Way::Prepared),
        BrokerKind::RabbitMq => None,
    }
}

/// Refuses `--transaction` where it cannot be kept.
pub(super) fn transaction_is_possible(kind: BrokerKind, how: How) -> Result<()> {
    let cannot = |why: &str, next: &str| Err(Problem::usage(format!("--transaction cannot be kept {why}")).next(next));
    match (kind, how.acks) {
        (BrokerKind::Kafka, Acks::All) => Ok(()),
        (BrokerKind::Kafka, Acks::One | Acks::Zero) => cannot(
            "with less than --acks all",
            "leave --acks out: a transaction stands on all replicas",
        ),
        (BrokerKind::RabbitMq, _) => cannot(
            "on RabbitMQ",
            "--tx publishes in AMQP transactions there; no queue but the first of one is promised anything together",
        ),
        (BrokerKind::RocketMq, _) => cannot(
            "on RocketMQ",
            "--exec -- PROGRAM hands messages out only after a program of yours did its work",
        ),
    }
}

/// The name that the broker knows a group by. It stays over restarts, so that the next run ends what this one left.
pub(super) fn name(way: Way, target: &Target) -> String {
    match way {
        Way::Transaction => format!("mqsafe-{}", target.producer),
        Way::Prepared => target.producer.clone(),
    }
}

/// What reading the input into a group came to.
pub(super) enum Held {
    /// All of it is stored.
    Whole(Report),
    /// It cannot be published as a whole, and this is why: it is not all there, not all of it was readable, or one of them has no
    /// lane to go to.
    Cut(Report, String),
}

/// Stores the input as a group that nobody is offered yet. When nothing of it was accepted the group is gone.
pub(super) fn hold(
    (spool, target, no): Place<'_>,
    endpoint: &Arc<dyn Endpoint>,
    options: &Options,
    input: Input,
    observer: &mut dyn Observer,
) -> Result<Held> {
    let hold = Options {
        hold: Some(no),
        ..options.clone()
    };
    match pump(spool, target, Arc::clone(endpoint), hold, Some(input), observer) {
        Ok(held) if held.whole => {
            let group = spool.undecided()?.into_iter().map(|(_, group)| group);
            let in_one = |group: &Group| group.together.as_ref().is_some_and(|t| t.way == Way::Transaction);
            // What is prepared gets its lanes before anything is decided.
            Ok(match group.into_iter().find(|g| g.no == no && in_one(g)) {
                Some(group) => match of((spool, target, group), endpoint, options, observer)?.misplaced()? {
                    Some(why) => Held::Cut(held, why),
                    None => Held::Whole(held),
                },
                None => Held::Whole(held),
            })
        }
        Ok(held) => {
            let unread = || "its input was not read to the end".to_owned();
            let why = held.why.clone().unwrap_or_else(unread);
            Ok(Held::Cut(held, why))
        }
        Err(problem) => {
            spool.decide(target, no, Some("nothing was accepted"), now_ms())?;
            Err(problem)
        }
    }
}

/// The whole input as one.
pub(super) fn transaction(
    (spool, target): (&mut Spool, &Target),
    endpoint: &Arc<dyn Endpoint>,
    options: &Options,
    input: Input,
    observer: &mut dyn Observer,
) -> Result<Report> {
    let no = spool.begin_group(target, "--transaction", now_ms())?;
    spool.publish_together(target, no, Way::Transaction, &name(Way::Transaction, target))?;
    let held = match hold((&mut *spool, target, no), endpoint, options, input, observer)? {
        Held::Whole(held) => held,
        Held::Cut(mut held, why) => {
            let why = format!("{why}, and it is all or nothing");
            let messages = spool.decide(target, no, Some(&why), now_ms())?;
            settled(&mut held, observer, &messages, Fate::Refused, &why);
            held.why.get_or_insert(why);
            held.outcome = held.outcome.and(Outcome::Negative);
            return Ok(held);
        }
    };
    let ids = spool.group_messages(target, no)?;
    if ids.is_empty() {
        spool.decide(target, no, None, now_ms())?;
        return Ok(held);
    }
    spool.advance(target, no, Phase::Decided, &[])?;
    hooks::die_at("decided");
    let published = publish((spool, target, no), endpoint, options, observer, None, &ids)?;
    Ok(joined(held, published))
}

/// What publishing came to.
pub(super) struct Published {
    /// All of it.
    pub(super) report: Report,
    /// Whether what earlier runs have left was delivered and counted with it.
    pub(super) earlier_again: bool,
}

/// One report of the run that stored messages and the one that published them. Both may have delivered what earlier runs had left.
pub(super) fn joined(mut held: Report, published: Published) -> Report {
    let Published {
        mut report,
        earlier_again,
    } = published;
    if earlier_again {
        // What had no verdict then was counted again; what was refused was not.
        (held.earlier.in_doubt, held.earlier.spooled) = (0, 0);
        if held.earlier.refused + held.own.rejected > 0 {
            report.outcome = report.outcome.and(Outcome::Negative);
        }
    } else {
        report.outcome = report.outcome.and(held.outcome);
        report.troubles.splice(0..0, held.troubles);
        report.why = report.why.or(held.why);
    }
    Report {
        own: held.own.plus(report.own),
        earlier: held.earlier.plus(report.earlier),
        // They are published, or their verdict is known.
        held: 0,
        lines: held.lines,
        read_to: held.read_to,
        ..report
    }
}

/// Publishes a group that is decided, and then what of it is sent as ordinary messages.
pub(super) fn publish(
    (spool, target, no): Place<'_>,
    endpoint: &Arc<dyn Endpoint>,
    options: &Options,
    observer: &mut dyn Observer,
    waiting: Option<Waiting>,
    ids: &[(u64, u64)],
) -> Result<Published> {
    let Some(group) = spool.to_publish(target)?.into_iter().find(|group| group.no == no) else {
        return Err(Problem::unknown(format!("the spool holds no decided action {no}")));
    };
    let together = of((&mut *spool, target, group), endpoint, options, observer)?;
    let mut report = match waiting {
        Some(waiting) => together.hand_out_prepared(waiting.0),
        None => together.publish(),
    };
    let loose = report.released;
    let earlier_again = loose > 0 && report.spool_is_there;
    if earlier_again {
        let own = ids.first().map(|(first, _)| (*first, loose));
        let after = Options { own, ..options.clone() };
        let ordinary = pump(spool, target, Arc::clone(endpoint), after, None, observer)?;
        report = added(report, ordinary);
    }
    Ok(Published { report, earlier_again })
}

/// The counts and troubles of both.
fn added(first: Report, mut second: Report) -> Report {
    second.own = first.own.plus(second.own);
    second.earlier = first.earlier.plus(second.earlier);
    second.troubles.splice(0..0, first.troubles);
    second.why = first.why.or(second.why);
    second.latency = second.latency.or(first.latency);
    second.outcome = second.outcome.and(first.outcome);
    second
}

fn of<'a>(
    (spool, target, group): (&'a mut Spool, &Target, Group),
    endpoint: &Arc<dyn Endpoint>,
    options: &Options,
    observer: &'a mut dyn Observer,
) -> Result<Together<'a>> {
    let events = Events::default();
    let sender = events.sender.clone();
    stop::on_signal(move |signal| drop(sender.send(Event::Stop(signal))))?;
    // With the names of its lanes, which may have been learnt meanwhile.
    let target = spool.target(&target.broker, &target.topic)?;
    let (endpoint, options) = (Arc::clone(endpoint), options.clone());
    Ok(Together::new(spool, target, group, endpoint, options, observer, events))
}

/// Publishes what earlier runs have left to be published together. What of it is sent as ordinary messages waits like others then.
/// The counts are those of earlier runs.
pub(super) fn finish(
    (spool, target): (&mut Spool, &Target),
    endpoint: &Arc<dyn Endpoint>,
    options: &Options,
    observer: &mut dyn Observer,
) -> Result<Option<Report>> {
    let mut all: Option<Report> = None;
    for group in spool.to_publish(target)? {
        let report = of((&mut *spool, target, group), endpoint, options, observer)?.publish();
        let is_over = report.outcome != Outcome::Good;
        all = Some(earlier(all, report));
        // The next one would wait for the same.
        if is_over {
            break;
        }
    }
    Ok(all)
}

/// One more group of an earlier run.
pub(super) fn earlier(before: Option<Report>, mut report: Report) -> Report {
    report.earlier = report.earlier.plus(std::mem::take(&mut report.own));
    match before {
        Some(before) => added(before, report),
        None => report,
    }
}

/// Adds what became of earlier runs' groups to a report.
pub(super) fn with_earlier(finished: Option<Report>, mut report: Report) -> Report {
    let Some(finished) = finished else { return report };
    report.earlier = report.earlier.plus(finished.earlier);
    report.troubles.splice(0..0, finished.troubles);
    report.why = report.why.or(finished.why);
    report.outcome = report.outcome.and(finished.outcome);
    report
}

/// What preparing came to.
pub(super) enum Prepare {
    /// The action may begin.
    Ready(Waiting),
    /// It must not, for this reason.
    Not(String, Outcome),
}

/// Messages that wait at their broker, and the connection that answers for them.
pub(super) struct Waiting(Preparing);

impl Waiting {
    /// Hands the messages of a group to their broker, which keeps them from readers.
    ///
    /// # Errors
    /// When the store fails, or the topic is not there.
    pub(super) fn prepare(
        (spool, target, no): Place<'_>,
        endpoint: &Arc<dyn Endpoint>,
        options: &Options,
        observer: &mut dyn Observer,
        ui: &Ui,
    ) -> Result<Prepare> {
        let mut preparing = Preparing::connect(spool, target, &**endpoint)?;
        let Some((_, group)) = spool.undecided()?.into_iter().find(|(_, group)| group.no == no) else {
            return Err(Problem::unknown(format!("the spool holds no action {no}")));
        };
        let done = of((&mut *spool, target, group), endpoint, options, observer)?.prepare(&mut preparing)?;
        let not = match done {
            Preparation::Ready(missing) => {
                if let Some((missing, why)) = missing.filter(|(n, _)| *n > 0) {
                    ui.warn(&format!(
                        "{} could not be prepared at the broker ({why}); what the action decides is in the spool, and they are sent \
                         after it",
                        count(missing, "message")
                    ));
                }
                return Ok(Prepare::Ready(Waiting(preparing)));
            }
            Preparation::Refused(line, why) => Prepare::Not(
                format!("line {line} was refused by the broker, so the action was not begun: {why}"),
                Outcome::Negative,
            ),
            Preparation::Stopped(signal) => Prepare::Not(
                "it was interrupted before the action began".to_owned(),
                Outcome::Interrupted(signal),
            ),
        };
        Waiting(preparing).give_up(&spool.handles(target, no)?);
        Ok(not)
    }

    /// Tells the broker that nothing of a group is handed out. What does not hear it asks, and is told then; or nobody answers, and
    /// the broker gives the messages up.
    pub(super) fn give_up(mut self, handles: &[(u64, String)]) {
        self.0.drop_all(handles);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tally;

    fn report(own: Tally, earlier: Tally, outcome: Outcome) -> Report {
        Report {
            own,
            earlier,
            held: 0,
            whole: true,
            released: 0,
            lines: 0,
            read_to: None,
            latency: None,
            why: None,
            troubles: Vec::new(),
            note: None,
            spool_is_there: true,
            outcome,
        }
    }

    const STORED: Tally = Tally { stored: 3, ..NONE };
    const NONE: Tally = Tally {
        stored: 0,
        refused: 0,
        in_doubt: 0,
        spooled: 0,
        rejected: 0,
        repeated: 0,
    };

    #[test]
    fn what_became_of_earlier_messages_is_in_the_exit() {
        for (earlier, outcome) in [
            (Tally { refused: 2, ..NONE }, Outcome::Negative),
            (Tally { spooled: 2, ..NONE }, Outcome::Spooled),
        ] {
            let published = Published {
                report: report(STORED, NONE, Outcome::Good),
                earlier_again: false,
            };
            let all = joined(report(NONE, earlier, outcome), published);
            assert_eq!((all.own, all.earlier, all.outcome), (STORED, earlier, outcome));
        }
    }

    #[test]
    fn what_was_delivered_at_the_second_try_is_counted_once() {
        let before = Tally {
            stored: 1,
            refused: 1,
            in_doubt: 2,
            spooled: 4,
            ..NONE
        };
        let after = Tally { stored: 6, ..NONE };
        let both = |before: Tally, outcome| {
            let published = Published {
                report: report(STORED, after, Outcome::Good),
                earlier_again: true,
            };
            joined(report(NONE, before, outcome), published)
        };
        let all = both(before, Outcome::Negative);
        assert_eq!((all.earlier.accepted(), all.earlier.stored), (8, 7));
        assert_eq!(all.outcome, Outcome::Negative);
        // Nothing waits any more.
        let all = both(Tally { refused: 0, ..before }, Outcome::Spooled);
        assert_eq!((all.earlier.accepted(), all.outcome), (7, Outcome::Good));
    }
}
