//! `-F FILE`: a Java `client.properties`, a librdkafka or kcat file, or RocketMQ's YAML with an access key.

use super::secret::without_line_end;
use super::words::{is_java, is_librdkafka};
use super::{Origin, yaml};
use crate::model::{Problem, Result};
use crate::text::{SourceFile, properties};

/// One line of a file. The value may be a secret, so there is no `Debug`.
pub(super) struct Line {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) origin: Origin,
}

/// Reads a file of any kind.
///
/// # Errors
/// A usage problem that names the file and the line, and repeats nothing of the text.
pub(super) fn read(path: &str, bytes: Vec<u8>) -> Result<Vec<Line>> {
    let name = path.to_ascii_lowercase();
    if name.ends_with(".yml") || name.ends_with(".yaml") {
        return access_key(path, &bytes);
    }
    let source = SourceFile::new(bytes);
    let java = properties::parse(&source);
    let is_java_file = java.entries.iter().any(|e| is_java(&e.key));
    let plain = plain_lines(&source);
    // The two forms differ in escapes and in lines that go on; which one it is shows in the names.
    if !is_java_file && plain.iter().any(|(key, _, _)| is_librdkafka(key)) {
        return plain
            .into_iter()
            .map(|(key, value, line)| {
                let value = value.ok_or_else(|| not_a_setting(path, line))?;
                Ok(one(path, key, value.to_owned(), line))
            })
            .collect();
    }
    if let Some(malformed) = java.malformed {
        let line = source.spot(malformed.offset).line;
        return Err(Problem::usage(format!("cannot read {path}:{line}"))
            .because(malformed.what)
            .next("write a backslash as two"));
    }
    let mut lines = Vec::new();
    for entry in java.entries {
        let line = source.spot(entry.key_span.start).line;
        if !entry.has_separator && entry.value.is_empty() {
            return Err(not_a_setting(path, line));
        }
        // Java keeps white space at the end of a value; where it is no part of a secret it is a slip.
        let value = if super::is_secret(&entry.key) {
            entry.value
        } else {
            entry.value.trim_end().to_owned()
        };
        lines.push(one(path, &entry.key, value, line));
    }
    Ok(lines)
}

fn one(path: &str, key: &str, value: String, line: usize) -> Line {
    Line {
        key: key.to_owned(),
        value,
        origin: Origin::File {
            path: path.to_owned(),
            line,
        },
    }
}

fn not_a_setting(path: &str, line: usize) -> Problem {
    Problem::usage(format!("{path}:{line} is not KEY=VALUE")).next("correct that line")
}

/// The lines of librdkafka's examples and of kcat: `key=value`, `#` comments, no escapes. kcat trims both ends.
fn plain_lines(source: &SourceFile) -> Vec<(&str, Option<&str>, usize)> {
    let Ok(text) = source.utf8() else { return Vec::new() };
    let text = &text[source.byte_order_mark()..];
    let lines = text.lines().enumerate().map(|(i, line)| (line.trim(), i + 1));
    lines
        .filter(|(line, _)| !line.is_empty() && !line.starts_with('#'))
        .map(|(line, number)| match line.split_once('=') {
            Some((key, value)) => (key.trim(), Some(value.trim_start()), number),
            None => (line, None, number),
        })
        .collect()
}

/// RocketMQ's `tools.yml` and `plain_acl.yml` of one account: `accessKey`, `secretKey` (`AclClientRPCHook`, `mqadmin`).
fn access_key(path: &str, bytes: &[u8]) -> Result<Vec<Line>> {
    let bad = |line: usize, why: &str| {
        Problem::usage(format!("cannot read {path}:{line}"))
            .because(why)
            .next("write accessKey: NAME and secretKey: SECRET, or give a .properties file")
    };
    let text = std::str::from_utf8(bytes).map_err(|_| bad(1, "it is not UTF-8"))?;
    let root = yaml::read(without_line_end(text)).map_err(|b| bad(b.line, b.why))?;
    let root = root.ok_or_else(|| bad(1, "it is empty"))?;
    let map = root
        .map()
        .ok_or_else(|| bad(root.line, "it does not hold KEY: VALUE lines"))?;
    let mut lines = Vec::new();
    for (key, node) in map {
        let name = match key.name.as_str() {
            "accessKey" => "access.key",
            "secretKey" => "secret.key",
            "securityToken" => "security.token",
            _ => return Err(bad(key.line, &format!("{:?} is no word here", key.name))),
        };
        let value = node.text().ok_or_else(|| bad(key.line, "the value is no text"))?;
        lines.push(one(path, name, value.to_owned(), key.line));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Result<Vec<(String, String, String)>> {
        let lines = read(path, text.as_bytes().to_vec())?;
        let all = lines.into_iter().map(|l| (l.key, l.value, l.origin.to_string()));
        Ok(all.collect())
    }

    fn value(text: &str, key: &str) -> Option<String> {
        let all = lines("f", text).ok()?;
        all.into_iter().find(|(k, _, _)| k == key).map(|(_, v, _)| v)
    }

    #[test]
    fn each_kind_keeps_its_own_escapes() {
        let java =
            "# c\nsasl.mechanism = PLAIN\nsasl.jaas.config=A \\\n  required password=\"a\\\\b\";\nlinger.ms: 5\n";
        assert_eq!(
            value(java, "sasl.jaas.config").as_deref(),
            Some("A required password=\"a\\b\";")
        );
        assert_eq!(value(java, "linger.ms").as_deref(), Some("5"));
        let kcat = "sasl.mechanisms=PLAIN\n sasl.password = a\\b=c \n";
        assert_eq!(value(kcat, "sasl.password").as_deref(), Some("a\\b=c"));
        assert_eq!(lines("f", kcat).unwrap()[1].2, "f:2");
        let rocket = lines("tools.yml", "accessKey: me\nsecretKey: '12'\n").unwrap();
        assert_eq!(
            rocket[1],
            ("secret.key".to_owned(), "12".to_owned(), "tools.yml:2".to_owned())
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_line() {
        for (path, text, place) in [
            ("f", "linger.ms=5\nhunter2\n", "f:2"),
            ("f", "sasl.mechanisms=PLAIN\n\nhunter2\n", "f:3"),
            ("f", "sasl.jaas.config=\\uhunter2\n", "f:1"),
            ("f.yml", "accessKey: a\npassword: hunter2\n", "f.yml:2"),
            ("f.yml", "secretKey: [hunter2]\n", "f.yml:1"),
            ("f.yaml", "secretKey: \"hunter2\n", "f.yaml"),
            ("f.yaml", "hunter2\n", "f.yaml:1"),
        ] {
            let said = format!("{:?}", lines(path, text).unwrap_err());
            assert!(said.contains(place) && !said.contains("hunter2"), "{text}: {said}");
        }
    }
}
