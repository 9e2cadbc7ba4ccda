//! Scripts for a shell: the topics and queues that their commands make.

use super::Reading;
use super::sheet::Sheet;
use super::words::{self, Word};
use crate::audit::fact::{Component, Dialect};
use crate::audit::secret::{Masks, is_secret_name, is_secret_text, pem_regions};
use crate::text::{SourceFile, Span};
use std::sync::Arc;

const TOOLS: [&str; 4] = ["kafka-topics", "kafka-configs", "rabbitmqadmin", "mqadmin"];

/// Reads a script.
pub(super) fn read(file: &Arc<str>, source: &SourceFile) -> Reading {
    const OTHER: Reading = Reading::NotMessaging("no command in it makes a topic or a queue");
    let Some(text) = source.utf8().ok().filter(|t| TOOLS.iter().any(|tool| t.contains(tool))) else {
        return OTHER;
    };
    let words = inner_scripts(text, words::split(text, 0));
    let mut spans = pem_regions(source.bytes());
    for (i, word) in words.iter().enumerate() {
        let named = |text: &str| is_secret_name(text.trim_start_matches('-'));
        let before = i.checked_sub(1).and_then(|i| words.get(i));
        let told = before.is_some_and(|b| !word.first && b.text.starts_with('-') && (b.text == "-p" || named(&b.text)));
        if told || is_secret_text(&word.text) || word.text.split_once('=').is_some_and(|(name, _)| named(name)) {
            spans.push(word.span);
        }
    }
    let masks = Masks::new(spans);
    let sheet = Sheet {
        file,
        source,
        masks: &masks,
        joined: &[],
    };
    let mut units = Vec::new();
    for (dialect, component, things, fragment) in [
        (
            Dialect::KafkaTopics,
            Component::KafkaBroker,
            words::topics(&sheet, &words),
            None,
        ),
        (
            Dialect::RocketmqTopics,
            Component::RocketMq,
            words::rocketmq_topics(&sheet, &words),
            None,
        ),
        (
            Dialect::RabbitmqDefinitions,
            Component::RabbitMq,
            words::rabbitmq_things(&sheet, &words),
            Some("other commands may declare bindings and policies"),
        ),
    ] {
        if !things.is_empty() {
            let mut unit = sheet.things(dialect, component, things);
            unit.carrier = Some("commands");
            unit.fragment = fragment;
            units.push(unit);
        }
    }
    match units.is_empty() {
        true => OTHER,
        false => Reading::Units { units, masks },
    }
}

/// What a shell gets after `-c` as the words that it is; what is only shown stays one word.
fn inner_scripts(text: &str, words: Vec<Word>) -> Vec<Word> {
    let (mut out, mut shown) = (Vec::new(), false);
    for word in words {
        if word.first {
            shown = matches!(word.text.as_str(), "echo" | "printf" | "log" | "info");
        }
        let raw = text.get(word.span.range()).unwrap_or_default();
        let quoted = raw.len() > 2 && raw.starts_with(['"', '\'']);
        let is_script = word.text.contains(char::is_whitespace) && TOOLS.iter().any(|tool| word.text.contains(tool));
        if quoted && is_script && !shown {
            let inner = Span::new(word.span.start + 1, word.span.end - 1);
            out.extend(words::split(text.get(inner.range()).unwrap_or_default(), inner.start));
        } else {
            out.push(word);
        }
    }
    out
}
