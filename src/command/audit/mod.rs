//! `mqsafe audit`: paths to findings.

mod changed;
mod fix;
#[cfg(feature = "broker")]
mod live;

use crate::audit::baseline::Baseline;
use crate::audit::fact::Dialect;
use crate::audit::live::{Observation, is_live};
use crate::audit::registry::{self, RULES, is_demonstrated};
use crate::audit::rule::Rule;
use crate::audit::stated::{Release, Stated};
use crate::audit::{Before, Options, Report, Undecided, audit_with};
use crate::cli::{AuditArgs, AuditFormat, ClientName, DialectName, FailOn};
use crate::config::{BUILT_IN, Profile, ProfileError, Repository, Severity};
use crate::model::{Outcome, Problem, Result};
use crate::ui::{Table, Ui, emit, escape};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// What is safe when nobody says: the producer keeps a copy, and silent loss is wrong.
const DEFAULT_PROFILE: &str = "orders";
/// The settings of a repository, in the directory where the audit is started.
const REPOSITORY_FILE: &str = ".mqsafe.yaml";
/// How wide a report in a file is.
const FILE_WIDTH: usize = 120;
/// The largest profile that is read. The shipped ones have a few kilobytes.
const MAX_PROFILE_BYTES: u64 = 1024 * 1024;
/// The largest report of before, or baseline: some hundred thousand findings.
const MAX_REPORT_BYTES: u64 = 256 * 1024 * 1024;

pub(super) fn run(args: AuditArgs, ui: &Ui) -> Result<Outcome> {
    if let Some(code) = &args.explain {
        return explain(code, ui);
    }
    if args.list_rules {
        return list_rules(ui);
    }
    let repository = repository(&args)?;
    let of_repository = repository.as_ref().and_then(|r| r.profile.as_deref());
    let profile = load_profile(args.profile.as_deref().or(of_repository).unwrap_or(DEFAULT_PROFILE))?;
    // Before anything is read: what is asked for must be possible.
    let baseline = args.baseline.as_deref().map(read_baseline).transpose()?;
    let fail_on = severity(args.fail_on);
    let dialect = args.dialect.map(dialect);
    if let (Some(_), Some(dir)) = (dialect, args.paths.iter().find(|p| p.is_dir())) {
        return Err(
            Problem::usage(format!("--dialect cannot be given for the directory {}", dir.display()))
                .next("name the files that are of this dialect"),
        );
    }
    let options = Options {
        dialect,
        stated: stated(&args),
        strict: args.strict,
        pedantic: args.pedantic,
        ..Options::new(&profile)
    };
    let before = args.since_report.as_deref().map(read_report).transpose()?;
    let (running, stop) = observed(&args, ui)?;
    let touched = args.changed_since.as_deref().map(changed::since).transpose()?;
    let look = || {
        let progress = ui.progress("audit");
        let mut report = audit_with(&args.paths, &running, &options, |done, total, file| {
            progress.set_total(total as u64);
            progress.set(done as u64, file);
        });
        progress.finish();
        if let Some(repository) = &repository {
            let before = report.findings.len();
            report
                .findings
                .retain(|f| repository.tells(f.rule.code, &f.places.primary.file));
            report.ignored += before - report.findings.len();
            report.undecided.retain(|u| repository.tells(u.rule.code, &u.file));
        }
        if let Some(touched) = &touched {
            report
                .findings
                .retain(|f| is_live(f.places.primary.spot) || changed::holds(touched, &f.places.primary.file));
            report.undecided.retain(|u| changed::holds(touched, &u.file));
        }
        if let (Some(baseline), Some(path)) = (&baseline, &args.baseline) {
            baseline.apply(&path.to_string_lossy(), &mut report);
        }
        report.since = before.as_ref().map(|before| before.compare(&report));
        report
    };
    let mut report = look();
    if args.fix && !args.diff && !stop.is_asked() && fix::apply(&report, ui)? > 0 {
        // What is left, at the places where it now stands.
        report = look();
    }
    if let Some(path) = args.write_baseline.as_ref().filter(|_| stop.is_asked()) {
        // It would call everything new that was not read this time.
        ui.warn(&format!("{} is not written: the audit was interrupted", path.display()));
    } else if let Some(path) = &args.write_baseline {
        write_file(path, &Baseline::of(&report).text())?;
    }
    let text = match args.diff {
        true => emit::audit_diff(&report),
        false => written(args.format, &report, fail_on, ui.color_out(), ui.width()),
    };
    ui.data(text.as_bytes())?;
    for (format, path) in &args.output {
        write_file(path, &written(*format, &report, fail_on, false, FILE_WIDTH))?;
    }
    tell(&report, ui, args.format == AuditFormat::Full && !args.diff);
    let outcome = stop.outcome(report.outcome(fail_on));
    ui.summary(&summary(&report, outcome, fail_on));
    Ok(outcome)
}

