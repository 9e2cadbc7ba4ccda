//! The input: bytes to lines, in chunks that become one durable commit each.

use super::event::Event;
use crate::hooks::{self, Phase};
use crate::model::{Problem, Result};
use crate::spool::InputProgress;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex};

/// One commit holds at most so many messages, and at most so many bytes unless a single message is larger.
const CHUNK_LINES: usize = 2000;
const CHUNK_BYTES: usize = 1 << 20;
const BLOCK_BYTES: usize = 256 << 10;
/// Chunks read ahead of the pump.
const AHEAD: usize = 4;

/// Lines that were read together.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The bytes that lines point into.
    pub data: Vec<u8>,
    /// The lines that are messages.
    pub lines: Vec<Line>,
    /// The lines that are not.
    pub rejected: Vec<Rejected>,
    /// How far the file is read with this chunk; `None` for a stream, which cannot be resumed.
    pub progress: Option<InputProgress>,
}

/// One message of a chunk.
#[derive(Debug, Clone)]
pub struct Line {
    /// Counted from 1.
    pub number: u64,
    /// The key, where the line has one.
    pub key: Option<Range<usize>>,
    /// The payload.
    pub value: Range<usize>,
}

/// A line that could not be read as a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Counted from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// Why no more lines come.
#[derive(Debug)]
pub struct InputEnd {
    /// Lines read, from the start of the input.
    pub lines: u64,
    /// What broke, when it did not simply end.
    pub error: Option<io::Error>,
}

/// How lines become messages.
#[derive(Debug, Clone)]
pub struct InputOptions {
    /// Splits key from value at its first occurrence.
    pub key_delimiter: Option<Vec<u8>>,
    /// A line longer than this is rejected unread, so that memory stays bounded.
    pub max_line_bytes: usize,
}

/// Where lines come from.
pub struct Source {
    reader: Box<dyn Read + Send>,
    resume: Option<InputProgress>,
    hasher: Sha256,
    /// What the user calls it.
    pub name: String,
}

impl Source {
    /// A stream, such as standard input.
    pub fn stream(name: &str, reader: Box<dyn Read + Send>) -> Source {
        Source {
            reader,
            resume: None,
            hasher: Sha256::new(),
            name: name.to_owned(),
        }
    }

    /// A file from its start, or after what was accepted of it before. A pipe or device with a path is read as a stream.
    ///
    /// # Errors
    /// A usage problem when it cannot be opened, or is no longer the file whose first bytes were accepted.
    pub fn file(path: &Path, before: Option<InputProgress>) -> Result<Source> {
        let name = path.display().to_string();
        let cannot = |e: io::Error| Problem::usage(format!("cannot read {name}")).because(e);
        let mut file = File::open(path).map_err(|e| cannot(e).next("check the path; - reads standard input"))?;
        let meta = file.metadata().map_err(cannot)?;
        if meta.is_dir() {
            return Err(Problem::usage(format!("{name} is a directory")).next("give a file, or - for standard input"));
        }
        if !meta.is_file() {
            return Ok(Source::stream(&name, Box::new(file)));
        }
        let canonical = path.canonicalize().map_err(cannot)?;
        let mut progress = InputProgress {
            path: std::os::unix::ffi::OsStrExt::as_bytes(canonical.as_os_str()).to_vec(),
            offset: 0,
            lines: 0,
            size: meta.len(),
            prefix_sha256: [0; 32],
        };
        let mut hasher = Sha256::new();
        if let Some(before) = before {
            hasher = same_beginning(&file, &name, meta.len(), &before)?;
            file.seek(SeekFrom::Start(before.offset)).map_err(cannot)?;
            (progress.offset, progress.lines) = (before.offset, before.lines);
        }
        Ok(Source {
            reader: Box::new(file),
            resume: Some(progress),
            hasher,
            name,
        })
    }
}

