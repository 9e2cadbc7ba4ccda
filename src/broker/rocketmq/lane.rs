//! One queue of one broker: its requests go out one after the other, because a broker's threads reorder what they have at once
//! (5,000 messages with two in flight came in 171 inversions; with one in none). What waits meanwhile goes together.

use super::batch;
use super::client::Client;
use super::create::Kind;
use super::lost::{Lost, Sending};
use super::outgoing::{Place, Ready};
use super::verdict::{self, Together};
use crate::model::{Deliver, Delivery, Position, Unreached};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// How long a broker may take for one request. It waits itself, for its disk (5 s) and its slaves (3 s), before it answers.
pub(super) const SEND: Duration = Duration::from_secs(15);
/// What all lanes may hold together.
const QUEUED_MESSAGES: usize = 20_000;

/// How much waits in all lanes of a publisher.
#[derive(Default)]
pub(super) struct Load(AtomicUsize);

impl Load {
    pub(super) fn is_full(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= QUEUED_MESSAGES
    }
}

pub(super) struct Lane {
    shared: Arc<Shared>,
    worker: JoinHandle<()>,
}

struct Shared {
    client: Arc<Client>,
    broker: String,
    queue: i32,
    deliver: Arc<Deliver>,
    load: Arc<Load>,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    /// Those that are on their way. Whoever takes them out of here reports them.
    current: Option<(Vec<u64>, Arc<Sending>)>,
    /// After a message came back unsettled, nothing may overtake it: everything behind it comes back too, until it is offered again.
    broken: Option<(u64, String)>,
    /// Up to this ticket messages go one by one, to learn which of them the broker does not take.
    singly_to: Option<u64>,
    /// How much less than usual goes together, as a power of two: this broker takes no more.
    smaller: u32,
    /// Whether this broker takes no batches at all.
    no_batches: bool,
}

struct Job {
    ticket: u64,
    message: Ready,
}

impl State {
    /// How many of those that wait go next.
    fn count(&self, kind: Kind) -> usize {
        let first = self.waiting.front().map_or(0, |job| job.ticket);
        if self.no_batches || kind == Kind::Batches || self.singly_to.is_some_and(|last| first <= last) {
            return 1;
        }
        let waiting = self.waiting.iter().map(|job| &job.message);
        batch::together(waiting, batch::MOST_BYTES >> self.smaller, kind == Kind::Plain)
    }
}

impl Lane {
    pub(super) fn start(
        client: Arc<Client>,
        broker: &str,
        queue: i32,
        deliver: Arc<Deliver>,
        load: Arc<Load>,
        runtime: &tokio::runtime::Handle,
    ) -> Lane {
        let shared = Arc::new(Shared {
            client,
            broker: broker.to_owned(),
            queue,
            deliver,
            load,
            state: Mutex::default(),
            wake: Notify::new(),
        });
        let worker = runtime.spawn(work(Arc::clone(&shared)));
        Lane { shared, worker }
    }