/// A report in one of the formats.
fn written(format: AuditFormat, report: &Report, fail_on: Severity, color: bool, width: usize) -> String {
    match format {
        AuditFormat::Full => emit::audit_full(report, color, width),
        AuditFormat::Concise => emit::audit_concise(report),
        AuditFormat::Json => emit::audit_json(report),
        AuditFormat::Sarif => emit::audit_sarif(report),
        AuditFormat::Github => emit::audit_github(report),
        AuditFormat::Gitlab => emit::audit_gitlab(report),
        AuditFormat::Junit => emit::audit_junit(report, fail_on),
        AuditFormat::Markdown => emit::audit_markdown(report),
    }
}

/// Writes a whole file or none: beside its place first, so that no end of the process leaves half a report where a whole one was.
fn write_file(path: &Path, text: &str) -> Result<()> {
    let failed = |e: std::io::Error| {
        Problem::unknown(format!("cannot write {}", path.display()))
            .because(e)
            .next("the audit itself was made; give a file in a directory that exists")
    };
    // A pipe, a terminal or a link is written as it is.
    let is_plain = std::fs::symlink_metadata(path).map_or(true, |m| m.is_file());
    let Some(name) = path.file_name().filter(|_| is_plain) else {
        return std::fs::write(path, text).map_err(failed);
    };
    let beside = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let written = std::fs::write(&beside, text).and_then(|()| {
        if let Ok(there) = std::fs::metadata(path) {
            std::fs::set_permissions(&beside, there.permissions())?;
        }
        std::fs::rename(&beside, path)
    });
    let Err(why) = written else { return Ok(()) };
    // It may never have been made.
    let _ = std::fs::remove_file(&beside);
    match why.kind() {
        // A file may be writable in a directory that is not.
        ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::CrossesDevices
        | ErrorKind::ResourceBusy => std::fs::write(path, text).map_err(failed),
        _ => Err(failed(why)),
    }
}

fn read_baseline(path: &Path) -> Result<Baseline> {
    let refused = |why: String| {
        Problem::usage(format!("cannot use the baseline {}", path.display()))
            .because(why)
            .next("write it with --write-baseline")
    };
    let text = read_up_to(path, MAX_REPORT_BYTES).map_err(refused)?;
    Baseline::parse(&text).map_err(refused)
}

fn read_report(path: &Path) -> Result<Before> {
    let refused = |why: String| {
        Problem::usage(format!("cannot compare with the report {}", path.display()))
            .because(why)
            .next("save one with --format json")
    };
    let text = read_up_to(path, MAX_REPORT_BYTES).map_err(refused)?;
    Before::parse(&text).map_err(refused)
}

/// The text of a file. Not by the length that the system tells, which is 0 for a device without an end.
fn read_up_to(path: &Path, most_bytes: u64) -> std::result::Result<String, String> {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(most_bytes + 1).read_to_string(&mut text));
    read.map_err(|e| e.to_string())?;
    match text.len() as u64 > most_bytes {
        true => Err(format!("larger than {most_bytes} bytes")),
        false => Ok(text),
    }
}

/// Whether the run was asked to stop while it asked brokers. Who judges files alone has nothing to give up, and dies of the signal.
#[derive(Default)]
struct Stop {
    #[cfg(feature = "broker")]
    asked: Option<super::stop::Asked>,
}

#[cfg(feature = "broker")]
impl Stop {
    fn is_asked(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.signal().is_some())
    }

    fn outcome(&self, outcome: Outcome) -> Outcome {
        self.asked.as_ref().map_or(outcome, |asked| asked.outcome(outcome))
    }
}

