//! A line that says what a file does not say, in the way in which the file says its other settings.
//!
//! Only where there is one place for it: at the end of a file of keys and values, or behind a setting of the same mapping. The spelling,
//! the indentation, the separator and the quotes are those of that setting; whatever is not plain is left to a person.

use super::fact::{Effect, Fact, FactValue, Unit};
use super::report::Edit;
use crate::text::{SourceFile, Span};
use std::ops::Range;

/// What an image's variables of settings begin with.
const PREFIXES: [&str; 3] = ["KAFKA_CFG_", "KAFKA_", "CONNECT_"];

/// What YAML repeats elsewhere: what is written there may count for more than one thing.
const REPEATED: [&str; 6] = ["<<:", ": *", ": &", "- *", "- &", "}, {"];

/// The line that gives a unit, or the thing in it whose facts these are, a value for a key that it has not.
pub(super) fn of(unit: &Unit, facts: Range<usize>, key: &str, value: &str, source: &SourceFile) -> Option<Edit> {
    let text = source.utf8().ok()?;
    if unit.fragment.is_some() || unit.is_live() || key.starts_with('@') || key.contains(['_', '-', ' ']) {
        return None;
    }
    let siblings = unit.facts.get(facts)?.iter().rev().filter(|f| {
        f.place.file == unit.file
            && f.effect == Effect::Live
            && matches!(f.value, FactValue::Text(_) | FactValue::Bool(_))
            // It stands above the settings that are a topic's.
            && f.key != "partitions"
    });
    let mut shapes = siblings.filter_map(|f| Shape::of(f, source, text));
    if unit.carrier.is_none() {
        return shapes
            .find(|s| s.indent.is_empty() && s.separator.trim() == "=")
            .and_then(|s| {
                let eol = s.eol;
                let line = format!("{}{eol}", s.line(key, value)?);
                at_end(source, text, &line, eol)
            });
    }
    if REPEATED.iter().any(|r| text.contains(r)) || unit.carrier == Some("framework") {
        return None;
    }
    let last = shapes.max_by_key(|s| s.end)?;
    let line = format!("{}{}{}", last.eol, last.indent, last.line(key, value)?);
    Some(Edit {
        span: Span::new(last.end, last.end),
        text: line.into(),
        line: source.spot(last.end).line,
    })
}

/// A line at the end of a file. What goes on over the end of the last line would swallow it.
fn at_end(source: &SourceFile, text: &str, line: &str, eol: &str) -> Option<Edit> {
    let last = text.trim_end_matches(['\n', '\r']);
    if last.ends_with('\\') {
        return None;
    }
    let whole = text.is_empty() || text.ends_with('\n');
    Some(Edit {
        span: Span::new(text.len(), text.len()),
        text: match whole {
            true => line.to_owned().into(),
            false => format!("{eol}{}", line.trim_end()).into(),
        },
        line: source.spot(text.len()).line,
    })
}

/// How a setting is written.
struct Shape<'a> {
    /// What stands before its name: blanks, and `- ` with a quote in a list.
    indent: &'a str,
    /// What the name begins with before the setting's own: nothing, or what an image's variables begin with.
    prefix: &'a str,
    /// The quote around its name.
    name_quote: &'a str,
    /// From the name to the value, blanks included.
    separator: &'a str,
    /// The quote around its value.
    quote: &'a str,
    /// What follows the value of a list's element: its quote.
    tail: &'a str,
    /// Where its line ends, before what ends it.
    end: usize,
    /// What ends its line.
    eol: &'static str,
}

impl<'a> Shape<'a> {
    /// The shape of a setting that has a line for itself.
    fn of(fact: &Fact, source: &SourceFile, text: &'a str) -> Option<Shape<'a>> {
        let span = fact.place.span;
        let line = source.line_span(span.start);
        if span.end > line.end {
            return None;
        }
        let (indent, raw) = (text.get(line.start..span.start)?, text.get(span.start..line.end)?);
        let raw = raw.trim_end_matches(['\r', '\n']);
        let blank = indent.trim();
        if !matches!(blank, "" | "-" | "- \"" | "- '") {
            return None;
        }
        let name_quote = ["\"", "'"].into_iter().find(|q| raw.starts_with(*q)).unwrap_or("");
        let name = raw.get(name_quote.len()..)?;
        let (prefix, rest) = match name.strip_prefix(fact.key.as_str()) {
            Some(rest) => ("", rest),
            None if fact.key.contains(['_', '-']) => return None,
            None => {
                let upper = fact.key.to_uppercase().replace('.', "_");
                PREFIXES
                    .into_iter()
                    .find_map(|p| Some((p, name.strip_prefix(p)?.strip_prefix(upper.as_str())?)))?
            }
        };
        let rest = rest.strip_prefix(name_quote)?;
        let mark = rest.find([':', '='])?;
        let value = rest.get(mark + 1..)?.trim_start();
        let separator = rest.get(..rest.len() - value.len())?;
        if separator.chars().any(|c| !c.is_whitespace() && !matches!(c, ':' | '=')) || value.is_empty() {
            return None;
        }
        let quote = ["\"", "'"].into_iter().find(|q| value.starts_with(*q)).unwrap_or("");
        let tail = match blank {
            "- \"" => "\"",
            "- '" => "'",
            _ => "",
        };
        // Nothing but a comment may follow the value.
        let behind = text
            .get(span.end..line.end)?
            .trim()
            .trim_start_matches(['"', '\''])
            .trim_start();
        if !behind.is_empty() && !behind.starts_with('#') || value.starts_with(['|', '>', '[', '{', '&', '*', '!']) {
            return None;
        }
        Some(Shape {
            indent,
            prefix,
            name_quote,
            separator,
            quote,
            tail,
            end: line.start + text.get(line.start..line.end)?.trim_end_matches(['\r', '\n']).len(),
            eol: match text
                .get(line.start..)
                .and_then(|t| t.find('\n'))
                .map(|i| text.as_bytes()[line.start..][..i].ends_with(b"\r"))
            {
                Some(true) => "\r\n",
                _ => "\n",
            },
        })
    }

    /// Another setting in this shape.
    fn line(&self, key: &str, value: &str) -> Option<String> {
        let name = match self.prefix {
            "" => key.to_owned(),
            prefix => format!("{prefix}{}", key.to_uppercase().replace('.', "_")),
        };
        let is_map = self.separator.contains(':');
        // A mapping of variables takes no truths in some versions of compose.
        let quote = match self.quote {
            "" if is_map && !self.prefix.is_empty() => "\"",
            quote => quote,
        };
        let fits = !value.contains(['"', '\'', '\\', '\n']);
        fits.then(|| {
            format!(
                "{q}{name}{q}{}{quote}{value}{quote}{}",
                self.separator,
                self.tail,
                q = self.name_quote
            )
        })
    }
}
