//! A group in one transaction.

use super::{Item, SLICE, TICK, Together, is_committing, stamp, with_outgoing};
use crate::hooks::{self, Phase as Mark};
use crate::model::{Committed, Deliver, Delivery, Found, Hindered, Offer, Outcome, Probe, Problem, Result, Transact};
use crate::send::pump;
use crate::spool::{Pending, Phase, Verdict};
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long an open transaction of somebody else may hold back the place where ours is looked for.
const FIND: Duration = Duration::from_secs(10);
/// How long the broker may take to drop one; it does so by itself in the end.
const ABORT: Duration = Duration::from_secs(5);

/// What one attempt came to.
enum Attempt {
    /// Every message has its verdict.
    Done,
    /// Nothing of it is with readers or will be; another attempt may do better.
    Again(String),
    /// It stays as it is, for this reason.
    Stay(String),
}

/// Deliveries of one attempt, by local number.
type Deliveries = Receiver<(u64, Delivery)>;

impl Together<'_> {
    /// Attempt after attempt.
    pub(super) fn transaction(&mut self) -> Result<()> {
        let Some(places) = self.places()? else {
            return self.keep();
        };
        self.place(&places)?;
        let mut pauses = pump::backoff();
        // Attempts that fail after having come as far as an earlier one are no progress.
        let (mut attempts, mut farthest) = (0u32, 0u64);
        loop {
            match self.attempt(&mut farthest)? {
                Attempt::Done => return Ok(()),
                Attempt::Stay(why) => {
                    self.why = Some(why);
                    return self.keep();
                }
                Attempt::Again(why) => {
                    attempts += 1;
                    let used_up = self.options.max_attempts.is_some_and(|most| attempts >= most);
                    if used_up && !is_committing(&self.group) {
                        let why = format!("attempts used up ({attempts}): {why}");
                        return self.all_fail(|_| why.clone());
                    }
                    if used_up || self.out_of_time() || self.is_stopped() {
                        self.why = Some(why);
                        return self.keep();
                    }
                    tracing::info!("the transaction is tried again: {why}");
                    self.rest(pauses.next().unwrap_or(SLICE));
                }
            }
        }
    }

    /// What has no verdict stays: in doubt when a commit was asked for.
    fn keep(&mut self) -> Result<()> {
        if self.stopping.is_some() {
            self.why = Some("it was interrupted".to_owned());
        }
        self.stays(self.fate())
    }

    fn attempt(&mut self, farthest: &mut u64) -> Result<Attempt> {
        let name = self.group.together.as_ref().map(|t| t.name.clone()).unwrap_or_default();
        let (sender, deliveries) = channel();
        let deliver: Deliver = Box::new(move |id, delivery| drop(sender.send((id, delivery))));
        let Some(mut client) = self.endpoint.transactor(&name, deliver)? else {
            return Err(Problem::usage(format!("{} has no transactions", self.target.broker)));
        };
        loop {
            match client.fence(SLICE) {
                Ok(()) => break,
                Err(Hindered::NotYet(why)) if self.out_of_time() || self.is_stopped() => return Ok(Attempt::Stay(why)),
                Err(Hindered::NotYet(_)) => {}
                Err(Hindered::Denied(why)) => return Ok(self.denied(&name, &why)),
                Err(Hindered::Over(why)) => return Ok(Attempt::Again(why)),
            }
        }
        if is_committing(&self.group) {
            match self.find_out(&mut *client)? {
                Some(attempt) => return Ok(attempt),
                None => self.advance(Phase::Decided, &[])?,
            }
        }
        match client.begin() {
            Ok(()) => {}
            Err(Hindered::Denied(why)) => return Ok(self.denied(&name, &why)),
            Err(hindered) => return Ok(Attempt::Again(hindered.why().to_owned())),
        }
        let mut items = Vec::new();
        match self.write(&mut *client, &deliveries, &mut items, farthest)? {
            Written::All => {}
            Written::Not(why) => return self.give_up(&mut *client, &deliveries, items, why),
        }
        hooks::die_at("written");
        let probes = self.probes(&items)?;
        self.advance(Phase::Committing, &probes)?;
        hooks::die_at("asked");
        loop {
            match client.commit(SLICE) {
                Committed::Yes => break,
                Committed::NotYet(why) if self.out_of_time() || self.is_over() => return Ok(Attempt::Stay(why)),
                Committed::NotYet(_) => {}
                // Found out by the next attempt.
                Committed::Unknown(why) => return Ok(Attempt::Again(why)),
            }
        }
        hooks::die_at("committed");
        self.settle(&items, |item| Verdict::Confirmed(item.offset), &[]);
        hooks::mark(Mark::Committed, items.len() as u64);
        Ok(Attempt::Done)
    }

    fn denied(&mut self, name: &str, why: &str) -> Attempt {
        let problem = Problem::usage(format!(
            "transactions under {name} are not allowed on {}",
            self.target.broker
        ));
        let problem = problem.because(why).next(format!(
            "ask for WRITE and DESCRIBE on the transactional id {name}; its messages wait"
        ));
        self.troubles.push(problem.with_outcome(Outcome::Spooled));
        Attempt::Stay(why.to_owned())
    }

    fn advance(&mut self, phase: Phase, handles: &[(u64, String)]) -> Result<()> {
        self.spool.advance(&self.target, self.group.no, phase, handles)?;
        if let Some(together) = &mut self.group.together {
            together.phase = phase;
        }
        Ok(())
    }

    /// What became of a transaction whose commit was asked for by a client that is gone. `None`: it was aborted, so it is to be
    /// published again.
    fn find_out(&mut self, client: &mut dyn Transact) -> Result<Option<Attempt>> {
        let handles = self.spool.handles(&self.target, self.group.no)?;
        let probes: Vec<Probe> = handles.iter().filter_map(|(_, text)| parse(text)).collect();
        match client.find(&probes, FIND) {
            Found::Committed => {
                let offsets: HashMap<u64, i64> = handles
                    .iter()
                    .filter_map(|(id, text)| Some((*id, parse(text)?.offset)))
                    .collect();
                let (mut items, mut from) = (Vec::new(), 0);
                loop {
                    let page = self.page(from)?;
                    let Some(last) = page.last() else { break };
                    from = last.id + 1;
                    items.extend(page.iter().map(|message| Item {
                        offset: offsets.get(&message.id).copied(),
                        ..Item::of(message)
                    }));
                }
                self.settle(&items, |item| Verdict::Confirmed(item.offset), &[]);
                Ok(Some(Attempt::Done))
            }
            Found::Aborted => Ok(None),
            Found::Unknown(why) => {
                let no = self.group.no;
                let problem = Problem::unknown("whether a transaction was committed is not known")
                    .because(&why)
                    .next(format!(
                        "look for its messages; `mqsafe spool flush` looks again, `mqsafe spool decide {no} commit` publishes \
                         them once more, `rollback` gives them up"
                    ));
                self.troubles.push(problem.with_outcome(Outcome::Spooled));
                Ok(Some(Attempt::Stay(why)))
            }
        }
    }

    /// Hands everything over and waits until all of it is written.
    fn write(
        &mut self,
        client: &mut dyn Transact,
        deliveries: &Deliveries,
        items: &mut Vec<Item>,
        farthest: &mut u64,
    ) -> Result<Written> {
        let (mut from, mut written) = (0, 0u64);
        loop {
            let page = self.page(from)?;
            let Some(last) = page.last() else { break };
            from = last.id + 1;
            for message in &page {
                items.push(Item::of(message));
                if let Some(not) = self.hand_over(client, message, deliveries, items, &mut written)? {
                    return Ok(not);
                }
            }
        }
        while written < items.len() as u64 {
            let before = written;
            if let Some(not) = self.deliveries(deliveries, items, &mut written, TICK) {
                return Ok(not);
            }
            if written > *farthest {
                *farthest = written;
                self.progress_at = Instant::now();
            }
            if written == before && self.out_of_time() {
                let why = self.endpoint.last_error().unwrap_or_else(|| "no answer".to_owned());
                return Ok(Written::Not(Failed::Heals(format!(
                    "{} does not confirm ({why})",
                    self.target.broker
                ))));
            }
            if self.is_stopped() {
                return Ok(Written::Not(Failed::Heals("it was interrupted".to_owned())));
            }
        }
        Ok(Written::All)
    }

    fn hand_over(
        &mut self,
        client: &mut dyn Transact,
        message: &Pending,
        deliveries: &Deliveries,
        items: &mut [Item],
        written: &mut u64,
    ) -> Result<Option<Written>> {
        loop {
            if self.is_stopped() {
                return Ok(Some(Written::Not(Failed::Heals("it was interrupted".to_owned()))));
            }
            if let Some(pace) = &mut self.pace
                && !pace.take(1, Instant::now())
            {
                let wait = pace.wait(1).clamp(Duration::from_millis(1), TICK);
                std::thread::sleep(wait);
                self.progress_at = Instant::now();
                continue;
            }
            let observer = &mut self.observer;
            let offer = with_outgoing(&self.target, message, |outgoing| {
                observer.offered(outgoing);
                client.offer(outgoing)
            });
            match offer {
                Offer::Taken => {
                    hooks::mark(Mark::Sent, 1);
                    return Ok(self.deliveries(deliveries, items, written, Duration::ZERO));
                }
                Offer::Full if self.out_of_time() => {
                    return Ok(Some(Written::Not(Failed::Heals(
                        "the client takes nothing more".to_owned(),
                    ))));
                }
                Offer::Full => {
                    if let Some(not) = self.deliveries(deliveries, items, written, TICK) {
                        return Ok(Some(not));
                    }
                }
                Offer::Settled(delivery) => return Ok(failed(message.id, delivery).map(Written::Not)),
            }
        }
    }

    fn deliveries(
        &mut self,
        deliveries: &Deliveries,
        items: &mut [Item],
        written: &mut u64,
        wait: Duration,
    ) -> Option<Written> {
        let mut next = deliveries.recv_timeout(wait).ok();
        while let Some((id, delivery)) = next {
            match delivery {
                Delivery::Stored(position) => {
                    hooks::mark(Mark::Acknowledged, 1);
                    *written += 1;
                    // In the order of their numbers, because they were read so.
                    if let Ok(at) = items.binary_search_by_key(&id, |item| item.id) {
                        items[at].offset = position.offset;
                    }
                }
                other => return failed(id, other).map(Written::Not),
            }
            next = deliveries.try_recv().ok();
        }
        None
    }

    /// Drops what was written, and judges why.
    fn give_up(
        &mut self,
        client: &mut dyn Transact,
        deliveries: &Deliveries,
        items: Vec<Item>,
        why: Failed,
    ) -> Result<Attempt> {
        if let Err(hindered) = client.abort(ABORT) {
            tracing::info!("the transaction is left to the broker: {}", hindered.why());
        }
        // A client that fails as a whole may say so before it says which message was refused.
        let late = std::iter::from_fn(|| deliveries.try_recv().ok());
        let refused = late.filter_map(|(id, delivery)| match delivery {
            Delivery::Refused(why) => Some(Failed::ForGood(id, why)),
            Delivery::Stored(_) | Delivery::NotSent(_) | Delivery::InDoubt(_) => None,
        });
        let why = match why {
            Failed::ForGood(..) => why,
            Failed::Heals(_) => refused.last().unwrap_or(why),
        };
        match why {
            Failed::Heals(why) => Ok(Attempt::Again(why)),
            Failed::ForGood(bad, why) => {
                let line = items.iter().find(|item| item.id == bad).map_or(0, |item| item.line);
                self.all_fail(|id| match id == bad {
                    true => why.clone(),
                    false => format!("its transaction was aborted, because line {line} was refused: {why}"),
                })?;
                Ok(Attempt::Done)
            }
        }
    }

    /// The whole group has failed. No reader gets to see its numbers, so they are void.
    fn all_fail(&mut self, why: impl Fn(u64) -> String) -> Result<()> {
        let (mut items, mut from) = (Vec::new(), 0);
        loop {
            let page = self.page(from)?;
            let Some(last) = page.last() else { break };
            from = last.id + 1;
            items.extend(page.iter().map(Item::of));
        }
        self.settle(&items, |item| Verdict::Failed(why(item.id)), &[]);
        Ok(())
    }

    /// One message of each partition whose place is known: enough to find out later whether the transaction was committed.
    fn probes(&self, items: &[Item]) -> Result<Vec<(u64, String)>> {
        let mut first: HashMap<i32, &Item> = HashMap::new();
        for item in items.iter().filter(|item| item.offset.is_some()) {
            first.entry(item.partition).or_insert(item);
        }
        let mut probes = Vec::with_capacity(first.len());
        for item in first.into_values() {
            let message = self.spool.group_page(&self.target, self.group.no, item.id, 1, 1)?;
            if let (Some(message), Some(offset)) = (message.first(), item.offset) {
                let stamp = stamp(&self.target, message);
                probes.push((item.id, format!("{} {offset} {stamp}", item.partition)));
            }
        }
        Ok(probes)
    }
}

/// Whether everything was written.
enum Written {
    All,
    Not(Failed),
}

/// Why not.
enum Failed {
    /// Another attempt may do better.
    Heals(String),
    /// This message will never be taken, so the group will not be either.
    ForGood(u64, String),
}

/// What a delivery means for its transaction; `None` when it is one.
fn failed(id: u64, delivery: Delivery) -> Option<Failed> {
    match delivery {
        Delivery::Stored(_) => None,
        Delivery::Refused(why) => Some(Failed::ForGood(id, why)),
        // Whatever was written is dropped with the transaction.
        Delivery::NotSent(why) | Delivery::InDoubt(why) => Some(Failed::Heals(why)),
    }
}

/// Reads what [`Together::probes`] wrote: partition, offset, stamp.
fn parse(text: &str) -> Option<Probe> {
    let mut parts = text.splitn(3, ' ');
    Some(Probe {
        partition: parts.next()?.parse().ok()?,
        offset: parts.next()?.parse().ok()?,
        stamp: parts.next()?.to_owned(),
    })
}
