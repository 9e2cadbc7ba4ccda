//! Handing over to the client what an earlier commit holds, and going back to what returned without a verdict.

use super::{Pump, REFILL_BYTES, REFILL_MESSAGES, TICK, now_ms};
use crate::hooks::{self, Phase};
use crate::model::{Delivery, Offer, Outgoing, Result, Stamp};
use crate::send::event::Event;
use crate::send::flight::{ByNumber, Flight};
use crate::spool::{Change, Pending, SpoolError, Target};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

/// The name of a lane, made once for all its messages.
pub(super) fn lane_of(lanes: &mut ByNumber<i32, Arc<str>>, target: &Target, partition: i32) -> Arc<str> {
    let name = lanes.entry(partition).or_insert_with(|| target.lane(partition).into());
    Arc::clone(name)
}

impl Pump<'_> {
    pub(super) fn may_hand_over(&self) -> bool {
        self.publisher.is_some() && self.stopping.is_none() && self.rewind.is_none() && self.flights.has_room()
    }

    pub(super) fn hand_over(&mut self) -> Result<()> {
        if self.publisher.is_none() && self.places.is_some() {
            let (sender, deliveries) = (self.events.sender.clone(), self.deliveries.clone());
            let report = Box::new(move |id, delivery| {
                if deliveries.add(id, delivery) {
                    // A pump that is gone has counted already.
                    let _ = sender.send(Event::Delivered);
                }
            });
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
                // Its verdict is known; only the store could not write that down.
                if self.unwritten.contains(&message.id) {
                    self.cursor += 1;
                    continue;
                }
                if !self.may_hand_over() || !self.offer_pending(message) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Gives a lane and a number to messages that were accepted before the topic was known, and makes that durable.
    pub(super) fn place(&mut self, mut waiting: Vec<Pending>) -> std::result::Result<Vec<Pending>, SpoolError> {
        let Some(places) = &self.places else {
            return Ok(Vec::new());
        };
        let mut wanted = Vec::new();
        let partitioner = &mut self.options.partitioner;
        for message in waiting.iter().filter(|m| m.partition.is_none()) {
            wanted.push((
                message.id,
                places.choose(partitioner, message.key.as_deref(), message.wish),
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

    pub(super) fn offer_pending(&mut self, message: &Pending) -> bool {
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
            unproven: None,
        };
        self.offer(
            message.id,
            flight,
            &message.voids,
            message.key.as_deref(),
            message.value.as_deref(),
            &headers,
            message.tag.as_deref(),
        )
    }

    /// Offers one message; `false` when the client is full.
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of a message, of which the two callers hold different kinds"
    )]
    pub(super) fn offer(
        &mut self,
        id: u64,
        flight: Flight,
        voids: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
        tag: Option<&str>,
    ) -> bool {
        if self.parked.contains_key(&flight.partition) {
            self.cursor = id + 1;
            return true;
        }
        let Some(publisher) = &mut self.publisher else {
            return false;
        };
        let lane = lane_of(&mut self.lanes, &self.target, flight.partition);
        let stamp = Stamp {
            seq: flight.seq,
            producer: &flight.producer,
            lane: &lane,
        };
        self.stamp.clear();
        // Writing to a text cannot fail.
        let _ = write!(self.stamp, "{stamp}");
        let message = Outgoing {
            ticket: id,
            partition: flight.partition,
            lane: &lane,
            timestamp_ms: flight.accepted_ms,
            key,
            value,
            headers,
            tag,
            stamp: &self.stamp,
            voids: (!voids.is_empty()).then_some(voids),
        };
        let offer = publisher.offer(&message);
        match offer {
            Offer::Full => return false,
            Offer::Taken => {
                hooks::mark(Phase::Sent, 1);
                self.flights.add(id, flight);
            }
            // The client knows at once that it cannot go there now. Its lane waits; the others need not.
            Offer::Settled(Delivery::NotSent(why)) => {
                self.parked.insert(flight.partition, id);
                self.tries.insert(id, (flight.attempts, why));
            }
            Offer::Settled(delivery) => {
                self.flights.add(id, flight);
                self.delivered(id, delivery, Instant::now());
            }
        }
        self.cursor = id + 1;
        true
    }

    /// After messages came back without a verdict: waits until nothing is in flight, then a little, and goes on from the first.
    pub(super) fn go_back(&mut self) -> Result<()> {
        let rested = self.flights.is_empty() && self.settled.is_empty() && self.cursor >= self.spool.next_id();
        if self.rewind.is_none() && rested {
            // Everything else is done; now for those that could not go.
            self.rewind = self.parked.values().min().copied();
        }
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
            None => {
                self.resume_at = Some(now + self.backoff.next().unwrap_or(TICK));
                self.backed_off = true;
            }
            Some(at) if now < at => {}
            Some(_) => {
                if must_renew && let Some(publisher) = &mut self.publisher {
                    publisher.renew()?;
                }
                let first = self.parked.drain().map(|(_, id)| id).fold(to, u64::min);
                (self.rewind, self.resume_at, self.cursor) = (None, None, first);
            }
        }
        Ok(())
    }
}
