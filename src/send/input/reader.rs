//! Reads: blocks of bytes to messages, and messages to chunks.

use super::archive::Archive;
use super::draft::Draft;
use super::files::Files;
use super::frames::{Frame, Frames, find};
use super::source::{Bytes, Source, Supply};
use super::table::{Bad, Header, Row, Rows};
use super::template::Template;
use super::{BLOCK_BYTES, CHUNK_LINES, Columns, Credit, Extra, Form, IdFrom, InputEnd, InputOptions, ReadTo, record};
use crate::hooks::{self, Phase};
use crate::model::{Problem, Result};
use crate::send::event::Event;
use crate::send::pace::Pace;
use crate::spool::InputProgress;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// While the rate holds it back, the reader looks this often whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);

/// An input with what it needs to be read.
pub(super) struct Reader {
    supply: Supply,
    state: State,
}

/// How bytes are cut into messages.
enum Cutting {
    Text(Frames, Option<Vec<u8>>),
    Records(Frames, Archive),
    Table(Box<(Rows, Header)>),
    /// Nothing is cut: the messages come whole.
    None,
}

struct State {
    cutting: Cutting,
    draft: Draft,
    max: usize,
    reading: record::Reading,
    /// The first bytes, which were read to find the header and not yet cut.
    ahead: Vec<u8>,
    /// The hash of all bytes that were taken, and how many they are.
    hasher: Sha256,
    taken: u64,
    mark: Mark,
    /// What is told of a file with each chunk, so that it can be resumed.
    file: Option<InputProgress>,
    is_bytes: bool,
    pace: Option<Pace>,
    chunk_lines: usize,
}

/// The end of the last message that was cut.
struct Mark {
    hasher: Sha256,
    bytes: u64,
    lines: u64,
}

/// Where chunks go.
struct Link<'a> {
    sender: &'a Sender<Event>,
    stop: &'a AtomicBool,
    credit: &'a Credit,
}

impl Reader {
    pub(super) fn new(source: Source, options: InputOptions) -> Result<Reader> {
        let Source { mut supply, name } = source;
        let (mut lines, mut taken, mut hasher, mut file) = (0, 0, Sha256::new(), None);
        if let Supply::Bytes(bytes) = &supply {
            hasher = bytes.hasher.clone();
            // Lines that were picked out say nothing about how far the file was accepted.
            file = bytes.resume.clone().filter(|_| options.only.is_none());
            if let Some(at) = &bytes.resume {
                (lines, taken) = (at.lines, at.offset);
            }
        }
        let max = options.max_line_bytes;
        let mut ahead = Vec::new();
        let mut header_bytes = 0;
        let cutting = match (&mut supply, &options.form) {
            (Supply::Files(_) | Supply::Template(_), _) => Cutting::None,
            (Supply::Bytes(_), Form::Text { end, key_delimiter }) => {
                Cutting::Text(Frames::new(end.clone(), max), key_delimiter.clone())
            }
            (Supply::Bytes(_), Form::Records) => {
                let archive = Archive::new(taken == 0 && options.only.is_none());
                Cutting::Records(Frames::new(b"\n".to_vec(), max), archive)
            }
            (Supply::Bytes(bytes), Form::Table(columns)) => {
                let (header, rows, read, consumed) = header(bytes, &name, columns, &options)?;
                if bytes.beginning.is_none() {
                    (ahead, header_bytes) = (read, consumed);
                    lines += 1;
                }
                Cutting::Table(Box::new((rows, header)))
            }
        };
        hasher.update(&ahead[..header_bytes]);
        taken += header_bytes as u64;
        ahead.drain(..header_bytes);
        Ok(Reader {
            state: State {
                draft: Draft::new(&options, lines),
                cutting,
                max,
                reading: record::Reading {
                    keep_partition: options.keep_partition,
                    max_redrives: options.max_redrives,
                },
                ahead,
                mark: Mark {
                    hasher: hasher.clone(),
                    bytes: taken,
                    lines,
                },
                hasher,
                taken,
                file,
                is_bytes: matches!(supply, Supply::Bytes(_)),
                pace: options.rate.map(|rate| Pace::new(rate, Instant::now())),
                chunk_lines: options.rate.map_or(CHUNK_LINES, |rate| rate.burst().min(CHUNK_LINES)),
            },
            supply,
        })
    }

    pub(super) fn is_resumable(&self) -> bool {
        self.state.file.is_some()
    }

