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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PartitionRead, Record, STAMP_HEADER, ScanReport};
    use crate::verify::{Beside, Verdict, judge};

    /// Every third number is missing.
    fn fed(mut tracker: Tracker, limit: usize) -> (Verdict, usize) {
        let (mut offset, mut most) = (0, 0);
        for seq in (1..30_000u64).filter(|seq| seq % 3 != 2) {
            for producer in ["p", "q"] {
                let stamp = format!("{seq} {producer} t/0");
                let headers: Vec<(&[u8], Option<&[u8]>)> = vec![(STAMP_HEADER.as_bytes(), Some(stamp.as_bytes()))];
                tracker.insert(
                    "t",
                    &Record {
                        offset,
                        headers: headers.into(),
                        ..Record::default()
                    },
                );
                offset += 1;
            }
            if seq % 100 == 0 {
                tracker.spill();
                most = most.max(tracker.weight().0);
            }
        }
        tracker.cover(None, 0, 0, offset);
        assert!(most <= limit, "{most} ranges are in memory");
        assert_eq!(tracker.broken(), None);
        let report = ScanReport {
            partitions: vec![PartitionRead {
                to: offset,
                read_to: offset,
                ..PartitionRead::default()
            }],
            compacted: Some(false),
            ..ScanReport::default()
        };
        (judge(&mut tracker, "t", &report, Beside::default()), most)
    }

    #[test]
    fn what_is_on_disk_gives_the_same_verdict_in_less_memory() {
        let (whole, all) = fed(Tracker::default(), usize::MAX);
        assert!(whole.totals.gap > 19_000 && all > 19_000, "{all}");
        let mut small = Tracker::default();
        small.shelve(Box::<OnDisk>::default(), 1000);
        let (parts, _) = fed(small, 1000);
        assert_eq!(parts, whole);
    }

    #[test]
    fn a_shelf_that_fails_is_told_and_nothing_looks_whole() {
        /// Takes everything, and has nothing.
        #[derive(Debug)]
        struct Sieve;
        impl Shelf for Sieve {
            fn put(&mut self, _bytes: &[u8]) -> io::Result<u64> {
                Ok(0)
            }

            fn get(&mut self, _at: u64, _bytes: &mut [u8]) -> io::Result<()> {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
        let mut tracker = Tracker::default();
        tracker.shelve(Box::new(Sieve), 0);
        let headers: Vec<(&[u8], Option<&[u8]>)> = vec![(STAMP_HEADER.as_bytes(), Some(b"1 p t/0"))];
        let record = Record {
            headers: headers.into(),
            ..Record::default()
        };
        tracker.insert("t", &record);
        tracker.spill();
        let verdict = judge(&mut tracker, "t", &ScanReport::default(), Beside::default());
        assert!(verdict.coverage.word().starts_with("PARTIAL"), "{:?}", verdict.coverage);
    }
}
