//! `send --dry-run`: what would become of the input.

use super::send::Teller;
use crate::model::{Endpoint, Lanes, Outcome, Problem, Result, Topology};
use crate::send::{Input, Options, survey};
use crate::spool::{Spool, StoreDir};
use crate::ui::{Table, Ui, count};
use std::path::Path;
use std::time::Duration;

/// The target, as the user named it.
pub(super) struct Where<'a> {
    pub(super) broker: &'a str,
    pub(super) topic: &'a str,
    /// The spool whose memory of earlier messages counts.
    pub(super) spool: Option<&'a Path>,
}

pub(super) fn run(
    at: &Where<'_>,
    endpoint: &dyn Endpoint,
    options: Options,
    input: Input,
    mut teller: Teller<'_>,
    ui: &Ui,
) -> Result<Outcome> {
    // A queue is published to by its name alone; the bar belongs to the lane.
    let topic = at.topic.strip_prefix('|').unwrap_or(at.topic);
    let (lanes, unknown) = match endpoint.topology(options.connect_timeout) {
        Ok(Topology::Unfit(problem)) => return Err(problem),
        Ok(Topology::CannotMake(why)) => {
            return Err(Problem::usage(format!("{topic} cannot be made on {}", at.broker)).because(why));
        }
        Ok(Topology::Known(lanes)) => (Some(lanes), None),
        Ok(Topology::NoSuchTopic) => {
            return Err(Problem::usage(format!("{topic} does not exist on {}", at.broker))
                .next("check its spelling, or create it first; it is never created by accident"));
        }
        Ok(Topology::Denied(why)) => {
            return Err(Problem::usage(format!("{topic} on {} may not be written", at.broker))
                .because(why)
                .next("ask whoever runs the broker for the right to look at it and to write to it"));
        }
        Err(why) => (
            None,
            Some(
                Problem::unknown(format!("the lanes of {topic} are not known"))
                    .because(format!("{} cannot be asked: {why}", at.broker))
                    .next("run it again when the broker answers; send itself would keep the messages in its spool"),
            ),
        ),
    };
    if let (Some(lanes), Some(wish)) = (&lanes, options.partitioner.fixed()) {
        let (there, last) = match lanes {
            Lanes::Partitions(n) => ((0..*n).contains(&wish), n - 1),
            Lanes::Named(named) => (
                named.iter().any(|lane| lane.queue == wish),
                named.iter().map(|lane| lane.queue).max().unwrap_or(0),
            ),
        };
        if !there {
            return Err(Problem::usage(format!("{topic} has no partition {wish}"))
                .next(format!("it has partitions 0 to {last}")));
        }
    }
    let window_ms = options
        .dedupe_window
        .map_or(0, |w: Duration| i64::try_from(w.as_millis()).unwrap_or(i64::MAX));
    let memory = memory(at)?;
    let was_seen = |ids: &[&[u8]]| -> Result<Vec<bool>> {
        let Some((spool, target)) = &memory else {
            return Ok(vec![false; ids.len()]);
        };
        let now = jiff::Timestamp::now().as_millisecond();
        let seen = spool.seen(target, ids, window_ms, now)?;
        Ok(seen.iter().map(Option::is_some).collect())
    };
    let name = |partition: i32| format!("{topic}/{partition}");
    let found = survey(
        input,
        lanes.as_ref(),
        name,
        options.partitioner,
        options.key.as_deref(),
        was_seen,
        &mut teller,
    )?;
    teller.finish(None)?;
    let mut outcome = Outcome::Good;
    for problem in found.troubles.iter().chain(&unknown) {
        ui.problem(problem);
        outcome = outcome.and(problem.outcome);
    }
    if !found.lanes.is_empty() {
        let mut table = Table::new(&["lane", "messages", "bytes"], ui.width());
        table.numbers([1, 2]);
        for (lane, (messages, bytes)) in &found.lanes {
            table.row([lane.clone(), messages.to_string(), bytes.to_string()]);
        }
        ui.data(table.render().as_bytes())?;
    }
    let mut words = format!(
        "{topic}: would send {} ({} bytes)",
        count(found.messages, "message"),
        found.bytes
    );
    if lanes.is_some() {
        words.push_str(&format!(" to {}", count(found.lanes.len() as u64, "lane")));
    }
    words.push_str(&format!("; rejected {}", found.rejected));
    if options.dedupe_window.is_some() {
        words.push_str(&format!("; repeated {}", found.repeated));
    }
    ui.summary(&format!("{words}; dry run: nothing was sent or stored"));
    if found.rejected > 0 {
        outcome = outcome.and(Outcome::Negative);
    }
    Ok(outcome)
}

/// What the spool that is named remembers; nothing is made when there is none.
fn memory(at: &Where<'_>) -> Result<Option<(Spool, crate::spool::Target)>> {
    let Some(path) = at.spool.filter(|path| StoreDir::holds_store(path)) else {
        return Ok(None);
    };
    let spool = Spool::open(StoreDir::lock(path)?)?;
    let known = spool
        .targets()?
        .into_iter()
        .find(|t| (t.broker.as_str(), t.topic.as_str()) == (at.broker, at.topic));
    Ok(known.map(|target| (spool, target)))
}
