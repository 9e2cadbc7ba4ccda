//! What was found before and is to be lived with for now: a file of fingerprints.

use super::fingerprint::fingerprints;
use super::report::{Note, Report};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The name of the format, with its version.
const SCHEMA: &str = "mqsafe.audit-baseline/1";

/// A baseline, as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    schema: String,
    findings: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    fingerprint: String,
    rule: String,
    file: String,
    key: String,
}

impl Baseline {
    /// A baseline of everything that is in a report.
    pub fn of(report: &Report) -> Baseline {
        let names = fingerprints(report);
        let findings = report.findings.iter().zip(names).map(|(f, fingerprint)| Entry {
            fingerprint,
            rule: f.rule.code.to_owned(),
            file: f.places.primary.file.to_string(),
            key: f.key.clone(),
        });
        Baseline {
            schema: SCHEMA.to_owned(),
            findings: findings.collect(),
        }
    }

    /// Reads a baseline.
    ///
    /// # Errors
    /// When the text is not one, or one of a later version.
    pub fn parse(text: &str) -> Result<Baseline, String> {
        let read: Baseline = serde_json::from_str(text).map_err(|e| e.to_string())?;
        match read.schema.as_str() {
            SCHEMA => Ok(read),
            other => Err(format!("its schema is `{other}`, and this release reads `{SCHEMA}`")),
        }
    }

    /// The text of the file, ended by a line end.
    pub fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Takes what the baseline holds out of a report, counts it as ignored, and says how much of the baseline is no longer there.
    pub fn apply(&self, name: &str, report: &mut Report) {
        let held: BTreeSet<&str> = self.findings.iter().map(|e| e.fingerprint.as_str()).collect();
        let names = fingerprints(report);
        let mut seen = BTreeSet::new();
        let mut at = 0;
        report.findings.retain(|_| {
            let name = names.get(at).map_or("", String::as_str);
            at += 1;
            let known = held.contains(name);
            if known {
                seen.insert(name.to_owned());
            }
            !known
        });
        report.ignored += seen.len();
        let gone = held.len() - seen.len();
        if gone > 0 {
            report.notes.push(Note {
                file: Arc::from(name),
                line: None,
                what: format!(
                    "{gone} of {} entries are no longer found; write the baseline anew to drop them",
                    held.len()
                ),
                verbose: false,
            });
        }
    }
}
