//! How a topic is read: bounded by the end offsets taken at the start, and honest about what was not read.

use super::{Record, Result};
use std::ops::ControlFlow;

/// What to read.
#[derive(Debug, Clone, Default)]
pub struct ScanPlan {
    /// Only these partitions; all of the topic when empty.
    pub partitions: Vec<i32>,
    /// Also hand over messages of transactions that are open or were aborted.
    pub read_uncommitted: bool,
    /// Messages from before this time need not be read (milliseconds since the Unix epoch). Where a broker cannot begin there,
    /// it is read from the start. What is handed over may still be older: whoever needs exactness looks at each message.
    pub since_ms: Option<i64>,
    /// Messages of this time and later need not be read (milliseconds since the Unix epoch). As inexact as `since_ms`.
    pub until_ms: Option<i64>,
    /// The keys that are looked for, byte for byte, where only their messages matter: a broker with an index of keys may answer
    /// from it, and a reader may hand over only messages with one of these keys, while it counts all of them. No filter when empty.
    pub keys: Vec<Vec<u8>>,
    /// The ids that are looked for, where only messages with one of them matter: a broker that finds them at once may be asked
    /// first. RocketMQ tells where each message lies (`OFFSET_ID`) only then. No filter when empty.
    pub ids: Vec<String>,
    /// How far a broker's index of keys is believed.
    pub index: IndexUse,
    /// Whether it may harm the queue to fetch from it and put back, which is done only when somebody agreed.
    pub peek_at_risk: bool,
    /// Partitions to read before the others.
    pub first: Vec<i32>,
    /// Reads each partition backwards from its end, window by window; within a window in the order of offsets.
    pub newest_first: bool,
    /// Whether the visitor wants to be told of batch headers. They come where the log has them and our own connections read it;
    /// where reading goes through a broker's own client library, none come.
    pub batch_headers: bool,
    /// From which offset on a partition needs to be read, where that is known. Where a broker cannot begin there, it is read from
    /// the start.
    pub from: Vec<(i32, i64)>,
    /// Whether only headers of batches are wanted, and no messages, where the broker keeps headers.
    pub headers_only: bool,
    /// Whether messages may be fetched from a queue that keeps no history and put back, which their consumers can notice.
    pub peek: bool,
}

/// How far a broker's index of keys is believed. Whatever it finds is there; what it does not find may be there all the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IndexUse {
    /// What it finds is the answer, under an assumption that is named; when it finds nothing, everything is read.
    #[default]
    First,
    /// What it finds is the answer, even when that is nothing, under an assumption that is named.
    Only,
    /// What it finds comes first, and everything is read all the same.
    Hint,
}

/// Whether the whole place was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coverage {
    /// All of it.
    Complete,
    /// All of it under an assumption, which is named.
    CompleteIf(String),
    /// Not all of it, and why.
    Partial(String),
}

impl Coverage {
    /// The word that ends every answer of a scan: `COMPLETE`, `COMPLETE-IF …` or `PARTIAL …`.
    pub fn word(&self) -> String {
        match self {
            Coverage::Complete => "COMPLETE".to_owned(),
            Coverage::CompleteIf(assumption) => format!("COMPLETE-IF {assumption}"),
            Coverage::Partial(why) => format!("PARTIAL {why}"),
        }
    }

    /// Whether a "not found" or "no anomaly" may be said with certainty.
    pub const fn is_complete(&self) -> bool {
        matches!(self, Coverage::Complete)
    }
}

/// What was read of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionRead {
    /// The partition (Kafka) or queue id.
    pub partition: i32,
    /// The broker of a RocketMQ queue, by its name: queue ids repeat on each.
    pub node: Option<String>,
    /// Where reading starts: the log start when the scan began, or a later offset that the plan allows.
    pub from: i64,
    /// Where reading stops (exclusive): the end when the scan began, or an earlier offset that the plan allows.
    pub to: i64,
    /// The log start when the scan began, where it is known apart from `from`.
    pub log_start: Option<i64>,
    /// The offset up to which everything was read (exclusive).
    pub read_to: i64,
    /// Records handed over.
    pub records: u64,
    /// Bytes of keys and values handed over.
    pub bytes: u64,
    /// Smallest and largest timestamp seen, milliseconds since the Unix epoch.
    pub times_ms: Option<(i64, i64)>,
    /// Why it was not read to the end.
    pub error: Option<String>,
}

impl PartitionRead {
    /// Whether it is what a lane is named after: the partition `TOPIC/PARTITION`, or the queue `TOPIC/BROKER/QUEUE`.
    pub fn is_home_of(&self, lane: &str, topic: &str) -> bool {
        let place = Record {
            partition: self.partition,
            node: self.node.as_deref(),
            ..Record::default()
        };
        place.is_in(lane, topic)
    }

    /// What a person calls it.
    pub fn name(&self) -> String {
        match &self.node {
            Some(node) => format!("queue {node}/{}", self.partition),
            None => format!("partition {}", self.partition),
        }
    }
}

