//! Findings, one line each, as editors and `grep` like them.

use super::audit_live::{self, place_of};
use crate::audit::Report;
use crate::ui::escape;
use std::fmt::Write;

/// `file:line:column: severity[CODE] what`, one line for each finding; then what was not read of running clusters, what one death could
/// lose there, and what differs from a report of before.
pub fn audit_concise(report: &Report) -> String {
    let mut out = String::new();
    for f in &report.findings {
        let _ = writeln!(
            out,
            "{}: {}[{}] {}",
            escape(&place_of(f)),
            f.severity,
            f.rule.code,
            escape(&f.headline)
        );
    }
    for (target, what) in audit_live::lines(report) {
        let _ = writeln!(out, "{}: {}", escape(target), escape(&what));
    }
    out
}
