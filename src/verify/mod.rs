//! Did we lose any? Stamps to interval sets to verdicts. Pure: it is fed records and says what they prove.

mod compare;
mod expect;
mod explain;
mod field;
mod groups;
mod home;
mod lane;
mod lines;
mod log;
mod numbers;
mod origins;
mod sequence;
mod shelf;
mod state;
mod tracker;
mod truth;
mod verdict;
mod whole;

pub use compare::{Compared, Differing, Ids, compare};
pub use expect::{Expected, Found};
pub use explain::{AbortedRead, Elsewhere, Hole, Neighbour, Second};
pub use field::{Field, Foreign};
pub use groups::{Skips, Standing, standings};
pub use home::{Excuses, Facts};
pub use origins::{Explained, Origins, grown};
pub use sequence::Sequences;
pub use shelf::Shelf;
pub use state::{BadState, State};
#[cfg(feature = "test-hooks")]
#[doc(hidden)]
pub use tracker::Fault;
pub use tracker::{Overlap, Place, Tracker};
pub use truth::{Acked, Truth};
pub use verdict::{Beside, LaneVerdict, Totals, Verdict, judge};
