//! Making it durable: one commit for what was read and what was settled.

use super::hand_over::lane_of;
use super::{Pump, SETTLE_EVERY, STALLED, now_ms, size};
use crate::hooks::{self, Phase};
use crate::model::{Fate, Outcome, Problem};
use crate::send::flight::Flight;
use crate::send::input::Chunk;
use crate::send::observe::Receipt;
use crate::spool::{Accepted, Change, NewMessage, Place, SpoolError, Verdict};
use std::sync::Arc;
use std::time::Duration;

/// Chunks wait unaccepted this long for the topic to be known, so that they get their lane and number at once.
const PLACE_PATIENCE: Duration = Duration::from_secs(3);
/// One commit takes chunks together up to so many bytes.
const GROUP_BYTES: usize = 4 << 20;
/// So many verdicts wait for no company.
const SETTLE_MESSAGES: usize = 4000;

impl Pump<'_> {
    /// Whether a chunk may be accepted now: with its lane when the topic is known, without one when patience is over.
    pub(super) fn may_accept(&self) -> bool {
        if self.refusing {
            return false;
        }
        if self.places.is_none() {
            let patient = self.stopping.is_none()
                && !self.refused
                && self.started.elapsed() < PLACE_PATIENCE.min(self.options.connect_timeout);
            return self.spool.is_durable() && !patient;
        }
        // While the broker keeps up, the input waits for it: what is sent from memory need not be read from disk again.
        let room = self.flights.has_room() && self.cursor >= self.spool.next_id() && self.rewind.is_none();
        let stalled = self.progress_at.elapsed() >= STALLED && self.spool.is_durable();
        room || stalled || self.stopping.is_some()
    }

    pub(super) fn accept_chunks(&mut self) {
        // What was read while the last commit went to the disk goes there in one: a sync costs the same for all.
        while self.may_accept() && !self.chunks.is_empty() {
            let chunks = self.next_group();
            let accepted = self.accept(&chunks);
            for _ in &chunks {
                self.credit.give();
            }
            if let Err(e) = accepted {
                self.store_failed(e);
            }
        }
    }

    /// What waits, up to the bound of one commit; at least one chunk.
    fn next_group(&mut self) -> Vec<Chunk> {
        let mut bytes = 0;
        let fits = |chunk: &&Chunk| {
            let is_first = bytes == 0;
            bytes += chunk.data.len() + 1;
            is_first || bytes <= GROUP_BYTES
        };
        let count = self.chunks.iter().take_while(fits).count();
        self.chunks.drain(..count).collect()
    }

    pub(super) fn accept(&mut self, chunks: &[Chunk]) -> std::result::Result<(), SpoolError> {
        let (own_headers, own_key) = (Arc::clone(&self.options.headers), self.options.key.clone());
        let own_tag = self.options.tag.clone();
        let headers: Vec<(&str, Option<&[u8]>)> = own_headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect();
        let mut new = Vec::with_capacity(chunks.iter().map(|c| c.lines.len()).sum());
        for (chunk, line) in chunks.iter().flat_map(|c| c.lines.iter().map(move |line| (c, line))) {
            let key = line
                .key
                .as_ref()
                .map(|range| &chunk.data[range.clone()])
                .or(own_key.as_deref());
            let place = self.place_of(key);
            let value = Some(&chunk.data[line.value.clone()]);
            new.push(NewMessage {
                line: line.number,
                place,
                key,
                value,
                headers: &headers,
                tag: own_tag.as_deref(),
            });
        }
        let now_ms = now_ms();
        let change = Change {
            accept: &new,
            place: &[],
            settle: &self.settled,
            input: chunks.iter().rev().find_map(|c| c.progress.as_ref()),
            now_ms,
        };
        // If it fails, what was settled is still to be written, and what was read is not accepted.
        let got = self.spool.commit(&self.target, &change)?;
        hooks::mark(Phase::Synced, new.len() as u64);
        let last = |chunk: &Chunk| {
            let (line, rejected) = (chunk.lines.last(), chunk.rejected.last());
            line.map_or(0, |l| l.number).max(rejected.map_or(0, |r| r.line))
        };
        self.lines = chunks.iter().map(last).fold(self.lines, u64::max);
        self.accepted += new.len() as u64;
        self.was_settled();
        for rejected in chunks.iter().flat_map(|c| &c.rejected) {
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

    /// Where a new message goes: to its lane, unless the topic is unknown or older messages still wait for theirs.
    fn place_of(&mut self, key: Option<&[u8]>) -> Place {
        let partitioner = &mut self.options.partitioner;
        match &self.places {
            Some(places) if self.cursor >= self.placed_from => Place::Now(places.choose(partitioner, key, None)),
            Some(_) | None => Place::Later(partitioner.fixed()),
        }
    }

    /// Hands over what was just accepted, without reading it back, when nothing waits before it.
    pub(super) fn send_directly(&mut self, new: &[NewMessage<'_>], got: &[Accepted], accepted_ms: i64) {
        for (message, got) in new.iter().zip(got) {
            let Place::Now(partition) = message.place else {
                // It waits for its lane, and so does everything after it.
                self.placed_from = self.spool.next_id();
                return;
            };
            if self.cursor != got.id || !self.may_hand_over() {
                return;
            }
            let producer = Arc::clone(&self.producer);
            let (attempts, bytes) = (1, size(message.key, message.value, message.headers));
            let flight = Flight {
                line: message.line,
                seq: got.seq,
                partition,
                producer,
                accepted_ms,
                bytes,
                attempts,
                unproven: None,
            };
            if !self.offer(
                got.id,
                flight,
                &got.voids,
                message.key,
                message.value,
                message.headers,
                message.tag,
            ) {
                return;
            }
        }
    }

    pub(super) fn commit_settled(&mut self, now: bool) {
        let due = self.settle_since.is_some_and(|since| since.elapsed() >= SETTLE_EVERY);
        let many = self.settled.len() >= SETTLE_MESSAGES;
        let idle = self.flights.is_empty() && self.chunks.is_empty();
        if self.settled.is_empty() || !(now || due || many || idle || self.rewind.is_some()) {
            return;
        }
        let change = Change {
            settle: &self.settled,
            now_ms: now_ms(),
            ..Change::default()
        };
        let done = self.spool.commit(&self.target, &change).map(drop);
        // A verdict is true whether or not the store could write it down; if not, the message is sent once more some day.
        if done.is_err() {
            self.unwritten.extend(self.settled.iter().map(|s| s.id));
        }
        self.was_settled();
        if let Err(e) = done {
            self.store_failed(e);
        }
    }

    /// Counts and tells what was settled, and forgets it.
    pub(super) fn was_settled(&mut self) {
        self.settle_since = None;
        let (mut settled, mut landed) = (std::mem::take(&mut self.settled), std::mem::take(&mut self.landed));
        hooks::mark(
            Phase::Committed,
            settled
                .iter()
                .filter(|s| matches!(s.verdict, Verdict::Confirmed(_)))
                .count() as u64,
        );
        let now = now_ms();
        for (s, flight) in settled.iter().zip(&landed) {
            let (fate, offset, reason) = match (&s.verdict, &flight.unproven) {
                (Verdict::Confirmed(_), Some(why)) => (Fate::InDoubt, None, Some(&**why)),
                (Verdict::Confirmed(offset), None) => (Fate::Stored, *offset, None),
                (Verdict::Failed(why), _) => (Fate::Refused, None, Some(why.as_str())),
            };
            if s.id < self.first_own {
                self.earlier.count(fate, 1);
                continue;
            }
            self.own.count(fate, 1);
            let lane = lane_of(&mut self.lanes, &self.target, s.partition);
            self.observer.receipt(&Receipt {
                line: flight.line,
                id: Some((&s.producer, &lane, s.seq)),
                fate,
                partition: Some(s.partition),
                offset,
                attempts: flight.attempts,
                latency_ms: u64::try_from(now - flight.accepted_ms).unwrap_or(0),
                reason,
            });
        }
        settled.clear();
        landed.clear();
        (self.settled, self.landed) = (settled, landed);
    }

    /// The store failed. Nothing more is accepted; what it holds is still delivered, if it can be opened again.
    pub(super) fn store_failed(&mut self, error: SpoolError) {
        if self.refusing {
            self.abandoned |= self.spool.reopen().is_err();
            return;
        }
        self.refuse_input();
        let what = match error.is_out_of_space() {
            true => "the spool's disk is full; nothing more was accepted",
            false => "the spool failed; nothing more was accepted",
        };
        let next = "make room, then send the rest of the input again: with --resume FILE it goes on after the last accepted line";
        self.why = Some(what.to_owned());
        self.troubles.push(
            Problem::unknown(what)
                .because(&error)
                .next(next)
                .with_outcome(Outcome::Spooled),
        );
        let before = self.spool.next_id();
        match self.spool.reopen() {
            // A commit may land although it reported a failure; then its messages were accepted.
            Ok(()) => self.accepted += self.spool.next_id() - before,
            Err(e) => {
                let problem = Problem::unknown("the spool cannot be opened again").because(e);
                self.troubles.push(problem.with_outcome(Outcome::Spooled));
                self.abandoned = true;
            }
        }
    }
}
