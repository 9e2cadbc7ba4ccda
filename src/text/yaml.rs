//! YAML with the byte range of every key and value, several documents, and limits that hostile text cannot get past.
//!
//! Aliases and merge keys are followed, because compose files live by them. They can multiply a file without end, so what they
//! stand for is counted before it is taken. The parser counts characters; here everything is turned into bytes once.

use super::Span;
use saphyr_parser::{Event, Parser, ScalarStyle};
use std::collections::HashMap;
use std::rc::Rc;

/// How deep values may be nested, aliases followed. The deepest real resource definitions have some forty levels.
pub const MAX_DEPTH: usize = 96;
/// How many values a file may stand for, every alias counted with all that it stands for.
pub const MAX_VALUES: usize = 1_000_000;

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: `true` and `1` are no texts.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// A block that keeps its lines, after `|`.
    Literal,
    /// A block whose lines are joined, after `>`.
    Folded,
}

/// One value.
#[derive(Debug)]
pub struct Node {
    /// The bytes of it. A block scalar's are those of its lines, from the first that holds something.
    pub span: Span,
    /// What it is.
    pub data: Data,
    /// How many values it stands for, itself included.
    values: usize,
    /// How deep the values in it are nested.
    height: usize,
}

/// What a value is.
#[derive(Debug)]
pub enum Data {
    /// A scalar: its text, and how it is written.
    Text {
        /// The text, unescaped.
        text: String,
        /// How it is written.
        style: Style,
    },
    /// A list.
    List(Vec<Rc<Node>>),
    /// Keys and values in the order of the file; what a merge key brings comes last and only for keys that are not there.
    Map(Vec<Pair>),
}

/// A key with its value.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The key.
    pub key: String,
    /// The bytes of the key, where it was written.
    pub key_span: Span,
    /// The value.
    pub value: Rc<Node>,
}

/// Why a text is not YAML that is read here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// The byte that it was noticed at.
    pub offset: usize,
    /// What it is, as a fragment; nothing of the file's own text.
    pub what: String,
}

impl Node {
    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar that is not null.
    pub fn given(&self) -> Option<&str> {
        self.text().filter(|_| !self.is_null())
    }

    /// The elements of a list; nothing for anything else.
    pub fn list(&self) -> &[Rc<Node>] {
        match &self.data {
            Data::List(list) => list,
            _ => &[],
        }
    }

    /// The pairs of a mapping; nothing for anything else.
    pub fn map(&self) -> &[Pair] {
        match &self.data {
            Data::Map(map) => map,
            _ => &[],
        }
    }

    /// Whether it is a mapping.
    pub fn is_map(&self) -> bool {
        matches!(self.data, Data::Map(_))
    }

    /// Whether nothing stands there: `key:`, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.data, Data::Text { text, style: Style::Plain } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The last pair of this name: readers that take two keep the last.
    pub fn pair(&self, name: &str) -> Option<&Pair> {
        self.map().iter().rev().find(|p| p.key == name)
    }

    /// The value of a key.
    pub fn get(&self, name: &str) -> Option<&Node> {
        Some(self.pair(name)?.value.as_ref())
    }

    /// The value below a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The text below a path of keys, when there is one that is not null.
    pub fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.given()
    }

    /// The bytes of a block scalar's lines, with their indentation; `None` for any other value.
    pub fn block(&self, text: &str) -> Option<Span> {
        let Data::Text {
            style: Style::Literal | Style::Folded,
            ..
        } = self.data
        else {
            return None;
        };
        let line = text.get(..self.span.start)?.rfind('\n').map_or(0, |i| i + 1);
        Some(Span::new(line, self.span.end))
    }
}

/// A list or mapping that is not closed yet.
enum Open {
    /// Its first byte, its anchor, its elements.
    List(usize, usize, Vec<Rc<Node>>),
    /// Its first byte, its anchor, its pairs, a key that waits for its value, whether a key is no text.
    Map(usize, usize, Vec<Pair>, Option<(String, Span)>, bool),
}

/// Reads every document of a text; empty ones are left out.
///
/// # Errors
/// When the text is not YAML, is nested deeper than [`MAX_DEPTH`] or stands for more than [`MAX_VALUES`] values.
pub fn parse(text: &str) -> Result<Vec<Rc<Node>>, YamlError> {
    let strict = parse_as_is(text);
    match (&strict, mended(text)) {
        (Err(_), Some(mended)) => parse_as_is(&mended).or(strict),
        _ => strict,
    }
}

