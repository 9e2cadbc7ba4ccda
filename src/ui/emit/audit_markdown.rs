//! Findings as Markdown: for the summary of a job, or a comment.

use super::audit_live::{self, fix_of, place_of};
use crate::audit::Report;
use crate::config::Severity;
use crate::ui::escape;
use std::fmt::Write;

/// A heading with the counts, a table of findings, and what could not be told.
pub fn audit_markdown(report: &Report) -> String {
    let counts: Vec<String> = Severity::ALL
        .into_iter()
        .map(|s| (s, report.findings.iter().filter(|f| f.severity == s).count()))
        .filter(|(_, n)| *n > 0)
        .map(|(s, n)| format!("{n} {s}"))
        .collect();
    let found = match counts.is_empty() {
        true => "no finding".to_owned(),
        false => counts.join(", "),
    };
    let mut out = format!(
        "## mqsafe audit: {found}\n\n{} files judged{}, profile {}\n",
        report.judged_files(),
        match report.running.len() {
            0 => String::new(),
            1 => ", 1 running cluster".to_owned(),
            n => format!(", {n} running clusters"),
        },
        cell(&report.profile)
    );
    if !report.findings.is_empty() {
        out.push_str("\n| severity | rule | where | what | fix |\n|---|---|---|---|---|\n");
    }
    for f in &report.findings {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            f.severity,
            f.rule.code,
            cell(&place_of(f)),
            cell(&f.headline),
            cell(&fix_of(f))
        );
    }
    if !report.undecided.is_empty() || !report.errors.is_empty() {
        out.push_str("\n### Not decided\n\n");
    }
    for u in &report.undecided {
        let _ = writeln!(out, "- {} {}: {}", u.rule.code, cell(&u.file), cell(&u.reason));
    }
    for e in &report.errors {
        let _ = writeln!(out, "- {}: {}", cell(&e.file), cell(&e.what));
    }
    let lines = audit_live::lines(report);
    if !lines.is_empty() {
        out.push_str("\n### Running clusters\n\n");
    }
    for (target, what) in lines {
        let _ = writeln!(out, "- {}: {}", cell(target), cell(&what));
    }
    out
}

/// Text in a cell of a table: nothing of it is markup.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in escape(text).chars() {
        if matches!(
            c,
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '~' | '!' | '&'
        ) {
            out.push('\\');
        }
        out.push(if c == '\n' { ' ' } else { c });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn nothing_in_a_cell_is_markup() {
        assert_eq!(cell("a|b<script>`x`"), "a\\|b\\<script\\>\\`x\\`");
    }
}