/// Reads the accepted part again and compares; returns the hash state to go on with.
fn same_beginning(file: &File, name: &str, size: u64, before: &InputProgress) -> Result<Sha256> {
    let changed = |why: String| {
        Problem::usage(format!("{name} is not the file that was being sent"))
            .because(why)
            .next("send it as new input without --resume, after `mqsafe spool flush` for what still waits")
    };
    if size < before.offset {
        return Err(changed(format!(
            "{} bytes of it were accepted and it has {size}",
            before.offset
        )));
    }
    let (mut hasher, mut last, mut left) = (Sha256::new(), b'\n', before.offset);
    let mut reader = BufReader::with_capacity(BLOCK_BYTES, file);
    let mut block = vec![0; BLOCK_BYTES];
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        let got = reader.read(&mut block[..want]).map_err(|e| changed(e.to_string()))?;
        if got == 0 {
            return Err(changed("it became shorter while it was read".to_owned()));
        }
        hasher.update(&block[..got]);
        last = block[got - 1];
        left -= got as u64;
    }
    if hasher.clone().finalize().as_slice() != before.prefix_sha256 {
        return Err(changed(format!("its first {} bytes have changed", before.offset)));
    }
    if last != b'\n' && size > before.offset {
        return Err(changed(format!(
            "line {} was accepted as its last line, and it has grown in the middle of that line",
            before.lines
        )));
    }
    Ok(hasher)
}

/// Lets the reader run a little ahead of the pump, and no further.
#[derive(Debug, Default)]
pub(super) struct Credit {
    used: Mutex<usize>,
    freed: Condvar,
}

impl Credit {
    fn take(&self, stop: &AtomicBool) {
        let mut used = self.used.lock().unwrap_or_else(|e| e.into_inner());
        while *used >= AHEAD && !stop.load(Ordering::Relaxed) {
            used = self.freed.wait(used).unwrap_or_else(|e| e.into_inner());
        }
        *used += 1;
    }

    pub(super) fn give(&self) {
        let mut used = self.used.lock().unwrap_or_else(|e| e.into_inner());
        *used = used.saturating_sub(1);
        self.freed.notify_one();
    }
}

/// Starts reading on a thread of its own. The thread ends with an [`Event::InputEnd`], or silently once `stop` is set.
pub(super) fn start(
    source: Source,
    options: InputOptions,
    sender: Sender<Event>,
    stop: Arc<AtomicBool>,
    credit: Arc<Credit>,
) -> io::Result<()> {
    let reader = Reader::new(source, options);
    std::thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || reader.run(&sender, &stop, &credit))
        .map(drop)
}

struct Reader {
    source: Source,
    options: InputOptions,
    chunk: Chunk,
    /// The line being read: its bytes so far, or how many were thrown away because it is too long.
    partial: Vec<u8>,
    skipped: u64,
    /// The hash with the thrown away bytes in it; the source's own stays at the end of the last whole line.
    skipping: Option<Sha256>,
    lines: u64,
    offset: u64,
}

impl Reader {
    fn new(source: Source, options: InputOptions) -> Reader {
        let (lines, offset) = source.resume.as_ref().map_or((0, 0), |p| (p.lines, p.offset));
        Reader {
            source,
            options,
            chunk: Chunk::default(),
            partial: Vec::new(),
            skipped: 0,
            skipping: None,
            lines,
            offset,
        }
    }

    fn run(mut self, sender: &Sender<Event>, stop: &AtomicBool, credit: &Credit) {
        let mut block = vec![0; BLOCK_BYTES];
        let error = loop {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            match self.source.reader.read(&mut block) {
                Ok(0) => {
                    if !self.partial.is_empty() || self.skipped > 0 {
                        // The last line has no end of line; it is a message all the same.
                        self.end_line(&[], 0);
                    }
                    break None;
                }
                Ok(n) => self.take(&block[..n], sender, stop, credit),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Some(e),
            }
            self.hand_over(sender, stop, credit);
        };
        self.hand_over(sender, stop, credit);
        let _ = sender.send(Event::InputEnd(InputEnd {
            lines: self.lines,
            error,
        }));
    }

