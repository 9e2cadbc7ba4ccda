//! Input, stamp, spool, publish, confirm: what is accepted is never lost.
//!
//! One thread reads the input, the client has threads of its own, and one loop (the [`Pump`]) owns the store and all state.
//! Everything reaches the loop as an [`Event`], so there is nothing to lock and every order of events is one order.

mod event;
mod flight;
mod input;
mod observe;
mod partitioner;
mod places;
mod pump;

pub use event::{Event, Events};
pub use input::{Chunk, InputEnd, InputOptions, Rejected, Source};
pub use observe::{Observer, Receipt, State};
pub use partitioner::{KeyHash, Partitioner, murmur2};
pub use pump::{Options, Pump, Report};
