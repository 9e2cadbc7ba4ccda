//! What may explain that a message is not found.

use crate::model::ScanReport;

/// What is known beside the report of the scan.
#[derive(Debug, Clone, Copy, Default)]
pub struct Absence {
    /// From when on it was looked for.
    pub since_ms: Option<i64>,
    /// Until when it was looked for.
    pub until_ms: Option<i64>,
    /// Whether messages of aborted and open transactions were left out, by a broker that has some.
    pub only_committed: bool,
    /// How many of those match, where they were looked at afterwards.
    pub uncommitted: Option<u64>,
    /// Whether one of the keys was looked for.
    pub by_key: bool,
    /// Whether only some partitions were looked at because the user named them.
    pub some_partitions: bool,
    /// Whether only what waits was looked at, where nothing is kept of what was there before.
    pub no_history: bool,
}

/// The reasons for which a message may have been there and is not found, the most telling first.
pub fn explain(report: &ScanReport, absence: Absence) -> Vec<String> {
    let mut reasons = Vec::new();
    let of = |count: usize| match count {
        1 => "1 partition".to_owned(),
        count => format!("{count} partitions"),
    };
    let moved: Vec<i64> = report
        .partitions
        .iter()
        .filter_map(|p| p.log_start.or(absence.since_ms.is_none().then_some(p.from)))
        .filter(|start| *start > 0)
        .collect();
    if !moved.is_empty() {
        let gone: i64 = moved.iter().sum();
        reasons.push(format!(
            "retention or deletion: the log of {} does not start at 0 any more, {gone} offsets are gone",
            of(moved.len())
        ));
    }
    let first = report.partitions.iter().filter_map(|p| Some(p.times_ms?.0)).min();
    let is_younger = |first: &i64| absence.since_ms.is_some_and(|since| *first > since);
    if let Some(first) = first.filter(is_younger)
        && !moved.is_empty()
    {
        reasons.push(format!(
            "the oldest message that is left is younger than --since by {} s",
            (first - absence.since_ms.unwrap_or(first)) / 1000
        ));
    }
    if report.compacted == Some(true) {
        let what = if absence.by_key {
            "compaction: only the last message of each key is kept, and a key whose last one is a tombstone is removed"
        } else {
            "compaction: only the last message of each key is kept"
        };
        reasons.push(what.to_owned());
    }
    let is_empty = |p: &crate::model::PartitionRead| p.log_start.unwrap_or(p.from) == 0 && p.to == 0;
    // A search until a moment ends where that was, and a queue without history begins anew each time.
    let shows_ends = absence.until_ms.is_none() && !absence.no_history;
    if shows_ends && !report.partitions.is_empty() && report.partitions.iter().all(is_empty) {
        reasons.push("the topic never held a message: it may have been deleted and made anew".to_owned());
    }
    match (absence.only_committed, absence.uncommitted) {
        (true, None) => {
            reasons.push("an aborted or open transaction: look again with --isolation read_uncommitted".to_owned());
        }
        (true, Some(count)) if count > 0 => reasons.insert(
            0,
            format!("an aborted or open transaction holds {count} that match: --isolation read_uncommitted shows them"),
        ),
        (true, Some(_)) | (false, _) => {}
    }
    if absence.since_ms.is_some() || absence.until_ms.is_some() {
        reasons.push("another time: the time of a message may be its producer's, whose clock can be wrong".to_owned());
    }
    if absence.some_partitions {
        reasons.push("another partition: only those of -p were looked at".to_owned());
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PartitionRead;

    fn report(partitions: &[(i64, i64, i64)]) -> ScanReport {
        let partition = |&(log_start, from, to): &(i64, i64, i64)| PartitionRead {
            from,
            to,
            log_start: Some(log_start),
            times_ms: Some((5_000, 9_000)),
            ..PartitionRead::default()
        };
        ScanReport {
            partitions: partitions.iter().map(partition).collect(),
            ..ScanReport::default()
        }
    }

    #[test]
    fn each_reason_has_its_sign() {
        let none = Absence::default();
        assert!(explain(&report(&[(0, 0, 9)]), none).is_empty());
        // What --since left out is not gone.
        assert!(explain(&report(&[(0, 5, 9)]), none).is_empty());
        let gone = explain(&report(&[(3, 5, 9), (0, 0, 9)]), none);
        assert!(
            gone[0].contains("1 partition ") && gone[0].contains("3 offsets are gone"),
            "{gone:?}"
        );
        let since = Absence {
            since_ms: Some(1_000),
            ..none
        };
        let gone = explain(&report(&[(3, 5, 9), (1, 1, 9)]), since);
        assert!(
            gone[0].contains("2 partitions") && gone[1].contains("by 4 s"),
            "{gone:?}"
        );
        let fresh = explain(&report(&[(0, 0, 0)]), none);
        assert!(fresh[0].contains("made anew"), "{fresh:?}");
        let until = Absence {
            until_ms: Some(1_000),
            ..none
        };
        let looked_into = Absence {
            no_history: true,
            ..none
        };
        for absence in [until, looked_into] {
            let said = explain(&report(&[(0, 0, 0)]), absence).join(" ");
            assert!(!said.contains("made anew"), "{said}");
        }
        let mut compacted = report(&[(0, 0, 9)]);
        compacted.compacted = Some(true);
        assert!(explain(&compacted, Absence { by_key: true, ..none })[0].contains("tombstone"));
        let committed = Absence {
            only_committed: true,
            some_partitions: true,
            ..none
        };
        let both = explain(&report(&[(0, 0, 9)]), committed);
        assert!(
            both[0].contains("read_uncommitted") && both[1].contains("-p"),
            "{both:?}"
        );
    }
}
