//! A message as AMQP carries it.

use super::target::{Place, SHORT_BYTES};
use crate::model::{Outgoing, STAMP_HEADER, VOID_HEADER};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

/// The header that carries the key of a message.
pub(super) const KEY_HEADER: &str = "mqsafe-key";
/// Kept on disk by a durable queue (AMQP 0-9-1, delivery-mode).
const PERSISTENT: u8 = 2;

/// One message, ready to be published.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) ticket: u64,
    pub(super) partition: i32,
    pub(super) message_id: String,
    pub(super) exchange: ShortString,
    pub(super) key: ShortString,
    pub(super) properties: BasicProperties,
    pub(super) payload: Vec<u8>,
    /// The bytes of the header frame, rounded up: AMQP cannot split it (0-9-1, 4.2.6.1).
    pub(super) header_bytes: usize,
}

/// Makes a message ready, or says why it never can be.
/// `own` is where its sender publishes to.
pub(super) fn prepare(message: &Outgoing<'_>, own: &Place, message_id: String) -> Result<Prepared, String> {
    let Some(payload) = message.value else {
        return Err("it is a tombstone, and RabbitMQ has no null values".to_owned());
    };
    // The lane of a whole exchange does not tell the routing key.
    let place = match own.exchange_lane().is_some_and(|lane| lane == message.lane) {
        true => own.clone(),
        false => Place::parse(message.lane).map_err(|problem| problem.to_string())?,
    };
    let mut headers = Headers::default();
    let foreign_key = message.headers.iter().find(|(name, _)| *name == KEY_HEADER);
    if let (Some((_, value)), Some(key)) = (foreign_key, message.key)
        && *value != Some(key)
    {
        return Err(format!("it has a key and another one in header {KEY_HEADER}"));
    }
    for (name, value) in message.headers {
        if *name == KEY_HEADER && message.key.is_some() {
            continue;
        }
        headers.add(name, *value)?;
    }
    headers.add(STAMP_HEADER, Some(message.stamp.as_bytes()))?;
    if let Some(voids) = message.voids {
        headers.add(VOID_HEADER, Some(voids.as_bytes()))?;
    }
    if let Some(key) = message.key {
        headers.add(KEY_HEADER, Some(key))?;
    }
    let mut properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(short(&message_id)?)
        .with_timestamp(u64::try_from(message.timestamp_ms / 1000).unwrap_or(0));
    let readable = message
        .key
        .filter(|key| key.len() <= SHORT_BYTES)
        .and_then(|key| std::str::from_utf8(key).ok());
    if let Some(key) = readable {
        properties = properties.with_correlation_id(short(key)?);
    }
    let header_bytes = headers.bytes + message_id.len() + readable.map_or(0, str::len) + 64;
    Ok(Prepared {
        ticket: message.ticket,
        partition: message.partition,
        message_id,
        exchange: short(&place.exchange)?,
        key: short(&place.key)?,
        properties: properties.with_headers(headers.table),
        payload: payload.to_vec(),
        header_bytes,
    })
}

fn short(text: &str) -> Result<ShortString, String> {
    ShortString::try_new(text).map_err(|_| "a name in it is longer than the 255 bytes of AMQP".to_owned())
}

#[derive(Default)]
struct Headers {
    table: FieldTable,
    bytes: usize,
}

impl Headers {
    fn add(&mut self, name: &str, value: Option<&[u8]>) -> Result<(), String> {
        if name.len() > SHORT_BYTES {
            return Err("the name of one of its headers is longer than the 255 bytes of AMQP".to_owned());
        }
        if self.table.contains_key(name) {
            return Err(format!(
                "its header {} comes twice, and AMQP keeps one",
                name.escape_debug()
            ));
        }
        self.bytes += 1 + name.len() + 5 + value.map_or(0, <[u8]>::len);
        let value = value.map_or(AMQPValue::Void, |v| AMQPValue::LongString(LongString::from(v)));
        self.table.insert(short(name)?, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place::parse("ex|rk").unwrap()
    }

    fn outgoing<'a>(headers: &'a [(&'a str, Option<&'a [u8]>)], key: Option<&'a [u8]>) -> Outgoing<'a> {
        Outgoing {
            ticket: 7,
            partition: 0,
            lane: "ex|rk",
            timestamp_ms: 1_999,
            key,
            value: Some(b"v"),
            headers,
            tag: None,
            stamp: "1 p ex|rk",
            voids: None,
        }
    }

    #[test]
    fn the_lane_of_an_exchange_is_published_to_with_the_senders_own_key() {
        let of = |lane| {
            let message = Outgoing {
                lane,
                ..outgoing(&[], None)
            };
            let ready = prepare(&message, &place(), String::new()).unwrap();
            format!("{} {}", ready.exchange.as_str(), ready.key.as_str())
        };
        assert_eq!(of("ex|*"), "ex rk");
        assert_eq!(of("ex|other"), "ex other");
        assert_eq!(of("another|*"), "another *");
    }

    #[test]
    fn everything_finds_its_place() {
        let headers: [(&str, Option<&[u8]>); 2] = [("a", Some(b"\xff")), ("b", None)];
        let ready = prepare(&outgoing(&headers, Some(b"k")), &place(), "id-7".to_owned()).unwrap();
        assert_eq!((ready.exchange.as_str(), ready.key.as_str()), ("ex", "rk"));
        let table = ready.properties.headers().as_ref().unwrap().inner().clone();
        assert_eq!(table["a"], AMQPValue::LongString(LongString::from(&b"\xff"[..])));
        assert_eq!(table["b"], AMQPValue::Void);
        assert_eq!(table["mqsafe-id"], AMQPValue::LongString("1 p ex|rk".into()));
        assert_eq!(table["mqsafe-key"], AMQPValue::LongString("k".into()));
        assert!(!table.contains_key("mqsafe-void"));
        assert_eq!(*ready.properties.delivery_mode(), Some(2));
        assert_eq!(*ready.properties.timestamp(), Some(1));
        assert_eq!(
            ready.properties.correlation_id().as_ref().map(ShortString::as_str),
            Some("k")
        );
        assert_eq!(
            ready.properties.message_id().as_ref().map(ShortString::as_str),
            Some("id-7")
        );
    }

    #[test]
    fn a_key_that_is_no_short_string_is_a_header_only() {
        for key in [&b"\xff"[..], &[b'x'; 256]] {
            let ready = prepare(&outgoing(&[], Some(key)), &place(), String::new()).unwrap();
            assert_eq!(*ready.properties.correlation_id(), None);
            assert!(ready.properties.headers().as_ref().unwrap().contains_key("mqsafe-key"));
        }
    }

    #[test]
    fn what_amqp_cannot_carry_is_refused() {
        let refused = |message: &Outgoing<'_>| prepare(message, &place(), String::new()).unwrap_err();
        let none = Outgoing {
            value: None,
            ..outgoing(&[], None)
        };
        assert!(refused(&none).contains("null"));
        let twice: [(&str, Option<&[u8]>); 2] = [("a", None), ("a", None)];
        assert!(refused(&outgoing(&twice, None)).contains("twice"));
        let long = "x".repeat(256);
        assert!(refused(&outgoing(&[(&long, None)], None)).contains("255"));
        let other: [(&str, Option<&[u8]>); 1] = [("mqsafe-key", Some(b"a"))];
        assert!(refused(&outgoing(&other, Some(b"b"))).contains("mqsafe-key"));
        assert!(prepare(&outgoing(&other, Some(b"a")), &place(), String::new()).is_ok());
    }
}
