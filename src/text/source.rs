//! A file's bytes, its lines, and the way from a byte to a line and a column.

use std::ops::Range;

/// A half-open range of bytes of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The range from `start` to `end`; empty when they are the wrong way round.
    pub fn new(start: usize, end: usize) -> Span {
        Span {
            start,
            end: end.max(start),
        }
    }

    /// Whether the two share a byte.
    pub fn overlaps(self, other: Span) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// As a standard range.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// Where a person finds a byte: line and column, both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
}

/// One file as it was read. The bytes need not be UTF-8: what is not is taken for ISO 8859-1, as Java does.
#[derive(Debug)]
pub struct SourceFile {
    bytes: Vec<u8>,
    utf8: bool,
    /// Whether every character is one byte, so that none need be counted.
    ascii: bool,
    /// Thousands of files are held at once, and none is longer than such a number tells.
    line_starts: Box<[u32]>,
    /// How many characters begin before every [`MARK_EVERY`]th byte: a definitions file is often one line of megabytes.
    char_marks: Vec<usize>,
}

const MARK_EVERY: usize = 4096;

/// How many characters begin in these bytes of UTF-8.
fn chars_in(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| (**b & 0xC0) != 0x80).count()
}

/// A place in a file of less than 4 GiB; the last one of a larger one.
fn short(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl SourceFile {
    /// Takes the bytes and finds the lines. A line ends with `\n`, `\r\n` or `\r`.
    pub fn new(bytes: Vec<u8>) -> SourceFile {
        let mut line_starts = vec![0_u32];
        for (i, b) in bytes.iter().enumerate() {
            if *b == b'\n' || (*b == b'\r' && bytes.get(i + 1) != Some(&b'\n')) {
                line_starts.push(short(i + 1));
            }
        }
        let ascii = bytes.is_ascii();
        let mut char_marks = vec![0];
        for chunk in bytes.chunks(MARK_EVERY).filter(|_| !ascii) {
            char_marks.push(char_marks.last().copied().unwrap_or(0) + chars_in(chunk));
        }
        SourceFile {
            utf8: ascii || std::str::from_utf8(&bytes).is_ok(),
            ascii,
            bytes,
            line_starts: line_starts.into_boxed_slice(),
            char_marks,
        }
    }

    /// The bytes, all of them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text when it is UTF-8.
    ///
    /// # Errors
    /// The offset of the first byte that is not UTF-8.
    pub fn utf8(&self) -> Result<&str, usize> {
        std::str::from_utf8(&self.bytes).map_err(|e| e.valid_up_to())
    }

    /// How many bytes of a byte order mark the file begins with: 0 or 3.
    pub fn byte_order_mark(&self) -> usize {
        if self.bytes.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len()
        } else {
            0
        }
    }

    /// Bytes of this file as text.
    pub fn decode(&self, bytes: &[u8]) -> String {
        if self.utf8 {
            String::from_utf8_lossy(bytes).into_owned()
        } else {
            bytes.iter().map(|b| char::from(*b)).collect()
        }
    }

    /// The line and column of a byte.
    pub fn spot(&self, offset: usize) -> Spot {
        let offset = offset.min(self.bytes.len());
        let line = self.line_starts.partition_point(|s| *s as usize <= offset).max(1);
        let mut start = self.line_starts.get(line - 1).map_or(0, |s| *s as usize);
        if line == 1 {
            start = start.max(self.byte_order_mark()).min(offset);
        }
        let column = if self.utf8 && !self.ascii {
            self.chars_before(offset) - self.chars_before(start)
        } else {
            offset - start
        };
        Spot {
            line,
            column: column + 1,
        }
    }

    fn chars_before(&self, offset: usize) -> usize {
        let mark = offset / MARK_EVERY;
        let rest = self.bytes.get(mark * MARK_EVERY..offset).unwrap_or_default();
        self.char_marks.get(mark).copied().unwrap_or(0) + chars_in(rest)
    }

    /// The bytes of the line that holds `offset`, without its end and without a byte order mark.
    pub fn line_span(&self, offset: usize) -> Span {
        let line = self.line_starts.partition_point(|s| *s as usize <= offset).max(1);
        let mut start = self.line_starts.get(line - 1).map_or(0, |s| *s as usize);
        if line == 1 {
            start = start.max(self.byte_order_mark());
        }
        let next = self.line_starts.get(line).map_or(self.bytes.len(), |s| *s as usize);
        let mut end = next.max(start);
        while end > start && matches!(self.bytes.get(end - 1), Some(b'\n' | b'\r')) {
            end -= 1;
        }
        Span::new(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spots_count_characters_and_every_line_end() {
        let f = SourceFile::new("\u{feff}ż=1\r\nb=2\rc=3\n".as_bytes().to_vec());
        assert_eq!(f.spot(3), Spot { line: 1, column: 1 });
        assert_eq!(f.spot(5), Spot { line: 1, column: 2 });
        assert_eq!(f.spot(9), Spot { line: 2, column: 1 });
        assert_eq!(f.spot(13), Spot { line: 3, column: 1 });
        assert_eq!(f.line_span(10).range(), 9..12);
        assert_eq!(f.line_span(4).range(), 3..7);
        assert_eq!(f.spot(9999).line, 4);
    }

    #[test]
    fn columns_of_a_very_long_line() {
        let f = SourceFile::new("ż".repeat(10_000).into_bytes());
        for n in [0, 1, 2047, 2048, 2049, 9_999] {
            assert_eq!(f.spot(n * 2), Spot { line: 1, column: n + 1 });
        }
    }

    #[test]
    fn an_empty_file_has_one_line() {
        let f = SourceFile::new(Vec::new());
        assert_eq!(f.spot(0), Spot { line: 1, column: 1 });
        assert_eq!(f.line_span(0), Span::new(0, 0));
    }
}
