//! Messages that are prepared at their broker before a local action, and handed out after it.

use super::{Item, TICK, Together, now_ms, stamp, with_outgoing};
use crate::hooks;
use crate::model::{Decide, Decision, Delivery, Ended, Endpoint, Fate, Prepare, Prepared, Problem, Result, Signal};
use crate::send::pump;
use crate::spool::{Change, Group, Pending, Phase, Retry, Spool, Target, Verdict, Way};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What the broker is told when it asks, by stamp. One that is not here is not to be handed out: it was rolled back, it is a second
/// copy, or it was sent as an ordinary message.
type Decisions = Arc<Mutex<HashMap<String, Decision>>>;

/// A connection on which messages are prepared and ended, with the answers to the broker's questions.
pub struct Preparing {
    client: Box<dyn Prepare>,
    decisions: Decisions,
}

/// What preparing a group came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preparation {
    /// Each waits at its broker, but for so many that are sent as ordinary messages afterwards, and why.
    Ready(Option<(u64, String)>),
    /// One of them will never be taken: the message of this line, and why. Nothing may be done.
    Refused(u64, String),
    /// Somebody asked to stop.
    Stopped(Signal),
}

fn lock(decisions: &Decisions) -> MutexGuard<'_, HashMap<String, Decision>> {
    decisions.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Preparing {
    /// Connects, and answers from now on from what the store holds: what is decided is handed out, what is not is left open.
    ///
    /// # Errors
    /// When the store cannot be read, or the broker has no such thing.
    pub fn connect(spool: &Spool, target: &Target, endpoint: &dyn Endpoint) -> Result<Preparing> {
        let decisions = Decisions::default();
        let mut known = lock(&decisions);
        let all = spool.undecided()?;
        let prepared = |group: &Group| group.together.as_ref().is_some_and(|t| t.way == Way::Prepared);
        for (its, group) in all
            .iter()
            .filter(|(its, group)| its.broker == target.broker && its.topic == target.topic && prepared(group))
        {
            let decision = if group.is_decided() {
                Decision::Commit
            } else {
                Decision::Open
            };
            for (id, _) in spool.handles(its, group.no)? {
                if let Some(message) = spool
                    .group_page(its, group.no, id, 1, 1)?
                    .first()
                    .filter(|m| m.id == id)
                {
                    known.insert(stamp(its, message), decision);
                }
            }
        }
        drop(known);
        let asked = Arc::clone(&decisions);
        let decide: Decide = Box::new(move |stamp| lock(&asked).get(stamp).copied().unwrap_or(Decision::RollBack));
        let client = endpoint.preparer(&target.producer, decide)?;
        let client = client.ok_or_else(|| Problem::usage(format!("{} prepares no messages", target.broker)))?;
        Ok(Preparing { client, decisions })
    }

    /// Tells the broker that none of these is to be handed out, as far as it hears: it drops the rest when it asks.
    pub fn drop_all(&mut self, handles: &[(u64, String)]) {
        self.decided(Decision::RollBack);
        for (_, handle) in handles {
            let prepared = Prepared { handle: handle.clone() };
            if let Ended::NotYet(why) | Ended::InDoubt(why) = self.client.end(&prepared, false) {
                tracing::info!("the broker drops the messages when it asks: {why}");
                return;
            }
        }
    }

    /// From now on the broker is told so when it asks about messages that are open.
    fn decided(&self, decision: Decision) {
        let mut known = lock(&self.decisions);
        known
            .values_mut()
            .filter(|d| **d == Decision::Open)
            .for_each(|d| *d = decision);
    }
}

