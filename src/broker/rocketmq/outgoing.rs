//! A message as RocketMQ keeps it: a body, and a text of properties.

use super::wire::Request;
use crate::model::{Outgoing, STAMP_HEADER, VOID_HEADER};
use jiff::tz::TimeZone;
use rocketmq_protocol::RequestCode;
use sha2::{Digest, Sha256};

/// `MessageDecoder.NAME_VALUE_SEPARATOR` and `PROPERTY_SEPARATOR`.
pub(super) const NAME_END: u8 = 1;
pub(super) const PROPERTY_END: u8 = 2;

/// A broker closes the connection on a frame larger than this (`com.rocketmq.remoting.frameMaxLength`), without a word.
const LARGEST_FRAME: usize = 16 << 20;
/// Room for the header's fields beside the properties.
const FRAME_OVERHEAD: usize = 4096;
/// `AbstractSendMessageProcessor.msgContentCheck`: a short counts the properties, and the broker adds some of its own.
const LARGEST_PROPERTIES: usize = i16::MAX as usize;

/// Names that RocketMQ gives a meaning (`MessageConst`): under one of them a header would be no header.
pub(super) const SYSTEM_NAMES: [&str; 63] = [
    "KEYS",
    "TAGS",
    "WAIT",
    "DELAY",
    "RETRY_TOPIC",
    "REAL_TOPIC",
    "REAL_QID",
    "TRAN_MSG",
    "PGROUP",
    "MIN_OFFSET",
    "MAX_OFFSET",
    "BUYER_ID",
    "ORIGIN_MESSAGE_ID",
    "TRANSFER_FLAG",
    "CORRECTION_FLAG",
    "MQ2_FLAG",
    "RECONSUME_TIME",
    "MSG_REGION",
    "TRACE_ON",
    "UNIQ_KEY",
    "EXTEND_UNIQ_INFO",
    "MAX_RECONSUME_TIMES",
    "CONSUME_START_TIME",
    "INNER_NUM",
    "INNER_BASE",
    "DUP_INFO",
    "CHECK_IMMUNITY_TIME_IN_SECONDS",
    "TRAN_PREPARED_QUEUE_OFFSET",
    "__transactionId__",
    "TRANSACTION_CHECK_TIMES",
    "INSTANCE_ID",
    "CORRELATION_ID",
    "REPLY_TO_CLIENT",
    "TTL",
    "ARRIVE_TIME",
    "PUSH_REPLY_TIME",
    "CLUSTER",
    "MSG_TYPE",
    "POP_CK",
    "POP_CK_OFFSET",
    "1ST_POP_TIME",
    "__SHARDINGKEY",
    "PROPERTY_FORWARD_QUEUE_ID",
    "REDIRECT",
    "INNER_MULTI_DISPATCH",
    "INNER_MULTI_QUEUE_OFFSET",
    "TRACE_CONTEXT",
    "TIMER_DELAY_SEC",
    "TIMER_DELIVER_MS",
    "__BORNHOST",
    "BORN_TIMESTAMP",
    "TIMER_ENQUEUE_MS",
    "TIMER_DEQUEUE_MS",
    "TIMER_ROLL_TIMES",
    "TIMER_OUT_MS",
    "TIMER_DEL_UNIQKEY",
    "TIMER_DELAY_LEVEL",
    "TIMER_DELAY_MS",
    "__CRC32#",
    "DLQ_ORIGIN_TOPIC",
    "DLQ_ORIGIN_MESSAGE_ID",
    "__RMQ.TRANSIENT.TOPIC_SYS_FLAG",
    "__RMQ.TRANSIENT.GROUP_SYS_FLAG",
];

