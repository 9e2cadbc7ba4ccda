//! From paths to a report: read each file, let every rule judge every unit, keep what is to be shown.

use super::excerpt;
use super::fact::{Dialect, Effect, Place, Unit};
use super::input::{self, Input};
use super::judge::{Hit, Judge};
use super::read::{self, Reading};
use super::registry::RULES;
use super::report::{Finding, Judged, Note, Places, ReadError, Report, ShownPlace, Undecided, Unrecognised};
use super::rule::Rule;
use super::secret::Masks;
use crate::config::Profile;
use crate::text::SourceFile;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What an audit is asked for.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    /// What "safe" means.
    pub profile: &'a Profile,
    /// Read every named file as this, whatever it looks like.
    pub dialect: Option<Dialect>,
}

/// Audits files and directories. `progress` hears of every file, with the number done and the number of all.
pub fn audit(paths: &[PathBuf], options: &Options<'_>, mut progress: impl FnMut(usize, usize, &str)) -> Report {
    let inputs = input::collect(paths);
    let mut report = Report {
        profile: options.profile.name.clone(),
        errors: inputs.errors,
        not_opened: inputs.not_opened,
        ..Report::default()
    };
    let total = inputs.files.len();
    for (done, file) in inputs.files.iter().enumerate() {
        progress(done, total, &file.name);
        match input::bytes_of(&file.path) {
            Ok(bytes) => audit_input(file, bytes, options, &mut report),
            Err(what) => report.errors.push(ReadError {
                file: file.name.clone(),
                spot: None,
                what,
            }),
        }
    }
    report.sort();
    report
}

/// Audits bytes under the name of a file that need not exist.
pub fn audit_bytes(name: &str, bytes: &[u8], options: &Options<'_>) -> Report {
    let mut report = Report {
        profile: options.profile.name.clone(),
        ..Report::default()
    };
    let file = Input {
        path: PathBuf::from(name),
        name: Arc::from(name),
        named: true,
    };
    audit_input(&file, bytes.to_vec(), options, &mut report);
    report.sort();
    report
}

fn audit_input(file: &Input, bytes: Vec<u8>, options: &Options<'_>, report: &mut Report) {
    let source = SourceFile::new(bytes);
    let path: &Path = &file.path;
    let unrecognised = |reason: String| Unrecognised {
        file: file.name.clone(),
        reason,
        named: file.named,
    };
    match read::read(&file.name, path, &source, options.dialect) {
        Reading::Units { units, masks } => {
            for unit in &units {
                judge(unit, &source, &masks, options.profile, report);
            }
        }
        Reading::Malformed { spot, what } => report.errors.push(ReadError {
            file: file.name.clone(),
            spot: Some(spot),
            what,
        }),
        Reading::NotYet(what) => report.unrecognised.push(unrecognised(what)),
        Reading::NotMessaging(why) if file.named => report.unrecognised.push(unrecognised(why.to_owned())),
        Reading::NotMessaging(_) => report.passed += 1,
    }
}

fn judge(unit: &Unit, source: &SourceFile, masks: &Masks, profile: &Profile, report: &mut Report) {
    report.files.push(Judged {
        file: unit.file.clone(),
        dialect: unit.dialect,
        component: unit.component,
    });
    notes_on_dead_settings(unit, report);
    let shown = |place: &Place, label: &str| ShownPlace {
        file: place.file.clone(),
        spot: place.spot,
        excerpt: excerpt::cut(source, masks, place.span),
        label: label.to_owned(),
    };
    for rule in RULES.iter().copied().filter(|rule| is_on(rule, profile)) {
        if unit.dialect == Dialect::KafkaClient && applies_to_a_client(rule) {
            report.undecided.push(Undecided {
                rule,
                file: unit.file.clone(),
                reason: "nothing in the file tells whether a producer or a consumer reads it".to_owned(),
            });
            continue;
        }
        if !rule.applies.contains(&unit.dialect) {
            continue;
        }
        let mut judge = Judge::new(rule, unit, profile);
        (rule.check)(&mut judge);
        if judge.unlisted > 0 {
            report.notes.push(Note {
                file: unit.file.clone(),
                line: None,
                what: format!("{} more findings of {} are not listed", judge.unlisted, rule.code),
                verbose: false,
            });
        }
        report
            .findings
            .extend(judge.hits.into_iter().map(|hit| finding(hit, shown)));
        report
            .undecided
            .extend(judge.undecided.into_iter().map(|reason| Undecided {
                rule,
                file: unit.file.clone(),
                reason,
            }));
        report.notes.extend(judge.notes.into_iter().map(|what| Note {
            file: unit.file.clone(),
            line: None,
            what,
            verbose: true,
        }));
    }
}

fn finding(hit: Hit, shown: impl Fn(&Place, &str) -> ShownPlace) -> Finding {
    Finding {
        rule: hit.rule,
        severity: hit.severity,
        places: Places {
            primary: shown(&hit.place, &hit.say.label),
            related: hit.related.iter().map(|(place, why)| shown(place, why)).collect(),
        },
        key: hit.key,
        value: hit.value,
        subject: hit.subject,
        headline: hit.say.headline,
        story: hit.say.story,
        fix: hit.say.fix,
    }
}

/// Whether the profile lets the rule, or one of its variants, speak at all.
fn is_on(rule: &Rule, profile: &Profile) -> bool {
    profile.severity(rule.code).is_some()
        || rule
            .variants
            .iter()
            .any(|v| profile.severity(&format!("{}/{v}", rule.code)).is_some())
}

fn applies_to_a_client(rule: &Rule) -> bool {
    [Dialect::KafkaProducer, Dialect::KafkaConsumer]
        .iter()
        .any(|d| rule.applies.contains(d))
}

/// A setting that comes twice with two values, or that a byte order mark hides, is worth a word whatever it is.
fn notes_on_dead_settings(unit: &Unit, report: &mut Report) {
    let json = unit.dialect == Dialect::RabbitmqDefinitions;
    // What comes twice in a template stands in branches of which one is taken.
    if unit.fragment.is_some() && !json {
        return;
    }
    for fact in &unit.facts {
        let key = &fact.key;
        let what = match fact.effect {
            Effect::Live => continue,
            Effect::Overridden { .. } if json => {
                format!("`{key}` comes twice in one object; the last is judged, and readers differ on that")
            }
            Effect::Overridden { .. } if unit.live(key).is_some_and(|live| live.value == fact.value) => continue,
            Effect::Overridden { by_line } => {
                format!("`{key}` is given again on line {by_line}; this value has no effect")
            }
            Effect::ByteOrderMark => format!(
                "a byte order mark stands before `{key}`; Java takes it for a part of the name, so the setting has no effect"
            ),
        };
        report.notes.push(Note {
            file: unit.file.clone(),
            line: Some(fact.place.spot.line),
            what,
            verbose: false,
        });
    }
}
