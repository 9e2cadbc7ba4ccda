//! From paths to a report: read each file, let every rule judge every unit, keep what is to be shown.

use super::addition;
use super::excerpt;
use super::fact::{Dialect, Effect, Place, Subject, Unit};
use super::gather;
use super::ignore;
use super::input::{self, Input};
use super::judge::{self, Context, Hit, Judge};
use super::live::Observation;
use super::locks::Locks;
use super::read::{self, Beside, Joined, Reading};
use super::registry::RULES;
use super::remedy;
use super::report::{
    Edit, Finding, Judged, Note, Places, ReadError, Report, Running, ShownPlace, Undecided, Unrecognised,
};
use super::role::{self, Role};
use super::rule::{Evidence, Rule};
use super::secret::Masks;
use super::stated::Stated;
use super::world::World;
use crate::config::Profile;
use crate::text::{SourceFile, Span};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What an audit is asked for.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    /// What "safe" means.
    pub profile: &'a Profile,
    /// Read every named file as this, whatever it looks like.
    pub dialect: Option<Dialect>,
    /// What is said of versions.
    pub stated: Stated,
    /// Let every rule speak, even where one finding already says it all.
    pub pedantic: bool,
    /// Let a comment silence a finding only when it gives a reason.
    pub strict: bool,
}

impl<'a> Options<'a> {
    /// What the profile asks, with nothing said beside it.
    pub fn new(profile: &'a Profile) -> Options<'a> {
        Options {
            profile,
            dialect: None,
            stated: Stated::default(),
            pedantic: false,
            strict: false,
        }
    }
}

/// The text of the files that were judged, for the lines that findings show.
type Sources = HashMap<Arc<str>, (SourceFile, Masks)>;

/// What was read so far.
#[derive(Default)]
struct Read {
    units: Vec<Unit>,
    sources: Sources,
    /// Files of builds on the disk; none for texts that are no files.
    locks: Option<Locks>,
    /// Files that others name and that were read with them.
    joined: HashSet<Arc<str>>,
}

/// Audits files and directories. `progress` hears of every file, with the number done and the number of all.
pub fn audit(paths: &[PathBuf], options: &Options<'_>, progress: impl FnMut(usize, usize, &str)) -> Report {
    audit_with(paths, &[], options, progress)
}

/// As [`audit`], together with what running clusters tell.
pub fn audit_with(
    paths: &[PathBuf],
    running: &[Observation],
    options: &Options<'_>,
    mut progress: impl FnMut(usize, usize, &str),
) -> Report {
    let inputs = input::collect(paths);
    let mut report = Report {
        profile: options.profile.name.clone(),
        errors: inputs.errors,
        not_opened: inputs.not_opened,
        ..Report::default()
    };
    let mut all = Read {
        locks: Some(Locks::default()),
        ..Read::default()
    };
    let total = inputs.files.len();
    let mut done = 0;
    let read =
        |file: &Input| input::bytes_of(&file.path).map(|bytes| read_source(file, bytes, options, &input::beside));
    gather::in_order(&inputs.files, read, |file, outcome| {
        progress(done, total, &file.name);
        done += 1;
        match outcome {
            Ok((source, reading, joined)) => {
                all.join(joined);
                take(file, source, reading, &mut all, &mut report);
            }
            Err(what) => report.errors.push(ReadError {
                file: file.name.clone(),
                spot: None,
                what,
            }),
        }
    });
    drop(inputs.files);
    for observed in running {
        all.units.extend(observed.units.iter().cloned());
        report.running.push(Running {
            target: observed.target.clone(),
            unread: observed.unread.clone(),
            at_risk: observed.at_risk.clone(),
            requests: observed.requests,
            asked: observed.asked.clone(),
        });
        report.notes.extend(observed.notes.iter().map(|what| Note {
            file: observed.target.clone(),
            line: None,
            what: what.clone(),
            verbose: false,
        }));
    }
    judge_all(&mut all, options, &mut report);
    report
}

/// Audits bytes under the name of a file that need not exist.
pub fn audit_bytes(name: &str, bytes: &[u8], options: &Options<'_>) -> Report {
    audit_texts(&[(name, bytes)], options)
}

/// Audits several files together that need not exist.
pub fn audit_texts(files: &[(&str, &[u8])], options: &Options<'_>) -> Report {
    let mut report = Report {
        profile: options.profile.name.clone(),
        ..Report::default()
    };
    let mut all = Read::default();
    for (name, bytes) in files {
        let file = Input {
            path: PathBuf::from(name),
            name: Arc::from(*name),
            named: true,
        };
        let given = |path: &Path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path)?;
            Some((Arc::from(found.0), found.1.to_vec()))
        };
        let (source, reading, joined) = read_source(&file, bytes.to_vec(), options, &given);
        all.join(joined);
        take(&file, source, reading, &mut all, &mut report);
    }
    judge_all(&mut all, options, &mut report);
    report
}

/// A file with what it came to, and the files that were read with it.
type Came = (SourceFile, Reading, Vec<Arc<Joined>>);

