//! What a cluster told, before anybody judges it. No I/O here.

use std::collections::{BTreeMap, BTreeSet};

/// A setting with where its value comes from, as the protocol numbers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) source: i8,
    /// Every place that gives it a value, this one first: what would count if those before it were taken away. Empty where nobody set
    /// it, and of brokers before 1.1, which do not tell.
    pub(super) places: Vec<Synonym>,
}

/// One place that gives a setting its value, under a name of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Synonym {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) source: i8,
}

/// Nothing sets it (`ConfigSource.DEFAULT_CONFIG`).
pub(super) const DEFAULT: i8 = 5;

/// One partition, as the metadata tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) id: i32,
    /// The leader; -1 while there is none.
    pub(super) leader: i32,
    /// Since when; -1 where the broker does not say.
    pub(super) epoch: i32,
    pub(super) replicas: Vec<i32>,
    /// The replicas in sync.
    pub(super) isr: Vec<i32>,
}

/// One topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) partitions: Vec<Partition>,
    pub(super) settings: Vec<Setting>,
}

/// A directory of logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) path: String,
    /// Why the broker cannot use it, in words.
    pub(super) error: Option<String>,
    /// Bytes of the whole disk; negative where the broker does not say.
    pub(super) total_bytes: i64,
    /// Bytes of it that are free.
    pub(super) usable_bytes: i64,
}

/// One broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// `host:port`.
    pub(super) host: String,
    pub(super) rack: Option<String>,
    /// Whether it answers.
    pub(super) is_reached: bool,
    pub(super) settings: Vec<Setting>,
    pub(super) directories: Vec<Directory>,
    /// Bytes of each partition that it holds, by topic and number; `None` where that was not told.
    pub(super) sizes: Option<BTreeMap<(String, i32), i64>>,
}

/// What is known of a group in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) group: String,
    pub(super) topic: String,
    pub(super) partition: i32,
    /// The next offset that the group reads.
    pub(super) committed: i64,
    /// Where the log begins, where that is known and some group may have missed what was before.
    pub(super) start: Option<i64>,
    /// The first offset that is younger than half of what the topic keeps, where that is known and some group has not read everything.
    pub(super) half: Option<i64>,
}

/// A cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cluster {
    pub(super) nodes: BTreeMap<i32, Node>,
    pub(super) topics: BTreeMap<String, Topic>,
    /// Finalised features, and the newest `metadata.version` that the software knows.
    pub(super) features: BTreeMap<String, i16>,
    pub(super) newest_metadata_version: Option<i16>,
    /// The controllers that vote.
    pub(super) voters: Option<Vec<i32>>,
    pub(super) positions: Vec<Position>,
    /// Members of each group that has any.
    pub(super) members: BTreeMap<String, usize>,
    /// Replicas in sync by name that lack records which their leader has, as topic, partition and broker.
    pub(super) behind: BTreeSet<(String, i32, i32)>,
}
