//! One message as it lies in a broker.

use super::{CorruptStamp, Headers, STAMP_HEADER, Stamp};

/// A message as a scan hands it over: borrowed from the bytes that were read, nothing is allocated for it.
///
/// A message is bytes: keys, values and header values need not be UTF-8. A value of `None` is a tombstone.
#[derive(Debug, Clone, Default)]
pub struct Record<'a> {
    /// The partition (Kafka) or queue id.
    pub partition: i32,
    /// The offset within the partition.
    pub offset: i64,
    /// Milliseconds since the Unix epoch, as the topic keeps it (create time or append time).
    pub timestamp_ms: Option<i64>,
    /// The message key.
    pub key: Option<&'a [u8]>,
    /// The payload.
    pub value: Option<&'a [u8]>,
    /// Headers in their order; a name may come twice, and is text only by convention.
    pub headers: Headers<'a>,
    /// The broker of a RocketMQ queue, by its name.
    pub node: Option<&'a str>,
    /// The exchange that it was published to (RabbitMQ).
    pub exchange: Option<&'a str>,
    /// The routing key that it was published with (RabbitMQ).
    pub routing_key: Option<&'a str>,
    /// The tag (RocketMQ).
    pub tag: Option<&'a str>,
    /// What the broker or its protocol keeps beside the headers: RocketMQ's system properties, AMQP's message properties.
    pub properties: Vec<(&'a str, &'a str)>,
}

/// Stands for the routing key in the lane of a whole exchange (RabbitMQ).
pub const ANY_KEY: &str = "*";

impl<'a> Record<'a> {
    /// The value of the first header with this name, where it has one.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers
            .iter()
            .find(|(n, _)| *n == name.as_bytes())
            .and_then(|(_, v)| v)
    }

    /// Whether it lies where a lane is: in the partition `TOPIC/PARTITION` (Kafka), the queue `TOPIC/BROKER/QUEUE` (RocketMQ),
    /// or published as `EXCHANGE|KEY` (RabbitMQ).
    pub fn is_in(&self, lane: &str, topic: &str) -> bool {
        if let (Some(exchange), Some(key)) = (self.exchange, self.routing_key) {
            let lane_key = lane.strip_prefix(exchange).and_then(|l| l.strip_prefix('|'));
            return lane_key.is_some_and(|its| its == key || its == ANY_KEY);
        }
        let Some((place, queue)) = lane.rsplit_once('/') else {
            return false;
        };
        let topic_is_its = match self.node {
            Some(node) => place.rsplit_once('/') == Some((topic, node)),
            None => place == topic,
        };
        topic_is_its && queue.parse() == Ok(self.partition)
    }

    /// The stamp of this message: `None` when it has none, an error when it has one that cannot be read.
    pub fn stamp(&self) -> Option<Result<Stamp<'a>, CorruptStamp>> {
        let (_, value) = self.headers.iter().find(|(n, _)| *n == STAMP_HEADER.as_bytes())?;
        Some(value.ok_or(CorruptStamp).and_then(Stamp::parse))
    }
}
