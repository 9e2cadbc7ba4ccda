//! What is looked for, and whether a message is it. Byte for byte, unless a pattern was given.

use crate::model::{Problem, Record, Result};
use regex::bytes::Regex;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write;

/// A pattern that needs more memory than this is refused.
const PATTERN_BYTES: usize = 8 << 20;

/// What is looked for. Of the keys one is enough; everything else must hold as well.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    keys: HashSet<Vec<u8>>,
    no_key: bool,
    patterns: Vec<Regex>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    fields: Vec<Field>,
    texts: Vec<Regex>,
    ids: Vec<String>,
    key_from: Option<KeyFrom>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
}

/// Where the key of a message is, when it is not where the broker or this program keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFrom {
    /// The first header of this name.
    Header(String),
    /// In the payload, by JSON pointer (RFC 6901).
    Json(String),
    /// A property that the broker or its protocol keeps beside the headers.
    Property(String),
}

impl KeyFrom {
    /// Reads `header:NAME`, `json:/POINTER` or `property:NAME`.
    ///
    /// # Errors
    /// A usage problem that names these.
    pub fn parse(text: &str) -> Result<KeyFrom> {
        match text.split_once(':') {
            Some(("header", name)) if !name.is_empty() => Ok(KeyFrom::Header(name.to_owned())),
            Some(("json", pointer)) if pointer.starts_with('/') => Ok(KeyFrom::Json(pointer.to_owned())),
            Some(("property", name)) if !name.is_empty() => Ok(KeyFrom::Property(name.to_owned())),
            Some(_) | None => Err(Problem::usage(format!("--key-from {text:?} is no place of a key"))
                .next("write header:NAME, json:/POINTER or property:NAME")),
        }
    }

    fn of<'r>(&self, record: &'r Record<'_>) -> Option<Cow<'r, [u8]>> {
        match self {
            KeyFrom::Header(name) => record.header(name).map(Cow::Borrowed),
            KeyFrom::Property(name) => property(record, name).map(|text| Cow::Borrowed(text.as_bytes())),
            KeyFrom::Json(pointer) => {
                let json: Value = serde_json::from_slice(record.value?).ok()?;
                match json.pointer(pointer)? {
                    Value::String(text) => Some(Cow::Owned(text.clone().into_bytes())),
                    Value::Number(n) => Some(Cow::Owned(n.to_string().into_bytes())),
                    Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
                }
            }
        }
    }
}

/// The names under which brokers keep the id of a message: AMQP's, RocketMQ's own, and where it lies in RocketMQ.
const IDS: [&str; 3] = ["message_id", "UNIQ_KEY", "OFFSET_ID"];

fn property<'r>(record: &'r Record<'_>, name: &str) -> Option<&'r str> {
    record
        .properties
        .iter()
        .find(|(this, _)| *this == name)
        .map(|(_, value)| *value)
}

/// A field of a JSON payload, and what it must be.
#[derive(Debug, Clone)]
struct Field {
    pointer: String,
    text: String,
    /// What the text is when it is read as JSON: a number, true, null.
    value: Option<Value>,
}

impl Wanted {
    /// One key, byte for byte.
    pub fn key(key: impl Into<Vec<u8>>) -> Wanted {
        let mut wanted = Wanted::default();
        wanted.or_key(key);
        wanted
    }

    /// This key counts too.
    pub fn or_key(&mut self, key: impl Into<Vec<u8>>) {
        self.keys.insert(key.into());
    }

    /// Messages without a key count too.
    pub fn or_no_key(&mut self) {
        self.no_key = true;
    }