/// The request that sends a message to one queue of the topic, and never creates the topic.
///
/// # Errors
/// Why RocketMQ cannot keep this message as it is; that never heals.
pub(super) fn request(topic: &str, broker: &str, queue: i32, message: &Outgoing<'_>) -> Result<Request, String> {
    let body = match message.value {
        None => return Err("RocketMQ has no null values".to_owned()),
        // The broker answers an empty body with an error that looks as if it could heal.
        Some([]) => return Err("RocketMQ has no empty values".to_owned()),
        Some(body) => body,
    };
    let properties = properties(message)?;
    if properties.len() > LARGEST_PROPERTIES {
        return Err(format!(
            "key, headers and stamp have {} bytes, and RocketMQ keeps {LARGEST_PROPERTIES}",
            properties.len()
        ));
    }
    // Control characters cost six bytes each in JSON.
    let size = body.len() + properties.len() * 6 + FRAME_OVERHEAD;
    if size > LARGEST_FRAME {
        return Err(format!("it has {} bytes, more than a RocketMQ frame holds", body.len()));
    }
    // `SendMessageRequestHeaderV2`. The topic itself stands for the topic that a missing one would be made like (`c`): a broker
    // that does not know it then finds no model either, and answers that it does not exist.
    let request = Request::new(RequestCode::SendMessageV2)
        .with("a", "mqsafe")
        .with("b", topic)
        .with("c", topic)
        .with("d", 0)
        .with("e", queue)
        .with("f", 0)
        .with("g", message.timestamp_ms)
        .with("h", 0)
        .with("i", properties)
        .with("j", 0)
        .with("k", false)
        .with("m", false)
        .with("n", broker);
    Ok(request.with_body(body.to_vec()))
}

fn properties(message: &Outgoing<'_>) -> Result<String, String> {
    let mut text = String::new();
    let mut names: Vec<&str> = Vec::with_capacity(message.headers.len() + 2);
    for (name, value) in message.headers {
        let value = value.ok_or_else(|| format!("header {name}: RocketMQ has no null values"))?;
        let value = std::str::from_utf8(value).map_err(|_| format!("header {name}: RocketMQ keeps only UTF-8"))?;
        if is_system(name) {
            return Err(format!("header {name}: RocketMQ gives this name a meaning of its own"));
        }
        add(&mut text, &mut names, name, value).map_err(|why| format!("header {name}: {why}"))?;
    }
    add(&mut text, &mut names, STAMP_HEADER, message.stamp).map_err(|why| format!("header {STAMP_HEADER}: {why}"))?;
    if let Some(voids) = message.voids {
        add(&mut text, &mut names, VOID_HEADER, voids).map_err(|why| format!("header {VOID_HEADER}: {why}"))?;
    }
    if let Some(key) = message.key {
        let key = std::str::from_utf8(key).map_err(|_| "key: RocketMQ keeps only UTF-8".to_owned())?;
        // `MessageConst.KEY_SEPARATOR`: what is split can be found by its parts only.
        if key.contains(' ') {
            return Err("key: RocketMQ would split it at its spaces".to_owned());
        }
        add(&mut text, &mut names, "KEYS", key).map_err(|why| format!("key: {why}"))?;
    }
    add(
        &mut text,
        &mut names,
        "UNIQ_KEY",
        &unique_key(message.stamp, message.timestamp_ms),
    )?;
    // Ask for the answer that tells of a weak store (`MessageConst.PROPERTY_WAIT_STORE_MSG_OK`).
    add(&mut text, &mut names, "WAIT", "true")?;
    Ok(text)
}

pub(super) fn is_system(name: &str) -> bool {
    SYSTEM_NAMES.contains(&name)
}

/// Adds one property, if it comes back from `MessageDecoder.string2messageProperties` as it is.
fn add<'a>(text: &mut String, names: &mut Vec<&'a str>, name: &'a str, value: &str) -> Result<(), String> {
    let separators = [char::from(NAME_END), char::from(PROPERTY_END)];
    if name.is_empty() || value.is_empty() {
        return Err("RocketMQ drops empty names and values".to_owned());
    }
    if name.contains(separators) || value.contains(separators) {
        return Err("RocketMQ keeps no U+0001 and U+0002".to_owned());
    }
    if names.contains(&name) {
        return Err("RocketMQ keeps one value for each name".to_owned());
    }
    names.push(name);
    text.push_str(name);
    text.push(separators[0]);
    text.push_str(value);
    text.push(separators[1]);
    Ok(())
}

