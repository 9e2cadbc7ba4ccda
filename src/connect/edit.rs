//! Changing a text of contexts without touching the rest of it.

use super::yaml::{self, Data};
use std::ops::Range;

/// A text as a YAML scalar: bare where that is plainly itself, else in double quotes (JSON's escapes are YAML's).
pub fn yaml_text(text: &str) -> String {
    let simple = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    let bare = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(simple)
        && !["null", "true", "false", "yes", "no", "on", "off"].contains(&text.to_ascii_lowercase().as_str());
    if bare {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

/// Where a key of the first level stands with its value of one line, without a comment after it.
pub fn top_level_line(text: &str, key: &str) -> Option<Range<usize>> {
    let root = yaml::read(text).ok().flatten()?;
    let (key, node) = root.map()?.iter().find(|(k, _)| k.name == key)?;
    let from = node.offset.max(key.offset);
    let rest = text.get(from..)?;
    let line = rest.find(['\n', '\r']).unwrap_or(rest.len());
    let end = rest[..line].find(" #").unwrap_or(line);
    Some(key.offset..from + end)
}

/// The text with more contexts, each as lines without indentation.
pub fn with_contexts(text: &str, contexts: &[String]) -> String {
    let root = yaml::read(text).ok().flatten();
    let found = root
        .as_ref()
        .and_then(|r| r.map()?.iter().find(|(k, _)| k.name == "contexts"));
    let (indentation, at, before) = match found {
        None => (
            2,
            text.len(),
            if text.is_empty() || text.ends_with('\n') {
                "contexts:\n"
            } else {
                "\ncontexts:\n"
            },
        ),
        Some((key, node)) => {
            let line_end = text[key.offset..].find('\n').map(|i| key.offset + i + 1);
            let column = match &node.data {
                Data::Map(map) => map.first().map(|(k, _)| k.column),
                Data::Text { .. } | Data::List(_) => None,
            };
            let before = if line_end.is_none() { "\n" } else { "" };
            (column.unwrap_or(2), line_end.unwrap_or(text.len()), before)
        }
    };
    let mut out = text[..at].to_owned();
    out.push_str(before);
    for line in contexts.iter().flat_map(|c| c.lines()) {
        out.push_str(&" ".repeat(indentation));
        out.push_str(line);
        out.push('\n');
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_line_changes() {
        let text = "# mine\ncurrent: a # the usual\ncontexts:\n    # first\n    a: {broker: 'h:1'}\n";
        let span = top_level_line(text, "current").unwrap();
        assert_eq!(&text[span], "current: a");
        assert_eq!(top_level_line(text, "nothing"), None);
        let more = with_contexts(text, &["b:\n  broker: h:2\n".to_owned()]);
        assert_eq!(
            more,
            "# mine\ncurrent: a # the usual\ncontexts:\n    b:\n      broker: h:2\n    # first\n    a: {broker: 'h:1'}\n"
        );
        assert_eq!(with_contexts("", &["b: {}".to_owned()]), "contexts:\n  b: {}\n");
        assert_eq!(
            with_contexts("current: b", &["b: {}".to_owned()]),
            "current: b\ncontexts:\n  b: {}\n"
        );
        assert_eq!(
            with_contexts("contexts:", &["b: {}".to_owned()]),
            "contexts:\n  b: {}\n"
        );
    }

    #[test]
    fn a_text_is_itself_again() {
        for text in ["a", "null", "1", "a: b", "żółw", "a\"b\\c\n", "", "-x", "True", "#"] {
            let document = format!("k: {}\n", yaml_text(text));
            let root = yaml::read(&document).ok().flatten().unwrap();
            assert_eq!(root.get("k").unwrap().text(), Some(text), "{document}");
            assert!(!root.get("k").unwrap().is_null());
        }
    }
}
