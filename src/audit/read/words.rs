//! Commands in files: a text as the words of a shell, with their bytes, and what the tools of the brokers are told.

use super::sheet::{Item, Sheet, Thing};
use crate::audit::fact::{FactValue, Layer};
use crate::text::Span;

/// One word of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub text: String,
    pub span: Span,
    /// Whether a command ends before it.
    pub first: bool,
}

/// Splits a text as a shell would, near enough: quotes, `\` at the end of a line, and what stands between two commands.
pub(super) fn split(text: &str, base: usize) -> Vec<Word> {
    let mut words = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let (mut quote, mut first, mut comment) = (None, true, false);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let end = |open: &mut Option<(usize, String)>, words: &mut Vec<Word>, first: &mut bool| {
            if let Some((start, text)) = open.take() {
                words.push(Word {
                    text,
                    span: Span::new(base + start, base + at),
                    first: std::mem::take(first),
                });
            }
        };
        if comment {
            comment = c != '\n';
            first |= c == '\n';
            continue;
        }
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('"'), '\\') | (None, '\\') => match chars.next() {
                // Inside quotes it is a script of its own, which is split again and needs its space.
                Some((_, '\n')) if quote.is_some() => open.get_or_insert((at, String::new())).1.push(' '),
                Some((_, '\n')) | None => end(&mut open, &mut words, &mut first),
                // An escaped quote inside a quoted scalar is the shell's own quote.
                Some((_, '"')) => {}
                Some((_, next)) => open.get_or_insert((at, String::new())).1.push(next),
            },
            (Some(_), c) => open.get_or_insert((at, String::new())).1.push(c),
            (None, '\'' | '"') => {
                open.get_or_insert((at, String::new()));
                quote = Some(c);
            }
            (None, '\n' | ';' | '&' | '|' | '(' | ')') => {
                end(&mut open, &mut words, &mut first);
                first = true;
            }
            (None, '#') if open.is_none() => comment = true,
            (None, c) if c.is_whitespace() => end(&mut open, &mut words, &mut first),
            (None, c) => open.get_or_insert((at, String::new())).1.push(c),
        }
    }
    if let Some((start, word)) = open {
        words.push(Word {
            text: word,
            span: Span::new(base + start, base + text.len()),
            first,
        });
    }
    words
}

/// The name of a program without its directory and without `.sh`.
fn program(word: &str) -> &str {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
    name.strip_suffix(".sh")
        .or_else(|| name.strip_suffix(".bat"))
        .unwrap_or(name)
}

/// The topics that commands create or alter.
pub(super) fn topics(sheet: &Sheet<'_>, words: &[Word]) -> Vec<Thing> {
    let mut out: Vec<Thing> = Vec::new();
    for (i, word) in words.iter().enumerate() {
        let name = program(&word.text);
        if !matches!(name, "kafka-topics" | "kafka-configs") {
            continue;
        }
        let rest = words.get(i + 1..).unwrap_or_default();
        let end = rest.iter().position(|w| w.first).unwrap_or(rest.len());
        let Some(thing) = topic(sheet, name, word, rest.get(..end).unwrap_or_default()) else {
            continue;
        };
        // What is altered after it was created is the same topic.
        match out.iter_mut().find(|t: &&mut Thing| t.name == thing.name) {
            Some(known) => known.items.extend(thing.items),
            None => out.push(thing),
        }
    }
    out
}

fn topic(sheet: &Sheet<'_>, tool: &str, command: &Word, arguments: &[Word]) -> Option<Thing> {
    let mut thing = Thing {
        layer: Layer::Topic,
        vhost: None,
        name: String::new(),
        span: command.span,
        items: Vec::new(),
    };
    let (mut changes, mut topics) = (false, tool == "kafka-topics");
    let mut i = 0;
    while let Some(word) = arguments.get(i) {
        let (option, value) = match word.text.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (
                option,
                Some(Word {
                    text: value.to_owned(),
                    span: word.span,
                    first: false,
                }),
            ),
            _ => (word.text.as_str(), arguments.get(i + 1).cloned()),
        };
        let inline = word.text.contains('=') && word.text.starts_with("--");
        i += 1;
        match option {
            "--create" => changes = true,
            "--alter" if tool == "kafka-configs" => changes = true,
            _ => {}
        }
        let Some(value) = value else { continue };
        let takes = match option {
            "--topic" | "--entity-name" => {
                thing.name = value.text.clone();
                thing.span = value.span;
                true
            }
            "--entity-type" => {
                topics = value.text == "topics";
                true
            }
            "--replication-factor" => {
                thing
                    .items
                    .push(sheet.item("replication.factor", &value.text, word.span, value.span));
                true
            }
            "--partitions" => {
                thing
                    .items
                    .push(sheet.item("partitions", &value.text, word.span, value.span));
                true
            }
            "--config" | "--add-config" => {
                thing.items.extend(pairs(sheet, &value, option == "--add-config"));
                true
            }
            _ => false,
        };
        if takes && !inline {
            i += 1;
        }
    }
    (changes && topics && !thing.name.is_empty()).then_some(thing)
}

