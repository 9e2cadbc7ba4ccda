//! Findings for machines: `mqsafe.audit/1`. Fields are added, never renamed.

use super::audit_live::spot_of;
use crate::audit::{Finding, Given, Gone, Report, Running, ShownPlace, Since, fingerprints};
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    running: Vec<JsonRunning<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<JsonSince<'a>>,
}

#[derive(Serialize)]
struct JsonRunning<'a> {
    broker: &'a str,
    requests: u64,
    unread: Vec<JsonUnread<'a>>,
    at_risk: Vec<JsonAtRisk<'a>>,
}

#[derive(Serialize)]
struct JsonUnread<'a> {
    what: &'a str,
    why: &'a str,
    next: &'a str,
}

#[derive(Serialize)]
struct JsonAtRisk<'a> {
    node: &'a str,
    losses: Vec<JsonLoss<'a>>,
}

#[derive(Serialize)]
struct JsonLoss<'a> {
    name: &'a str,
    why: &'a str,
}

#[derive(Serialize)]
struct JsonSince<'a> {
    new: usize,
    same: usize,
    gone: Vec<JsonGone<'a>>,
    unseen: Vec<JsonGone<'a>>,
}

#[derive(Serialize)]
struct JsonGone<'a> {
    rule: &'a str,
    file: &'a str,
    subject: Option<&'a str>,
    message: &'a str,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    rule: &'static str,
    name: &'static str,
    severity: &'static str,
    file: &'a str,
    /// Null at a running broker, as the column.
    line: Option<usize>,
    column: Option<usize>,
    subject: Option<&'a str>,
    key: &'a str,
    value: Option<&'a str>,
    message: String,
    fix: &'a str,
    related: Vec<JsonPlace<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    synonyms: Vec<JsonGiven<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    fingerprint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<bool>,
}

/// One place that gives a setting its value, as Kafka's `kafka-configs.sh --describe` tells it under the same word.
#[derive(Serialize)]
struct JsonGiven<'a> {
    origin: &'a str,
    key: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct JsonPlace<'a> {
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
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
    let names = fingerprints(report);
    let is_new = |number: usize| report.since.as_ref().and_then(|s| s.new.get(number).copied());
    let findings = report.findings.iter().zip(&names).enumerate();
    let document = Document {
        schema: "mqsafe.audit/1",
        profile: &report.profile,
        findings: findings.map(|(i, (f, name))| finding(f, name, is_new(i))).collect(),
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
        running: report.running.iter().map(running).collect(),
        since: report.since.as_ref().map(since),
    };
    // Structs of text and numbers always serialise.
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    super::harmless(&text)
}

fn running(r: &Running) -> JsonRunning<'_> {
    let unread = r.unread.iter().map(|u| JsonUnread {
        what: &u.what,
        why: &u.why,
        next: &u.next,
    });
    let at_risk = r.at_risk.iter().map(|a| JsonAtRisk {
        node: &a.node,
        losses: a
            .losses
            .iter()
            .map(|l| JsonLoss {
                name: &l.name,
                why: &l.why,
            })
            .collect(),
    });
    JsonRunning {
        broker: &r.target,
        requests: r.requests,
        unread: unread.collect(),
        at_risk: at_risk.collect(),
    }
}

fn since(s: &Since) -> JsonSince<'_> {
    JsonSince {
        new: s.count_new(),
        same: s.count_same(),
        gone: s.gone.iter().map(gone).collect(),
        unseen: s.unseen.iter().map(gone).collect(),
    }
}

fn gone(g: &Gone) -> JsonGone<'_> {
    JsonGone {
        rule: &g.rule,
        file: &g.file,
        subject: g.subject.as_deref(),
        message: &g.message,
    }
}

fn finding<'a>(f: &'a Finding, fingerprint: &'a str, new: Option<bool>) -> JsonFinding<'a> {
    let primary = &f.places.primary;
    JsonFinding {
        rule: f.rule.code,
        name: f.rule.name,
        severity: f.severity.name(),
        file: &primary.file,
        line: spot_of(primary).map(|(line, _)| line),
        column: spot_of(primary).map(|(_, column)| column),
        subject: f.subject.as_deref(),
        key: &f.key,
        value: f.value.as_deref(),
        message: format!("{}. {}", f.headline, f.story),
        fix: &f.fix,
        related: f.places.related.iter().map(place).collect(),
        origin: f.origin.as_deref(),
        synonyms: f.given.iter().map(given).collect(),
        command: f.command.as_deref(),
        fingerprint,
        new,
    }
}

fn given(g: &Given) -> JsonGiven<'_> {
    JsonGiven {
        origin: g.origin,
        key: &g.key,
        value: &g.value,
    }
}

fn place(p: &ShownPlace) -> JsonPlace<'_> {
    JsonPlace {
        file: &p.file,
        line: spot_of(p).map(|(line, _)| line),
        column: spot_of(p).map(|(_, column)| column),
        message: &p.label,
    }
}
