//! What happened, and what it means for the messages that are with the client.

use super::{Moment, Pump, SETTLE_EVERY, TICK, backoff, now_ms};
use crate::hooks::{self, Phase};
use crate::model::{Delivery, Lanes, Outcome, Problem, Signal, Topology, Unreached};
use crate::send::event::Event;
use crate::send::flight::Flight;
use crate::send::input::InputEnd;
use crate::send::places::{self, Places};
use crate::spool::{Settled, SpoolError, Verdict};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

/// Events taken before the next commit.
const ROUND_EVENTS: usize = 20_000;

impl Pump<'_> {
    pub(super) fn receive(&mut self) {
        let mut wait = TICK;
        if !self.settled.is_empty() {
            wait = SETTLE_EVERY.min(wait);
        }
        if let Some(at) = self.resume_at {
            wait = wait.min(at.saturating_duration_since(Instant::now()));
        }
        if let Some(pace) = &self.pace
            && self.cursor < self.spool.next_id()
            && !pace.wait(1).is_zero()
        {
            // A rate is kept more evenly than by ticks.
            wait = wait.min(pace.wait(1).max(Duration::from_millis(1)));
        }
        // With chunks to accept there is no time to wait; a chunk that waits for the topology does not count as work.
        if !self.chunks.is_empty() && self.may_accept() {
            wait = Duration::ZERO;
        }
        match self.events.receiver.recv_timeout(wait) {
            Ok(event) => self.happened(event),
            Err(RecvTimeoutError::Timeout) => return,
            // The pump holds a sender itself, so its channel cannot be closed.
            Err(RecvTimeoutError::Disconnected) => {}
        }
        for _ in 0..ROUND_EVENTS {
            let Ok(event) = self.events.receiver.try_recv() else {
                break;
            };
            self.happened(event);
        }
    }

    pub(super) fn happened(&mut self, event: Event) {
        match event {
            // Read just before the input was closed; it is not accepted, and the last accepted line is told.
            Event::Chunk(_) if self.refusing => {}
            Event::Chunk(chunk) => self.chunks.push_back(*chunk),
            Event::InputEnd(end) => self.input_ended(end),
            Event::Delivered => self.take_deliveries(),
            Event::Topology(answer) => self.learn(answer),
            Event::Stop(signal) => self.stop(signal),
        }
    }

    fn input_ended(&mut self, end: InputEnd) {
        let InputEnd { lines, error, strict } = end;
        self.input_open = false;
        self.progress_at = Instant::now();
        // Whatever stands behind it was not read.
        self.cut_short |= error.is_some() || strict.is_some();
        if let Some(error) = error {
            let problem = Problem::unknown(format!("cannot read the input after line {lines}")).because(error);
            let accepted = if self.is_held() {
                ""
            } else {
                "what was read until there was accepted; "
            };
            self.troubles
                .push(problem.next(format!("{accepted}{}", self.how_to_go_on())));
        }
        if let Some(line) = strict {
            let what = format!("reading stopped at line {line}, which was rejected (--strict)");
            let accepted = if self.is_held() {
                "then"
            } else {
                "what stands before it was accepted, so"
            };
            let next = format!("mend the line; {accepted} {}", self.how_to_go_on());
            self.troubles
                .push(Problem::unknown(what).next(next).with_outcome(Outcome::Negative));
        }
    }

    /// How the rest of the input is sent, when a run ends before it.
    pub(super) fn how_to_go_on(&self) -> &'static str {
        if self.is_held() {
            "give the whole input again: nothing of it is published"
        } else if self.resumable {
            "send the rest with --resume FILE, which goes on after the last accepted line"
        } else {
            "give the rest of the input again, without the lines that were accepted"
        }
    }

    /// Whether the input is all or nothing.
    const fn is_held(&self) -> bool {
        self.options.hold.is_some()
    }

    pub(super) fn stop(&mut self, signal: Signal) {
        if self.stopping.is_some() {
            self.abandoned = true;
            return;
        }
        self.stopping = Some((signal, Instant::now()));
        self.stop_input();
        self.why = Some("it was interrupted".to_owned());
    }

    pub(super) fn learn(&mut self, answer: std::result::Result<Topology, Unreached>) {
        let topic = self.target.words();
        match answer {
            Err(unreached) => {
                self.refused = unreached.is_refusal();
                self.unreachable = Some(unreached.to_string());
            }
            Ok(Topology::Known(lanes)) => {
                (self.unreachable, self.refused) = (None, false);
                self.progress_at = Instant::now();
                let places = match lanes {
                    Lanes::Partitions(count) => Places::Partitions(count),
                    Lanes::Named(lanes) => {
                        let names: Vec<&str> = lanes.iter().map(|lane| lane.name.as_str()).collect();
                        match self.spool.number_lanes(&mut self.target, &names) {
                            Ok(numbers) => {
                                Places::Named(numbers.into_iter().zip(lanes.iter().map(|l| l.queue)).collect())
                            }
                            Err(e) => return self.store_failed(e),
                        }
                    }
                };
                if let Some(p) = self.options.partitioner.fixed()
                    && !places.has(p)
                {
                    let problem = Problem::usage(format!("{topic} has no partition {p}"));
                    self.denied = Some(problem.next(format!("it has {}", places.words())));
                    return;
                }
                self.gone = self
                    .lanes
                    .iter()
                    .filter(|(lane, _)| !places.offers(**lane))
                    .map(|(lane, count)| (*lane, *count))
                    .collect();
                self.places = Some(places);
                if let Err(e) = self.remember_gone() {
                    self.store_failed(e);
                }
            }
            Ok(other) => self.denied = Some(places::problem(&self.target, other)),
        }
    }

    /// Takes back what the client has, and hears of every message of it. What it had not sent counts as tried only when it had all
    /// the time that there was: otherwise it came back for no fault of its own.
    pub(super) fn recall(&mut self, had_its_time: bool) {
        if self.publisher.is_none() {
            return;
        }
        // What was reported until now was reported because of what happened to it. What that means the client must say, so it is
        // still in its place.
        self.take_events();
        let Some(mut publisher) = self.publisher.take() else {
            return;
        };
        publisher.recall();
        self.publisher = Some(publisher);
        self.recalling = !had_its_time;
        // The client only knows that it had to give it back.
        self.recall_why = self.why.clone();
        self.take_events();
        (self.recalling, self.recall_why) = (false, None);
    }

    fn take_events(&mut self) {
        while let Ok(event) = self.events.receiver.try_recv() {
            self.happened(event);
        }
        // Also what was reported and is still to be announced.
        self.take_deliveries();
    }

    fn take_deliveries(&mut self) {
        let mut delivered = self.deliveries.take(std::mem::take(&mut self.delivered));
        let now = Moment::now();
        for (id, delivery) in delivered.drain(..) {
            self.delivered(id, delivery, now);
        }
        self.delivered = delivered;
    }

    /// Writes down which lanes messages wait for in vain, so that they can be given others.
    pub(super) fn remember_gone(&mut self) -> std::result::Result<(), SpoolError> {
        if self.places.is_none() || !self.spool.is_durable() {
            return Ok(());
        }
        let gone = self.gone.keys().copied().collect();
        self.spool.set_gone(&self.target, &gone, now_ms())
    }

    pub(super) fn delivered(&mut self, id: u64, delivery: Delivery, now: Moment) {
        let Some(mut flight) = self.flights.land(id) else {
            return;
        };
        let in_words = |why: String| self.recall_why.clone().unwrap_or(why);
        match delivery {
            Delivery::Stored(position) => {
                hooks::mark(Phase::Acknowledged, 1);
                self.settle(id, flight, Verdict::Confirmed(position.offset), now);
            }
            // An earlier attempt may have stored it, and a number that may be in the log must not be void.
            Delivery::Refused(why) if self.doubtful.contains(&id) => {
                let why = format!("{why}; an earlier attempt may have stored it");
                self.settle(id, flight, Verdict::GivenUp(why), now);
            }
            Delivery::Refused(why) => self.settle(id, flight, Verdict::Failed(why), now),
            // What the client had to give back at once was not tried.
            Delivery::NotSent(why) if self.recalling => self.came_back(id, flight.attempts - 1, in_words(why)),
            Delivery::NotSent(why) => self.failed_once_more(id, flight, in_words(why), now),
            // It was handed over once, as was asked for; only its end is written down, in a store that dies with this process.
            Delivery::InDoubt(why) if self.publisher.as_ref().is_some_and(|p| !p.is_acknowledged()) => {
                flight.unproven = Some(why.into());
                self.settle(id, flight, Verdict::Confirmed(None), now);
            }
            Delivery::InDoubt(why) => {
                let why = in_words(why);
                self.doubtful.insert(id);
                self.failed_once_more(id, flight, why, now);
            }
        }
    }

    /// An attempt at a broker that was there came to nothing. One of so many, and the message is given up.
    fn failed_once_more(&mut self, id: u64, flight: Flight, why: String, now: Moment) {
        let attempts = flight.attempts;
        if self.options.max_attempts.is_none_or(|most| attempts < most) {
            return self.came_back(id, attempts, why);
        }
        let why = format!("attempts used up ({attempts}): {why}");
        let verdict = if self.doubtful.contains(&id) {
            Verdict::GivenUp(why)
        } else {
            Verdict::Failed(why)
        };
        self.settle(id, flight, verdict, now);
    }

    pub(super) fn settle(&mut self, id: u64, mut flight: Flight, verdict: Verdict, now: Moment) {
        flight.settled_ms = now.ms;
        self.progress_at = now.at;
        self.settle_since.get_or_insert(now.at);
        if self.backed_off {
            (self.backoff, self.backed_off) = (backoff(), false);
        }
        // Almost always nothing came back, and then nothing is hashed.
        for states in [
            &mut self.doubtful,
            &mut self.unsaved,
            &mut self.certain,
            &mut self.marked,
        ] {
            if !states.is_empty() {
                states.remove(&id);
            }
        }
        for tries in [&mut self.tries, &mut self.before] {
            if !tries.is_empty() {
                tries.remove(&id);
            }
        }
        let producer = Arc::clone(&flight.producer);
        self.settled.push(Settled {
            id,
            producer,
            partition: flight.partition,
            seq: flight.seq,
            attempts: flight.attempts,
            verdict,
        });
        self.landed.push(flight);
    }

    pub(super) fn came_back(&mut self, id: u64, attempts: u32, why: String) {
        self.tries.insert(id, (attempts, why));
        self.unsaved.insert(id);
        self.settle_since.get_or_insert(Instant::now());
        self.rewind = Some(self.rewind.map_or(id, |r| r.min(id)));
    }
}
