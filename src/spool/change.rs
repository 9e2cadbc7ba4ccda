//! One durable change: what was accepted, what was settled, how far the input was read, all in one synced transaction.

use super::follow::{Follow, Followers};
use super::queue::Queue;
use super::schema::{self, Body, Headers, RetryRow, RunRow};
use super::{Pending, Remember, Spool, SpoolError, Target};
use super::{together, undecided};
use crate::model::Voids;
use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// One message carries at most this much text of numbers given up before it.
pub(super) const VOID_BYTES: usize = 200;

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// To this partition; its number is given in the same transaction.
    Now(i32),
    /// The topic is not known yet: lane and number follow. What was asked for is kept until then: a partition, or as a number from
    /// -2 down to [`LAST_WAY`](super::LAST_WAY) a way to choose one, which is the caller's own affair.
    Later(Option<i32>),
}

/// A message that is to be accepted.
#[derive(Debug, Clone, Copy)]
pub struct NewMessage<'a> {
    /// The line of the input that it came from; 0 when it came from no line.
    pub line: u64,
    /// Where it goes.
    pub place: Place,
    /// The message key.
    pub key: Option<&'a [u8]>,
    /// The payload; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers of the sender.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
    /// RocketMQ's tag.
    pub tag: Option<&'a str>,
}

/// What a message got when it was accepted or given its lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The local number in the store.
    pub id: u64,
    /// Its number in its lane; 0 as long as it has no lane.
    pub seq: u64,
    /// Numbers given up before it, which it carries; empty for almost all.
    pub voids: String,
}

/// How far an input file was accepted; committed together with the messages that it became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputProgress {
    /// The canonical path, as bytes.
    pub path: Vec<u8>,
    /// Bytes accepted from the start.
    pub offset: u64,
    /// Lines accepted or rejected from the start.
    pub lines: u64,
    /// Size of the file when it was opened.
    pub size: u64,
    /// SHA-256 of the bytes before `offset`.
    pub prefix_sha256: [u8; 32],
}

/// The end of a pending message.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The local number.
    pub id: u64,
    /// Who signed it.
    pub producer: Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// Its number.
    pub seq: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// What ended it.
    pub verdict: Verdict,
}

/// What ended a pending message.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The broker acknowledged it; at this offset, when it said so.
    Confirmed(Option<i64>),
    /// The broker refused it for good; its number is void.
    Failed(String),
    /// It is given up although it may be stored, or was reported as not consumed; its number is not void.
    GivenUp(String),
}

/// What is remembered of a pending message that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// How often it came back.
    pub attempts: u32,
    /// When it is tried again, in milliseconds since the Unix epoch, where that is known.
    pub next_ms: Option<i64>,
    /// Whether it may be stored.
    pub in_doubt: bool,
    /// Why it came back the last time.
    pub reason: String,
}

/// One transaction's worth of change. All of it is on disk when [`Spool::commit`] returns, or none.
#[derive(Debug, Default)]
pub struct Change<'a> {
    /// Messages to accept, in their order.
    pub accept: &'a [NewMessage<'a>],
    /// Pending messages that get their lane now, with the partition of each.
    pub place: &'a [(u64, i32)],
    /// Pending messages that ended.
    pub settle: &'a [Settled],
    /// Pending messages that came back, or that are about to be handed over again. Those that are not pending are left out.
    pub retry: &'a [(u64, Retry)],
    /// How long the consumption of what is accepted is awaited, in milliseconds; 0 when it is not.
    pub await_ms: u64,
    /// Messages from this local number on were never handed over. The row is removed by [`Spool::begin_to_hand_over`].
    pub untried_from: Option<u64>,
    /// The group that what is accepted belongs to, whose local action has no known outcome yet.
    pub hold: Option<u64>,
    /// What follows from the verdicts of `settle`.
    pub follow: Follow<'a>,
    /// How far the input was read with `accept`.
    pub input: Option<&'a InputProgress>,
    /// What the business calls those of `accept` that are not to be accepted twice.
    pub remember: Option<Remember<'a>>,
    /// The time of all this, in milliseconds since the Unix epoch.
    pub now_ms: i64,
}

