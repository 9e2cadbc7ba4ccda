//! What a scan hands over, looked at and written.

use super::Sink;
use crate::command::stop::Asked;
use crate::model::{Problem, Record, Visit};
use crate::query::{Hit, Wanted};
use crate::ui::Progress;
use std::ops::ControlFlow;
use std::time::Instant;

/// A search on its way.
pub(super) struct Search<'a, 'u> {
    pub(super) wanted: &'a Wanted,
    pub(super) sink: &'a mut Sink<'u>,
    pub(super) broker: &'a str,
    pub(super) topic: &'a str,
    pub(super) limit: Option<u64>,
    /// Whether of each batch the last comes first.
    pub(super) newest_first: bool,
    pub(super) progress: Progress,
    pub(super) asked: &'a Asked,
    pub(super) found: u64,
    /// Bytes of keys and values that were handed over.
    pub(super) bytes: u64,
    /// What is kept of what was found.
    pub(super) hits: Vec<Hit>,
    pub(super) most_hits: usize,
    pub(super) start: Instant,
    pub(super) failed: Option<Problem>,
}

impl Search<'_, '_> {
    fn go_on(&self) -> ControlFlow<()> {
        let is_enough = self.limit.is_some_and(|limit| self.found >= limit);
        if is_enough || self.failed.is_some() || self.asked.signal().is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

impl Visit for Search<'_, '_> {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        let (mut forwards, mut backwards);
        let in_order: &mut dyn Iterator<Item = &Record<'_>> = if self.newest_first {
            backwards = records.iter().rev();
            &mut backwards
        } else {
            forwards = records.iter();
            &mut forwards
        };
        for record in in_order {
            self.bytes += (record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len)) as u64;
            if !self.wanted.matches(record) {
                continue;
            }
            self.found += 1;
            if self.hits.len() < self.most_hits {
                self.hits.push(Hit::new(self.broker, self.topic, record));
            }
            if let Err(problem) = self.sink.show(self.broker, self.topic, record) {
                self.failed = Some(problem);
            }
            self.go_on()?;
        }
        self.go_on()
    }

    fn progress(&mut self, done: u64, total: u64) -> ControlFlow<()> {
        if total > 0 {
            self.progress.set_total(total);
        }
        let words = pace(self.found, self.bytes, done, total, self.start.elapsed().as_secs_f64());
        self.progress.set_or_waiting(done, &words, self.broker);
        self.go_on()
    }
}

/// How far it is, and how long it will take at this rate.
fn pace(found: u64, bytes: u64, done: u64, total: u64, seconds: f64) -> String {
    let mut words = format!("{found} found");
    if bytes > 0 {
        words.push_str(&format!(", {} MiB seen", bytes >> 20));
    }
    // Before a second has passed a rate is noise.
    if seconds >= 1.0 && done > 0 {
        let rate = done as f64 / seconds;
        words.push_str(&format!(", {rate:.0}/s"));
        if total > done {
            words.push_str(&format!(", {:.0} s left", (total - done) as f64 / rate));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::pace;

    #[test]
    fn rate_and_time_left() {
        assert_eq!(pace(0, 0, 0, 0, 5.0), "0 found");
        assert_eq!(pace(2, 3 << 20, 500, 1500, 0.5), "2 found, 3 MiB seen");
        assert_eq!(pace(2, 3 << 20, 500, 1500, 5.0), "2 found, 3 MiB seen, 100/s, 10 s left");
        assert_eq!(pace(1, 1, 10, 10, 2.0), "1 found, 0 MiB seen, 5/s");
    }
}
