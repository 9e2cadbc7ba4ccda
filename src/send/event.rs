//! Everything that can happen to the pump.

use super::input::{Chunk, InputEnd};
use crate::model::{Delivery, Signal, Topology, Unreached};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// One thing that happened.
#[derive(Debug)]
pub enum Event {
    /// Lines were read.
    Chunk(Box<Chunk>),
    /// No more lines will come.
    InputEnd(InputEnd),
    /// A client reported what became of messages; they are in [`Deliveries`].
    Delivered,
    /// A broker answered about the topic, or nobody did and this is the last reason.
    Topology(Result<Topology, Unreached>),
    /// A person or the system asked to stop.
    Stop(Signal),
}

/// What a client reported and the pump has not looked at yet. One event announces any number of them, because a client that is
/// busy reports a million a second.
#[derive(Debug, Clone, Default)]
pub(super) struct Deliveries(Arc<Mutex<Vec<(u64, Delivery)>>>);

impl Deliveries {
    /// Adds one. Whoever adds the first since they were taken has to announce them.
    pub(super) fn add(&self, id: u64, delivery: Delivery) -> bool {
        let mut list = self.0.lock().unwrap_or_else(|e| e.into_inner());
        list.push((id, delivery));
        list.len() == 1
    }

    /// Takes all that are there, in exchange for an empty list whose room is used again.
    pub(super) fn take(&self, empty: Vec<(u64, Delivery)>) -> Vec<(u64, Delivery)> {
        let mut list = self.0.lock().unwrap_or_else(|e| e.into_inner());
        std::mem::replace(&mut list, empty)
    }
}

/// Where events come together.
pub struct Events {
    /// Gives events in; to be cloned.
    pub sender: Sender<Event>,
    pub(super) receiver: Receiver<Event>,
}

impl Default for Events {
    fn default() -> Events {
        let (sender, receiver) = channel();
        Events { sender, receiver }
    }
}
