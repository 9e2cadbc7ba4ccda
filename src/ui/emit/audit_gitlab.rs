//! Findings as GitLab's code quality report.

use super::audit_live::{fix_of, place_of, spot_of, unread};
use crate::audit::{Report, fingerprint_of, fingerprints};
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
    let unread: Vec<(String, String)> = report
        .unread()
        .map(|(target, u)| (target.to_string(), unread(u)))
        .collect();
    let unread_names: Vec<String> = unread
        .iter()
        .map(|(target, what)| fingerprint_of(&[target, what]))
        .collect();
    let of_unread = unread.iter().zip(&unread_names).map(|((target, what), name)| Issue {
        description: what.clone(),
        check_name: "unread",
        fingerprint: name,
        severity: "major",
        location: Location {
            path: target,
            lines: Lines { begin: 1 },
        },
    });
    let issues: Vec<Issue<'_>> = report
        .findings
        .iter()
        .zip(&names)
        .map(|(f, fingerprint)| Issue {
            description: match spot_of(&f.places.primary) {
                Some(_) => format!("{}. {} Fix: {}", f.headline, f.story, f.fix),
                None => format!("{}: {}. {} Fix: {}", place_of(f), f.headline, f.story, fix_of(f)),
            },
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
                    // A broker has no lines, and the format wants one.
                    begin: f.places.primary.spot.line.max(1),
                },
            },
        })
        .chain(of_unread)
        .collect();
    super::harmless(&serde_json::to_string_pretty(&issues).unwrap_or_default())
}
