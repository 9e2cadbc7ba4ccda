//! Words that every broker and every command shares. Nothing here does I/O.

mod outcome;
mod problem;

pub use outcome::{Outcome, Signal};
pub use problem::{Problem, Result};