    /// Takes a message, or says why it may not go now.
    pub(super) fn offer(&self, ticket: u64, message: Ready) -> Result<(), String> {
        let mut state = self.shared.state();
        // Tickets grow, and whoever starts again starts with the smallest that came back.
        if let Some((_, why)) = state.broken.as_ref().filter(|(broken, _)| ticket > *broken) {
            return Err(format!("an earlier message of its queue is not settled ({why})"));
        }
        state.broken = None;
        state.waiting.push_back(Job { ticket, message });
        self.shared.load.0.fetch_add(1, Ordering::Relaxed);
        drop(state);
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Takes back what is not settled, and reports it.
    pub(super) fn recall(&self) {
        let mut state = self.shared.state();
        let current = state.current.take();
        let why = "it was taken back";
        let first = current.as_ref().and_then(|(tickets, _)| tickets.first().copied());
        let first = first.or_else(|| state.waiting.front().map(|job| job.ticket));
        if let Some(first) = first {
            state.broken = Some((first, why.to_owned()));
        }
        if let Some((tickets, sending)) = current {
            let delivery = match sending.cancel() {
                true => Delivery::NotSent(why.to_owned()),
                false => Delivery::InDoubt(format!("{why} before the broker answered")),
            };
            self.shared.report_all(&tickets, &delivery);
        }
        self.shared.give_back(&mut state, why);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn report(&self, ticket: u64, delivery: Delivery) {
        self.load.0.fetch_sub(1, Ordering::Relaxed);
        (self.deliver)(ticket, delivery);
    }

    /// Each of them; offsets follow one another.
    fn report_all(&self, tickets: &[u64], delivery: &Delivery) {
        for (ticket, nth) in tickets.iter().zip(0..) {
            let one = match delivery {
                Delivery::Stored(first) => Delivery::Stored(Position {
                    offset: first.offset.map(|offset| offset + nth),
                    ..*first
                }),
                Delivery::Refused(_) | Delivery::NotSent(_) | Delivery::InDoubt(_) => delivery.clone(),
            };
            self.report(*ticket, one);
        }
    }

    /// Everything that waits comes back.
    fn give_back(&self, state: &mut State, why: &str) {
        for job in std::mem::take(&mut state.waiting) {
            self.report(job.ticket, Delivery::NotSent(why.to_owned()));
        }
    }

    /// The next messages, which are on their way from now on.
    fn next(&self) -> Option<(Vec<Job>, Arc<Sending>)> {
        let mut state = self.state();
        if state.waiting.is_empty() {
            return None;
        }
        let count = state.count(self.client.kind());
        let jobs: Vec<Job> = state.waiting.drain(..count).collect();
        let sending = Arc::new(Sending::default());
        state.current = Some((jobs.iter().map(|job| job.ticket).collect(), Arc::clone(&sending)));
        Some((jobs, sending))
    }

    /// Writes down what became of them, unless they were recalled meanwhile.
    fn settle(&self, jobs: Vec<Job>, together: Together) {
        let mut state = self.state();
        let Some((tickets, _)) = state.current.take() else {
            return;
        };
        let last = tickets.last().copied();
        let delivery = match together {
            Together::Each(delivery) => delivery,
            Together::Doubtful(why) => {
                state.singly_to = last;
                Delivery::InDoubt(why)
            }
            // Nobody hears of it: they go again at once, in another way.
            Together::Suspect(why) => {
                state.singly_to = last;
                return self.again(&mut state, jobs, &why);
            }
            Together::TooLarge(why) => {
                state.singly_to = last;
                state.smaller = (state.smaller + 1).min(usize::BITS - 1);
                return self.again(&mut state, jobs, &why);
            }
            Together::NoBatches(why) => {
                state.no_batches = true;
                return self.again(&mut state, jobs, &why);
            }
        };
        let unsettled = match &delivery {
            Delivery::Stored(_) | Delivery::Refused(_) => None,
            Delivery::NotSent(why) | Delivery::InDoubt(why) => Some(why.clone()),
        };
        self.report_all(&tickets, &delivery);
        if let Some((why, first)) = unsettled.zip(tickets.first()) {
            state.broken = Some((*first, why.clone()));
            self.give_back(&mut state, &why);
        }
    }

    fn again(&self, state: &mut State, jobs: Vec<Job>, why: &str) {
        tracing::debug!(
            "{} messages for queue {} of {}: {why}",
            jobs.len(),
            self.queue,
            self.broker
        );
        for job in jobs.into_iter().rev() {
            state.waiting.push_front(job);
        }
    }

    async fn send(&self, jobs: &[Job], sending: &Arc<Sending>) -> Result<Together, Lost> {
        let route = self.client.route().await.map_err(Lost::unsent)?;
        let broker = route.brokers.get(&self.broker);
        let Some(master) = broker.and_then(|b| b.master.as_ref()) else {
            let why = format!("broker {} has no master at the moment", self.broker);
            return Err(Lost::unsent(Unreached::new(why)));
        };
        let place = Place {
            topic: &self.client.topic,
            broker: &self.broker,
            queue: self.queue,
        };
        if let [job] = jobs {
            let request = place.single(&job.message);
            let reply = self.client.ask_as(master, &request, sending, SEND).await?;
            return Ok(Together::Each(verdict::judge(&reply, self.queue)));
        }
        let born_ms = jobs.first().map_or(0, |job| job.message.timestamp_ms);
        let request = place.batch(batch::encode(jobs.iter().map(|job| &job.message)), born_ms);
        let reply = self.client.ask_as(master, &request, sending, SEND).await?;
        Ok(verdict::judge_together(&reply, self.queue))
    }
}

async fn work(shared: Arc<Shared>) {
    loop {
        let Some((jobs, sending)) = shared.next() else {
            shared.wake.notified().await;
            continue;
        };
        let together = match shared.send(&jobs, &sending).await {
            Ok(together) => together,
            Err(Lost { written: true, why }) => Together::Each(Delivery::InDoubt(why.to_string())),
            Err(Lost { written: false, why }) => Together::Each(Delivery::NotSent(why.to_string())),
        };
        let unsettled = match &together {
            Together::Each(Delivery::InDoubt(_) | Delivery::NotSent(_)) | Together::Doubtful(_) => true,
            Together::Each(Delivery::Stored(_) | Delivery::Refused(_)) => false,
            Together::Suspect(_) | Together::TooLarge(_) | Together::NoBatches(_) => false,
        };
        if unsettled {
            // The master may be another one by now.
            shared.client.doubt_route().await;
        }
        shared.settle(jobs, together);
    }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
