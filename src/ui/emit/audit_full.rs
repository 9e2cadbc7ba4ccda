//! Findings for people, in the look of rustc.

use super::audit_live::place_of;
use crate::audit::live::is_live;
use crate::audit::{Finding, Given, Places, Report, ShownPlace};
use crate::config::Severity;
use crate::ui::escape;
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use std::fmt::Write;

/// The narrowest and the widest that long sentences are broken at.
const TEXT_WIDTH: std::ops::RangeInclusive<usize> = 60..=120;
/// What the renderer puts before a sentence, at most: the gutter, the mark and the name.
const INDENT: usize = 16;

/// Every finding with its line, the story and the fix; then what of running clusters is none. Empty when there is nothing of it.
pub fn audit_full(report: &Report, color: bool, width: usize) -> String {
    let renderer =
        if color { Renderer::styled() } else { Renderer::plain() }.term_width(width.max(*TEXT_WIDTH.start()));
    let mut out = String::new();
    for finding in &report.findings {
        out.push_str(&with_columns(
            renderer.render(&[group(finding, width)]),
            &finding.places,
        ));
        out.push_str("\n\n");
    }
    sections(report, &mut out);
    out
}

/// What of running clusters is no finding.
fn sections(report: &Report, out: &mut String) {
    for (target, u) in report.unread() {
        let _ = writeln!(
            out,
            "not read: {} of {}\n  why: {}\n  next: {}\n",
            escape(&u.what),
            escape(target),
            escape(&u.why),
            escape(&u.next)
        );
    }
    for (target, a) in report.at_risk() {
        let _ = writeln!(
            out,
            "if {} of {} died now with its disk, this could be lost:",
            escape(&a.node),
            escape(target)
        );
        for loss in &a.losses {
            let _ = writeln!(out, "  {}: {}", escape(&loss.name), escape(&loss.why));
        }
        out.push('\n');
    }
    if let Some(since) = &report.since {
        let _ = writeln!(
            out,
            "since the report of before: {} new, {} the same, {} gone{}",
            since.count_new(),
            since.count_same(),
            since.gone.len(),
            match since.unseen.len() {
                0 => String::new(),
                n => format!(", {n} not looked for"),
            }
        );
        let new = report.findings.iter().zip(&since.new).filter(|(_, new)| **new);
        for (f, _) in new {
            let _ = writeln!(
                out,
                "  new: {}: {} {}",
                escape(&place_of(f)),
                f.rule.code,
                escape(&f.headline)
            );
        }
        let gone = since.gone.iter().map(|g| ("gone", g));
        for (what, g) in gone.chain(since.unseen.iter().map(|g| ("not looked for", g))) {
            let subject = g.subject.as_deref().map(|s| format!("{s}: ")).unwrap_or_default();
            let _ = writeln!(
                out,
                "  {what}: {}: {}{} {}",
                escape(&g.file),
                escape(&subject),
                g.rule,
                escape(&g.message)
            );
        }
        out.push('\n');
    }
}

fn group(finding: &Finding, width: usize) -> Group<'static> {
    let level = match finding.severity {
        Severity::Critical | Severity::High => Level::ERROR,
        Severity::Medium => Level::WARNING,
        Severity::Low => Level::INFO,
    };
    let title = level
        .with_name(finding.severity.name())
        .primary_title(escape(&finding.headline))
        .id(finding.rule.code);
    let related = finding.places.related.iter();
    let mut elements = vec![shown(&finding.places.primary, AnnotationKind::Primary)];
    elements.extend(
        related
            .clone()
            .filter(|p| !is_live(p.spot))
            .map(|place| shown(place, AnnotationKind::Context)),
    );
    let text_width = width.clamp(*TEXT_WIDTH.start(), *TEXT_WIDTH.end()) - INDENT;
    let sentence = |level: Level<'static>, name: &'static str, text: &str| {
        Element::from(level.with_name(name).message(wrap(&escape(text), text_width)))
    };
    if let Some(subject) = &finding.subject {
        elements.push(sentence(Level::NOTE, "in", subject));
    }
    if let (Some(origin), Some(value)) = (&finding.origin, &finding.value) {
        // Under the name that it has there: what a topic inherits is written differently in the broker's file.
        let text = match finding.given.first().filter(|first| first.key != finding.key) {
            Some(first) => format!("{origin}: {}={}", first.key, first.value),
            None => format!("{origin}: {}={value}", finding.key),
        };
        elements.push(sentence(Level::NOTE, "set by", &text));
        if let Some(otherwise) = Given::otherwise(&finding.given) {
            elements.push(sentence(Level::NOTE, "otherwise", &otherwise));
        }
    }
    for place in related.filter(|p| is_live(p.spot)) {
        elements.push(sentence(
            Level::NOTE,
            "live",
            &format!("{}: {}", place.file, place.label),
        ));
    }
    elements.push(sentence(Level::NOTE, "loss", &finding.story));
    elements.push(sentence(Level::HELP, "fix", &finding.fix));
    if let Some(command) = &finding.command {
        // Whole: it is to be copied.
        elements.push(Element::from(Level::HELP.with_name("run").message(escape(command))));
    }
    title.elements(elements)
}

fn shown(place: &ShownPlace, kind: AnnotationKind) -> Element<'static> {
    let path = escape(&place.file);
    if is_live(place.spot) {
        return Element::from(Origin::path(path));
    }
    let Some(excerpt) = &place.excerpt else {
        let origin = Origin::path(path).line(place.spot.line).char_column(place.spot.column);
        return Element::from(origin);
    };
    let (before, marked, after) = (escape(&excerpt.before), escape(&excerpt.marked), escape(&excerpt.after));
    let span = before.len()..before.len() + marked.len();
    let snippet = Snippet::source(format!("{before}{marked}{after}"))
        .line_start(place.spot.line)
        .path(path)
        .annotation(kind.span(span).label(escape(&place.label)));
    Element::from(snippet)
}

/// Puts the real columns into the headers. The renderer counts them in what it is given, and that begins in the middle of a long line.
fn with_columns(mut text: String, places: &Places) -> String {
    let mut from = 0;
    for place in std::iter::once(&places.primary).chain(&places.related) {
        let header = format!("{}:{}:", escape(&place.file), place.spot.line);
        let Some(at) = text.get(from..).and_then(|rest| rest.find(&header)) else {
            continue;
        };
        let start = from + at + header.len();
        let digits = text
            .get(start..)
            .map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
        let column = place.spot.column.to_string();
        text.replace_range(start..start + digits, &column);
        from = start + column.len();
    }
    text
}

/// Breaks a sentence at spaces so that no line is wider than `width` characters, where words allow.
fn wrap(text: &str, width: usize) -> String {
    let (mut out, mut column) = (String::new(), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_broken_at_spaces() {
        assert_eq!(wrap("aa bb cc", 5), "aa bb\ncc");
        assert_eq!(wrap("abcdefgh ij", 5), "abcdefgh\nij");
        assert_eq!(wrap("", 5), "");
    }
}
