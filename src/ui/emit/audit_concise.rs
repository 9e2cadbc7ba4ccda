//! Findings, one line each, as editors and `grep` like them.

use crate::audit::Report;
use crate::ui::escape;
use std::fmt::Write;

/// `file:line:column: severity[CODE] what`, one line for each finding.
pub fn audit_concise(report: &Report) -> String {
    let mut out = String::new();
    for f in &report.findings {
        let place = &f.places.primary;
        let _ = writeln!(
            out,
            "{}:{}:{}: {}[{}] {}",
            escape(&place.file),
            place.spot.line,
            place.spot.column,
            f.severity,
            f.rule.code,
            escape(&f.headline)
        );
    }
    out
}
