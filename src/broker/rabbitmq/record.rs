//! A delivered message as the rest of the tool reads it.

use super::message::KEY_HEADER;
use crate::model::{Record, STAMP_HEADER};
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Map, Value};

/// Where a stream says which message it is (RabbitMQ: streams, "Consuming").
const OFFSET_HEADER: &str = "x-stream-offset";
/// How often a quorum queue has delivered it before (RabbitMQ: quorum queues, "Poison Message Handling").
const COUNT_HEADER: &str = "x-delivery-count";

/// A message with everything that a [`Record`] borrows.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) offset: i64,
    pub(super) timestamp_ms: Option<i64>,
    pub(super) value: Vec<u8>,
    pub(super) key: Option<Vec<u8>>,
    exchange: String,
    routing_key: String,
    headers: Vec<(String, Option<Vec<u8>>)>,
    properties: Vec<(&'static str, String)>,
}

impl Row {
    /// Takes a delivery apart; `offset` is its place where the broker does not say one.
    pub(super) fn new(delivery: Delivery, offset: i64) -> Row {
        let Delivery {
            exchange,
            routing_key,
            properties,
            data,
            ..
        } = delivery;
        let table = properties.headers().clone().unwrap_or_default();
        let mut headers = Vec::new();
        let (mut key, mut is_stamped) = (None, false);
        for (name, value) in &table {
            match name.as_str() {
                OFFSET_HEADER => {}
                KEY_HEADER => key = bytes(value),
                name => {
                    is_stamped |= name == STAMP_HEADER;
                    headers.push((name.to_owned(), bytes(value)));
                }
            }
        }
        let text = |name: &'static str, value: &Option<lapin::types::ShortString>| {
            value.as_ref().map(|v| (name, v.as_str().to_owned()))
        };
        let number = |name: &'static str, value: Option<u64>| value.map(|v| (name, v.to_string()));
        // The message id of our own messages is made up, so it is no key.
        if key.is_none() && !is_stamped {
            let named = properties
                .correlation_id()
                .as_ref()
                .or(properties.message_id().as_ref());
            key = named.map(|id| id.as_str().as_bytes().to_vec());
        }
        Row {
            offset: offset_of(&table).unwrap_or(offset),
            timestamp_ms: properties
                .timestamp()
                .and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1000)),
            value: data,
            key,
            exchange: exchange.into(),
            routing_key: routing_key.into(),
            headers,
            properties: [
                text("content_type", properties.content_type()),
                text("content_encoding", properties.content_encoding()),
                number("delivery_mode", properties.delivery_mode().map(u64::from)),
                number("priority", properties.priority().map(u64::from)),
                text("correlation_id", properties.correlation_id()),
                text("reply_to", properties.reply_to()),
                text("expiration", properties.expiration()),
                text("message_id", properties.message_id()),
                text("type", properties.kind()),
                text("user_id", properties.user_id()),
                text("app_id", properties.app_id()),
                text("cluster_id", properties.cluster_id()),
            ]
            .into_iter()
            .flatten()
            .collect(),
        }
    }

    pub(super) fn record(&self) -> Record<'_> {
        Record {
            partition: 0,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            value: Some(&self.value),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| (name.as_bytes(), value.as_deref()))
                .collect(),
            exchange: Some(&self.exchange),
            routing_key: Some(&self.routing_key),
            properties: self
                .properties
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect(),
            ..Record::default()
        }
    }

    /// Whether it may be dropped when its own time is over.
    pub(super) fn expires(&self) -> bool {
        self.properties.iter().any(|(name, _)| *name == "expiration")
    }

    /// Bytes of key and value.
    pub(super) fn size(&self) -> u64 {
        (self.value.len() + self.key.as_ref().map_or(0, Vec::len)) as u64
    }
}

fn offset_of(headers: &FieldTable) -> Option<i64> {
    integer(headers.inner().get(OFFSET_HEADER)?)
}

/// The offset of a delivery from a stream.
pub(super) fn stream_offset(delivery: &Delivery) -> Option<i64> {
    offset_of(delivery.properties.headers().as_ref()?)
}

/// How often a quorum queue has delivered it before.
pub(super) fn deliveries(delivery: &Delivery) -> i64 {
    let headers = delivery.properties.headers().as_ref();
    headers.and_then(|h| integer(h.inner().get(COUNT_HEADER)?)).unwrap_or(0)
}

fn integer(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::ShortShortInt(n) => Some((*n).into()),
        AMQPValue::ShortShortUInt(n) => Some((*n).into()),
        AMQPValue::ShortInt(n) => Some((*n).into()),
        AMQPValue::ShortUInt(n) => Some((*n).into()),
        AMQPValue::LongInt(n) => Some((*n).into()),
        AMQPValue::LongUInt(n) => Some((*n).into()),
        AMQPValue::LongLongInt(n) => Some(*n),
        AMQPValue::Timestamp(n) => i64::try_from(*n).ok(),
        AMQPValue::Boolean(_)
        | AMQPValue::Float(_)
        | AMQPValue::Double(_)
        | AMQPValue::DecimalValue(_)
        | AMQPValue::ShortString(_)
        | AMQPValue::LongString(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::FieldTable(_)
        | AMQPValue::ByteArray(_)
        | AMQPValue::Void => None,
    }
}

