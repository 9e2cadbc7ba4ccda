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
    /// What the one of before had, and nobody looked for this time, or not to the end: it may still be there.
    pub unseen: Vec<Gone>,
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
        let absent = self.0.iter().filter(|(name, _)| !present.contains(name));
        let (gone, unseen) = absent
            .map(|(_, finding)| finding.clone())
            .partition(|finding| is_looked_for(finding, report));
        Since {
            new: names.iter().map(|name| !self.0.contains_key(name)).collect(),
            gone,
            unseen,
        }
    }
}

/// Whether a finding that is no longer there would be in this report if it were still true.
fn is_looked_for(finding: &Gone, report: &Report) -> bool {
    let is_target = ["kafka://", "amqp://", "amqps://", "rocketmq://"];
    match report.running.iter().find(|r| *r.target == *finding.file) {
        Some(running) => {
            let subject = finding.subject.as_deref().unwrap_or_default();
            let is_asked = running
                .asked
                .as_ref()
                .is_none_or(|asked| asked.takes_described(subject));
            report.is_read(running) && running.unread.is_empty() && is_asked
        }
        None if is_target.iter().any(|scheme| finding.file.starts_with(scheme)) => false,
        None => report.errors.iter().all(|e| *e.file != *finding.file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::live::{Unread, Wanted};
    use crate::audit::report::{Judged, Running};
    use crate::audit::{Options, audit_bytes, registry};
    use crate::config::Profile;

    fn report(text: &str) -> Report {
        let Ok(Some(profile)) = Profile::built_in("orders", &registry::profile_names()) else {
            panic!("no profile");
        };
        audit_bytes("server.properties", text.as_bytes(), &Options::new(&profile))
    }

    #[test]
    fn what_nobody_looked_for_is_not_gone() {
        let finding = |fingerprint: &str, file: &str, subject: &str| serde_json::json!({"rule": "KT002", "file": file, "subject": subject, "message": "m", "fingerprint": fingerprint});
        let saved = serde_json::json!({"schema": SCHEMA, "findings": [
            finding("1", "kafka://h", "topic `orders`"),
            finding("2", "kafka://h", "topic `other`"),
            finding("3", "kafka://h", "broker 1"),
            finding("4", "kafka://elsewhere", "broker 1"),
        ]});
        let before = Before::parse(&saved.to_string()).expect("a report");
        let mut now = report("");
        now.running.push(Running {
            target: "kafka://h".into(),
            unread: Vec::new(),
            at_risk: Vec::new(),
            requests: 0,
            asked: Some(Wanted {
                topics: vec!["ord*".to_owned()],
                queues: Vec::new(),
                exclude: Vec::new(),
                peek: 0,
                patience: std::time::Duration::ZERO,
            }),
        });
        let counts = |now: &Report| {
            let since = before.compare(now);
            (since.gone.len(), since.unseen.len())
        };
        // Nothing of it was read.
        assert_eq!(counts(&now), (0, 4));
        now.files.push(Judged {
            file: "kafka://h".into(),
            dialect: crate::audit::fact::Dialect::KafkaTopics,
            component: crate::audit::fact::Component::KafkaBroker,
            facts: 1,
        });
        // The topic that was asked for, and the broker.
        assert_eq!(counts(&now), (2, 2));
        now.running[0].asked = None;
        assert_eq!(counts(&now), (3, 1));
        now.running[0].unread.push(Unread {
            what: "broker 2".to_owned(),
            why: "it is away".to_owned(),
            next: "start it".to_owned(),
        });
        assert_eq!(counts(&now), (0, 4));
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
