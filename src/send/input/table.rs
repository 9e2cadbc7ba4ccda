//! CSV with a header line (RFC 4180), in bytes that come in pieces of any size. Quotes and ends of lines in fields are kept.

use crate::model::{Problem, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use csv_core::{ReadRecordResult, Reader};
use std::ops::Range;

/// A table with more columns than this is no table.
const MOST_COLUMNS: usize = 100_000;

/// Which columns become what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// The key.
    pub key: Option<String>,
    /// The payload; without it, the whole row as a JSON object.
    pub value: Option<String>,
    /// Headers, by the names of their columns.
    pub headers: Vec<String>,
}

/// The columns of one table, by their places.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) names: Vec<String>,
    /// `"name":` for each, as it stands in JSON.
    labels: Vec<Vec<u8>>,
    pub(super) key: Option<usize>,
    pub(super) value: Option<usize>,
    pub(super) headers: Vec<usize>,
    /// The column of the business's id.
    pub(super) id: Option<usize>,
}

impl Header {
    /// Finds the columns that were asked for in the first row of a table.
    pub(super) fn new(row: &Row<'_>, columns: &Columns, id: Option<&str>, table: &str) -> Result<Header> {
        let text = |(i, field): (usize, &[u8])| {
            // Some programs of Windows begin a UTF-8 file with this mark.
            let field = if i == 0 {
                field.strip_prefix(b"\xef\xbb\xbf").unwrap_or(field)
            } else {
                field
            };
            let name = std::str::from_utf8(field).map(str::to_owned);
            name.map_err(|_| {
                Problem::usage(format!("the header of {table} is not UTF-8"))
                    .because(format!("its column {} is not", i + 1))
                    .next("convert the file to UTF-8")
            })
        };
        let names: Vec<String> = row.fields().enumerate().map(text).collect::<Result<_>>()?;
        for (i, name) in names.iter().enumerate() {
            if names[..i].contains(name) {
                return Err(Problem::usage(format!("{table} has two columns named {name:?}"))
                    .because("the first line of a CSV input names its columns")
                    .next("rename one of them, or give the file its header line"));
            }
        }
        let find = |name: &str| {
            names.iter().position(|n| n == name).ok_or_else(|| {
                Problem::usage(format!("{table} has no column {name:?}"))
                    .because(format!("its header line names {}", some(&names)))
                    .next("check the name and the header line")
            })
        };
        let labels = names.iter().map(|name| {
            let mut label = Vec::new();
            json_text(name, &mut label);
            label.push(b':');
            label
        });
        Ok(Header {
            labels: labels.collect(),
            key: columns.key.as_deref().map(find).transpose()?,
            value: columns.value.as_deref().map(find).transpose()?,
            headers: columns.headers.iter().map(|h| find(h)).collect::<Result<_>>()?,
            id: id.map(find).transpose()?,
            names,
        })
    }

    /// A row as a JSON object of texts.
    pub(super) fn object(&self, row: &Row<'_>, out: &mut Vec<u8>) {
        for (i, (label, field)) in self.labels.iter().zip(row.fields()).enumerate() {
            out.push(if i == 0 { b'{' } else { b',' });
            out.extend_from_slice(label);
            match std::str::from_utf8(field) {
                Ok(text) => json_text(text, out),
                Err(_) => {
                    out.extend_from_slice(b"{\"base64\":\"");
                    out.extend_from_slice(STANDARD.encode(field).as_bytes());
                    out.extend_from_slice(b"\"}");
                }
            }
        }
        out.push(b'}');
    }
}

fn json_text(text: &str, out: &mut Vec<u8>) {
    // A text always becomes JSON, and memory does not refuse it.
    let _ = serde_json::to_writer(out, text);
}

/// The first names, for a person.
fn some(names: &[String]) -> String {
    let first: Vec<String> = names.iter().take(10).map(|n| format!("{n:?}")).collect();
    let more = if names.len() > first.len() { ", …" } else { "" };
    format!("{}{more}", first.join(", "))
}

/// One row.
pub(super) struct Row<'a> {
    out: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Row<'a> {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn field(&self, i: usize) -> &'a [u8] {
        let range = self.range(i);
        self.out.get(range).unwrap_or_default()
    }

    fn range(&self, i: usize) -> Range<usize> {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        start..self.ends[i]
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.len()).map(|i| self.field(i))
    }
}

/// Why a row cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    /// It has more bytes than are held.
    TooLong(u64),
    /// The input ended inside quotes.
    OpenQuote,
}

/// Splits CSV into rows.
pub(super) struct Rows {
    core: Reader,
    out: Vec<u8>,
    ends: Vec<usize>,
    filled: usize,
    fields: usize,
    /// Bytes of the row being read, as they stand in the input.
    raw: u64,
    max: usize,
    bad: bool,
    open_quote: bool,
}

impl Rows {
    pub(super) fn new(max: usize) -> Rows {
        Rows {
            core: Reader::new(),
            out: vec![0; 4096],
            ends: vec![0; 64],
            filled: 0,
            fields: 0,
            raw: 0,
            max,
            bad: false,
            open_quote: false,
        }
    }

    /// Reads on in a block; how many bytes of it belong to the row that ends there. `None` takes all of it.
    pub(super) fn next(&mut self, block: &[u8]) -> Option<usize> {
        let mut at = 0;
        // An empty piece would mean the end of the input.
        while at < block.len() {
            if self.step(&block[at..], &mut at) {
                return Some(at);
            }
        }
        None
    }

