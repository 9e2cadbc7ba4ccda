//! Where pieces of a log go when they take too much memory: sorted runs outside of it, which are merged lane by lane.
//!
//! A run is the lanes of one piece in the order of their numbers, each as its length and its sets. Nothing is ever changed in one.

use super::lane::{Lane, Rare};
use super::numbers::{self, Numbers};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that are outside of memory. Each place of it is written once.
pub trait Shelf: Send + std::fmt::Debug {
    /// Adds bytes; tells where.
    ///
    /// # Errors
    /// As the place where they are.
    fn put(&mut self, bytes: &[u8]) -> io::Result<u64>;

    /// Gives what was put there, from any place of it on.
    ///
    /// # Errors
    /// As the place where they are.
    fn get(&mut self, at: u64, bytes: &mut [u8]) -> io::Result<()>;
}

/// Read at once of a run that is merged.
const BLOCK: usize = 16 * 1024;

/// A run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shelved {
    at: u64,
    bytes: u64,
}

/// The shelf of a tracker.
#[derive(Debug, Clone)]
pub(super) struct Shelves {
    shelf: Arc<Mutex<Box<dyn Shelf>>>,
    /// So many ranges stay in memory.
    pub(super) limit: usize,
    broken: Arc<Mutex<Option<String>>>,
}

impl Shelves {
    pub(super) fn new(shelf: Box<dyn Shelf>, limit: usize) -> Shelves {
        Shelves {
            shelf: Arc::new(Mutex::new(shelf)),
            limit,
            broken: Arc::default(),
        }
    }

    /// What is said from now on is not the whole, and why.
    pub(super) fn breaks(&self, why: impl std::fmt::Display) {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.get_or_insert_with(|| why.to_string());
    }

    pub(super) fn broken(&self) -> Option<String> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts lanes away; `None` when that failed, which is noted.
    pub(super) fn put(&self, lanes: &HashMap<u32, Lane>) -> Option<Shelved> {
        let mut order: Vec<u32> = lanes.keys().copied().collect();
        order.sort_unstable();
        // Written block by block: all of it at once would need the memory that is to be freed.
        let (mut bytes, mut first, mut total) = (Vec::with_capacity(BLOCK), None, 0u64);
        for (no, number) in order.iter().enumerate() {
            if let Some(lane) = lanes.get(number) {
                encode(*number, lane, &mut bytes);
            }
            if bytes.len() >= 64 * BLOCK || no + 1 == order.len() {
                let put = self.shelf.lock().unwrap_or_else(PoisonError::into_inner).put(&bytes);
                match put {
                    Ok(at) => first = first.or(Some(at)),
                    Err(e) => {
                        self.breaks(e);
                        return None;
                    }
                }
                total += bytes.len() as u64;
                bytes.clear();
            }
        }
        Some(Shelved {
            at: first?,
            bytes: total,
        })
    }

    /// All lanes of a run. When they cannot be had, that is noted, and there are fewer.
    pub(super) fn bring_back(&self, shelved: &Shelved) -> HashMap<u32, Lane> {
        let (mut all, mut run) = (HashMap::new(), self.open(shelved));
        while let Some((number, lane)) = run.next() {
            all.insert(number, lane);
        }
        all
    }

    /// Reads a run from its first lane to its last.
    pub(super) fn open(&self, shelved: &Shelved) -> Run<'_> {
        Run {
            shelves: self,
            at: shelved.at,
            end: shelved.at + shelved.bytes,
            block: Vec::new(),
            used: 0,
        }
    }
}

/// A run that is read.
pub(super) struct Run<'a> {
    shelves: &'a Shelves,
    /// Where the next block begins.
    at: u64,
    end: u64,
    block: Vec<u8>,
    used: usize,
}

impl Run<'_> {
    /// The next lane; `None` at the end, and where it cannot be had, which is noted.
    pub(super) fn next(&mut self) -> Option<(u32, Lane)> {
        if self.used == self.block.len() && self.at == self.end {
            return None;
        }
        let next = self.entry();
        if let Err(e) = &next {
            self.shelves.breaks(e);
            (self.at, self.used) = (self.end, self.block.len());
        }
        next.ok()
    }

    fn entry(&mut self) -> io::Result<(u32, Lane)> {
        let length = u32::from_le_bytes(self.bytes(4)?.try_into().map_err(|_| damaged())?);
        decode(self.bytes(length as usize)?).ok_or_else(damaged)
    }

    /// The next bytes of the run.
    fn bytes(&mut self, count: usize) -> io::Result<&[u8]> {
        let left = self.block.len() - self.used;
        if left < count {
            self.block.drain(..self.used);
            self.used = 0;
            let rest = self.end - self.at;
            let more = ((count - left).max(BLOCK) as u64).min(rest) as usize;
            if left + more < count {
                return Err(damaged());
            }
            self.block.resize(left + more, 0);
            let mut shelf = self.shelves.shelf.lock().unwrap_or_else(PoisonError::into_inner);
            shelf.get(self.at, &mut self.block[left..])?;
            self.at += more as u64;
        }
        let from = self.used;
        self.used += count;
        Ok(&self.block[from..self.used])
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it does not hold what was put there")
}

