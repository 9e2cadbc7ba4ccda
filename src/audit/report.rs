//! What an audit came to, as data.

use super::excerpt::Excerpt;
use super::fact::{Component, Dialect, Given};
use super::live::{AtRisk, Unread, Wanted, is_live};
use super::rule::Rule;
use super::since::Since;
use crate::config::Severity;
use crate::model::Outcome;
use crate::text::{Span, Spot};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// A place with the line that stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownPlace {
    /// The file as it was named.
    pub file: Arc<str>,
    /// Line and column.
    pub spot: Spot,
    /// The line; `None` for what is absent.
    pub excerpt: Option<Excerpt>,
    /// Why it matters.
    pub label: String,
}

/// Places, at least one: the first is what the finding points at.
#[derive(Debug, Clone)]
pub struct Places {
    /// What the finding points at.
    pub primary: ShownPlace,
    /// What else matters.
    pub related: Vec<ShownPlace>,
}

/// One way to lose messages.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule that found it.
    pub rule: &'static Rule,
    /// How bad the profile says it is.
    pub severity: Severity,
    /// Where.
    pub places: Places,
    /// The key as written, or the canonical one when it is absent.
    pub key: String,
    /// The value as written; `None` when the key is absent.
    pub value: Option<String>,
    /// The queue, exchange or other named thing that it is about.
    pub subject: Option<String>,
    /// What is set and what that means, in a few words.
    pub headline: String,
    /// How a message is lost.
    pub story: String,
    /// What to write instead.
    pub fix: String,
    /// The bytes to replace, and by what, where that is safe.
    pub edit: Option<Edit>,
    /// Of a live broker: where the value comes from, in words that follow "set by".
    pub origin: Option<String>,
    /// Of a live broker: every place that gives the key a value, the one that counts first; empty where it does not tell.
    pub given: Vec<Given>,
    /// Of a live broker: the command of its own tools that mends it, for a shell. Nothing is run here.
    pub command: Option<String>,
}

/// A change of the file that a finding points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The bytes of the value; none where a line is added.
    pub span: Span,
    /// What to write there.
    pub text: Cow<'static, str>,
    /// The line that it is on, or is added behind.
    pub line: usize,
}

/// A file that was judged, once for each dialect in it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The file.
    pub file: Arc<str>,
    /// What it was read as.
    pub dialect: Dialect,
    /// What reads it in earnest.
    pub component: Component,
    /// How many facts were found in it.
    pub facts: usize,
}

/// A file that was not judged.
#[derive(Debug, Clone)]
pub struct Unrecognised {
    /// The file.
    pub file: Arc<str>,
    /// Why.
    pub reason: String,
    /// Whether it was named, and not found on a walk.
    pub named: bool,
}

/// A path that could not be read, or a file that is not what it seems to be.
#[derive(Debug, Clone)]
pub struct ReadError {
    /// The path.
    pub file: Arc<str>,
    /// Where in the file, when it could be opened.
    pub spot: Option<Spot>,
    /// Why.
    pub what: String,
}

/// A rule that could not tell.
#[derive(Debug, Clone)]
pub struct Undecided {
    /// The rule.
    pub rule: &'static Rule,
    /// The file.
    pub file: Arc<str>,
    /// Why.
    pub reason: String,
}

/// Something that is no finding and yet should be known.
#[derive(Debug, Clone)]
pub struct Note {
    /// The file.
    pub file: Arc<str>,
    /// The line that it is about, when it is about one.
    pub line: Option<usize>,
    /// What.
    pub what: String,
    /// Whether only somebody who asks for more needs it.
    pub verbose: bool,
}

/// What was read of one running cluster, beside what was found in it.
#[derive(Debug, Clone)]
pub struct Running {
    /// The cluster, as it may be shown.
    pub target: Arc<str>,
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// What could be lost if one node died now.
    pub at_risk: Vec<AtRisk>,
    /// How many requests were made, without those that open a connection.
    pub requests: u64,
    /// What was asked for; `None` for everything.
    pub asked: Option<Wanted>,
}

/// What an audit came to.
#[derive(Debug, Default)]
pub struct Report {
    /// The name of the profile.
    pub profile: String,
    /// By file, line, column and code.
    pub findings: Vec<Finding>,
    /// What was judged, by file.
    pub files: Vec<Judged>,
    /// What was not judged although it was named, or is about messaging.
    pub unrecognised: Vec<Unrecognised>,
    /// What could not be read.
    pub errors: Vec<ReadError>,
    /// What could not be told.
    pub undecided: Vec<Undecided>,
    /// What else should be known.
    pub notes: Vec<Note>,
    /// The running clusters that were asked.
    pub running: Vec<Running>,
    /// How it differs from a report of before.
    pub since: Option<Since>,
    /// Findings that were silenced on purpose.
    pub ignored: usize,
    /// Files that a walk opened, and that nothing in them says to be about messaging.
    pub passed: usize,
    /// Files that a walk did not open, because no reader knows their kind.
    pub not_opened: usize,
}

