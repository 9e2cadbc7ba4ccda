//! The word that was probably meant.

/// Of the known words the one nearest in spelling, when it is near: a letter or two away, or the same in another case.
pub(super) fn near<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = match word.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    let lower = word.to_lowercase();
    known
        .map(|k| (distance(&lower, &k.to_lowercase()), k))
        .filter(|(d, _)| *d <= allowed)
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| k)
}

/// How many letters must be inserted, deleted or replaced.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut row = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let replaced = last.get(j).copied().unwrap_or(0) + usize::from(ca != *cb);
            let deleted = last.get(j + 1).copied().unwrap_or(0) + 1;
            let inserted = row.last().copied().unwrap_or(0) + 1;
            row.push(replaced.min(deleted).min(inserted));
        }
        last = row;
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn what_was_meant() {
        let known = ["retries", "replication_factor", "KB001"];
        assert_eq!(near("retrys", known.into_iter()), Some("retries"));
        assert_eq!(
            near("replication-factor", known.into_iter()),
            Some("replication_factor")
        );
        assert_eq!(near("kb001", known.into_iter()), Some("KB001"));
        assert_eq!(near("something", known.into_iter()), None);
    }
}
