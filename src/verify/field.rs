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
    /// A binary number in the payload.
    Binary(Binary),
}

/// A binary number at a fixed place of a payload, as it stands in messages of `PerfTest`, of Java's `DataOutputStream` and of `struct`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binary {
    /// How many bytes it takes: 2, 4 or 8.
    length: usize,
    /// Whether the highest bit is its sign.
    is_signed: bool,
    /// Whether the lowest byte comes first.
    is_little: bool,
    /// The byte it begins at, from 0.
    at: usize,
}

impl Binary {
    /// Reads `int32@0`, `uint64@8`, `int16le@2`.
    fn parse(text: &str) -> Option<Binary> {
        let (kind, at) = text.split_once('@')?;
        let (is_signed, size) = match kind.strip_prefix('u') {
            Some(rest) => (false, rest.strip_prefix("int")?),
            None => (true, kind.strip_prefix("int")?),
        };
        let (size, is_little) = size.strip_suffix("le").map_or((size, false), |size| (size, true));
        let length = match size {
            "16" => 2,
            "32" => 4,
            "64" => 8,
            _ => return None,
        };
        // Only digits: a number may also be written with a sign.
        let is_number = at.bytes().all(|b| b.is_ascii_digit());
        Some(Binary {
            length,
            is_signed,
            is_little,
            at: at.parse().ok().filter(|_| is_number)?,
        })
    }

    /// The number in decimals; `None` when the payload ends before it does.
    fn of(self, payload: &[u8]) -> Option<String> {
        let bytes = payload.get(self.at..self.at.checked_add(self.length)?)?;
        let add = |all: u64, byte: &u8| all << 8 | u64::from(*byte);
        let bits = match self.is_little {
            true => bytes.iter().rev().fold(0, add),
            false => bytes.iter().fold(0, add),
        };
        Some(match (self.is_signed, self.length) {
            (false, _) => bits.to_string(),
            // What is above was 0, so that each holds all of its bits.
            (true, 2) => (bits as u16).cast_signed().to_string(),
            (true, 4) => (bits as u32).cast_signed().to_string(),
            (true, _) => bits.cast_signed().to_string(),
        })
    }
}

impl Field {
    /// Reads `key`, `key:REGEX`, `value`, `value:REGEX`, `header:NAME`, `json:/POINTER` or `body:int32@OFFSET`.
    ///
    /// # Errors
    /// A usage problem that names the option.
    pub fn parse(option: &str, text: &str) -> Result<Field> {
        let bad = || {
            Problem::usage(format!("{option} {text:?} names no field"))
                .next("write header:NAME, json:/POINTER, key, key:REGEX, value, value:REGEX or body:int32@0")
        };
        match text.split_once(':') {
            None if text == "key" => Ok(Field::Key),
            None if text == "value" => Ok(Field::Value),
            Some(("header", name)) if !name.is_empty() => Ok(Field::Header(name.to_owned())),
            Some(("json", pointer)) if pointer.starts_with('/') => Ok(Field::Json(pointer.to_owned())),
            Some(("body", number)) => Binary::parse(number).map(Field::Binary).ok_or_else(|| {
                bad().because("a number in the body is int16, int32, int64, uint16, uint32 or uint64, with le when its lowest byte comes first, and @ its first byte")
            }),
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
            Field::Binary(number) => number.of(record.value?).map(|text| Cow::Owned(text.into_bytes())),
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
    fn a_binary_number_is_read_where_it_stands() {
        let of = |text: &str, value: &[u8]| {
            let field = Field::parse("--seq-from", text).unwrap();
            let found = field.of(&record(b"k", value)).map(Cow::into_owned);
            found.map(|found| String::from_utf8(found).unwrap())
        };
        let perf_test = [0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 9];
        assert_eq!(of("body:int32@0", &perf_test).as_deref(), Some("258"));
        assert_eq!(of("body:int64@4", &perf_test).as_deref(), Some("9"));
        assert_eq!(of("body:int16le@2", &perf_test).as_deref(), Some("513"));
        let high = [0xff; 8];
        for (kind, number) in [
            ("int16", "-1"),
            ("uint16", "65535"),
            ("int32le", "-1"),
            ("uint32", "4294967295"),
            ("int64", "-1"),
            ("uint64le", "18446744073709551615"),
        ] {
            assert_eq!(of(&format!("body:{kind}@0"), &high).as_deref(), Some(number), "{kind}");
        }
        // A payload that is too short has none.
        assert_eq!(
            (of("body:int32@9", &perf_test), of("body:int32@5", &high)),
            (None, None)
        );
        assert_eq!(of(&format!("body:int64@{}", usize::MAX), &high), None);
        let far = format!("body:int32@{}0", usize::MAX);
        for bad in [
            "body:",
            "body:int32",
            "body:int32@",
            "body:int32@-1",
            "body:int32@+1",
            "body:int24@0",
            "body:float@0",
            &far,
        ] {
            assert!(Field::parse("--seq-from", bad).is_err(), "{bad}");
        }
        // A negative number is no number of a message, and is not taken for none.
        let foreign = Foreign {
            producer: None,
            seq: Field::parse("--seq-from", "body:int32@0").unwrap(),
        };
        assert_eq!(foreign.of(&record(b"k", &high)), Some(Err(())));
        assert_eq!(foreign.of(&record(b"k", &perf_test)), Some(Ok((259, "-".to_owned()))));
        assert_eq!(foreign.of(&record(b"k", b"abc")), None);
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
