//! Everything that can happen to the pump.

use super::input::{Chunk, InputEnd};
use crate::model::{Delivery, Signal, Topology, Unreached};
use std::sync::mpsc::{Receiver, Sender, channel};

/// One thing that happened.
#[derive(Debug)]
pub enum Event {
    /// Lines were read.
    Chunk(Box<Chunk>),
    /// No more lines will come.
    InputEnd(InputEnd),
    /// A client reported what became of a message.
    Delivered(u64, Delivery),
    /// A broker answered about the topic, or nobody did and this is the last reason.
    Topology(Result<Topology, Unreached>),
    /// A person or the system asked to stop.
    Stop(Signal),
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
