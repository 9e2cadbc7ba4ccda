//! Where is the message of this key? Plan, scan, match, and how complete the search was.

use crate::model::{Coverage, Outcome, Record};

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The key, byte for byte.
    pub key: Vec<u8>,
}

impl Wanted {
    /// Whether this record is one of those.
    pub fn matches(&self, record: &Record<'_>) -> bool {
        record.key == Some(self.key.as_slice())
    }
}

/// What a search comes to. "Not found" is said only when everything was read.
pub fn outcome(found: u64, coverage: &Coverage) -> Outcome {
    match (found, coverage.is_complete()) {
        (0, true) => Outcome::Negative,
        (0, false) => Outcome::Unknown,
        (_, _) => Outcome::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_found_is_not_the_same_as_could_not_look() {
        let partial = Coverage::Partial("broker down".to_owned());
        assert_eq!(outcome(0, &Coverage::Complete), Outcome::Negative);
        assert_eq!(outcome(0, &partial), Outcome::Unknown);
        assert_eq!(
            outcome(0, &Coverage::CompleteIf("murmur2".to_owned())),
            Outcome::Unknown
        );
        assert_eq!(outcome(1, &partial), Outcome::Good);
    }

    #[test]
    fn keys_are_compared_byte_for_byte() {
        let wanted = Wanted { key: b"123".to_vec() };
        let record = |key| Record {
            key,
            ..Record::default()
        };
        assert!(wanted.matches(&record(Some(b"123"))));
        for other in [None, Some(&b""[..]), Some(b"1234"), Some(b"12"), Some(b"123 ")] {
            assert!(!wanted.matches(&record(other)));
        }
        // An empty key is a key; no key is none.
        let empty = Wanted { key: Vec::new() };
        assert!(empty.matches(&record(Some(b""))) && !empty.matches(&record(None)));
    }
}
