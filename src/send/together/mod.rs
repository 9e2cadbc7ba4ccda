//! Publishing a group of messages that belong together: in one transaction, or prepared before a local action and handed out after
//! it. What becomes of the group is written down before each step that could not be taken back.

mod prepared;
mod transaction;

pub use prepared::{Preparation, Preparing};

use super::event::{Event, Events};
use super::latency::Times;
use super::observe::{Observer, Receipt};
use super::pace::Pace;
use super::places::{self, Places};
use super::pump::{Options, Report};
use crate::model::{Endpoint, Fate, Lanes, Outcome, Outgoing, Problem, Result, Signal, Stamp, Tally, Topology};
use crate::spool::{Change, Group, Pending, Phase, Settled, Spool, SpoolError, Target, Verdict, Way};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Read from the store at once.
const PAGE_MESSAGES: usize = 2000;
const PAGE_BYTES: usize = 4 << 20;
/// How long one call of a client may take before somebody who asks to stop is heard.
const SLICE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(50);

/// One group on its way to the broker.
pub struct Together<'a> {
    spool: &'a mut Spool,
    target: Target,
    group: Group,
    endpoint: Arc<dyn Endpoint>,
    options: Options,
    observer: &'a mut dyn Observer,
    events: Events,
    pace: Option<Pace>,
    /// When something last came about that had not come about before.
    progress_at: Instant,
    stopping: Option<(Signal, Instant)>,
    abandoned: bool,
    tally: Tally,
    /// Messages that were told and that the store still has in the group: nothing more is done with them in this run.
    told: HashSet<u64>,
    /// Messages that wait like all others now.
    released: u64,
    times: Times,
    lines: u64,
    why: Option<String>,
    troubles: Vec<Problem>,
}

/// One message of the group, as far as it must be remembered while it is with the client.
struct Item {
    id: u64,
    line: u64,
    seq: u64,
    partition: i32,
    producer: Arc<str>,
    accepted_ms: i64,
    offset: Option<i64>,
}

impl Item {
    fn of(message: &Pending) -> Item {
        Item {
            id: message.id,
            line: message.line,
            seq: message.seq,
            partition: message.partition.unwrap_or(-1),
            producer: message.producer.as_str().into(),
            accepted_ms: message.accepted_ms,
            offset: None,
        }
    }
}

