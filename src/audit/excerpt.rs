//! The line that a finding points at, cut to what a terminal shows and without secrets.

use super::secret::Masks;
use crate::text::{SourceFile, Span};

/// Characters kept before, inside and after what is pointed at.
const BEFORE: usize = 60;
const MARKED: usize = 120;
const AFTER: usize = 40;
const BLANK: &str = "***";

/// Part of one line, in three pieces. The text is as in the file; who shows it escapes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// What stands before.
    pub before: String,
    /// What is pointed at.
    pub marked: String,
    /// What stands after.
    pub after: String,
}

/// Cuts the line around `span`; `None` when there is nothing to point at.
pub(super) fn cut(source: &SourceFile, masks: &Masks, span: Span) -> Option<Excerpt> {
    if span.start >= span.end {
        return None;
    }
    let line = source.line_span(span.start);
    let marked_end = span.end.min(line.end).max(span.start);
    // A few bytes for each character, so that a line of megabytes costs nothing.
    let from = line.start.max(span.start.saturating_sub(BEFORE * 4 + 4));
    let to = line.end.min(marked_end.saturating_add(AFTER * 4 + 4));
    let mut before = masked(source, masks, Span::new(from, span.start));
    let mut marked = masked(
        source,
        masks,
        Span::new(span.start, marked_end.min(span.start + MARKED * 4 + 4)),
    );
    let mut after = masked(source, masks, Span::new(marked_end, to));
    let cut_before = before.chars().count().saturating_sub(BEFORE);
    if cut_before > 0 || from > line.start {
        before = format!("…{}", before.chars().skip(cut_before).collect::<String>());
    }
    if marked.chars().count() > MARKED {
        marked = marked.chars().take(MARKED).chain(['…']).collect();
    }
    if after.chars().count() > AFTER || to < line.end {
        after = after.chars().take(AFTER).chain(['…']).collect();
    }
    Some(Excerpt { before, marked, after })
}

/// The text of a span with every secret in it blanked.
fn masked(source: &SourceFile, masks: &Masks, span: Span) -> String {
    if span.start >= span.end {
        return String::new();
    }
    let bytes = |from: usize, to: usize| source.decode(source.bytes().get(from..to).unwrap_or_default());
    let mut out = String::new();
    let mut at = span.start;
    for secret in masks.overlapping(span) {
        out.push_str(&bytes(at, secret.start.max(at)));
        out.push_str(BLANK);
        at = secret.end.min(span.end);
    }
    out.push_str(&bytes(at, span.end));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_secrets_blanked() {
        let text = format!(
            "{}{{\"password\":\"hunter2\",\"durable\":false,\"x\":1}}{}",
            "y".repeat(300),
            "z".repeat(300)
        );
        let source = SourceFile::new(text.clone().into_bytes());
        let at = |what: &str| {
            let start = text.find(what).unwrap_or(0);
            Span::new(start, start + what.len())
        };
        let masks = Masks::new(vec![at("\"hunter2\"")]);
        let e = cut(&source, &masks, at("\"durable\":false"));
        assert_eq!(
            e,
            Some(Excerpt {
                before: format!("…{}{{\"password\":***,", "y".repeat(44)),
                marked: "\"durable\":false".to_owned(),
                after: format!(",\"x\":1}}{}…", "z".repeat(33)),
            })
        );
        assert_eq!(cut(&source, &masks, Span::new(0, 0)), None);
    }

    #[test]
    fn only_the_first_line_of_a_continued_value_is_shown() {
        let source = SourceFile::new(b"acks=\\\n  1\nx=2\n".to_vec());
        let e = cut(&source, &Masks::default(), Span::new(0, 10));
        assert_eq!(e.map(|e| e.marked), Some("acks=\\".to_owned()));
    }
}
