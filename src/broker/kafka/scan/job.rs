//! One partition on its way: between which offsets it is read, and how far that is.

use super::pieces::Piece;
use crate::model::PartitionRead;
use std::time::Instant;

/// Offsets of the first window that is read backwards; each further one has more.
const FIRST_WINDOW: i64 = 4096;
/// No window has more offsets, so that a message in the middle is not read long after it was reached.
const LAST_WINDOW: i64 = 1 << 20;

/// A partition that somebody reads.
#[derive(Debug)]
pub(super) struct Job {
    /// What is told of it in the end.
    pub(super) read: PartitionRead,
    /// The epoch of the leader that was last heard of; -1 when unknown.
    pub(super) epoch: i32,
    /// The epoch of the last batch that was read; -1 before the first.
    pub(super) batch_epoch: i32,
    /// Where reading ends: `read.to`, or before that where an open transaction holds messages back.
    pub(super) end: i64,
    /// The offset to fetch next.
    pub(super) ask: i64,
    /// The window that is being read: from its first offset up to its end (exclusive).
    pub(super) window: (i64, i64),
    /// Offsets of the window before it, when the partition is read backwards.
    before: Option<i64>,
    /// Bytes that one fetch must be able to bring of it, when a batch was found to be that large.
    pub(super) least_bytes: usize,
    /// When it last came further.
    pub(super) moved: Instant,
    /// Why nothing more can be read of it.
    pub(super) failed: Option<String>,
    /// Why another broker must go on with it, or this one later.
    pub(super) elsewhere: Option<String>,
    /// Offsets that went away before they were read.
    pub(super) gone: Option<(i64, i64)>,
    /// Set where several connections read the partition.
    pub(super) piece: Option<Piece>,
}

impl Job {
    /// A partition that is to be read between `read.from` and `end`, which is not beyond `read.to`.
    pub(super) fn new(read: PartitionRead, epoch: i32, end: i64, newest_first: bool) -> Job {
        let mut job = Job {
            epoch,
            batch_epoch: -1,
            end,
            ask: read.from,
            window: (read.from, end),
            before: None,
            least_bytes: 0,
            moved: Instant::now(),
            failed: None,
            elsewhere: None,
            gone: None,
            piece: None,
            read,
        };
        if newest_first {
            job.before = Some(FIRST_WINDOW);
            job.step_back(end);
        }
        job
    }

    fn step_back(&mut self, end: i64) {
        let size = self.before.unwrap_or(FIRST_WINDOW);
        self.before = Some((size * 2).min(LAST_WINDOW));
        self.window = (end.saturating_sub(size).max(self.read.from), end);
        self.ask = self.window.0;
    }

    /// Everything before `offset` was fetched of the window. Goes on with the window before when this one is over.
    pub(super) fn fetched_to(&mut self, offset: i64) {
        self.ask = self.ask.max(offset);
        let (first, end) = self.window;
        if self.ask >= end && self.before.is_some() && first > self.read.from {
            self.step_back(first);
        }
    }

    /// Whether there is nothing more to fetch.
    pub(super) fn is_fetched(&self) -> bool {
        let (first, end) = self.window;
        self.failed.is_some()
            || self.elsewhere.is_some()
            || self.ask >= end && (self.before.is_none() || first <= self.read.from)
    }

    /// Whether everything was looked at.
    pub(super) fn is_over(&self) -> bool {
        self.read.read_to >= self.end
    }

    /// Whether it holds so much that it must wait for the pieces before it.
    pub(super) fn is_full(&self) -> bool {
        self.piece.as_ref().is_some_and(Piece::is_full)
    }

    /// Everything up to `offset` of a window was looked at.
    pub(super) fn read_to(&mut self, offset: i64) {
        self.moved = Instant::now();
        // Backwards, nothing is read without a hole before everything is.
        if self.before.is_none() {
            self.read.read_to = self.read.read_to.max(offset.min(self.end));
        }
    }

    /// What is told of it in the end.
    pub(super) fn finish(mut self, why: Option<String>) -> PartitionRead {
        let expired =
            |(from, to)| format!("offsets {from} to {to} went away while it was read (retention or deletion)");
        let held_back =
            (self.end < self.read.to).then(|| format!("an open transaction holds back offsets from {} on", self.end));
        let is_whole = why.is_none() && self.failed.is_none();
        let so_far = (!is_whole && self.before.is_some() && self.window.1 < self.end)
            .then(|| format!("only offsets from {} on were read", self.window.1));
        self.read.read_to = match is_whole {
            true => self.end,
            false => self.read.read_to,
        };
        // What is still held was not handed over.
        if let Some(held) = self.piece.as_ref().and_then(|piece| piece.held.first()) {
            self.read.read_to = self.read.read_to.min(held.offset());
        }
        let all = [why, self.failed.take(), so_far, self.gone.map(expired), held_back];
        let all: Vec<String> = all.into_iter().flatten().collect();
        self.read.error = (!all.is_empty()).then(|| all.join("; "));
        self.read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(from: i64, to: i64) -> PartitionRead {
        PartitionRead {
            from,
            to,
            read_to: from,
            ..PartitionRead::default()
        }
    }

    #[test]
    fn forwards_there_is_one_window() {
        let mut job = Job::new(read(10, 100), 3, 90, false);
        assert_eq!((job.ask, job.window), (10, (10, 90)));
        job.fetched_to(50);
        assert!(!job.is_fetched());
        job.fetched_to(95);
        assert!(job.is_fetched());
        job.read_to(95);
        let read = job.finish(None);
        assert_eq!(read.read_to, 90);
        assert!(
            read.error
                .unwrap()
                .contains("open transaction holds back offsets from 90")
        );
    }

    #[test]
    fn backwards_the_windows_meet_and_cover_all() {
        let mut job = Job::new(read(10, 100_000), 3, 100_000, true);
        let (mut windows, mut end) = (0, 100_000);
        while !job.is_fetched() {
            assert_eq!((job.ask, job.window.1), (job.window.0, end));
            end = job.window.0;
            windows += 1;
            job.fetched_to(job.window.1 + 7);
        }
        assert_eq!((end, windows), (10, 5));
        let read = job.finish(None);
        assert_eq!((read.read_to, read.error), (100_000, None));
    }

    #[test]
    fn backwards_what_was_not_reached_is_said() {
        let mut job = Job::new(read(0, 100_000), 3, 100_000, true);
        job.fetched_to(100_000);
        let read = job.finish(Some("stopped".to_owned()));
        assert_eq!(read.read_to, 0);
        assert!(read.error.unwrap().contains("from 95904 on"));
    }
}
