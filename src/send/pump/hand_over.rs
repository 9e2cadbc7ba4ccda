//! Handing over to the client what an earlier commit holds, and going back to what returned without a verdict.

use super::{Moment, Pump, REFILL_BYTES, REFILL_MESSAGES, TICK, now_ms};
use crate::hooks::{self, Phase};
use crate::model::{Delivery, Offer, Outgoing, Result, Stamp};
use crate::send::event::Event;
use crate::send::flight::{ByNumber, Flight};
use crate::send::places::NOWHERE;
use crate::spool::{Change, Pending, SpoolError, Target};
use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Of so many messages it is remembered; it costs memory. Of others it is not known, and that is said where it matters.
const STRANDED: usize = 100_000;

/// The name of a lane, made once for all its messages.
pub(super) fn name_of(names: &mut ByNumber<i32, Arc<str>>, target: &Target, lane: i32) -> Arc<str> {
    Arc::clone(names.entry(lane).or_insert_with(|| target.lane(lane).into()))
}

impl Pump<'_> {
    pub(super) fn may_hand_over(&mut self) -> bool {
        let room = self.publisher.as_ref().is_some_and(|p| p.has_room())
            && self.stopping.is_none()
            && self.rewind.is_none()
            && self.flights.has_room();
        room && !self.is_held_back()
    }

    /// Whether the rate that was asked for is used up just now. That is nothing that a broker is to blame for.
    fn is_held_back(&mut self) -> bool {
        let Some(pace) = &mut self.pace else { return false };
        let now = Instant::now();
        let held = !pace.take(0, now) || pace.wait(1) > Duration::ZERO;
        if held && self.flights.is_empty() {
            self.progress_at = now;
        }
        held
    }

    pub(super) fn hand_over(&mut self) -> Result<()> {
        if self.publisher.is_none() && self.places.is_some() {
            if let Err(e) = self.spool.begin_to_hand_over(&self.target) {
                self.store_failed(e);
                return Ok(());
            }
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
                // Its verdict is known, only the store could not write that down; or its lane is not there.
                if self.unwritten.contains(&message.id) || message.partition.is_none() {
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

    /// Gives a lane and a number to messages that were accepted before the topic was known, takes back of others that they were
    /// certainly not sent, and makes that durable.
    pub(super) fn place(&mut self, mut waiting: Vec<Pending>) -> std::result::Result<Vec<Pending>, SpoolError> {
        let Some(places) = &self.places else {
            return Ok(Vec::new());
        };
        let mut wanted = Vec::new();
        let partitioner = &mut self.options.partitioner;
        for message in waiting.iter().filter(|m| m.partition.is_none()) {
            match places.choose(partitioner, message.key.as_deref(), message.wish) {
                // Any other lane would be one that nobody asked for.
                NOWHERE => drop(self.homeless.insert(message.id, message.wish)),
                lane => wanted.push((message.id, lane)),
            }
        }
        let ahead: HashSet<i32> = self.parked.keys().chain(self.gone.keys()).copied().collect();
        let goes = |m: &&Pending| match m.partition {
            Some(partition) => !ahead.contains(&partition),
            None => !self.homeless.contains_key(&m.id),
        };
        let going: Vec<u64> = waiting.iter().filter(goes).map(|m| m.id).collect();
        let again = self.no_longer_certain(going.into_iter());
        if wanted.is_empty() && again.is_empty() {
            return Ok(waiting);
        }
        let change = Change {
            place: &wanted,
            retry: &again,
            now_ms: now_ms(),
            ..Change::default()
        };
        let placed = match self.spool.commit(&self.target, &change) {
            Ok(placed) => placed,
            Err(e) => {
                self.certain.extend(again.iter().map(|(id, _)| *id));
                return Err(e);
            }
        };
        if let Some(places) = &self.places {
            for (_, lane) in wanted.iter().filter(|(_, lane)| !places.offers(*lane)) {
                *self.gone.entry(*lane).or_default() += 1;
            }
        }
        let mut placed = placed.into_iter().zip(wanted);
        let homeless = &self.homeless;
        let is_placed = |m: &&mut Pending| m.partition.is_none() && !homeless.contains_key(&m.id);
        for message in waiting.iter_mut().filter(is_placed) {
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
        if self.perhaps_sent(message.id, true) {
            self.doubtful.insert(message.id);
        }
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
            attempts: self.tried(message.id).map_or(0, |(n, _)| *n).saturating_add(1),
            settled_ms: 0,
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
    #[allow(
        clippy::too_many_arguments,
        reason = "what is read back and what was just accepted have no type in common"
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
        if self.gone.contains_key(&flight.partition) {
            self.strand(id);
            self.cursor = id + 1;
            return true;
        }
        if self.parked.contains_key(&flight.partition) {
            self.cursor = id + 1;
            return true;
        }
        let Some(publisher) = &mut self.publisher else {
            return false;
        };
        let lane = name_of(&mut self.names, &self.target, flight.partition);
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
        self.observer.offered(&message);
        let offer = publisher.offer(&message);
        if let (Some(pace), Offer::Taken | Offer::Settled(_)) = (&mut self.pace, &offer) {
            pace.take(1, Instant::now());
        }
        match offer {
            Offer::Full => return false,
            Offer::Taken => {
                hooks::mark(Phase::Sent, 1);
                self.handed_to = self.handed_to.max(id + 1);
                self.flights.add(id, flight);
            }
            // The client knows at once that it cannot go there now. Its lane waits; the others need not.
            Offer::Settled(Delivery::NotSent(why)) => {
                self.parked.insert(flight.partition, id);
                // It was not tried.
                self.tries.insert(id, (flight.attempts - 1, why));
                self.unsaved.insert(id);
            }
            Offer::Settled(delivery) => {
                self.handed_to = self.handed_to.max(id + 1);
                self.flights.add(id, flight);
                self.delivered(id, delivery, Moment::now());
            }
        }
        self.cursor = id + 1;
        true
    }

    /// Remembers of a message whose lane is gone that it was not handed over, because later ones are: so it can get another lane.
    fn strand(&mut self, id: u64) {
        let most = self.before.len() < STRANDED;
        if most && !self.doubtful.contains(&id) && self.tried(id).is_none() {
            self.before.insert(id, (0, "its lane is gone".to_owned()));
            self.unsaved.insert(id);
            self.settle_since.get_or_insert(Instant::now());
        }
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
            if must_renew {
                self.recall(false);
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
