//! What a rule holds in its hands while it judges one unit: facts in, hits out.

use super::fact::{Effect, Fact, Place, Subject, Unit};
use super::resolve::{self, Setting};
use super::role::Role;
use super::rule::Rule;
use super::stated::{Release, Stated};
use super::world::World;
use crate::config::{Profile, Severity};
use std::collections::BTreeSet;

/// How many findings of one rule in one file are listed. Whoever has more of them reads the first and the number.
const MAX_HITS: usize = 10_000;

/// The words of a hit.
#[derive(Debug, Clone)]
pub struct Say {
    /// What is set, and what that means, in a few words.
    pub headline: String,
    /// A word at the arrow.
    pub label: String,
    /// How a message is lost because of it.
    pub story: String,
    /// What to write instead.
    pub fix: String,
}

impl Say {
    /// These words: headline, word at the arrow, how a message is lost, what to write instead.
    pub fn new(
        headline: impl Into<String>,
        label: impl Into<String>,
        story: impl Into<String>,
        fix: impl Into<String>,
    ) -> Say {
        Say {
            headline: headline.into(),
            label: label.into(),
            story: story.into(),
            fix: fix.into(),
        }
    }
}

/// What every judgement of a run shares.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// What "safe" means.
    pub profile: &'a Profile,
    /// What the person says of versions.
    pub stated: Stated,
    /// Whether every rule speaks, even where one finding already says it all.
    pub pedantic: bool,
    /// Everything that was given in the run.
    pub world: &'a World<'a>,
}

/// What a hit points at.
#[derive(Debug, Clone)]
pub struct At {
    key: String,
    value: Option<String>,
    place: Place,
    subject: Option<String>,
    /// Whether it follows from an absent key whose default is not the same in every version.
    inferred: bool,
    related: Vec<(Place, String)>,
    /// The value that may safely be written instead.
    safe: Option<&'static str>,
    /// The number of the fact that it points at, of the unit that is judged.
    fact: Option<usize>,
}

/// A hit of a rule, before its lines are shown.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    /// The rule.
    pub rule: &'static Rule,
    /// How bad the profile says it is.
    pub severity: Severity,
    /// The key, as written; the canonical one when it is absent.
    pub key: String,
    /// The value; `None` when the key is absent.
    pub value: Option<String>,
    /// The queue, exchange or other named thing that it is about.
    pub subject: Option<String>,
    /// Where.
    pub place: Place,
    /// Where else, and why that matters.
    pub related: Vec<(Place, String)>,
    /// The words.
    pub say: Say,
    /// The value that may safely be written instead.
    pub safe: Option<&'static str>,
    /// The number of the fact that it points at, of the unit that was judged.
    pub fact: Option<usize>,
}

