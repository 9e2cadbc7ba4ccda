//! The loop that owns the store and decides what happens next.
//!
//! Each round: take what happened, make it durable in one commit, then hand more to the client. Nothing is handed over that
//! was not in an earlier commit, and nothing leaves the store but by a verdict on that very message.

use super::event::{Event, Events};
use super::flight::{Flight, Flights};
use super::input::{self, Chunk, Credit, InputEnd, InputOptions, Source};
use super::observe::{Observer, Receipt, State};
use super::partitioner::Partitioner;
use crate::hooks::{self, Phase};
use crate::model::{
    Delivery, Endpoint, Fate, Offer, Outcome, Outgoing, Problem, Publish, Result, Signal, Stamp, Tally, Topology,
};
use crate::spool::{Accepted, Change, NewMessage, Pending, Settled, Spool, SpoolError, Target, Verdict};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
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
    /// Lines read from the input.
    pub lines: u64,
    /// Why it ended before everything was delivered.
    pub why: Option<String>,
    /// What broke on the way, for stderr; each is a sentence with its next step.
    pub troubles: Vec<Problem>,
    /// The exit.
    pub outcome: Outcome,
}

/// Chunks wait unaccepted this long for the topic to be known, so that they get their lane and number at once.
const PLACE_PATIENCE: Duration = Duration::from_secs(3);
/// Without progress for this long the broker counts as gone, and the input goes to the spool at the speed of the disk.
const STALLED: Duration = Duration::from_secs(2);
/// Verdicts may wait this long for company in a commit. A crash meanwhile only sends again what is numbered already.
const SETTLE_EVERY: Duration = Duration::from_millis(30);
const SETTLE_MESSAGES: usize = 4000;
/// Read from the store at once.
const REFILL_MESSAGES: usize = 2000;
const REFILL_BYTES: usize = 4 << 20;
/// Events taken before the next commit.
const ROUND_EVENTS: usize = 20_000;
const TICK: Duration = Duration::from_millis(50);

