//! Where consumer groups stand: what is stored and not yet consumed, and what went away before they came to it.

use crate::model::GroupPosition;
use std::collections::BTreeSet;

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
