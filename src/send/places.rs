//! The lanes that a run can write to, as the spool numbers them.

use super::partitioner::Partitioner;
use crate::model::{KeyHash, NamedLane, Problem, Topology};
use crate::spool::Target;

/// Lanes that can be written to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Places {
    /// Partitions 0 to this number, exclusive.
    Partitions(i32),
    /// Lanes with names: the spool's number of each and what `-p` calls it. Never empty.
    Named(Vec<(i32, i32)>),
}

/// Whether a lane is for whoever asks for none.
fn is_common((_, queue): &&(i32, i32)) -> bool {
    *queue != NamedLane::ON_REQUEST
}

impl Places {
    /// Whether `-p` names one of them.
    pub(super) fn has(&self, wish: i32) -> bool {
        match self {
            Places::Partitions(count) => (0..*count).contains(&wish),
            Places::Named(lanes) => lanes.iter().any(|(_, queue)| *queue == wish),
        }
    }

    /// Whether a lane, by its number in the spool, is one of them.
    pub(super) fn offers(&self, lane: i32) -> bool {
        match self {
            Places::Partitions(count) => (0..*count).contains(&lane),
            Places::Named(lanes) => lanes.iter().any(|(no, _)| *no == lane),
        }
    }

    /// How many there are, for a person.
    pub(super) fn count(&self) -> String {
        let (count, what) = match self {
            Places::Partitions(count) => (i64::from(*count), "partition"),
            Places::Named(lanes) => (lanes.iter().filter(is_common).count() as i64, "queue"),
        };
        format!("{count} {what}{}", if count == 1 { "" } else { "s" })
    }

    /// What `-p` may name, for a person.
    pub(super) fn words(&self) -> String {
        match self {
            Places::Partitions(count) => format!("partitions 0 to {}", count - 1),
            Places::Named(lanes) => {
                let common = lanes.iter().filter(is_common);
                let last = common.map(|(_, queue)| *queue).max().unwrap_or(0);
                format!("queues 0 to {last}")
            }
        }
    }

    /// The lane of a message, as the run that accepted it wanted it: its wish as the spool keeps it. What this run wants of its own
    /// messages is no concern here; of `partitioner` only the turns are taken. [`NOWHERE`] when the wish cannot be met.
    pub(super) fn choose(&self, partitioner: &mut Partitioner, key: Option<&[u8]>, wish: Option<i32>) -> i32 {
        match (self, Wish::kept(wish)) {
            (_, Wish::Unknown) => NOWHERE,
            // One that is not there may be back some day: it waits for it under its number.
            (Places::Partitions(_), Wish::Lane(partition)) => partition,
            (Places::Partitions(count), Wish::ByKey(hash)) => partitioner.by_hash(hash, key, *count),
            // Several brokers may have a queue of that number: it is always the same one, as one partition is.
            (Places::Named(lanes), Wish::Lane(queue)) => {
                let those: Vec<i32> = lanes.iter().filter(|lane| lane.1 == queue).map(|lane| lane.0).collect();
                let turn = usize::try_from(queue).unwrap_or(0) % those.len().max(1);
                those.get(turn).copied().unwrap_or(NOWHERE)
            }
            (Places::Named(lanes), Wish::ByKey(hash)) => among(lanes.iter().filter(is_common), partitioner, hash, key),
        }
    }
}

fn among<'l>(
    lanes: impl Iterator<Item = &'l (i32, i32)>,
    partitioner: &mut Partitioner,
    hash: KeyHash,
    key: Option<&[u8]>,
) -> i32 {
    let lanes: Vec<i32> = lanes.map(|(no, _)| *no).collect();
    if lanes.is_empty() {
        return NOWHERE;
    }
    lanes[partitioner.by_hash(hash, key, lanes.len() as i32) as usize % lanes.len()]
}

/// The number of no lane.
pub(super) const NOWHERE: i32 = -1;

/// Where a message is to go. What was accepted without a lane keeps it, so that no later run puts it elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// To this partition, or queue.
    Lane(i32),
    /// By key, as this client does it.
    ByKey(KeyHash),
    /// Nobody here knows what it means.
    Unknown,
}

/// What the spool keeps for a message whose lane is chosen by key as a client with this hash does it.
pub fn way_by_key(hash: KeyHash) -> Option<i32> {
    Wish::ByKey(hash).keep()
}

