//! What becomes of a message after it was stored: who consumed it, and where its copies go.

use super::Result;
use std::time::Duration;

/// Where a consumer group stands in one partition or queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupPosition {
    /// The group.
    pub group: String,
    /// The partition (Kafka) or queue id.
    pub partition: i32,
    /// The broker of a RocketMQ queue, by its name.
    pub node: Option<String>,
    /// The first offset that the group has not consumed; `None` when it never committed one there.
    pub next: Option<i64>,
    /// The log start of the partition now.
    pub start: Option<i64>,
    /// The end of the partition now.
    pub end: Option<i64>,
    /// Whether the group is there now; `None` where the broker would not say.
    pub is_online: Option<bool>,
    /// The tags that it wants, when it does not want all (RocketMQ).
    pub tags: Option<Vec<String>>,
    /// Whether each of its members gets every message and remembers for itself how far it is (RocketMQ).
    pub is_broadcast: bool,
}

impl GroupPosition {
    /// How many offsets are gone that the group has not consumed: they expired, or were deleted.
    pub fn expired(&self) -> i64 {
        let gone = self.start.zip(self.next).map(|(start, next)| start - next);
        gone.filter(|gone| *gone > 0 && !self.is_broadcast).unwrap_or(0)
    }
}

/// What a broker knows of who reads a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Following {
    /// One entry for each group and place.
    pub groups: Vec<GroupPosition>,
    /// Topics or queues where copies of its messages are by convention or by rule: retries and dead letters.
    pub copies: Vec<String>,
    /// What else is known of its readers, in words.
    pub notes: Vec<String>,
    /// What could not be asked, and why.
    pub unknown: Vec<String>,
}

/// A topic whose readers can be asked for. Nothing is changed by asking, and no group is joined or made.
pub trait Follow {
    /// Asks for everything that is known of the readers of these places, `(node, partition)`, within `patience`.
    ///
    /// # Errors
    /// Only when nothing at all could be learnt. What could not be asked is in the answer.
    fn follow(&mut self, places: &[(Option<String>, i32)], patience: Duration) -> Result<Following>;
}
