//! A disk in memory for tests: it remembers every write until it is synced, fails when it is told to, and shows what a crash
//! may leave behind.
//!
//! A crash leaves everything that was synced, and of the writes after the last sync any subset: each of them whole, torn at
//! its sectors in any way, or with rubbish in a sector that it tore; and the length of the file as it was at any time since.
//! Two things are believed of the disk, because redb says that it relies on them: a byte is never half written, and a write
//! changes no byte beside its own. So the header, 320 bytes in one sector, may become any mixture of its old and its new
//! bytes, but no rubbish.

use rand::Rng;
use rand::rngs::StdRng;
use redb::StorageBackend;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

const PAGE: usize = 4096;
const SECTOR: usize = 512;

/// The bytes of a file. A copy shares its pages with the original.
#[derive(Clone, Default)]
pub(crate) struct Image {
    /// `None` is a page of zeros.
    pages: Vec<Option<Arc<Page>>>,
    len: u64,
}

struct Page {
    bytes: [u8; PAGE],
    hash: OnceLock<u64>,
}

impl Page {
    /// So that two pages meet only by chance; word by word, because this runs a million times without optimisation.
    fn hash(&self) -> u64 {
        *self.hash.get_or_init(|| {
            let mut hash = 0xcbf2_9ce4_8422_2325_u64;
            for word in self.bytes.chunks_exact(8) {
                let word = u64::from_le_bytes([word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7]]);
                hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                hash ^= hash >> 29;
            }
            hash
        })
    }
}

impl Image {
    /// Two images with other bytes have another hash, but for chance.
    pub(crate) fn hash(&self) -> u64 {
        let mut hash = self.len;
        for (no, page) in self.pages.iter().enumerate() {
            if let Some(page) = page {
                let mixed = (page.hash() ^ no as u64).wrapping_mul(0xff51_afd7_ed55_8ccd);
                hash = hash.wrapping_add(mixed ^ (mixed >> 33));
            }
        }
        hash
    }

    fn read(&self, at: u64, out: &mut [u8]) {
        let mut done = 0;
        while done < out.len() {
            let (no, within) = place(at + done as u64);
            let n = (PAGE - within).min(out.len() - done);
            match self.pages.get(no).and_then(Option::as_ref) {
                Some(page) => out[done..done + n].copy_from_slice(&page.bytes[within..within + n]),
                None => out[done..done + n].fill(0),
            }
            done += n;
        }
    }

    /// Writes what lies within the length of the file.
    fn write(&mut self, at: u64, bytes: &[u8]) {
        let room = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(room)];
        let mut done = 0;
        while done < bytes.len() {
            let (no, within) = place(at + done as u64);
            let n = (PAGE - within).min(bytes.len() - done);
            let mut page = [0; PAGE];
            if n < PAGE
                && let Some(old) = &self.pages[no]
            {
                page.copy_from_slice(&old.bytes);
            }
            page[within..within + n].copy_from_slice(&bytes[done..done + n]);
            self.pages[no] = Some(Arc::new(Page {
                bytes: page,
                hash: OnceLock::new(),
            }));
            done += n;
        }
    }

    fn set_len(&mut self, len: u64) {
        let pages = usize::try_from(len.div_ceil(PAGE as u64)).unwrap();
        self.pages.resize(pages, None);
        let cut = (len % PAGE as u64) as usize;
        if len < self.len
            && cut > 0
            && let Some(Some(last)) = self.pages.last()
        {
            let mut bytes = last.bytes;
            bytes[cut..].fill(0);
            let hash = OnceLock::new();
            *self.pages.last_mut().unwrap() = Some(Arc::new(Page { bytes, hash }));
        }
        self.len = len;
    }

    fn apply(&mut self, done: &Done) {
        match done {
            Done::Write { at, bytes } => self.write(*at, bytes),
            Done::Length(len) => self.set_len(*len),
            Done::Sync | Done::SyncFailed => {}
        }
    }
}

fn place(at: u64) -> (usize, usize) {
    let page = PAGE as u64;
    ((at / page) as usize, (at % page) as usize)
}