    /// Keys that match this shell pattern as a whole count too: `*`, `?`, `[a-z]`, `{a,b}`; a `/` is nothing special.
    ///
    /// # Errors
    /// A usage problem when it is no such pattern.
    pub fn or_glob(&mut self, glob: &str) -> Result<()> {
        let bad = |e: &dyn std::fmt::Display| {
            Problem::usage(format!("--glob {glob:?} is no pattern"))
                .because(e)
                .next("write it as in the shell: 'order-*', '?', '[0-9]', '{a,b}'")
        };
        let glob = globset::GlobBuilder::new(glob)
            .literal_separator(false)
            .backslash_escape(true)
            .build()
            .map_err(|e| bad(&e))?;
        self.patterns.push(pattern(glob.regex()).map_err(|e| bad(&e))?);
        Ok(())
    }

    /// Keys in which this regular expression is found count too.
    ///
    /// # Errors
    /// A usage problem when it is none.
    pub fn or_regex(&mut self, regex: &str) -> Result<()> {
        let pattern = pattern(regex).map_err(|e| {
            Problem::usage(format!("--regex {regex:?} is no regular expression"))
                .because(e)
                .next("write it as of the crate regex; ^ and $ bind it to the whole key")
        })?;
        self.patterns.push(pattern);
        Ok(())
    }

    /// A header of this name must have this value.
    pub fn and_header(&mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.headers.push((name.into(), value.into()));
    }

    /// The payload must be JSON with this field (RFC 6901) and this value: a text as it is, anything else as JSON writes it.
    ///
    /// # Errors
    /// A usage problem when it is not `/POINTER=VALUE`.
    pub fn and_json(&mut self, text: &str) -> Result<()> {
        let bad = || {
            Problem::usage(format!("--json {text:?} is no field and value"))
                .next("write /POINTER=VALUE, as in --json /order/id=123")
        };
        let (pointer, value) = text.split_once('=').ok_or_else(bad)?;
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(bad());
        }
        self.fields.push(Field {
            pointer: pointer.to_owned(),
            text: value.to_owned(),
            value: serde_json::from_str(value).ok(),
        });
        Ok(())
    }

    /// The payload must hold these bytes.
    ///
    /// # Errors
    /// A usage problem when they are too many to be looked for.
    pub fn and_contains(&mut self, text: &[u8]) -> Result<()> {
        let finder = finder(text).map_err(|e| {
            Problem::usage("the text of --value-contains cannot be looked for")
                .because(e)
                .next("give a shorter part of it")
        })?;
        self.texts.push(finder);
        Ok(())
    }

    /// The id that the broker or its protocol gave must be this; of several, one of them.
    pub fn and_id(&mut self, id: &str) {
        self.ids.push(id.to_owned());
    }

    /// The key is taken from there.
    pub fn key_from(&mut self, from: KeyFrom) {
        self.key_from = Some(from);
    }

    /// The ids, where one of them must be that of the message.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// Only messages of this time: from the first moment on and before the second, in milliseconds since the Unix epoch. One
    /// that has no time may be of any.
    pub fn within(&mut self, since_ms: Option<i64>, until_ms: Option<i64>) {
        (self.since_ms, self.until_ms) = (since_ms, until_ms);
    }

    /// The keys, where only messages with one of these very keys can match: then a broker may be asked for them alone.
    pub fn exact_keys(&self) -> Option<Vec<Vec<u8>>> {
        let only_keys = !self.keys.is_empty() && self.patterns.is_empty() && !self.no_key && self.key_from.is_none();
        only_keys.then(|| {
            let mut keys: Vec<Vec<u8>> = self.keys.iter().cloned().collect();
            keys.sort();
            keys
        })
    }

    /// Whether nothing is asked of a message but its time.
    pub fn is_everything(&self) -> bool {
        !self.asks_for_a_key() && self.ids.is_empty() && !self.asks_for_more()
    }

    /// Whether more is asked of a message than its key, id and time.
    pub fn asks_for_more(&self) -> bool {
        !self.headers.is_empty() || !self.fields.is_empty() || !self.texts.is_empty()
    }

    fn asks_for_a_key(&self) -> bool {
        self.no_key || !self.keys.is_empty() || !self.patterns.is_empty()
    }

    /// Whether this message is one of those.
    pub fn matches(&self, record: &Record<'_>) -> bool {
        // What costs least and excludes most comes first.
        (!self.asks_for_a_key() || self.is_named(record))
            && self.is_of_the_time(record.timestamp_ms)
            && (self.ids.is_empty() || self.has_id(record))
            && self.headers.iter().all(|(name, value)| has_header(record, name, value))
            && self.holds(record.value)
    }

    fn is_named(&self, record: &Record<'_>) -> bool {
        let is = |key: &[u8]| self.keys.contains(key) || self.patterns.iter().any(|p| p.is_match(key));
        if let Some(from) = &self.key_from {
            return from.of(record).map_or(self.no_key, |key| is(&key));
        }
        let Some(key) = record.key else {
            return self.no_key;
        };
        if is(key) {
            return true;
        }
        if record.node.is_some() {
            // RocketMQ: one text of keys, `KEY KEY …`.
            return key.contains(&b' ') && key.split(|b| *b == b' ').any(|one| !one.is_empty() && is(one));
        }
        if record.exchange.is_none() {
            return false;
        }
        // RabbitMQ has no key. Where a message has no key of ours, both of its ids are names of it; the message id of our own
        // messages is made up.
        let names = ["correlation_id", "message_id"].map(|name| property(record, name));
        let is_one_of = |wanted: &[u8]| names.iter().flatten().any(|name| name.as_bytes() == wanted);
        is_one_of(key) && record.stamp().is_none() && names.iter().flatten().any(|name| is(name.as_bytes()))
    }

    fn has_id(&self, record: &Record<'_>) -> bool {
        IDS.iter()
            .filter_map(|name| property(record, name))
            .any(|id| self.ids.iter().any(|wanted| wanted.eq_ignore_ascii_case(id)))
    }

    fn is_of_the_time(&self, time_ms: Option<i64>) -> bool {
        time_ms.is_none_or(|time| {
            self.since_ms.is_none_or(|since| time >= since) && self.until_ms.is_none_or(|until| time < until)
        })
    }

    fn holds(&self, value: Option<&[u8]>) -> bool {
        if self.texts.is_empty() && self.fields.is_empty() {
            return true;
        }
        let Some(value) = value else { return false };
        if !self.texts.iter().all(|text| text.is_match(value)) {
            return false;
        }
        if self.fields.is_empty() {
            return true;
        }
        let Ok(json) = serde_json::from_slice::<Value>(value) else {
            return false;
        };
        self.fields
            .iter()
            .all(|field| json.pointer(&field.pointer).is_some_and(|at| field.is(at, value)))
    }
}

