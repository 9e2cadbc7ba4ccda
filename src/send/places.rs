//! The lanes that a run can write to, as the spool numbers them.

use super::partitioner::Partitioner;
use crate::model::{NamedLane, Problem, Topology};
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

    /// The lane of a message: the one that is wished for, else one by its key.
    pub(super) fn choose(&self, partitioner: &mut Partitioner, key: Option<&[u8]>, wish: Option<i32>) -> i32 {
        let wish = wish.or(partitioner.fixed());
        match (self, wish) {
            (Places::Partitions(_), Some(partition)) => partition,
            (Places::Partitions(count), None) => partitioner.choose(key, *count),
            (Places::Named(lanes), wish) => {
                let of_wish: Vec<i32> = lanes
                    .iter()
                    .filter(|lane| wish.map_or(is_common(lane), |w| w == lane.1))
                    .map(|(no, _)| *no)
                    .collect();
                let among = if of_wish.is_empty() { vec![lanes[0].0] } else { of_wish };
                among[partitioner.choose(key, among.len() as i32) as usize % among.len()]
            }
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
            assert!([7, 9].contains(&named.choose(&mut by_key, Some(b"order-2"), Some(1))));
            assert!([4, 5].contains(&named.choose(&mut Partitioner::Fixed(0), None, None)));
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
        let mut asked = Partitioner::Fixed(NamedLane::ON_REQUEST);
        assert_eq!(exchange.choose(&mut asked, None, None), 1);
        assert!(exchange.offers(1) && exchange.has(NamedLane::ON_REQUEST));
        assert_eq!(
            (exchange.count(), exchange.words()),
            ("1 queue".to_owned(), "queues 0 to 0".to_owned())
        );
        assert_eq!(Places::Partitions(3).choose(&mut by_key, None, Some(2)), 2);
    }
}
