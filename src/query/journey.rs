//! What became of a message: who consumed it, where its copies are, and whether the messages beside it are there.

use crate::model::{GroupPosition, Record, Stamp};

/// A message that was found, kept after its batch is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hit {
    /// The broker, as the user names it.
    pub broker: String,
    /// The topic or queue.
    pub topic: String,
    /// The broker of a RocketMQ queue, by its name.
    pub node: Option<String>,
    /// The partition or queue id.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// When, in milliseconds since the Unix epoch.
    pub timestamp_ms: Option<i64>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// Bytes of the payload; `None` is a tombstone.
    pub value_bytes: Option<usize>,
    /// The tag (RocketMQ).
    pub tag: Option<String>,
    /// Number, producer and lane of its stamp.
    pub stamp: Option<(u64, String, String)>,
    /// The stamp that it had before it was sent anew.
    pub origin: Option<(u64, String, String)>,
}

impl Hit {
    /// Keeps what a journey needs of a message.
    pub fn new(broker: &str, topic: &str, record: &Record<'_>) -> Hit {
        let owned = |stamp: Stamp<'_>| (stamp.seq, stamp.producer.to_owned(), stamp.lane.to_owned());
        let origin = record.header(crate::model::ORIGIN_HEADER);
        Hit {
            broker: broker.to_owned(),
            topic: topic.to_owned(),
            node: record.node.map(str::to_owned),
            partition: record.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(<[u8]>::to_vec),
            value_bytes: record.value.map(<[u8]>::len),
            tag: record.tag.map(str::to_owned),
            stamp: record.stamp().and_then(std::result::Result::ok).map(owned),
            origin: origin.and_then(|value| Stamp::parse(value).ok()).map(owned),
        }
    }

    /// Whether a group's position is one in the place of this message.
    pub fn is_in(&self, position: &GroupPosition) -> bool {
        position.partition == self.partition && position.node == self.node
    }
}

/// What a group did with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// It committed an offset beyond it.
    Consumed,
    /// It committed an offset beyond it, and its subscription leaves messages with this tag out.
    Filtered,
    /// It is not that far: so many messages come before it, and so many until the end.
    NotYet {
        /// Offsets between the group's position and the message.
        before: i64,
        /// Offsets between the group's position and the end.
        lag: Option<i64>,
    },
    /// It never committed an offset there.
    Never,
    /// Each member remembers for itself.
    Broadcast,
}

/// What the group of this position did with the message at this offset.
pub fn standing(position: &GroupPosition, offset: i64, tag: Option<&str>) -> Read {
    if position.is_broadcast {
        return Read::Broadcast;
    }
    match position.next {
        None => Read::Never,
        Some(next) if next > offset => {
            let is_wanted =
                |tags: &Vec<String>| tags.is_empty() || tags.iter().any(|t| t == "*" || Some(t.as_str()) == tag);
            match position.tags.as_ref().is_none_or(is_wanted) {
                true => Read::Consumed,
                false => Read::Filtered,
            }
        }
        Some(next) => Read::NotYet {
            before: offset - next,
            lag: position.end.map(|end| (end - next).max(0)),
        },
    }
}

/// Whether the message before or after one in its lane is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbour {
    /// There is none: numbers begin at 1.
    None,
    /// It is at this offset.
    At(i64),
    /// It was not seen around it.
    NotSeen,
}

/// The messages beside one in its lane, filled from what is read around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbours {
    seq: u64,
    producer: String,
    lane: String,
    /// The message with the number before.
    pub before: Neighbour,
    /// The message with the number after.
    pub after: Neighbour,
}

impl Neighbours {
    /// Of the message with this stamp.
    pub fn new((seq, producer, lane): &(u64, String, String)) -> Neighbours {
        Neighbours {
            seq: *seq,
            producer: producer.clone(),
            lane: lane.clone(),
            before: if *seq == 1 { Neighbour::None } else { Neighbour::NotSeen },
            after: Neighbour::NotSeen,
        }
    }

    /// Looks at one message.
    pub fn see(&mut self, record: &Record<'_>) {
        let Some(Ok(stamp)) = record.stamp() else { return };
        if stamp.producer != self.producer || stamp.lane != self.lane {
            return;
        }
        // The same number can be there twice; the first place is told.
        let place = match stamp.seq {
            seq if seq.checked_add(1) == Some(self.seq) => &mut self.before,
            seq if self.seq.checked_add(1) == Some(seq) => &mut self.after,
            _ => return,
        };
        if *place == Neighbour::NotSeen {
            *place = Neighbour::At(record.offset);
        }
    }
}

/// One place where the message was found, and what is known of it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The message.
    pub hit: Hit,
    /// Each group that is known there.
    pub groups: Vec<GroupPosition>,
    /// The messages beside it, where it has a stamp of that place and what is around it was read.
    pub neighbours: Option<Neighbours>,
}

/// Where a message was, in the order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Journey {
    /// The places, in the order of time.
    pub stops: Vec<Stop>,
    /// Each topic or queue that was searched, with the word on how complete that was.
    pub searched: Vec<(String, String)>,
    /// What else is known, in words.
    pub notes: Vec<String>,
    /// What could not be asked, and why.
    pub unknown: Vec<String>,
}

