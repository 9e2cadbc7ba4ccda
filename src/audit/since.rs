//! How a report differs from one of before that was saved as JSON.

use super::fingerprint::fingerprints;
use super::report::Report;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The name of the format that a report is saved in.
const SCHEMA: &str = "mqsafe.audit/1";

/// What is new, what is the same, and what is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// For each finding of the report, in its order, whether the one of before did not have it.
    pub new: Vec<bool>,
    /// What the one of before had, and this does not.
    pub gone: Vec<Gone>,
}

impl Since {
    /// How many findings are new.
    pub fn count_new(&self) -> usize {
        self.new.iter().filter(|n| **n).count()
    }

    /// How many are the same.
    pub fn count_same(&self) -> usize {
        self.new.len() - self.count_new()
    }
}

/// A finding that is no longer there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Gone {
    /// Its rule.
    pub rule: String,
    /// The file or cluster.
    pub file: String,
    /// The named thing that it was about.
    #[serde(default)]
    pub subject: Option<String>,
    /// What it said.
    pub message: String,
    #[serde(default)]
    fingerprint: Option<String>,
}

#[derive(Deserialize)]
struct Saved {
    schema: String,
    findings: Vec<Gone>,
}

/// A saved report.
#[derive(Debug)]
pub struct Before(BTreeMap<String, Gone>);

impl Before {
    /// Reads what `--format json` wrote.
    ///
    /// # Errors
    /// When the text is no report, or one that cannot be compared.
    pub fn parse(text: &str) -> Result<Before, String> {
        let saved: Saved = serde_json::from_str(text).map_err(|e| e.to_string())?;
        if saved.schema != SCHEMA {
            return Err(format!(
                "its schema is `{}`, and this release reads `{SCHEMA}`",
                saved.schema
            ));
        }
        let mut all = BTreeMap::new();
        for finding in saved.findings {
            let Some(name) = finding.fingerprint.clone() else {
                return Err("its findings have no fingerprint: an older release wrote it".to_owned());
            };
            all.insert(name, finding);
        }
        Ok(Before(all))
    }

    /// How a report differs from this one.
    pub fn compare(&self, report: &Report) -> Since {
        let names = fingerprints(report);
        let present: BTreeSet<&String> = names.iter().collect();
        let gone = self.0.iter().filter(|(name, _)| !present.contains(name));
        Since {
            new: names.iter().map(|name| !self.0.contains_key(name)).collect(),
            gone: gone.map(|(_, finding)| finding.clone()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Options, audit_bytes, registry};
    use crate::config::Profile;

    fn report(text: &str) -> Report {
        let Ok(Some(profile)) = Profile::built_in("orders", &registry::profile_names()) else {
            panic!("no profile");
        };
        audit_bytes("server.properties", text.as_bytes(), &Options::new(&profile))
    }

    #[test]
    fn new_same_and_gone_are_told_apart() {
        let before = report("broker.id=1\ndefault.replication.factor=1\nunclean.leader.election.enable=true");
        let names = fingerprints(&before);
        let findings: Vec<_> = before
            .findings
            .iter()
            .zip(&names)
            .map(|(f, name)| serde_json::json!({"rule": f.rule.code, "file": "server.properties", "message": "m", "fingerprint": name}))
            .collect();
        let saved = serde_json::json!({"schema": SCHEMA, "findings": findings}).to_string();
        let after = report("broker.id=1\ndefault.replication.factor=1\noffsets.topic.replication.factor=1");
        let since = Before::parse(&saved).expect("a report").compare(&after);
        let new: Vec<_> = after
            .findings
            .iter()
            .zip(&since.new)
            .filter(|(_, new)| **new)
            .map(|(f, _)| f.rule.code)
            .collect();
        let gone: Vec<_> = since.gone.iter().map(|g| g.rule.as_str()).collect();
        assert_eq!((new, gone), (vec!["KB006"], vec!["KB003"]));
        assert!(since.count_same() > 0);
        assert!(Before::parse("{}").is_err());
        assert!(
            Before::parse(r#"{"schema":"mqsafe.audit/1","findings":[{"rule":"KB001","file":"f","message":"m"}]}"#)
                .is_err()
        );
    }
}