/// An id in the shape of `MessageClientIDSetter`: 10 bytes that name the sender (here: the stamp), the milliseconds since the
/// month began, from which tools narrow their search, and a counter. Another attempt of a message has the same id.
fn unique_key(stamp: &str, timestamp_ms: i64) -> String {
    let hash = Sha256::digest(stamp.as_bytes());
    let since_month = since_month(timestamp_ms).unwrap_or(0);
    let mut id = [0u8; 16];
    id[..10].copy_from_slice(&hash[..10]);
    id[10..14].copy_from_slice(&since_month.to_be_bytes());
    id[14..].copy_from_slice(&hash[10..12]);
    id.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// By the clock and time zone of this machine, as Java does it.
fn since_month(timestamp_ms: i64) -> Option<u32> {
    let at = jiff::Timestamp::from_millisecond(timestamp_ms).ok()?;
    let month = at
        .to_zoned(TimeZone::system())
        .first_of_month()
        .ok()?
        .start_of_day()
        .ok()?;
    u32::try_from(timestamp_ms - month.timestamp().as_millisecond()).ok()
}

/// Where a lane `TOPIC/BROKER/QUEUE` lies.
///
/// # Errors
/// Why it cannot be one of this topic.
pub(super) fn place<'a>(lane: &'a str, topic: &str) -> Result<(&'a str, i32), String> {
    let parts = lane
        .strip_prefix(topic)
        .and_then(|rest| rest.strip_prefix('/'))
        .and_then(|rest| rest.rsplit_once('/'))
        .and_then(|(broker, queue)| Some((broker, queue.parse().ok()?)));
    parts.ok_or_else(|| format!("the lane {lane} is no queue of topic {topic}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: &str = "1 p t/b/0";

    fn outgoing<'a>(
        key: Option<&'a [u8]>,
        value: Option<&'a [u8]>,
        headers: &'a [(&'a str, Option<&'a [u8]>)],
    ) -> Outgoing<'a> {
        Outgoing {
            ticket: 1,
            partition: 0,
            lane: "t/b/0",
            timestamp_ms: 1_700_000_000_000,
            key,
            value,
            headers,
            tag: None,
            stamp: STAMP,
            voids: Some("3-4"),
        }
    }

    #[test]
    fn what_rocketmq_cannot_keep_is_refused_with_the_reason() {
        let value = Some(&b"v"[..]);
        let refused: [(Outgoing<'_>, &str); 12] = [
            (outgoing(None, None, &[]), "null"),
            (outgoing(None, Some(b""), &[]), "empty"),
            (outgoing(Some(b"order 123"), value, &[]), "spaces"),
            (outgoing(Some(b"\xff"), value, &[]), "UTF-8"),
            (outgoing(Some(b""), value, &[]), "empty"),
            (outgoing(Some(b"a\x01"), value, &[]), "U+0001"),
            (outgoing(None, value, &[("h", Some(b"\xff"))]), "UTF-8"),
            (outgoing(None, value, &[("h", Some(b""))]), "empty"),
            (outgoing(None, value, &[("h", None)]), "null"),
            (
                outgoing(None, value, &[("h", Some(b"1")), ("h", Some(b"2"))]),
                "one value",
            ),
            (outgoing(None, value, &[("TAGS", Some(b"1"))]), "meaning"),
            (outgoing(None, value, &[("mqsafe-id", Some(b"1"))]), "one value"),
        ];
        for (message, why) in refused {
            let said = request("t", "b", 0, &message).unwrap_err();
            assert!(said.contains(why), "{said} instead of {why}");
        }
        let long = "x".repeat(40_000);
        assert!(request("t", "b", 0, &outgoing(Some(long.as_bytes()), value, &[])).is_err());
        let large = vec![0; 17 << 20];
        assert!(request("t", "b", 0, &outgoing(None, Some(&large), &[])).is_err());
    }

    #[test]
    fn properties_are_a_text_with_separators() {
        let text = properties(&outgoing(Some(b"k"), Some(b"v"), &[("h", Some("ä".as_bytes()))])).unwrap();
        let id = unique_key(STAMP, 1_700_000_000_000);
        assert_eq!(
            text,
            format!(
                "h\u{1}ä\u{2}mqsafe-id\u{1}{STAMP}\u{2}mqsafe-void\u{1}3-4\u{2}KEYS\u{1}k\u{2}UNIQ_KEY\u{1}{id}\u{2}WAIT\u{1}true\u{2}"
            )
        );
    }

    #[test]
    fn another_attempt_has_the_same_id_and_another_message_another() {
        let id = unique_key(STAMP, 1_700_000_000_000);
        assert_eq!(id.len(), 32);
        assert!(id.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(id, unique_key(STAMP, 1_700_000_000_000));
        assert_ne!(id, unique_key("2 p t/b/0", 1_700_000_000_000));
        assert!(since_month(1_700_000_000_000).unwrap() < 31 * 86_400_000);
    }

    #[test]
    fn lanes_name_their_place() {
        assert_eq!(place("t/b/3", "t").unwrap(), ("b", 3));
        assert_eq!(place("t/b/x/3", "t").unwrap(), ("b/x", 3));
        for bad in ["t", "t/3", "u/b/3", "t/b/x", ""] {
            assert!(place(bad, "t").is_err(), "{bad}");
        }
    }
}
