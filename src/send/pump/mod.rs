//! The loop that owns the store and decides what happens next.
//!
//! Each round: take what happened, make it durable in one commit, then hand more to the client. Nothing is handed over that
//! was not in an earlier commit, and nothing leaves the store but by a verdict on that very message.

mod durable;
mod end;
mod events;
mod hand_over;

use super::event::{Deliveries, Event, Events};
use super::flight::{ByNumber, Flight, Flights};
use super::input::{self, Chunk, Credit, InputOptions, Source};
use super::observe::Observer;
use super::partitioner::Partitioner;
use super::places::Places;
use crate::model::{Delivery, Endpoint, Outcome, Problem, Publish, Result, Signal, Tally, Unreached};
use crate::spool::{Settled, Spool, Target};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::collections::{HashMap, HashSet, VecDeque};
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
    /// How long to wait for the first answer of a broker, once there is nothing else to do.
    pub connect_timeout: Duration,
    /// How long to go on without any progress, once there is nothing else to do.
    pub delivery_timeout: Duration,
    /// How long the first Ctrl-C waits for what is in flight.
    pub grace: Duration,
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// The messages of this run's input.
    pub own: Tally,
    /// Messages of the same target that earlier runs had left.
    pub earlier: Tally,
    /// The last line of the input that was accepted or rejected.
    pub lines: u64,
    /// Why it ended before everything was delivered.
    pub why: Option<String>,
    /// What broke on the way, for stderr; each is a sentence with its next step.
    pub troubles: Vec<Problem>,
    /// What the counts mean less than usual by, when it was asked for.
    pub warning: Option<&'static str>,
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
    /// Whether the input was closed before it had ended by itself.
    cut_short: bool,
    lines: u64,

    flights: Flights,
    /// The first local number that was not handed to the client yet.
    cursor: u64,
    /// Messages below this local number may have no lane yet. New ones get theirs only after those, so that order holds.
    placed_from: u64,
    /// The first local number of this run; smaller ones were left by earlier runs.
    first_own: u64,
    /// Where to go back to once nothing is in flight: the smallest number that came back without a verdict.
    rewind: Option<u64>,
    /// Partitions that the client takes nothing for just now, and the first message that waits for each. The others go on.
    parked: HashMap<i32, u64>,
    resume_at: Option<Instant>,
    backoff: ExponentialBackoff,
    /// Whether the next pause is longer than the first.
    backed_off: bool,
    /// Messages that may be stored: an attempt ended in doubt and no later one gave a verdict.
    doubtful: HashSet<u64>,
    /// Attempts and the last reason of messages that came back.
    tries: HashMap<u64, (u32, String)>,
    settled: Vec<Settled>,
    /// The flight of each of `settled`.
    landed: Vec<Flight>,
    /// The lanes that messages went to, by name.
    lanes: ByNumber<i32, Arc<str>>,
    /// Where stamps are written.
    stamp: String,
    settle_since: Option<Instant>,

    /// Messages that earlier runs had left.
    left: u64,
    /// Messages accepted in this run.
    accepted: u64,
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
        input: Option<(Source, InputOptions)>,
        observer: &'a mut dyn Observer,
        events: Events,
    ) -> Result<Pump<'a>> {
        let waiting = spool.waiting(&target)?;
        let first_own = spool.next_id();
        let (credit, stop_reading) = (Arc::new(Credit::default()), Arc::new(AtomicBool::new(false)));
        let input_open = input.is_some();
        if let Some((source, how)) = input {
            input::start(
                source,
                how,
                events.sender.clone(),
                Arc::clone(&stop_reading),
                Arc::clone(&credit),
            )
            .map_err(|e| Problem::usage("cannot start the thread that reads the input").because(e))?;
        }
        let now = Instant::now();
        Ok(Pump {
            producer: target.producer.as_str().into(),
            spool,
            target,
            endpoint,
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
            lines: 0,
            flights: Flights::default(),
            cursor: waiting.first.unwrap_or(first_own),
            placed_from: waiting.last_without_lane.map_or(0, |id| id + 1),
            first_own,
            rewind: None,
            parked: HashMap::new(),
            resume_at: None,
            backoff: backoff(),
            backed_off: false,
            doubtful: HashSet::new(),
            tries: HashMap::new(),
            settled: Vec::new(),
            landed: Vec::new(),
            lanes: ByNumber::default(),
            stamp: String::new(),
            settle_since: None,
            left: waiting.count,
            accepted: 0,
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
        self.left + self.accepted == 0
    }

    /// Messages of this target that have no verdict yet.
    fn open(&self) -> u64 {
        // In doubt before the end are only those of which nothing more will be known.
        let settled = self.own.accepted() + self.earlier.accepted();
        (self.left + self.accepted).saturating_sub(settled)
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

fn backoff() -> ExponentialBackoff {
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