impl<'a> Together<'a> {
    /// `group` is one of [`Spool::to_publish`].
    pub fn new(
        spool: &'a mut Spool,
        target: Target,
        group: Group,
        endpoint: Arc<dyn Endpoint>,
        options: Options,
        observer: &'a mut dyn Observer,
        events: Events,
    ) -> Together<'a> {
        let now = Instant::now();
        Together {
            pace: options.rate.map(|rate| Pace::new(rate, now)),
            spool,
            target,
            group,
            endpoint,
            options,
            observer,
            events,
            progress_at: now,
            stopping: None,
            abandoned: false,
            tally: Tally::default(),
            told: HashSet::new(),
            released: 0,
            times: Times::default(),
            lines: 0,
            why: None,
            troubles: Vec::new(),
        }
    }

    /// Publishes it as far as the broker lets it. Whatever this comes to is in the report, whose own counts are those of the group.
    pub fn publish(mut self) -> Report {
        let done = match self.group.together.as_ref().map(|t| t.way) {
            Some(Way::Transaction) => self.transaction(),
            Some(Way::Prepared) => match Preparing::connect(self.spool, &self.target, &*self.endpoint) {
                Ok(preparing) => self.hand_out(preparing),
                Err(problem) => Err(problem),
            },
            // Nothing of it is here; whoever asked looks at what the spool holds.
            None => Ok(()),
        };
        self.ended(done)
    }

    /// The same for messages that were prepared by this process.
    pub fn hand_out_prepared(mut self, preparing: Preparing) -> Report {
        let done = self.hand_out(preparing);
        self.ended(done)
    }

    /// Also where it broke on the way, what has no verdict is told.
    fn ended(mut self, done: Result<()>) -> Report {
        if let Err(problem) = done {
            self.why.get_or_insert_with(|| problem.to_string());
            self.troubles.push(problem.with_outcome(Outcome::Spooled));
            let fate = self.fate();
            // It may be the store that broke.
            if self.stays(fate).is_err()
                && let Err(problem) = self.reopen().and_then(|()| self.stays(fate))
            {
                self.troubles.push(problem.with_outcome(Outcome::Spooled));
            }
        }
        self.report()
    }

    fn reopen(&mut self) -> Result<()> {
        Ok(self.spool.reopen()?)
    }

    /// What a message without a verdict is: in doubt when a commit was asked for, or when the broker may have been told to hand it
    /// out.
    fn fate(&self) -> Fate {
        if is_committing(&self.group) || self.is(Way::Prepared) {
            Fate::InDoubt
        } else {
            Fate::Spooled
        }
    }

    fn is(&self, way: Way) -> bool {
        self.group.together.as_ref().is_some_and(|t| t.way == way)
    }

    /// The first message that asks for a lane which is not there, in words. `None` when there is none, or when nobody says which
    /// lanes there are.
    ///
    /// # Errors
    /// When the store fails.
    pub fn misplaced(mut self) -> Result<Option<String>> {
        let Ok(Topology::Known(lanes)) = self.endpoint.topology(SLICE) else {
            return Ok(None);
        };
        let (places, mut from) = (self.number(lanes)?, 0);
        loop {
            let page = self.page(from)?;
            let Some(last) = page.last() else { return Ok(None) };
            from = last.id + 1;
            let asks = |message: &Pending| message.asked().filter(|wish| !places.has(*wish));
            if let Some((line, wish)) = page.iter().find_map(|m| Some((m.line, asks(m)?))) {
                return Ok(Some(format!(
                    "line {line} asks for partition {wish}, and {} has {}",
                    self.target.words(),
                    places.words()
                )));
            }
        }
    }

    /// Where a transaction cannot be published until somebody else does something, it can be given up instead.
    fn or_given_up(&self, problem: Problem) -> Problem {
        if !self.is(Way::Transaction) {
            return problem;
        }
        let instead = format!(
            "`mqsafe spool decide {} rollback` gives all of its messages up",
            self.group.no
        );
        let next = match &problem.next {
            Some(next) => format!("{next}; {instead}"),
            None => instead,
        };
        problem.next(next)
    }

    fn hear(&mut self) {
        while let Ok(event) = self.events.receiver.try_recv() {
            if let Event::Stop(signal) = event {
                match self.stopping {
                    None => self.stopping = Some((signal, Instant::now())),
                    Some(_) => self.abandoned = true,
                }
            }
        }
    }

    /// Whether nothing new may be begun.
    fn is_stopped(&mut self) -> bool {
        self.hear();
        self.stopping.is_some() || self.abandoned
    }

    /// Whether what was begun may not be waited for any more.
    fn is_over(&mut self) -> bool {
        self.hear();
        let grace = self.options.grace;
        self.abandoned || self.stopping.is_some_and(|(_, since)| since.elapsed() >= grace)
    }

    fn out_of_time(&self) -> bool {
        self.progress_at.elapsed() >= self.options.delivery_timeout
    }

    /// Waits, and hears who asks to stop.
    fn rest(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until && !self.is_stopped() {
            std::thread::sleep(TICK.min(time));
        }
    }

    /// Asks for the lanes until the broker answers or the time for that is over.
    fn places(&mut self) -> Result<Option<Places>> {
        let started = Instant::now();
        let mut last = "no broker answered".to_owned();
        while !self.is_stopped() {
            match self.endpoint.topology(SLICE) {
                Ok(Topology::Known(lanes)) => {
                    self.progress_at = Instant::now();
                    return Ok(Some(self.number(lanes)?));
                }
                Ok(other) => return Err(self.or_given_up(places::problem(&self.target, other))),
                Err(unreached) => {
                    last = unreached.to_string();
                    if unreached.is_refusal() {
                        break;
                    }
                }
            }
            if started.elapsed() >= self.options.connect_timeout {
                break;
            }
            self.rest(TICK);
        }
        self.why = Some(match self.stopping {
            Some(_) => "it was interrupted".to_owned(),
            None => format!("{} cannot be reached ({last})", self.target.broker),
        });
        Ok(None)
    }

    fn number(&mut self, lanes: Lanes) -> Result<Places> {
        Ok(match lanes {
            Lanes::Partitions(count) => Places::Partitions(count),
            Lanes::Named(lanes) => {
                let names: Vec<&str> = lanes.iter().map(|lane| lane.name.as_str()).collect();
                let numbers = self.spool.number_lanes(&mut self.target, &names)?;
                Places::Named(numbers.into_iter().zip(lanes.iter().map(|l| l.queue)).collect())
            }
        })
    }

    /// Every message gets its lane and number, synced.
    fn place(&mut self, places: &Places) -> Result<()> {
        let mut from = 0;
        loop {
            let page = self.page(from)?;
            let Some(last) = page.last() else { return Ok(()) };
            from = last.id + 1;
            let mut wanted = Vec::new();
            for message in &page {
                let lane = match message.partition {
                    Some(lane) => lane,
                    None => {
                        let partitioner = &mut self.options.partitioner;
                        let lane = places.choose(partitioner, message.key.as_deref(), message.wish);
                        wanted.push((message.id, lane));
                        lane
                    }
                };
                if !places.offers(lane) {
                    let lane = match message.asked() {
                        Some(wish) if lane == places::NOWHERE => format!("lane {wish}"),
                        Some(_) | None => self.target.lane(lane),
                    };
                    let problem = Problem::unknown(format!("{lane} is not there, where line {} goes", message.line))
                        .because(format!("{} has {}", self.target.words(), places.count()))
                        .next("all of its messages wait for that");
                    return Err(self.or_given_up(problem));
                }
            }
            if !wanted.is_empty() {
                self.spool.place_group(&self.target, self.group.no, &wanted)?;
            }
        }
    }

    fn page(&self, from: u64) -> std::result::Result<Vec<Pending>, SpoolError> {
        self.spool
            .group_page(&self.target, self.group.no, from, PAGE_MESSAGES, PAGE_BYTES)
    }

    /// Writes verdicts down, then tells them. They are true also when they could not be written down.
    fn settle(&mut self, items: &[Item], verdict: impl Fn(&Item) -> Verdict, loose: &[u64]) {
        let now_ms = now_ms();
        let settle: Vec<Settled> = items
            .iter()
            .map(|item| Settled {
                id: item.id,
                producer: Arc::clone(&item.producer),
                partition: item.partition,
                seq: item.seq,
                attempts: 1,
                verdict: verdict(item),
            })
            .collect();
        let change = Change {
            settle: &settle,
            follow: self.options.follow(),
            now_ms,
            ..Change::default()
        };
        let written = self.spool.settle_group(&self.target, self.group.no, &change, loose);
        for (item, settled) in items.iter().zip(&settle) {
            // The group may still hold what could not be written down.
            if written.is_err() && !self.told.insert(item.id) {
                continue;
            }
            let (fate, reason) = match &settled.verdict {
                Verdict::Confirmed(_) => (Fate::Stored, None),
                Verdict::Failed(why) | Verdict::GivenUp(why) => (Fate::Refused, Some(why.as_str())),
            };
            if let Some(why) = reason {
                self.observer.failed(item.id, why);
            }
            let latency_ms = u64::try_from(now_ms - item.accepted_ms).unwrap_or(0);
            if fate == Fate::Stored {
                self.times.add(latency_ms);
            }
            self.tell(item, fate, 1, latency_ms, reason);
        }
        if let Err(e) = written {
            let problem = Problem::unknown("the spool failed; what became of the messages is not written down there");
            let problem = problem.because(e).next("the next run asks the broker again");
            self.troubles.push(problem.with_outcome(Outcome::Spooled));
            if let Err(e) = self.spool.reopen() {
                let problem = Problem::unknown("the spool cannot be opened again").because(e);
                self.troubles.push(problem.with_outcome(Outcome::Spooled));
            }
        }
    }

    fn tell(&mut self, item: &Item, fate: Fate, attempts: u32, latency_ms: u64, reason: Option<&str>) {
        self.tally.count(fate, 1);
        self.lines = self.lines.max(item.line);
        let lane = self.target.lane(item.partition);
        let has_number = item.seq > 0;
        self.observer.receipt(&Receipt {
            line: item.line,
            id: has_number.then_some((&*item.producer, &lane, item.seq)),
            fate,
            partition: has_number.then_some(item.partition),
            offset: item.offset,
            attempts,
            latency_ms,
            reason,
        });
    }

    /// What has no verdict stays in the spool.
    fn stays(&mut self, fate: Fate) -> Result<()> {
        let why = self.why.clone();
        let mut from = 0;
        loop {
            let page = self.page(from)?;
            let Some(last) = page.last() else { return Ok(()) };
            from = last.id + 1;
            for message in &page {
                if !self.told.insert(message.id) {
                    continue;
                }
                let latency_ms = u64::try_from(now_ms() - message.accepted_ms).unwrap_or(0);
                self.tell(&Item::of(message), fate, 0, latency_ms, why.as_deref());
            }
        }
    }

    fn report(mut self) -> Report {
        // What cannot be found any more is not gone: nothing is known about it.
        let known = self.tally.accepted() + self.released;
        self.tally
            .count(Fate::InDoubt, self.group.messages.saturating_sub(known));
        let waits = self.tally.in_doubt + self.tally.spooled > 0;
        let there = self.spool.is_there();
        let kept = self.spool.is_durable() && there;
        let outcomes = [
            self.stopping
                .map_or(Outcome::Good, |(signal, _)| Outcome::Interrupted(signal)),
            if self.tally.refused > 0 {
                Outcome::Negative
            } else {
                Outcome::Good
            },
            match (waits, kept) {
                (true, true) => Outcome::Spooled,
                (true, false) => Outcome::Unknown,
                (false, _) => Outcome::Good,
            },
            Outcome::combine(self.troubles.iter().map(|t| t.outcome)),
        ];
        Report {
            own: self.tally,
            earlier: Tally::default(),
            held: 0,
            whole: true,
            released: self.released,
            lines: self.lines,
            read_to: None,
            latency: self.times.latency(),
            why: self.why,
            troubles: self.troubles,
            note: self.endpoint.note(),
            spool_is_there: there,
            outcome: Outcome::combine(outcomes),
        }
    }
}

/// The value of a message's stamp header.
fn stamp(target: &Target, message: &Pending) -> String {
    let lane = target.lane(message.partition.unwrap_or(-1));
    Stamp {
        seq: message.seq,
        producer: &message.producer,
        lane: &lane,
    }
    .to_string()
}

/// Calls with a message as a client takes it.
fn with_outgoing<T>(target: &Target, message: &Pending, take: impl FnOnce(&Outgoing<'_>) -> T) -> T {
    let headers: Vec<(&str, Option<&[u8]>)> = message
        .headers
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_deref()))
        .collect();
    let partition = message.partition.unwrap_or(-1);
    let (lane, stamp) = (target.lane(partition), stamp(target, message));
    take(&Outgoing {
        ticket: message.id,
        partition,
        lane: &lane,
        timestamp_ms: message.accepted_ms,
        key: message.key.as_deref(),
        value: message.value.as_deref(),
        headers: &headers,
        tag: message.tag.as_deref(),
        stamp: &stamp,
        voids: (!message.voids.is_empty()).then_some(message.voids.as_str()),
    })
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn is_committing(group: &Group) -> bool {
    group.together.as_ref().is_some_and(|t| t.phase == Phase::Committing)
}

#[cfg(test)]
mod tests;
