//! Making it durable: one commit for what was read and what was settled.

use super::hand_over::name_of;
use super::{Pump, SETTLE_EVERY, STALLED, millis, now_ms, size};
use crate::hooks::{self, Phase};
use crate::model::{Fate, Outcome, Problem};
use crate::send::flight::Flight;
use crate::send::input::{Chunk, Line, Rejected};
use crate::send::observe::Receipt;
use crate::send::places::{NOWHERE, Wish};
use crate::spool::{Accepted, Change, InputProgress, NewMessage, Place, Remember, Retry, SpoolError, Verdict};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Chunks wait unaccepted this long for the topic to be known, so that they get their lane and number at once.
const PLACE_PATIENCE: Duration = Duration::from_secs(3);
/// One commit takes chunks together up to so many bytes.
const GROUP_BYTES: usize = 4 << 20;
/// So many verdicts wait for no company.
const SETTLE_MESSAGES: usize = 4000;

/// Lines that were read as messages, and are not accepted.
#[derive(Debug, Default)]
struct Unfit {
    /// They go where nothing is.
    away: Vec<Rejected>,
    /// They were accepted before, at this moment in milliseconds since the Unix epoch.
    repeated: Vec<(u64, i64)>,
}

impl Pump<'_> {
    /// Whether a chunk may be accepted now: with its lane when the topic is known, without one when patience is over.
    pub(super) fn may_accept(&self) -> bool {
        if self.refusing {
            return false;
        }
        if self.options.hold.is_some() {
            return true;
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
        while self.may_accept() {
            let group = self.next_group();
            if group.is_empty() {
                break;
            }
            let before = self.spool.next_id();
            let mut unfit = Unfit::default();
            let accepted = self.accept(&group, &mut unfit);
            for _ in &group {
                self.credit.give();
            }
            if let Err(e) = accepted {
                self.store_failed(e);
                if self.landed(&group, before) {
                    self.was_read(&group, &unfit);
                }
            }
        }
    }

    /// What was read while the last commit went to the disk: it goes there in one, because a sync costs the same for all.
    fn next_group(&mut self) -> Vec<Chunk> {
        let most = if self.spool.is_limited() { 0 } else { GROUP_BYTES };
        let mut bytes = 0;
        let fits = |chunk: &&Chunk| {
            let is_first = bytes == 0;
            bytes += chunk.data.len() + 1;
            is_first || bytes <= most
        };
        let count = self.chunks.iter().take_while(fits).count();
        self.chunks.drain(..count).collect()
    }

    /// Whether chunks whose commit failed are in the store all the same. Then nobody reads their lines again, and those that are
    /// no messages must be told now. If the store cannot say so they are told too: better twice than never.
    fn landed(&self, group: &[Chunk], next_id_before: u64) -> bool {
        match progress_of(group) {
            _ if self.abandoned => true,
            Some(progress) => {
                let known = self.spool.input(&self.target, &progress.path);
                known.map_or(true, |known| known.as_ref() == Some(progress))
            }
            None => group.iter().all(|c| c.lines.is_empty()) || self.spool.next_id() > next_id_before,
        }
    }

    /// What was read and became no message is told, and the input is that far.
    fn was_read(&mut self, group: &[Chunk], unfit: &Unfit) {
        for chunk in group {
            let last = [
                chunk.lines.last().map(|l| l.number),
                chunk.rejected.last().map(|r| r.line),
            ];
            self.lines = last.into_iter().flatten().fold(self.lines, u64::max);
            self.read_to = chunk.read_to.or(self.read_to);
            for rejected in &chunk.rejected {
                self.not_accepted(rejected.line, Fate::Rejected, &rejected.reason);
            }
        }
        for rejected in &unfit.away {
            self.not_accepted(rejected.line, Fate::Rejected, &rejected.reason);
        }
        for (line, at) in &unfit.repeated {
            let when =
                jiff::Timestamp::from_millisecond(*at).map_or_else(|_| "before".to_owned(), |t| format!("at {t:.3}"));
            let reason = format!("a message of the same idempotency key was accepted {when}");
            self.not_accepted(*line, Fate::Repeated, &reason);
        }
    }

    /// Makes what was read durable, with everything that was settled meanwhile. Fills `unfit`, also where the commit fails: it may
    /// have landed all the same.
    fn accept(&mut self, group: &[Chunk], unfit: &mut Unfit) -> std::result::Result<(), SpoolError> {
        let (own_headers, own_key) = (Arc::clone(&self.options.headers), self.options.key.clone());
        let own_tag = self.options.tag.clone();
        let common: Vec<(&str, Option<&[u8]>)> = own_headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect();
        let headers: Vec<Headers<'_>> = group.iter().map(|chunk| Headers::new(&common, chunk)).collect();
        let now_ms = now_ms();
        let repeated = self.repeated(group, now_ms)?;
        let mut new = Vec::with_capacity(group.iter().map(|chunk| chunk.lines.len()).sum());
        let mut ids = Vec::new();
        let mut here = HashSet::new();
        let lines = group.iter().zip(&headers);
        let lines = lines.flat_map(|(chunk, headers)| chunk.lines.iter().map(move |line| (chunk, headers, line)));
        for (i, (chunk, headers, line)) in lines.enumerate() {
            if let Some(at) = repeated.get(i).copied().flatten() {
                unfit.repeated.push((line.number, at));
                continue;
            }
            let key = line
                .key
                .as_ref()
                .map(|range| &chunk.data[range.clone()])
                .or(own_key.as_deref());
            let extra = chunk.extra(line);
            let wish = extra.and_then(|extra| extra.partition);
            if let (Some(places), Some(wish)) = (&self.places, wish)
                && !places.has(wish)
            {
                unfit.away.push(Rejected {
                    line: line.number,
                    reason: format!(
                        "there is no partition {wish}, where the record was (--keep-partition); there are {}",
                        places.words()
                    ),
                });
                continue;
            }
            if let Some(id) = extra.and_then(|extra| extra.id.as_ref()) {
                // One group may hold the same id twice; the first that is accepted is the one that counts.
                if self.options.dedupe_window.is_some() && !here.insert(chunk.bytes(id)) {
                    unfit.repeated.push((line.number, now_ms));
                    continue;
                }
                ids.push((new.len(), chunk.bytes(id)));
            }
            let value = (!extra.is_some_and(|extra| extra.tombstone)).then(|| &chunk.data[line.value.clone()]);
            let tag = extra.and_then(|extra| extra.tag.as_ref()).map(|tag| chunk.text(tag));
            new.push(NewMessage {
                line: line.number,
                place: self.place_of(key, wish),
                key,
                value,
                headers: headers.of(line),
                tag: tag.or(own_tag.as_deref()),
            });
        }
        let retry = self.unsaved_states(now_ms);
        let window_ms = self.options.dedupe_window.map_or(0, milliseconds);
        let change = Change {
            accept: &new,
            settle: &self.settled,
            retry: &retry,
            hold: self.options.hold,
            follow: self.options.follow(),
            input: progress_of(group),
            await_ms: self.options.await_consumed.map_or(0, |time| millis(time).max(1)),
            remember: (!ids.is_empty()).then_some(Remember { ids: &ids, window_ms }),
            now_ms,
            ..Change::default()
        };
        let got = self.spool.commit(&self.target, &change);
        self.were_saved(&retry);
        // If it failed, what was settled is still to be written, and what was read is not accepted.
        let got = got?;
        hooks::mark(Phase::Synced, new.len() as u64);
        match self.options.hold {
            None => self.accepted += new.len() as u64,
            Some(_) => self.held += new.len() as u64,
        }
        self.was_settled();
        self.was_read(group, unfit);
        if self.options.hold.is_none() {
            self.send_directly(&new, &got, now_ms);
        }
        Ok(())
    }

    fn not_accepted(&mut self, line: u64, fate: Fate, reason: &str) {
        self.own.count(fate, 1);
        self.observer.receipt(&Receipt {
            line,
            id: None,
            fate,
            partition: None,
            offset: None,
            attempts: 0,
            latency_ms: 0,
            reason: Some(reason),
        });
    }

    /// For each message of a group the moment at which one of the same id was accepted; empty when nobody asked.
    fn repeated(&self, group: &[Chunk], now_ms: i64) -> std::result::Result<Vec<Option<i64>>, SpoolError> {
        let Some(window) = self.options.dedupe_window else {
            return Ok(Vec::new());
        };
        let lines = group
            .iter()
            .flat_map(|chunk| chunk.lines.iter().map(move |line| (chunk, line)));
        let ids: Vec<&[u8]> = lines
            .map(|(chunk, line)| id_of(chunk, line).unwrap_or_default())
            .collect();
        self.spool.seen(&self.target, &ids, milliseconds(window), now_ms)
    }

    /// Where a new message goes: to its lane, unless the topic is unknown or older messages still wait for theirs.
    fn place_of(&mut self, key: Option<&[u8]>, wish: Option<i32>) -> Place {
        let partitioner = &mut self.options.partitioner;
        let wish = wish.map_or_else(|| partitioner.wish(), Wish::Lane).keep();
        match &self.places {
            Some(places) if self.cursor >= self.placed_from && self.options.hold.is_none() => {
                match places.choose(partitioner, key, wish) {
                    NOWHERE => Place::Later(wish),
                    lane => Place::Now(lane),
                }
            }
            Some(_) | None => Place::Later(wish),
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
                settled_ms: 0,
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
        let wanted = match (self.settled.is_empty(), self.unsaved.is_empty()) {
            (false, _) => now || due || many || idle || self.rewind.is_some(),
            // What came back is tried again before long; its state is for whoever comes after a kill.
            (true, false) => now || due || idle,
            (true, true) => false,
        };
        if !wanted {
            return;
        }
        let now_ms = now_ms();
        let retry = self.unsaved_states(now_ms);
        let change = Change {
            settle: &self.settled,
            retry: &retry,
            follow: self.options.follow(),
            now_ms,
            ..Change::default()
        };
        let done = self.spool.commit(&self.target, &change).map(drop);
        self.were_saved(&retry);
        // A verdict is true whether or not the store could write it down; if not, the message is sent once more some day.
        if done.is_err() {
            self.unwritten.extend(self.settled.iter().map(|s| s.id));
        }
        self.was_settled();
        if let Err(e) = done {
            self.store_failed(e);
        }
    }

    /// What the store is to hold of messages that came back.
    fn unsaved_states(&self, now_ms: i64) -> Vec<(u64, Retry)> {
        let next_ms = self
            .options
            .retry_every
            .map(|every| now_ms.saturating_add_unsigned(millis(every)));
        let state = |id: &u64| {
            let (attempts, reason) = self.tried(*id)?;
            let retry = Retry {
                attempts: *attempts,
                next_ms,
                // Whatever is with the client now may be stored the next moment.
                in_doubt: self.doubtful.contains(id) || self.flights.holds(*id),
                reason: reason.clone(),
            };
            Some((*id, retry))
        };
        self.unsaved.iter().filter_map(state).collect()
    }

    /// After a commit: the store holds these, or when it failed, may hold them.
    fn were_saved(&mut self, states: &[(u64, Retry)]) {
        self.unsaved.clear();
        let certain = states.iter().filter(|(_, retry)| !retry.in_doubt);
        self.certain.extend(certain.map(|(id, _)| *id));
    }

    /// Takes back that these were certainly not sent, because they are about to be handed over again.
    pub(super) fn no_longer_certain(&mut self, ids: impl Iterator<Item = u64>) -> Vec<(u64, Retry)> {
        let again: Vec<u64> = ids.filter(|id| self.certain.remove(id)).collect();
        self.marked.extend(&again);
        let state = |id: &u64| {
            let (attempts, reason) = self.tried(*id).cloned().unwrap_or_default();
            let retry = Retry {
                attempts,
                next_ms: None,
                in_doubt: true,
                reason,
            };
            (*id, retry)
        };
        again.iter().map(state).collect()
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
        for (s, flight) in settled.iter().zip(&landed) {
            let (fate, offset, reason) = match (&s.verdict, &flight.unproven) {
                (Verdict::Confirmed(_), Some(why)) => (Fate::InDoubt, None, Some(&**why)),
                (Verdict::Confirmed(offset), None) => (Fate::Stored, *offset, None),
                (Verdict::Failed(why) | Verdict::GivenUp(why), _) => (Fate::Refused, None, Some(why.as_str())),
            };
            if let (Some(why), Fate::Refused) = (reason, fate) {
                self.observer.failed(s.id, why);
            }
            if s.id < self.first_own {
                self.earlier.count(fate, 1);
                continue;
            }
            self.own.count(fate, 1);
            let latency_ms = u64::try_from(flight.settled_ms - flight.accepted_ms).unwrap_or(0);
            if fate == Fate::Stored {
                self.times.add(latency_ms);
            }
            let lane = name_of(&mut self.names, &self.target, s.partition);
            self.observer.receipt(&Receipt {
                line: flight.line,
                id: Some((&s.producer, &lane, s.seq)),
                fate,
                partition: Some(s.partition),
                offset,
                attempts: flight.attempts,
                latency_ms,
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
        let (what, room) = if error.is_at_limit() {
            (
                "the spool is as large as it may be; nothing more was accepted",
                "flush the spool or raise --spool-limit",
            )
        } else if error.is_out_of_space() {
            ("the spool's disk is full; nothing more was accepted", "make room")
        } else {
            ("the spool failed; nothing more was accepted", "mend the spool's disk")
        };
        let next = format!("{room}, then {}", self.how_to_go_on());
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
            Ok(()) if self.options.hold.is_some() => self.held += self.spool.next_id() - before,
            Ok(()) => {
                let landed = self.spool.pending(&self.target, before, usize::MAX, usize::MAX);
                self.accepted += landed.map_or(0, |landed| landed.len() as u64);
            }
            Err(e) => {
                let problem = Problem::unknown("the spool cannot be opened again").because(e);
                self.troubles.push(problem.with_outcome(Outcome::Spooled));
                self.abandoned = true;
            }
        }
    }
}

/// What the business calls a message.
fn id_of<'a>(chunk: &'a Chunk, line: &Line) -> Option<&'a [u8]> {
    chunk.extra(line)?.id.as_ref().map(|id| chunk.bytes(id))
}

/// How far the input is read with all of these.
fn progress_of(group: &[Chunk]) -> Option<&InputProgress> {
    group.iter().rev().find_map(|chunk| chunk.progress.as_ref())
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// The headers of the messages of a chunk: those of every message, and behind them each message's own.
struct Headers<'a> {
    all: Vec<(&'a str, Option<&'a [u8]>)>,
    /// How many of them every message has.
    common: usize,
    /// For each of the chunk's extras where its message's headers begin and end.
    own: Vec<Range<usize>>,
}

impl<'a> Headers<'a> {
    fn new(common: &[(&'a str, Option<&'a [u8]>)], chunk: &'a Chunk) -> Headers<'a> {
        let mut all = common.to_vec();
        let mut own = Vec::with_capacity(chunk.extras.len());
        for extra in &chunk.extras {
            if extra.headers.is_empty() {
                own.push(0..common.len());
                continue;
            }
            let from = all.len();
            all.extend_from_slice(common);
            let header = |(name, value): &'a (Range<usize>, Option<Range<usize>>)| {
                (chunk.text(name), value.as_ref().map(|value| chunk.bytes(value)))
            };
            all.extend(chunk.headers[extra.headers.clone()].iter().map(header));
            own.push(from..all.len());
        }
        Headers {
            all,
            common: common.len(),
            own,
        }
    }

    fn of(&self, line: &Line) -> &[(&'a str, Option<&'a [u8]>)] {
        let own = line.extra.and_then(|extra| self.own.get(extra as usize));
        &self.all[own.cloned().unwrap_or(0..self.common)]
    }
}