impl Wish {
    /// As the spool gives it back.
    pub(super) fn kept(kept: Option<i32>) -> Wish {
        match kept {
            None => Wish::ByKey(KeyHash::Murmur2),
            Some(-2) => Wish::ByKey(KeyHash::Crc32),
            Some(-3) => Wish::ByKey(KeyHash::Fnv1a),
            Some(lane) if lane >= 0 => Wish::Lane(lane),
            Some(_) => Wish::Unknown,
        }
    }

    /// As the spool is to keep it: nothing, a partition, or the number of a way.
    pub(super) fn keep(self) -> Option<i32> {
        match self {
            Wish::Lane(lane) => Some(lane),
            Wish::ByKey(KeyHash::Murmur2) | Wish::Unknown => None,
            Wish::ByKey(KeyHash::Crc32) => Some(-2),
            Wish::ByKey(KeyHash::Fnv1a) => Some(-3),
        }
    }
}

/// What a broker's answer that offers no lane means for whoever wants to publish there.
pub(super) fn problem(target: &Target, answer: Topology) -> Problem {
    let (topic, broker) = (target.words(), &target.broker);
    match answer {
        Topology::Known(_) => Problem::unknown(format!("{topic} on {broker} offers no lane")),
        Topology::NoSuchTopic => Problem::usage(format!("{topic} does not exist on {broker}"))
            .next("check its spelling, or create it first; it is never created by accident"),
        Topology::Denied(why) => Problem::usage(format!("{topic} on {broker} may not be written"))
            .because(why)
            .next("ask whoever runs the broker for the right to look at it and to write to it"),
        Topology::CannotMake(why) => Problem::usage(format!("{topic} cannot be made on {broker}"))
            .because(why)
            .next("correct --create-topic, or have it made by somebody else"),
        Topology::Unfit(problem) => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_kept_and_a_key_always_goes_to_one_lane() {
        let named = Places::Named(vec![(4, 0), (7, 1), (5, 0), (9, 1)]);
        let mut by_key = Partitioner::by_key(0);
        let first = named.choose(&mut by_key, Some(b"order-1"), None);
        for _ in 0..10 {
            assert_eq!(named.choose(&mut by_key, Some(b"order-1"), None), first);
            assert_eq!(named.choose(&mut by_key, Some(b"order-2"), Some(1)), 9);
            assert_eq!(named.choose(&mut Partitioner::Fixed(1), None, Some(0)), 4);
        }
        let all: std::collections::BTreeSet<i32> = (0..200)
            .map(|n| named.choose(&mut by_key, Some(format!("{n}").as_bytes()), None))
            .collect();
        assert_eq!(all.into_iter().collect::<Vec<_>>(), [4, 5, 7, 9]);
        assert!(named.has(1) && !named.has(2));
        let exchange = Places::Named(vec![(0, 0), (1, NamedLane::ON_REQUEST)]);
        for n in 0..50 {
            assert_eq!(exchange.choose(&mut by_key, Some(format!("{n}").as_bytes()), None), 0);
        }
        let asked = Partitioner::Fixed(NamedLane::ON_REQUEST).wish().keep();
        assert_eq!(exchange.choose(&mut by_key, None, asked), 1);
        assert!(exchange.offers(1) && exchange.has(NamedLane::ON_REQUEST));
        assert_eq!(
            (exchange.count(), exchange.words()),
            ("1 queue".to_owned(), "queues 0 to 0".to_owned())
        );
        assert_eq!(Places::Partitions(3).choose(&mut by_key, None, Some(2)), 2);
    }

    #[test]
    fn a_wish_that_cannot_be_met_is_no_other_lane() {
        let named = Places::Named(vec![(4, 0), (7, 1)]);
        let mut by_key = Partitioner::by_key(0);
        assert_eq!(named.choose(&mut by_key, Some(b"a"), Some(2)), NOWHERE);
        assert_eq!(named.choose(&mut by_key, Some(b"a"), Some(-9)), NOWHERE);
        assert!(!named.offers(NOWHERE));
    }

    #[test]
    fn every_wish_is_kept_as_one_number_that_the_spool_takes() {
        let ways = KeyHash::ALL.map(Wish::ByKey);
        for wish in ways
            .into_iter()
            .chain([Wish::Lane(0), Wish::Lane(NamedLane::ON_REQUEST)])
        {
            assert_eq!(Wish::kept(wish.keep()), wish);
            assert!(
                wish.keep().is_none_or(|no| no != -1 && no >= crate::spool::LAST_WAY),
                "{wish:?}"
            );
        }
    }
}
