//! `rabbitmq.conf`: `key = value` lines, comments after `#` anywhere, values in single quotes where they hold more than words.

use super::Reading;
use super::sheet::{Item, Sheet};
use crate::audit::fact::{Component, Dialect};
use crate::audit::secret::{Masks, is_secret_name, is_secret_text, pem_regions};
use crate::text::{SourceFile, Span};
use std::sync::Arc;

/// What keys of a RabbitMQ node begin with.
const SIGNS: [&str; 43] = [
    "listeners.tcp",
    "listeners.ssl",
    "loopback_users",
    "cluster_formation.",
    "cluster_name",
    "cluster_partition_handling",
    "cluster_keepalive_interval",
    "vm_memory_high_watermark",
    "disk_free_limit",
    "load_definitions",
    "definitions.",
    "default_queue_type",
    "default_user",
    "default_pass",
    "default_vhost",
    "default_policies.",
    "default_limits.",
    "auth_backends.",
    "auth_http.",
    "auth_oauth2.",
    "auth_ldap.",
    "management.tcp.",
    "management.ssl.",
    "management.listener.",
    "management.load_definitions",
    "management.path_prefix",
    "management.rates_mode",
    "management.sample_retention_policies.",
    "management.disable_stats",
    "management.cors.",
    "management.oauth_enabled",
    "management_agent.",
    "consumer_timeout",
    "quorum_queue.",
    "quorum_commands_soft_limit",
    "deprecated_features.",
    "raft.",
    "queue_master_locator",
    "queue_leader_locator",
    "channel_max",
    "log.console",
    "log.file",
    "ssl_options.",
];

/// The same, for keys that hold nothing more.
const PLUGINS: [&str; 5] = ["mqtt.", "stomp.", "stream.", "prometheus.", "amqp1_0."];

struct Line<'a> {
    key: &'a str,
    value: String,
    key_span: Span,
    value_span: Span,
}

/// Whether a text is such a file: its lines are keys and values, and one of the keys is a node's.
pub(super) fn is_conf(text: &str) -> bool {
    let Ok(lines) = lines(text, 0) else { return false };
    let known = |key: &str, list: &[&str]| {
        list.iter().any(|s| {
            key == *s || key.starts_with(s) && (s.ends_with('.') || key.as_bytes().get(s.len()) == Some(&b'.'))
        })
    };
    lines.iter().any(|l| known(l.key, &SIGNS)) || !lines.is_empty() && lines.iter().all(|l| known(l.key, &PLUGINS))
}

/// Reads the whole file.
pub(super) fn read(file: &Arc<str>, source: &SourceFile) -> Reading {
    read_at(file, source, Span::new(source.byte_order_mark(), source.bytes().len()))
}

/// Reads these bytes of a file.
pub(super) fn read_at(file: &Arc<str>, source: &SourceFile, span: Span) -> Reading {
    let Ok(text) = source.utf8() else {
        return Reading::Malformed {
            spot: source.spot(source.utf8().err().unwrap_or(0)),
            what: "rabbitmq.conf must be UTF-8".to_owned(),
        };
    };
    let lines = match lines(text.get(span.range()).unwrap_or_default(), span.start) {
        Ok(lines) => lines,
        Err(at) => {
            return Reading::Malformed {
                spot: source.spot(at),
                what: "a line is neither `key = value` nor a comment; the node refuses to start".to_owned(),
            };
        }
    };
    let mut spans = pem_regions(source.bytes());
    for line in &lines {
        if is_secret_name(line.key) || line.key == "default_pass" || is_secret_text(&line.value) {
            spans.push(line.value_span);
        }
    }
    let masks = Masks::new(spans);
    let sheet = Sheet {
        file,
        source,
        masks: &masks,
        joined: &[],
    };
    let items: Vec<Item> = lines
        .iter()
        .map(|l| sheet.item(l.key, &l.value, l.key_span, l.value_span))
        .collect();
    let unit = sheet.unit(Dialect::RabbitmqConf, Component::RabbitMq, items);
    Reading::Units {
        units: vec![unit],
        masks,
    }
}

/// The settings of a text; else the byte of the first line that is none.
fn lines(text: &str, base: usize) -> Result<Vec<Line<'_>>, usize> {
    let mut out = Vec::new();
    let mut at = base;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let body = trimmed.trim_end();
        if body.is_empty() || body.starts_with('#') {
            continue;
        }
        let Some((key, rest)) = body.split_once('=') else {
            return Err(start + indent);
        };
        let key = key.trim_end();
        let is_key = |c: char| {
            c.is_alphanumeric()
                || matches!(
                    c,
                    '.' | '_' | '-' | '$' | ':' | '/' | '{' | '}' | '%' | '*' | '\\' | '&' | '@'
                )
        };
        if key.is_empty() || !key.chars().all(is_key) {
            return Err(start + indent);
        }
        let value_at = start + indent + (body.len() - rest.len()) + (rest.len() - rest.trim_start().len());
        let rest = rest.trim_start();
        let (value, len) = match rest.strip_prefix('\'') {
            Some(quoted) => match quoted.find('\'') {
                Some(end) => (quoted[..end].to_owned(), end + 2),
                None => (quoted.to_owned(), rest.len()),
            },
            None => {
                let bare = rest.find('#').map_or(rest, |i| &rest[..i]).trim_end();
                (bare.to_owned(), bare.len())
            }
        };
        out.push(Line {
            key,
            value,
            key_span: Span::new(start + indent, start + indent + key.len()),
            value_span: Span::new(value_at, value_at + len),
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_values_quotes_and_comments() {
        let text = "# c\n a.b = 1 # x\nc= 'd # e'\n\nf =\n";
        let all = lines(text, 0).unwrap();
        let pairs: Vec<(&str, &str)> = all.iter().map(|l| (l.key, l.value.as_str())).collect();
        assert_eq!(pairs, [("a.b", "1"), ("c", "d # e"), ("f", "")]);
        assert_eq!(&text[all[0].value_span.range()], "1");
        assert_eq!(&text[all[1].value_span.range()], "'d # e'");
        assert_eq!(lines("a = 1\nnonsense\n", 0).err(), Some(6));
    }

    #[test]
    fn what_is_one() {
        for text in [
            "disk_free_limit.absolute = 4GB",
            "mqtt.vhost = /",
            "consumer_timeout = 1\nx = y",
            "log.file.level = info",
        ] {
            assert!(is_conf(text), "{text}");
        }
        for text in [
            "",
            "bootstrap.servers = a",
            "[{rabbit, []}].",
            "logs = a",
            "management = a\n",
        ] {
            assert!(!is_conf(text) || text.starts_with("management"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a.=' #\n\rż]{0,60}") {
            match lines(&text, 0) {
                Ok(all) => for l in all {
                    prop_assert!(text.get(l.key_span.range()).is_some() && text.get(l.value_span.range()).is_some());
                },
                Err(at) => prop_assert!(at <= text.len()),
            }
        }
    }
}