impl Spool {
    /// Makes a change durable. Returns what each of `accept`, then each of `place`, got.
    ///
    /// # Errors
    /// [`SpoolError`]; nothing of the change happened as far as this process may assume, and the store must be
    /// [reopened](Spool::reopen) before it is used again.
    pub fn commit(&mut self, target: &Target, change: &Change<'_>) -> Result<Vec<Accepted>, SpoolError> {
        if let Some(memory) = &mut self.memory {
            let (got, next_id) = memory.commit(change, self.next_id);
            self.next_id = next_id;
            return Ok(got);
        }
        let _limited = (!change.accept.is_empty()).then(|| self.growth.limited());
        let (got, next_id) = self.try_commit(target, change).map_err(|e| self.failed(e))?;
        self.next_id = next_id;
        Ok(got)
    }

    /// Makes verdicts on messages of a group durable, and lets others of it (`loose`) wait like all others from now on. When none is
    /// left, the group is gone.
    ///
    /// # Errors
    /// As [`Spool::commit`].
    pub fn settle_group(
        &mut self,
        target: &Target,
        group: u64,
        change: &Change<'_>,
        loose: &[u64],
    ) -> Result<(), SpoolError> {
        let next_id = self.next_id;
        self.next_id = self.write(|txn| {
            let (at, mut lanes) = ((target.no, group), Lanes::new(target));
            let settled = change.settle.iter().map(|s| s.id);
            together::release(txn, at, settled.chain(loose.iter().copied()))?;
            let next_id = settle(txn, target, change, &mut lanes, next_id)?;
            remember(txn, target, change.retry)?;
            lanes.store(txn)?;
            if together::is_empty(txn, at)? {
                txn.open_table(schema::GROUPS)?.remove(at)?;
                together::end(txn, at)?;
            }
            txn.open_table(schema::META)?
                .insert("next_id", next_id.to_string().as_str())?;
            Ok(next_id)
        })?;
        Ok(())
    }

    fn try_commit(&self, target: &Target, change: &Change<'_>) -> Result<(Vec<Accepted>, u64), redb::Error> {
        let db = self.db.as_ref().ok_or(redb::Error::PreviousIo)?;
        let mut txn = db.begin_write()?;
        // A kill must not cost the next start a scan of the whole file.
        txn.set_quick_repair(true);
        if crate::hooks::publish_first() && !change.accept.is_empty() {
            txn.set_quick_repair(false);
            txn.set_durability(redb::Durability::None)?;
        }
        #[cfg(test)]
        if self.testing.unsynced && !change.accept.is_empty() {
            txn.set_quick_repair(false);
            txn.set_durability(redb::Durability::None)?;
        }
        let mut lanes = Lanes::new(target);
        let mut got = Vec::with_capacity(change.accept.len() + change.place.len());
        let next_id = accept(&txn, target, change, self.next_id, &mut lanes, &mut got)?;
        if let Some(remember) = &change.remember {
            self.seen
                .remember(&txn, target, remember, self.next_id, change.now_ms)?;
        }
        place(&txn, target, change.place, &mut lanes, &mut got)?;
        let next_id = settle(&txn, target, change, &mut lanes, next_id)?;
        remember(&txn, target, change.retry)?;
        if let Some(id) = change.untried_from {
            txn.open_table(schema::UNTRIED)?.insert(target.no, id)?;
        }
        lanes.store(&txn)?;
        if let Some(input) = change.input {
            let row = (input.offset, input.lines, input.size, input.prefix_sha256.as_slice());
            txn.open_table(schema::INPUTS)?
                .insert((target.no, input.path.as_slice()), row)?;
        }
        if next_id != self.next_id {
            txn.open_table(schema::META)?
                .insert("next_id", next_id.to_string().as_str())?;
        }
        txn.commit()?;
        Ok((got, next_id))
    }
}