/// One rule judging one unit.
pub struct Judge<'a> {
    /// The unit.
    pub unit: &'a Unit,
    /// What "safe" means.
    pub profile: &'a Profile,
    /// What the run shares.
    pub context: Context<'a>,
    rule: &'static Rule,
    pub(super) hits: Vec<Hit>,
    /// Hits that are counted and not listed.
    pub(super) unlisted: usize,
    pub(super) undecided: BTreeSet<String>,
    pub(super) notes: BTreeSet<String>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(rule: &'static Rule, unit: &'a Unit, context: Context<'a>) -> Judge<'a> {
        Judge {
            unit,
            profile: context.profile,
            context,
            rule,
            hits: Vec::new(),
            unlisted: 0,
            undecided: BTreeSet::new(),
            notes: BTreeSet::new(),
        }
    }

    /// The effective value of a key.
    pub fn setting(&self, key: &'static str) -> Setting<'a> {
        self.setting_of(self.unit, key)
    }

    /// The effective value of a key in another unit of the run.
    pub fn setting_of<'u>(&self, unit: &'u Unit, key: &'static str) -> Setting<'u> {
        resolve::setting(unit, key, self.release_of(unit))
    }

    /// The release of the component, stated or told by the file.
    pub fn release(&self) -> Option<Release> {
        self.release_of(self.unit)
    }

    /// The release of another unit's component.
    pub fn release_of(&self, unit: &Unit) -> Option<Release> {
        self.context
            .stated
            .of(unit.component)
            .or_else(|| resolve::told_release(unit))
    }

    /// The units of another role that belong together with this one.
    pub fn near(&self, role: Role) -> impl Iterator<Item = &'a Unit> + use<'a> {
        self.context.world.near(role, self.unit).into_iter()
    }

    /// As [`Judge::near`], of any of several roles: one of a role that stands further away than another's does not count.
    pub fn near_any(&self, roles: &[Role]) -> impl Iterator<Item = &'a Unit> + use<'a> {
        self.context.world.near_any(roles, self.unit).into_iter()
    }

    /// The units of the same role that belong together with this one, and itself.
    pub fn beside(&self, role: Role) -> impl Iterator<Item = &'a Unit> + use<'a> {
        self.context.world.beside(role, self.unit).into_iter()
    }

    /// What runs of a role in the cluster that the files of the run belong to.
    pub fn running(&self, role: Role) -> impl Iterator<Item = &'a Unit> + use<'a> {
        self.context.world.running(role).into_iter()
    }

    /// A key that is written and takes effect, with its value. What is filled in elsewhere is recorded as undecided; what is absent is
    /// not, so that this suits keys whose default is safe.
    pub fn written(&mut self, key: &'static str) -> Option<(Setting<'a>, String)> {
        let setting = self.setting(key);
        setting.given?;
        let text = self.text(&setting)?;
        Some((setting, text))
    }

    /// As [`Judge::written`], for a whole number.
    pub fn written_int(&mut self, key: &'static str) -> Option<(Setting<'a>, i64)> {
        let setting = self.setting(key);
        setting.given?;
        let number = self.int(&setting)?;
        Some((setting, number))
    }

    /// As [`Judge::written`], for a truth.
    pub fn written_truth(&mut self, key: &'static str) -> Option<(Setting<'a>, bool)> {
        let setting = self.setting(key);
        setting.given?;
        let truth = self.truth(&setting)?;
        Some((setting, truth))
    }

    /// The value of a key where it can be known, for a rule that only asks in passing: nothing is recorded.
    pub fn quiet(&self, key: &'static str) -> Option<String> {
        self.setting(key).value.ok()
    }

    /// The value as text; when it is not known, that is recorded as undecided.
    pub fn text(&mut self, setting: &Setting<'_>) -> Option<String> {
        match &setting.value {
            Ok(value) => {
                if let Some(versions) = setting.assumes {
                    self.note(format!(
                        "{}: no `{}` in the file; assumes {versions}",
                        self.rule.code, setting.key
                    ));
                }
                Some(value.clone())
            }
            Err(why) => {
                self.undecided(why.clone());
                None
            }
        }
    }

    /// The value as a whole number.
    pub fn int(&mut self, setting: &Setting<'_>) -> Option<i64> {
        let text = self.text(setting)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.undecided(format!("`{}` is not a number; the component refuses it", setting.key));
        }
        parsed
    }

    /// The value as a truth.
    pub fn truth(&mut self, setting: &Setting<'_>) -> Option<bool> {
        let text = self.text(setting)?.to_ascii_lowercase();
        match text.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            // librdkafka takes these too; the Java client refuses them.
            "1" | "t" if self.unit.component == super::fact::Component::Librdkafka => Some(true),
            "0" | "f" if self.unit.component == super::fact::Component::Librdkafka => Some(false),
            _ => {
                self.undecided(format!(
                    "`{}` is neither true nor false; the component refuses it",
                    setting.key
                ));
                None
            }
        }
    }

    /// Records that the rule cannot tell, and why.
    pub fn undecided(&mut self, why: impl Into<String>) {
        self.undecided.insert(why.into());
    }

    /// Records what an answer rests on.
    pub fn note(&mut self, what: impl Into<String>) {
        self.notes.insert(what.into());
    }

    /// Points at a setting: where it is written, or at the first line when it is not.
    pub fn at(&self, setting: &Setting<'_>) -> At {
        let fact = setting.given.or(setting.ineffective);
        let related = self
            .unit
            .all(fact.map_or(setting.key, |f| f.key.as_str()))
            .filter(|f| fact.is_some_and(|shown| shown.place != f.place))
            .filter_map(|f| match f.effect {
                Effect::Overridden { by_line } => {
                    Some((f.place.clone(), format!("has no effect: given again on line {by_line}")))
                }
                _ => None,
            })
            .collect();
        At {
            key: fact.map_or_else(|| setting.key.to_owned(), |f| f.key.clone()),
            value: fact.map(|f| f.value.show()),
            place: fact.map_or_else(|| self.unit.top(), |f| f.place.clone()),
            subject: None,
            inferred: setting.given.is_none() && !setting.is_certain(),
            related,
            safe: None,
            fact: fact.and_then(|f| self.unit.number_of(f)),
        }
    }

    /// Points at a fact.
    pub fn at_fact(&self, fact: &Fact) -> At {
        At {
            key: fact.key.clone(),
            value: Some(fact.value.show()),
            place: fact.place.clone(),
            subject: None,
            inferred: false,
            related: Vec::new(),
            safe: None,
            fact: self.unit.number_of(fact),
        }
    }

    /// Points at a named thing that lacks a key.
    pub fn at_subject(&self, subject: &Subject, key: &str) -> At {
        At {
            key: key.to_owned(),
            value: None,
            place: subject.place.clone(),
            subject: Some(describe(subject)),
            inferred: false,
            related: Vec::new(),
            safe: None,
            fact: None,
        }
    }

    /// Points at the whole unit, for what stands nowhere in it.
    pub fn at_unit(&self, key: &str) -> At {
        At {
            key: key.to_owned(),
            value: None,
            place: self.unit.top(),
            subject: self.unit.name.clone(),
            inferred: false,
            related: Vec::new(),
            safe: None,
            fact: None,
        }
    }

    /// Records a hit under the rule's own severity.
    pub fn hit(&mut self, at: At, say: Say) {
        self.hit_as(None, at, say);
    }

    /// Records a hit under the severity of one of the rule's variants.
    pub fn hit_as(&mut self, variant: Option<&'static str>, at: At, say: Say) {
        let name = match variant {
            Some(variant) => format!("{}/{variant}", self.rule.code),
            None => self.rule.code.to_owned(),
        };
        let Some(mut severity) = self.profile.severity(&name) else {
            return;
        };
        if at.inferred {
            severity = severity.lowered();
        }
        if at.subject.as_ref().is_some_and(|s| self.unit.unasked.contains(s)) {
            return;
        }
        if self.hits.len() == MAX_HITS {
            self.unlisted += 1;
            return;
        }
        self.hits.push(Hit {
            rule: self.rule,
            severity,
            key: at.key,
            value: at.value,
            subject: at.subject,
            place: at.place,
            related: at.related,
            safe: at.safe,
            fact: at.fact,
            say,
        });
    }
}

