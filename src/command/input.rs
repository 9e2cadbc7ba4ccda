//! What was typed about the input, as something that can be read.

use super::only_failed::Again;
use crate::cli::{InputArgs, InputForm, KeyFromName, SendArgs};
use crate::model::{Problem, Result};
use crate::send::{Columns, Form, IdFrom, InputOptions, KeyFrom, Rate, Source, Template};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The end of a message is no longer than this.
const MOST_DELIMITER_BYTES: usize = 1024;

/// Where messages come from, and how they are read.
pub(super) struct Plan {
    pub(super) from: From,
    pub(super) options: InputOptions,
    /// What the user calls it.
    pub(super) name: String,
    /// Words for its form.
    pub(super) form: String,
}

/// Where messages come from.
pub(super) enum From {
    Stdin,
    /// One file, which may be a pipe.
    File(PathBuf),
    /// Each file is a message.
    Files(Vec<PathBuf>, KeyFrom),
    Template(Template),
}

impl Plan {
    /// Judges what was typed. `headers` are those of every message.
    pub(super) fn new(args: &SendArgs, headers: &[(String, Option<Vec<u8>>)]) -> Result<Plan> {
        let input = &args.input;
        fits(input)?;
        let rate = input.rate.as_deref().map(rate).transpose()?;
        let id = input.idempotency_key.as_deref().map(IdFrom::parse).transpose()?;
        if matches!(id, Some(IdFrom::Column(_))) && input.input != InputForm::Csv {
            return Err(Problem::usage("--idempotency-key column:NAME needs --input csv")
                .next("write key, header:NAME or json:/POINTER"));
        }
        let key = input.key.as_ref().map(|key| key.as_bytes().to_vec());
        let fixed_id = match &id {
            Some(IdFrom::Key) => key.clone(),
            Some(IdFrom::Header(name)) => headers.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.clone()),
            Some(IdFrom::Json(_) | IdFrom::Column(_)) | None => None,
        };
        let form = form(input)?;
        let from = from(input, key.as_deref())?;
        let name = match &from {
            From::Stdin => "standard input".to_owned(),
            From::File(path) => path.display().to_string(),
            From::Files(paths, _) => format!("{} files", paths.len()),
            From::Template(_) => "template".to_owned(),
        };
        let words = match &from {
            From::Stdin | From::File(_) => form.name(),
            From::Files(..) => "files".to_owned(),
            From::Template(_) => "template".to_owned(),
        };
        let options = InputOptions {
            form,
            max_line_bytes: input.max_message_bytes as usize,
            strict: input.strict,
            keep_partition: input.keep_partition,
            max_redrives: input.max_redrives,
            id,
            fixed_id,
            only: None,
            rate,
        };
        Ok(Plan {
            from,
            options,
            name,
            form: words,
        })
    }

    /// The one regular file that is read, which `option` needs.
    pub(super) fn regular_file(&self, option: &str) -> Result<&Path> {
        let no_file = |why: &str, next: &str| Err(Problem::usage(format!("{option} needs a file; {why}")).next(next));
        match &self.from {
            From::File(path) if path.is_file() => Ok(path),
            From::File(path) => Err(Problem::usage(format!("{option} cannot use {}", path.display()))
                .because("it is no regular file that could be read again")
                .next(format!("send it without {option}"))),
            From::Stdin => no_file(
                "standard input cannot be read again",
                "give the FILE that was being sent, or run `mqsafe spool flush` for what still waits",
            ),
            From::Files(..) => no_file(
                "with --input files each file is one message",
                "give those files again that are to be sent",
            ),
            From::Template(_) => no_file("a template has none", "send it as new messages"),
        }
    }

    /// Only these lines are read as messages.
    pub(super) fn only(&mut self, again: &Again) {
        self.options.only = Some(Arc::new(again.numbers.clone()));
    }

    /// The input from its beginning.
    pub(super) fn source(&self) -> Result<Source> {
        match &self.from {
            From::Stdin => Ok(Source::stream("standard input", Box::new(std::io::stdin()))),
            From::File(path) => Source::file(path, &self.options.form, None),
            From::Files(paths, key) => Ok(Source::files(paths.clone(), *key)),
            From::Template(template) => Ok(Source::template(template.clone())),
        }
    }
}

/// Options that are of one form are mistakes with another: they would change nothing, and nobody would notice.
fn fits(input: &InputArgs) -> Result<()> {
    let (form, made) = (input.input, input.template.is_some());
    let needs = |given: bool, option: &str, fits: bool, needed: &str| match given && !fits {
        true => Err(Problem::usage(format!("{option} is of no use here")).next(format!("it belongs to {needed}"))),
        false => Ok(()),
    };
    let (lines, csv) = (form == InputForm::Lines && !made, form == InputForm::Csv && !made);
    needs(input.key_delimiter.is_some(), "-K", lines, "--input lines")?;
    needs(input.delimiter.is_some(), "-D", lines, "--input lines")?;
    needs(input.null, "-0", lines, "--input lines")?;
    needs(input.key_column.is_some(), "--key-column", csv, "--input csv")?;
    needs(input.value_column.is_some(), "--value-column", csv, "--input csv")?;
    needs(!input.header_columns.is_empty(), "--header-columns", csv, "--input csv")?;
    needs(
        input.key_from.is_some(),
        "--key-from",
        form == InputForm::Files && !made,
        "--input files",
    )?;
    needs(
        input.keep_partition,
        "--keep-partition",
        form == InputForm::Jsonl && !made,
        "--input jsonl",
    )?;
    needs(
        made && form != InputForm::Lines,
        "--input",
        false,
        "messages that are read; --template makes its own",
    )
}