/// One run of `send` or of `spool flush` to one target.
pub struct Pump<'a> {
    spool: &'a mut Spool,
    target: Target,
    producer: Arc<str>,
    endpoint: Arc<dyn Endpoint>,
    options: Options,
    observer: &'a mut dyn Observer,
    events: Events,

    partitions: Option<i32>,
    publisher: Option<Box<dyn Publish>>,
    unreachable: Option<String>,
    /// A broker's answer that ends the run unless something waits for the topic: it does not exist, or is denied.
    denied: Option<Problem>,

    chunks: VecDeque<Chunk>,
    credit: Arc<Credit>,
    stop_reading: Arc<AtomicBool>,
    input_open: bool,
    lines: u64,

    flights: Flights,
    /// The first local number that was not handed to the client yet.
    cursor: u64,
    /// The first local number of this run; smaller ones were left by earlier runs.
    first_own: u64,
    /// Where to go back to once nothing is in flight: the smallest number that came back without a verdict.
    rewind: Option<u64>,
    resume_at: Option<Instant>,
    backoff: ExponentialBackoff,
    /// Messages that may be stored: an attempt ended in doubt and no later one gave a verdict.
    doubtful: HashSet<u64>,
    /// Attempts and the last reason of messages that came back.
    tries: HashMap<u64, (u32, String)>,
    settled: Vec<(Settled, Flight)>,
    settle_since: Option<Instant>,

    accepted: (u64, u64),
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
        let (waiting, first) = spool.waiting(&target)?;
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
            partitions: None,
            publisher: None,
            unreachable: None,
            denied: None,
            chunks: VecDeque::new(),
            credit,
            stop_reading,
            input_open,
            lines: 0,
            flights: Flights::default(),
            cursor: first.unwrap_or(first_own),
            first_own,
            rewind: None,
            resume_at: None,
            backoff: backoff(),
            doubtful: HashSet::new(),
            tries: HashMap::new(),
            settled: Vec::new(),
            settle_since: None,
            accepted: (waiting, 0),
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
                self.stop_input();
            }
            if self.abandoned {
                break;
            }
            self.accept_chunks()?;
            self.commit_settled(false);
            self.hand_over()?;
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
                if sender.send(Event::Topology(answer)).is_err() || answered {
                    return;
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
        self.accepted == (0, 0)
    }

    /// Messages of this target that have no verdict yet.
    fn open(&self) -> u64 {
        let settled = self.own.stored + self.own.refused + self.earlier.stored + self.earlier.refused;
        self.accepted.0 + self.accepted.1 - settled
    }

    fn stop_input(&mut self) {
        self.stop_reading.store(true, Ordering::Relaxed);
        self.credit.give();
        self.input_open = false;
    }

    // ---- what happened -------------------------------------------------------------------------------------------------

    fn receive(&mut self) {
        let mut wait = TICK;
        if !self.settled.is_empty() {
            wait = SETTLE_EVERY.min(wait);
        }
        if let Some(at) = self.resume_at {
            wait = wait.min(at.saturating_duration_since(Instant::now()));
        }
        // With chunks to accept there is no time to wait; a chunk that waits for the topology does not count as work.
        if !self.chunks.is_empty() && self.may_accept() {
            wait = Duration::ZERO;
        }
        match self.events.receiver.recv_timeout(wait) {
            Ok(event) => self.happened(event),
            Err(RecvTimeoutError::Timeout) => return,
            Err(RecvTimeoutError::Disconnected) => unreachable_sender(),
        }
        for _ in 0..ROUND_EVENTS {
            let Ok(event) = self.events.receiver.try_recv() else {
                break;
            };
            self.happened(event);
        }
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Chunk(chunk) => self.chunks.push_back(chunk),
            Event::InputEnd(InputEnd { lines, error }) => {
                (self.lines, self.input_open) = (lines, false);
                self.progress_at = Instant::now();
                if let Some(error) = error {
                    let problem = Problem::unknown(format!("cannot read the input after line {lines}")).because(error);
                    self.troubles.push(
                        problem.next("what was read until there was accepted; send the rest again with --resume"),
                    );
                }
            }
            Event::Delivered(id, delivery) => self.delivered(id, delivery),
            Event::Topology(answer) => self.learn(answer),
            Event::Stop(signal) => self.stop(signal),
        }
    }

    fn stop(&mut self, signal: Signal) {
        if self.stopping.is_some() {
            self.abandoned = true;
            return;
        }
        self.stopping = Some((signal, Instant::now()));
        self.stop_input();
        self.why = Some("it was interrupted".to_owned());
    }

    fn learn(&mut self, answer: std::result::Result<Topology, String>) {
        let (topic, broker) = (&self.target.topic, &self.target.broker);
        match answer {
            Err(why) => self.unreachable = Some(why),
            Ok(Topology::Known { partitions }) => {
                self.unreachable = None;
                self.progress_at = Instant::now();
                if let Partitioner::Fixed(p) = self.options.partitioner
                    && !(0..partitions).contains(&p)
                {
                    let problem = Problem::usage(format!("topic {topic} has no partition {p}"));
                    self.denied = Some(problem.next(format!("it has partitions 0 to {}", partitions - 1)));
                    return;
                }
                self.partitions = Some(partitions);
            }
            Ok(Topology::NoSuchTopic) => {
                let problem = Problem::usage(format!("topic {topic} does not exist on {broker}"));
                self.denied =
                    Some(problem.next("check its spelling, or create it first; it is never created by accident"));
            }
            Ok(Topology::Denied(why)) => {
                let problem = Problem::usage(format!("topic {topic} on {broker} may not be written")).because(why);
                self.denied = Some(problem.next("ask for WRITE and DESCRIBE on the topic"));
            }
        }
    }

    fn delivered(&mut self, id: u64, delivery: Delivery) {
        let Some(flight) = self.flights.land(id) else { return };
        match delivery {
            Delivery::Stored(position) => {
                hooks::mark(Phase::Acknowledged, 1);
                self.settle(id, flight, Verdict::Confirmed(position.offset));
            }
            Delivery::Refused(why) => self.settle(id, flight, Verdict::Failed(why)),
            Delivery::NotSent(why) => self.came_back(id, flight.attempts, why),
            Delivery::InDoubt(why) => {
                self.doubtful.insert(id);
                self.came_back(id, flight.attempts, why);
            }
        }
    }

    fn settle(&mut self, id: u64, flight: Flight, verdict: Verdict) {
        let now = Instant::now();
        self.progress_at = now;
        self.settle_since.get_or_insert(now);
        self.backoff = backoff();
        self.doubtful.remove(&id);
        self.tries.remove(&id);
        let producer = Arc::clone(&flight.producer);
        self.settled.push((
            Settled {
                id,
                producer,
                partition: flight.partition,
                seq: flight.seq,
                verdict,
            },
            flight,
        ));
    }

    fn came_back(&mut self, id: u64, attempts: u32, why: String) {
        self.tries.insert(id, (attempts, why));
        self.rewind = Some(self.rewind.map_or(id, |r| r.min(id)));
    }

    // ---- making it durable ---------------------------------------------------------------------------------------------

    /// Whether a chunk may be accepted now: with its lane when the topic is known, without one when patience is over.
    fn may_accept(&self) -> bool {
        if self.refusing {
            return false;
        }
        if self.partitions.is_none() {
            let patient = self.stopping.is_none() && self.started.elapsed() < PLACE_PATIENCE;
            return self.spool.is_durable() && !patient;
        }
        // While the broker keeps up, the input waits for it: what is sent from memory need not be read from disk again.
        let room = self.flights.has_room() && self.cursor >= self.spool.next_id() && self.rewind.is_none();
        let stalled = self.progress_at.elapsed() >= STALLED && self.spool.is_durable();
        room || stalled || self.stopping.is_some()
    }

    fn accept_chunks(&mut self) -> Result<()> {
        while self.may_accept() {
            let Some(chunk) = self.chunks.pop_front() else { break };
            let accepted = self.accept(&chunk);
            self.credit.give();
            if let Err(e) = accepted {
                self.store_failed(e);
            }
        }
        Ok(())
    }

    fn accept(&mut self, chunk: &Chunk) -> std::result::Result<(), SpoolError> {
        let (own_headers, own_key) = (Arc::clone(&self.options.headers), self.options.key.clone());
        let headers: Vec<(&str, Option<&[u8]>)> = own_headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect();
        let mut new = Vec::with_capacity(chunk.lines.len());
        for line in &chunk.lines {
            let key = line
                .key
                .as_ref()
                .map(|range| &chunk.data[range.clone()])
                .or(own_key.as_deref());
            let partition = self.partitions.map(|count| self.options.partitioner.choose(key, count));
            let value = Some(&chunk.data[line.value.clone()]);
            new.push(NewMessage {
                line: line.number,
                partition,
                key,
                value,
                headers: &headers,
            });
        }
        let settled = std::mem::take(&mut self.settled);
        let now_ms = now_ms();
        let settle: Vec<Settled> = settled.iter().map(|(s, _)| s.clone()).collect();
        let change = Change {
            accept: &new,
            place: &[],
            settle: &settle,
            input: chunk.progress.as_ref(),
            now_ms,
        };
        let got = match self.spool.commit(&self.target, &change) {
            Ok(got) => got,
            Err(e) => {
                // What was settled is still to be written; what was read is not accepted.
                self.settled = settled;
                return Err(e);
            }
        };
        hooks::mark(Phase::Synced, new.len() as u64);
        self.accepted.1 += new.len() as u64;
        self.was_settled(&settled);
        for rejected in &chunk.rejected {
            self.own.count(Fate::Rejected, 1);
            self.observer.receipt(&Receipt {
                line: rejected.line,
                id: None,
                fate: Fate::Rejected,
                partition: None,
                offset: None,
                attempts: 0,
                latency_ms: 0,
                reason: Some(&rejected.reason),
            });
        }
        self.send_directly(&new, &got, now_ms);
        Ok(())
    }

    /// Hands over what was just accepted, without reading it back, when nothing waits before it.
    fn send_directly(&mut self, new: &[NewMessage<'_>], got: &[Accepted], accepted_ms: i64) {
        for (message, got) in new.iter().zip(got) {
            let Some(partition) = message.partition else { return };
            if self.cursor != got.id || !self.may_hand_over() {
                return;
            }
            let producer = Arc::clone(&self.producer);
            let (attempts, bytes) = (1, size(message.key, message.value));
            let flight = Flight {
                line: message.line,
                seq: got.seq,
                partition,
                producer,
                accepted_ms,
                bytes,
                attempts,
            };
            if !self.offer(got.id, flight, &got.voids, message.key, message.value, message.headers) {
                return;
            }
        }
    }

    fn commit_settled(&mut self, now: bool) {
        let due = self.settle_since.is_some_and(|since| since.elapsed() >= SETTLE_EVERY);
        let many = self.settled.len() >= SETTLE_MESSAGES;
        let idle = self.flights.is_empty() && self.chunks.is_empty();
        if self.settled.is_empty() || !(now || due || many || idle || self.rewind.is_some()) {
            return;
        }
        let settled = std::mem::take(&mut self.settled);
        let settle: Vec<Settled> = settled.iter().map(|(s, _)| s.clone()).collect();
        let change = Change {
            settle: &settle,
            now_ms: now_ms(),
            ..Change::default()
        };
        let done = self.spool.commit(&self.target, &change).map(drop);
        // An acknowledgement is true whether or not the store could write it down; then it is sent once more some day.
        self.was_settled(&settled);
        if let Err(e) = done {
            self.store_failed(e);
        }
    }

    fn was_settled(&mut self, settled: &[(Settled, Flight)]) {
        self.settle_since = None;
        hooks::mark(
            Phase::Committed,
            settled
                .iter()
                .filter(|(s, _)| matches!(s.verdict, Verdict::Confirmed(_)))
                .count() as u64,
        );
        let now = now_ms();
        for (s, flight) in settled {
            let (fate, offset, reason) = match &s.verdict {
                Verdict::Confirmed(offset) => (Fate::Stored, *offset, None),
                Verdict::Failed(why) => (Fate::Refused, None, Some(why.as_str())),
            };
            if s.id < self.first_own {
                self.earlier.count(fate, 1);
                continue;
            }
            self.own.count(fate, 1);
            self.observer.receipt(&Receipt {
                line: flight.line,
                id: Some((&s.producer, self.target.lane(s.partition), s.seq)),
                fate,
                partition: Some(s.partition),
                offset,
                attempts: flight.attempts,
                latency_ms: u64::try_from(now - flight.accepted_ms).unwrap_or(0),
                reason,
            });
        }
    }

    /// The store failed. Nothing more is accepted; what it holds is still delivered, if it can be opened again.
    fn store_failed(&mut self, error: SpoolError) {
        if self.refusing {
            return;
        }
        self.refusing = true;
        self.stop_input();
        self.chunks.clear();
        let full = error.is_out_of_space();
        let what = if full {
            "the spool's disk is full; nothing more was accepted"
        } else {
            "the spool failed; nothing more was accepted"
        };
        let next = "make room, then send the rest of the input again: with --resume FILE it goes on after the last accepted line";
        self.why = Some(what.to_owned());
        self.troubles.push(
            Problem::unknown(what)
                .because(&error)
                .next(next)
                .with_outcome(Outcome::Spooled),
        );
        if let Err(e) = self.spool.reopen() {
            self.troubles.push(
                Problem::unknown("the spool cannot be opened again")
                    .because(e)
                    .with_outcome(Outcome::Spooled),
            );
            self.abandoned = true;
        }
    }

    // ---- handing over --------------------------------------------------------------------------------------------------

    fn may_hand_over(&self) -> bool {
        self.publisher.is_some() && self.stopping.is_none() && self.rewind.is_none() && self.flights.has_room()
    }

    fn hand_over(&mut self) -> Result<()> {
        if self.publisher.is_none() && self.partitions.is_some() {
            let sender = self.events.sender.clone();
            let report = Box::new(move |id, delivery| drop(sender.send(Event::Delivered(id, delivery))));
            self.publisher = Some(self.endpoint.publisher(report)?);
        }
        self.go_back()?;
        while self.may_hand_over() && self.cursor < self.spool.next_id() && self.flights.is_half_empty() {
            let read = self
                .spool
                .pending(&self.target, self.cursor, REFILL_MESSAGES, REFILL_BYTES);
            let waiting = match read.and_then(|waiting| self.place(waiting)) {
                Ok(waiting) => waiting,
                Err(e) => {
                    self.store_failed(e);
                    return Ok(());
                }
            };
            if waiting.is_empty() {
                self.cursor = self.spool.next_id();
            }
            for message in &waiting {
                self.cursor = message.id;
                if !self.may_hand_over() || !self.offer_pending(message) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Gives a lane and a number to messages that were accepted before the topic was known, and makes that durable.
    fn place(&mut self, mut waiting: Vec<Pending>) -> std::result::Result<Vec<Pending>, SpoolError> {
        let Some(count) = self.partitions else {
            return Ok(Vec::new());
        };
        let mut wanted = Vec::new();
        for message in waiting.iter().filter(|m| m.partition.is_none()) {
            wanted.push((
                message.id,
                self.options.partitioner.choose(message.key.as_deref(), count),
            ));
        }
        if wanted.is_empty() {
            return Ok(waiting);
        }
        let change = Change {
            place: &wanted,
            now_ms: now_ms(),
            ..Change::default()
        };
        let placed = self.spool.commit(&self.target, &change)?;
        let mut placed = placed.into_iter().zip(wanted);
        for message in waiting.iter_mut().filter(|m| m.partition.is_none()) {
            if let Some((got, (_, partition))) = placed.next() {
                (message.partition, message.seq, message.voids) = (Some(partition), got.seq, got.voids);
                message.producer.clone_from(&self.target.producer);
            }
        }
        Ok(waiting)
    }

    fn offer_pending(&mut self, message: &Pending) -> bool {
        let Some(partition) = message.partition else {
            return false;
        };
        let producer = if *message.producer == *self.producer {
            Arc::clone(&self.producer)
        } else {
            message.producer.as_str().into()
        };
        let headers: Vec<(&str, Option<&[u8]>)> = message
            .headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_deref()))
            .collect();
        let flight = Flight {
            line: message.line,
            seq: message.seq,
            partition,
            producer,
            accepted_ms: message.accepted_ms,
            bytes: message.size(),
            attempts: self.tries.get(&message.id).map_or(0, |(n, _)| *n) + 1,
        };
        self.offer(
            message.id,
            flight,
            &message.voids,
            message.key.as_deref(),
            message.value.as_deref(),
            &headers,
        )
    }

    /// Offers one message; `false` when the client is full.
    fn offer(
        &mut self,
        id: u64,
        flight: Flight,
        voids: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) -> bool {
        let Some(publisher) = &mut self.publisher else {
            return false;
        };
        let lane = self.target.lane(flight.partition);
        let stamp = Stamp {
            seq: flight.seq,
            producer: &flight.producer,
            lane: &lane,
        }
        .to_string();
        let message = Outgoing {
            ticket: id,
            partition: flight.partition,
            timestamp_ms: flight.accepted_ms,
            key,
            value,
            headers,
            stamp: &stamp,
            voids: (!voids.is_empty()).then_some(voids),
        };
        let offer = publisher.offer(&message);
        match offer {
            Offer::Full => return false,
            Offer::Taken => {
                hooks::mark(Phase::Sent, 1);
                self.flights.add(id, flight);
            }
            Offer::Settled(delivery) => {
                self.flights.add(id, flight);
                self.delivered(id, delivery);
            }
        }
        self.cursor = id + 1;
        true
    }

    /// After messages came back without a verdict: waits until nothing is in flight, then a little, and goes on from the first.
    fn go_back(&mut self) -> Result<()> {
        let Some(to) = self.rewind else { return Ok(()) };
        let must_renew = self.publisher.as_ref().is_some_and(|p| p.must_renew());
        if !self.flights.is_empty() {
            if must_renew && let Some(publisher) = &mut self.publisher {
                publisher.recall();
            }
            return Ok(());
        }
        if !self.settled.is_empty() {
            return Ok(());
        }
        let now = Instant::now();
        match self.resume_at {
            None => self.resume_at = Some(now + self.backoff.next().unwrap_or(TICK)),
            Some(at) if now < at => {}
            Some(_) => {
                if must_renew && let Some(publisher) = &mut self.publisher {
                    publisher.renew()?;
                }
                (self.rewind, self.resume_at, self.cursor) = (None, None, to);
            }
        }
        Ok(())
    }

    // ---- the end -------------------------------------------------------------------------------------------------------

    fn is_over(&mut self) -> bool {
        if self.abandoned {
            return true;
        }
        if let Some((_, since)) = self.stopping {
            let nothing_left = self.chunks.is_empty() && self.flights.is_empty() && self.settled.is_empty();
            return nothing_left || since.elapsed() >= self.options.grace;
        }
        if self.input_open || (!self.chunks.is_empty() && !self.refusing && self.spool.is_durable()) {
            return self.gave_up_without_spool();
        }
        if self.chunks.is_empty() && self.open() == 0 && self.settled.is_empty() {
            return true;
        }
        // Only a broker that never answered has its own, shorter, patience; a denied topic has none.
        let (since, patience) = match self.partitions {
            None => (self.started, self.options.connect_timeout),
            Some(_) => (self.progress_at, self.options.delivery_timeout),
        };
        if self.partitions.is_none() && self.why.is_some() {
            return true;
        }
        if since.elapsed() < patience {
            return false;
        }
        self.why = Some(self.trouble());
        true
    }

    /// Without a spool nothing can be accepted that cannot be sent, so an unreachable broker ends the run while input remains.
    fn gave_up_without_spool(&mut self) -> bool {
        let over = !self.spool.is_durable()
            && self.progress_at.elapsed()
                >= self
                    .options
                    .delivery_timeout
                    .min(self.options.connect_timeout.max(STALLED))
            && (self.partitions.is_none()
                || (self.open() > 0 && self.progress_at.elapsed() >= self.options.delivery_timeout));
        if over {
            self.why = Some(self.trouble());
        }
        over
    }

    /// Why nothing moves, in words.
    fn trouble(&self) -> String {
        let broker = &self.target.broker;
        let cause = |fallback: &str| {
            self.endpoint
                .last_error()
                .or(self.unreachable.clone())
                .unwrap_or_else(|| fallback.to_owned())
        };
        if self.partitions.is_none() {
            return format!("{broker} cannot be reached ({})", cause("no broker answered"));
        }
        match self.tries.values().next() {
            Some((_, why)) => format!("{broker} does not take the messages ({why})"),
            None => format!("{broker} does not confirm ({})", cause("no answer")),
        }
    }

    fn tell(&mut self) {
        let moving = self.progress_at.elapsed() < STALLED;
        let open = self.open();
        let in_flight = self.flights.len() as u64;
        let trouble = (!moving && (open > 0 || self.partitions.is_none())).then(|| self.trouble());
        self.observer.state(&State {
            accepted: self.accepted.1,
            stored: self.own.stored + self.earlier.stored,
            in_flight,
            waiting: open.saturating_sub(in_flight),
            trouble,
        });
    }

    fn end(mut self) -> Report {
        self.stop_input();
        if !self.abandoned {
            if let Some(publisher) = &mut self.publisher {
                publisher.recall();
            }
            while let Ok(event) = self.events.receiver.try_recv() {
                if let Event::Delivered(id, delivery) = event {
                    self.delivered(id, delivery);
                }
            }
        }
        self.commit_settled(true);
        // What the client never reported may be anywhere.
        for id in self.flights.take_all() {
            self.doubtful.insert(id);
        }
        self.count_the_rest();
        let interrupted = self.stopping.map(|(signal, _)| Outcome::Interrupted(signal));
        let left = |t: &Tally| t.in_doubt + t.spooled > 0;
        let outcomes = [
            interrupted.unwrap_or(Outcome::Good),
            if self.own.refused + self.own.rejected + self.earlier.refused > 0 {
                Outcome::Negative
            } else {
                Outcome::Good
            },
            match (left(&self.own) || left(&self.earlier), self.spool.is_durable()) {
                (true, true) => Outcome::Spooled,
                (true, false) => Outcome::Unknown,
                (false, _) => Outcome::Good,
            },
            // Without a spool the input that nobody accepted is simply not sent.
            if self.why.is_some() && !self.spool.is_durable() {
                Outcome::Unknown
            } else {
                Outcome::Good
            },
            Outcome::combine(self.troubles.iter().map(|t| {
                if t.outcome == Outcome::Usage {
                    Outcome::Good
                } else {
                    t.outcome
                }
            })),
        ];
        Report {
            own: self.own,
            earlier: self.earlier,
            lines: self.lines,
            why: self.why,
            troubles: self.troubles,
            outcome: Outcome::combine(outcomes),
        }
    }

    /// Counts what has no verdict, and tells those of this run one by one.
    fn count_the_rest(&mut self) {
        let mut from = 0;
        let mut read = 0;
        let open = self.open();
        let now = now_ms();
        while let Ok(waiting) = self.spool.pending(&self.target, from, REFILL_MESSAGES, REFILL_BYTES) {
            let Some(last) = waiting.last() else { break };
            from = last.id + 1;
            for message in &waiting {
                // Settled, but the store could not write that down.
                if read == open {
                    break;
                }
                read += 1;
                let fate = if self.doubtful.contains(&message.id) {
                    Fate::InDoubt
                } else {
                    Fate::Spooled
                };
                if message.id < self.first_own {
                    self.earlier.count(fate, 1);
                    continue;
                }
                self.own.count(fate, 1);
                let (attempts, reason) = self
                    .tries
                    .get(&message.id)
                    .map_or((0, None), |(n, why)| (*n, Some(why.as_str())));
                self.observer.receipt(&Receipt {
                    line: message.line,
                    id: message
                        .partition
                        .map(|p| (message.producer.as_str(), self.target.lane(p), message.seq)),
                    fate,
                    partition: message.partition,
                    offset: None,
                    attempts,
                    latency_ms: u64::try_from(now - message.accepted_ms).unwrap_or(0),
                    reason: reason.or(self.why.as_deref()),
                });
            }
        }
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

fn size(key: Option<&[u8]>, value: Option<&[u8]>) -> usize {
    key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)
}

/// The pump holds a sender itself, so its channel cannot be closed.
fn unreachable_sender() {
    debug_assert!(false, "the pump holds a sender");
}
