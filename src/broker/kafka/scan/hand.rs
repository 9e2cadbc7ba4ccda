//! Taking batches apart and handing their messages over.

use super::super::batch::{Batch, Entry, Fault, Frames, Space};
use super::super::wire::fetch::Part;
use super::job::Job;
use super::keys::Keys;
use super::pieces::{self, Piece};
use crate::model::{Control, Record, Visit};
use std::collections::{HashSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Messages that are handed over at once; few enough to stay near the processor.
const AT_ONCE: usize = 256;

/// What all threads of a scan share.
pub(super) struct Shared<'a> {
    pub(super) visit: Mutex<&'a mut dyn Visit>,
    pub(super) stop: Arc<AtomicBool>,
    /// Offsets that were read, of all partitions.
    pub(super) done: AtomicU64,
    /// The piece that hands over, where a partition is read in pieces.
    pub(super) turn: AtomicUsize,
    pub(super) keys: Keys,
    pub(super) committed: bool,
    pub(super) since_ms: Option<i64>,
    pub(super) batch_headers: bool,
    pub(super) headers_only: bool,
}

impl Shared<'_> {
    /// Calls the visitor, unless the scan is over.
    pub(super) fn tell(&self, tell: impl FnOnce(&mut dyn Visit) -> ControlFlow<()>) -> ControlFlow<()> {
        let mut visit = self.visit.lock().unwrap_or_else(|e| e.into_inner());
        if self.stop.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        let told = tell(&mut **visit);
        if told.is_break() {
            self.stop.store(true, Ordering::Relaxed);
        }
        told
    }

    /// Hands over what was found, or keeps it while a piece before is not over.
    fn hand(&self, partition: i32, piece: Option<&mut Piece>, found: &[Record<'_>]) -> ControlFlow<()> {
        if let Some(piece) = piece {
            if piece.index > self.turn.load(Ordering::Acquire) {
                piece.hold(found);
                return ControlFlow::Continue(());
            }
            self.release(partition, piece)?;
        }
        match found.is_empty() {
            true => ControlFlow::Continue(()),
            false => self.tell(|visit| visit.batch(found)),
        }
    }

    /// Hands over what a piece held, whose turn it is. What the visitor did not want stays with the piece.
    pub(super) fn release(&self, partition: i32, piece: &mut Piece) -> ControlFlow<()> {
        if piece.held.is_empty() {
            return ControlFlow::Continue(());
        }
        self.tell(|visit| visit.batch(&pieces::records(&piece.held, partition)))?;
        piece.clear();
        ControlFlow::Continue(())
    }
}

/// Transactions of one answer that were aborted (Kafka's `CompletedFetch` does it in this way).
struct Aborted {
    to_come: VecDeque<(i64, i64)>,
    open: HashSet<i64>,
}

impl Aborted {
    fn new(part: &Part<'_>) -> Aborted {
        let mut all = part.aborted.clone();
        all.sort_by_key(|(_, first)| *first);
        Aborted {
            to_come: all.into(),
            open: HashSet::new(),
        }
    }

    /// Whether the messages of a batch were aborted.
    fn has(&mut self, batch: &Batch<'_>) -> bool {
        let header = &batch.header;
        while let Some((producer, _)) = self.to_come.front().filter(|(_, first)| *first <= header.last_offset) {
            self.open.insert(*producer);
            self.to_come.pop_front();
        }
        if header.control == Some(Control::Abort) {
            self.open.remove(&header.producer_id);
        }
        header.transactional && !batch.is_control && self.open.contains(&header.producer_id)
    }
}

