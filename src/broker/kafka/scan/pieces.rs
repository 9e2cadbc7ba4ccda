//! One partition that several connections read, each a piece of it, where there are more processors than partitions.
//!
//! What is found keeps the order of the partition: a piece holds what it found until those before it are over.

use super::job::Job;
use crate::model::{Headers, PartitionRead, Record};

/// A piece has at least so many offsets; fewer are read faster than another connection is opened.
const LEAST_OFFSETS: i64 = if cfg!(test) { 4 } else { 200_000 };
/// A piece that holds more than this waits until those before it are over.
const MOST_HELD_BYTES: usize = if cfg!(test) { 400 } else { 4 << 20 };

/// What makes a job one of several pieces.
#[derive(Debug, Default)]
pub(super) struct Piece {
    /// 0 for the first.
    pub(super) index: usize,
    /// What was found and not handed over yet.
    pub(super) held: Vec<Held>,
    held_bytes: usize,
}

/// A message that was found before its turn.
#[derive(Debug)]
pub(super) struct Held {
    offset: i64,
    timestamp_ms: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Held {
    /// Where it lies.
    pub(super) const fn offset(&self) -> i64 {
        self.offset
    }

    fn new(record: &Record<'_>) -> Held {
        let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        Held {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: own(record.key),
            value: own(record.value),
            headers: record.headers.iter().map(|(n, v)| (n.to_vec(), own(v))).collect(),
        }
    }

    fn record(&self, partition: i32) -> Record<'_> {
        let headers = self.headers.iter().map(|(n, v)| (n.as_slice(), v.as_deref()));
        Record {
            partition,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: headers.collect::<Headers<'_>>(),
            ..Record::default()
        }
    }

    fn bytes(&self) -> usize {
        let size = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers: usize = self.headers.iter().map(|(n, v)| n.len() + size(v) + 64).sum();
        size_of::<Held>() + size(&self.key) + size(&self.value) + headers
    }
}

impl Piece {
    /// Keeps what was found until its turn comes.
    pub(super) fn hold(&mut self, found: &[Record<'_>]) {
        for held in found.iter().map(Held::new) {
            self.held_bytes += held.bytes();
            self.held.push(held);
        }
    }

    /// Whether it holds as much as it may.
    pub(super) fn is_full(&self) -> bool {
        self.held_bytes > MOST_HELD_BYTES
    }

    /// Lets go of what was handed over.
    pub(super) fn clear(&mut self) {
        self.held_bytes = 0;
        self.held.clear();
    }
}

/// What was held, as it is handed over.
pub(super) fn records(held: &[Held], partition: i32) -> Vec<Record<'_>> {
    held.iter().map(|held| held.record(partition)).collect()
}

/// Divides a partition that is to be read forwards; one that is short stays whole.
pub(super) fn split(job: Job, most: usize) -> Vec<Job> {
    let (from, end) = (job.read.from, job.end);
    let fits = (end.saturating_sub(from) / LEAST_OFFSETS).clamp(0, 64);
    let count = usize::try_from(fits).unwrap_or(0).min(most);
    if count < 2 {
        return vec![job];
    }
    let edge = |n: usize| match n == count {
        true => end,
        false => from + (end - from) / count as i64 * n as i64,
    };
    let piece = |index: usize| {
        let (first, last) = (edge(index), edge(index + 1));
        let read = PartitionRead {
            from: first,
            read_to: first,
            // What an open transaction holds back lies behind the last piece.
            to: if last == end { job.read.to } else { last },
            ..job.read.clone()
        };
        let mut piece = Job::new(read, job.epoch, last, false);
        piece.piece = Some(Piece {
            index,
            ..Piece::default()
        });
        piece
    };
    (0..count).map(piece).collect()
}