fn encode(number: u32, lane: &Lane, to: &mut Vec<u8>) {
    let start = to.len();
    to.extend_from_slice(&[0; 4]);
    to.extend_from_slice(&number.to_le_bytes());
    to.extend_from_slice(&lane.read_home().to_le_bytes());
    to.extend_from_slice(&lane.moved().to_le_bytes());
    let none = Rare::default();
    let rare = lane.seldom().unwrap_or(&none);
    for set in [
        lane.seen(),
        &rare.away,
        &rare.voids,
        &rare.repeated,
        &rare.late,
        &rare.unread,
    ] {
        to.extend_from_slice(&(set.len() as u64).to_le_bytes());
        for range in set.iter() {
            to.extend_from_slice(&range.start().to_le_bytes());
            to.extend_from_slice(&range.end().to_le_bytes());
        }
    }
    // A lane of more than 4 GiB would be one of 250 million gaps; its length is then cut, and reading it back fails loudly.
    let length = u32::try_from(to.len() - start - 4).unwrap_or(0);
    to[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

fn decode(mut bytes: &[u8]) -> Option<(u32, Lane)> {
    let number = u32::from_le_bytes(*bytes.split_off(..4)?.as_array()?);
    let mut word = || Some(u64::from_le_bytes(*bytes.split_off(..8)?.as_array()?));
    let (home, moved) = (word()?, word()?);
    let mut set = || {
        let mut numbers = Numbers::new();
        for _ in 0..word()? {
            let (from, to) = (word()?, word()?);
            numbers.insert(from..=to);
        }
        Some(numbers)
    };
    let seen = set()?;
    let rare = Rare {
        away: set()?,
        moved,
        voids: set()?,
        repeated: set()?,
        late: set()?,
        unread: set()?,
    };
    debug_assert!(numbers::count(&seen) <= home || home == 0, "more numbers than records");
    Some((number, Lane::restored(seen, home, rare)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A shelf in memory, which may fail.
    #[derive(Debug, Default)]
    pub(crate) struct Pile {
        pub(crate) bytes: Vec<u8>,
        pub(crate) fails: bool,
    }

    impl Shelf for Pile {
        fn put(&mut self, bytes: &[u8]) -> io::Result<u64> {
            if self.fails {
                return Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"));
            }
            self.bytes.extend_from_slice(bytes);
            Ok((self.bytes.len() - bytes.len()) as u64)
        }

        fn get(&mut self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
            let at = at as usize;
            let from = self
                .bytes
                .get(at..at + bytes.len())
                .ok_or(io::ErrorKind::UnexpectedEof)?;
            bytes.copy_from_slice(from);
            Ok(())
        }
    }

    fn lane(numbers: impl IntoIterator<Item = u64>) -> Lane {
        let mut lane = Lane::default();
        numbers.into_iter().for_each(|n| lane.insert(n));
        lane.settle();
        lane
    }

    #[test]
    fn lanes_come_back_as_they_were() {
        let shelves = Shelves::new(Box::<Pile>::default(), 10);
        let mut odd = lane((0..5000).map(|n| 3 * n));
        odd.insert_away(2);
        odd.rare().voids.insert(7..=9);
        let lanes: HashMap<u32, Lane> = [(3, lane([5, 4, 4, 9])), (1, odd), (70_000, lane([]))].into();
        let shelved = shelves.put(&lanes).unwrap();
        let again = shelves.put(&lanes).unwrap();
        assert_eq!(shelves.bring_back(&shelved), lanes);
        let mut run = shelves.open(&again);
        let order: Vec<u32> = std::iter::from_fn(|| run.next()).map(|(no, _)| no).collect();
        assert_eq!((order, shelves.broken()), (vec![1, 3, 70_000], None));
    }

    #[test]
    fn what_cannot_be_put_or_had_is_noted() {
        let full = Shelves::new(
            Box::new(Pile {
                fails: true,
                ..Pile::default()
            }),
            10,
        );
        assert!(full.put(&[(1, lane([1]))].into()).is_none() && full.broken().is_some());
        let shelves = Shelves::new(Box::<Pile>::default(), 10);
        let lost = Shelved { at: 100, bytes: 50 };
        assert!(shelves.bring_back(&lost).is_empty() && shelves.broken().is_some());
    }
}