impl At {
    /// The same, about a named thing.
    #[must_use]
    pub fn of(mut self, subject: &Subject) -> At {
        self.subject = Some(describe(subject));
        self
    }

    /// The same, about the node that a unit is.
    #[must_use]
    pub fn of_node(mut self, unit: &Unit) -> At {
        self.subject = self.subject.or_else(|| unit.name.clone());
        self
    }

    /// The same, where writing this value instead can harm nothing but availability: `--fix` does it.
    #[must_use]
    pub fn safe(mut self, value: &'static str) -> At {
        self.safe = Some(value);
        self
    }

    /// The same, with another place that matters.
    #[must_use]
    pub fn related(mut self, place: &Place, why: impl Into<String>) -> At {
        self.related.push((place.clone(), why.into()));
        self
    }

    /// The same, one step less severe: it holds in some versions only.
    #[must_use]
    pub fn inferred(mut self, inferred: bool) -> At {
        self.inferred |= inferred;
        self
    }
}

/// A named thing as a person says it.
pub(super) fn describe(subject: &Subject) -> String {
    match &subject.vhost {
        Some(vhost) => format!("{} `{}` in virtual host `{vhost}`", subject.layer.name(), subject.name),
        None => format!("{} `{}`", subject.layer.name(), subject.name),
    }
}