/// What was read of a partition, from what was read of its pieces in their order.
pub(super) fn joined(pieces: Vec<PartitionRead>) -> Option<PartitionRead> {
    let mut pieces = pieces.into_iter();
    let mut whole = pieces.next()?;
    for piece in pieces {
        // Read without a hole is only what the pieces before reach.
        if whole.read_to >= piece.from {
            whole.read_to = whole.read_to.max(piece.read_to);
        }
        whole.to = whole.to.max(piece.to);
        whole.records += piece.records;
        whole.bytes += piece.bytes;
        whole.times_ms = match (whole.times_ms, piece.times_ms) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, other) => one.or(other),
        };
        whole.error = match (whole.error.take(), piece.error) {
            (Some(one), Some(other)) => Some(format!("{one}; from offset {} on: {other}", piece.from)),
            (one, other) => one.or(other),
        };
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(from: i64, to: i64, end: i64) -> Job {
        let read = PartitionRead {
            from,
            to,
            read_to: from,
            log_start: Some(3),
            ..PartitionRead::default()
        };
        Job::new(read, 5, end, false)
    }

    #[test]
    fn pieces_meet_and_cover_all() {
        for (from, end, most) in [(0, 8, 2), (7, 23, 3), (10, 5_000_000, 4), (1, 10, 2)] {
            let pieces = split(job(from, end + 9, end), most);
            let edges: Vec<_> = pieces.iter().map(|p| (p.read.from, p.end, p.read.to)).collect();
            assert_eq!((edges[0].0, edges.last().unwrap().1), (from, end));
            assert_eq!(edges.last().unwrap().2, end + 9, "what is held back stays told of");
            assert!(
                edges.windows(2).all(|w| w[0].1 == w[1].0 && w[0].2 == w[1].0),
                "{edges:?}"
            );
            assert!(
                pieces
                    .iter()
                    .all(|p| p.window == (p.read.from, p.end) && p.ask == p.read.from && p.epoch == 5)
            );
            assert!(pieces.len() <= most);
        }
        assert_eq!(split(job(1, 8, 8), 2).len(), 1, "too short");
        assert!(split(job(0, 6, 6), 2)[0].piece.is_none());
        assert_eq!(split(job(0, i64::MAX, i64::MAX), 4).len(), 4);
    }

    fn read(from: i64, to: i64, read_to: i64, error: Option<&str>) -> PartitionRead {
        PartitionRead {
            from,
            to,
            read_to,
            records: 10,
            bytes: 100,
            times_ms: Some((from, to)),
            error: error.map(str::to_owned),
            ..PartitionRead::default()
        }
    }

    #[test]
    fn only_what_has_no_hole_before_it_counts_as_read() {
        let whole = joined(vec![read(0, 50, 50, None), read(50, 90, 90, None)]).unwrap();
        assert_eq!((whole.from, whole.to, whole.read_to, whole.error), (0, 90, 90, None));
        assert_eq!((whole.records, whole.bytes, whole.times_ms), (20, 200, Some((0, 90))));
        let first_failed = joined(vec![read(0, 50, 20, Some("a")), read(50, 90, 90, None)]).unwrap();
        assert_eq!((first_failed.read_to, first_failed.error.as_deref()), (20, Some("a")));
        let both = joined(vec![read(0, 50, 50, Some("a")), read(50, 90, 60, Some("b"))]).unwrap();
        assert_eq!(
            (both.read_to, both.error.as_deref()),
            (60, Some("a; from offset 50 on: b"))
        );
        assert!(joined(Vec::new()).is_none());
    }

    #[test]
    fn what_was_held_is_handed_over_as_it_was() {
        let mut piece = Piece::default();
        let headers: Vec<crate::model::Header<'_>> = vec![(b"h", None), (b"h", Some(b"v"))];
        let record = Record {
            partition: 4,
            offset: 77,
            timestamp_ms: Some(5),
            key: Some(b"k"),
            value: None,
            headers: headers.into(),
            ..Record::default()
        };
        piece.hold(std::slice::from_ref(&record));
        assert!(!piece.is_full());
        let told = records(&piece.held, 4);
        assert_eq!(
            format!("{:?}", told[0].headers.iter().collect::<Vec<_>>()),
            format!("{:?}", record.headers.iter().collect::<Vec<_>>())
        );
        assert_eq!(
            (told[0].offset, told[0].timestamp_ms, told[0].key, told[0].value),
            (77, Some(5), Some(&b"k"[..]), None)
        );
        piece.clear();
        piece.hold(&[Record {
            value: Some(&vec![0; MOST_HELD_BYTES]),
            ..Record::default()
        }]);
        assert!(piece.is_full());
        piece.clear();
        assert!(!piece.is_full() && piece.held.is_empty());
    }
}