/// Takes apart what one answer brought of one partition, and hands over what lies in the window.
///
/// `Break` means that the visitor wants no more.
pub(super) fn part(
    shared: &Shared<'_>,
    job: &mut Job,
    window: (i64, i64),
    part: &Part<'_>,
    space: &mut Space,
) -> ControlFlow<()> {
    let mut aborted = Aborted::new(part);
    for frame in Frames::new(part.records) {
        let frame = match frame {
            Ok(frame) => frame,
            Err(fault) => {
                fail(job, None, &fault);
                return ControlFlow::Continue(());
            }
        };
        let Some(last) = frame.last_offset() else {
            fail(job, Some(frame.base_offset), &Fault::Damaged("its offsets cannot be"));
            return ControlFlow::Continue(());
        };
        if last < window.0 {
            continue;
        }
        if frame.base_offset >= window.1 && frame.is_first_offset_known() {
            break;
        }
        let is_old = shared
            .since_ms
            .is_some_and(|since| frame.is_plain() && frame.max_timestamp_ms().is_some_and(|max| max < since));
        let told = if is_old && !shared.batch_headers && part.aborted.is_empty() {
            frame.check().map(|()| ControlFlow::Continue(()))
        } else {
            let opened = match shared.headers_only {
                true => frame.open_header(space),
                false => frame.open(space),
            };
            opened.and_then(|batch| one(shared, job, window, &batch, &mut aborted, is_old))
        };
        match told {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => return ControlFlow::Break(()),
            Err(fault) => {
                fail(job, Some(frame.base_offset), &fault);
                return ControlFlow::Continue(());
            }
        }
        job.batch_epoch = frame.leader_epoch();
        let before = job.read.read_to;
        job.read_to(last + 1);
        let came = (job.read.read_to - before).max(0).unsigned_abs();
        // Backwards it is known by the window.
        let came = if came > 0 { came } else { frame.offsets_in(window) };
        shared.done.fetch_add(came, Ordering::Relaxed);
        if job.is_full() && !job.is_over() {
            // Its lane lets go of it; it goes on behind what was handed over.
            job.ask = job.read.read_to;
            return ControlFlow::Continue(());
        }
    }
    shared.hand(job.read.partition, job.piece.as_mut(), &[])
}

fn fail(job: &mut Job, offset: Option<i64>, fault: &Fault) {
    let at = offset.map_or_else(
        || format!("after offset {}", job.read.read_to),
        |o| format!("at offset {o}"),
    );
    job.failed = Some(format!("the batch {at} {fault}"));
}

fn one(
    shared: &Shared<'_>,
    job: &mut Job,
    window: (i64, i64),
    batch: &Batch<'_>,
    aborted: &mut Aborted,
    is_old: bool,
) -> Result<ControlFlow<()>, Fault> {
    // A batch across the upper end of a window was told of with the window above it.
    if shared.batch_headers && (batch.header.last_offset < window.1 || window.1 >= job.end) {
        let told = shared.tell(|visit| {
            visit.headers(job.read.partition, &batch.header);
            ControlFlow::Continue(())
        });
        if told.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    if shared.headers_only {
        job.read.records += u64::from(batch.header.count);
        return Ok(ControlFlow::Continue(()));
    }
    let is_aborted = aborted.has(batch);
    if batch.is_control || is_old || is_aborted && shared.committed {
        return Ok(ControlFlow::Continue(()));
    }
    hand_over(shared, job, window, batch)
}

fn hand_over(
    shared: &Shared<'_>,
    job: &mut Job,
    (first, end): (i64, i64),
    batch: &Batch<'_>,
) -> Result<ControlFlow<()>, Fault> {
    let partition = job.read.partition;
    let mut piece = job.piece.take();
    let (mut records, mut bytes, mut times) = (0u64, 0u64, (i64::MAX, i64::MIN));
    let is_filter = shared.keys.is_filter();
    let most = if is_filter {
        0
    } else {
        AT_ONCE.min(batch.header.count as usize)
    };
    let mut found: Vec<Record<'_>> = Vec::with_capacity(most);
    let (mut told, mut fault) = (ControlFlow::Continue(()), None);
    let walked = batch.each(|entry: Entry<'_>| {
        if entry.offset < first || entry.offset >= end {
            return ControlFlow::Continue(());
        }
        records += 1;
        bytes += (entry.key.map_or(0, <[u8]>::len) + entry.value.map_or(0, <[u8]>::len)) as u64;
        if let Some(ms) = entry.timestamp_ms {
            times = (times.0.min(ms), times.1.max(ms));
        }
        if is_filter && !shared.keys.has(entry.key) {
            return ControlFlow::Continue(());
        }
        let headers = match entry.headers() {
            Ok(headers) => headers,
            Err(why) => {
                fault = Some(why);
                return ControlFlow::Break(());
            }
        };
        found.push(Record {
            partition,
            offset: entry.offset,
            timestamp_ms: entry.timestamp_ms,
            key: entry.key,
            value: entry.value,
            headers,
            ..Record::default()
        });
        if found.len() >= AT_ONCE {
            told = shared.hand(partition, piece.as_mut(), &found);
            found.clear();
        }
        told
    });
    if told.is_continue() && !found.is_empty() {
        told = shared.hand(partition, piece.as_mut(), &found);
    }
    job.piece = piece;
    let read = &mut job.read;
    read.records += records;
    read.bytes += bytes;
    if times.0 <= times.1 {
        let (a, b) = read.times_ms.unwrap_or(times);
        read.times_ms = Some((a.min(times.0), b.max(times.1)));
    }
    walked?;
    match fault {
        Some(fault) => Err(fault),
        None => Ok(told),
    }
}
