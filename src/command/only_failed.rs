//! `send --only-failed RECEIPTS FILE`: which lines of a file an earlier run could not deliver and does not keep.
//!
//! By the number of the line, and its last receipt: `refused` and `rejected` are sent again, `stored` and `repeated` are done.
//! `spooled` and `in_doubt` wait in the spool of that run, where `spool flush` delivers them; only when that spool kept nothing
//! (`--no-spool`) or is gone are they sent again too.

use crate::model::{Problem, Result};
use crate::send::{Numbers, beginning_sha256};
use crate::spool::StoreDir;
use crate::ui::count;
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// What is to be sent again.
pub(super) struct Again {
    /// These lines.
    pub(super) numbers: Numbers,
    /// Where the rest of them waits.
    pub(super) spool: Option<PathBuf>,
    /// What a person is told.
    pub(super) words: Vec<String>,
}

/// One line of the receipts.
#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    line: u64,
    status: Option<Status>,
    schema: Option<String>,
    input: Option<Input>,
    spool: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Input {
    form: Option<String>,
    bytes: Option<u64>,
    sha256: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Status {
    Stored,
    Refused,
    InDoubt,
    Spooled,
    Rejected,
    Repeated,
}

/// Reads the receipts, and checks that they are those of this file read in this form.
pub(super) fn read(receipts: &Path, file: &Path, form: &str) -> Result<Again> {
    let shown = receipts.display();
    let cannot = |e: std::io::Error| Problem::usage(format!("cannot read the receipts in {shown}")).because(e);
    let size = std::fs::metadata(file)
        .map_err(|e| Problem::usage(format!("cannot read {}", file.display())).because(e))?
        .len();
    let mut reader = BufReader::new(File::open(receipts).map_err(|e| cannot(e).next("check the path"))?);
    let not_of_this = |why: String| {
        Problem::usage(format!("the receipts in {shown} are not those of {}", file.display()))
            .because(why)
            .next("give the file as it was sent, with the options that say how it becomes messages")
    };
    // One byte for each line: there may be many.
    let mut last: Vec<Option<Status>> = Vec::new();
    let (mut text, mut number, mut summary) = (Vec::new(), 0u64, None);
    loop {
        text.clear();
        if reader.read_until(b'\n', &mut text).map_err(cannot)? == 0 {
            break;
        }
        number += 1;
        let entry: Entry = serde_json::from_slice(&text).map_err(|e| {
            Problem::usage(format!("{shown} holds no receipts"))
                .because(format!("its line {number} is none: {e}"))
                .next("give the file that send --receipts wrote")
        })?;
        if entry
            .schema
            .as_deref()
            .is_some_and(|schema| schema.starts_with("mqsafe.send/"))
        {
            summary = Some(entry);
            continue;
        }
        summary = None;
        // Every line has a byte at least, but for a last one without its end.
        if entry.line > size + 1 {
            return Err(not_of_this(format!(
                "they tell of line {}, and it has {size} bytes",
                entry.line
            )));
        }
        let at = usize::try_from(entry.line).unwrap_or(usize::MAX);
        if last.len() <= at {
            last.resize(at + 1, None);
        }
        last[at] = entry.status;
    }
    let Some(summary) = summary else {
        return Err(Problem::usage(format!("the receipts in {shown} are not whole"))
            .because("their last line, which says what they are of, is missing: that run was killed or still goes on")
            .next("run mqsafe spool flush, and send the rest of the file with --resume"));
    };
    let Some(Input {
        form: its_form,
        bytes: Some(bytes),
        sha256: Some(sha256),
    }) = summary.input
    else {
        return Err(not_of_this("their last line does not say what was read".to_owned()));
    };
    if its_form.as_deref() != Some(form) {
        return Err(not_of_this(format!(
            "that input was read as {}, and this one as {form}",
            its_form.unwrap_or_default()
        )));
    }
    let now = beginning_sha256(file, bytes).map_err(|e| not_of_this(format!("{bytes} bytes were sent: {e}")))?;
    if now.iter().map(|b| format!("{b:02x}")).collect::<String>() != sha256 {
        return Err(not_of_this(format!(
            "its first {bytes} bytes are not the ones that were sent"
        )));
    }
    let kept = summary.spool.filter(|spool| StoreDir::holds_store(spool));
    Ok(sort_out(&last, kept, file))
}

fn sort_out(last: &[Option<Status>], kept: Option<PathBuf>, file: &Path) -> Again {
    let (mut numbers, mut refused, mut rejected, mut waiting) = (Numbers::default(), 0, 0, 0);
    for (line, status) in (0u64..).zip(last) {
        let again = match status {
            None | Some(Status::Stored | Status::Repeated) => false,
            Some(Status::Refused) => {
                refused += 1;
                true
            }
            Some(Status::Rejected) => {
                rejected += 1;
                true
            }
            Some(Status::InDoubt | Status::Spooled) => {
                waiting += 1;
                kept.is_none()
            }
        };
        if again && line > 0 {
            numbers.push(line);
        }
    }
    let mut words = vec![format!(
        "{} of {} to send again: {refused} refused, {rejected} rejected",
        count(numbers.len(), "line"),
        file.display()
    )];
    match &kept {
        _ if waiting == 0 => {}
        Some(spool) => words.push(format!(
            "{} not sent again: what was not confirmed waits in {}, for this run or mqsafe spool flush",
            count(waiting, "line"),
            spool.display()
        )),
        None => words.push(format!(
            "{} of them were not confirmed, and no spool keeps them; one that was in doubt may arrive twice",
            waiting
        )),
    }
    Again {
        numbers,
        spool: kept,
        words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_in_a_spool_is_not_sent_again() {
        use Status::{InDoubt, Refused, Rejected, Repeated, Spooled, Stored};
        let last = [
            None,
            Some(Stored),
            Some(Refused),
            Some(Spooled),
            Some(InDoubt),
            None,
            Some(Rejected),
            Some(Repeated),
        ];
        let lines = |kept| {
            let again = sort_out(&last, kept, Path::new("f"));
            (1..9).filter(|n| again.numbers.contains(*n)).collect::<Vec<u64>>()
        };
        assert_eq!(lines(Some("spool".into())), [2, 6]);
        assert_eq!(lines(None), [2, 3, 4, 6]);
    }
}