/// A header value as bytes: strings as they are, numbers in decimal, lists and tables as JSON, nothing as `None`.
fn bytes(value: &AMQPValue) -> Option<Vec<u8>> {
    match value {
        AMQPValue::Void => None,
        AMQPValue::LongString(text) => Some(text.as_bytes().to_vec()),
        AMQPValue::ShortString(text) => Some(text.as_str().as_bytes().to_vec()),
        AMQPValue::ByteArray(bytes) => Some(bytes.as_slice().to_vec()),
        AMQPValue::Boolean(_)
        | AMQPValue::ShortShortInt(_)
        | AMQPValue::ShortShortUInt(_)
        | AMQPValue::ShortInt(_)
        | AMQPValue::ShortUInt(_)
        | AMQPValue::LongInt(_)
        | AMQPValue::LongUInt(_)
        | AMQPValue::LongLongInt(_)
        | AMQPValue::Float(_)
        | AMQPValue::Double(_)
        | AMQPValue::DecimalValue(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::FieldTable(_)
        | AMQPValue::Timestamp(_) => Some(json(value).to_string().into_bytes()),
    }
}

fn json(value: &AMQPValue) -> Value {
    let lossy = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes));
    match value {
        AMQPValue::Void => Value::Null,
        AMQPValue::Boolean(b) => Value::from(*b),
        AMQPValue::Float(n) => Value::from(*n),
        AMQPValue::Double(n) => Value::from(*n),
        AMQPValue::DecimalValue(n) => Value::from(f64::from(n.value) / 10_f64.powi(n.scale.into())),
        AMQPValue::ShortString(text) => Value::from(text.as_str()),
        AMQPValue::LongString(text) => lossy(text.as_bytes()),
        AMQPValue::ByteArray(bytes) => lossy(bytes.as_slice()),
        AMQPValue::FieldArray(list) => list.as_slice().iter().map(json).collect(),
        AMQPValue::FieldTable(table) => Value::Object(
            table
                .into_iter()
                .map(|(name, value)| (name.as_str().to_owned(), json(value)))
                .collect::<Map<String, Value>>(),
        ),
        AMQPValue::ShortShortInt(_)
        | AMQPValue::ShortShortUInt(_)
        | AMQPValue::ShortInt(_)
        | AMQPValue::ShortUInt(_)
        | AMQPValue::LongInt(_)
        | AMQPValue::LongUInt(_)
        | AMQPValue::LongLongInt(_)
        | AMQPValue::Timestamp(_) => integer(value).map_or(Value::Null, Value::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::BasicProperties;
    use lapin::types::{FieldArray, LongString};

    fn delivered(headers: &[(&str, AMQPValue)], properties: BasicProperties) -> Row {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert((*name).into(), value.clone());
        }
        let mut delivery = Delivery::mock(1, "ex".into(), "rk".into(), false, b"v".to_vec());
        delivery.properties = properties.with_headers(table);
        Row::new(delivery, 9)
    }

    #[test]
    fn a_key_is_found_where_it_is() {
        let named = BasicProperties::default()
            .with_message_id("m".into())
            .with_correlation_id("c".into());
        let text = |t: &str| AMQPValue::LongString(LongString::from(t));
        let key = |headers: &[(&str, AMQPValue)], p: &BasicProperties| delivered(headers, p.clone()).key;
        assert_eq!(key(&[("mqsafe-key", text("k"))], &named), Some(b"k".to_vec()));
        assert_eq!(key(&[], &named), Some(b"c".to_vec()));
        assert_eq!(
            key(&[], &BasicProperties::default().with_message_id("m".into())),
            Some(b"m".to_vec())
        );
        assert_eq!(key(&[("mqsafe-id", text("1 p l"))], &named), None);
    }

    #[test]
    fn headers_are_bytes() {
        let list = AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::LongInt(1), AMQPValue::Void]));
        let headers = [
            ("a", AMQPValue::LongString(LongString::from(&b"\xff"[..]))),
            ("b", AMQPValue::Boolean(true)),
            ("c", AMQPValue::LongLongInt(-5)),
            ("d", list),
            ("e", AMQPValue::Void),
            ("x-stream-offset", AMQPValue::LongLongInt(42)),
        ];
        let row = delivered(&headers, BasicProperties::default().with_timestamp(2));
        let record = row.record();
        assert_eq!((record.offset, record.timestamp_ms), (42, Some(2000)));
        assert_eq!((record.exchange, record.routing_key), (Some("ex"), Some("rk")));
        let header = |name: &str| record.header(name).map(<[u8]>::to_vec);
        assert_eq!(header("a"), Some(b"\xff".to_vec()));
        assert_eq!(header("b"), Some(b"true".to_vec()));
        assert_eq!(header("c"), Some(b"-5".to_vec()));
        assert_eq!(header("d"), Some(b"[1,null]".to_vec()));
        assert_eq!(header("e"), None);
        assert_eq!(header("x-stream-offset"), None);
    }
}
