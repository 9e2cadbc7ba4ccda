//! Lists of ids in files.

use super::receipts::Noted;
use crate::cli::TruthArgs;
use crate::model::{Problem, Result};
use crate::verify::{Expected, Field};
use csv_core::{ReadRecordResult, Reader};
use std::fs;
use std::path::Path;

/// The business ids that are expected, where a file gives them.
pub(super) fn expected(args: &TruthArgs) -> Result<Option<Expected>> {
    let Some(path) = &args.expect else { return Ok(None) };
    let mut expected = Expected::new(Field::parse("--id-from", &args.id_from)?);
    let bytes = read(path)?;
    let first = bytes.iter().find(|b| !b.is_ascii_whitespace());
    match (&args.column, first) {
        (None, _) => {
            for line in bytes.split(|b| *b == b'\n') {
                let id = line.strip_suffix(b"\r").unwrap_or(line);
                if !id.is_empty() {
                    expected.expect(id);
                }
            }
        }
        (Some(column), Some(b'{')) => jsonl(&bytes, column, path, &mut expected)?,
        (Some(column), _) => csv(&bytes, column, path, &mut expected)?,
    }
    if expected.is_empty() {
        return Err(Problem::usage(format!("{} holds no id", path.display()))
            .next("an empty list would call every message unexpected; check the file"));
    }
    Ok(Some(expected))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| Problem::usage(format!("{} cannot be read", path.display())).because(e))
}

fn jsonl(bytes: &[u8], field: &str, path: &Path, expected: &mut Expected) -> Result<()> {
    for (no, line) in bytes.split(|b| *b == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let at = || format!("{}, line {}", path.display(), no + 1);
        let value: serde_json::Value =
            serde_json::from_slice(line).map_err(|e| Problem::usage(format!("{}: no JSON", at())).because(e))?;
        match value.get(field) {
            Some(serde_json::Value::String(id)) => expected.expect(id.as_bytes()),
            Some(serde_json::Value::Number(id)) => expected.expect(id.to_string().as_bytes()),
            Some(_) | None => {
                return Err(
                    Problem::usage(format!("{}: there is no text or number {field:?}", at()))
                        .next("name the field of the id with --column"),
                );
            }
        }
    }
    Ok(())
}

/// The fields of a CSV file, row by row.
fn rows(bytes: &[u8], mut row: impl FnMut(usize, &[&[u8]]) -> Result<()>) -> Result<()> {
    let mut reader = Reader::new();
    let (mut out, mut ends) = (vec![0; 64 * 1024], vec![0; 1024]);
    let (mut input, mut at, mut found, mut number) = (bytes, 0, 0, 0);
    loop {
        let (result, read, wrote, ended) = reader.read_record(input, &mut out[at..], &mut ends[found..]);
        input = &input[read..];
        at += wrote;
        found += ended;
        match result {
            ReadRecordResult::OutputFull => out.resize(out.len() * 2, 0),
            ReadRecordResult::OutputEndsFull => ends.resize(ends.len() * 2, 0),
            // The end of the input is told by an empty piece.
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::Record => {
                let mut from = 0;
                let fields: Vec<&[u8]> = ends[..found]
                    .iter()
                    .map(|end| {
                        let field = &out[from..*end];
                        from = *end;
                        field
                    })
                    .collect();
                number += 1;
                row(number, &fields)?;
                (at, found) = (0, 0);
            }
            ReadRecordResult::End => return Ok(()),
        }
    }
}

fn csv(bytes: &[u8], column: &str, path: &Path, expected: &mut Expected) -> Result<()> {
    let mut place = None;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    rows(bytes, |number, fields| {
        let Some(place) = place else {
            place = fields.iter().position(|name| *name == column.as_bytes());
            return match place {
                Some(_) => Ok(()),
                None => {
                    let names: Vec<_> = fields.iter().take(10).map(|n| String::from_utf8_lossy(n)).collect();
                    Err(Problem::usage(format!("{} has no column {column:?}", path.display()))
                        .because(format!("its header line names {}", names.join(", ")))
                        .next("check the name and the header line"))
                }
            };
        };
        match fields.get(place) {
            Some(id) if !id.is_empty() => {
                expected.expect(id);
                Ok(())
            }
            Some(_) | None => Err(
                Problem::usage(format!("{}: row {number} has no {column:?}", path.display()))
                    .next("an id that is missing in the list would be a message that nobody looks for"),
            ),
        }
    })
}

/// What consumers wrote down: one stamp a line.
pub(super) fn receipts(path: &Path, noted: &mut Noted) -> Result<()> {
    let bytes = read(path)?;
    for (no, line) in bytes.split(|b| *b == b'\n').enumerate() {
        let id = line.trim_ascii();
        if !id.is_empty() && !noted.id(id) {
            return Err(Problem::usage(format!("{}, line {}: no id", path.display(), no + 1))
                .next("write SEQ PRODUCER LANE, as in the header mqsafe-id"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(name: &str, text: &str, column: Option<&str>) -> Result<Option<Expected>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        expected(&TruthArgs {
            expect: Some(path),
            column: column.map(str::to_owned),
            id_from: "key".to_owned(),
            ..TruthArgs::default()
        })
    }

    #[test]
    fn ids_are_read_from_each_kind_of_file() {
        let count = |name, text, column| list(name, text, column).unwrap().unwrap().len();
        assert_eq!(count("ids", "a\nb\r\n\nc", None), 3);
        assert_eq!(count("o.csv", "n,order_id\n1,\"a,\nb\"\n2,c\n", Some("order_id")), 2);
        assert_eq!(count("o.jsonl", "{\"id\":1}\n{\"id\":\"x\"}\n", Some("id")), 2);
        for (text, column) in [
            ("a,b\n1,2\n", "c"),
            ("a,b\n1,\n", "b"),
            ("{\"id\":1}\n{}\n", "id"),
            ("{\"id\":1}\nx\n", "id"),
        ] {
            assert!(list("bad", text, Some(column)).is_err(), "{text:?}");
        }
        assert!(list("empty", "\n\n", None).is_err());
    }
}
