//! Findings for machines: `mqsafe.audit/1`. Fields are added, never renamed.

use crate::audit::{Finding, Report, ShownPlace};
use serde::Serialize;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    profile: &'a str,
    findings: Vec<JsonFinding<'a>>,
    files: Vec<JsonFile<'a>>,
    unrecognised: Vec<JsonReason<'a>>,
    errors: Vec<JsonError<'a>>,
    undecided: Vec<JsonUndecided<'a>>,
    notes: Vec<JsonNote<'a>>,
    ignored: usize,
    passed: usize,
    not_opened: usize,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    rule: &'static str,
    name: &'static str,
    severity: &'static str,
    file: &'a str,
    line: usize,
    column: usize,
    subject: Option<&'a str>,
    key: &'a str,
    value: Option<&'a str>,
    message: String,
    fix: &'a str,
    related: Vec<JsonPlace<'a>>,
}

#[derive(Serialize)]
struct JsonPlace<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    message: &'a str,
}

#[derive(Serialize)]
struct JsonFile<'a> {
    file: &'a str,
    dialect: &'static str,
    component: &'static str,
}

#[derive(Serialize)]
struct JsonReason<'a> {
    file: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct JsonError<'a> {
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    message: &'a str,
}

#[derive(Serialize)]
struct JsonUndecided<'a> {
    rule: &'static str,
    file: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct JsonNote<'a> {
    file: &'a str,
    line: Option<usize>,
    message: &'a str,
}

/// The whole report as one JSON object, ended by a line end.
pub fn audit_json(report: &Report) -> String {
    let document = Document {
        schema: "mqsafe.audit/1",
        profile: &report.profile,
        findings: report.findings.iter().map(finding).collect(),
        files: report
            .files
            .iter()
            .map(|j| JsonFile {
                file: &j.file,
                dialect: j.dialect.name(),
                component: j.component.name(),
            })
            .collect(),
        unrecognised: report
            .unrecognised
            .iter()
            .map(|u| JsonReason {
                file: &u.file,
                reason: &u.reason,
            })
            .collect(),
        errors: report
            .errors
            .iter()
            .map(|e| JsonError {
                file: &e.file,
                line: e.spot.map(|s| s.line),
                column: e.spot.map(|s| s.column),
                message: &e.what,
            })
            .collect(),
        undecided: report
            .undecided
            .iter()
            .map(|u| JsonUndecided {
                rule: u.rule.code,
                file: &u.file,
                reason: &u.reason,
            })
            .collect(),
        notes: report
            .notes
            .iter()
            .map(|n| JsonNote {
                file: &n.file,
                line: n.line,
                message: &n.what,
            })
            .collect(),
        ignored: report.ignored,
        passed: report.passed,
        not_opened: report.not_opened,
    };
    // Structs of text and numbers always serialise.
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    super::harmless(&text)
}

fn finding(f: &Finding) -> JsonFinding<'_> {
    let primary = &f.places.primary;
    JsonFinding {
        rule: f.rule.code,
        name: f.rule.name,
        severity: f.severity.name(),
        file: &primary.file,
        line: primary.spot.line,
        column: primary.spot.column,
        subject: f.subject.as_deref(),
        key: &f.key,
        value: f.value.as_deref(),
        message: format!("{}. {}", f.headline, f.story),
        fix: &f.fix,
        related: f.places.related.iter().map(place).collect(),
    }
}

fn place(p: &ShownPlace) -> JsonPlace<'_> {
    JsonPlace {
        file: &p.file,
        line: p.spot.line,
        column: p.spot.column,
        message: &p.label,
    }
}
