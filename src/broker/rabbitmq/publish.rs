//! The pump's side of publishing: takes messages without ever waiting, and knows when no more fit.

use super::message::{self, Prepared};
use super::target::{Place, Target};
use super::{client, worker};
use crate::model::{Deliver, Delivery, How, Offer, Outgoing, Problem, Publish, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedSender};

/// Messages that are taken without a verdict: many more than are with the broker at once, so that whoever offers them need not
/// look at the same ones again and again.
const ROOM: usize = 8000;
/// Payload that waits for the socket.
const ROOM_BYTES: usize = 32 << 20;
/// The worker answers from memory; this only bounds one that hangs.
const RECALL: Duration = Duration::from_secs(5);

/// What the worker is asked for.
pub(super) enum Command {
    Publish(Box<Prepared>),
    /// Give everything back, then answer.
    Recall(std::sync::mpsc::Sender<()>),
    Renew,
}

/// Where the worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    Up,
    /// The broker takes nothing just now.
    Blocked,
    /// Messages came back without a verdict. Nothing may overtake them, so it waits for `renew`.
    Broken,
}

/// What both sides see.
pub(super) struct State {
    pub(super) phase: Phase,
    /// Taken, and not reported yet.
    pub(super) in_flight: usize,
    /// Bytes that the socket has not taken yet.
    pub(super) waiting_bytes: usize,
    /// After the broker closed the channel over one message, which one is found by sending them singly.
    pub(super) singly: usize,
    /// No more is taken until half of the room is free.
    full: bool,
}

impl State {
    fn has_room(&mut self) -> bool {
        let share = if self.full { 2 } else { 1 };
        self.full = self.in_flight >= ROOM / share || self.waiting_bytes >= ROOM_BYTES / share;
        self.phase == Phase::Up && !self.full
    }
}

/// The state, and the last thing that went wrong.
pub(super) struct Shared {
    state: Mutex<State>,
    last_error: LastError,
    deliver: Deliver,
    /// How it publishes.
    pub(super) how: How,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn failed(&self, why: impl Into<String>) {
        self.last_error.set(why);
    }

    pub(super) fn healthy(&self) {
        self.last_error.clear();
    }

    /// So many bytes need not wait for the socket any more.
    pub(super) fn written(&self, bytes: usize) {
        let mut state = self.state();
        state.waiting_bytes = state.waiting_bytes.saturating_sub(bytes);
    }

    /// Reports messages, each with what became of it.
    pub(super) fn settle(&self, known: impl IntoIterator<Item = (u64, Delivery)>) {
        let known: Vec<(u64, Delivery)> = known.into_iter().collect();
        let stored = known.iter().filter(|(_, d)| matches!(d, Delivery::Stored(_))).count();
        {
            let mut state = self.state();
            state.in_flight = state.in_flight.saturating_sub(known.len());
            state.singly = state.singly.saturating_sub(stored);
        }
        for (ticket, delivery) in known {
            (self.deliver)(ticket, delivery);
        }
    }
}

/// The last thing that went wrong, in words; shared with whoever must explain a wait.
#[derive(Debug, Clone, Default)]
pub(super) struct LastError(Arc<Mutex<Option<String>>>);

impl LastError {
    pub(super) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, why: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.into());
    }

    pub(super) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A connection that publishes to one place.
pub(super) struct RabbitPublisher {
    shared: Arc<Shared>,
    commands: UnboundedSender<Command>,
    /// Where it publishes to.
    place: Place,
    /// Makes message ids unique among all publishers, as the ticket does within this one.
    prefix: String,
}

impl RabbitPublisher {
    /// Starts to connect, and does not wait for it.
    pub(super) fn new(
        target: Target,
        place: Place,
        how: How,
        last_error: LastError,
        deliver: Deliver,
    ) -> Result<RabbitPublisher> {
        let threads = client::threads().map_err(|why| Problem::unknown(why.to_string()))?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                phase: Phase::Connecting,
                in_flight: 0,
                waiting_bytes: 0,
                singly: 0,
                full: false,
            }),
            last_error,
            deliver,
            how,
        });
        let (commands, receiver) = mpsc::unbounded_channel();
        threads.spawn(worker::run(target, Arc::clone(&shared), receiver));
        Ok(RabbitPublisher {
            shared,
            commands,
            place,
            prefix: format!("{:016x}", rand::random::<u64>()),
        })
    }
}

impl Publish for RabbitPublisher {
    fn has_room(&self) -> bool {
        self.shared.state().has_room()
    }

    fn offer(&mut self, message: &Outgoing<'_>) -> Offer {
        if !self.has_room() {
            return Offer::Full;
        }
        let prepared = match message::prepare(message, &self.place, format!("{}-{}", self.prefix, message.ticket)) {
            Ok(prepared) => prepared,
            Err(why) => return Offer::Settled(Delivery::Refused(why)),
        };
        // Under the lock, so that a worker that just broke finds it in its queue.
        let mut state = self.shared.state();
        if state.phase != Phase::Up {
            return Offer::Full;
        }
        let bytes = prepared.payload.len();
        if self.commands.send(Command::Publish(Box::new(prepared))).is_err() {
            return Offer::Settled(Delivery::NotSent("the client was shut down".to_owned()));
        }
        state.in_flight += 1;
        state.waiting_bytes += bytes;
        Offer::Taken
    }

    fn must_renew(&self) -> bool {
        self.shared.state().phase == Phase::Broken
    }

    fn recall(&mut self) {
        let (answer, answered) = std::sync::mpsc::channel();
        let asked = self.commands.send(Command::Recall(answer));
        if asked.is_err() || answered.recv_timeout(RECALL).is_err() {
            tracing::warn!("the client did not give everything back");
        }
    }

    fn renew(&mut self) -> Result<()> {
        let mut state = self.shared.state();
        if state.phase == Phase::Broken {
            state.phase = Phase::Connecting;
        }
        drop(state);
        self.commands
            .send(Command::Renew)
            .map_err(|_| Problem::unknown("the RabbitMQ client was shut down"))
    }
}