    pub(super) fn run(self, sender: &Sender<Event>, stop: &AtomicBool, credit: &Credit) {
        let Reader { supply, mut state } = self;
        let link = Link { sender, stop, credit };
        let error = match supply {
            Supply::Bytes(bytes) => state.read(bytes, &link),
            Supply::Files(files) => state.files(&files, &link),
            Supply::Template(template) => state.template(&template, &link),
        };
        if stop.load(Ordering::Relaxed) {
            return;
        }
        state.hand_over(&link);
        let _ = sender.send(Event::InputEnd(InputEnd {
            lines: state.draft.lines,
            error,
            strict: state.draft.stopped,
        }));
    }
}

/// The header of a table. Returns it, what cuts the rows after it, the bytes that were read for it and how many are its own.
fn header(
    bytes: &mut Bytes,
    name: &str,
    columns: &Columns,
    options: &InputOptions,
) -> Result<(Header, Rows, Vec<u8>, usize)> {
    fn block(beginning: &mut Option<File>, reader: &mut Box<dyn Read + Send>, block: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match beginning {
                Some(file) => file.read(block),
                None => reader.read(block),
            };
            match read {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
    let mut rows = Rows::new(options.max_line_bytes);
    let (mut read, mut buffer) = (Vec::new(), vec![0; BLOCK_BYTES]);
    let consumed = loop {
        let got = block(&mut bytes.beginning, &mut bytes.reader, &mut buffer)
            .map_err(|e| Problem::usage(format!("cannot read {name}")).because(e))?;
        if got == 0 {
            if rows.last() {
                break read.len();
            }
            return Err(Problem::usage(format!("{name} is empty"))
                .because("a CSV input begins with a line that names its columns")
                .next("check how it was made; without a header line send it with --input lines"));
        }
        let found = rows.next(&buffer[..got]);
        let before = read.len();
        read.extend_from_slice(&buffer[..got]);
        if let Some(consumed) = found {
            break before + consumed;
        }
        if read.len() > options.max_line_bytes.saturating_add(BLOCK_BYTES) {
            return Err(Problem::usage(format!("the header line of {name} does not end"))
                .because(format!("its first {} bytes are one line", read.len()))
                .next("check whether a quote in it is not closed"));
        }
    };
    let id = match &options.id {
        Some(IdFrom::Column(name)) => Some(name.as_str()),
        Some(IdFrom::Key | IdFrom::Header(_) | IdFrom::Json(_)) | None => None,
    };
    let header = match rows.row() {
        Ok(row) => Header::new(&row, columns, id, name)?,
        Err(Bad::OpenQuote) => {
            return Err(Problem::usage(format!(
                "a quote in the header line of {name} is not closed"
            )));
        }
        Err(Bad::TooLong(bytes)) => {
            return Err(Problem::usage(format!("the header line of {name} has {bytes} bytes")));
        }
    };
    rows.clear();
    if bytes.beginning.is_some() {
        // What comes next is not what follows the header.
        rows = Rows::new(options.max_line_bytes);
    }
    Ok((header, rows, read, consumed))
}

impl State {
    fn read(&mut self, mut bytes: Bytes, link: &Link<'_>) -> Option<io::Error> {
        let ahead = std::mem::take(&mut self.ahead);
        if !ahead.is_empty() {
            self.take(&ahead, link);
            self.hand_over(link);
        }
        let mut block = vec![0; BLOCK_BYTES];
        while !link.stop.load(Ordering::Relaxed) && self.draft.stopped.is_none() {
            match bytes.reader.read(&mut block) {
                Ok(0) => {
                    // The last line has no end of line; it is a message all the same.
                    self.cut_last();
                    if self.draft.stopped.is_none() {
                        self.mark_here();
                    }
                    return None;
                }
                Ok(n) => self.take(&block[..n], link),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Some(e),
            }
            self.hand_over(link);
        }
        None
    }

    fn files(&mut self, files: &Files, link: &Link<'_>) -> Option<io::Error> {
        for path in &files.paths {
            if link.stop.load(Ordering::Relaxed) || self.draft.stopped.is_some() {
                break;
            }
            files.read(path, &mut self.draft, self.max);
            self.hand_over_if_full(link);
        }
        None
    }

    fn template(&mut self, template: &Template, link: &Link<'_>) -> Option<io::Error> {
        while self.draft.lines < template.count && !link.stop.load(Ordering::Relaxed) && self.draft.stopped.is_none() {
            template.make(&mut self.draft);
            self.hand_over_if_full(link);
        }
        None
    }

    /// Cuts a block into messages. What follows the last one waits for the next block.
    fn take(&mut self, block: &[u8], link: &Link<'_>) {
        let (mut at, mut marked) = (0, 0);
        let mut mark = |state: &mut State, at: usize| {
            if at > marked {
                state.hash(&block[marked..at]);
                state.mark_here();
                marked = at;
            }
        };
        while at < block.len() {
            let Some(consumed) = self.cut(&block[at..]) else { break };
            if self.draft.stopped.is_some() {
                // Whoever mends this line and goes on begins with it.
                let lines = self.draft.lines - 1;
                mark(self, at);
                self.mark.lines = lines;
                return;
            }
            at += consumed;
            if self.draft.is_full(self.chunk_lines) {
                mark(self, at);
                self.hand_over(link);
            }
        }
        mark(self, at);
        self.hash(&block[at..]);
    }

    fn hash(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.taken += bytes.len() as u64;
    }

    fn mark_here(&mut self) {
        self.mark = Mark {
            hasher: self.hasher.clone(),
            bytes: self.taken,
            lines: self.draft.lines,
        };
    }

    /// The next message that ends in these bytes, with how many of them it took. `None` took all.
    fn cut(&mut self, bytes: &[u8]) -> Option<usize> {
        match &mut self.cutting {
            Cutting::Text(frames, key_delimiter) => {
                let frame = frames.next(bytes)?;
                text(
                    &mut self.draft,
                    frames,
                    &frame,
                    bytes,
                    key_delimiter.as_deref(),
                    self.max,
                );
                frames.clear();
                Some(frame.consumed)
            }
            Cutting::Records(frames, archive) => {
                let frame = frames.next(bytes)?;
                json(
                    &mut self.draft,
                    frames,
                    archive,
                    (&frame, bytes),
                    self.reading,
                    self.max,
                );
                frames.clear();
                Some(frame.consumed)
            }
            Cutting::Table(table) => {
                let (rows, header) = &mut **table;
                let consumed = rows.next(bytes)?;
                row(&mut self.draft, rows, header, self.max);
                rows.clear();
                Some(consumed)
            }
            Cutting::None => None,
        }
    }

    fn cut_last(&mut self) {
        match &mut self.cutting {
            Cutting::Text(frames, key_delimiter) => {
                if let Some(frame) = frames.last() {
                    text(&mut self.draft, frames, &frame, &[], key_delimiter.as_deref(), self.max);
                }
            }
            Cutting::Records(frames, archive) => {
                if let Some(frame) = frames.last() {
                    json(&mut self.draft, frames, archive, (&frame, &[]), self.reading, self.max);
                }
            }
            Cutting::Table(table) => {
                let (rows, header) = &mut **table;
                if rows.last() {
                    row(&mut self.draft, rows, header, self.max);
                }
            }
            Cutting::None => {}
        }
    }

    fn hand_over_if_full(&mut self, link: &Link<'_>) {
        if self.draft.is_full(self.chunk_lines) {
            self.hand_over(link);
        }
    }

    fn hand_over(&mut self, link: &Link<'_>) {
        if self.draft.is_empty() {
            return;
        }
        let mut chunk = std::mem::take(&mut self.draft.chunk);
        if self.is_bytes {
            let sha256 = self.mark.hasher.clone().finalize().into();
            chunk.read_to = Some(ReadTo {
                bytes: self.mark.bytes,
                sha256,
            });
            chunk.progress = self.file.as_ref().map(|file| InputProgress {
                offset: self.mark.bytes,
                lines: self.mark.lines,
                prefix_sha256: sha256,
                ..file.clone()
            });
        }
        hooks::mark(Phase::Read, chunk.lines.len() as u64);
        if !self.wait(chunk.lines.len(), link) {
            return;
        }
        link.credit.take(link.stop);
        // A pump that is gone has said so already.
        let _ = link.sender.send(Event::Chunk(Box::new(chunk)));
    }

    /// Waits until so many may go; `false` when it is to stop before.
    fn wait(&mut self, messages: usize, link: &Link<'_>) -> bool {
        let Some(pace) = &mut self.pace else { return true };
        while !pace.take(messages, Instant::now()) {
            if link.stop.load(Ordering::Relaxed) {
                return false;
            }
            std::thread::sleep(pace.wait(messages).min(LOOK));
        }
        true
    }
}

fn text(draft: &mut Draft, frames: &Frames, frame: &Frame, bytes: &[u8], key_delimiter: Option<&[u8]>, max: usize) {
    if !draft.begin() {
        return;
    }
    let (first, rest) = match frames.bytes(frame, bytes) {
        Ok(parts) => parts,
        Err(length) => return draft.too_long("line", length, max),
    };
    let start = draft.chunk.data.len();
    draft.chunk.data.extend_from_slice(first);
    draft.chunk.data.extend_from_slice(rest);
    let line = start..draft.chunk.data.len();
    let Some(delimiter) = key_delimiter else {
        return draft.push(start, None, line, None);
    };
    match find(&draft.chunk.data[line.clone()], delimiter) {
        Some(at) => draft.push(
            start,
            Some(start..start + at),
            start + at + delimiter.len()..line.end,
            None,
        ),
        None => {
            draft.chunk.data.truncate(start);
            draft.reject(format!(
                "the line has no {:?} to split its key at (-K)",
                String::from_utf8_lossy(delimiter)
            ));
        }
    }
}

fn json(
    draft: &mut Draft,
    frames: &Frames,
    archive: &mut Archive,
    (frame, bytes): (&Frame, &[u8]),
    how: record::Reading,
    max: usize,
) {
    if !draft.begin() {
        return;
    }
    let (first, rest) = match frames.bytes(frame, bytes) {
        Ok(parts) => parts,
        Err(length) => return draft.too_long("line", length, max),
    };
    let whole;
    let line = if first.is_empty() {
        rest
    } else {
        whole = [first, rest].concat();
        &whole
    };
    let record = match record::read(line, how) {
        Ok(record::Read::End(hash)) => {
            let end = hash.map_or(Ok(()), |hash| archive.end(&hash));
            return end.unwrap_or_else(|reason| draft.reject(reason));
        }
        read => {
            archive.line(line);
            match read {
                Ok(record::Read::Record(record)) => record,
                Ok(record::Read::Empty | record::Read::End(_)) => return,
                Err(reason) => return draft.reject(reason),
            }
        }
    };
    let start = draft.chunk.data.len();
    let key = record.key.map(|key| draft.append(&key));
    let extra = Extra {
        tombstone: record.value.is_none(),
        headers: {
            let from = draft.chunk.headers.len();
            for (name, value) in &record.headers {
                let name = draft.append(name.as_bytes());
                let value = value.as_ref().map(|value| draft.append(value));
                draft.chunk.headers.push((name, value));
            }
            from..draft.chunk.headers.len()
        },
        tag: record.tag.map(|tag| draft.append(tag.as_bytes())),
        partition: record.partition,
        id: None,
    };
    let value = draft.append(record.value.as_deref().unwrap_or_default());
    draft.push(start, key, value, Some(extra));
}

fn row(draft: &mut Draft, rows: &Rows, header: &Header, max: usize) {
    if !draft.begin() {
        return;
    }
    let row: Row<'_> = match rows.row() {
        Ok(row) => row,
        Err(Bad::TooLong(length)) => return draft.too_long("row", length, max),
        Err(Bad::OpenQuote) => return draft.reject("a quote is opened and never closed".to_owned()),
    };
    let (fields, columns) = (row.len(), header.names.len());
    if fields != columns {
        return draft.reject(format!("the row has {fields} fields, the header has {columns}"));
    }
    let start = draft.chunk.data.len();
    let key = header.key.map(|i| draft.append(row.field(i)));
    let value = match header.value {
        Some(i) => draft.append(row.field(i)),
        None => {
            let from = draft.chunk.data.len();
            header.object(&row, &mut draft.chunk.data);
            from..draft.chunk.data.len()
        }
    };
    let mut extra = None;
    if !header.headers.is_empty() || header.id.is_some() {
        let from = draft.chunk.headers.len();
        for &i in &header.headers {
            let name = draft.append(header.names[i].as_bytes());
            let value = draft.append(row.field(i));
            draft.chunk.headers.push((name, Some(value)));
        }
        extra = Some(Extra {
            headers: from..draft.chunk.headers.len(),
            id: header.id.map(|i| draft.append(row.field(i))),
            ..Extra::default()
        });
    }
    draft.push(start, key, value, extra);
}
