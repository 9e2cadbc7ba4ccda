//! What the business calls a message, so that the same one given twice is sent once.

use super::{Chunk, Extra};
use crate::model::{Problem, Result};
use serde_json::Value;
use std::ops::Range;

/// A longer id is none; nobody names an order so.
const MOST_ID_BYTES: usize = 1024;

/// Where the id of a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdFrom {
    /// The message key.
    Key,
    /// The first header of this name.
    Header(String),
    /// In the payload, by JSON pointer (RFC 6901).
    Json(String),
    /// A column of a table.
    Column(String),
}

impl IdFrom {
    /// Reads `key`, `header:NAME`, `json:/POINTER` or `column:NAME`.
    ///
    /// # Errors
    /// A usage problem that names these.
    pub fn parse(text: &str) -> Result<IdFrom> {
        match text.split_once(':') {
            None if text == "key" => Ok(IdFrom::Key),
            Some(("header", name)) if !name.is_empty() => Ok(IdFrom::Header(name.to_owned())),
            Some(("json", pointer)) if pointer.starts_with('/') => Ok(IdFrom::Json(pointer.to_owned())),
            Some(("column", name)) if !name.is_empty() => Ok(IdFrom::Column(name.to_owned())),
            _ => Err(
                Problem::usage(format!("--idempotency-key {text:?} is no place of an id"))
                    .next("write key, header:NAME, json:/POINTER or column:NAME"),
            ),
        }
    }

    fn words(&self) -> String {
        match self {
            IdFrom::Key => "key".to_owned(),
            IdFrom::Header(name) => format!("header {name:?}"),
            IdFrom::Json(pointer) => format!("field {pointer} in its JSON"),
            IdFrom::Column(name) => format!("value in column {name:?}"),
        }
    }
}

/// The id of a message whose parts are in the chunk already. `fixed` is that of a message without one of its own.
pub(super) fn find(
    from: &IdFrom,
    fixed: Option<&[u8]>,
    chunk: &mut Chunk,
    key: Option<&Range<usize>>,
    value: &Range<usize>,
    extra: &Extra,
) -> std::result::Result<Range<usize>, String> {
    let own = match from {
        IdFrom::Key => key.cloned(),
        IdFrom::Header(name) => chunk.headers[extra.headers.clone()]
            .iter()
            .find(|(n, _)| chunk.text(n) == name)
            .and_then(|(_, value)| value.clone()),
        IdFrom::Column(_) => extra.id.clone(),
        IdFrom::Json(pointer) => {
            let text = in_json(chunk.bytes(value), pointer)?;
            text.map(|text| append(chunk, text.as_bytes()))
        }
    };
    let id = own.or_else(|| fixed.map(|fixed| append(chunk, fixed)));
    match id {
        None => Err(format!("it has no {} to be known by (--idempotency-key)", from.words())),
        Some(id) if id.is_empty() => Err(format!("its {} is empty (--idempotency-key)", from.words())),
        Some(id) if id.len() > MOST_ID_BYTES => Err(format!(
            "its {} has {} bytes; an idempotency key has at most {MOST_ID_BYTES}",
            from.words(),
            id.len()
        )),
        Some(id) => Ok(id),
    }
}

fn append(chunk: &mut Chunk, bytes: &[u8]) -> Range<usize> {
    let start = chunk.data.len();
    chunk.data.extend_from_slice(bytes);
    start..chunk.data.len()
}

/// Text, or a whole number as it is written. Other numbers are none: two different ones could look the same here, and then the
/// second message would not be sent.
fn in_json(value: &[u8], pointer: &str) -> std::result::Result<Option<String>, String> {
    let json: Value =
        serde_json::from_slice(value).map_err(|_| "its payload is not JSON (--idempotency-key)".to_owned())?;
    match json.pointer(pointer) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(n)) if n.is_i64() || n.is_u64() => Ok(Some(n.to_string())),
        Some(Value::Number(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Err(format!(
            "its field {pointer} is neither a text nor a whole number (--idempotency-key)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_an_id() {
        assert_eq!(IdFrom::parse("key").unwrap(), IdFrom::Key);
        assert_eq!(IdFrom::parse("header:a:b").unwrap(), IdFrom::Header("a:b".into()));
        assert_eq!(IdFrom::parse("json:/a/0").unwrap(), IdFrom::Json("/a/0".into()));
        assert_eq!(IdFrom::parse("column:no").unwrap(), IdFrom::Column("no".into()));
        for bad in ["", "Key", "header:", "json:a", "column:", "value:x"] {
            assert!(IdFrom::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_in_json_are_exact_or_none() {
        let json = br#"{"a":{"b":["x",7]},"big":18446744073709551616,"f":1.0,"n":null}"#;
        assert_eq!(in_json(json, "/a/b/0"), Ok(Some("x".into())));
        assert_eq!(in_json(json, "/a/b/1"), Ok(Some("7".into())));
        assert_eq!((in_json(json, "/n"), in_json(json, "/z")), (Ok(None), Ok(None)));
        for pointer in ["/big", "/f", "/a"] {
            assert!(in_json(json, pointer).is_err(), "{pointer}");
        }
        assert!(in_json(b"no json", "/a").is_err());
    }
}