/// One thing that was done to the file.
pub(crate) enum Done {
    Write { at: u64, bytes: Box<[u8]> },
    Length(u64),
    Sync,
    SyncFailed,
}

/// How a disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// ENOSPC on what writes; half of the write may be there.
    Full,
    /// EIO on what writes; half of the write may be there.
    Broken,
    /// EIO on sync. What was written since the last sync may be on the disk or not, is still read back, and is not written
    /// again by a later sync: that is what Linux does.
    SyncFails,
}

/// Fails from one change to another; changes are counted from 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failing {
    pub(crate) fault: Fault,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

#[derive(Default)]
struct State {
    /// What reads see.
    seen: Image,
    log: Vec<Done>,
    changes: u64,
    failing: Vec<Failing>,
    /// How many changes failed.
    failed: u64,
    cut: bool,
}

/// The disk. A clone is the same disk.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    pub(crate) fn holding(image: Image) -> Disk {
        let state = State {
            seen: image,
            ..State::default()
        };
        Disk(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// How many things were done.
    pub(crate) fn done(&self) -> usize {
        self.state().log.len()
    }

    /// Everything that was done, from the start or from the last call on.
    pub(crate) fn take_log(&self) -> Vec<Done> {
        std::mem::take(&mut self.state().log)
    }

    /// From now on every call fails, and nothing is remembered: the machine is off.
    pub(crate) fn cut(&self) {
        self.state().cut = true;
    }

    /// Plans faults, on top of those that are planned.
    pub(crate) fn fail(&self, failing: Failing) {
        self.state().failing.push(failing);
    }

    /// Changes until now, those that failed included.
    pub(crate) fn changes(&self) -> u64 {
        self.state().changes
    }

    /// How many changes failed as planned.
    pub(crate) fn failed(&self) -> u64 {
        self.state().failed
    }

    /// Works again.
    pub(crate) fn mend(&self) {
        self.state().failing.clear();
    }
}

impl State {
    fn powered(&self) -> io::Result<()> {
        if self.cut { Err(off()) } else { Ok(()) }
    }

    /// Counts a change, and says how it fails, when it does.
    fn change(&mut self, is_sync: bool) -> io::Result<Option<Fault>> {
        self.powered()?;
        let no = self.changes;
        self.changes += 1;
        let fails = |f: &&Failing| (f.from..f.to).contains(&no) && (f.fault == Fault::SyncFails) == is_sync;
        let fault = self.failing.iter().find(fails).map(|f| f.fault);
        self.failed += u64::from(fault.is_some());
        Ok(fault)
    }

    fn now(&mut self, done: Done) {
        self.seen.apply(&done);
        self.log.push(done);
    }
}

fn off() -> io::Error {
    io::Error::other("the machine is off")
}