fn accept(
    txn: &WriteTransaction,
    target: &Target,
    change: &Change<'_>,
    first_id: u64,
    lanes: &mut Lanes<'_>,
    got: &mut Vec<Accepted>,
) -> Result<u64, redb::Error> {
    if change.accept.is_empty() {
        return Ok(first_id);
    }
    if let Some(group) = change.hold {
        return undecided::hold(
            txn,
            target,
            group,
            change.accept,
            first_id,
            change.await_ms,
            change.now_ms,
        );
    }
    let mut taken = Vec::with_capacity(change.accept.len());
    for m in change.accept {
        taken.push(match m.place {
            Place::Now(partition) => {
                let (seq, voids) = lanes.take(txn, &target.producer, partition)?;
                (partition, seq, voids)
            }
            Place::Later(wish) => (wish.unwrap_or(-1), 0, String::new()),
        });
    }
    let mut bodies = Vec::with_capacity(change.accept.len());
    for (m, (partition, seq, voids)) in change.accept.iter().zip(&taken) {
        let headers: Headers<'_> = m.headers.to_vec();
        let body: Body<'_> = (
            *partition,
            *seq,
            change.now_ms,
            m.line,
            &target.producer,
            voids,
            m.key,
            m.value,
            headers,
            m.tag,
            change.await_ms,
        );
        bodies.push(body);
    }
    let mut queue = Queue::open(txn)?;
    queue.accept(target.no, first_id, &bodies)?;
    queue.store()?;
    drop(bodies);
    let accepted = |(id, (_, seq, voids))| Accepted { id, seq, voids };
    got.extend((first_id..).zip(taken).map(accepted));
    Ok(first_id + change.accept.len() as u64)
}

/// Gives pending messages their lane and number. They were accepted while the topic was not known.
fn place(
    txn: &WriteTransaction,
    target: &Target,
    wanted: &[(u64, i32)],
    lanes: &mut Lanes<'_>,
    got: &mut Vec<Accepted>,
) -> Result<(), redb::Error> {
    if wanted.is_empty() {
        return Ok(());
    }
    let mut queue = Queue::open(txn)?;
    for &(id, partition) in wanted {
        let Some(spot) = queue.find((target.no, id))? else {
            continue;
        };
        let mut message = queue.read(spot, |body| Ok(Pending::from_body(id, body)))?;
        // The lane belongs to the name that the store has now, which is not the one of a store that was copied meanwhile.
        let (seq, voids) = lanes.take(txn, &target.producer, partition)?;
        message.producer.clone_from(&target.producer);
        (message.partition, message.seq, message.voids) = (Some(partition), seq, voids.clone());
        queue.insert((target.no, id), &message.body())?;
        got.push(Accepted { id, seq, voids });
    }
    queue.store()
}

fn settle(
    txn: &WriteTransaction,
    target: &Target,
    change: &Change<'_>,
    lanes: &mut Lanes<'_>,
    next_id: u64,
) -> Result<u64, redb::Error> {
    if change.settle.is_empty() {
        return Ok(next_id);
    }
    let mut followers = Followers::default();
    let mut queue = Queue::open(txn)?;
    let mut retries = txn.open_table(schema::RETRIES)?;
    // Almost always nothing came back, and then nothing has to be looked for.
    let came_back = retries.len()? > 0;
    let mut runs: HashMap<(&str, i32), Vec<(u64, i64)>> = HashMap::new();
    for s in change.settle {
        let Some(spot) = queue.find((target.no, s.id))? else {
            continue;
        };
        if came_back {
            retries.remove((target.no, s.id))?;
        }
        let (why, void) = match &s.verdict {
            Verdict::Confirmed(offset) => {
                // Of almost all messages nothing else is wanted, and then they are not read.
                if spot.may_await || change.follow.check.is_some() {
                    queue.read(spot, |body| {
                        followers.stored(&change.follow, s.id, body.clone());
                        if body.10 == 0 {
                            return Ok(());
                        }
                        let at = (target.no, s.id);
                        await_consumption(txn, at, &target.lane(s.partition), body, *offset, change.now_ms)
                    })?;
                }
                queue.remove(spot)?;
                runs.entry((&s.producer, s.partition))
                    .or_default()
                    .push((s.seq, offset.unwrap_or(-1)));
                continue;
            }
            Verdict::Failed(why) => (why, true),
            Verdict::GivenUp(why) => (why, false),
        };
        let mut news = queue.read(spot, |body| {
            followers.failed(&change.follow, s.id, body.clone(), why);
            let carried = Voids::parse(body.5.as_bytes()).unwrap_or_default();
            let row = (why.as_str(), void, s.attempts, change.now_ms, body);
            txn.open_table(schema::FAILED)?.insert((target.no, s.id), row)?;
            Ok(carried)
        })?;
        queue.remove(spot)?;
        // Whoever reads it learns twice what it carried; whoever does not read it must learn it from the next.
        if void {
            news.add(s.seq);
        }
        lanes.give_back(txn, &s.producer, s.partition, &news)?;
    }
    let mut confirmed = txn.open_table(schema::CONFIRMED)?;
    for ((producer, partition), mut numbers) in runs {
        numbers.sort_unstable();
        let lane = target.lane(partition);
        for run in numbers.chunk_by(|a, b| a.0 + 1 == b.0) {
            let ((first, offset), (last, _)) = (run[0], run[run.len() - 1]);
            join_run(&mut confirmed, producer, &lane, first, last, offset, change.now_ms)?;
        }
    }
    queue.store()?;
    drop((retries, confirmed));
    followers.store(txn, target, &change.follow, next_id, change.now_ms)
}

