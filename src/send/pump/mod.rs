//! The loop that owns the store and decides what happens next.
//!
//! Each round: take what happened, make it durable in one commit, then hand more to the client. Nothing is handed over that
//! was not in an earlier commit, and nothing leaves the store but by a verdict on that very message.

mod durable;
mod end;
mod events;
mod hand_over;
#[cfg(test)]
mod tests;

use super::event::{Deliveries, Event, Events};
use super::flight::{ByNumber, Flight, Flights};
use super::input::{Chunk, Credit, Input, ReadTo};
use super::latency::{Latency, Times};
use super::observe::Observer;
use super::pace::{Pace, Rate};
use super::partitioner::Partitioner;
use super::places::Places;
use crate::model::{Delivery, Endpoint, Outcome, Problem, Publish, Result, Signal, Tally, Unreached};
use crate::spool::{Follow, Settled, Spool, Target};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What may be chosen about a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Chooses partitions.
    pub partitioner: Partitioner,
    /// The key of every message, when the input has none.
    pub key: Option<Arc<[u8]>>,
    /// Headers of every message.
    pub headers: Arc<[(String, Option<Vec<u8>>)]>,
    /// The tag of every message (RocketMQ).
    pub tag: Option<Arc<str>>,
    /// Messages that the business gave before within this time are not accepted again; those of the input must have an id then.
    pub dedupe_window: Option<Duration>,
    /// No more messages than this are handed to the broker.
    pub rate: Option<Rate>,
    /// How long to wait for the first answer of a broker, once there is nothing else to do.
    pub connect_timeout: Duration,
    /// How long to go on without any progress, once there is nothing else to do.
    pub delivery_timeout: Duration,
    /// How long the first Ctrl-C waits for what is in flight.
    pub grace: Duration,
    /// A message that came back so often is given up; `None` never gives up.
    pub max_attempts: Option<u32>,
    /// When whatever still waits at the end is tried again, where somebody sees to that.
    pub retry_every: Option<Duration>,
    /// How long the consumption of what is accepted is awaited.
    pub await_consumed: Option<Duration>,
    /// The group of a local action: what is accepted is only stored, until somebody knows how the action ended.
    pub hold: Option<u64>,
    /// So many messages from this local number on count as this run's own, although they were accepted before it.
    pub own: Option<(u64, u64)>,
    /// Where a copy of each message goes that failed for good.
    pub dead_letter: Option<Target>,
    /// Where a check of each stored message goes, and when.
    pub check: Option<(Target, Duration)>,
}

impl Options {
    /// To deliver what waits, and nothing new.
    pub fn to_deliver(connect_timeout: Duration, delivery_timeout: Duration, grace: Duration) -> Options {
        Options {
            partitioner: Partitioner::by_key(rand::random()),
            key: None,
            headers: Arc::new([]),
            tag: None,
            dedupe_window: None,
            rate: None,
            connect_timeout,
            delivery_timeout,
            grace,
            max_attempts: None,
            retry_every: None,
            await_consumed: None,
            hold: None,
            own: None,
            dead_letter: None,
            check: None,
        }
    }

    pub(in crate::send) fn follow(&self) -> Follow<'_> {
        Follow {
            dead_letter: self.dead_letter.as_ref(),
            check: self.check.as_ref().map(|(to, after)| (to, millis(*after))),
        }
    }
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// The messages of this run's input.
    pub own: Tally,
    /// Messages of the same target that earlier runs had left.
    pub earlier: Tally,
    /// Messages of the input that wait for the outcome of a local action.
    pub held: u64,
    /// Whether the whole input was read and stored.
    pub whole: bool,
    /// The last line of the input that was accepted or rejected.
    pub lines: u64,
    /// The beginning of the input that was accepted or rejected; `None` when it is no sequence of bytes, or nothing was.
    pub read_to: Option<ReadTo>,
    /// How long messages took from acceptance to acknowledgement.
    pub latency: Option<Latency>,
    /// Why it ended before everything was delivered.
    pub why: Option<String>,
    /// What broke on the way, for stderr; each is a sentence with its next step.
    pub troubles: Vec<Problem>,
    /// What "stored" means less than it could, in the words of the broker's client.
    pub note: Option<String>,
    /// Whether the spool is still where it was; if not, what waited in it is gone.
    pub spool_is_there: bool,
    /// The exit.
    pub outcome: Outcome,
}

