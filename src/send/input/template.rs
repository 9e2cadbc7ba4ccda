//! Messages for a test, made from a pattern.

use super::draft::Draft;
use crate::model::{Problem, Result};
use rand::Rng;
use std::io::Write;
use std::ops::Range;

/// The longest `{rand:N}`.
const MOST_RANDOM: usize = 16 << 20;

/// A pattern for keys and payloads, and how many messages are made of it.
#[derive(Debug, Clone)]
pub struct Template {
    value: Vec<Part>,
    key: Option<Vec<Part>>,
    /// How many.
    pub(super) count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Seq,
    Uuid,
    Now,
    Random(usize),
    Key,
}

impl Template {
    /// Reads the patterns. Without one for the key the messages have none.
    ///
    /// # Errors
    /// A usage problem when a pattern names something that is not known.
    pub fn new(value: &[u8], key: Option<&[u8]>, count: u64) -> Result<Template> {
        let (value, key) = (parse(value)?, key.map(parse).transpose()?);
        if key.as_ref().is_some_and(|parts| parts.contains(&Part::Key)) {
            return Err(Problem::usage("--key-template cannot hold {key}, which it makes"));
        }
        if key.is_none() && value.contains(&Part::Key) {
            return Err(Problem::usage("--template holds {key}, and there is no key")
                .next("give one with --key-template or -k"));
        }
        Ok(Template { value, key, count })
    }

    /// The same with one key for all messages.
    #[must_use]
    pub fn with_key(mut self, key: &[u8]) -> Template {
        self.key = Some(vec![Part::Text(key.to_vec())]);
        self
    }

    pub(super) fn make(&self, draft: &mut Draft) {
        if !draft.begin() {
            return;
        }
        let (start, seq) = (draft.chunk.data.len(), draft.lines);
        let key = self.key.as_ref().map(|parts| {
            render(parts, seq, None, &mut draft.chunk.data);
            start..draft.chunk.data.len()
        });
        let from = draft.chunk.data.len();
        render(&self.value, seq, key.clone(), &mut draft.chunk.data);
        let value = from..draft.chunk.data.len();
        draft.push(start, key, value, None);
    }
}

/// `{name}` and `{name:number}` are placeholders; every other brace is itself, so that JSON can be written as it is.
fn parse(pattern: &[u8]) -> Result<Vec<Part>> {
    let (mut parts, mut text, mut rest) = (Vec::new(), Vec::new(), pattern);
    while let Some((first, after)) = rest.split_first() {
        let end = (*first == b'{').then(|| placeholder(after)).flatten();
        let Some(end) = end else {
            text.push(*first);
            rest = after;
            continue;
        };
        let name = String::from_utf8_lossy(&after[..end]);
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        parts.push(part(&name)?);
        rest = &after[end + 1..];
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

/// Where the name of a placeholder ends, when there is one: letters, perhaps a colon and digits, then the closing brace.
fn placeholder(after: &[u8]) -> Option<usize> {
    let letters = after.iter().take_while(|b| b.is_ascii_lowercase()).count();
    let mut end = letters;
    if after.get(end) == Some(&b':') {
        end += 1 + after[end + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
    }
    (letters > 0 && after.get(end) == Some(&b'}')).then_some(end)
}

fn part(name: &str) -> Result<Part> {
    let unknown = || {
        Problem::usage(format!("{{{name}}} is nothing that a template knows"))
            .next("it knows {seq}, {uuid}, {now}, {rand:N} and {key}; any other brace is written as it is")
    };
    match name.split_once(':') {
        None => match name {
            "seq" => Ok(Part::Seq),
            "uuid" => Ok(Part::Uuid),
            "now" => Ok(Part::Now),
            "key" => Ok(Part::Key),
            _ => Err(unknown()),
        },
        Some(("rand", n)) => match n.parse() {
            Ok(n) if n <= MOST_RANDOM => Ok(Part::Random(n)),
            Ok(_) | Err(_) => Err(Problem::usage(format!(
                "{{{name}}} is no number of characters up to {MOST_RANDOM}"
            ))),
        },
        Some(_) => Err(unknown()),
    }
}

fn render(parts: &[Part], seq: u64, key: Option<Range<usize>>, out: &mut Vec<u8>) {
    for part in parts {
        // Writing to memory does not fail.
        let _ = match part {
            Part::Text(text) => {
                out.extend_from_slice(text);
                Ok(())
            }
            Part::Seq => write!(out, "{seq}"),
            Part::Uuid => out.write_all(uuid(rand::random()).as_bytes()),
            Part::Now => write!(out, "{:.3}", jiff::Timestamp::now()),
            Part::Random(n) => {
                let mut rng = rand::rng();
                out.extend((0..*n).map(|_| rng.sample(rand::distr::Alphanumeric)));
                Ok(())
            }
            Part::Key => {
                if let Some(key) = key.clone() {
                    out.extend_from_within(key);
                }
                Ok(())
            }
        };
    }
}

/// A random one (RFC 9562, version 4).
fn uuid(random: u128) -> String {
    let bits = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::super::InputOptions;
    use super::*;

    fn made(template: &Template, count: u64) -> Vec<(Option<String>, String)> {
        let mut draft = Draft::new(&InputOptions::default(), 0);
        (0..count).for_each(|_| template.make(&mut draft));
        let text = |range: &Range<usize>| draft.chunk.text(range).to_owned();
        draft
            .chunk
            .lines
            .iter()
            .map(|l| (l.key.as_ref().map(text), text(&l.value)))
            .collect()
    }

    #[test]
    fn placeholders_and_braces() {
        let template = Template::new(br#"{"order":{seq},"key":"{key}","x":{}} {A} {"#, Some(b"k-{seq}"), 2).unwrap();
        assert_eq!(
            made(&template, 2)[1],
            (Some("k-2".into()), r#"{"order":2,"key":"k-2","x":{}} {A} {"#.into())
        );
        let template = Template::new(b"{uuid}|{now}|{rand:20}|{rand:0}", None, 2).unwrap();
        let got = made(&template, 2);
        let parts: Vec<&str> = got[0].1.split('|').collect();
        let [id, now, random, nothing] = parts[..] else {
            panic!("{parts:?}")
        };
        assert_eq!((id.len(), &id[14..15], random.len(), nothing), (36, "4", 20, ""));
        assert!("89ab".contains(&id[19..20]), "{id}");
        assert!(now.parse::<jiff::Timestamp>().is_ok(), "{now}");
        assert!(random.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_ne!(got[0], got[1]);
        assert_eq!(
            made(
                &Template::new(b"{key}", None, 1).unwrap_or(template.with_key(b"k{seq}")),
                1
            )[0]
            .0
            .as_deref(),
            Some("k{seq}")
        );
        for bad in ["{foo}", "{seq:3}", "{rand}", "{rand:99999999999}", "{key}"] {
            assert!(Template::new(bad.as_bytes(), None, 1).is_err(), "{bad}");
        }
        assert!(Template::new(b"x", Some(b"{key}"), 1).is_err());
    }
}