fn error_of(fault: Fault) -> io::Error {
    match fault {
        Fault::Full => io::ErrorKind::StorageFull.into(),
        Fault::Broken | Fault::SyncFails => io::Error::other("the disk is broken"),
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        let state = self.state();
        state.powered()?;
        Ok(state.seen.len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        state.powered()?;
        if offset + out.len() as u64 > state.seen.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        state.seen.read(offset, out);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        if let Some(fault) = state.change(false)? {
            return Err(error_of(fault));
        }
        state.now(Done::Length(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        if let Some(fault) = state.change(true)? {
            state.now(Done::SyncFailed);
            return Err(error_of(fault));
        }
        state.now(Done::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let fault = state.change(false)?;
        let wrote = match fault {
            None => data.len(),
            // As much as there was room for; of one sector nothing.
            Some(_) => data.len() / 2 / SECTOR * SECTOR,
        };
        if wrote > 0 {
            let bytes = data[..wrote].into();
            state.now(Done::Write { at: offset, bytes });
        }
        fault.map_or(Ok(()), |fault| Err(error_of(fault)))
    }
}

/// Whether a disk keeps its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syncs {
    /// What was written before a sync is on the disk after it.
    Honest,
    /// Planted: only what was written before the *last* sync is, because this one is not done.
    OneLate,
}

/// Walks through what was done, and makes at each point what a crash there may leave.
pub(crate) struct Crashes<'a> {
    log: std::slice::Iter<'a, Done>,
    durable: Image,
    /// Done since the last sync.
    open: Vec<&'a Done>,
    syncs: Syncs,
    /// How many of `open` were done before the last sync; 0 on an honest disk.
    promised: usize,
}

/// What became of one write that was not synced.
#[derive(Clone, Copy)]
enum Came {
    Whole,
    Lost,
    Torn,
}

impl<'a> Crashes<'a> {
    pub(crate) fn new(start: Image, log: &'a [Done], syncs: Syncs) -> Crashes<'a> {
        Crashes {
            log: log.iter(),
            durable: start,
            open: Vec::new(),
            syncs,
            promised: 0,
        }
    }

    /// Goes on by one thing that was done; `false` at the end.
    pub(crate) fn step(&mut self, rng: &mut StdRng) -> bool {
        let Some(done) = self.log.next() else { return false };
        match done {
            Done::Write { .. } | Done::Length(_) => self.open.push(done),
            Done::Sync => {
                let kept = match self.syncs {
                    Syncs::Honest => self.open.len(),
                    Syncs::OneLate => self.promised,
                };
                for done in self.open.drain(..kept) {
                    self.durable.apply(done);
                }
                self.promised = self.open.len();
            }
            Done::SyncFailed => {
                for done in self.open.drain(..) {
                    // The length is kept by the file system's own journal.
                    if matches!(done, Done::Length(_)) || rng.random() {
                        self.durable.apply(done);
                    }
                }
                self.promised = 0;
            }
        }
        true
    }

    /// How many different images are worth making here.
    pub(crate) fn variety(&self) -> usize {
        self.open.len()
    }

    /// One of the images that a crash may leave here.
    pub(crate) fn image(&self, rng: &mut StdRng) -> Image {
        let mut image = self.durable.clone();
        let (last, style) = (self.open.len().saturating_sub(1), rng.random_range(0..8));
        let one = rng.random_range(0..=last);
        for (i, done) in self.open.iter().enumerate() {
            let came = match style {
                0 => Came::Whole,
                1 if i == last => Came::Torn,
                1 => Came::Whole,
                2 if i == last => Came::Whole,
                2 => Came::Lost,
                3 if i == one => Came::Lost,
                3 => Came::Whole,
                4 if i == one => Came::Torn,
                4 => Came::Lost,
                _ => match rng.random_range(0..20) {
                    0..9 => Came::Whole,
                    9..16 => Came::Lost,
                    _ => Came::Torn,
                },
            };
            match (came, done) {
                (Came::Whole, done) => image.apply(done),
                (Came::Torn, Done::Write { at, bytes }) => tear(&mut image, *at, bytes, rng),
                (Came::Lost | Came::Torn, _) => {}
            }
        }
        image
    }
}

/// Writes a part of it.
fn tear(image: &mut Image, at: u64, bytes: &[u8], rng: &mut StdRng) {
    let mut torn = vec![0; bytes.len()];
    image.read(at, &mut torn);
    if at < PAGE as u64 {
        // The header: byte by byte, see above.
        let (prefix, upto) = (rng.random(), rng.random_range(0..=bytes.len()));
        for (i, (torn, new)) in torn.iter_mut().zip(bytes).enumerate() {
            if if prefix { i < upto } else { rng.random() } {
                *torn = *new;
            }
        }
        return image.write(at, &torn);
    }
    let sectors = bytes.len().div_ceil(SECTOR);
    let (in_order, upto, rubbish) = (rng.random(), rng.random_range(0..sectors), rng.random::<bool>());
    for sector in 0..sectors {
        let range = sector * SECTOR..bytes.len().min((sector + 1) * SECTOR);
        if sector == upto {
            if rubbish {
                rng.fill(&mut torn[range]);
            }
        } else if if in_order { sector < upto } else { rng.random() } {
            torn[range.clone()].copy_from_slice(&bytes[range]);
        }
    }
    image.write(at, &torn);
}
