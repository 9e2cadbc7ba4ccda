//! The input: bytes to messages, in chunks that become one durable commit each.

mod archive;
mod business;
mod credit;
mod draft;
mod files;
mod frames;
mod reader;
mod record;
mod source;
mod table;
mod template;

pub use business::IdFrom;
pub use draft::Numbers;
pub use files::KeyFrom;
pub use source::{Source, beginning_sha256};
pub use table::Columns;
pub use template::Template;

pub(super) use credit::Credit;

use super::event::Event;
use super::pace::Rate;
use crate::model::Result;
use crate::spool::InputProgress;
use reader::Reader;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;

/// One commit holds at most so many messages, and at most so many bytes unless a single message is larger.
const CHUNK_LINES: usize = 2000;
const CHUNK_BYTES: usize = 1 << 20;
const BLOCK_BYTES: usize = 256 << 10;

/// Messages that were read together.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The bytes that everything else points into.
    pub data: Vec<u8>,
    /// What became messages.
    pub lines: Vec<Line>,
    /// What only some messages have.
    pub extras: Vec<Extra>,
    /// Headers of the messages, each message's one after the other: name, and value where it has one. Names are UTF-8.
    pub headers: Vec<(Range<usize>, Option<Range<usize>>)>,
    /// What could not become a message.
    pub rejected: Vec<Rejected>,
    /// How far the file is read with this chunk; `None` for what cannot be resumed.
    pub progress: Option<InputProgress>,
    /// How many bytes were read with this chunk, and their SHA-256; `None` for what is no sequence of bytes.
    pub read_to: Option<ReadTo>,
}

/// The beginning of an input, as far as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadTo {
    /// So many bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// One message of a chunk.
#[derive(Debug, Clone)]
pub struct Line {
    /// Counted from 1: lines, records, or files, as the input has them. The header line of a table is the first.
    pub number: u64,
    /// The key, where the message has one.
    pub key: Option<Range<usize>>,
    /// The payload; empty for a tombstone.
    pub value: Range<usize>,
    /// Where in the chunk's extras it has more; most messages have none.
    pub extra: Option<u32>,
}

/// What a message has besides key and payload.
#[derive(Debug, Clone, Default)]
pub struct Extra {
    /// There is no payload at all.
    pub tombstone: bool,
    /// Its own headers, in the chunk's.
    pub headers: Range<usize>,
    /// RocketMQ's tag.
    pub tag: Option<Range<usize>>,
    /// The partition that it wants.
    pub partition: Option<i32>,
    /// What the business calls it, where that was asked for.
    pub id: Option<Range<usize>>,
}

impl Chunk {
    /// What a message has besides key and payload.
    pub(super) fn extra(&self, line: &Line) -> Option<&Extra> {
        self.extras.get(line.extra? as usize)
    }

    /// The bytes of a range.
    pub(super) fn bytes(&self, range: &Range<usize>) -> &[u8] {
        &self.data[range.clone()]
    }

    /// The text of a range that was checked to be UTF-8 when it was read.
    pub(super) fn text(&self, range: &Range<usize>) -> &str {
        std::str::from_utf8(self.bytes(range)).unwrap_or_default()
    }
}

/// Something of the input that could not be read as a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Counted from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// Why no more messages come.
#[derive(Debug)]
pub struct InputEnd {
    /// Lines read, from the start of the input.
    pub lines: u64,
    /// What broke, when it did not simply end.
    pub error: Option<io::Error>,
    /// The line that could not be read and that nothing may come after.
    pub strict: Option<u64>,
}

/// How bytes become messages.
#[derive(Debug, Clone)]
pub enum Form {
    /// Each message ends with the same bytes.
    Text {
        /// What a message ends with; never empty.
        end: Vec<u8>,
        /// Splits key from value at its first occurrence.
        key_delimiter: Option<Vec<u8>>,
    },
    /// One JSON record a line.
    Records,
    /// CSV with a header line.
    Table(Columns),
}

impl Form {
    /// Lines, without keys.
    pub fn lines() -> Form {
        Form::Text {
            end: b"\n".to_vec(),
            key_delimiter: None,
        }
    }

    /// Words for it that differ when the same bytes would be other messages.
    pub fn name(&self) -> String {
        match self {
            Form::Text { end, .. } if end == b"\n" => "lines".to_owned(),
            Form::Text { end, .. } => format!("messages that end with \"{}\"", end.escape_ascii()),
            Form::Records => "jsonl".to_owned(),
            Form::Table(_) => "csv".to_owned(),
        }
    }
}

/// How the input is read.
#[derive(Debug, Clone)]
pub struct InputOptions {
    /// How bytes become messages; of no effect on whole files and on a template.
    pub form: Form,
    /// A message longer than this is rejected unread, so that memory stays bounded.
    pub max_line_bytes: usize,
    /// Ends at the first line that cannot be read.
    pub strict: bool,
    /// Whether a record's partition is a wish.
    pub keep_partition: bool,
    /// How often a record may have gone from a broker to a broker; one that would go once more is rejected.
    pub max_redrives: u32,
    /// Where the business's own id of a message is.
    pub id: Option<IdFrom>,
    /// The business's id of a message that has none of its own.
    pub fixed_id: Option<Vec<u8>>,
    /// Only these lines are read as messages.
    pub only: Option<Arc<Numbers>>,
    /// Not more than this.
    pub rate: Option<Rate>,
}

impl Default for InputOptions {
    fn default() -> InputOptions {
        InputOptions {
            form: Form::lines(),
            max_line_bytes: 16 << 20,
            strict: false,
            keep_partition: false,
            max_redrives: 5,
            id: None,
            fixed_id: None,
            only: None,
            rate: None,
        }
    }
}

/// An input that is ready to be read.
pub struct Input(Reader);

impl Input {
    /// Prepares an input. The header of a table is read here, so that a mistake in it costs nothing.
    ///
    /// # Errors
    /// A usage problem when a table has no header, or not the columns that were asked for.
    pub fn new(source: Source, options: InputOptions) -> Result<Input> {
        Reader::new(source, options).map(Input)
    }

    /// Whether an interrupted run can go on where it was.
    pub fn is_resumable(&self) -> bool {
        self.0.is_resumable()
    }

    /// Starts reading on a thread of its own. The thread ends with an [`Event::InputEnd`], or silently once `stop` is set.
    pub(super) fn start(self, sender: Sender<Event>, stop: Arc<AtomicBool>, credit: Arc<Credit>) -> io::Result<()> {
        let reader = self.0;
        std::thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || reader.run(&sender, &stop, &credit))
            .map(drop)
    }
}

#[cfg(test)]
mod tests;