/// What a scan read.
#[derive(Debug, Clone, Default)]
pub struct ScanReport {
    /// One entry for each partition of the plan, in order.
    pub partitions: Vec<PartitionRead>,
    /// Whether old values are removed by compaction, so that holes are no loss; `None` when the broker would not say.
    pub compacted: Option<bool>,
    /// Whether the visitor ended the scan.
    pub stopped: bool,
    /// Why nothing at all was read.
    pub unread: Option<String>,
    /// Under which assumption what was read is the whole place, where the broker cannot show all of it.
    pub assumption: Option<String>,
    /// Why messages may leave the place although nobody lost them, as far as the broker says: a time to live, a limit of length.
    pub leaves: Option<String>,
}

impl ScanReport {
    /// The report of a scan that could not begin.
    pub fn unread(why: impl Into<String>) -> ScanReport {
        ScanReport {
            unread: Some(why.into()),
            ..ScanReport::default()
        }
    }

    /// Whether every partition was read to the end offset that it had at the start.
    pub fn coverage(&self) -> Coverage {
        let broken = self
            .partitions
            .iter()
            .filter_map(|p| Some(format!("{}: {}", p.name(), p.error.as_ref()?)));
        let broken: Vec<String> = self.unread.iter().cloned().chain(broken).collect();
        match (broken.is_empty(), self.stopped) {
            (true, false) => match &self.assumption {
                Some(assumption) => Coverage::CompleteIf(assumption.clone()),
                None => Coverage::Complete,
            },
            (true, true) => Coverage::Partial("stopped before the end".to_owned()),
            (false, _) => Coverage::Partial(broken.join("; ")),
        }
    }
}

/// The end of a transaction, or another mark that a broker writes between the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// The transaction was committed.
    Commit,
    /// The transaction was aborted.
    Abort,
    /// A mark of another kind, by its number.
    Other(i16),
}

/// What a Kafka log says of a batch of messages: who wrote it, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// The first offset that the batch had when it was written; compaction may have removed that message.
    pub base_offset: i64,
    /// The last offset that the batch had when it was written.
    pub last_offset: i64,
    /// The epoch of the leader that took it; -1 when unknown.
    pub leader_epoch: i32,
    /// The idempotent or transactional producer; -1 when it was neither.
    pub producer_id: i64,
    /// The epoch of that producer; -1 when it has none.
    pub producer_epoch: i16,
    /// The number of the first message in the sequence of its producer; -1 when it has none.
    pub base_sequence: i32,
    /// What it marks, when it holds no messages but a mark.
    pub control: Option<Control>,
    /// Whether it is part of a transaction.
    pub transactional: bool,
    /// The largest timestamp of its messages, milliseconds since the Unix epoch; -1 when unknown.
    pub max_timestamp_ms: i64,
    /// How many messages it holds; fewer than offsets when some were removed by compaction.
    pub count: u32,
}

/// Receives what a scan reads, batch by batch, each batch from one partition and in offset order. One call comes after the other,
/// perhaps from different threads: whoever took a batch from its broker hands it over.
pub trait Visit: Send {
    /// One batch. `Break` ends the scan; what was read until then is reported.
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()>;

    /// The header of a batch of a partition, before its messages are handed over, where the plan asks for headers and the broker
    /// keeps them. It comes for batches of aborted transactions and for marks too.
    fn headers(&mut self, _partition: i32, _header: &BatchHeader) {}

    /// Where reading of a partition begins and ends by plan, before anything of it is handed over. It comes where our own connections
    /// read; otherwise the report alone tells.
    fn begins(&mut self, _read: &PartitionRead) {}

    /// What was handed over is about to be taken out of the place for good. It must be kept so that a crash cannot forget it; what
    /// is not kept stays where it is.
    ///
    /// # Errors
    /// Why it cannot be kept, in words.
    fn keep(&mut self) -> std::result::Result<(), String> {
        Err("nobody would remember it".to_owned())
    }

    /// Told now and then how much was read of how much, in offsets; a total of 0 while that is not known. `Break` ends the scan.
    fn progress(&mut self, done: u64, total: u64) -> ControlFlow<()>;
}

/// A topic that can be read from its log start to its end without changing anything on the broker.
pub trait Scan {
    /// Reads what the plan says.
    ///
    /// # Errors
    /// Only when nothing at all could be learnt (unreachable, no such topic). A partition that could not be read to its end
    /// is an entry of the report with its error, never silence.
    fn scan(&mut self, plan: &ScanPlan, visit: &mut dyn Visit) -> Result<ScanReport>;

    /// Whether old values of a key are removed by compaction, so that holes are no loss; `None` when the broker would not say
    /// within `patience`. A scan asks too, and waits less.
    fn is_compacted(&mut self, patience: std::time::Duration) -> Option<bool>;

    /// Where the log of each partition ends on its leader (exclusive), whether all of it may be read yet or not. Partitions are left
    /// out of which nothing is known within `patience`.
    fn log_ends(&mut self, _patience: std::time::Duration) -> Vec<(i32, i64)> {
        Vec::new()
    }

    /// Over how many partitions the hash of a key chooses; `None` where no hash chooses, or the broker would not say within
    /// `patience`.
    fn hash_partitions(&mut self, _patience: std::time::Duration) -> Option<i32> {
        None
    }
}
