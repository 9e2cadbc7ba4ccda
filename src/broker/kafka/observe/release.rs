//! Which release a broker runs, as far as the newest `metadata.version` that it knows tells.

/// The first number of each release (Kafka `MetadataVersion`, the versions that are ready for production).
const FIRST: [(i16, (u16, u16, u16)); 13] = [
    (1, (3, 0, 0)),
    (2, (3, 1, 0)),
    (3, (3, 2, 0)),
    (4, (3, 3, 0)),
    (8, (3, 4, 0)),
    (9, (3, 5, 0)),
    (12, (3, 6, 0)),
    (15, (3, 7, 0)),
    (20, (3, 8, 0)),
    (21, (3, 9, 0)),
    (22, (4, 0, 0)),
    (26, (4, 1, 0)),
    (28, (4, 2, 0)),
];

/// The release; of one newer than all that are known, the newest known.
pub(super) fn of(metadata_version: i16) -> Option<(u16, u16, u16)> {
    let known = FIRST.iter().rev().find(|(first, _)| *first <= metadata_version)?;
    Some(known.1)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn numbers_between_two_releases_belong_to_the_older() {
        assert_eq!(of(0), None);
        assert_eq!(of(21), Some((3, 9, 0)));
        assert_eq!(of(25), Some((4, 0, 0)));
        assert_eq!(of(27), Some((4, 1, 0)));
        assert_eq!(of(i16::MAX), Some((4, 2, 0)));
    }
}
