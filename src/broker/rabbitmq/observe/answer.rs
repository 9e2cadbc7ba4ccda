//! Answers of the management API. It tells some keys twice: what it asked just now, and after that what a queue said of itself the last
//! time that it said something, which may be long ago. Of `"online":[],"online":["rabbit@a"]` the first is true, as in Erlang's own lists.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Reads an answer in which the first of equal keys counts.
///
/// # Errors
/// When it is no JSON.
pub(super) fn parse(bytes: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice::<First>(bytes).map(|first| first.0)
}

struct First(Value);

impl<'de> Deserialize<'de> for First {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<First, D::Error> {
        deserializer.deserialize_any(Reader).map(First)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("JSON")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(First(one)) = list.next_element()? {
            all.push(one);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some((key, First(value))) = entries.next_entry::<String, First>()? {
            all.entry(key).or_insert(value);
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_of_equal_keys_counts_and_all_else_is_as_ever() {
        let twice = br#"[{"name":"q","online":[],"online":["a"],"x":{"y":1,"y":2}}]"#;
        assert_eq!(
            parse(twice).unwrap(),
            json!([{"name": "q", "online": [], "x": {"y": 1}}])
        );
        let plain = br#"{"a":[true,false,null],"b":-1,"c":18446744073709551615,"d":0.5,"e":"\u00e9\n","f":{}}"#;
        assert_eq!(parse(plain).unwrap(), serde_json::from_slice::<Value>(plain).unwrap());
        for broken in [&b"{"[..], b"", b"[1,]", b"{} x", b"{\"a\":}"] {
            assert!(parse(broken).is_err(), "{broken:?}");
        }
        // As deep as the parser goes, and no deeper.
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
    }
}