    /// Splits a block into lines. What follows the last line end waits for the next block.
    fn take(&mut self, mut block: &[u8], sender: &Sender<Event>, stop: &AtomicBool, credit: &Credit) {
        while let Some(end) = block.iter().position(|b| *b == b'\n') {
            self.end_line(&block[..end], 1);
            block = &block[end + 1..];
            if self.chunk.lines.len() + self.chunk.rejected.len() >= CHUNK_LINES || self.chunk.data.len() >= CHUNK_BYTES
            {
                self.hand_over(sender, stop, credit);
            }
        }
        if self.skipped > 0 || self.partial.len() + block.len() > self.options.max_line_bytes {
            self.forget_partial(block);
        } else {
            self.partial.extend_from_slice(block);
        }
    }

    /// The line is too long: only its length and its hash are kept.
    fn forget_partial(&mut self, more: &[u8]) {
        let hasher = self.skipping.get_or_insert_with(|| self.source.hasher.clone());
        hasher.update(&self.partial);
        hasher.update(more);
        self.skipped += (self.partial.len() + more.len()) as u64;
        self.partial = Vec::new();
    }

    /// A line is whole: `rest` is what came of it in this block, followed by `terminator` bytes of line end.
    fn end_line(&mut self, rest: &[u8], terminator: usize) {
        self.lines += 1;
        if self.skipped > 0 || self.partial.len() + rest.len() > self.options.max_line_bytes {
            self.forget_partial(rest);
            let (length, limit) = (self.skipped, self.options.max_line_bytes);
            let reason =
                format!("the line has {length} bytes, more than {limit}; split it or raise --max-message-bytes");
            self.chunk.rejected.push(Rejected {
                line: self.lines,
                reason,
            });
            self.offset += length;
            self.source.hasher = self.skipping.take().unwrap_or_else(|| self.source.hasher.clone());
        } else {
            self.source.hasher.update(&self.partial);
            self.source.hasher.update(rest);
            self.message(rest);
            self.offset += (self.partial.len() + rest.len()) as u64;
        }
        self.source.hasher.update(&b"\n"[..terminator]);
        self.offset += terminator as u64;
        self.partial.clear();
        self.skipped = 0;
    }

    fn message(&mut self, rest: &[u8]) {
        let start = self.chunk.data.len();
        self.chunk.data.extend_from_slice(&self.partial);
        self.chunk.data.extend_from_slice(rest);
        let line = start..self.chunk.data.len();
        let Some(delimiter) = &self.options.key_delimiter else {
            self.chunk.lines.push(Line {
                number: self.lines,
                key: None,
                value: line,
            });
            return;
        };
        match find(&self.chunk.data[line.clone()], delimiter) {
            Some(at) => {
                let key = start..start + at;
                self.chunk.lines.push(Line {
                    number: self.lines,
                    key: Some(key),
                    value: start + at + delimiter.len()..line.end,
                });
            }
            None => {
                self.chunk.data.truncate(start);
                let reason = format!(
                    "the line has no {:?} to split its key at (-K)",
                    String::from_utf8_lossy(delimiter)
                );
                self.chunk.rejected.push(Rejected {
                    line: self.lines,
                    reason,
                });
            }
        }
    }

    fn hand_over(&mut self, sender: &Sender<Event>, stop: &AtomicBool, credit: &Credit) {
        if self.chunk.lines.is_empty() && self.chunk.rejected.is_empty() {
            return;
        }
        if let Some(progress) = &self.source.resume {
            let prefix_sha256 = self.source.hasher.clone().finalize().into();
            self.chunk.progress = Some(InputProgress {
                offset: self.offset,
                lines: self.lines,
                prefix_sha256,
                ..progress.clone()
            });
        }
        hooks::mark(Phase::Read, self.chunk.lines.len() as u64);
        credit.take(stop);
        // A pump that is gone has said so already.
        let _ = sender.send(Event::Chunk(std::mem::take(&mut self.chunk)));
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len().max(1))
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests;