/// Keeps a stored message until its consumption is reported, unless that came before its acknowledgement.
fn await_consumption(
    txn: &WriteTransaction,
    at: (u32, u64),
    lane: &str,
    body: Body<'_>,
    offset: Option<i64>,
    now_ms: i64,
) -> Result<(), redb::Error> {
    let (producer, seq, await_ms) = (body.4, body.1, body.10);
    if holds(&txn.open_table(schema::CONSUMED)?, producer, lane, seq)? {
        return Ok(());
    }
    txn.open_table(schema::AWAITED)?.insert((producer, lane, seq), at)?;
    let until_ms = now_ms.saturating_add(i64::try_from(await_ms).unwrap_or(i64::MAX));
    let row = (now_ms, until_ms, offset.unwrap_or(-1), None, body);
    txn.open_table(schema::AWAITING)?.insert(at, row)?;
    Ok(())
}

/// Writes what is known of messages that came back.
fn remember(txn: &WriteTransaction, target: &Target, rows: &[(u64, Retry)]) -> Result<(), redb::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut queue = Queue::open(txn)?;
    let mut retries = txn.open_table(schema::RETRIES)?;
    for (id, retry) in rows {
        if queue.find((target.no, *id))?.is_some() {
            retries.insert((target.no, *id), retry.row())?;
        }
    }
    Ok(())
}

impl Retry {
    pub(super) fn row(&self) -> RetryRow<'_> {
        (self.attempts, self.next_ms.unwrap_or(0), self.in_doubt, &self.reason)
    }

    pub(super) fn from_row((attempts, next_ms, in_doubt, reason): RetryRow<'_>) -> Retry {
        Retry {
            attempts,
            next_ms: (next_ms > 0).then_some(next_ms),
            in_doubt,
            reason: reason.to_owned(),
        }
    }
}

/// Runs of numbers by producer, lane and first number.
type Runs = (&'static str, &'static str, u64);

/// Whether a number is in one of the runs.
pub(super) fn holds(
    table: &impl ReadableTable<Runs, RunRow>,
    producer: &str,
    lane: &str,
    seq: u64,
) -> Result<bool, redb::Error> {
    let run = table.range((producer, lane, 0)..=(producer, lane, seq))?.next_back();
    Ok(run.transpose()?.is_some_and(|(_, row)| row.value().0 >= seq))
}

