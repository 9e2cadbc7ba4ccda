//! Findings as GitLab's code quality report.

use crate::audit::{Report, fingerprints};
use crate::config::Severity;
use serde::Serialize;

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'static str,
    fingerprint: &'a str,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
}

/// One JSON array, ended by a line end.
pub fn audit_gitlab(report: &Report) -> String {
    let names = fingerprints(report);
    let issues: Vec<Issue<'_>> = report
        .findings
        .iter()
        .zip(&names)
        .map(|(f, fingerprint)| Issue {
            description: format!("{}. {} Fix: {}", f.headline, f.story, f.fix),
            check_name: f.rule.code,
            fingerprint,
            severity: match f.severity {
                Severity::Critical => "critical",
                Severity::High => "major",
                Severity::Medium => "minor",
                Severity::Low => "info",
            },
            location: Location {
                path: f.places.primary.file.trim_start_matches("./"),
                lines: Lines {
                    begin: f.places.primary.spot.line,
                },
            },
        })
        .collect();
    super::harmless(&serde_json::to_string_pretty(&issues).unwrap_or_default())
}
