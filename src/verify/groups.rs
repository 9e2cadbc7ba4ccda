//! Where consumer groups stand: what is stored and not yet consumed, and what went away before they came to it.

use super::compare::Compared;
use super::numbers::Numbers;
use crate::model::{GroupPosition, Record};
use std::collections::{BTreeSet, HashMap};

/// One group in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The group.
    pub group: String,
    /// The partition or queue id.
    pub partition: i32,
    /// The broker of a RocketMQ queue.
    pub node: Option<String>,
    /// The first offset that it has not consumed; `None` when it never committed one there.
    pub next: Option<i64>,
    /// Offsets that are stored and that it has not consumed.
    pub waiting: u64,
    /// Offsets that expired or were deleted before it consumed them.
    pub expired_unread: u64,
    /// Messages that are stored before `next` and that no receipt says were consumed: the group has committed beyond them. `None` where
    /// nothing is known of receipts.
    pub skipped: Option<u64>,
}

/// Finds what groups have committed beyond although nobody has consumed it: by the messages without a receipt, and where they lie.
#[derive(Debug)]
pub struct Skips<'a> {
    without: HashMap<String, Numbers>,
    standings: &'a mut [Standing],
}

impl<'a> Skips<'a> {
    /// `compared` is what is stored against what was consumed.
    pub fn new(compared: &Compared, standings: &'a mut [Standing]) -> Skips<'a> {
        for standing in standings.iter_mut() {
            standing.skipped = Some(0);
        }
        let without = compared.missing.iter().map(|one| {
            let numbers = one.numbers.iter().map(|(from, to)| *from..=*to).collect();
            (format!("{} {}", one.producer, one.lane), numbers)
        });
        Skips {
            without: without.collect(),
            standings,
        }
    }

    /// A message of the topic. One that is there twice counts where it is read first.
    pub fn insert(&mut self, record: &Record<'_>) {
        let Some(Ok(stamp)) = record.stamp() else { return };
        let name = format!("{} {}", stamp.producer, stamp.lane);
        let Some(without) = self
            .without
            .get_mut(&name)
            .filter(|without| without.contains(&stamp.seq))
        else {
            return;
        };
        without.remove(stamp.seq..=stamp.seq);
        let here = |standing: &&mut Standing| {
            standing.partition == record.partition && standing.node.as_deref() == record.node
        };
        for standing in self.standings.iter_mut().filter(here) {
            let is_beyond = standing.next.is_some_and(|next| record.offset < next);
            standing.skipped = standing.skipped.map(|n| n + u64::from(is_beyond));
        }
    }
}

/// Where the wanted groups stand, by group and place, and which of them nobody knows.
pub fn standings(known: &[GroupPosition], wanted: &[String]) -> (Vec<Standing>, Vec<String>) {
    let mut all: Vec<Standing> = known
        .iter()
        .filter(|position| wanted.contains(&position.group))
        .map(|position| {
            let start = position.start.unwrap_or(0);
            let from = position.next.unwrap_or(start).max(start);
            Standing {
                group: position.group.clone(),
                partition: position.partition,
                node: position.node.clone(),
                next: position.next,
                waiting: position.end.map_or(0, |end| (end - from).max(0).unsigned_abs()),
                expired_unread: position.expired().unsigned_abs(),
                skipped: None,
            }
        })
        .collect();
    all.sort_by(|a, b| (&a.group, &a.node, a.partition).cmp(&(&b.group, &b.node, b.partition)));
    let there: BTreeSet<&str> = all.iter().map(|standing| standing.group.as_str()).collect();
    let absent = wanted
        .iter()
        .filter(|group| !there.contains(group.as_str()))
        .cloned()
        .collect();
    (all, absent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_group_has_committed_beyond_without_a_receipt_is_skipped() {
        use crate::verify::Differing;
        let compared = Compared {
            missing: vec![Differing {
                producer: "p".to_owned(),
                lane: "t/0".to_owned(),
                numbers: vec![(2, 3), (5, 5)],
            }],
            ..Compared::default()
        };
        let at = |partition, next| GroupPosition {
            group: "g".to_owned(),
            partition,
            next,
            ..GroupPosition::default()
        };
        let (mut all, _) = standings(&[at(0, Some(3)), at(1, Some(9)), at(2, None)], &["g".to_owned()]);
        let mut skips = Skips::new(&compared, &mut all);
        for (partition, offset, seq) in [(0, 0, 1), (0, 1, 2), (0, 2, 2), (0, 3, 3), (1, 0, 5), (2, 0, 5)] {
            let stamp = format!("{seq} p t/0");
            let headers: Vec<(&[u8], Option<&[u8]>)> = vec![(b"mqsafe-id", Some(stamp.as_bytes()))];
            skips.insert(&Record {
                partition,
                offset,
                headers: headers.into(),
                ..Record::default()
            });
        }
        let told: Vec<_> = all.iter().map(|standing| standing.skipped).collect();
        assert_eq!(told, [Some(1), Some(1), Some(0)]);
    }

    #[test]
    fn waiting_and_expired_are_told_apart() {
        let at = |group: &str, next, start| GroupPosition {
            group: group.to_owned(),
            next,
            start: Some(start),
            end: Some(100),
            ..GroupPosition::default()
        };
        let known = [
            at("b", Some(90), 0),
            at("a", Some(10), 30),
            at("c", Some(1), 0),
            at("d", None, 20),
        ];
        let wanted = ["a", "b", "d", "x"].map(str::to_owned);
        let (all, absent) = standings(&known, &wanted);
        let told: Vec<_> = all
            .iter()
            .map(|s| (s.group.as_str(), s.waiting, s.expired_unread))
            .collect();
        assert_eq!(told, [("a", 70, 20), ("b", 10, 0), ("d", 80, 0)]);
        assert_eq!(absent, ["x"]);
    }
}
