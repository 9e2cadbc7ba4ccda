//! A file for what does not fit into memory: in the directory for temporary files, and gone with the process.

use crate::verify::{Shelf, Tracker};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A range takes 16 bytes, and room for a quarter more.
const RANGES_OF_A_MIB: u64 = (1 << 20) / 20;

/// A tracker that keeps so many MiB of gaps in memory.
pub(super) fn tracker(mib: u64) -> Tracker {
    let mut tracker = Tracker::default();
    let limit = usize::try_from(mib.saturating_mul(RANGES_OF_A_MIB)).unwrap_or(usize::MAX);
    tracker.shelve(Box::<OnDisk>::default(), limit);
    tracker
}

/// The file, once something was put there.
#[derive(Debug, Default)]
struct OnDisk {
    file: Option<File>,
    end: u64,
}

impl Shelf for OnDisk {
    fn put(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let file = match &self.file {
            Some(file) => file,
            // It has no name, so that nothing is left of it.
            None => self.file.insert(tempfile::tempfile()?),
        };
        let at = self.end;
        file.write_all_at(bytes, at)?;
        self.end += bytes.len() as u64;
        Ok(at)
    }

    fn get(&mut self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        match &self.file {
            Some(file) => file.read_exact_at(bytes, at),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
