//! One JSON object a line: the record that `query-key` writes (see the contract), and what kcat and people write like it.

use crate::model::{REDRIVE_HEADER, STAMP_HEADER, Stamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// What a record that had a stamp keeps of it.
pub(super) const ORIGIN_HEADER: &str = "mqsafe-origin-id";
/// Headers whose names begin so are the stamp's, and are given anew.
const OWN_PREFIX: &str = "mqsafe-";

/// A record as a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) key: Option<Vec<u8>>,
    /// `None` is a tombstone.
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(super) tag: Option<String>,
    pub(super) partition: Option<i32>,
}

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A message.
    Record(Record),
    /// The summary that ends what `query-key` writes, with its hash of the lines before.
    End(Option<String>),
    /// Nothing.
    Empty,
}

/// How records are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// Whether a record's partition is a wish.
    pub(super) keep_partition: bool,
    /// How often a message may go from a broker to a broker.
    pub(super) max_redrives: u32,
}

/// The fields that count. `Some(Value::Null)` is a field that is there and null.
#[derive(Deserialize)]
struct Fields {
    #[serde(default, deserialize_with = "there")]
    key: Option<Value>,
    #[serde(default, deserialize_with = "there")]
    value: Option<Value>,
    #[serde(default, deserialize_with = "there")]
    payload: Option<Value>,
    #[serde(default)]
    headers: Value,
    #[serde(default)]
    tag: Value,
    #[serde(default)]
    partition: Value,
    #[serde(default)]
    id: Value,
    #[serde(default)]
    schema: Value,
    #[serde(default)]
    offset: Value,
    #[serde(default)]
    sha256: Value,
}

fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Reads one line.
pub(super) fn read(line: &[u8], how: Reading) -> Result<Read, String> {
    match line.iter().find(|b| !b.is_ascii_whitespace()) {
        None => return Ok(Read::Empty),
        Some(b'{') => {}
        Some(_) => return Err("the line is not a JSON object".to_owned()),
    }
    let fields: Fields = serde_json::from_slice(line).map_err(|e| said(&e))?;
    let value = match (fields.value, fields.payload) {
        (Some(_), Some(_)) => return Err("the record has both a value and a payload".to_owned()),
        (Some(value), None) => bytes("value", value)?,
        (None, Some(payload)) => bytes("payload", payload)?,
        (None, None) if fields.schema.as_str().is_some_and(|s| s.starts_with("mqsafe.")) => {
            return Ok(Read::End(fields.sha256.as_str().map(str::to_owned)));
        }
        (None, None) => {
            return Err("the record has no value; a tombstone says \"value\":null".to_owned());
        }
    };
    let mut read = Record {
        key: fields.key.map_or(Ok(None), |key| bytes("key", key))?,
        value,
        ..Record::default()
    };
    let mut origin = id(&fields.id);
    let mut redrives = 0;
    for (name, value) in headers(fields.headers)? {
        if name == STAMP_HEADER {
            // The header is what lies in the broker; the field is only made from it.
            origin = value.and_then(|v| String::from_utf8(v).ok()).or(origin);
        } else if name == REDRIVE_HEADER {
            let count = value.and_then(|v| std::str::from_utf8(&v).ok()?.parse::<u32>().ok());
            redrives = count.ok_or_else(|| format!("the header {REDRIVE_HEADER} holds no number"))?;
        } else if !name.starts_with(OWN_PREFIX) {
            read.headers.push((name, value));
        }
    }
    if let Some(origin) = origin {
        read.headers.push((ORIGIN_HEADER.to_owned(), Some(origin.into_bytes())));
    }
    // A record with an offset lay in a broker; sent again, it is one turn further.
    if fields.offset.is_number() {
        redrives = redrives.saturating_add(1);
    }
    if redrives > how.max_redrives {
        return Err(format!(
            "it would be sent from a broker to a broker for the {redrives}th time, and --max-redrives allows {}: a loop?",
            how.max_redrives
        ));
    }
    if redrives > 0 {
        let count = redrives.to_string().into_bytes();
        read.headers.push((REDRIVE_HEADER.to_owned(), Some(count)));
    }
    read.tag = match fields.tag {
        Value::Null => None,
        Value::String(tag) => Some(tag),
        other => return Err(format!("the tag is {}, not a text", kind(&other))),
    };
    read.partition = match fields.partition {
        _ if !how.keep_partition => None,
        Value::Null => None,
        Value::Number(n) if n.as_i64().is_some_and(|n| (0..=i64::from(i32::MAX)).contains(&n)) => {
            n.as_i64().and_then(|n| i32::try_from(n).ok())
        }
        other => return Err(format!("the partition is {}, not a number from 0", kind(&other))),
    };
    Ok(Read::Record(read))
}