/// `key=value`, or several of them after commas.
fn pairs(sheet: &Sheet<'_>, word: &Word, several: bool) -> Vec<Item> {
    let parts: Vec<&str> = if several {
        word.text.split(',').collect()
    } else {
        vec![&word.text]
    };
    parts
        .into_iter()
        .filter_map(|part| part.split_once('='))
        .map(|(key, value)| sheet.item(key.trim(), value.trim(), word.span, word.span))
        .collect()
}

/// The topics of RocketMQ that `mqadmin updateTopic` makes or alters.
pub(super) fn rocketmq_topics(sheet: &Sheet<'_>, words: &[Word]) -> Vec<Thing> {
    let mut out = Vec::new();
    for (i, word) in words.iter().enumerate().filter(|(_, w)| program(&w.text) == "mqadmin") {
        let rest = words.get(i + 1..).unwrap_or_default();
        let end = rest.iter().position(|w| w.first).unwrap_or(rest.len());
        let arguments = rest.get(..end).unwrap_or_default();
        if arguments.first().is_none_or(|w| w.text != "updateTopic") {
            continue;
        }
        let mut thing = Thing {
            layer: Layer::Topic,
            vhost: None,
            name: String::new(),
            span: word.span,
            items: Vec::new(),
        };
        for pair in arguments.windows(2) {
            let [option, value] = pair else { continue };
            let key = match option.text.as_str() {
                "-t" | "--topic" => {
                    thing.name = value.text.clone();
                    thing.span = value.span;
                    continue;
                }
                "-r" | "--readQueueNums" => "readQueueNums",
                "-w" | "--writeQueueNums" => "writeQueueNums",
                "-p" | "--perm" => "perm",
                _ => continue,
            };
            thing.items.push(sheet.item(key, &value.text, option.span, value.span));
        }
        if !thing.name.is_empty() {
            out.push(thing);
        }
    }
    out
}

/// The queues and exchanges that `rabbitmqadmin declare` makes, and the policies of `rabbitmqctl set_policy`.
pub(super) fn rabbitmq_things(sheet: &Sheet<'_>, words: &[Word]) -> Vec<Thing> {
    let mut out = policies(sheet, words);
    for (i, _) in words
        .iter()
        .enumerate()
        .filter(|(_, w)| program(&w.text) == "rabbitmqadmin")
    {
        let rest = words.get(i + 1..).unwrap_or_default();
        let end = rest.iter().position(|w| w.first).unwrap_or(rest.len());
        let arguments = rest.get(..end).unwrap_or_default();
        let Some(at) = arguments.iter().position(|w| w.text == "declare") else {
            continue;
        };
        let layer = match arguments.get(at + 1).map(|w| w.text.as_str()) {
            Some("queue") => Layer::Queue,
            Some("exchange") => Layer::Exchange,
            Some("policy") => Layer::Policy,
            _ => continue,
        };
        let mut thing = Thing {
            layer,
            vhost: Some("/".to_owned()),
            name: String::new(),
            span: Span::default(),
            items: Vec::new(),
        };
        let own = arguments.get(at + 2..).unwrap_or_default();
        for (n, word) in own.iter().enumerate() {
            // `name=orders` as it has always been, `--name orders` since the tool was written anew.
            let option = word.text.strip_prefix("--");
            let told = word.text.split_once('=').map(|(key, value)| (key, value, word));
            let next = || option.and_then(|key| own.get(n + 1).map(|value| (key, value.text.as_str(), value)));
            let Some((key, value, word)) = told.or_else(next) else {
                continue;
            };
            match key.trim_start_matches('-') {
                "vhost" => thing.vhost = Some(value.to_owned()),
                "arguments" | "definition" => {
                    let key = key.trim_start_matches('-');
                    thing.items.extend(inner_items(sheet, key, value, word.span));
                }
                "queue_type" => thing
                    .items
                    .push(sheet.item("arguments.x-queue-type", value, word.span, word.span)),
                "type" if layer == Layer::Queue => {
                    thing
                        .items
                        .push(sheet.item("arguments.x-queue-type", value, word.span, word.span));
                }
                "pattern" | "apply-to" | "priority" => {
                    let key = key.trim_start_matches('-');
                    thing.items.push(sheet.item(key, value, word.span, word.span));
                }
                "name" => {
                    thing.name = value.to_owned();
                    thing.span = word.span;
                }
                "durable" | "auto_delete" | "auto-delete" | "internal" => {
                    let key = key.trim_start_matches('-').replace('-', "_");
                    let truth = FactValue::Bool(value == "true");
                    thing.items.push(sheet.typed(key, truth, word.span, word.span));
                }
                key @ "type" => thing.items.push(sheet.item(key, value, word.span, word.span)),
                _ => {}
            }
        }
        if !thing.name.is_empty() {
            out.push(thing);
        }
    }
    out
}

