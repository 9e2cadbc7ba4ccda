//! A topic and its copy, message by message: by the ids that both carry.

use super::numbers::{self, Numbers};
use super::tracker::Tracker;
use std::collections::BTreeMap;

/// Numbers of one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    /// Who sent them.
    pub producer: String,
    /// Their lane at the source.
    pub lane: String,
    /// The numbers, as inclusive ranges.
    pub numbers: Vec<(u64, u64)>,
}

/// What a topic and its copy have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// Numbers that both have.
    pub both: u64,
    /// At the source and not in the copy.
    pub missing: Vec<Differing>,
    /// How many are missing in the copy.
    pub missing_count: u64,
    /// In the copy and not at the source.
    pub unexpected: Vec<Differing>,
    /// How many the source does not have.
    pub unexpected_count: u64,
}

/// Compares a topic with a copy of it.
pub fn compare(source: &mut Tracker, copy: &mut Tracker) -> Compared {
    source.pause();
    copy.pause();
    let (source, copy) = (source.numbers(), copy.numbers());
    let none = Numbers::new();
    let mut compared = Compared::default();
    for (name, theirs) in &source {
        let found = copy.get(name).unwrap_or(&none);
        compared.both = compared
            .both
            .saturating_add(numbers::count(&numbers::both(theirs, found)));
        add(
            &mut compared.missing,
            &mut compared.missing_count,
            *name,
            &numbers::minus(theirs, found),
        );
    }
    for (name, found) in &copy {
        let theirs = source.get(name).unwrap_or(&none);
        add(
            &mut compared.unexpected,
            &mut compared.unexpected_count,
            *name,
            &numbers::minus(found, theirs),
        );
    }
    compared
}

/// Which ids were read, wherever that was.
#[derive(Debug)]
pub struct Ids<'a>(BTreeMap<(&'a str, &'a str), Numbers>);

impl<'a> Ids<'a> {
    /// All ids that a tracker has read.
    pub fn of(tracker: &'a mut Tracker) -> Ids<'a> {
        tracker.pause();
        Ids(tracker.numbers())
    }

    /// Whether this one is among them.
    pub fn has(&self, producer: &str, lane: &str, seq: u64) -> bool {
        self.0
            .get(&(producer, lane))
            .is_some_and(|numbers| numbers.contains(&seq))
    }
}

fn add(all: &mut Vec<Differing>, count: &mut u64, (producer, lane): (&str, &str), differing: &Numbers) {
    if differing.is_empty() {
        return;
    }
    *count = count.saturating_add(numbers::count(differing));
    all.push(Differing {
        producer: producer.to_owned(),
        lane: lane.to_owned(),
        numbers: numbers::ranges(differing),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Record;

    fn tracker(ids: &[(&str, &str)]) -> Tracker {
        let mut tracker = Tracker::default();
        tracker.by_origin = true;
        for (offset, (name, id)) in ids.iter().enumerate() {
            let headers: Vec<(&[u8], Option<&[u8]>)> = vec![
                (b"mqsafe-id", Some(b"9 other copy/0")),
                (name.as_bytes(), Some(id.as_bytes())),
            ];
            let at = usize::from(*name == "mqsafe-id");
            tracker.insert(
                "t",
                &Record {
                    offset: offset as i64,
                    headers: headers[at..].to_vec().into(),
                    ..Record::default()
                },
            );
        }
        tracker
    }

    #[test]
    fn a_copy_is_compared_by_id_also_where_it_was_numbered_anew() {
        let mut source = tracker(&[
            ("mqsafe-id", "1 p t/0"),
            ("mqsafe-id", "2 p t/0"),
            ("mqsafe-id", "3 p t/0"),
        ]);
        let mut copy = tracker(&[
            ("mqsafe-origin-id", "1 p t/0"),
            ("mqsafe-id", "3 p t/0"),
            ("mqsafe-id", "7 q t/0"),
        ]);
        let compared = compare(&mut source, &mut copy);
        assert_eq!(
            (compared.both, compared.missing_count, compared.unexpected_count),
            (2, 1, 1)
        );
        assert_eq!(compared.missing[0].numbers, [(2, 2)]);
        assert_eq!(compared.unexpected[0].producer, "q");
    }
}