/// Adds a run of confirmed numbers to the journal, joined with the runs that it touches. Numbers may come again: a message is
/// confirmed once more when it was sent once more.
pub(super) fn join_run(
    table: &mut redb::Table<'_, Runs, RunRow>,
    producer: &str,
    lane: &str,
    mut first: u64,
    mut last: u64,
    mut offset: i64,
    now_ms: i64,
) -> Result<(), redb::Error> {
    let before = table
        .range((producer, lane, 0)..=(producer, lane, first))?
        .next_back()
        .transpose()?;
    let before = before.map(|(k, v)| (k.value().2, v.value()));
    if let Some((start, (end, position, _))) = before
        && end.saturating_add(1) >= first
    {
        (first, last, offset) = (start, last.max(end), position);
    }
    // Runs that begin inside the new one.
    while first < last {
        let inside = table
            .range((producer, lane, first + 1)..=(producer, lane, last))?
            .next()
            .transpose()?;
        let Some((start, end)) = inside.map(|(k, v)| (k.value().2, v.value().0)) else {
            break;
        };
        table.remove((producer, lane, start))?;
        last = last.max(end);
    }
    let after = table.get((producer, lane, last + 1))?.map(|v| v.value());
    if let Some((end, _, _)) = after {
        table.remove((producer, lane, last + 1))?;
        last = end;
    }
    table.insert((producer, lane, first), (last, offset, now_ms))?;
    Ok(())
}

/// Next numbers of the lanes that one change touches; read at first use, written once at the end.
pub(super) struct Lanes<'a> {
    target: &'a Target,
    /// Those of the producer that the store has now, by their number.
    own: HashMap<i32, (u64, Voids)>,
    /// Those of producers that it had before.
    others: HashMap<(String, i32), (u64, Voids)>,
}

impl<'a> Lanes<'a> {
    pub(super) fn new(target: &'a Target) -> Lanes<'a> {
        Lanes {
            target,
            own: HashMap::new(),
            others: HashMap::new(),
        }
    }

    fn of(&mut self, txn: &WriteTransaction, producer: &str, partition: i32) -> Result<&mut (u64, Voids), redb::Error> {
        let read = || -> Result<(u64, Voids), redb::Error> {
            let table = txn.open_table(schema::LANES)?;
            let row = table.get((producer, self.target.lane(partition).as_str()))?;
            let state = row.map(|r| (r.value().0, Voids::parse(r.value().1.as_bytes()).unwrap_or_default()));
            Ok(state.unwrap_or((1, Voids::default())))
        };
        if producer == self.target.producer {
            return Ok(match self.own.entry(partition) {
                Entry::Occupied(lane) => lane.into_mut(),
                Entry::Vacant(lane) => lane.insert(read()?),
            });
        }
        Ok(match self.others.entry((producer.to_owned(), partition)) {
            Entry::Occupied(lane) => lane.into_mut(),
            Entry::Vacant(lane) => lane.insert(read()?),
        })
    }

    /// The next number of a lane, and the numbers given up since its last message, which the new message carries.
    pub(super) fn take(
        &mut self,
        txn: &WriteTransaction,
        producer: &str,
        partition: i32,
    ) -> Result<(u64, String), redb::Error> {
        let (next, voids) = self.of(txn, producer, partition)?;
        let seq = *next;
        *next += 1;
        let carried = if voids.is_empty() {
            String::new()
        } else {
            voids.take(VOID_BYTES).to_string()
        };
        Ok((seq, carried))
    }

    /// Numbers that nobody will read: those that were given up, and those that a message carried that nobody reads.
    pub(super) fn give_back(
        &mut self,
        txn: &WriteTransaction,
        producer: &str,
        partition: i32,
        news: &Voids,
    ) -> Result<(), redb::Error> {
        if !news.is_empty() {
            self.of(txn, producer, partition)?.1.merge(news);
        }
        Ok(())
    }

    pub(super) fn store(self, txn: &WriteTransaction) -> Result<(), redb::Error> {
        if self.own.is_empty() && self.others.is_empty() {
            return Ok(());
        }
        let mut table = txn.open_table(schema::LANES)?;
        let own = self
            .own
            .iter()
            .map(|(lane, state)| (self.target.producer.as_str(), *lane, state));
        let others = self
            .others
            .iter()
            .map(|((producer, lane), state)| (producer.as_str(), *lane, state));
        for (producer, lane, (next, voids)) in own.chain(others) {
            let lane = self.target.lane(lane);
            table.insert((producer, lane.as_str()), (*next, voids.to_string().as_str()))?;
        }
        Ok(())
    }
}
