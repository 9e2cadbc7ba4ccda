//! What a series of crashes may leave behind. Pure, so that the judge itself is tried on faults it must find.

use crate::cluster::Seen;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What `verify` counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) gap: u64,
    pub(crate) duplicate: u64,
    pub(crate) corrupt: u64,
}

/// Every way in which the topic is not what the input and `verify` say; each kind is told once, with its count.
///
/// All lines of `lines` are different.
pub(crate) fn faults(lines: &[Vec<u8>], seen: &[Seen], told: Told) -> Vec<String> {
    let mut ids_of: HashMap<&[u8], Vec<Option<&str>>> = HashMap::new();
    let mut lines_of: BTreeMap<&str, BTreeSet<&[u8]>> = BTreeMap::new();
    for record in seen {
        ids_of.entry(&record.value).or_default().push(record.id.as_deref());
        if let Some(id) = &record.id {
            lines_of.entry(id).or_default().insert(&record.value);
        }
    }
    let mut faults = Vec::new();
    let mut tell = |what: &str, count: usize| {
        if count > 0 {
            faults.push(format!("{count} {what}"));
        }
    };
    let missing = lines.iter().filter(|line| !ids_of.contains_key(line.as_slice()));
    tell("lines are missing", missing.count());
    let known: BTreeSet<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let strangers = seen.iter().filter(|record| !known.contains(record.value.as_slice()));
    tell("records are no line of the input", strangers.count());
    tell("records have no id", seen.iter().filter(|r| r.id.is_none()).count());
    let renumbered = ids_of.values().filter(|ids| ids.iter().any(|id| *id != ids[0]));
    tell("lines are there under several ids", renumbered.count());
    let shared = lines_of.values().filter(|lines| lines.len() > 1);
    tell("ids are carried by several lines", shared.count());
    let again = seen.iter().filter(|r| r.id.is_some()).count() - lines_of.len();
    if again as u64 != told.duplicate {
        tell(
            &format!("ids were read again, and verify says {}", told.duplicate),
            again.max(1),
        );
    }
    tell("numbers are missing, says verify", told.gap as usize);
    tell("stamps cannot be read, says verify", told.corrupt as usize);
    faults
}

/// The first line of its partition that was read before an earlier one. Lines are compared as text; those read again do not count.
#[cfg(feature = "test-hooks")]
pub(crate) fn first_out_of_order(seen: &[Seen]) -> Option<&Seen> {
    let mut before: HashMap<&[u8], ()> = HashMap::new();
    let mut last: HashMap<i32, &[u8]> = HashMap::new();
    seen.iter().find(|record| {
        let is_new = before.insert(&record.value, ()).is_none();
        is_new
            && last
                .insert(record.partition, &record.value)
                .is_some_and(|l| l > record.value.as_slice())
    })
}

/// Lines of the input, each unlike all others, without their ends.
pub(crate) fn lines(from: usize, count: usize, bytes: usize) -> Vec<Vec<u8>> {
    let line = |n: usize| format!("{:0<bytes$}", format!("{n:08} ")).into_bytes();
    (from..from + count).map(line).collect()
}

/// Lines as a file holds them.
pub(crate) fn text(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut text = lines.join(&b'\n');
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(records: &[(&str, &str)]) -> Vec<Seen> {
        let record = |(offset, (id, value)): (usize, &(&str, &str))| Seen {
            partition: 0,
            offset: offset as i64,
            key: None,
            value: value.as_bytes().to_vec(),
            id: (!id.is_empty()).then(|| (*id).to_owned()),
        };
        records.iter().enumerate().map(record).collect()
    }

    fn told(duplicate: u64) -> Told {
        Told {
            duplicate,
            ..Told::default()
        }
    }

    #[test]
    fn what_may_be_is_no_fault() {
        let lines = [b"a".to_vec(), b"b".to_vec()];
        assert_eq!(
            faults(&lines, &seen(&[("1", "a"), ("2", "b")]), told(0)),
            [] as [&str; 0]
        );
        // Sent again under its own number, and named.
        assert_eq!(
            faults(&lines, &seen(&[("1", "a"), ("1", "a"), ("2", "b")]), told(1)),
            [] as [&str; 0]
        );
    }

    /// Records as `(id, line)`, what `verify` says of them, and the fault.
    type Faulty = (&'static [(&'static str, &'static str)], Told, &'static str);

    #[test]
    fn each_fault_is_found() {
        let lines = [b"a".to_vec(), b"b".to_vec()];
        let cases: [Faulty; 9] = [
            (&[("1", "a")], told(0), "1 lines are missing"),
            (
                &[("1", "a"), ("2", "b"), ("3", "c")],
                told(0),
                "1 records are no line of the input",
            ),
            (&[("1", "a"), ("", "b")], told(0), "1 records have no id"),
            (
                &[("1", "a"), ("2", "b"), ("3", "a")],
                told(0),
                "1 lines are there under several ids",
            ),
            (&[("1", "a"), ("1", "b")], told(1), "1 ids are carried by several lines"),
            (
                &[("1", "a"), ("1", "a"), ("2", "b")],
                told(0),
                "1 ids were read again, and verify says 0",
            ),
            (
                &[("1", "a"), ("2", "b")],
                told(1),
                "1 ids were read again, and verify says 1",
            ),
            (
                &[("1", "a"), ("2", "b")],
                Told { gap: 3, ..told(0) },
                "3 numbers are missing, says verify",
            ),
            (
                &[("1", "a"), ("2", "b")],
                Told { corrupt: 1, ..told(0) },
                "1 stamps cannot be read, says verify",
            ),
        ];
        for (records, told, fault) in cases {
            assert_eq!(faults(&lines, &seen(records), told), [fault]);
        }
    }
}
