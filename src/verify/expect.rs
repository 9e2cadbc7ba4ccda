//! A list of business ids from elsewhere, compared with those in the topic.

use super::field::Field;
use crate::model::Record;
use std::collections::HashMap;

/// How many ids a report names; the rest is counted.
const NAMED: usize = 100;

/// The ids that are expected, and how often each was read.
#[derive(Debug, Clone)]
pub struct Expected {
    field: Field,
    times: HashMap<Box<[u8]>, u64>,
    /// Ids that the list has more than once.
    pub listed_again: u64,
    unexpected: HashMap<Box<[u8]>, u64>,
    /// Messages without an id.
    pub without: u64,
}

/// What became of the ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Ids of the list.
    pub expected: u64,
    /// Of them there are none in the topic.
    pub missing: Vec<Vec<u8>>,
    /// How many are missing.
    pub missing_count: u64,
    /// In the topic and not in the list.
    pub unexpected: Vec<Vec<u8>>,
    /// How many are unexpected.
    pub unexpected_count: u64,
    /// In the topic more than once.
    pub duplicates: Vec<Vec<u8>>,
    /// How many are there more than once.
    pub duplicate_count: u64,
    /// Messages without an id.
    pub without: u64,
}

impl Expected {
    /// No id yet; `field` is where a message has its own.
    pub fn new(field: Field) -> Expected {
        Expected {
            field,
            times: HashMap::new(),
            listed_again: 0,
            unexpected: HashMap::new(),
            without: 0,
        }
    }

    /// Adds an id of the list.
    pub fn expect(&mut self, id: &[u8]) {
        if self.times.insert(id.into(), 0).is_some() {
            self.listed_again += 1;
        }
    }

    /// How many ids the list has.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether the list has none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Takes note of a message.
    pub fn insert(&mut self, record: &Record<'_>) {
        let Some(id) = self.field.of(record) else {
            self.without += 1;
            return;
        };
        match self.times.get_mut(id.as_ref()) {
            Some(times) => *times += 1,
            None => *self.unexpected.entry(id.as_ref().into()).or_default() += 1,
        }
    }

    /// What became of the ids; the names in their order, a hundred of each kind at most.
    pub fn found(&self) -> Found {
        let names = |mut all: Vec<&[u8]>| {
            all.sort_unstable();
            let count = all.len() as u64;
            (all.into_iter().take(NAMED).map(<[u8]>::to_vec).collect(), count)
        };
        let (missing, missing_count) = names(
            self.times
                .iter()
                .filter(|(_, n)| **n == 0)
                .map(|(id, _)| id.as_ref())
                .collect(),
        );
        let (unexpected, unexpected_count) = names(self.unexpected.keys().map(AsRef::as_ref).collect());
        let again = self.times.iter().chain(&self.unexpected).filter(|(_, n)| **n > 1);
        let (duplicates, duplicate_count) = names(again.map(|(id, _)| id.as_ref()).collect());
        Found {
            expected: self.times.len() as u64,
            missing,
            missing_count,
            unexpected,
            unexpected_count,
            duplicates,
            duplicate_count,
            without: self.without,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_unexpected_and_duplicate_ids_are_told_apart() {
        let mut expected = Expected::new(Field::Key);
        for id in ["a", "b", "c", "a"] {
            expected.expect(id.as_bytes());
        }
        for key in [Some("a"), Some("c"), Some("c"), Some("x"), None] {
            expected.insert(&Record {
                key: key.map(str::as_bytes),
                ..Record::default()
            });
        }
        let found = expected.found();
        assert_eq!((expected.len(), expected.listed_again, found.without), (3, 1, 1));
        assert_eq!(found.missing, [b"b".to_vec()]);
        assert_eq!(found.unexpected, [b"x".to_vec()]);
        assert_eq!(found.duplicates, [b"c".to_vec()]);
        assert_eq!(
            (found.missing_count, found.unexpected_count, found.duplicate_count),
            (1, 1, 1)
        );
    }
}
