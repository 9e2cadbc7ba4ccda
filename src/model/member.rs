//! Readers who share the partitions of a topic: the broker divides, each reads its own.

use super::Result;
use std::time::Duration;

/// What a member may read now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    /// The partitions that are this member's, and up to which offset (exclusive) members of the group have read each before.
    pub mine: Vec<(i32, Option<i64>)>,
    /// All partitions of the topic.
    pub all: Vec<i32>,
}

/// One of several readers.
pub trait Member: Send + Sync {
    /// Joins, and waits until nothing has changed for `settled`. `go_on` is asked now and then; the answer is `None` when it said no.
    ///
    /// # Errors
    /// When the group is somebody else's, or it cannot be joined within a time.
    fn share(&mut self, settled: Duration, go_on: &mut dyn FnMut() -> bool) -> Result<Option<Share>>;

    /// Keeps the membership alive while something else takes long. It is to be called at least every few minutes, from any thread.
    fn stay(&self);

    /// Tells the group how far partitions were read (exclusive). One that is another member's by now is left out, and will be
    /// read again.
    ///
    /// # Errors
    /// When the group did not take it, in which case others read again what was read.
    fn read_up_to(&mut self, partitions: &[(i32, i64)]) -> Result<()>;
}
