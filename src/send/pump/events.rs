//! What happened, and what it means for the messages that are with the client.

use super::{Pump, SETTLE_EVERY, TICK, backoff};
use crate::hooks::{self, Phase};
use crate::model::{Delivery, Lanes, Problem, Signal, Topology, Unreached};
use crate::send::event::Event;
use crate::send::flight::Flight;
use crate::send::input::InputEnd;
use crate::send::places::Places;
use crate::spool::{Settled, Verdict};
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
            Event::Chunk(chunk) => self.chunks.push_back(chunk),
            Event::InputEnd(InputEnd { lines, error }) => {
                self.input_open = false;
                self.progress_at = Instant::now();
                if let Some(error) = error {
                    let problem = Problem::unknown(format!("cannot read the input after line {lines}")).because(error);
                    self.troubles.push(
                        problem.next("what was read until there was accepted; send the rest again with --resume"),
                    );
                }
            }
            Event::Delivered => self.take_deliveries(),
            Event::Topology(answer) => self.learn(answer),
            Event::Stop(signal) => self.stop(signal),
        }
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
        let (topic, broker) = (self.target.words(), self.target.broker.clone());
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
                self.places = Some(places);
            }
            Ok(Topology::NoSuchTopic) => {
                let problem = Problem::usage(format!("{topic} does not exist on {broker}"));
                self.denied =
                    Some(problem.next("check its spelling, or create it first; it is never created by accident"));
            }
            Ok(Topology::CannotMake(why)) => {
                let problem = Problem::usage(format!("{topic} cannot be made on {broker}")).because(why);
                self.denied = Some(problem.next("correct --create-topic, or have it made by somebody else"));
            }
            Ok(Topology::Denied(why)) => {
                let problem = Problem::usage(format!("{topic} on {broker} may not be written")).because(why);
                self.denied = Some(problem.next("ask for WRITE and DESCRIBE on the topic"));
            }
        }
    }

    pub(super) fn take_deliveries(&mut self) {
        let mut delivered = self.deliveries.take(std::mem::take(&mut self.delivered));
        let now = Instant::now();
        for (id, delivery) in delivered.drain(..) {
            self.delivered(id, delivery, now);
        }
        self.delivered = delivered;
    }

    pub(super) fn delivered(&mut self, id: u64, delivery: Delivery, now: Instant) {
        let Some(mut flight) = self.flights.land(id) else {
            return;
        };
        match delivery {
            Delivery::Stored(position) => {
                hooks::mark(Phase::Acknowledged, 1);
                self.settle(id, flight, Verdict::Confirmed(position.offset), now);
            }
            // An earlier attempt may have stored it, and a number that may be in the log must not be void.
            Delivery::Refused(why) if self.doubtful.contains(&id) => self.came_back(id, flight.attempts, why),
            Delivery::Refused(why) => self.settle(id, flight, Verdict::Failed(why), now),
            Delivery::NotSent(why) => self.came_back(id, flight.attempts, why),
            // It was handed over once, as was asked for; only its end is written down, in a store that dies with this process.
            Delivery::InDoubt(why) if self.publisher.as_ref().is_some_and(|p| !p.is_acknowledged()) => {
                flight.unproven = Some(why.into());
                self.settle(id, flight, Verdict::Confirmed(None), now);
            }
            Delivery::InDoubt(why) => {
                self.doubtful.insert(id);
                self.came_back(id, flight.attempts, why);
            }
        }
    }

    pub(super) fn settle(&mut self, id: u64, flight: Flight, verdict: Verdict, now: Instant) {
        self.progress_at = now;
        self.settle_since.get_or_insert(now);
        if self.backed_off {
            (self.backoff, self.backed_off) = (backoff(), false);
        }
        if !self.tries.is_empty() {
            self.doubtful.remove(&id);
            self.tries.remove(&id);
        }
        let producer = Arc::clone(&flight.producer);
        self.settled.push(Settled {
            id,
            producer,
            partition: flight.partition,
            seq: flight.seq,
            verdict,
        });
        self.landed.push(flight);
    }

    pub(super) fn came_back(&mut self, id: u64, attempts: u32, why: String) {
        self.tries.insert(id, (attempts, why));
        self.rewind = Some(self.rewind.map_or(id, |r| r.min(id)));
    }
}