    /// At the end of the input: whether there is one more row, which has no end of line.
    pub(super) fn last(&mut self) -> bool {
        // An end of line more ends a row that is not whole. Between rows it is nothing, and inside quotes a part of the field.
        if self.filled == self.out.len() {
            self.out.push(0);
        }
        if self.fields == self.ends.len() {
            self.ends.push(0);
        }
        let before = self.filled;
        if self.step(b"\n", &mut 0) {
            return true;
        }
        self.open_quote = self.filled > before;
        self.open_quote
    }

    /// One step of the machine; `true` when a row is whole.
    fn step(&mut self, input: &[u8], at: &mut usize) -> bool {
        let (result, read, wrote, ended) =
            self.core
                .read_record(input, &mut self.out[self.filled..], &mut self.ends[self.fields..]);
        *at += read;
        self.raw += read as u64;
        self.filled += wrote;
        self.fields += ended;
        match result {
            ReadRecordResult::Record => return true,
            ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
            ReadRecordResult::OutputFull => {
                if self.out.len() > self.max {
                    (self.bad, self.filled) = (true, 0);
                } else {
                    let size = (self.out.len() * 2).min(self.max.saturating_add(1));
                    self.out.resize(size, 0);
                }
            }
            ReadRecordResult::OutputEndsFull => {
                if self.ends.len() >= MOST_COLUMNS {
                    (self.bad, self.fields) = (true, 0);
                } else {
                    self.ends.resize(self.ends.len() * 2, 0);
                }
            }
        }
        false
    }

    /// The row that was found.
    pub(super) fn row(&self) -> std::result::Result<Row<'_>, Bad> {
        if self.open_quote {
            return Err(Bad::OpenQuote);
        }
        if self.bad || self.filled > self.max {
            return Err(Bad::TooLong(self.raw));
        }
        Ok(Row {
            out: &self.out[..self.filled],
            ends: &self.ends[..self.fields],
        })
    }

    /// Forgets the row that was told, to begin the next.
    pub(super) fn clear(&mut self) {
        (self.filled, self.fields, self.raw) = (0, 0, 0);
        (self.bad, self.open_quote) = (false, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Told = std::result::Result<Vec<String>, Bad>;

    fn split(bytes: &[u8], max: usize, pieces: &[usize]) -> Vec<Told> {
        let (mut rows, mut got, mut sizes, mut rest) = (Rows::new(max), Vec::new(), pieces.iter().cycle(), bytes);
        let told = |rows: &Rows| {
            let text = |f: &[u8]| String::from_utf8_lossy(f).into_owned();
            rows.row().map(|row| row.fields().map(text).collect())
        };
        while !rest.is_empty() {
            let (mut block, later) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            rest = later;
            while let Some(consumed) = rows.next(block) {
                got.push(told(&rows));
                rows.clear();
                block = &block[consumed..];
            }
        }
        if rows.last() {
            got.push(told(&rows));
        }
        got
    }

    fn row(fields: &[&str]) -> Told {
        Ok(fields.iter().map(|f| (*f).to_owned()).collect())
    }

    #[test]
    fn quotes_and_ends_of_lines_in_fields() {
        let text = b"a,b\r\n\"x, y\",\"two\nlines\"\n\n\"he said \"\"no\"\"\",\n1,2";
        let want = [
            row(&["a", "b"]),
            row(&["x, y", "two\nlines"]),
            row(&["he said \"no\"", ""]),
            row(&["1", "2"]),
        ];
        for piece in 1..60 {
            assert_eq!(split(text, 1000, &[piece]), want, "{piece}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_is_told() {
        for piece in [1, 7, 100] {
            assert_eq!(
                split(b"a,b\n1,2\n3,\"and so on\n4,5\n", 1000, &[piece]),
                [row(&["a", "b"]), row(&["1", "2"]), Err(Bad::OpenQuote)]
            );
            // A quote in the middle of a field is a character like any other.
            assert_eq!(split(b"a\n\"", 10, &[piece]), [row(&["a"]), Err(Bad::OpenQuote)]);
            assert_eq!(split(b"a\n\"\"", 10, &[piece]), [row(&["a"]), row(&[""])]);
            assert_eq!(split(b"5\" pipe,x", 1000, &[piece]), [row(&["5\" pipe", "x"])]);
        }
    }

    #[test]
    fn a_row_that_is_too_long_is_not_held() {
        let long = format!("a,{}\nb,c\n", "x".repeat(50_000));
        let got = split(long.as_bytes(), 10_000, &[997]);
        assert_eq!(got, [Err(Bad::TooLong(50_003)), row(&["b", "c"])]);
        let wide = format!("{}\nb\n", ",".repeat(MOST_COLUMNS * 3));
        assert!(matches!(
            split(wide.as_bytes(), 10_000, &[4096])[..],
            [Err(Bad::TooLong(_)), Ok(_)]
        ));
    }

    proptest! {
        #[test]
        fn what_is_written_as_csv_is_read_as_it_was(
            table in proptest::collection::vec(proptest::collection::vec("[a-c,\"\n\r ż]{0,6}", 2..4), 1..8),
            pieces in proptest::collection::vec(1usize..20, 1..6),
        ) {
            let quoted = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
            let lines: Vec<String> = table.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(",")).collect();
            let want: Vec<Told> = table.into_iter().map(Ok).collect();
            prop_assert_eq!(&split((lines.join("\n") + "\n").as_bytes(), 1000, &pieces), &want);
            prop_assert_eq!(&split(lines.join("\r\n").as_bytes(), 1000, &pieces), &want);
        }

        #[test]
        fn any_bytes_in_any_pieces_are_the_same_rows(
            bytes in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b'\n'), Just(b','), any::<u8>()], 0..200),
            pieces in proptest::collection::vec(1usize..30, 1..6),
        ) {
            prop_assert_eq!(split(&bytes, 50, &pieces), split(&bytes, 50, &[usize::MAX]));
        }
    }
}