/// A fault of the JSON, without the number of the line, which is always 1.
fn said(e: &serde_json::Error) -> String {
    let text = e.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    format!("the line is not a record: {what} at byte {}", e.column())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Text, null, or `{"base64": …}`. A number or an object is not guessed at: its text could be written in several ways.
fn bytes(field: &str, value: Value) -> Result<Option<Vec<u8>>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.into_bytes())),
        Value::Object(object) if object.len() == 1 && object.contains_key("base64") => match object.get("base64") {
            Some(Value::String(text)) => STANDARD
                .decode(text)
                .map(Some)
                .map_err(|e| format!("the {field} is not base64: {e}")),
            _ => Err(format!("the base64 of the {field} is not a text")),
        },
        other => Err(format!(
            "the {field} is {}; write it as a text, or as {{\"base64\": …}}",
            kind(&other)
        )),
    }
}

/// Of a typed AMQP header the text of its value; anything else as [`bytes`].
fn header_value(name: &str, value: Value) -> Result<Option<Vec<u8>>, String> {
    match value {
        Value::Object(mut object)
            if object.len() == 2 && object.contains_key("type") && object.contains_key("value") =>
        {
            match object.remove("value") {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(text)) => Ok(Some(text.into_bytes())),
                Some(base64 @ Value::Object(_)) => bytes(&format!("header {name}"), base64),
                Some(other) => Ok(Some(other.to_string().into_bytes())),
            }
        }
        other => bytes(&format!("header {name}"), other),
    }
}

/// Pairs as the contract has them, names and values in turns as kcat writes them, or an object.
fn headers(value: Value) -> Result<Vec<(String, Option<Vec<u8>>)>, String> {
    let with_name = |name: Value, value: Value| {
        let Value::String(name) = name else {
            return Err(format!("the name of a header is {}, not a text", kind(&name)));
        };
        if name.contains('\0') {
            return Err("the name of a header holds a NUL".to_owned());
        }
        let value = header_value(&name, value)?;
        Ok((name, value))
    };
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Object(object) => object
            .into_iter()
            .map(|(n, v)| with_name(Value::String(n), v))
            .collect(),
        Value::Array(list) if list.iter().all(Value::is_array) => list
            .into_iter()
            .map(|pair| match pair {
                Value::Array(pair) => match <[Value; 2]>::try_from(pair) {
                    Ok([name, value]) => with_name(name, value),
                    Err(_) => Err("a header is not a pair of name and value".to_owned()),
                },
                other => Err(format!("a header is {}", kind(&other))),
            })
            .collect(),
        Value::Array(list) => {
            if list.len() % 2 != 0 || list.iter().step_by(2).any(|name| !name.is_string()) {
                return Err("the headers are no pairs of name and value".to_owned());
            }
            let mut items = list.into_iter();
            let mut all = Vec::new();
            while let (Some(name), Some(value)) = (items.next(), items.next()) {
                all.push(with_name(name, value)?);
            }
            Ok(all)
        }
        other => Err(format!("the headers are {}, not a list", kind(&other))),
    }
}

