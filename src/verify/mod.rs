//! Did we lose any? Stamps to interval sets to verdicts. Pure: it is fed records and says what they prove.

mod tracker;
mod verdict;

pub use tracker::Tracker;
pub use verdict::{LaneVerdict, Totals, Verdict, judge};
