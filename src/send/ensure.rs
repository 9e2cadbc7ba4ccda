//! Reading back what was acknowledged: the last doubt about a broker's word.

use super::observe::Receipt;
use crate::model::{Fate, Outgoing, Record, Stamp};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// What was sent, by lane and number, until a reader has seen it. Costs some 40 bytes of memory for each message of the run.
#[derive(Debug, Default)]
pub struct Ensure {
    /// By producer, then lane.
    lanes: HashMap<String, HashMap<String, HashMap<u64, Sent>>>,
    hasher: RandomState,
    /// When the first of them was accepted, in milliseconds since the Unix epoch.
    since_ms: Option<i64>,
    acknowledged: u64,
    found: u64,
    different: u64,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    hash: u64,
    acknowledged: bool,
    found: bool,
}

/// What reading back came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ensured {
    /// Messages that were acknowledged in this run.
    pub acknowledged: u64,
    /// Of those, found with the same key and value.
    pub found: u64,
    /// Found under their stamp with another key or value.
    pub different: u64,
    /// Acknowledged and not found: `SEQ PRODUCER LANE` of the first few.
    pub missing: Vec<String>,
}

impl Ensured {
    /// How many were acknowledged and not found.
    pub const fn missing(&self) -> u64 {
        self.acknowledged - self.found - self.different
    }
}

/// So many missing messages are named.
const NAMED: usize = 10;

impl Ensure {
    /// A message is handed to the client.
    pub fn offered(&mut self, message: &Outgoing<'_>) {
        let Ok(stamp) = Stamp::parse(message.stamp.as_bytes()) else {
            return;
        };
        let hash = self.hash(message.key, message.value);
        self.since_ms = Some(self.since_ms.unwrap_or(i64::MAX).min(message.timestamp_ms));
        let lanes = match self.lanes.get_mut(stamp.producer) {
            Some(lanes) => lanes,
            None => self.lanes.entry(stamp.producer.to_owned()).or_default(),
        };
        let lane = match lanes.get_mut(stamp.lane) {
            Some(lane) => lane,
            None => lanes.entry(stamp.lane.to_owned()).or_default(),
        };
        lane.entry(stamp.seq).or_insert(Sent {
            hash,
            acknowledged: false,
            found: false,
        });
    }

    /// A message has its verdict.
    pub fn settled(&mut self, receipt: &Receipt<'_>) {
        let Some((producer, lane, seq)) = receipt.id.as_ref().filter(|_| receipt.fate == Fate::Stored) else {
            return;
        };
        let sent = self
            .lanes
            .get_mut(*producer)
            .and_then(|lanes| lanes.get_mut(*lane))
            .and_then(|lane| lane.get_mut(seq));
        if let Some(sent) = sent.filter(|sent| !sent.acknowledged) {
            sent.acknowledged = true;
            self.acknowledged += 1;
        }
    }

    /// From when on the topic must be read, in milliseconds since the Unix epoch.
    pub const fn since_ms(&self) -> Option<i64> {
        self.since_ms
    }

    /// Whether anything was acknowledged and is still to be found.
    pub const fn waits(&self) -> bool {
        self.found + self.different < self.acknowledged
    }

    /// A message was read.
    pub fn read(&mut self, record: &Record<'_>) {
        let Some(Ok(stamp)) = record.stamp() else { return };
        let hash = self.hash(record.key, record.value);
        let sent = self
            .lanes
            .get_mut(stamp.producer)
            .and_then(|lanes| lanes.get_mut(stamp.lane))
            .and_then(|lane| lane.get_mut(&stamp.seq));
        if let Some(sent) = sent.filter(|sent| sent.acknowledged && !sent.found) {
            sent.found = true;
            if sent.hash == hash {
                self.found += 1;
            } else {
                self.different += 1;
            }
        }
    }

    /// What it came to.
    pub fn result(&self) -> Ensured {
        let mut missing = Vec::new();
        for (producer, lanes) in &self.lanes {
            for (lane, numbers) in lanes {
                let absent = |sent: &Sent| sent.acknowledged && !sent.found;
                missing.extend(
                    numbers
                        .iter()
                        .filter(|(_, s)| absent(s))
                        .map(|(seq, _)| (*seq, producer, lane)),
                );
            }
        }
        missing.sort_unstable_by(|a, b| (a.2, a.0).cmp(&(b.2, b.0)));
        let named = missing.iter().take(NAMED).map(|(seq, producer, lane)| {
            Stamp {
                seq: *seq,
                producer,
                lane,
            }
            .to_string()
        });
        Ensured {
            acknowledged: self.acknowledged,
            found: self.found,
            different: self.different,
            missing: named.collect(),
        }
    }

    /// Keys and values only: brokers add headers of their own. No key and an empty one are the same to two of three brokers.
    fn hash(&self, key: Option<&[u8]>, value: Option<&[u8]>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        for part in [key, value].map(Option::unwrap_or_default) {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::STAMP_HEADER;

    fn sent(seq: u64, value: &'static [u8]) -> (String, &'static [u8]) {
        (format!("{seq} p t/0"), value)
    }

    fn offer(ensure: &mut Ensure, (stamp, value): &(String, &'static [u8])) {
        ensure.offered(&Outgoing {
            ticket: 0,
            partition: 0,
            lane: "t/0",
            timestamp_ms: 7,
            key: None,
            value: Some(value),
            headers: &[],
            tag: None,
            stamp,
            voids: None,
        });
    }

    fn receipt(seq: u64, fate: Fate) -> Receipt<'static> {
        Receipt {
            line: 0,
            id: Some(("p", "t/0", seq)),
            fate,
            partition: Some(0),
            offset: None,
            attempts: 1,
            latency_ms: 0,
            reason: None,
        }
    }

    fn read(ensure: &mut Ensure, (stamp, _): &(String, &'static [u8]), value: &[u8]) {
        ensure.read(&Record {
            value: Some(value),
            headers: vec![(STAMP_HEADER.as_bytes(), Some(stamp.as_bytes()))].into(),
            ..Record::default()
        });
    }

    #[test]
    fn what_was_acknowledged_is_found_different_or_missing() {
        let mut ensure = Ensure::default();
        let all: Vec<_> = (1..=5).map(|seq| sent(seq, b"v")).collect();
        all.iter().for_each(|m| offer(&mut ensure, m));
        (1..=4).for_each(|seq| ensure.settled(&receipt(seq, Fate::Stored)));
        ensure.settled(&receipt(4, Fate::Stored));
        ensure.settled(&receipt(5, Fate::InDoubt));
        assert!(ensure.waits() && ensure.since_ms() == Some(7));
        read(&mut ensure, &all[0], b"v");
        // A duplicate of what was found proves nothing more.
        read(&mut ensure, &all[0], b"other");
        read(&mut ensure, &all[1], b"other");
        read(&mut ensure, &all[4], b"v");
        read(&mut ensure, &sent(99, b"v"), b"v");
        let result = ensure.result();
        assert_eq!((result.acknowledged, result.found, result.different), (4, 1, 1));
        assert_eq!(
            (result.missing(), result.missing),
            (2, vec!["3 p t/0".to_owned(), "4 p t/0".to_owned()])
        );
    }
}