/// What the JSON of an option holds, below the option's name. What the shell has yet to fill in may hold anything.
fn inner_items(sheet: &Sheet<'_>, name: &str, json: &str, span: Span) -> Vec<Item> {
    let Ok(serde_json::Value::Object(object)) = serde_json::from_str(json) else {
        return ["x-queue-type", "x-dead-letter-exchange"]
            .into_iter()
            .map(|key| sheet.typed(format!("{name}.{key}"), FactValue::Composite, span, span))
            .collect();
    };
    let text = |value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    object
        .into_iter()
        .map(|(key, value)| sheet.item(format!("{name}.{key}"), &text(value), span, span))
        .collect()
}

/// The policies that `rabbitmqctl set_policy` makes.
fn policies(sheet: &Sheet<'_>, words: &[Word]) -> Vec<Thing> {
    let mut out = Vec::new();
    for (i, _) in words.iter().enumerate().filter(|(_, w)| w.text == "set_policy") {
        // Options may stand before the tool's command.
        let before = words.get(..i).unwrap_or_default().iter().rev();
        if !before.take(4).any(|w| program(&w.text) == "rabbitmqctl") {
            continue;
        }
        let rest = words.get(i + 1..).unwrap_or_default();
        let end = rest.iter().position(|w| w.first).unwrap_or(rest.len());
        let (mut items, mut vhost, mut plain) = (Vec::new(), "/".to_owned(), Vec::new());
        let mut arguments = rest.get(..end).unwrap_or_default().iter();
        while let Some(word) = arguments.next() {
            match word.text.as_str() {
                "-p" | "--vhost" => vhost = arguments.next().map_or(vhost, |w| w.text.clone()),
                option @ ("--priority" | "--apply-to") => {
                    if let Some(value) = arguments.next() {
                        items.push(sheet.item(option.trim_start_matches('-'), &value.text, word.span, value.span));
                    }
                }
                option if option.starts_with("--") => {}
                _ => plain.push(word),
            }
        }
        let [name, pattern, definition] = plain.as_slice() else {
            continue;
        };
        if !matches!(serde_json::from_str(&definition.text), Ok(serde_json::Value::Object(_))) {
            continue;
        }
        items.push(sheet.item("pattern", &pattern.text, pattern.span, pattern.span));
        items.extend(inner_items(sheet, "definition", &definition.text, definition.span));
        out.push(Thing {
            layer: Layer::Policy,
            vhost: Some(vhost),
            name: name.text.clone(),
            span: name.span,
            items,
        });
    }
    out
}

/// The settings that a broker's start command overrides: `--override key=value`.
pub(super) fn overrides(sheet: &Sheet<'_>, words: &[Word]) -> Vec<Item> {
    let starts = words.iter().any(|w| program(&w.text) == "kafka-server-start");
    let mut out = Vec::new();
    for (i, word) in words.iter().enumerate().filter(|_| starts) {
        let value = match word.text.strip_prefix("--override") {
            Some("") => words.get(i + 1).map(|w| (w.text.as_str(), w.span)),
            Some(rest) => rest.strip_prefix('=').map(|rest| (rest, word.span)),
            None => None,
        };
        if let Some(((key, value), span)) = value.and_then(|(text, span)| Some((text.split_once('=')?, span))) {
            out.push(sheet.item(key, value, span, span));
        }
    }
    out
}

/// Whether a program of this name is started.
pub(super) fn starts(words: &[Word], name: &str) -> bool {
    words.iter().any(|w| program(&w.text) == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_have_their_bytes() {
        let text = "a 'b c' \\\n  \"d\"e && f # g\nh";
        let words = split(text, 0);
        let texts: Vec<&str> = words.iter().map(|w| w.text.as_str()).collect();
        assert_eq!(texts, ["a", "b c", "de", "f", "h"]);
        assert_eq!(
            words.iter().map(|w| w.first).collect::<Vec<_>>(),
            [true, false, false, true, true]
        );
        assert_eq!(&text[words[1].span.range()], "'b c'");
        assert_eq!(&text[words[4].span.range()], "h");
    }

    proptest! {
        #[test]
        fn any_text_is_split(text in "[a-c '\"\\\\\n;&|#ż=-]{0,60}") {
            for word in split(&text, 0) {
                prop_assert!(text.get(word.span.range()).is_some());
            }
        }
    }
}