impl Journey {
    /// Puts the places into the order of time; those without a time come last.
    pub fn sort(&mut self) {
        let key = |stop: &Stop| {
            let hit = &stop.hit;
            (
                hit.timestamp_ms.unwrap_or(i64::MAX),
                hit.topic.clone(),
                hit.partition,
                hit.offset,
            )
        };
        self.stops.sort_by_key(key);
    }
}

/// Endings that frameworks give to topics of retries and dead letters: Spring Kafka, Kafka Connect, Uber's pattern, common use.
const ENDINGS: [&str; 9] = [
    "dlt",
    "dlq",
    "dead",
    "deadletter",
    "dead-letter",
    "error",
    "errors",
    "retry",
    "parking-lot",
];

/// Of these topics those where copies of messages of `topic` are by convention: its name, a separator and one of the usual
/// endings, with a number or a delay after it or not; in front of it (`dlq-orders`, `retry.orders`) as well.
pub fn copies_of<'t>(topic: &str, all: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    let is_ending = |text: &str| {
        let text = text.to_ascii_lowercase();
        ENDINGS.iter().any(|ending| {
            text.strip_prefix(ending)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.', '_']))
        })
    };
    let is_copy = |name: &str| {
        let after = name
            .strip_prefix(topic)
            .and_then(|rest| rest.strip_prefix(['-', '.', '_']))
            // `orders-group-dlq`: the name of a group may stand between.
            .is_some_and(|rest| {
                is_ending(rest) || rest.rsplit_once(['-', '.', '_']).is_some_and(|(_, end)| is_ending(end))
            });
        let before = name
            .strip_suffix(topic)
            .and_then(|rest| rest.strip_suffix(['-', '.', '_']))
            .is_some_and(is_ending);
        after || before
    };
    let mut copies: Vec<String> = all
        .into_iter()
        .filter(|name| is_copy(name))
        .map(str::to_owned)
        .collect();
    copies.sort();
    copies.dedup();
    copies
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::STAMP_HEADER;

    #[test]
    fn a_group_is_beyond_a_message_or_before_it() {
        let at = |next: Option<i64>| GroupPosition {
            next,
            end: Some(20),
            ..GroupPosition::default()
        };
        assert_eq!(standing(&at(None), 10, None), Read::Never);
        assert_eq!(standing(&at(Some(11)), 10, None), Read::Consumed);
        let not_yet = |before, lag| Read::NotYet { before, lag: Some(lag) };
        assert_eq!(standing(&at(Some(10)), 10, None), not_yet(0, 10));
        assert_eq!(standing(&at(Some(4)), 10, None), not_yet(6, 16));
        let wants = |tags: &[&str], tag| {
            let tags = tags.iter().map(|t| (*t).to_owned()).collect();
            standing(
                &GroupPosition {
                    tags: Some(tags),
                    ..at(Some(11))
                },
                10,
                tag,
            )
        };
        assert_eq!(wants(&["red"], Some("red")), Read::Consumed);
        assert_eq!(wants(&["red"], Some("blue")), Read::Filtered);
        assert_eq!(wants(&["red"], None), Read::Filtered);
        assert_eq!(wants(&["*"], None), Read::Consumed);
        let all = GroupPosition {
            is_broadcast: true,
            ..at(Some(0))
        };
        assert_eq!(standing(&all, 10, None), Read::Broadcast);
    }

    #[test]
    fn names_by_convention() {
        let all = [
            "orders",
            "orders.DLT",
            "orders-dlt",
            "orders.dlq",
            "orders-retry-0",
            "orders-retry-5000",
            "orders-billing-dlt",
            "orders_error",
            "dlq.orders",
            "orders2.dlq",
            "ordersdlt",
            "my-orders",
            "orders-v2",
            "retry",
            "orders-retryable",
            "orders-dead-letter",
        ];
        assert_eq!(
            copies_of("orders", all),
            [
                "dlq.orders",
                "orders-billing-dlt",
                "orders-dead-letter",
                "orders-dlt",
                "orders-retry-0",
                "orders-retry-5000",
                "orders.DLT",
                "orders.dlq",
                "orders_error",
            ]
        );
    }

    #[test]
    fn neighbours_are_those_of_the_lane() {
        let mut neighbours = Neighbours::new(&(2, "p".to_owned(), "t/0".to_owned()));
        let mut see = |stamp: &str, offset| {
            neighbours.see(&Record {
                offset,
                headers: vec![(STAMP_HEADER.as_bytes(), Some(stamp.as_bytes()))].into(),
                ..Record::default()
            });
        };
        see("1 q t/0", 4);
        see("3 p t/1", 5);
        see("1 p t/0", 6);
        see("1 p t/0", 7);
        see("2 p t/0", 8);
        assert_eq!(
            (neighbours.before, neighbours.after),
            (Neighbour::At(6), Neighbour::NotSeen)
        );
        assert_eq!(
            Neighbours::new(&(1, String::new(), String::new())).before,
            Neighbour::None
        );
    }
}
