//! The chunk that is being made of what was read.

use super::{CHUNK_BYTES, Chunk, Extra, InputOptions, Line, Rejected, business};
use std::ops::Range;
use std::sync::Arc;

/// Numbers of lines, as sorted inclusive ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers(Vec<(u64, u64)>);

impl Numbers {
    /// Adds a number that is larger than all before.
    pub fn push(&mut self, number: u64) {
        match self.0.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            Some(_) | None => self.0.push((number, number)),
        }
    }

    /// Whether it is one of them.
    pub fn contains(&self, number: u64) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= number);
        after > 0 && number <= self.0[after - 1].1
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The chunk, and what every message of it must keep to.
pub(super) struct Draft {
    pub(super) chunk: Chunk,
    /// Lines read, from the start of the input.
    pub(super) lines: u64,
    /// The line that nothing may come after.
    pub(super) stopped: Option<u64>,
    strict: bool,
    only: Option<Arc<super::Numbers>>,
    id: Option<business::IdFrom>,
    fixed_id: Option<Vec<u8>>,
}

impl Draft {
    pub(super) fn new(options: &InputOptions, lines: u64) -> Draft {
        Draft {
            chunk: Chunk::default(),
            lines,
            stopped: None,
            strict: options.strict,
            only: options.only.clone(),
            id: options.id.clone(),
            fixed_id: options.fixed_id.clone(),
        }
    }

    /// Counts a line; whether it is to be read.
    pub(super) fn begin(&mut self) -> bool {
        self.lines += 1;
        self.only.as_ref().is_none_or(|only| only.contains(self.lines))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunk.lines.is_empty() && self.chunk.rejected.is_empty()
    }

    pub(super) fn is_full(&self, lines: usize) -> bool {
        self.chunk.lines.len() + self.chunk.rejected.len() >= lines || self.chunk.data.len() >= CHUNK_BYTES
    }

    pub(super) fn reject(&mut self, reason: String) {
        if self.strict {
            self.stopped = Some(self.lines);
        }
        self.chunk.rejected.push(Rejected {
            line: self.lines,
            reason,
        });
    }

    pub(super) fn too_long(&mut self, what: &str, length: u64, limit: usize) {
        self.reject(format!(
            "the {what} has {length} bytes, more than {limit}; split it or raise --max-message-bytes"
        ));
    }

    /// Puts bytes into the chunk.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.chunk.data.len();
        self.chunk.data.extend_from_slice(bytes);
        start..self.chunk.data.len()
    }

    /// Adds a message whose parts are in the chunk from `start` on.
    pub(super) fn push(&mut self, start: usize, key: Option<Range<usize>>, value: Range<usize>, extra: Option<Extra>) {
        let mut extra = extra;
        if let Some(from) = &self.id {
            let mut own = extra.unwrap_or_default();
            let found = business::find(
                from,
                self.fixed_id.as_deref(),
                &mut self.chunk,
                key.as_ref(),
                &value,
                &own,
            );
            match found {
                Ok(id) => own.id = Some(id),
                Err(reason) => {
                    self.chunk.data.truncate(start);
                    self.chunk.headers.truncate(own.headers.start);
                    return self.reject(reason);
                }
            }
            extra = Some(own);
        }
        let extra = extra.map(|extra| {
            self.chunk.extras.push(extra);
            // A chunk holds a few thousand messages.
            (self.chunk.extras.len() - 1) as u32
        });
        self.chunk.lines.push(Line {
            number: self.lines,
            key,
            value,
            extra,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_hold_what_was_pushed(all in proptest::collection::btree_set(0u64..100, 0..50)) {
            let mut numbers = Numbers::default();
            for n in &all { numbers.push(*n) }
            prop_assert_eq!(numbers.len(), all.len() as u64);
            for n in 0..101 { prop_assert_eq!(numbers.contains(n), all.contains(&n)) }
        }
    }
}
