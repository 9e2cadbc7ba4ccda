//! Did we lose any? Stamps to interval sets to verdicts. Pure: it is fed records and says what they prove.

mod compare;
mod expect;
mod explain;
mod field;
mod groups;
mod home;
mod lane;
mod numbers;
mod sequence;
mod state;
mod tracker;
mod truth;
mod verdict;

pub use compare::{Compared, Differing, compare};
pub use expect::{Expected, Found};
pub use explain::{AbortedRead, Hole, Neighbour, Second};
pub use field::{Field, Foreign};
pub use groups::{Standing, standings};
pub use home::Facts;
pub use sequence::Sequences;
pub use state::{BadState, State};
#[cfg(feature = "test-hooks")]
#[doc(hidden)]
pub use tracker::Fault;
pub use tracker::{Overlap, Place, Tracker};
pub use truth::{Acked, Truth};
pub use verdict::{Beside, LaneVerdict, Totals, Verdict, judge};
