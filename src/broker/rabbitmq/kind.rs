//! What kind of queue a name stands for, learnt without touching a message.
//!
//! AMQP has no question for it, and trying is no way: a classic queue that is consumed from hands its messages out, marks them
//! as redelivered, and a quorum queue counts it. But a broker that is asked to declare a queue that exists says in which
//! argument the wish differs. The wish here is a stream with an argument that no broker accepts for a new queue
//! (`invalid_queue_locator_arg`), so nothing can ever be made by it, even when the queue is deleted in between.

use super::client::{Client, timed};
use super::words::{self, code};
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use std::time::Duration;

/// No broker knows this place for a leader.
const NOWHERE: &str = "mqsafe-asks";
/// Arguments that a stream may have. Any other proves that it is none.
const OF_STREAMS: [&str; 5] = [
    "x-max-length-bytes",
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-stream-filter-size-bytes",
    "x-initial-cluster-size",
];

/// The kind of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Stream,
    Classic,
    Quorum,
    /// Neither a stream nor one of the two, or not told which.
    Queue,
    /// The broker would not say, and why.
    Unknown(String),
}

/// Asks for the kind of a queue that is there.
pub(super) async fn ask(client: &Client, queue: &str, limit: Duration) -> lapin::Result<Kind> {
    let mut wish = FieldTable::default();
    let text = |t: &str| AMQPValue::LongString(LongString::from(t));
    wish.insert("x-queue-type".into(), text("stream"));
    wish.insert("x-queue-leader-locator".into(), text(NOWHERE));
    // Each answer names one argument.
    for _ in 0..=OF_STREAMS.len() {
        let channel = client.channel(limit).await?;
        let durable = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let asked = timed(
            limit,
            channel.queue_declare(ShortString::from(queue), durable, wish.clone()),
        )
        .await;
        let error = match asked {
            // Only a queue that somebody declared with our own nonsense.
            Ok(_) => return Ok(Kind::Stream),
            Err(error) => error,
        };
        let Some((reply, text)) = words::reply(&error) else {
            return Err(error);
        };
        if reply == code::RESOURCE_LOCKED {
            // Exclusive to another connection, which a stream cannot be.
            return Ok(Kind::Classic);
        }
        match read(reply, &text) {
            Told::Kind(kind) => return Ok(kind),
            Told::Has(name, value) => {
                wish.insert(ShortString::from(name), value);
            }
        }
    }
    Ok(Kind::Unknown(
        "the broker does not say what kind of queue it is".to_owned(),
    ))
}

#[derive(Debug, PartialEq)]
enum Told {
    Kind(Kind),
    /// An argument that the queue has, to be wished for as well.
    Has(&'static str, AMQPValue),
}

/// Reads `inequivalent arg 'NAME' for queue …: received … but current is the value 'VALUE' of type 'TYPE'`.
fn read(reply: u16, text: &str) -> Told {
    let unknown = || Told::Kind(Kind::Unknown(format!("{text} ({reply})")));
    let differs = text
        .strip_prefix("inequivalent arg '")
        .and_then(|rest| rest.split_once('\''));
    let Some((name, rest)) = differs.filter(|_| reply == code::PRECONDITION_FAILED) else {
        return unknown();
    };
    if name == "x-queue-leader-locator" {
        // Everything before it is as wished, and the type comes before it.
        return Told::Kind(Kind::Stream);
    }
    let Some(known) = OF_STREAMS.into_iter().find(|known| *known == name) else {
        let is_now = |kind: &str| {
            name == "x-queue-type" && rest.contains("but current is") && rest.contains(&format!("'{kind}'"))
        };
        return Told::Kind(
            match (
                is_now("quorum"),
                is_now("classic") || rest.ends_with("but current is none"),
            ) {
                (true, _) => Kind::Quorum,
                (false, true) if name == "x-queue-type" => Kind::Classic,
                _ => Kind::Queue,
            },
        );
    };
    let value = rest
        .rsplit_once("but current is the value '")
        .and_then(|(_, current)| current.rsplit_once("' of type '"));
    let Some((value, of)) = value else { return unknown() };
    let value = match (of.trim_end_matches('\''), value.parse::<i64>()) {
        ("long", Ok(n)) => AMQPValue::LongLongInt(n),
        ("signedint", Ok(n)) => i32::try_from(n).map_or(AMQPValue::LongLongInt(n), AMQPValue::LongInt),
        ("longstr", _) => AMQPValue::LongString(LongString::from(value)),
        _ => return unknown(),
    };
    Told::Has(known, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brokers_answers_are_read() {
        let of = |text: &str| read(406, text);
        let queue = "for queue 'q' in vhost '/': received";
        assert_eq!(
            of(&format!(
                "inequivalent arg 'x-queue-leader-locator' {queue} the value 'x' of type 'longstr' but current is none"
            )),
            Told::Kind(Kind::Stream)
        );
        for not in ["x-queue-type", "x-message-ttl", "durable", "auto_delete"] {
            let text = format!("inequivalent arg '{not}' {queue} 'stream' but current is 'quorum'");
            let kind = if not == "x-queue-type" {
                Kind::Quorum
            } else {
                Kind::Queue
            };
            assert_eq!(of(&text), Told::Kind(kind));
        }
        let classic =
            format!("inequivalent arg 'x-queue-type' {queue} the value 'stream' of type 'longstr' but current is none");
        assert_eq!(of(&classic), Told::Kind(Kind::Classic));
        let more = |value: &str| {
            format!("inequivalent arg 'x-max-length-bytes' {queue} none but current is the value {value}")
        };
        assert_eq!(
            of(&more("'100' of type 'long'")),
            Told::Has("x-max-length-bytes", AMQPValue::LongLongInt(100))
        );
        assert!(matches!(of(&more("of another kind")), Told::Kind(Kind::Unknown(_))));
        assert!(matches!(
            read(403, "access to queue 'q' refused"),
            Told::Kind(Kind::Unknown(_))
        ));
    }
}