fn read_source(
    file: &Input,
    bytes: Vec<u8>,
    options: &Options<'_>,
    find: &dyn Fn(&Path) -> Option<(Arc<str>, Vec<u8>)>,
) -> Came {
    let source = SourceFile::new(bytes);
    let beside = Beside::new(&file.path, find);
    let reading = read::read(&file.name, &file.path, &source, options.dialect, Some(&beside));
    (source, reading, beside.into_taken())
}

impl Read {
    /// Keeps the files that were read with another.
    fn join(&mut self, files: Vec<Arc<Joined>>) {
        for joined in files {
            self.joined.insert(joined.name.clone());
            // Nobody else holds it once its reader is done.
            if let Ok(joined) = Arc::try_unwrap(joined) {
                self.sources.insert(joined.name, (joined.source, joined.masks));
            }
        }
    }

    /// What is known of a file of variables by itself counts only where no container takes it: then the container is judged.
    fn without_joined(&mut self, report: &mut Report) {
        let joined = &self.joined;
        if joined.is_empty() {
            return;
        }
        self.units.retain(|unit| {
            let is_joined = unit.carrier == Some("environment") && joined.contains(&unit.file);
            if is_joined {
                report.files.push(judged(unit));
            }
            !is_joined
        });
    }
}

fn judged(unit: &Unit) -> Judged {
    Judged {
        file: unit.file.clone(),
        dialect: unit.dialect,
        component: unit.component,
        facts: unit.facts.len() + unit.surroundings.len(),
    }
}

