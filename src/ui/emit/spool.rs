//! What a spool keeps, for people and as the record of the contract.

use super::query::{SHOWN_BYTES, bytes};
use super::{json_line, time};
use crate::spool::{Held, Kept, Pending, Run, Target};
use crate::ui::{escape, escape_bytes};
use serde_json::{Value, json};
use std::fmt::Write;

/// Bytes of a key that a list shows.
const LISTED_BYTES: usize = 40;

/// Where a message goes, in the words of the record.
struct Goes<'a> {
    topic: Option<&'a str>,
    exchange: Option<&'a str>,
    routing_key: Option<&'a str>,
}

fn goes(target: &Target) -> Goes<'_> {
    match target.topic.split_once('|') {
        None => Goes {
            topic: Some(&target.topic),
            exchange: None,
            routing_key: None,
        },
        // The default exchange routes to the queue that the key names.
        Some((exchange, key)) => Goes {
            topic: exchange.is_empty().then_some(key),
            exchange: Some(exchange),
            routing_key: Some(key),
        },
    }
}

/// The topic, exchange or queue as a person writes it.
fn target_name(target: &Target) -> &str {
    target.topic.strip_prefix('|').unwrap_or(&target.topic)
}

/// Whether a message goes to this topic, queue or exchange.
pub fn goes_to(target: &Target, name: &str) -> bool {
    let Goes { topic, exchange, .. } = goes(target);
    target.topic == name || topic == Some(name) || exchange.is_some_and(|e| !e.is_empty() && e == name)
}

/// The lane of a message, once it has one.
pub fn lane(target: &Target, message: &Pending) -> Option<String> {
    message.partition.map(|partition| target.lane(partition))
}

fn id(target: &Target, message: &Pending) -> Value {
    lane(target, message).map_or(
        Value::Null,
        |lane| json!({"producer": message.producer, "lane": lane, "seq": message.seq}),
    )
}

/// One message as the record of the contract.
pub fn record(target: &Target, kept: &Kept) -> Value {
    let message = &kept.message;
    let Goes {
        topic,
        exchange,
        routing_key,
    } = goes(target);
    let queue = |lane: String| lane.rsplit_once('/').and_then(|(_, queue)| queue.parse::<i32>().ok());
    let partition = lane(target, message).filter(|_| exchange.is_none()).and_then(queue);
    let headers: Vec<Value> = message
        .headers
        .iter()
        .map(|(name, value)| json!([name, value.as_deref().map(bytes)]))
        .collect();
    let offset = match &kept.held {
        Held::Awaiting { offset, .. } => *offset,
        Held::Pending { .. } | Held::Failed { .. } | Held::Scheduled { .. } | Held::Undecided { .. } => None,
    };
    json!({
        "broker": target.broker,
        "topic": topic,
        "exchange": exchange,
        "routing_key": routing_key,
        "partition": partition.or(message.asked().filter(|_| exchange.is_none())),
        "offset": offset,
        "timestamp": time(message.accepted_ms),
        "key": message.key.as_deref().map(bytes),
        "value": message.value.as_deref().map(bytes),
        "headers": headers,
        "tag": message.tag,
        "properties": null,
        "id": id(target, message),
    })
}

