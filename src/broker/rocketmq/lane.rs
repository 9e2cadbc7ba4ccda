//! One queue of one broker: its messages go out one after the other, because a broker's threads reorder what they have at once
//! (5,000 messages with two in flight came in 171 inversions; with one in none).

use super::client::Client;
use super::lost::{Lost, Sending};
use super::verdict;
use super::wire::Request;
use crate::model::{Deliver, Delivery, Unreached};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// How long a broker may take for one message. It waits itself, for its disk (5 s) and its slaves (3 s), before it answers.
const SEND: Duration = Duration::from_secs(15);
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
    /// The one that is on its way. Whoever takes it out of here reports it.
    current: Option<(u64, Arc<Sending>)>,
    /// After a message came back unsettled, nothing may overtake it: everything behind it comes back too, until it is offered again.
    broken: Option<(u64, String)>,
}

struct Job {
    ticket: u64,
    request: Request,
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
    pub(super) fn offer(&self, ticket: u64, request: Request) -> Result<(), String> {
        let mut state = self.shared.state();
        // Tickets grow, and whoever starts again starts with the smallest that came back.
        if let Some((_, why)) = state.broken.as_ref().filter(|(broken, _)| ticket > *broken) {
            return Err(format!("an earlier message of its queue is not settled ({why})"));
        }
        state.broken = None;
        state.waiting.push_back(Job { ticket, request });
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
        let first = current.as_ref().map(|(ticket, _)| *ticket);
        let first = first.or_else(|| state.waiting.front().map(|job| job.ticket));
        if let Some(first) = first {
            state.broken = Some((first, why.to_owned()));
        }
        if let Some((ticket, sending)) = current {
            let delivery = match sending.cancel() {
                true => Delivery::NotSent(why.to_owned()),
                false => Delivery::InDoubt(format!("{why} before the broker answered")),
            };
            self.shared.report(ticket, delivery);
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

    /// Everything that waits comes back.
    fn give_back(&self, state: &mut State, why: &str) {
        for job in std::mem::take(&mut state.waiting) {
            self.report(job.ticket, Delivery::NotSent(why.to_owned()));
        }
    }

    /// The next message, which is on its way from now on.
    fn next(&self) -> Option<(Job, Arc<Sending>)> {
        let mut state = self.state();
        let job = state.waiting.pop_front()?;
        let sending = Arc::new(Sending::default());
        state.current = Some((job.ticket, Arc::clone(&sending)));
        Some((job, sending))
    }

    /// Writes down what became of it, unless it was recalled meanwhile.
    fn settle(&self, delivery: Delivery) {
        let mut state = self.state();
        let Some((ticket, _)) = state.current.take() else {
            return;
        };
        let unsettled = match &delivery {
            Delivery::Stored(_) | Delivery::Refused(_) => None,
            Delivery::NotSent(why) | Delivery::InDoubt(why) => Some(why.clone()),
        };
        if let Some(why) = unsettled {
            state.broken = Some((ticket, why.clone()));
            self.report(ticket, delivery);
            self.give_back(&mut state, &why);
        } else {
            self.report(ticket, delivery);
        }
    }

    async fn send(&self, request: &Request, sending: &Arc<Sending>) -> Result<Delivery, Lost> {
        let route = self.client.route().await.map_err(Lost::unsent)?;
        let broker = route.brokers.get(&self.broker);
        let Some(master) = broker.and_then(|b| b.master.as_ref()) else {
            let why = format!("broker {} has no master at the moment", self.broker);
            return Err(Lost::unsent(Unreached::new(why)));
        };
        let reply = self.client.ask_as(master, request, sending, SEND).await?;
        Ok(verdict::judge(&reply, self.queue))
    }
}

async fn work(shared: Arc<Shared>) {
    loop {
        let Some((job, sending)) = shared.next() else {
            shared.wake.notified().await;
            continue;
        };
        let delivery = match shared.send(&job.request, &sending).await {
            Ok(delivery) => delivery,
            Err(Lost { written: true, why }) => Delivery::InDoubt(why.to_string()),
            Err(Lost { written: false, why }) => Delivery::NotSent(why.to_string()),
        };
        if !matches!(delivery, Delivery::Stored(_) | Delivery::Refused(_)) {
            // The master may be another one by now.
            shared.client.doubt_route().await;
        }
        shared.settle(delivery);
    }
}