fn form(input: &InputArgs) -> Result<Form> {
    match input.input {
        InputForm::Lines | InputForm::Files => {}
        InputForm::Jsonl => return Ok(Form::Records),
        InputForm::Csv => {
            let stamp = |name: &&String| name.starts_with("mqsafe-");
            if let Some(name) = input.header_columns.iter().find(stamp) {
                return Err(Problem::usage(format!("column {name} cannot become a header"))
                    .because("the stamp's headers belong to mqsafe"));
            }
            return Ok(Form::Table(Columns {
                key: input.key_column.clone(),
                value: input.value_column.clone(),
                headers: input.header_columns.clone(),
            }));
        }
    }
    let key_delimiter = input.key_delimiter.as_ref().map(|d| d.as_bytes().to_vec());
    if key_delimiter.as_ref().is_some_and(Vec::is_empty) {
        return Err(Problem::usage("-K is empty").next("give the text that stands between key and value"));
    }
    let end = match (&input.delimiter, input.null) {
        (Some(text), _) => delimiter(text.as_bytes())?,
        (None, true) => vec![0],
        (None, false) => b"\n".to_vec(),
    };
    Ok(Form::Text { end, key_delimiter })
}

fn from(input: &InputArgs, key: Option<&[u8]>) -> Result<From> {
    if let (Some(template), Some(count)) = (&input.template, input.count) {
        let of_keys = input.key_template.as_ref().map(|t| t.as_bytes());
        // A key that is given once is no pattern.
        let template = match (of_keys, key) {
            (None, Some(key)) => Template::new(template.as_bytes(), Some(b""), count)?.with_key(key),
            (of_keys, _) => Template::new(template.as_bytes(), of_keys, count)?,
        };
        return Ok(From::Template(template));
    }
    let is_stdin = |path: &PathBuf| path == Path::new("-");
    match (input.input, input.files.as_slice()) {
        (InputForm::Files, []) => {
            Err(Problem::usage("--input files needs files").next("name them: each becomes one message"))
        }
        (InputForm::Files, files) => {
            if files.iter().any(is_stdin) {
                return Err(Problem::usage("--input files cannot read - as a file")
                    .next("send standard input with --input lines, with -0, or with -D"));
            }
            let key = match input.key_from {
                Some(KeyFromName::Name) => KeyFrom::Name,
                None => KeyFrom::Nothing,
            };
            Ok(From::Files(files.to_vec(), key))
        }
        (_, []) => Ok(From::Stdin),
        (_, [file]) if is_stdin(file) => Ok(From::Stdin),
        (_, [file]) => Ok(From::File(file.clone())),
        (_, [first, second, ..]) => Err(Problem::usage(format!(
            "only one FILE can be sent at a time, not both {} and {}",
            first.display(),
            second.display()
        ))
        .next(
            "with --input files each file is one message; else send one after the other, or cat FILE… | mqsafe send",
        )),
    }
}

/// The text of `-D` with its escapes read.
fn delimiter(text: &[u8]) -> Result<Vec<u8>> {
    let bad = |why: &str| {
        Err(Problem::usage(format!("-D \"{}\" {why}", text.escape_ascii()))
            .next(r"give the text that messages end with; \n, \r, \t, \0, \xNN and \\ are understood"))
    };
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let Some((escape, after)) = after.split_first() else {
            return bad("ends with a single backslash");
        };
        rest = after;
        bytes.push(match escape {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'0' => 0,
            b'\\' => b'\\',
            b'x' => {
                let digits = after.get(..2).and_then(|d| std::str::from_utf8(d).ok());
                let byte = digits
                    .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
                    .and_then(|d| u8::from_str_radix(d, 16).ok());
                let Some(byte) = byte else {
                    return bad("has \\x without two hexadecimal digits");
                };
                rest = &after[2..];
                byte
            }
            _ => return bad("has an escape that is not known"),
        });
    }
    match bytes.len() {
        0 => bad("is empty"),
        n if n > MOST_DELIMITER_BYTES => bad("is too long"),
        _ => Ok(bytes),
    }
}

fn rate(text: &str) -> Result<Rate> {
    Rate::parse(text).map_err(|why| Problem::usage(format!("--rate {text:?} is no rate")).because(why))
}

/// A number of bytes: `1000000`, `500k`, `100M`, `2G`.
pub(super) fn bytes(option: &str, text: &str) -> Result<u64> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'M')) => (&text[..at], 1 << 20),
        Some((at, 'G')) => (&text[..at], 1 << 30),
        Some(_) | None => (text, 1u64),
    };
    let number = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
    number.filter(|n| *n > 0).ok_or_else(|| {
        Problem::usage(format!("{option} {text:?} is no number of bytes")).next("write 1000000, 500k, 100M or 2G")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_a_delimiter() {
        for (text, want) in [
            (r"\n", &b"\n"[..]),
            (r"--\x00\t\\", b"--\0\t\\"),
            ("ż", "ż".as_bytes()),
            (r"\0\r", b"\0\r"),
        ] {
            assert_eq!(delimiter(text.as_bytes()).unwrap(), want, "{text}");
        }
        for bad in ["", r"\", r"\q", r"\x1", r"\x+1", r"\xżż"] {
            assert!(delimiter(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_of_bytes() {
        for (text, want) in [("1", 1), ("500k", 500 << 10), ("2G", 2 << 30), ("10M", 10 << 20)] {
            assert_eq!(bytes("--spool-limit", text).unwrap(), want);
        }
        for bad in [
            "",
            "M",
            "0",
            "-1",
            "1T",
            "1.5M",
            "99999999999999999999",
            "99999999999999G",
            "1ż",
        ] {
            assert!(bytes("--spool-limit", bad).is_err(), "{bad}");
        }
    }
}
