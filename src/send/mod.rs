//! Input, stamp, spool, publish, confirm: what is accepted is never lost.
//!
//! One thread reads the input, the client has threads of its own, and one loop (the [`Pump`]) owns the store and all state.
//! Everything reaches the loop as an [`Event`], so there is nothing to lock and every order of events is one order.

mod ensure;
mod event;
#[cfg(test)]
mod fault_tests;
mod flight;
mod input;
mod latency;
mod observe;
mod pace;
mod partitioner;
mod places;
mod pump;
mod survey;
mod together;

pub use crate::model::{KeyHash, murmur2};
pub use ensure::{Ensure, Ensured};
pub use event::{Event, Events};
pub use input::{
    Chunk, Columns, Form, IdFrom, Input, InputEnd, InputOptions, KeyFrom, Numbers, ReadTo, Rejected, Source, Template,
    beginning_sha256,
};
pub use latency::Latency;
pub use observe::{Observer, Receipt, State};
pub use pace::Rate;
pub use partitioner::Partitioner;
pub use places::way_by_key;
pub use pump::{Options, Pump, Report};
pub use survey::{Survey, survey};
pub use together::{Preparation, Preparing, Together};
