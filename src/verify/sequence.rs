//! Kafka's own numbers: producer id, epoch and sequence, which stand in the header of each batch. They number the messages of every
//! idempotent or transactional producer, whoever wrote it, and are read without unpacking anything.

use super::tracker::Tracker;
use crate::model::BatchHeader;
use std::collections::HashMap;

/// A sequence counts up to the largest `int` and begins again with 0 (KIP-98).
const ROUND: u64 = 1 << 31;

/// What was last read of one producer in one partition.
#[derive(Debug, Default, Clone, Copy)]
struct Last {
    sequence: i32,
    rounds: u64,
}

/// Turns batch headers into numbers of lanes. The producer is called `ID/EPOCH`: with each epoch its sequence begins anew.
#[derive(Debug, Default)]
pub struct Sequences {
    last: HashMap<(i32, i64, i16), Last>,
    /// Messages that no producer numbered.
    pub unnumbered: u64,
}

impl Sequences {
    /// Takes note of a batch. They come in the order of their partition.
    pub fn insert(&mut self, tracker: &mut Tracker, topic: &str, partition: i32, header: &BatchHeader) {
        if header.control.is_some() {
            return;
        }
        if header.producer_id < 0 || header.base_sequence < 0 {
            self.unnumbered += u64::from(header.count);
            return;
        }
        // As many as it had when it was written; compaction keeps the bounds of a batch and removes what is between them.
        let count = header
            .last_offset
            .saturating_sub(header.base_offset)
            .max(0)
            .unsigned_abs()
            + 1;
        let key = (partition, header.producer_id, header.producer_epoch);
        let last = self.last.entry(key).or_insert(Last {
            sequence: header.base_sequence,
            rounds: 0,
        });
        let (before, now) = (i64::from(last.sequence), i64::from(header.base_sequence));
        let half = (ROUND / 2).cast_signed();
        let rounds = if before - now > half {
            last.rounds + 1
        } else if now - before > half {
            // A batch from before the turn, behind one from after it.
            last.rounds.saturating_sub(1)
        } else {
            last.rounds
        };
        let first = rounds * ROUND + u64::from(header.base_sequence.unsigned_abs()) + 1;
        let end = first + count - 1;
        let newest = (end - 1) % ROUND;
        if rounds >= last.rounds {
            last.rounds = (end - 1) / ROUND;
            last.sequence = i32::try_from(newest).unwrap_or(i32::MAX);
        }
        let producer = format!("{}/{}", header.producer_id, header.producer_epoch);
        let offsets = (header.base_offset, header.last_offset);
        tracker.insert_run(topic, (None, partition), offsets, &producer, (first, end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Control, PartitionRead, ScanReport};
    use crate::verify::{Beside, Verdict, judge};

    fn batch(base: i64, count: i64, (id, epoch, sequence): (i64, i16, i32)) -> BatchHeader {
        BatchHeader {
            base_offset: base,
            last_offset: base + count - 1,
            leader_epoch: 0,
            producer_id: id,
            producer_epoch: epoch,
            base_sequence: sequence,
            control: None,
            transactional: false,
            max_timestamp_ms: 0,
            count: count as u32,
        }
    }

    fn verdict(batches: &[BatchHeader], from: i64) -> Verdict {
        let (mut tracker, mut sequences) = (Tracker::default(), Sequences::default());
        for header in batches {
            sequences.insert(&mut tracker, "t", 0, header);
        }
        let read = PartitionRead {
            from,
            ..PartitionRead::default()
        };
        let report = ScanReport {
            partitions: vec![read],
            compacted: Some(false),
            ..ScanReport::default()
        };
        judge(&mut tracker, "t", &report, Beside::default())
    }

    #[test]
    fn batches_one_after_the_other_are_clean_across_epochs_and_marks() {
        let mark = BatchHeader {
            control: Some(Control::Commit),
            ..batch(20, 1, (7, 0, -1))
        };
        let v = verdict(
            &[
                batch(0, 10, (7, 0, 0)),
                batch(10, 10, (7, 0, 10)),
                mark,
                batch(21, 5, (7, 1, 0)),
            ],
            0,
        );
        assert_eq!(
            (v.totals.gap, v.totals.duplicate, v.totals.stamped, v.lanes.len()),
            (0, 0, 25, 2)
        );
    }

    #[test]
    fn a_missing_batch_is_a_gap_and_a_second_one_a_duplicate() {
        let v = verdict(
            &[
                batch(0, 10, (7, 0, 0)),
                batch(10, 10, (7, 0, 20)),
                batch(20, 10, (7, 0, 20)),
            ],
            0,
        );
        assert_eq!(v.lanes[0].gaps, [(11, 20)]);
        assert_eq!(
            (v.totals.duplicate, v.lanes[0].duplicates.as_slice()),
            (10, &[(21, 30)][..])
        );
        // The head has expired with the log.
        let later = verdict(&[batch(50, 10, (7, 0, 20))], 50);
        assert_eq!((later.totals.gap, later.totals.expired), (0, 20));
    }

    #[test]
    fn a_sequence_goes_on_after_its_largest_number() {
        let turn = i32::MAX - 4;
        let all = [
            batch(0, 5, (7, 0, turn)),
            batch(5, 5, (7, 0, 0)),
            batch(10, 5, (7, 0, 5)),
        ];
        assert_eq!(verdict(&all, 1).totals.gap, 0);
        let across = [batch(0, 10, (7, 0, turn)), batch(10, 5, (7, 0, 5))];
        assert_eq!(verdict(&across, 1).totals.gap, 0);
    }
}