/// The text with brackets that close a list drawn up to the line before, byte for byte as long. YAML wants them indented, and most
/// readers take them where people put them: below the key.
fn mended(text: &str) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let (mut last, mut any, mut at) = (None, false, 0);
    for line in text.split_inclusive('\n') {
        if let Some(end) = last
            && line.trim_start().starts_with([']', '}'])
        {
            for b in bytes.get_mut(end..at).into_iter().flatten() {
                *b = b' ';
            }
            any = true;
        }
        at += line.len();
        let body = line.trim_end_matches(['\r', '\n']);
        // Behind a comment the bracket would be lost.
        last = (!body.contains('#') && body.len() < line.len()).then_some(at - line.len() + body.len());
    }
    // Only line ends became spaces.
    String::from_utf8(bytes).ok().filter(|_| any)
}

fn parse_as_is(text: &str) -> Result<Vec<Rc<Node>>, YamlError> {
    let skip = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    let body = &text[skip..];
    if body.contains('\0') {
        return Err(error(0, "it holds a zero byte"));
    }
    let places = Places::new(body, skip);
    let mut reader = Reader {
        text,
        open: Vec::new(),
        anchors: HashMap::new(),
        total: 0,
    };
    let mut documents = Vec::new();
    for event in Parser::new_from_str(body) {
        let (event, at) = event.map_err(|e| error(places.byte(e.marker().index()), "it is not YAML"))?;
        let span = Span::new(places.byte(at.start.index()), places.byte(at.end.index()));
        if let Some(root) = reader.take(event, span)?.filter(|r| !r.is_null()) {
            documents.push(root);
        }
    }
    Ok(documents)
}

fn error(offset: usize, what: impl Into<String>) -> YamlError {
    YamlError {
        offset,
        what: what.into(),
    }
}

struct Reader<'a> {
    text: &'a str,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    /// Values taken so far, aliases with all that they stand for.
    total: usize,
}

