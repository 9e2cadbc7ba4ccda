//! Findings as SARIF 2.1.0, for code scanning. A small model of our own, with what we fill in and no more.

use super::audit_live::{self, fix_of, spot_of};
use crate::audit::rule::Rule;
use crate::audit::{Finding, Report, ShownPlace, fingerprints};
use crate::config::Severity;
use serde_json::{Value, json};

/// The whole report as one SARIF log, ended by a line end.
pub fn audit_sarif(report: &Report) -> String {
    let mut rules: Vec<&'static Rule> = report.findings.iter().map(|f| f.rule).collect();
    rules.extend(report.undecided.iter().map(|u| u.rule));
    rules.sort_by_key(|r| r.code);
    rules.dedup_by_key(|r| r.code);
    let index = |rule: &Rule| rules.iter().position(|r| r.code == rule.code).unwrap_or(0);
    let names = fingerprints(report);
    let results: Vec<Value> = report
        .findings
        .iter()
        .zip(&names)
        .map(|(f, name)| result(f, index(f.rule), name))
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "mqsafe",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|r| descriptor(r)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": report.errors.is_empty() && report.unread().next().is_none(),
                "toolExecutionNotifications": notifications(report),
            }],
            "results": results,
        }],
    });
    super::harmless(&serde_json::to_string_pretty(&log).unwrap_or_default())
}

fn descriptor(rule: &Rule) -> Value {
    let text = rule.explanation();
    json!({
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.title},
        "help": {"text": text, "markdown": text},
        "properties": {"tags": ["messaging", "durability"]},
    })
}

fn result(f: &Finding, index: usize, fingerprint: &str) -> Value {
    let level = match f.severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    };
    // The numbers that code scanning sorts by.
    let rank = match f.severity {
        Severity::Critical => 90.0,
        Severity::High => 70.0,
        Severity::Medium => 50.0,
        Severity::Low => 20.0,
    };
    let related = f.places.related.iter().enumerate();
    let related: Vec<Value> = related
        .map(|(id, place)| {
            let mut location = location(place);
            if let Some(map) = location.as_object_mut() {
                map.insert("id".to_owned(), json!(id));
                map.insert("message".to_owned(), json!({"text": place.label}));
            }
            location
        })
        .collect();
    let mut primary = location(&f.places.primary);
    let mut message = format!("{}. {} Fix: {}", f.headline, f.story, f.fix);
    if spot_of(&f.places.primary).is_none() {
        message = format!("{}. {} Fix: {}", f.headline, f.story, fix_of(f));
        if let (Some(map), Some(subject)) = (primary.as_object_mut(), &f.subject) {
            map.insert("logicalLocations".to_owned(), json!([{"fullyQualifiedName": subject}]));
        }
    }
    json!({
        "ruleId": f.rule.code,
        "ruleIndex": index,
        "level": level,
        "rank": rank,
        "message": {"text": message},
        "locations": [primary],
        "relatedLocations": related,
        "partialFingerprints": {"mqsafe/v1": fingerprint},
        "properties": {"severity": f.severity.name(), "key": f.key, "value": f.value, "subject": f.subject},
    })
}

fn location(place: &ShownPlace) -> Value {
    let Some((line, column)) = spot_of(place) else {
        return json!({"physicalLocation": {"artifactLocation": {"uri": target(&place.file)}}});
    };
    json!({
        "physicalLocation": {
            "artifactLocation": {"uri": uri(&place.file)},
            "region": {"startLine": line, "startColumn": column},
        },
    })
}

fn notifications(report: &Report) -> Vec<Value> {
    let unread = report.errors.iter().map(|e| {
        json!({
            "level": "error",
            "message": {"text": e.what},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(&e.file)}}}],
        })
    });
    let open = report.undecided.iter().map(|u| {
        json!({
            "level": "warning",
            "associatedRule": {"id": u.rule.code},
            "message": {"text": format!("not decided: {}", u.reason)},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(&u.file)}}}],
        })
    });
    let told = |level: &str, cluster: &str, text: String| {
        json!({
            "level": level,
            "message": {"text": text},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": target(cluster)}}}],
        })
    };
    let of_clusters = report
        .unread()
        .map(|(cluster, u)| told("error", cluster, audit_live::unread(u)));
    let at_risk = report
        .at_risk()
        .map(|(cluster, a)| told("note", cluster, audit_live::at_risk(a)));
    unread.chain(open).chain(of_clusters).chain(at_risk).collect()
}

/// The target of a cluster as a URI, which it is but for characters that none may hold.
fn target(cluster: &str) -> String {
    let legal = |c: &u8| c.is_ascii_alphanumeric() || b"-._~:/[]@,%".contains(c);
    cluster
        .bytes()
        .map(|b| match legal(&b) {
            true => char::from(b).to_string(),
            false => format!("%{b:02X}"),
        })
        .collect()
}

/// A path as a relative reference: what a URI does not hold is written in percent.
fn uri(path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut out = String::with_capacity(path.len());
    for byte in path.trim_start_matches("./").bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    match out.starts_with('/') {
        true => format!("file://{out}"),
        false => out,
    }
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_are_references() {
        assert_eq!(uri("./a b/ż:c.yaml"), "a%20b/%C5%BC%3Ac.yaml");
        assert_eq!(uri("/etc/kafka/x"), "file:///etc/kafka/x");
    }
}
