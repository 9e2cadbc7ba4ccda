//! Strict JSON with the byte range of every value, bounded before it is parsed.
//!
//! The parser walks nested values by recursion and keeps every one of them, so depth and number are counted first in one flat
//! pass over the bytes.

use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

pub use jsonc_parser::ast::{Array, Object, ObjectProp, Value};

/// How deep values may be nested. The deepest real definitions file has six levels.
pub const MAX_DEPTH: usize = 64;
/// How many values a file may hold; a 16 MiB definitions file that RabbitMQ exports has about a million.
pub const MAX_VALUES: usize = 2_000_000;

/// Why a text is not JSON that is read here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// The byte that it was noticed at.
    pub offset: usize,
    /// What it is, as a fragment; nothing of the file's own text.
    pub what: String,
}

impl JsonError {
    fn at(offset: usize, what: impl Into<String>) -> JsonError {
        JsonError {
            offset,
            what: what.into(),
        }
    }
}

/// Parses one JSON value.
///
/// # Errors
/// When the text is not strict JSON, is nested deeper than [`MAX_DEPTH`] or holds more than [`MAX_VALUES`] values.
pub fn parse(text: &str) -> Result<Value<'_>, JsonError> {
    check_limits(text.as_bytes())?;
    let strict = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &strict).map_err(|e| {
        let mut what = e.kind().to_string();
        what.get_mut(..1).map(str::make_ascii_lowercase).unwrap_or_default();
        JsonError::at(e.range().start.min(text.len()), what)
    })?;
    parsed
        .value
        .ok_or_else(|| JsonError::at(text.len(), "the file holds no value"))
}

fn check_limits(bytes: &[u8]) -> Result<(), JsonError> {
    let (mut depth, mut values, mut in_string, mut escaping) = (0usize, 0usize, false, false);
    for (i, b) in bytes.iter().enumerate() {
        if in_string {
            in_string = escaping || *b != b'"';
            escaping = *b == b'\\' && !escaping;
            continue;
        }
        match b {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                values += 1;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' | b':' => values += 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(JsonError::at(i, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        if values > MAX_VALUES {
            return Err(JsonError::at(i, format!("more than {MAX_VALUES} values")));
        }
    }
    Ok(())
}

/// The last property of this name. RFC 8259 leaves open which of several counts; most readers keep the last.
pub fn get<'v, 'a>(object: &'v Object<'a>, name: &str) -> Option<&'v ObjectProp<'a>> {
    object.properties.iter().rev().find(|p| p.name.as_str() == name)
}

/// The text of a string property.
pub fn get_str<'v>(object: &'v Object<'_>, name: &str) -> Option<&'v str> {
    Some(get(object, name)?.value.as_string_lit()?.value.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_strict_json_is_read() {
        assert!(parse("{\"a\":[1,true,null,\"x\"]}").is_ok());
        for bad in [
            "", "{", "{a:1}", "[1,]", "// x\n1", "'a'", "1 2", "\"\\q\"", "nul", "[1 2]", "+1", "0x1",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!(parse("{\n \"a\": }").map_err(|e| e.offset).err(), Some(8));
    }

    #[test]
    fn hostile_depth_and_size_are_refused_before_parsing() {
        assert!(parse(&"[".repeat(1_000_000)).is_err());
        assert!(parse(&"{\"a\":".repeat(100_000)).is_err());
        assert!(parse(&format!("[{}1]", "1,".repeat(MAX_VALUES + 1))).is_err());
        assert!(parse(&format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH))).is_ok());
        assert!(parse("[\"[[[[\\\"[\"]").is_ok());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}:,\"\\\\a0\\.eE+\\-/*' \\n\u{17c}truefalsn]{0,60}") {
            if let Err(e) = parse(&text) {
                prop_assert!(e.offset <= text.len());
            }
        }

        #[test]
        fn what_serde_reads_is_read(text in "[\\[\\]{}:,\"\\\\a0 1]{0,24}") {
            let ours = parse(&text).is_ok();
            let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            // Numbers are compared with care elsewhere; here no valid text may be refused.
            prop_assert!(ours || !theirs, "{}", text);
        }
    }
}