impl Together<'_> {
    /// Hands every message of the group to its broker, which keeps it from readers. What cannot be handed over now is sent as an
    /// ordinary message later: the store is what it can be trusted to.
    ///
    /// # Errors
    /// When the store fails; the action must not begin then.
    pub fn prepare(mut self, preparing: &mut Preparing) -> Result<Preparation> {
        let places = match self.places() {
            Ok(Some(places)) => places,
            Ok(None) => {
                return Ok(match self.stopping {
                    Some((signal, _)) => Preparation::Stopped(signal),
                    None => self.unprepared(),
                });
            }
            Err(problem) => return Err(problem),
        };
        self.place(&places)?;
        let (mut from, mut missing) = (0, None::<(u64, String)>);
        loop {
            let page = self.page(from)?;
            let Some(last) = page.last() else { break };
            from = last.id + 1;
            let mut handles = Vec::with_capacity(page.len());
            for message in &page {
                self.hear();
                if let Some((signal, _)) = self.stopping {
                    return Ok(Preparation::Stopped(signal));
                }
                // Without this the broker would be told to drop it before it is known here.
                lock(&preparing.decisions).insert(stamp(&self.target, message), Decision::Open);
                match with_outgoing(&self.target, message, |outgoing| preparing.client.prepare(outgoing)) {
                    Ok(prepared) => handles.push((message.id, prepared.handle)),
                    Err(Delivery::Refused(why)) => return Ok(Preparation::Refused(message.line, why)),
                    // What is in doubt may wait at the broker, and is dropped when that asks.
                    Err(Delivery::NotSent(why) | Delivery::InDoubt(why)) => {
                        lock(&preparing.decisions).remove(&stamp(&self.target, message));
                        missing = Some((missing.map_or(0, |(n, _)| n) + 1, why));
                    }
                    Err(Delivery::Stored(_)) => {
                        return Err(Problem::unknown("a message that was to be prepared was handed out"));
                    }
                }
            }
            self.spool.advance(&self.target, self.group.no, Phase::Open, &handles)?;
        }
        hooks::die_at("prepared");
        Ok(Preparation::Ready(missing))
    }

    fn unprepared(&self) -> Preparation {
        let why = self.why.clone().unwrap_or_default();
        Preparation::Ready(Some((self.group.messages, why)))
    }

    /// Ends what was decided.
    pub(super) fn hand_out(&mut self, mut preparing: Preparing) -> Result<()> {
        preparing.decided(Decision::Commit);
        let (mut handles, mut pauses) = (self.handles()?, pump::backoff());
        let mut loose = BTreeMap::new();
        loop {
            let (mut from, mut items, mut left) = (0, Vec::new(), 0u64);
            loop {
                let page = self.page(from)?;
                let Some(last) = page.last() else { break };
                from = last.id + 1;
                for message in &page {
                    // Its verdict could not be written down. Asked about once more it could look as if it never was there.
                    if self.told.contains(&message.id) {
                        continue;
                    }
                    match self.end_one(&mut preparing, message, &handles) {
                        One::Stored(item) => items.push(item),
                        One::Loose(why) => {
                            handles.remove(&message.id);
                            loose.entry(message.id).or_insert(why);
                        }
                        One::Waits(why) => {
                            left += 1;
                            self.why = Some(why);
                        }
                    }
                    if self.is_over() {
                        left = left.max(1);
                        break;
                    }
                }
                if self.is_over() {
                    break;
                }
            }
            if !items.is_empty() {
                self.progress_at = Instant::now();
                self.settle(&items, |item| Verdict::Confirmed(item.offset), &[]);
            }
            if left == 0 || self.out_of_time() || self.is_stopped() {
                break;
            }
            self.rest(pauses.next().unwrap_or(TICK));
        }
        self.let_go(loose)?;
        if self.stopping.is_some() {
            self.why = Some("it was interrupted".to_owned());
        }
        // The broker may have asked meanwhile, and was told to hand out what is left.
        self.stays(Fate::InDoubt)
    }

    fn handles(&self) -> Result<HashMap<u64, String>> {
        Ok(self.spool.handles(&self.target, self.group.no)?.into_iter().collect())
    }

    fn end_one(&mut self, preparing: &mut Preparing, message: &Pending, handles: &HashMap<u64, String>) -> One {
        let Some(handle) = handles.get(&message.id) else {
            return One::Loose("it was not prepared".to_owned());
        };
        let prepared = Prepared { handle: handle.clone() };
        let its = stamp(&self.target, message);
        match preparing.client.end(&prepared, true) {
            Ended::Stored(position) => {
                hooks::die_at("ended");
                // Whatever is asked about under its name from now on is another copy.
                lock(&preparing.decisions).remove(&its);
                One::Stored(Item {
                    offset: position.offset,
                    ..Item::of(message)
                })
            }
            Ended::Gone(why) => {
                lock(&preparing.decisions).remove(&its);
                One::Loose(why)
            }
            Ended::NotYet(why) | Ended::InDoubt(why) => One::Waits(why),
            Ended::Dropped => One::Waits("the broker dropped it, although it was to hand it out".to_owned()),
        }
    }

    /// These are sent as ordinary messages, by whoever delivers what waits. They were certainly not handed out.
    fn let_go(&mut self, loose: BTreeMap<u64, String>) -> Result<()> {
        if loose.is_empty() {
            return Ok(());
        }
        let ids: Vec<u64> = loose.keys().copied().collect();
        let state = |(id, why): (u64, String)| {
            let retry = Retry {
                attempts: 0,
                next_ms: None,
                in_doubt: false,
                reason: why,
            };
            (id, retry)
        };
        let retry: Vec<_> = loose.into_iter().map(state).collect();
        let change = Change {
            retry: &retry,
            now_ms: now_ms(),
            ..Change::default()
        };
        self.spool.settle_group(&self.target, self.group.no, &change, &ids)?;
        self.released += ids.len() as u64;
        Ok(())
    }
}

/// What became of one message.
enum One {
    Stored(Item),
    /// The broker has it no more, and no reader got it.
    Loose(String),
    /// Not known yet.
    Waits(String),
}