impl Report {
    /// How many findings are at least this bad.
    pub fn at_least(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|f| f.severity >= severity).count()
    }

    /// What could not be read of running clusters, each with its cluster.
    pub fn unread(&self) -> impl Iterator<Item = (&Arc<str>, &Unread)> {
        self.running
            .iter()
            .flat_map(|r| r.unread.iter().map(|u| (&r.target, u)))
    }

    /// What could be lost if a node of a running cluster died now, each with its cluster.
    pub fn at_risk(&self) -> impl Iterator<Item = (&Arc<str>, &AtRisk)> {
        self.running
            .iter()
            .flat_map(|r| r.at_risk.iter().map(|a| (&r.target, a)))
    }

    /// Whether anything of a running cluster was read.
    pub fn is_read(&self, running: &Running) -> bool {
        self.files.iter().any(|j| j.file == running.target)
    }

    /// How many different files were judged.
    pub fn judged_files(&self) -> usize {
        let is_file = |j: &&Judged| self.running.iter().all(|r| r.target != j.file);
        let mut names: Vec<&str> = self.files.iter().filter(is_file).map(|j| &*j.file).collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    }

    /// Whether a finding at least as bad as `fail_on` exists, or something stayed unknown.
    pub fn outcome(&self, fail_on: Severity) -> Outcome {
        let unknown = self.files.is_empty()
            || !self.errors.is_empty()
            || !self.undecided.is_empty()
            || self.unread().next().is_some()
            || self.unrecognised.iter().any(|u| u.named);
        Outcome::combine([
            if self.at_least(fail_on) > 0 {
                Outcome::Negative
            } else {
                Outcome::Good
            },
            if unknown { Outcome::Unknown } else { Outcome::Good },
        ])
    }

    /// Says once what is so on several nodes of a running cluster, and names all of them.
    pub(super) fn join_nodes(&mut self) {
        if !self.findings.iter().any(|f| is_live(f.places.primary.spot)) {
            return;
        }
        let mut joined: Vec<Finding> = Vec::with_capacity(self.findings.len());
        let mut at: HashMap<Said, usize> = HashMap::new();
        for finding in self.findings.drain(..) {
            let place = &finding.places.primary;
            if !is_live(place.spot) || finding.subject.is_none() {
                joined.push(finding);
                continue;
            }
            let said = said(&finding);
            match at.get(&said).and_then(|i| joined.get_mut(*i)) {
                Some(first) => {
                    let (Some(all), Some(one)) = (&mut first.subject, &finding.subject) else {
                        continue;
                    };
                    if all != one {
                        all.push_str(", ");
                        all.push_str(one);
                    }
                    if let (Some(command), Some(other)) = (&mut first.command, finding.command)
                        && *command != other
                    {
                        command.push_str(" && ");
                        command.push_str(&other);
                    }
                }
                None => {
                    at.insert(said, joined.len());
                    joined.push(finding);
                }
            }
        }
        self.findings = joined;
    }

    /// Puts everything in an order that does not depend on the order of reading.
    pub(super) fn sort(&mut self) {
        fn key(f: &Finding) -> (&str, Spot, &str, Option<&str>) {
            let place = &f.places.primary;
            (&place.file, place.spot, f.rule.code, f.subject.as_deref())
        }
        self.findings.sort_by(|a, b| key(a).cmp(&key(b)));
        // Two profiles of one application, or two services that share their environment, say the same at the same place.
        self.findings.dedup_by(|a, b| same(a, b));
        self.undecided
            .sort_by(|a, b| (&a.file, a.rule.code, &a.reason).cmp(&(&b.file, b.rule.code, &b.reason)));
        self.undecided
            .dedup_by(|a, b| a.file == b.file && a.rule.code == b.rule.code && a.reason == b.reason);
        self.files
            .sort_by(|a, b| (&a.file, a.dialect).cmp(&(&b.file, b.dialect)));
        self.unrecognised.sort_by(|a, b| a.file.cmp(&b.file));
        self.errors.sort_by(|a, b| (&a.file, a.spot).cmp(&(&b.file, b.spot)));
        self.notes
            .sort_by(|a, b| (&a.file, a.line, &a.what).cmp(&(&b.file, b.line, &b.what)));
        self.notes
            .dedup_by(|a, b| a.file == b.file && a.line == b.line && a.what == b.what);
    }
}

/// All that a finding says but for the node that it is about, and the commands, which name it.
type Said = (
    String,
    Severity,
    Option<String>,
    Option<String>,
    Vec<Given>,
    Vec<(Arc<str>, String)>,
);

fn said(finding: &Finding) -> Said {
    let words = [
        &*finding.places.primary.file,
        finding.rule.code,
        &finding.key,
        &finding.headline,
        &finding.story,
        &finding.fix,
        &finding.places.primary.label,
    ];
    let related = finding.places.related.iter();
    (
        words.join("\0"),
        finding.severity,
        finding.value.clone(),
        finding.origin.clone(),
        finding.given.clone(),
        related.map(|p| (p.file.clone(), p.label.clone())).collect(),
    )
}

/// Whether two findings say the same of the same bytes. What is absent may be absent twice.
fn same(a: &Finding, b: &Finding) -> bool {
    let place = |f: &Finding| (f.places.primary.file.clone(), f.places.primary.spot);
    a.places.primary.excerpt.is_some()
        && place(a) == place(b)
        && a.rule.code == b.rule.code
        && (&a.key, &a.value, &a.subject, &a.headline) == (&b.key, &b.value, &b.subject, &b.headline)
}
