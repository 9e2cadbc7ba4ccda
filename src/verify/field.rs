//! A field of a message that somebody else put a number, a name or a business id into.

use crate::model::{Problem, Record, Result};
use regex::bytes::Regex;
use std::borrow::Cow;

/// Where a text stands in a message.
#[derive(Debug, Clone)]
pub enum Field {
    /// The whole key.
    Key,
    /// What a regular expression finds in the key: its first group, or else all of it.
    KeyMatch(Regex),
    /// The whole payload.
    Value,
    /// What a regular expression finds in the payload: its first group, or else all of it.
    ValueMatch(Regex),
    /// The first header with this name.
    Header(String),
    /// A value in a JSON payload, by its pointer (RFC 6901). A number is read as it is written.
    Json(String),
}

impl Field {
    /// Reads `key`, `key:REGEX`, `value`, `value:REGEX`, `header:NAME` or `json:/POINTER`.
    ///
    /// # Errors
    /// A usage problem that names the option.
    pub fn parse(option: &str, text: &str) -> Result<Field> {
        let bad = || {
            Problem::usage(format!("{option} {text:?} names no field"))
                .next("write header:NAME, json:/POINTER, key, key:REGEX, value or value:REGEX")
        };
        match text.split_once(':') {
            None if text == "key" => Ok(Field::Key),
            None if text == "value" => Ok(Field::Value),
            Some(("header", name)) if !name.is_empty() => Ok(Field::Header(name.to_owned())),
            Some(("json", pointer)) if pointer.starts_with('/') => Ok(Field::Json(pointer.to_owned())),
            Some((part @ ("key" | "value"), regex)) if !regex.is_empty() => match Regex::new(regex) {
                Ok(regex) if part == "key" => Ok(Field::KeyMatch(regex)),
                Ok(regex) => Ok(Field::ValueMatch(regex)),
                Err(why) => Err(bad().because(why)),
            },
            Some(_) | None => Err(bad()),
        }
    }

    /// What stands there; `None` when there is nothing.
    pub fn of<'a>(&self, record: &Record<'a>) -> Option<Cow<'a, [u8]>> {
        match self {
            Field::Key => record.key.map(Cow::Borrowed),
            Field::KeyMatch(regex) => found(regex, record.key?),
            Field::Value => record.value.map(Cow::Borrowed),
            Field::ValueMatch(regex) => found(regex, record.value?),
            Field::Header(name) => record.header(name).map(Cow::Borrowed),
            Field::Json(pointer) => {
                let value: serde_json::Value = serde_json::from_slice(record.value?).ok()?;
                match value.pointer(pointer)? {
                    serde_json::Value::String(text) => Some(Cow::Owned(text.clone().into_bytes())),
                    number @ serde_json::Value::Number(_) => Some(Cow::Owned(number.to_string().into_bytes())),
                    serde_json::Value::Null
                    | serde_json::Value::Bool(_)
                    | serde_json::Value::Array(_)
                    | serde_json::Value::Object(_) => None,
                }
            }
        }
    }
}

fn found<'a>(regex: &Regex, text: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let found = regex.captures(text)?;
    let part = found.get(1).or_else(|| found.get(0));
    part.map(|m| Cow::Borrowed(m.as_bytes()))
}

/// How a message is numbered that somebody else stamped. Its lane is the place where it lies.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// Where the sender's name stands; all are one sender without it.
    pub producer: Option<Field>,
    /// Where its number stands.
    pub seq: Field,
}

impl Foreign {
    /// The number and the sender of a message: `None` when it has no number, an error when it has one that cannot be read.
    pub fn of(&self, record: &Record<'_>) -> Option<std::result::Result<(u64, String), ()>> {
        let seq = self.seq.of(record)?;
        let number = std::str::from_utf8(&seq)
            .ok()
            .and_then(|text| text.trim().parse::<u64>().ok());
        let producer = match &self.producer {
            None => Some("-".to_owned()),
            Some(field) => field.of(record).map(|name| {
                let name = String::from_utf8_lossy(&name);
                // A name stands before a space in the state of a lane.
                name.replace(char::is_whitespace, "_")
            }),
        };
        match (number, producer) {
            // Others begin with 0.
            (Some(number), Some(producer)) if !producer.is_empty() => {
                Some(number.checked_add(1).map(|seq| (seq, producer)).ok_or(()))
            }
            _ => Some(Err(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record<'a>(key: &'a [u8], value: &'a [u8]) -> Record<'a> {
        let headers: Vec<(&[u8], Option<&[u8]>)> = vec![(b"n", Some(b"17"))];
        Record {
            key: Some(key),
            value: Some(value),
            headers: headers.into(),
            ..Record::default()
        }
    }

    #[test]
    fn each_kind_of_field_is_read() {
        let record = record(b"order-42", br#"{"a":{"n":7,"who":"x y"}}"#);
        let of = |text: &str| {
            let field = Field::parse("--seq-from", text).unwrap();
            field
                .of(&record)
                .map(|found| String::from_utf8_lossy(&found).into_owned())
        };
        assert_eq!(of("key").as_deref(), Some("order-42"));
        assert_eq!(of("key:[0-9]+").as_deref(), Some("42"));
        assert_eq!(of("key:order-([0-9])").as_deref(), Some("4"));
        assert_eq!(of("header:n").as_deref(), Some("17"));
        assert_eq!(of("json:/a/n").as_deref(), Some("7"));
        assert_eq!((of("header:x"), of("json:/b"), of("key:z")), (None, None, None));
        assert_eq!(of("value:who.:.([a-z])").as_deref(), Some("x"));
        assert!(of("value").is_some_and(|value| value.starts_with("{\"a\"")));
        for bad in ["", "json:a", "header:", "key:(", "value:", "values"] {
            assert!(Field::parse("--seq-from", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_number_of_somebody_else_begins_with_0() {
        let foreign = |producer: Option<&str>, seq: &str| Foreign {
            producer: producer.map(|text| Field::parse("--producer-from", text).unwrap()),
            seq: Field::parse("--seq-from", seq).unwrap(),
        };
        let record = record(b"order-42", br#"{"n":0,"who":"x y"}"#);
        assert_eq!(foreign(None, "json:/n").of(&record), Some(Ok((1, "-".to_owned()))));
        assert_eq!(
            foreign(Some("json:/who"), "header:n").of(&record),
            Some(Ok((18, "x_y".to_owned())))
        );
        assert_eq!(foreign(None, "key").of(&record), Some(Err(())));
        assert_eq!(foreign(Some("header:none"), "header:n").of(&record), Some(Err(())));
        assert_eq!(foreign(None, "header:none").of(&record), None);
    }
}
