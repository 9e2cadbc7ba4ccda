//! What the headers of Kafka's batches say about who wrote a log and under whom: what looks like a hole or a step back, and is none.

use crate::model::{BatchHeader, ScanReport};
use std::collections::HashMap;

/// Events that are told one by one; more are counted.
const TOLD: usize = 5;
/// Partitions that were there from the beginning get their first messages within this time.
const TOGETHER_MS: i64 = 1000;

/// Something that explains what may look like a loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Its name.
    pub what: &'static str,
    /// How often it was seen.
    pub count: u64,
    /// What it means, and where it was seen first.
    pub words: String,
}

/// One kind of event.
#[derive(Debug, Default)]
struct Events {
    count: u64,
    first: Vec<String>,
}

impl Events {
    fn add(&mut self, words: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < TOLD {
            self.first.push(words());
        }
    }
}

/// Notes the headers of all batches, each partition in the order of its log.
#[derive(Debug, Default)]
pub struct Origins {
    marks: u64,
    compacted: u64,
    /// The last epoch of each producer in each partition.
    epochs: HashMap<(i32, i64), i16>,
    bumps: Events,
    /// The first producer of each partition, and those that came later.
    producers: HashMap<i32, i64>,
    later: Events,
    leaders: HashMap<i32, i32>,
    elections: Events,
    fallen_back: Events,
}

impl Origins {
    /// The header of the next batch.
    pub fn header(&mut self, partition: i32, header: &BatchHeader) {
        let at = header.base_offset;
        if header.leader_epoch >= 0 {
            let before = self.leaders.insert(partition, header.leader_epoch);
            let now = header.leader_epoch;
            match before {
                Some(before) if now > before => self
                    .elections
                    .add(|| format!("partition {partition}: epoch {before} to {now} at offset {at}")),
                Some(before) if now < before => self
                    .fallen_back
                    .add(|| format!("partition {partition}: epoch {before} to {now} at offset {at}")),
                Some(_) | None => {}
            }
        }
        if header.control.is_some() {
            self.marks += 1;
            return;
        }
        let written = header
            .last_offset
            .saturating_sub(at)
            .saturating_add(1)
            .max(0)
            .unsigned_abs();
        self.compacted += written.saturating_sub(u64::from(header.count));
        if header.producer_id < 0 {
            return;
        }
        let (id, epoch) = (header.producer_id, header.producer_epoch);
        match self.epochs.insert((partition, id), epoch) {
            Some(before) if before < epoch => self
                .bumps
                .add(|| format!("producer {id} in partition {partition}: epoch {before} to {epoch} at offset {at}")),
            Some(_) => {}
            None => {
                if *self.producers.entry(partition).or_insert(id) != id {
                    self.later
                        .add(|| format!("producer {id} in partition {partition} from offset {at} on"));
                }
            }
        }
    }

    /// What was seen.
    pub fn explained(&self) -> Vec<Explained> {
        let plain = |what, count, words: &str| Explained {
            what,
            count,
            words: words.to_owned(),
        };
        let told = |what, events: &Events, words: &str| Explained {
            what,
            count: events.count,
            words: format!("{words}: {}", events.first.join("; ")),
        };
        let mut all = vec![
            plain(
                "transaction-marker",
                self.marks,
                "each takes an offset and is no message",
            ),
            plain(
                "compacted",
                self.compacted,
                "offsets inside of batches whose messages were removed later",
            ),
            told(
                "epoch-bump",
                &self.bumps,
                "the producer began its numbers anew after an error; what it had not sent by then it says itself",
            ),
            told(
                "producer-restart",
                &self.later,
                "another producer id: the sender was started again, or another one writes too",
            ),
            told("leader-change", &self.elections, "another leader took over"),
            told(
                "leader-epoch-back",
                &self.fallen_back,
                "the log was cut or written by a leader that was no longer one (unclean election)",
            ),
        ];
        all.retain(|explained| explained.count > 0);
        all
    }
}

/// Whether partitions seem to have been added, by when the first message of each was written.
pub fn grown(report: &ScanReport) -> Option<Explained> {
    let mut firsts: Vec<(i32, i64)> = report
        .partitions
        .iter()
        .filter(|read| read.node.is_none() && read.from == 0)
        .filter_map(|read| Some((read.partition, read.times_ms?.0)))
        .collect();
    firsts.sort_unstable();
    let (at, since) = (1..firsts.len()).find_map(|at| {
        let (old, new) = firsts.split_at(at);
        let before = old.iter().map(|(_, ms)| *ms).max()?;
        let since = new.iter().map(|(_, ms)| *ms).min()?;
        (since - before >= TOGETHER_MS).then_some((at, since))
    })?;
    let added: Vec<String> = firsts[at..]
        .iter()
        .map(|(partition, _)| partition.to_string())
        .collect();
    Some(Explained {
        what: "grown",
        count: added.len() as u64,
        words: format!(
            "partitions {} hold nothing from before {since} ms since the epoch: they seem to have been added, and keys that moved there are not lost",
            added.join(",")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Control, PartitionRead};

    fn batch(base: i64, last: i64, (id, epoch): (i64, i16), leader_epoch: i32) -> BatchHeader {
        BatchHeader {
            base_offset: base,
            last_offset: last,
            leader_epoch,
            producer_id: id,
            producer_epoch: epoch,
            base_sequence: 0,
            control: None,
            transactional: false,
            max_timestamp_ms: 0,
            count: u32::try_from(last - base + 1).unwrap(),
        }
    }

    #[test]
    fn each_event_has_its_name() {
        let mut origins = Origins::default();
        origins.header(0, &batch(0, 4, (7, 0), 1));
        assert_eq!(origins.explained(), []);
        origins.header(0, &batch(5, 9, (7, 1), 1));
        origins.header(0, &batch(10, 10, (8, 0), 2));
        origins.header(
            0,
            &BatchHeader {
                control: Some(Control::Abort),
                ..batch(11, 11, (8, 0), 2)
            },
        );
        origins.header(
            0,
            &BatchHeader {
                count: 2,
                ..batch(12, 16, (8, 0), 1)
            },
        );
        let told: Vec<_> = origins.explained().iter().map(|e| (e.what, e.count)).collect();
        assert_eq!(
            told,
            [
                ("transaction-marker", 1),
                ("compacted", 3),
                ("epoch-bump", 1),
                ("producer-restart", 1),
                ("leader-change", 1),
                ("leader-epoch-back", 1)
            ]
        );
        assert!(origins.explained()[2].words.contains("epoch 0 to 1 at offset 5"));
    }

    #[test]
    fn partitions_that_came_later_are_noticed() {
        let report = |firsts: &[i64]| ScanReport {
            partitions: (0..)
                .zip(firsts)
                .map(|(partition, first)| PartitionRead {
                    partition,
                    times_ms: Some((*first, 99_999)),
                    ..PartitionRead::default()
                })
                .collect(),
            ..ScanReport::default()
        };
        assert_eq!(grown(&report(&[5, 900, 3])), None);
        assert_eq!(grown(&report(&[5000, 10, 20])), None);
        let found = grown(&report(&[5, 100, 9000, 8000])).unwrap();
        assert!(
            found.count == 2 && found.words.starts_with("partitions 2,3 "),
            "{}",
            found.words
        );
    }
}