impl Field {
    fn is(&self, found: &Value, payload: &[u8]) -> bool {
        match (found, &self.value) {
            (Value::String(text), _) => *text == self.text,
            (Value::Number(found), Some(Value::Number(wanted))) => {
                let is_exact = |n: &serde_json::Number| n.is_i64() || n.is_u64();
                if is_exact(found) || is_exact(wanted) {
                    return found == wanted || found.as_f64() == wanted.as_f64() && is_exact(found) != is_exact(wanted);
                }
                // Two large numbers can look the same here; then the text decides.
                found.as_f64() == wanted.as_f64()
                    && (self.text.contains(['.', 'e', 'E'])
                        || finder(self.text.as_bytes()).is_ok_and(|digits| digits.is_match(payload)))
            }
            (found, Some(wanted)) => found == wanted,
            (_, None) => false,
        }
    }
}

fn has_header(record: &Record<'_>, name: &[u8], value: &[u8]) -> bool {
    record
        .headers
        .iter()
        .any(|(this, held)| this == name && held == Some(value))
}

/// Without Unicode: keys are bytes, and need not be UTF-8.
fn pattern(text: &str) -> std::result::Result<Regex, regex::Error> {
    regex::bytes::RegexBuilder::new(text)
        .size_limit(PATTERN_BYTES)
        .dot_matches_new_line(true)
        .build()
}