/// Where a message stands, as the fields that are added to its record.
fn standing(held: &Held, now_ms: i64) -> [(&'static str, Value); 8] {
    let at = |ms: &i64| json!(time(*ms));
    let mut fields = [
        ("state", Value::Null),
        ("attempts", json!(0)),
        ("next_retry", Value::Null),
        ("in_doubt", json!(false)),
        ("reason", Value::Null),
        ("since", Value::Null),
        ("number_void", json!(false)),
        ("overdue", json!(false)),
    ];
    match held {
        Held::Pending { retry, in_doubt } => {
            (fields[0].1, fields[3].1) = (json!("pending"), json!(in_doubt));
            if let Some(retry) = retry {
                fields[1].1 = json!(retry.attempts);
                fields[2].1 = retry.next_ms.as_ref().map_or(Value::Null, at);
                fields[4].1 = json!(retry.reason);
            }
        }
        Held::Failed {
            reason,
            void,
            attempts,
            failed_ms,
        } => {
            (fields[0].1, fields[1].1, fields[4].1) = (json!("failed"), json!(attempts), json!(reason));
            (fields[5].1, fields[6].1) = (at(failed_ms), json!(void));
        }
        Held::Awaiting {
            confirmed_ms,
            until_ms,
            failure,
            ..
        } => {
            (fields[0].1, fields[4].1, fields[5].1) = (json!("awaiting"), json!(failure), at(confirmed_ms));
            fields[7].1 = json!(*until_ms <= now_ms);
        }
        Held::Scheduled { due_ms } => (fields[0].1, fields[2].1) = (json!("scheduled"), at(due_ms)),
        Held::Undecided {
            words,
            decided,
            in_doubt,
            ..
        } => {
            let state = if *decided { "pending" } else { "undecided" };
            (fields[0].1, fields[3].1, fields[4].1) = (json!(state), json!(in_doubt), json!(words));
        }
    }
    fields
}

/// One message with everything that is known of it.
pub fn shown(spool_id: &str, target: &Target, kept: &Kept, now_ms: i64) -> Value {
    let mut object = record(target, kept);
    object["spool_id"] = json!(spool_id);
    for (name, value) in standing(&kept.held, now_ms) {
        object[name] = value;
    }
    object
}

/// One message of a list: everything but what it holds.
pub fn listed(spool_id: &str, target: &Target, kept: &Kept, now_ms: i64) -> Value {
    let mut object = shown(spool_id, target, kept, now_ms);
    if let Some(fields) = object.as_object_mut() {
        for body in ["value", "headers", "properties"] {
            fields.shift_remove(body);
        }
    }
    object
}

/// One run of the journal.
pub fn run(store: &str, run: &Run) -> Value {
    let Run {
        producer,
        lane,
        first,
        last,
        offset,
        time_ms,
    } = run;
    json!({
        "store": store,
        "state": "confirmed",
        "producer": producer,
        "lane": lane,
        "first": first,
        "last": last,
        "offset": offset,
        "time": time(*time_ms),
    })
}

/// One JSON value as a line.
pub fn line(value: &Value) -> Vec<u8> {
    json_line(value)
}

/// All of a list as one object.
pub fn list(messages: Vec<Value>, runs: Vec<Value>) -> Vec<u8> {
    json_line(&json!({"schema": "mqsafe.spool-ls/1", "messages": messages, "confirmed": runs}))
}

/// The titles of [`row`].
pub const TITLES: [&str; 10] = [
    "id",
    "state",
    "target",
    "lane",
    "number",
    "key",
    "age",
    "attempts",
    "next retry",
    "reason",
];

/// One message of a list for a person.
pub fn row(spool_id: &str, target: &Target, kept: &Kept, now_ms: i64) -> [String; 10] {
    let message = &kept.message;
    let none = || "-".to_owned();
    let (state, attempts, next, reason) = match &kept.held {
        Held::Pending { retry, in_doubt } => (
            if *in_doubt { "pending, in doubt" } else { "pending" },
            retry.as_ref().map_or(0, |r| r.attempts).to_string(),
            retry.as_ref().and_then(|r| r.next_ms).map_or_else(none, time),
            retry.as_ref().map_or_else(none, |r| r.reason.clone()),
        ),
        Held::Failed { reason, attempts, .. } => ("failed", attempts.to_string(), none(), reason.clone()),
        Held::Awaiting { until_ms, failure, .. } => (
            match failure {
                Some(_) => "awaiting, consumer failed",
                None if *until_ms <= now_ms => "awaiting, overdue",
                None => "awaiting",
            },
            none(),
            none(),
            failure.clone().unwrap_or_else(none),
        ),
        Held::Scheduled { due_ms } => ("scheduled", none(), time(*due_ms), none()),
        Held::Undecided {
            group,
            words,
            decided,
            in_doubt,
        } => (
            match (decided, in_doubt) {
                (_, true) => "pending, in doubt",
                (true, false) => "pending, together",
                (false, false) => "undecided",
            },
            none(),
            none(),
            format!("{group}: {words}"),
        ),
    };
    [
        spool_id.to_owned(),
        state.to_owned(),
        target_name(target).to_owned(),
        lane(target, message).unwrap_or_else(none),
        if message.seq > 0 {
            message.seq.to_string()
        } else {
            none()
        },
        message
            .key
            .as_ref()
            .map_or_else(none, |k| escape_bytes(k, LISTED_BYTES)),
        age(now_ms - message.accepted_ms),
        attempts,
        next,
        reason,
    ]
}

/// The titles of [`run_row`].
pub const RUN_TITLES: [&str; 7] = ["store", "producer", "lane", "first", "last", "position", "time"];

/// One run of the journal for a person.
pub fn run_row(store: &str, run: &Run) -> [String; 7] {
    [
        store.to_owned(),
        run.producer.clone(),
        run.lane.clone(),
        run.first.to_string(),
        run.last.to_string(),
        run.offset.map_or_else(|| "-".to_owned(), |o| o.to_string()),
        time(run.time_ms),
    ]
}

/// How long ago, in the largest unit that makes sense.
fn age(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Everything of one message for a person; every byte from outside is escaped.
pub fn human(spool_id: &str, target: &Target, kept: &Kept, now_ms: i64) -> String {
    let message = &kept.message;
    let shown =
        |bytes: Option<&[u8]>, none: &str| bytes.map_or_else(|| none.to_owned(), |b| escape_bytes(b, SHOWN_BYTES));
    let [_, state, ..] = row(spool_id, target, kept, now_ms);
    let mut text = format!("{spool_id}  {state}\n");
    let mut say = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<9} {value}");
    };
    say("broker", &escape(&target.broker));
    say("target", &escape(&target.words()));
    match lane(target, message) {
        Some(lane) => say(
            "stamp",
            &format!(
                "number {} of {} in {}",
                message.seq,
                escape(&message.producer),
                escape(&lane)
            ),
        ),
        None => say("stamp", "none yet: lane and number follow when the broker is reached"),
    }
    if !message.voids.is_empty() {
        say("void", &format!("{}, told by this message", escape(&message.voids)));
    }
    let age = age(now_ms - message.accepted_ms);
    say("accepted", &format!("{} ({age} ago)", time(message.accepted_ms)));
    if message.line > 0 {
        say("line", &format!("{} of its input", message.line));
    }
    match &kept.held {
        Held::Pending { retry, in_doubt } => {
            say(
                "stored",
                if *in_doubt {
                    "perhaps; it is sent again under the same number"
                } else {
                    "certainly not"
                },
            );
            if let Some(retry) = retry {
                say("attempts", &retry.attempts.to_string());
                if let Some(next) = retry.next_ms {
                    say("next", &time(next));
                }
                say("reason", &escape(&retry.reason));
            }
        }
        Held::Failed {
            reason,
            void,
            attempts,
            failed_ms,
        } => {
            say("failed", &time(*failed_ms));
            say("attempts", &attempts.to_string());
            say("reason", &escape(reason));
            say(
                "number",
                if *void {
                    "void: a later message of its lane says so"
                } else {
                    "not void: it may be stored"
                },
            );
        }
        Held::Awaiting {
            confirmed_ms,
            until_ms,
            offset,
            failure,
        } => {
            let offset = offset.map_or_else(String::new, |o| format!(", offset {o}"));
            say("stored", &format!("{}{offset}", time(*confirmed_ms)));
            say("consumed", &format!("not yet; awaited until {}", time(*until_ms)));
            if let Some(why) = failure {
                say("reason", &format!("its consumer failed: {}", escape(why)));
            }
        }
        Held::Scheduled { due_ms } => say("due", &time(*due_ms)),
        Held::Undecided {
            group,
            words,
            decided,
            in_doubt,
        } => {
            say("belongs", &format!("to {group}: {}", escape(words)));
            let stored = match (decided, in_doubt) {
                (_, true) => "perhaps, with all of its group",
                (true, false) => "certainly not; it is published with all of its group",
                (false, false) => "certainly not, before that is decided",
            };
            say("stored", stored);
        }
    }
    say("key", &shown(message.key.as_deref(), "(none)"));
    if let Some(tag) = &message.tag {
        say("tag", &escape(tag));
    }
    for (name, value) in &message.headers {
        say(
            "header",
            &format!("{} = {}", escape(name), shown(value.as_deref(), "(null)")),
        );
    }
    say("value", &shown(message.value.as_deref(), "(tombstone)"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let ages = [-5, 0, 61_000, 180_000, 7_200_000, 200_000_000].map(age);
        assert_eq!(ages, ["0s", "0s", "61s", "3m", "2h", "2d"]);
    }
}