/// Keeps what one file came to.
fn take(file: &Input, source: SourceFile, reading: Reading, all: &mut Read, report: &mut Report) {
    let unrecognised = |reason: String| Unrecognised {
        file: file.name.clone(),
        reason,
        named: file.named,
    };
    match reading {
        Reading::Units { mut units, masks } => {
            if let Some(locks) = &mut all.locks {
                locks.tell(&file.path, &mut units);
            }
            all.units.extend(units);
            all.sources.insert(file.name.clone(), (source, masks));
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

fn judge_all(all: &mut Read, options: &Options<'_>, report: &mut Report) {
    all.without_joined(report);
    let world = World::new(&all.units);
    judge_world(&world, &all.sources, options, report);
    let sources = all.sources.iter().map(|(file, (source, _))| (file, source));
    ignore::apply(sources, options.strict, report);
    // The report holds all that is shown.
    *all = Read::default();
    report.sort();
    report.join_nodes();
}

/// Lets every rule judge every unit that it applies to.
fn judge_world(world: &World<'_>, sources: &Sources, options: &Options<'_>, report: &mut Report) {
    let context = Context {
        profile: options.profile,
        stated: options.stated,
        pedantic: options.pedantic,
        world,
    };
    let rules: Vec<&'static Rule> = RULES.iter().copied().filter(|r| is_on(r, options.profile)).collect();
    for unit in world.units() {
        report.files.push(judged(unit));
        notes_on_dead_settings(unit, report);
        let before = report.findings.len();
        for rule in &rules {
            if unit.dialect == Dialect::KafkaClient && applies_to_a_client(rule) {
                report.undecided.push(Undecided {
                    rule,
                    file: unit.file.clone(),
                    reason: "nothing in the file tells whether a producer or a consumer reads it".to_owned(),
                });
            } else if unit.is_live() && !rule.evidence.contains(&Evidence::Live) {
                // It speaks of how a file is read.
            } else if rule.applies.iter().any(|r| role::is(unit, *r)) {
                judge(rule, unit, context, sources, report);
            }
        }
        if unit.is_live()
            && let Some(its) = report.findings.get_mut(before..)
        {
            remedy::join(unit, its, context.profile);
        }
    }
}

fn judge(rule: &'static Rule, unit: &Unit, context: Context<'_>, sources: &Sources, report: &mut Report) {
    let shown = |place: &Place, label: &str| ShownPlace {
        file: place.file.clone(),
        spot: place.spot,
        excerpt: sources
            .get(&place.file)
            .and_then(|(source, masks)| excerpt::cut(source, masks, place.span)),
        label: label.to_owned(),
    };
    let mut judge = Judge::new(rule, unit, context);
    (rule.check)(&mut judge);
    if judge.unlisted > 0 {
        report.notes.push(Note {
            file: unit.file.clone(),
            line: None,
            what: format!("{} more findings of {} are not listed", judge.unlisted, rule.code),
            verbose: false,
        });
    }
    let named: HashMap<String, &Subject> = match unit.is_live() && !judge.hits.is_empty() {
        true => unit.subjects.iter().map(|s| (judge::describe(s), s)).collect(),
        false => HashMap::new(),
    };
    report.findings.extend(judge.hits.into_iter().map(|hit| {
        let edit = edit(&hit, sources).or_else(|| added(&hit, unit, sources));
        let subject = hit.subject.as_ref().and_then(|name| named.get(name).copied());
        let number = unit.is_live().then(|| number_of(unit, subject, &hit)).flatten();
        let command = match unit.is_live() {
            true => remedy::command(unit, subject, &hit, context.profile),
            false => None,
        };
        let mut found = Finding {
            edit,
            origin: number.and_then(|n| unit.origin_words(n)),
            given: number.map(|n| unit.given(n).to_vec()).unwrap_or_default(),
            command,
            ..finding(hit, shown)
        };
        if unit.is_live() && found.subject.is_none() {
            found.subject.clone_from(&unit.name);
        }
        found
    }));
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

/// The fact of a live broker that a hit is about: the one that it points at, which may be a policy's while the hit is about a queue, or
/// what its key says.
fn number_of(unit: &Unit, subject: Option<&Subject>, hit: &Hit) -> Option<usize> {
    let by_key = || {
        let range = subject.map_or(0..unit.facts.len(), |s| s.facts.clone());
        let facts = unit.facts.get(range.clone())?;
        Some(facts.iter().rposition(|f| f.key == hit.key)? + range.start)
    };
    hit.fact.or_else(by_key)
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
        edit: None,
        origin: None,
        given: Vec::new(),
        command: None,
    }
}

/// The bytes of the value that a hit points at, when a safe one may stand there.
fn edit(hit: &Hit, sources: &Sources) -> Option<Edit> {
    let (text, value) = (hit.safe?, hit.value.as_deref()?.trim());
    let (source, masks) = sources.get(&hit.place.file)?;
    if value.is_empty() || masks.touch(hit.place.span) {
        return None;
    }
    let raw = source.bytes().get(hit.place.span.range())?;
    // The value is what the place ends with, but for quotes.
    let end = raw.iter().rposition(|b| !matches!(b, b'"' | b'\'' | b' ' | b'\t'))? + 1;
    let start = end.checked_sub(value.len())?;
    (raw.get(start..end)? == value.as_bytes()).then(|| Edit {
        span: Span::new(hit.place.span.start + start, hit.place.span.start + end),
        text: text.into(),
        line: hit.place.spot.line,
    })
}

/// The line to add where a safe value may stand for a key that is absent.
fn added(hit: &Hit, unit: &Unit, sources: &Sources) -> Option<Edit> {
    let value = hit
        .safe
        .filter(|_| hit.value.is_none() && hit.place.file == unit.file)?;
    let (source, _) = sources.get(&unit.file)?;
    let facts = match &hit.subject {
        None => 0..unit.facts.len(),
        Some(named) => {
            let mut named = unit.subjects.iter().filter(|s| judge::describe(s) == *named);
            let subject = named.next()?;
            // Two of one name cannot be told apart.
            named.next().is_none().then(|| subject.facts.clone())?
        }
    };
    addition::of(unit, facts, &hit.key, value, source)
}

/// Whether the profile lets the rule, or one of its variants, speak at all.
fn is_on(rule: &Rule, profile: &Profile) -> bool {
    profile.severity(rule.code).is_some()
        || rule
            .variants
            .iter()
            .any(|v| profile.severity(&format!("{}/{v}", rule.code)).is_some())
}

/// Whether the rule would have judged a client file if it told its role. Rules that join files say nothing of such a one.
fn applies_to_a_client(rule: &Rule) -> bool {
    // Connect and Streams hold clients of their own.
    let holds_clients = |r: &Role| matches!(r, Role::KafkaConnectWorker | Role::KafkaConnector | Role::KafkaStreams);
    !rule.code.starts_with("X-")
        && rule.evidence.contains(&Evidence::File)
        && rule.applies.iter().any(|r| r.is_kafka_client())
        && rule.applies.iter().all(|r| r.is_kafka_client() || holds_clients(r))
}

/// A setting that comes twice with two values, or that a byte order mark hides, is worth a word whatever it is.
fn notes_on_dead_settings(unit: &Unit, report: &mut Report) {
    let json = unit.dialect == Dialect::RabbitmqDefinitions;
    // What comes twice in a template stands in branches of which one is taken.
    if unit.fragment.is_some() && !json {
        return;
    }
    for (line, what) in &unit.remarks {
        report.notes.push(Note {
            file: unit.file.clone(),
            line: Some(*line),
            what: what.clone(),
            verbose: true,
        });
    }
    for fact in &unit.facts {
        let key = &fact.key;
        let what = match fact.effect {
            Effect::Live => continue,
            Effect::Ignored { why } => format!("`{key}` has no effect: {why}"),
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

/// Judges units that no reader made, for the tests of rules whose facts come from a live broker or a reader of its own.
#[cfg(test)]
pub(super) fn judge_fed(units: &[Unit], files: Vec<Arc<str>>, text: &str, options: &Options<'_>) -> Report {
    let sources: Sources = files
        .into_iter()
        .map(|name| {
            (
                name,
                (SourceFile::new(text.as_bytes().to_vec()), Masks::new(Vec::new())),
            )
        })
        .collect();
    let mut report = Report::default();
    judge_world(&World::new(units), &sources, options, &mut report);
    report.sort();
    report
}
