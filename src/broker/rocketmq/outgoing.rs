//! A message as RocketMQ keeps it: a body, and a text of properties.

use super::wire::Request;
use crate::model::{Outgoing, STAMP_HEADER, VOID_HEADER};
use bytes::Bytes;
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

/// `MessageSysFlag.TRANSACTION_PREPARED_TYPE`.
const PREPARED: i32 = 1 << 2;
/// The longest group that RocketMQ's clients take.
const LONGEST_GROUP: usize = 120;

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

/// `MessageConst.PROPERTY_WAIT_STORE_MSG_OK`: asks for the answer that tells of a weak store.
const WAIT: &str = "WAIT";

/// A message that RocketMQ can keep.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    pub(super) properties: String,
    pub(super) body: Bytes,
    /// When it was accepted.
    pub(super) timestamp_ms: i64,
    pub(super) has_key: bool,
}

impl Ready {
    /// The message, if RocketMQ can keep it as it is.
    ///
    /// # Errors
    /// Why it cannot; that never heals.
    pub(super) fn new(message: &Outgoing<'_>) -> Result<Ready, String> {
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
        Ok(Ready {
            properties,
            body: Bytes::copy_from_slice(body),
            timestamp_ms: message.timestamp_ms,
            has_key: message.key.is_some(),
        })
    }
}

/// Where a message goes: one queue of one broker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) topic: &'a str,
    pub(super) broker: &'a str,
    pub(super) queue: i32,
}

impl Place<'_> {
    /// The request that sends one message, and never creates the topic.
    pub(super) fn single(&self, message: &Ready) -> Request {
        self.request(RequestCode::SendMessageV2, message.timestamp_ms)
            .with("i", &message.properties)
            .with("m", false)
            .with_body(message.body.clone())
    }

    /// The request that sends several, in the encoding of `MessageBatch`. Without a `UNIQ_KEY` of its own the batch is taken
    /// apart by the broker, whatever the type of the topic; it keeps one time of birth for all.
    pub(super) fn batch(&self, encoded: Vec<u8>, timestamp_ms: i64) -> Request {
        let (name_end, property_end) = (char::from(NAME_END), char::from(PROPERTY_END));
        self.request(RequestCode::SendBatchMessage, timestamp_ms)
            .with("i", format!("{WAIT}{name_end}true{property_end}"))
            .with("m", true)
            .with_body(encoded)
    }

    /// The request that sends a message which readers do not get until the broker is told; it asks `group` when it is not.
    pub(super) fn half(&self, message: &Ready, group: &str) -> Request {
        let (name_end, property_end) = (char::from(NAME_END), char::from(PROPERTY_END));
        let own = format!("TRAN_MSG{name_end}true{property_end}PGROUP{name_end}{group}{property_end}");
        self.single(message)
            .with("a", group)
            .with("f", PREPARED)
            .with("i", format!("{}{own}", message.properties))
    }

    /// `SendMessageRequestHeaderV2`. The topic itself stands for the topic that a missing one would be made like (`c`): a broker
    /// that does not know it then finds no model either, and answers that it does not exist.
    fn request(&self, code: RequestCode, timestamp_ms: i64) -> Request {
        Request::new(code)
            .with("a", "mqsafe")
            .with("b", self.topic)
            .with("c", self.topic)
            .with("d", 0)
            .with("e", self.queue)
            .with("f", 0)
            .with("g", timestamp_ms)
            .with("h", 0)
            .with("j", 0)
            .with("k", false)
            .with("n", self.broker)
    }
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
    if let Some(tag) = message.tag {
        check_tag(tag)?;
        add(&mut text, &mut names, "TAGS", tag).map_err(|why| format!("tag: {why}"))?;
    }
    add(
        &mut text,
        &mut names,
        "UNIQ_KEY",
        &unique_key(message.stamp, message.timestamp_ms),
    )?;
    add(&mut text, &mut names, WAIT, "true")?;
    Ok(text)
}

/// Whether a consumer can ask for this tag (`FilterAPI.buildSubscriptionData`: the expression is split at `||`, each part is
/// trimmed, and `*` means all). A single `|` is refused too, as RocketMQ's newer clients do.
fn check_tag(tag: &str) -> Result<(), String> {
    if tag.contains('|') {
        return Err("tag: no consumer could ask for it, because | stands between tags".to_owned());
    }
    if tag == "*" {
        return Err("tag: no consumer could ask for it, because * means all tags".to_owned());
    }
    if tag.trim() != tag {
        return Err("tag: no consumer could ask for it, because spaces around a tag are cut off".to_owned());
    }
    Ok(())
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
pub(super) fn unique_key(stamp: &str, timestamp_ms: i64) -> String {
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

/// The producer group as which `producer` prepares messages: the same one in each of its runs, so that the next one is asked
/// about what an earlier one left behind, and no other.
pub(super) fn group(producer: &str) -> String {
    let group = format!("mqsafe-{producer}");
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "%|_-".contains(c);
    if group.len() <= LONGEST_GROUP && group.chars().all(is_legal) {
        return group;
    }
    let hash = Sha256::digest(producer.as_bytes());
    let hex: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("mqsafe-{hex}")
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
            let said = Ready::new(&message).unwrap_err();
            assert!(said.contains(why), "{said} instead of {why}");
        }
        let long = "x".repeat(40_000);
        assert!(Ready::new(&outgoing(Some(long.as_bytes()), value, &[])).is_err());
        let large = vec![0; 17 << 20];
        assert!(Ready::new(&outgoing(None, Some(&large), &[])).is_err());
    }

    #[test]
    fn tags_that_nobody_could_ask_for_are_refused() {
        let tagged = |tag| Outgoing {
            tag: Some(tag),
            ..outgoing(None, Some(b"v"), &[])
        };
        for bad in ["a|b", "a || b", "*", " a", "a ", "", "a\u{1}", "\u{2}"] {
            let said = Ready::new(&tagged(bad)).unwrap_err();
            assert!(said.starts_with("tag: "), "{said}");
        }
        let ready = Ready::new(&tagged("röt 1")).unwrap();
        assert!(ready.properties.contains("TAGS\u{1}röt 1\u{2}"), "{}", ready.properties);
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
    fn a_producer_is_always_the_same_group() {
        assert_eq!(group("p-1_x"), "mqsafe-p-1_x");
        for odd in ["a b", "ä", &"x".repeat(200)] {
            let group = group(odd);
            assert!(group.len() == 39 && group.is_ascii(), "{group}");
        }
        assert_ne!(group("a b"), group("a c"));
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
