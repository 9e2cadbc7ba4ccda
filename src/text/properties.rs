//! Java `.properties` with the place of every key, separator and value.
//!
//! The grammar is that of `java.util.Properties.load`: `#` and `!` comments, `=`, `:` or white space between key and value, a
//! backslash at the end of a line goes on with the next, `\uXXXX` and the short escapes. The crate that reads this format gives
//! neither places nor raw text, so it serves the tests as an oracle instead.

use super::{SourceFile, Span};

/// How many settings a file may hold. The longest real one, a dump of every setting of a broker, has some hundred.
pub const MAX_ENTRIES: usize = 200_000;

/// One setting as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key, unescaped.
    pub key: String,
    /// The value, unescaped, with the white space at its end that Java keeps.
    pub value: String,
    /// The raw key.
    pub key_span: Span,
    /// From the end of the key to the begin of the value.
    pub separator_span: Span,
    /// The raw value, over all the lines it goes on for.
    pub value_span: Span,
    /// Whether `=` or `:` stands between key and value.
    pub has_separator: bool,
}

/// What makes Java refuse the whole file, or this reader stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Where it is.
    pub offset: usize,
    /// What it is; nothing of the file's own text.
    pub what: &'static str,
}

/// A whole file: its settings in order, and the first thing that Java would refuse.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Properties {
    /// The settings in the order of the file; a key may come more than once.
    pub entries: Vec<Entry>,
    /// The first escape that Java refuses, and with it the file.
    pub malformed: Option<Malformed>,
}

/// Reads a whole file. Never fails: what Java would refuse is told in [`Properties::malformed`].
pub fn parse(source: &SourceFile) -> Properties {
    let mut lines = LogicalLines {
        bytes: source.bytes(),
        at: source.byte_order_mark(),
    };
    let mut out = Properties::default();
    let mut line = Vec::new();
    while lines.next(&mut line) {
        if out.entries.len() == MAX_ENTRIES {
            out.malformed.get_or_insert(Malformed {
                offset: line.first().map_or(0, |(_, at)| *at),
                what: "more settings than are read",
            });
            break;
        }
        let (entry, malformed) = split(source, &line);
        out.entries.push(entry);
        out.malformed = out.malformed.or(malformed);
    }
    out
}

/// One byte of a logical line and where it stands in the file.
type Placed = (u8, usize);

struct LogicalLines<'a> {
    bytes: &'a [u8],
    at: usize,
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | 0x0C)
}

impl LogicalLines<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn skip_line_end(&mut self) {
        match self.peek() {
            Some(b'\r') => {
                self.at += 1;
                if self.peek() == Some(b'\n') {
                    self.at += 1;
                }
            }
            Some(b'\n') => self.at += 1,
            _ => {}
        }
    }

    /// Fills `line` with the next logical line that holds something; false at the end of the file.
    fn next(&mut self, line: &mut Vec<Placed>) -> bool {
        line.clear();
        loop {
            self.skip_spaces();
            match self.peek() {
                None => return false,
                Some(b'\r' | b'\n') => self.skip_line_end(),
                Some(b'#' | b'!') => {
                    while self.peek().is_some_and(|b| b != b'\r' && b != b'\n') {
                        self.at += 1;
                    }
                }
                Some(_) => {
                    self.take(line);
                    if !line.is_empty() {
                        return true;
                    }
                }
            }
        }
    }

    fn take(&mut self, line: &mut Vec<Placed>) {
        let mut escaping = false;
        while let Some(b) = self.peek() {
            if b == b'\r' || b == b'\n' {
                self.skip_line_end();
                if !escaping {
                    return;
                }
                line.pop();
                escaping = false;
                self.skip_spaces();
                continue;
            }
            line.push((b, self.at));
            self.at += 1;
            escaping = b == b'\\' && !escaping;
        }
        if escaping {
            line.pop();
        }
    }
}

/// Splits a logical line, which is never empty, into key and value.
fn split(source: &SourceFile, line: &[Placed]) -> (Entry, Option<Malformed>) {
    let mut key_len = line.len();
    let mut escaping = false;
    for (i, (b, _)) in line.iter().enumerate() {
        if !escaping && (is_space(*b) || matches!(b, b'=' | b':')) {
            key_len = i;
            break;
        }
        escaping = *b == b'\\' && !escaping;
    }
    let mut value_at = key_len;
    let mut has_separator = false;
    while let Some((b, _)) = line.get(value_at) {
        if is_space(*b) {
            value_at += 1;
        } else if !has_separator && matches!(b, b'=' | b':') {
            has_separator = true;
            value_at += 1;
        } else {
            break;
        }
    }
    let (key_raw, value_raw) = (&line[..key_len], &line[value_at..]);
    let first = line.first().map_or(0, |(_, at)| *at);
    let last = line.last().map_or(first, |(_, at)| at + 1);
    let key_span = span_of(key_raw).unwrap_or(Span::new(first, first));
    let value_span = span_of(value_raw).unwrap_or(Span::new(last, last));
    let mut malformed = None;
    let entry = Entry {
        key: unescape(source, key_raw, &mut malformed),
        value: unescape(source, value_raw, &mut malformed),
        key_span,
        separator_span: Span::new(key_span.end, value_span.start),
        value_span,
        has_separator,
    };
    (entry, malformed)
}

fn span_of(raw: &[Placed]) -> Option<Span> {
    Some(Span::new(raw.first()?.1, raw.last()?.1 + 1))
}

/// Turns raw bytes into text: plain bytes and `\u` units are gathered apart, so that both decode as wholes.
fn unescape(source: &SourceFile, raw: &[Placed], malformed: &mut Option<Malformed>) -> String {
    let mut out = String::with_capacity(raw.len());
    let (mut plain, mut units) = (Vec::new(), Vec::new());
    let mut i = 0;
    while let Some((b, at)) = raw.get(i).copied() {
        i += 1;
        if b != b'\\' {
            flush_units(&mut out, &mut units);
            plain.push(b);
            continue;
        }
        let Some((escape, _)) = raw.get(i).copied() else { break };
        i += 1;
        if escape == b'u' {
            match hex_unit(&raw[i..]) {
                Some(unit) => {
                    flush_plain(source, &mut out, &mut plain);
                    units.push(unit);
                    i += 4;
                    continue;
                }
                None => {
                    malformed.get_or_insert(Malformed {
                        offset: at,
                        what: "malformed \\uXXXX escape: four hexadecimal digits must follow",
                    });
                }
            }
        }
        flush_units(&mut out, &mut units);
        plain.push(match escape {
            b't' => b'\t',
            b'n' => b'\n',
            b'r' => b'\r',
            b'f' => 0x0C,
            other => other,
        });
    }
    flush_units(&mut out, &mut units);
    flush_plain(source, &mut out, &mut plain);
    out
}

fn hex_unit(raw: &[Placed]) -> Option<u16> {
    let digits = raw.get(..4)?;
    digits.iter().try_fold(0u16, |sum, (b, _)| {
        let digit = char::from(*b).to_digit(16)?;
        Some(sum << 4 | digit as u16)
    })
}

fn flush_plain(source: &SourceFile, out: &mut String, plain: &mut Vec<u8>) {
    if !plain.is_empty() {
        out.push_str(&source.decode(plain));
        plain.clear();
    }
}

fn flush_units(out: &mut String, units: &mut Vec<u16>) {
    if !units.is_empty() {
        out.push_str(&String::from_utf16_lossy(units));
        units.clear();
    }
}

#[cfg(test)]
#[path = "properties_tests.rs"]
mod tests;