impl Reader<'_> {
    /// Takes one event; the root of a document that it completes.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<Option<Rc<Node>>, YamlError> {
        let (node, anchor) = match event {
            Event::MappingStart(anchor, _) => {
                self.enter(span)?;
                self.open.push(Open::Map(span.start, anchor, Vec::new(), None, false));
                return Ok(None);
            }
            Event::SequenceStart(anchor, _) => {
                self.enter(span)?;
                self.open.push(Open::List(span.start, anchor, Vec::new()));
                return Ok(None);
            }
            Event::MappingEnd | Event::SequenceEnd => match self.open.pop() {
                Some(Open::Map(start, anchor, pairs, _, odd)) => (self.mapping(start, span, pairs, odd)?, anchor),
                Some(Open::List(start, anchor, list)) => {
                    let values = 1 + list.iter().map(|n| n.values).sum::<usize>();
                    let height = 1 + list.iter().map(|n| n.height).max().unwrap_or(0);
                    let end = list.last().map_or(span.end, |n| n.span.end.max(span.end)).max(start);
                    (
                        Node {
                            span: Span::new(start, end),
                            data: Data::List(list),
                            values,
                            height,
                        },
                        anchor,
                    )
                }
                None => return Err(error(span.start, "it is not YAML")),
            },
            Event::Scalar(value, style, anchor, _) => {
                self.count(1, span)?;
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                };
                (
                    Node {
                        span: self.written(span, style),
                        data: Data::Text {
                            text: value.into_owned(),
                            style,
                        },
                        values: 1,
                        height: 1,
                    },
                    anchor,
                )
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(error(span.start, "an alias stands inside what it stands for"));
                };
                self.count(node.values, span)?;
                if self.open.len() + node.height > MAX_DEPTH {
                    return Err(error(span.start, format!("nested deeper than {MAX_DEPTH} levels")));
                }
                return self.put(node);
            }
            Event::DocumentStart(_) => {
                self.anchors.clear();
                return Ok(None);
            }
            _ => return Ok(None),
        };
        let node = Rc::new(node);
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.put(node)
    }

    fn enter(&mut self, span: Span) -> Result<(), YamlError> {
        if self.open.len() + 1 > MAX_DEPTH {
            return Err(error(span.start, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.count(1, span)
    }

    fn count(&mut self, values: usize, span: Span) -> Result<(), YamlError> {
        self.total = self.total.saturating_add(values);
        if self.total > MAX_VALUES {
            return Err(error(
                span.start,
                format!("it stands for more than {MAX_VALUES} values"),
            ));
        }
        Ok(())
    }

    /// A scalar without the white space and the comment that the parser counts to it.
    fn written(&self, span: Span, style: Style) -> Span {
        let raw = self.text.get(span.range()).unwrap_or_default();
        let len = match style {
            Style::Quoted => closing_quote(raw).unwrap_or(raw.len()),
            _ => raw.trim_end().len(),
        };
        Span::new(span.start, span.start + len)
    }

    fn put(&mut self, node: Rc<Node>) -> Result<Option<Rc<Node>>, YamlError> {
        match self.open.last_mut() {
            None => return Ok(Some(node)),
            Some(Open::List(_, _, list)) => list.push(node),
            Some(Open::Map(_, _, pairs, key, odd)) => match key.take() {
                Some((key, key_span)) => pairs.push(Pair {
                    key,
                    key_span,
                    value: node,
                }),
                None => {
                    let text = node.text().map(str::to_owned);
                    *odd |= text.is_none();
                    *key = Some((text.unwrap_or_default(), node.span));
                }
            },
        }
        Ok(None)
    }

    fn mapping(&mut self, start: usize, end: Span, pairs: Vec<Pair>, odd: bool) -> Result<Node, YamlError> {
        let end = pairs
            .last()
            .map_or(end.end, |p| p.value.span.end.max(end.end))
            .max(start);
        let span = Span::new(start, end);
        let raw = self.text.get(span.range()).unwrap_or_default();
        // `{{ value }}` is a mapping in YAML's eyes, and a template's placeholder in everybody else's.
        if odd && raw.starts_with("{{") {
            return Ok(Node {
                span,
                data: Data::Text {
                    text: raw.to_owned(),
                    style: Style::Plain,
                },
                values: 1,
                height: 1,
            });
        }
        let pairs = self.merged(pairs, span)?;
        Ok(Node {
            span,
            values: 1 + pairs.iter().map(|p| p.value.values).sum::<usize>(),
            height: 1 + pairs.iter().map(|p| p.value.height).max().unwrap_or(0),
            data: Data::Map(pairs),
        })
    }

    /// Replaces merge keys by what they stand for.
    fn merged(&mut self, pairs: Vec<Pair>, span: Span) -> Result<Vec<Pair>, YamlError> {
        if !pairs.iter().any(|p| p.key == "<<") {
            return Ok(pairs);
        }
        let (merges, mut out): (Vec<Pair>, Vec<Pair>) = pairs.into_iter().partition(|p| p.key == "<<");
        let mut known: std::collections::HashSet<String> = out.iter().map(|p| p.key.clone()).collect();
        for merge in merges {
            let one = [merge.value.clone()];
            let sources = if merge.value.is_map() {
                &one[..]
            } else {
                merge.value.list()
            };
            for pair in sources.iter().flat_map(|n| n.map()) {
                if known.insert(pair.key.clone()) {
                    self.count(pair.value.values, span)?;
                    out.push(pair.clone());
                }
            }
        }
        Ok(out)
    }
}

/// One past the quote that ends a quoted scalar.
fn closing_quote(raw: &str) -> Option<usize> {
    let quote = *raw.as_bytes().first()?;
    let mut bytes = raw.bytes().enumerate().skip(1).peekable();
    while let Some((at, b)) = bytes.next() {
        let doubled = b == b'\'' && bytes.peek().is_some_and(|(_, next)| *next == b'\'');
        if quote == b'"' && b == b'\\' || quote == b'\'' && doubled {
            bytes.next();
        } else if b == quote {
            return Some(at + 1);
        }
    }
    None
}

/// From the parser's characters to bytes.
struct Places<'a> {
    text: &'a str,
    skip: usize,
    /// The byte of every [`STEP`]th character; empty when every character is one byte.
    marks: Vec<usize>,
}

const STEP: usize = 64;

impl<'a> Places<'a> {
    fn new(text: &'a str, skip: usize) -> Places<'a> {
        let marks = match text.is_ascii() {
            true => Vec::new(),
            false => text.char_indices().step_by(STEP).map(|(at, _)| at).collect(),
        };
        Places { text, skip, marks }
    }

    fn byte(&self, index: usize) -> usize {
        if self.marks.is_empty() {
            return self.skip + index.min(self.text.len());
        }
        let Some(mark) = self.marks.get(index / STEP) else {
            return self.skip + self.text.len();
        };
        let rest = self.text.get(*mark..).unwrap_or_default();
        let ahead = rest.char_indices().nth(index % STEP).map_or(rest.len(), |(at, _)| at);
        self.skip + mark + ahead
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