#[cfg(not(feature = "broker"))]
impl Stop {
    const fn is_asked(&self) -> bool {
        false
    }

    const fn outcome(&self, outcome: Outcome) -> Outcome {
        outcome
    }
}

/// What the running brokers tell that are named.
#[cfg(feature = "broker")]
fn observed(args: &AuditArgs, ui: &Ui) -> Result<(Vec<Observation>, Stop)> {
    if !args.live.any() {
        return Ok((live::refuse_without(&args.live)?, Stop::default()));
    }
    let asked = super::stop::Asked::listen()?;
    let running = live::observe(&args.live, ui, &asked)?;
    Ok((running, Stop { asked: Some(asked) }))
}

#[cfg(not(feature = "broker"))]
fn observed(_args: &AuditArgs, _ui: &Ui) -> Result<(Vec<Observation>, Stop)> {
    Ok((Vec::new(), Stop::default()))
}

/// The settings of the repository: of the file that is named, or of the one in the working directory if there is any.
fn repository(args: &AuditArgs) -> Result<Option<Repository>> {
    let path = args.config.as_deref().unwrap_or(Path::new(REPOSITORY_FILE));
    let refused = |why: String| {
        Problem::usage(format!("cannot use {}", path.display()))
            .because(why)
            .next("it may hold profile, select, ignore and per-path")
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if args.config.is_none() && e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(refused(e.to_string())),
    };
    let codes: Vec<String> = RULES.iter().map(|r| r.code.to_owned()).collect();
    Repository::parse(&text, &codes).map(Some).map_err(refused)
}

/// What the command line says of releases; of one client given twice the last counts.
fn stated(args: &AuditArgs) -> Stated {
    let release = |(major, minor, patch)| Release(major, minor, patch);
    let mut stated = Stated {
        kafka: args.kafka_version.map(release),
        rabbitmq: args.rabbitmq_version.map(release),
        rocketmq: args.rocketmq_version.map(release),
        ..Stated::default()
    };
    for (client, number) in &args.client {
        match client {
            ClientName::Java => stated.java = Some(release(*number)),
            ClientName::Librdkafka => stated.librdkafka = Some(release(*number)),
        }
    }
    stated
}

/// What `--explain` says of a rule that a test has shown to be right.
const DEMONSTRATED: &str =
    "\n# Proof\nDemonstrated: a test loses messages with the bad value on a real broker and none with the good one.\n";

fn explain(code: &str, ui: &Ui) -> Result<Outcome> {
    let rule = registry::find(code).ok_or_else(|| {
        Problem::usage(format!("there is no rule `{code}`")).next("mqsafe audit --list-rules names them all")
    })?;
    let evidence: Vec<&str> = rule.evidence.iter().map(|e| e.name()).collect();
    let mut text = format!("{} {}\n{}\n\n{}", rule.code, rule.name, rule.title, rule.explanation());
    let roles: Vec<&str> = rule.applies.iter().map(|r| r.name()).collect();
    text.push_str(&format!("\n# Judges\n{}\n", roles.join(", ")));
    text.push_str(&format!("\n# Found in\n{}\n", evidence.join(", ")));
    if is_demonstrated(rule) {
        text.push_str(DEMONSTRATED);
    }
    text.push_str("\n# Severity\n");
    let names = std::iter::once(rule.code.to_owned()).chain(rule.variants.iter().map(|v| format!("{}/{v}", rule.code)));
    let profiles = built_in_profiles()?;
    for name in names {
        let levels: Vec<String> = profiles
            .iter()
            .map(|p| format!("{} {}", p.name, level(p, &name)))
            .collect();
        text.push_str(&format!("{name}: {}\n", levels.join(", ")));
    }
    ui.data(text.as_bytes())?;
    Ok(Outcome::Good)
}

fn list_rules(ui: &Ui) -> Result<Outcome> {
    let profiles = built_in_profiles()?;
    let titles: Vec<&str> = ["rule", "name", "evidence"]
        .into_iter()
        .chain(BUILT_IN.iter().map(|(name, _)| *name))
        .chain(["proof", "finds"])
        .collect();
    // One line for each rule, however narrow the terminal: names must stay whole to be searched for.
    let mut table = Table::new(&titles, usize::MAX);
    for rule in RULES {
        let levels = profiles.iter().map(|p| level(p, rule.code).to_owned());
        table.row(
            [rule.code.to_owned(), rule.name.to_owned(), evidence(rule)]
                .into_iter()
                .chain(levels)
                .chain([proof(rule).to_owned(), rule.title.to_owned()]),
        );
    }
    ui.data(table.render().as_bytes())?;
    Ok(Outcome::Good)
}

