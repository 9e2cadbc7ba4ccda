//! Changes files where a rule knows a safe value.

use crate::audit::{Edit, Report};
use crate::model::{Problem, Result};
use crate::ui::Ui;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Makes every change that the findings of a report hold; how many there were.
pub(super) fn apply(report: &Report, ui: &Ui) -> Result<usize> {
    let mut files: BTreeMap<&str, Vec<&Edit>> = BTreeMap::new();
    for finding in &report.findings {
        if let Some(edit) = &finding.edit {
            files.entry(&finding.places.primary.file).or_default().push(edit);
        }
    }
    let mut made = 0;
    for (file, mut edits) in files {
        // Two rules may ask for the same change. From the end, so that the bytes before stay where they are.
        edits.sort_by(|a, b| (b.span.start, &b.text).cmp(&(a.span.start, &a.text)));
        edits.dedup_by(|a, b| a.span.start == b.span.start && (a.span.end > a.span.start || a.text == b.text));
        change(Path::new(file), &edits).map_err(|e| {
            Problem::unknown(format!("cannot change {file}"))
                .because(e)
                .next("nothing in it was changed; --diff shows what would be")
        })?;
        ui.warn(&format!("{file}: {} changed", edits.len()));
        made += edits.len();
    }
    Ok(made)
}

/// Writes the changed text beside the file and puts it in its place, so that nobody ever reads half of it.
fn change(file: &Path, edits: &[&Edit]) -> std::io::Result<()> {
    // What a link leads to is changed, and the link stays.
    let file = std::fs::canonicalize(file)?;
    let mut bytes = std::fs::read(&file)?;
    for edit in edits {
        let range = edit.span.range();
        if bytes.get(range.clone()).is_none() {
            return Err(std::io::Error::other("it was changed by somebody else meanwhile"));
        }
        bytes.splice(range, edit.text.bytes());
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = file.with_file_name(format!(".{name}.{}.mqsafe", std::process::id()));
    let permissions = std::fs::metadata(&file)?.permissions();
    let written = (|| {
        let mut new = std::fs::File::create_new(&beside)?;
        new.set_permissions(permissions)?;
        new.write_all(&bytes)?;
        new.sync_all()?;
        std::fs::rename(&beside, &file)
    })();
    if written.is_err() {
        // It may never have been made.
        let _ = std::fs::remove_file(&beside);
    }
    written
}
