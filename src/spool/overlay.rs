//! A file that is read and never written: what a database writes while it is looked at stays in memory.

use redb::StorageBackend;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard};

const BLOCK: usize = 4096;

/// A file below a layer of memory.
#[derive(Debug)]
pub(super) struct Overlay {
    file: File,
    layer: Mutex<Layer>,
}

#[derive(Debug)]
struct Layer {
    len: u64,
    /// Bytes from here on are not the file's, whatever it holds there.
    file_to: u64,
    blocks: HashMap<u64, Box<[u8; BLOCK]>>,
}

impl Overlay {
    pub(super) fn new(file: File) -> io::Result<Overlay> {
        let len = file.metadata()?.len();
        Ok(Overlay {
            file,
            layer: Mutex::new(Layer {
                len,
                file_to: len,
                blocks: HashMap::new(),
            }),
        })
    }

    fn layer(&self) -> MutexGuard<'_, Layer> {
        self.layer.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// A block as the file has it; zeros where it has none.
    fn of_file(&self, no: u64, file_to: u64) -> io::Result<[u8; BLOCK]> {
        let mut block = [0; BLOCK];
        let start = no * BLOCK as u64;
        let there = file_to.saturating_sub(start).min(BLOCK as u64) as usize;
        self.file.read_exact_at(&mut block[..there], start)?;
        Ok(block)
    }
}

/// The blocks that a range touches: number, where in the block, and where in the range.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done >= len {
            return None;
        }
        let at = offset + done as u64;
        let start = (at % BLOCK as u64) as usize;
        let size = (BLOCK - start).min(len - done);
        let piece = (at / BLOCK as u64, start..start + size, done..done + size);
        done += size;
        Some(piece)
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.layer().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let layer = self.layer();
        if offset.saturating_add(out.len() as u64) > layer.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (no, in_block, in_range) in pieces(offset, out.len()) {
            match layer.blocks.get(&no) {
                Some(block) => out[in_range].copy_from_slice(&block[in_block]),
                None => out[in_range].copy_from_slice(&self.of_file(no, layer.file_to)?[in_block]),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut layer = self.layer();
        if len < layer.len {
            // What is cut off must come back as zeros.
            layer.file_to = layer.file_to.min(len);
            let last = len / BLOCK as u64;
            layer.blocks.retain(|no, _| *no <= last);
            if let Some(block) = layer.blocks.get_mut(&last) {
                block[(len % BLOCK as u64) as usize..].fill(0);
            }
        }
        layer.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut layer = self.layer();
        let file_to = layer.file_to;
        for (no, in_block, in_range) in pieces(offset, data.len()) {
            let block = match layer.blocks.entry(no) {
                Entry::Occupied(block) => block.into_mut(),
                Entry::Vacant(place) => place.insert(Box::new(self.of_file(no, file_to)?)),
            };
            block[in_block].copy_from_slice(&data[in_range]);
        }
        layer.len = layer.len.max(offset + data.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_file_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let bytes: Vec<u8> = (0..10_000u32).map(|n| n as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let overlay = Overlay::new(File::open(&path).unwrap()).unwrap();
        let mut model = bytes.clone();
        let check = |model: &[u8]| {
            assert_eq!(overlay.len().unwrap(), model.len() as u64);
            let mut all = vec![1; model.len()];
            overlay.read(0, &mut all).unwrap();
            assert!(all == model);
        };
        check(&model);
        overlay.write(4090, b"0123456789").unwrap();
        model[4090..4100].copy_from_slice(b"0123456789");
        check(&model);
        for len in [5000, 9000, 4095, 20_000] {
            overlay.set_len(len).unwrap();
            model.resize(len as usize, 0);
            check(&model);
        }
        overlay.write(19_999, b"xy").unwrap();
        model.truncate(19_999);
        model.extend(b"xy");
        check(&model);
        assert!(overlay.read(20_000, &mut [0; 2]).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}