/// Whether a test has shown that messages are lost as the rule says.
fn proof(rule: &Rule) -> &'static str {
    if is_demonstrated(rule) { "demonstrated" } else { "-" }
}

/// Where a rule finds what it judges.
fn evidence(rule: &Rule) -> String {
    let names: Vec<&str> = rule.evidence.iter().map(|e| e.name()).collect();
    names.join(",")
}

fn level(profile: &Profile, rule: &str) -> &'static str {
    profile.severity(rule).map_or("off", Severity::name)
}

fn built_in_profiles() -> Result<Vec<Profile>> {
    BUILT_IN.iter().map(|(name, _)| load_profile(name)).collect()
}

/// A built-in profile by its name, or a file by its path.
fn load_profile(name: &str) -> Result<Profile> {
    let rules = registry::profile_names();
    let refused = |e: ProfileError| Problem::usage(format!("cannot use the profile {name}")).because(e);
    if let Some(profile) = Profile::built_in(name, &rules).map_err(refused)? {
        return Ok(profile);
    }
    let next = "give finance, orders, logs, or the path of a YAML file";
    let path = Path::new(name);
    let is_path = name.contains(['/', '\\', '.']) || path.exists();
    if !is_path {
        return Err(Problem::usage(format!("there is no profile `{name}`")).next(next));
    }
    let unreadable = |why: String| {
        Problem::usage(format!("cannot read the profile {name}"))
            .because(why)
            .next(next)
    };
    let text = read_up_to(path, MAX_PROFILE_BYTES).map_err(unreadable)?;
    Profile::parse(name, &text, &rules).map_err(|e| refused(e).next("the shipped profiles show what a profile may say"))
}

const fn severity(typed: FailOn) -> Severity {
    match typed {
        FailOn::Critical => Severity::Critical,
        FailOn::High => Severity::High,
        FailOn::Medium => Severity::Medium,
        FailOn::Low => Severity::Low,
    }
}

const fn dialect(typed: DialectName) -> Dialect {
    match typed {
        DialectName::KafkaBroker => Dialect::KafkaBroker,
        DialectName::KafkaProducer => Dialect::KafkaProducer,
        DialectName::KafkaConsumer => Dialect::KafkaConsumer,
        DialectName::LibrdkafkaProducer => Dialect::LibrdkafkaProducer,
        DialectName::LibrdkafkaConsumer => Dialect::LibrdkafkaConsumer,
        DialectName::RabbitmqDefinitions => Dialect::RabbitmqDefinitions,
        DialectName::RocketmqBroker => Dialect::RocketmqBroker,
        DialectName::KafkaConnect => Dialect::KafkaConnect,
        DialectName::KafkaConnector => Dialect::KafkaConnector,
        DialectName::KafkaStreams => Dialect::KafkaStreams,
        DialectName::KafkaMirror => Dialect::KafkaMirror,
        DialectName::RabbitmqConf => Dialect::RabbitmqConf,
        DialectName::RocketmqController => Dialect::RocketmqController,
        DialectName::Application => Dialect::Application,
    }
}

/// Says what is no finding and yet decides how far the answer reaches.
fn tell(report: &Report, ui: &Ui, is_full: bool) {
    for note in &report.notes {
        let place = note
            .line
            .map_or_else(|| note.file.to_string(), |line| format!("{}:{line}", note.file));
        if note.verbose {
            tracing::info!("{}: {}", escape(&place), escape(&note.what));
        } else {
            ui.warn(&format!("{place}: {}", note.what));
        }
    }
    for (file, reason, rules) in grouped(&report.undecided) {
        ui.warn(&format!("{file}: not decided: {reason} ({})", rules.join(", ")));
    }
    for skipped in &report.unrecognised {
        ui.warn(&format!("{}: not judged: {}", skipped.file, skipped.reason));
    }
    // The report for people holds it already.
    for (target, u) in report.unread().filter(|_| !is_full) {
        ui.problem(
            &Problem::unknown(format!("cannot read {} of {target}", u.what))
                .because(&u.why)
                .next(&u.next),
        );
    }
    for error in &report.errors {
        let place = error.spot.map_or_else(
            || error.file.to_string(),
            |s| format!("{}:{}:{}", error.file, s.line, s.column),
        );
        let problem = Problem::unknown(format!("cannot read {place}")).because(&error.what);
        ui.problem(&match error.spot {
            Some(_) => problem.next("correct the file there; nothing in it was judged"),
            None => problem,
        });
    }
}