/// Finds these very bytes.
fn finder(text: &[u8]) -> std::result::Result<Regex, regex::Error> {
    let mut all = String::from("(?-u)");
    for byte in text {
        // Writing to a text does not fail.
        let _ = write!(all, "\\x{byte:02x}");
    }
    pattern(&all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(key: Option<&[u8]>) -> Record<'_> {
        Record {
            key,
            ..Record::default()
        }
    }

    #[test]
    fn keys_are_compared_byte_for_byte() {
        let wanted = Wanted::key(b"123");
        assert!(wanted.matches(&record(Some(b"123"))));
        for other in [None, Some(&b""[..]), Some(b"1234"), Some(b"12"), Some(b"123 ")] {
            assert!(!wanted.matches(&record(other)));
        }
        // An empty key is a key; no key is none.
        let empty = Wanted::key(Vec::new());
        assert!(empty.matches(&record(Some(b""))) && !empty.matches(&record(None)));
        let mut none = Wanted::default();
        none.or_no_key();
        assert!(none.matches(&record(None)) && !none.matches(&record(Some(b""))));
        // One of several, and only then may a broker be asked for keys alone.
        let mut several = Wanted::key(b"a");
        several.or_key(b"b");
        assert!(several.matches(&record(Some(b"b"))) && !several.matches(&record(Some(b"c"))));
        assert_eq!(several.exact_keys(), Some(vec![b"a".to_vec(), b"b".to_vec()]));
        several.or_glob("c*").unwrap();
        assert!(several.matches(&record(Some(b"c/\xff"))));
        assert_eq!(several.exact_keys(), None);
    }

    #[test]
    fn patterns_see_bytes() {
        let glob = |glob: &str, key: &[u8]| {
            let mut wanted = Wanted::default();
            wanted.or_glob(glob).unwrap();
            wanted.matches(&record(Some(key)))
        };
        assert!(glob("order-*", b"order-1/\n\xff") && !glob("order-*", b"an order-1"));
        assert!(glob("?", b"\xff") && glob("{a,b}[0-9]", b"b7") && !glob("A", b"a"));
        let mut wanted = Wanted::default();
        wanted.or_regex("^[0-9]+$").unwrap();
        assert!(wanted.matches(&record(Some(b"12"))) && !wanted.matches(&record(Some(b"12x"))));
        assert!(wanted.or_regex("(").is_err() && wanted.or_glob("[").is_err());
        assert!(wanted.or_regex(&"(a{1000}){1000}".repeat(9)).is_err());
    }

    #[test]
    fn everything_that_is_asked_must_hold() {
        let mut wanted = Wanted::key(b"k");
        wanted.and_header("h", "1");
        wanted.and_contains(b"err\xff").unwrap();
        wanted.within(Some(10), Some(20));
        let good = Record {
            key: Some(b"k"),
            value: Some(b"an err\xff."),
            headers: vec![(&b"h"[..], Some(&b"0"[..])), (&b"h"[..], Some(&b"1"[..]))].into(),
            timestamp_ms: Some(10),
            ..Record::default()
        };
        assert!(wanted.matches(&good));
        let but = |change: &dyn Fn(&mut Record<'static>)| {
            let mut record = Record {
                key: Some(b"k"),
                value: Some(b"an err\xff."),
                headers: vec![(&b"h"[..], Some(&b"1"[..]))].into(),
                timestamp_ms: None,
                ..Record::default()
            };
            change(&mut record);
            wanted.matches(&record)
        };
        assert!(but(&|_| {}));
        assert!(!but(&|r| r.key = None));
        assert!(!but(&|r| r.value = None));
        assert!(!but(&|r| r.headers = Default::default()));
        assert!(!but(&|r| r.timestamp_ms = Some(9)));
        assert!(!but(&|r| r.timestamp_ms = Some(20)));
    }

    #[test]
    fn a_message_may_go_by_several_names() {
        let rocket = Record {
            node: Some("broker-a"),
            ..record(Some(b"a b"))
        };
        for key in ["a b", "a", "b"] {
            assert!(Wanted::key(key).matches(&rocket), "{key}");
        }
        assert!(!Wanted::key("").matches(&rocket) && !Wanted::key("a").matches(&record(Some(b"a b"))));
        let rabbit = Record {
            exchange: Some(""),
            properties: vec![("correlation_id", "c"), ("message_id", "m")],
            ..record(Some(b"c"))
        };
        assert!(Wanted::key("c").matches(&rabbit) && Wanted::key("m").matches(&rabbit));
        let named = Record {
            key: Some(b"k"),
            ..rabbit.clone()
        };
        assert!(Wanted::key("k").matches(&named) && !Wanted::key("m").matches(&named));
        let mut by_id = Wanted::default();
        by_id.and_id("M");
        assert!(by_id.matches(&rabbit) && !by_id.matches(&rocket));
        let from = |from: &str| {
            let mut wanted = Wanted::key("7");
            wanted.key_from(KeyFrom::parse(from).unwrap());
            assert_eq!(wanted.exact_keys(), None);
            wanted.matches(&Record {
                headers: vec![(&b"h"[..], Some(&b"7"[..]))].into(),
                properties: vec![("p", "7")],
                value: Some(br#"{"a":7}"#),
                ..record(Some(b"other"))
            })
        };
        assert!(from("header:h") && from("property:p") && from("json:/a"));
        assert!(!from("header:x") && !from("json:/b"));
        assert!(KeyFrom::parse("json:a").is_err() && KeyFrom::parse("key").is_err());
    }

    #[test]
    fn fields_of_json_are_exact() {
        let is = |text: &str, value: &[u8]| {
            let mut wanted = Wanted::default();
            wanted.and_json(text).unwrap();
            wanted.matches(&Record {
                value: Some(value),
                ..Record::default()
            })
        };
        let value = br#"{"id":123,"s":"123","f":1.50,"b":true,"n":null,"a":[{"x":"y=z"}],"big":18446744073709551617}"#;
        for yes in [
            "/id=123",
            "/id=123.0",
            "/s=123",
            "/f=1.5",
            "/b=true",
            "/n=null",
            "/a/0/x=y=z",
            "/big=18446744073709551617",
            "/a/0={\"x\":\"y=z\"}",
        ] {
            assert!(is(yes, value), "{yes}");
        }
        for no in [
            "/id=0123",
            "/id=124",
            "/s=0123",
            "/b=false",
            "/z=1",
            "/big=18446744073709551618",
            "/s=",
        ] {
            assert!(!is(no, value), "{no}");
        }
        assert!(is("=5", b"5") && !is("/id=1", b"not json"));
        for bad in ["id=1", "/id", ""] {
            assert!(Wanted::default().and_json(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn bytes_are_found_as_a_plain_search_finds_them(
            value in prop::collection::vec(0u8..4, 0..40), text in prop::collection::vec(0u8..4, 0..4),
        ) {
            let mut wanted = Wanted::default();
            wanted.and_contains(&text).unwrap();
            let plain = text.is_empty() || value.windows(text.len()).any(|part| part == text);
            prop_assert_eq!(wanted.matches(&Record { value: Some(&value), ..Record::default() }), plain);
        }

        #[test]
        fn any_pattern_is_judged_without_panic(text in "[ -~]{0,20}") {
            let mut wanted = Wanted::default();
            let _ = (wanted.or_glob(&text), wanted.or_regex(&text), wanted.and_json(&text));
            let _ = wanted.matches(&record(Some(b"k")));
        }
    }
}
