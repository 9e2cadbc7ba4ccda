//! YAML with the line of every node. Scalars stay the text that was written: a password of digits is no number.
//!
//! What is wrong is told by its place and never in the parser's words, which may repeat a secret. Aliases are refused: no
//! configuration of connections needs them, and they can multiply without end.

use saphyr_parser::{Event, Parser};

/// Nesting that no configuration needs.
const DEEPEST: usize = 32;

/// One node of a file. It may hold secrets, so there is no `Debug`.
pub(super) struct Node {
    /// The line where it begins, from 1.
    pub(super) line: usize,
    /// The byte where it begins.
    pub(super) offset: usize,
    pub(super) data: Data,
}

/// What a node holds.
pub(super) enum Data {
    /// A scalar as text; `plain` when it stands without quotes.
    Text {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    /// Keys in their order, each with its node.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
pub(super) struct Key {
    pub(super) name: String,
    pub(super) line: usize,
    /// The byte where it begins, and its column from 0.
    pub(super) offset: usize,
    pub(super) column: usize,
}

/// Why a file cannot be read: the line and the reason, nothing of its text.
pub(super) struct Bad {
    pub(super) line: usize,
    pub(super) why: &'static str,
}

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text { text, .. } => Some(text),
            Data::List(_) | Data::Map(_) => None,
        }
    }

    pub(super) fn map(&self) -> Option<&[(Key, Node)]> {
        match &self.data {
            Data::Map(map) => Some(map),
            Data::Text { .. } | Data::List(_) => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Node]> {
        match &self.data {
            Data::List(list) => Some(list),
            Data::Text { .. } | Data::Map(_) => None,
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.map()?
            .iter()
            .find(|(key, _)| key.name == name)
            .map(|(_, node)| node)
    }

    /// Whether nothing stands there: `key:`, `~` or `null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.data, Data::Text { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// The text of a key's value, when there is one that is not null.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|node| !node.is_null())?.text()
    }
}

/// A mapping or a list that is not closed yet.
enum Open {
    List(usize, usize, Vec<Node>),
    Map(usize, usize, Vec<(Key, Node)>, Option<Key>),
}

/// Reads the one document of a file; `None` when it is empty.
pub(super) fn read(text: &str) -> Result<Option<Node>, Bad> {
    let mut places = Places { text, at: 0, chars: 0 };
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|e| Bad {
            line: e.marker().line(),
            why: "it is not YAML",
        })?;
        let (line, column) = (span.start.line(), span.start.col());
        let bad = |why| Err(Bad { line, why });
        let done = match event {
            Event::Alias(_) => return bad("aliases are not read here"),
            Event::DocumentStart(_) if root.is_some() => return bad("there is more than one document"),
            Event::MappingStart(..) | Event::SequenceStart(..) if open.len() == DEEPEST => {
                return bad("it is nested too deeply");
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(line, places.offset(span.start.index()), Vec::new(), None));
                continue;
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(line, places.offset(span.start.index()), Vec::new()));
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => match open.pop() {
                Some(Open::Map(line, offset, map, _)) => Node {
                    line,
                    offset,
                    data: Data::Map(map),
                },
                Some(Open::List(line, offset, list)) => Node {
                    line,
                    offset,
                    data: Data::List(list),
                },
                None => return bad("it is not YAML"),
            },
            Event::Scalar(value, style, ..) => {
                let offset = places.offset(span.start.index());
                if let Some(Open::Map(_, _, map, key @ None)) = open.last_mut() {
                    if map.iter().any(|(k, _)| k.name == *value) {
                        return bad("a key stands twice");
                    }
                    *key = Some(Key {
                        name: value.into_owned(),
                        line,
                        offset,
                        column,
                    });
                    continue;
                }
                Node {
                    line,
                    offset,
                    data: Data::Text {
                        text: value.into_owned(),
                        plain: style == saphyr_parser::ScalarStyle::Plain,
                    },
                }
            }
            _ => continue,
        };
        match open.last_mut() {
            None => root = Some(done),
            Some(Open::List(_, _, list)) => list.push(done),
            Some(Open::Map(_, _, map, key)) => match key.take() {
                Some(key) => map.push((key, done)),
                None => return bad("a key is no text"),
            },
        }
    }
    Ok(root.filter(|node| !node.is_null()))
}

/// The parser counts characters; a file is edited by bytes. Asked in rising order, mostly.
struct Places<'a> {
    text: &'a str,
    at: usize,
    chars: usize,
}

impl Places<'_> {
    fn offset(&mut self, index: usize) -> usize {
        if index < self.chars {
            (self.at, self.chars) = (0, 0);
        }
        let rest = &self.text[self.at..];
        let ahead = index - self.chars;
        let bytes = rest.char_indices().nth(ahead).map_or(rest.len(), |(i, _)| i);
        self.at += bytes;
        self.chars = index;
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_lines_and_bytes() {
        let text = "# żółw\na: 0123\nb:\n  c: [x, 'y']\n  d: ~\n";
        let root = read(text).ok().flatten().unwrap();
        assert_eq!(root.text_of("a"), Some("0123"));
        let b = root.get("b").unwrap();
        let words: Vec<_> = b
            .get("c")
            .unwrap()
            .list()
            .unwrap()
            .iter()
            .map(|n| n.text().unwrap())
            .collect();
        assert_eq!(words, ["x", "y"]);
        assert!(b.get("d").unwrap().is_null() && b.text_of("d").is_none());
        let (key, node) = &root.map().unwrap()[1];
        assert_eq!((key.line, node.line), (3, 4));
        assert!(text[key.offset..].starts_with("b:"));
        assert!(text[b.get("c").unwrap().offset..].starts_with("[x"));
    }

    #[test]
    fn what_is_refused_is_told_by_its_line() {
        for (text, line) in [
            ("a: 1\nb: *x\n", 2),
            ("a: 1\na: 2\n", 2),
            ("a: [1\nb: \"hunter2\n", 0),
            ("a: &x 1\n---\nb: 2\n", 2),
        ] {
            let bad = read(text).err().unwrap();
            assert!(line == 0 || bad.line == line, "{text}: {}", bad.line);
            assert!(!bad.why.contains("hunter2"));
        }
        assert!(read(&"[".repeat(1000)).is_err());
        assert!(read("# nothing\n").is_ok_and(|n| n.is_none()));
    }
}
