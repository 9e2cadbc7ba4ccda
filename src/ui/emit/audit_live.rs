//! What is shown of running clusters, in whatever format: places without a line, what was not read, what one death could lose.

use crate::audit::live::{AtRisk, Unread, is_live};
use crate::audit::{Finding, Report, ShownPlace};

/// How many losses of one death are named one by one. The report for machines has all of them.
const NAMED: usize = 20;

/// `file:line:column`, or the cluster and the thing in it.
pub(super) fn place_of(f: &Finding) -> String {
    let place = &f.places.primary;
    match (is_live(place.spot), &f.subject) {
        (true, Some(subject)) => format!("{}: {subject}", place.file),
        (true, None) => place.file.to_string(),
        (false, _) => format!("{}:{}:{}", place.file, place.spot.line, place.spot.column),
    }
}

/// Line and column, of what stands in a text.
pub(super) fn spot_of(place: &ShownPlace) -> Option<(usize, usize)> {
    (!is_live(place.spot)).then_some((place.spot.line, place.spot.column))
}

/// What to write instead, with the command where there is one.
pub(super) fn fix_of(f: &Finding) -> String {
    match &f.command {
        Some(command) => format!("{}; run: {command}", f.fix),
        None => f.fix.clone(),
    }
}

/// What could not be read, as a sentence.
pub(super) fn unread(u: &Unread) -> String {
    format!("not read: {}: {}; {}", u.what, u.why, u.next)
}

/// What one death could lose, as a sentence.
pub(super) fn at_risk(a: &AtRisk) -> String {
    let named: Vec<String> = a
        .losses
        .iter()
        .take(NAMED)
        .map(|l| format!("{} ({})", l.name, l.why))
        .collect();
    let more = match a.losses.len().checked_sub(NAMED) {
        Some(more) if more > 0 => format!(", and {more} more"),
        _ => String::new(),
    };
    format!("if {} died now with its disk: {}{more}", a.node, named.join(", "))
}

/// What of running clusters, and of a report of before, is no finding: each with its cluster or file.
pub(super) fn lines(report: &Report) -> Vec<(&str, String)> {
    let unread = report.unread().map(|(target, u)| (&**target, unread(u)));
    let at_risk = report.at_risk().map(|(target, a)| (&**target, at_risk(a)));
    let absent = report.since.iter().flat_map(|s| {
        let gone = s.gone.iter().map(|g| ("gone", g));
        gone.chain(s.unseen.iter().map(|g| ("not looked for", g)))
    });
    let gone = absent.map(|(what, g)| {
        let subject = g.subject.as_ref().map(|s| format!("{s}: ")).unwrap_or_default();
        (g.file.as_str(), format!("{what}: {subject}{} {}", g.rule, g.message))
    });
    unread.chain(at_risk).chain(gone).collect()
}
