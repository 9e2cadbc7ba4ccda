//! Words that every broker and every command shares. Nothing here does I/O.

mod delivery;
mod follow;
mod headers;
mod key_hash;
mod member;
#[cfg(feature = "broker")]
mod moment;
mod outcome;
mod prepare;
mod problem;
mod publish;
mod record;
mod scan;
mod stamp;
mod transact;

pub use delivery::{Delivery, Fate, Position, Tally};
pub use follow::{Follow, Following, GroupPosition};
pub use headers::{Header, HeaderIter, Headers};
pub use key_hash::{KeyHash, murmur2};
pub use member::{Member, Share};
#[cfg(feature = "broker")]
pub use moment::moment;
pub use outcome::{Outcome, Signal};
pub use prepare::{Decide, Decision, Ended, Prepare, Prepared};
pub use problem::{Problem, ProblemKind, Result};
pub use publish::{
    Acks, Create, Deliver, Endpoint, How, Lanes, NamedLane, Offer, Outgoing, Publish, Stage, Step, Topology, Unreached,
};
pub use record::{ANY_KEY, Record};
pub use scan::{BatchHeader, Control, Coverage, IndexUse, PartitionRead, Scan, ScanPlan, ScanReport, Visit};
pub use stamp::{CorruptStamp, ORIGIN_HEADER, REASON_HEADER, REDRIVE_HEADER, STAMP_HEADER, Stamp, VOID_HEADER, Voids};
pub use transact::{Committed, Found, Hindered, Probe, Transact};