/// Without progress for this long the broker counts as gone, and the input goes to the spool at the speed of the disk.
const STALLED: Duration = Duration::from_secs(2);
/// Verdicts may wait this long for company in a commit. A crash meanwhile only sends again what is numbered already.
const SETTLE_EVERY: Duration = Duration::from_millis(30);
/// Read from the store at once.
const REFILL_MESSAGES: usize = 2000;
const REFILL_BYTES: usize = 4 << 20;
const TICK: Duration = Duration::from_millis(50);
/// How long after a refusal the broker is asked again: whoever could put it right may do so while the input goes on.
const AFTER_REFUSAL: Duration = Duration::from_secs(15);

/// One run of `send` or of `spool flush` to one target.
pub struct Pump<'a> {
    spool: &'a mut Spool,
    target: Target,
    producer: Arc<str>,
    endpoint: Arc<dyn Endpoint>,
    options: Options,
    observer: &'a mut dyn Observer,
    events: Events,
    deliveries: Deliveries,
    /// Room for the next deliveries.
    delivered: Vec<(u64, Delivery)>,

    places: Option<Places>,
    publisher: Option<Box<dyn Publish>>,
    unreachable: Option<String>,
    /// Whether the broker, or the check of its certificate, said no: waiting longer does not help.
    refused: bool,
    /// A broker's answer that ends the run unless something waits for the topic: it does not exist, or is denied.
    denied: Option<Problem>,

    chunks: VecDeque<Chunk>,
    credit: Arc<Credit>,
    stop_reading: Arc<AtomicBool>,
    input_open: bool,
    had_input: bool,
    /// Whether an interrupted run can go on where it was.
    resumable: bool,
    /// Whether the input was closed before it had ended by itself.
    cut_short: bool,
    lines: u64,
    read_to: Option<ReadTo>,
    pace: Option<Pace>,
    times: Times,

    flights: Flights,
    /// The first local number that was not handed to the client yet.
    cursor: u64,
    /// Messages below this local number may have no lane yet. New ones get theirs only after those, so that order holds.
    placed_from: u64,
    /// The first local number of this run; smaller ones were left by earlier runs.
    first_own: u64,
    /// What was accepted before this pump has a smaller local number, also where it counts as this run's own.
    first_new: u64,
    /// Where to go back to once nothing is in flight: the smallest number that came back without a verdict.
    rewind: Option<u64>,
    /// Partitions that the client takes nothing for just now, and the first message that waits for each. The others go on.
    parked: HashMap<i32, u64>,
    resume_at: Option<Instant>,
    backoff: ExponentialBackoff,
    /// Whether the next pause is longer than the first.
    backed_off: bool,
    /// Messages that may be stored: an attempt ended in doubt, in this run or an earlier one, and no later one gave a verdict.
    doubtful: HashSet<u64>,
    /// Attempts and the last reason of messages that came back in this run.
    tries: HashMap<u64, (u32, String)>,
    /// The same as earlier runs left it.
    before: HashMap<u64, (u32, String)>,
    /// Of those, the ones whose latest state is not in the store yet.
    unsaved: HashSet<u64>,
    /// Of all that came back, the ones that the store may call certainly not sent. It must not when they are handed over again.
    certain: HashSet<u64>,
    /// Those that it does not call so any more because they were to be handed over.
    marked: HashSet<u64>,
    /// No message from this local number on was handed over before this run.
    untried_from: u64,
    /// One more than the largest local number that this run handed over.
    handed_to: u64,
    /// Set while the client gives everything back before its time: what it did not send then was not tried.
    recalling: bool,
    /// Why the client gives everything back, where it cannot know.
    recall_why: Option<String>,
    /// Lanes that the broker does not offer, and how many messages wait for each.
    gone: BTreeMap<i32, u64>,
    /// Messages without a lane that want one which the broker does not offer, with what they want.
    homeless: BTreeMap<u64, Option<i32>>,
    /// How many messages have which lane at the start.
    lanes: BTreeMap<i32, u64>,
    settled: Vec<Settled>,
    /// The flight of each of `settled`.
    landed: Vec<Flight>,
    /// The lanes that messages went to, by name.
    names: ByNumber<i32, Arc<str>>,
    /// Where stamps are written.
    stamp: String,
    settle_since: Option<Instant>,

    /// Messages that earlier runs had left.
    left: u64,
    /// Messages accepted in this run.
    accepted: u64,
    /// Messages stored for a local action that has no known outcome.
    held: u64,
    /// Messages with a verdict that the store could not write down; it still calls them pending.
    unwritten: HashSet<u64>,
    own: Tally,
    earlier: Tally,
    started: Instant,
    progress_at: Instant,
    stopping: Option<(Signal, Instant)>,
    abandoned: bool,
    /// Set when the store failed: nothing more is accepted.
    refusing: bool,
    why: Option<String>,
    troubles: Vec<Problem>,
}