/// The stamp in the field `id`, as it stands in the header.
fn id(value: &Value) -> Option<String> {
    let (producer, lane) = (value.get("producer")?.as_str()?, value.get("lane")?.as_str()?);
    let stamp = Stamp {
        seq: value.get("seq")?.as_u64()?,
        producer,
        lane,
    };
    let text = stamp.to_string();
    // What does not read back as a stamp is none.
    Stamp::parse(text.as_bytes()).is_ok().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOW: Reading = Reading {
        keep_partition: true,
        max_redrives: 5,
    };

    fn record(line: &str) -> Record {
        match read(line.as_bytes(), HOW).unwrap() {
            Read::Record(record) => record,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_loop_ends() {
        let line = |count: &str| format!(r#"{{"value":"v","offset":7,"headers":[["{REDRIVE_HEADER}","{count}"]]}}"#);
        assert_eq!(record(&line("4")).headers, [header(REDRIVE_HEADER, "5")]);
        assert!(read(line("5").as_bytes(), HOW).unwrap_err().contains("--max-redrives"));
        assert!(read(line("4294967295").as_bytes(), HOW).is_err() && read(line("x").as_bytes(), HOW).is_err());
        // What was never in a broker is at no turn; what says that it was keeps its count.
        assert_eq!(record(r#"{"value":"v"}"#).headers, []);
        let kept = record(&line("2").replace("\"offset\":7,", ""));
        assert_eq!(kept.headers, [header(REDRIVE_HEADER, "2")]);
    }

    fn header(name: &str, value: &str) -> (String, Option<Vec<u8>>) {
        (name.to_owned(), Some(value.as_bytes().to_vec()))
    }

    #[test]
    fn the_record_of_the_contract() {
        let got = record(
            r#"{"broker":"kafka://a:1","topic":"orders","partition":3,"offset":42,"key":"123","value":{"base64":"/wA="},
               "headers":[["a","1"],["b",null],["c",{"base64":"/w=="}],["d",{"type":"int32","value":5}]],"tag":"T","new":{"x":[]},"id":null}"#,
        );
        assert_eq!(got.key.as_deref(), Some(&b"123"[..]));
        assert_eq!(got.value.as_deref(), Some(&b"\xff\0"[..]));
        let want = [
            header("a", "1"),
            ("b".to_owned(), None),
            ("c".to_owned(), Some(vec![0xff])),
            header("d", "5"),
            header(REDRIVE_HEADER, "1"),
        ];
        assert_eq!(got.headers, want);
        assert_eq!((got.tag.as_deref(), got.partition), (Some("T"), Some(3)));
        // A tombstone, and no key.
        assert_eq!(record(r#"{"value":null}"#), Record::default());
        // As kcat writes it.
        let kcat =
            record(r#"{"topic":"t","tstype":"create","ts":1,"headers":["a","1","b","2"],"key":null,"payload":"v"}"#);
        assert_eq!(kcat.value.as_deref(), Some(&b"v"[..]));
        assert_eq!(kcat.headers, [header("a", "1"), header("b", "2")]);
        assert_eq!(
            record(r#"{"value":"","headers":{"a":"1"}}"#).headers,
            [header("a", "1")]
        );
        // The last line of `query-key --format jsonl`, and one with nothing on it.
        assert_eq!(
            read(br#"{"schema":"mqsafe.query/1","found":1,"coverage":"COMPLETE"}"#, HOW),
            Ok(Read::End(None))
        );
        assert_eq!(
            read(br#"{"schema":"mqsafe.query/1","sha256":"ab"}"#, HOW),
            Ok(Read::End(Some("ab".to_owned())))
        );
        assert_eq!((read(b"", HOW), read(b" \r", HOW)), (Ok(Read::Empty), Ok(Read::Empty)));
        assert_eq!(record("{\"value\":\"\"}\r").value.as_deref(), Some(&b""[..]));
    }

    #[test]
    fn a_stamp_is_kept_as_the_origin_and_given_anew() {
        let line = r#"{"value":"v","headers":[["mqsafe-id","17 p o/3"],["mqsafe-void","2"],["x","1"]],"id":{"producer":"q","lane":"o/1","seq":2}}"#;
        assert_eq!(
            record(line).headers,
            [header("x", "1"), header(ORIGIN_HEADER, "17 p o/3")]
        );
        let line =
            r#"{"value":"v","headers":[["mqsafe-origin-id","1 a b"]],"id":{"producer":"q","lane":"a b/1","seq":2}}"#;
        assert_eq!(record(line).headers, [header(ORIGIN_HEADER, "2 q a b/1")]);
        for none in [
            r#"{"producer":"q r","seq":2}"#,
            r#"{"producer":"q","lane":"","seq":0}"#,
            "7",
        ] {
            assert_eq!(record(&format!(r#"{{"value":"v","id":{none}}}"#)).headers, []);
        }
    }

    #[test]
    fn what_is_no_record_says_why() {
        for (line, why) in [
            ("[1]", "not a JSON object"),
            ("\"a\"", "not a JSON object"),
            (r#"{"value":"a""#, "EOF while parsing"),
            (r#"{"value":"a"} x"#, "trailing characters at byte 15"),
            (r#"{"key":"a"}"#, "no value"),
            (r#"{"value":"a","payload":"b"}"#, "both"),
            (r#"{"value":"a","value":"b"}"#, "duplicate field"),
            (r#"{"value":5}"#, "the value is a number"),
            (r#"{"value":{"a":1}}"#, "the value is an object"),
            (r#"{"value":{"base64":"*"}}"#, "not base64"),
            (r#"{"value":"a","key":7}"#, "the key is a number"),
            (r#"{"value":"a","headers":["x"]}"#, "no pairs"),
            (r#"{"value":"a","headers":[["x"]]}"#, "not a pair"),
            (r#"{"value":"a","headers":[["x\u0000","y"]]}"#, "NUL"),
            (r#"{"value":"a","tag":1}"#, "the tag is a number"),
            (r#"{"value":"a","partition":-1}"#, "the partition is"),
            (r#"{"value":"a","partition":99999999999}"#, "the partition is"),
        ] {
            let said = read(line.as_bytes(), HOW).unwrap_err();
            assert!(said.contains(why), "{line}: {said}");
        }
        assert!(read(b"{\"value\":\"\xff\"}", HOW).is_err());
        assert!(read(format!("{{\"value\":{}", "[".repeat(100_000)).as_bytes(), HOW).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, HOW);
            let _ = read(&[b"{", bytes.as_slice(), b"}"].concat(), HOW);
        }

        #[test]
        fn any_message_survives(key in proptest::collection::vec(any::<u8>(), 0..20), value in proptest::collection::vec(any::<u8>(), 0..20)) {
            let part = |b: &[u8]| std::str::from_utf8(b).map_or_else(|_| serde_json::json!({"base64": STANDARD.encode(b)}), |t| t.into());
            let line = serde_json::json!({"key": part(&key), "value": part(&value)}).to_string();
            let read = record(&line);
            prop_assert_eq!((read.key.unwrap(), read.value.unwrap()), (key, value));
        }
    }
}