/// One line for all the rules that could not tell for the same reason.
fn grouped(undecided: &[Undecided]) -> Vec<(&str, &str, Vec<&'static str>)> {
    let mut groups: BTreeMap<(&str, &str), Vec<&'static str>> = BTreeMap::new();
    for u in undecided {
        groups.entry((&u.file, &u.reason)).or_default().push(u.rule.code);
    }
    groups
        .into_iter()
        .map(|((file, reason), rules)| (file, reason, rules))
        .collect()
}

fn summary(report: &Report, outcome: Outcome, fail_on: Severity) -> String {
    let (judged, all) = (report.judged_files(), report.findings.len());
    let counts: Vec<String> = Severity::ALL
        .into_iter()
        .map(|s| (s, report.findings.iter().filter(|f| f.severity == s).count()))
        .filter(|(_, n)| *n > 0)
        .map(|(s, n)| format!("{n} {s}"))
        .collect();
    let found = match all {
        0 => "no finding".to_owned(),
        n => format!("{n} {} ({})", plural(n, "finding", "findings"), counts.join(", ")),
    };
    let failed = report.at_least(fail_on);
    let verdict = match outcome {
        Outcome::Good if all == 0 => "clean".to_owned(),
        Outcome::Good => format!("passed: {found}"),
        Outcome::Negative => format!("{found}, {failed} at {fail_on} or above"),
        Outcome::Interrupted(_) => format!("interrupted: {found}, but not everything was read"),
        _ if judged == 0 && report.running.is_empty() => "unknown: nothing was recognised".to_owned(),
        _ if judged == 0 && !report.running.iter().any(|r| report.is_read(r)) => {
            "unknown: nothing could be judged".to_owned()
        }
        _ => format!("unknown: {found}, but not everything could be judged"),
    };
    let mut rest = match (judged, report.running.len()) {
        (_, 0) => format!("{judged} {} judged", plural(judged, "file", "files")),
        (0, n) => running(report, n),
        (_, n) => format!(
            "{judged} {} judged, {}",
            plural(judged, "file", "files"),
            running(report, n)
        ),
    };
    if let Some(since) = &report.since {
        rest.push_str(&format!(
            ", {} new, {} the same and {} gone since the report",
            since.count_new(),
            since.count_same(),
            since.gone.len()
        ));
        if !since.unseen.is_empty() {
            rest.push_str(&format!(", {} of it not looked for", since.unseen.len()));
        }
    }
    for (count, what) in [
        (report.unread().count(), "not read"),
        (report.unrecognised.len(), "not judged"),
        (report.errors.len(), "not readable"),
        (report.undecided.len(), "undecided"),
        (report.passed, "not about messaging"),
        (report.not_opened, "of kinds not read"),
    ] {
        if count > 0 {
            rest.push_str(&format!(", {count} {what}"));
        }
    }
    format!(
        "{verdict}; {rest}; profile {}, fails on {fail_on} or above",
        report.profile
    )
}

fn running(report: &Report, count: usize) -> String {
    let requests: u64 = report.running.iter().map(|r| r.requests).sum();
    let clusters = plural(count, "cluster", "clusters");
    let read = match report.running.iter().filter(|r| report.is_read(r)).count() {
        0 if count == 1 => return format!("the running {clusters} not read"),
        0 => return format!("none of {count} running {clusters} read"),
        read if read == count => format!("{count} running {clusters}"),
        read => format!("{read} of {count} running {clusters}"),
    };
    let in_requests = usize::try_from(requests).unwrap_or(usize::MAX);
    format!(
        "{read} read in {requests} {}",
        plural(in_requests, "request", "requests")
    )
}

const fn plural<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}