impl<'a> Pump<'a> {
    /// A pump for one target. `input` is `None` to deliver only what waits.
    ///
    /// # Errors
    /// When the store cannot be read or the input thread cannot start.
    pub fn new(
        spool: &'a mut Spool,
        target: Target,
        endpoint: Arc<dyn Endpoint>,
        options: Options,
        input: Option<Input>,
        observer: &'a mut dyn Observer,
        events: Events,
    ) -> Result<Pump<'a>> {
        let waiting = spool.waiting(&target)?;
        let next_id = spool.next_id();
        let before = spool.retries(&target)?;
        let (first_own, own) = options.own.unwrap_or((spool.next_id(), 0));
        // Without word of it, an earlier run that was killed may have handed over whatever has a lane.
        let after_lanes = waiting.last_with_lane.map_or(0, |id| id + 1);
        let untried_from = spool.untried_from(&target)?.unwrap_or(after_lanes);
        let (credit, stop_reading) = (Arc::new(Credit::default()), Arc::new(AtomicBool::new(false)));
        let input_open = input.is_some();
        let resumable = input.as_ref().is_some_and(Input::is_resumable);
        if let Some(input) = input {
            input
                .start(events.sender.clone(), Arc::clone(&stop_reading), Arc::clone(&credit))
                .map_err(|e| Problem::usage("cannot start the thread that reads the input").because(e))?;
        }
        let now = Instant::now();
        Ok(Pump {
            producer: target.producer.as_str().into(),
            spool,
            target,
            endpoint,
            pace: options.rate.map(|rate| Pace::new(rate, now)),
            options,
            observer,
            events,
            deliveries: Deliveries::default(),
            delivered: Vec::new(),
            places: None,
            refused: false,
            publisher: None,
            unreachable: None,
            denied: None,
            chunks: VecDeque::new(),
            credit,
            stop_reading,
            input_open,
            cut_short: false,
            had_input: input_open,
            resumable,
            lines: 0,
            read_to: None,
            times: Times::default(),
            flights: Flights::default(),
            cursor: waiting.first.unwrap_or(next_id),
            placed_from: waiting.last_without_lane.map_or(0, |id| id + 1),
            first_own,
            first_new: next_id,
            rewind: None,
            parked: HashMap::new(),
            resume_at: None,
            backoff: backoff(),
            backed_off: false,
            doubtful: before.iter().filter(|(_, r)| r.in_doubt).map(|(id, _)| *id).collect(),
            certain: before.iter().filter(|(_, r)| !r.in_doubt).map(|(id, _)| *id).collect(),
            before: before.into_iter().map(|(id, r)| (id, (r.attempts, r.reason))).collect(),
            tries: HashMap::new(),
            unsaved: HashSet::new(),
            marked: HashSet::new(),
            untried_from,
            handed_to: 0,
            recalling: false,
            recall_why: None,
            gone: BTreeMap::new(),
            homeless: BTreeMap::new(),
            lanes: waiting.lanes,
            settled: Vec::new(),
            landed: Vec::new(),
            names: ByNumber::default(),
            stamp: String::new(),
            settle_since: None,
            left: waiting.count.saturating_sub(own),
            accepted: own,
            held: 0,
            unwritten: HashSet::new(),
            own: Tally::default(),
            earlier: Tally::default(),
            started: now,
            progress_at: now,
            stopping: None,
            abandoned: false,
            refusing: false,
            why: None,
            troubles: Vec::new(),
        })
    }

    /// Runs until everything has its verdict, nothing moves any more, or it is told to stop.
    ///
    /// # Errors
    /// Only when nothing was accepted and nothing can be: an unknown or denied topic, a client that refuses its configuration.
    pub fn run(mut self) -> Result<Report> {
        let asking = self.ask_for_topology()?;
        while !self.is_over() {
            self.receive();
            if let Some(problem) = self.denied.take() {
                if self.nothing_accepted() {
                    asking.store(true, Ordering::Relaxed);
                    return Err(problem);
                }
                self.why = Some(problem.to_string());
                self.troubles.push(problem);
                self.refuse_input();
            }
            if self.abandoned {
                break;
            }
            self.accept_chunks();
            self.commit_settled(false);
            if let Err(problem) = self.hand_over() {
                if self.nothing_accepted() {
                    asking.store(true, Ordering::Relaxed);
                    return Err(problem);
                }
                self.why = Some(problem.to_string());
                self.troubles.push(problem.with_outcome(Outcome::Spooled));
                self.refuse_input();
                break;
            }
            self.tell();
        }
        asking.store(true, Ordering::Relaxed);
        Ok(self.end())
    }

    /// Asks the broker about the topic on a thread of its own until it answers; the flag ends it.
    fn ask_for_topology(&self) -> Result<Arc<AtomicBool>> {
        let done = Arc::new(AtomicBool::new(false));
        let (endpoint, sender, stop) = (
            Arc::clone(&self.endpoint),
            self.events.sender.clone(),
            Arc::clone(&done),
        );
        let ask = move || {
            while !stop.load(Ordering::Relaxed) {
                let answer = endpoint.topology(Duration::from_secs(1));
                let answered = answer.is_ok();
                // An endpoint that fails at once must not keep a core busy, and one that refuses may lock an account.
                let refused = answer.as_ref().is_err_and(Unreached::is_refusal);
                let pause = if refused { AFTER_REFUSAL } else { TICK };
                if sender.send(Event::Topology(answer)).is_err() || answered {
                    return;
                }
                let since = Instant::now();
                while since.elapsed() < pause && !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(TICK);
                }
            }
        };
        std::thread::Builder::new()
            .name("topology".to_owned())
            .spawn(ask)
            .map_err(|e| Problem::usage("cannot start the thread that asks the broker").because(e))?;
        Ok(done)
    }

    fn nothing_accepted(&self) -> bool {
        self.left + self.accepted + self.held == 0
    }

    /// Messages of this target that have no verdict yet.
    fn open(&self) -> u64 {
        // Until the end only what nobody acknowledges is counted as in doubt.
        let settled =
            self.own.stored + self.own.refused + self.own.in_doubt + self.earlier.stored + self.earlier.refused;
        (self.left + self.accepted).saturating_sub(settled)
    }

    /// How often a message came back, and why the last time; in this run or an earlier one.
    fn tried(&self, id: u64) -> Option<&(u32, String)> {
        self.tries.get(&id).or_else(|| self.before.get(&id))
    }

    /// Whether an earlier run that could not write it down may have handed over a message. To count as this run's own says
    /// nothing of that.
    fn perhaps_sent(&self, id: u64, has_lane: bool) -> bool {
        has_lane && id < self.first_new.min(self.untried_from) && self.tried(id).is_none()
    }

    /// Messages that have no verdict and can get one in this run.
    fn deliverable(&self) -> u64 {
        self.open()
            .saturating_sub(self.gone.values().sum::<u64>() + self.homeless.len() as u64)
    }

    /// Whether lines that were read can still become messages.
    fn has_chunks(&self) -> bool {
        !self.chunks.is_empty() && !self.refusing
    }

    /// Nothing more is accepted from now on.
    fn refuse_input(&mut self) {
        self.refusing = true;
        self.cut_short |= self.input_open || !self.chunks.is_empty();
        self.chunks.clear();
        self.stop_input();
    }

    fn stop_input(&mut self) {
        self.stop_reading.store(true, Ordering::Relaxed);
        self.credit.give();
        self.input_open = false;
    }
}

/// When something happened, by both clocks.
#[derive(Debug, Clone, Copy)]
struct Moment {
    at: Instant,
    /// Milliseconds since the Unix epoch.
    ms: i64,
}

impl Moment {
    fn now() -> Moment {
        Moment {
            at: Instant::now(),
            ms: now_ms(),
        }
    }
}

pub(in crate::send) fn backoff() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .without_max_times()
        .with_jitter()
        .build()
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Bytes of key, value and headers.
fn size(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&str, Option<&[u8]>)]) -> usize {
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    length(key)
        + length(value)
        + headers
            .iter()
            .map(|(name, value)| name.len() + length(*value))
            .sum::<usize>()
}
