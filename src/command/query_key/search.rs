//! What a scan hands over, looked at and written.

use super::sink::{Rendered, Sink};
use crate::command::stop::Asked;
use crate::model::{Problem, Record, Visit};
use crate::query::{Hit, Wanted};
use crate::ui::Progress;
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::time::Instant;

/// A search on its way.
pub(super) struct Search<'a, 'u> {
    pub(super) wanted: &'a Wanted,
    pub(super) sink: &'a mut Sink<'u>,
    pub(super) broker: &'a str,
    pub(super) topic: &'a str,
    pub(super) limit: Option<u64>,
    pub(super) newest_first: bool,
    /// Whether more matched than the limit lets through.
    pub(super) has_more: bool,
    pub(super) windows: BTreeMap<(Option<String>, i32), Window>,
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

/// The last matches of the window that is being read backwards: within it they come in the order of offsets.
#[derive(Default)]
pub(super) struct Window {
    last: i64,
    matches: VecDeque<(Rendered, Option<Hit>)>,
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

    fn take(&mut self, rendered: Rendered, hit: Option<Hit>) -> ControlFlow<()> {
        self.found += 1;
        self.hits.extend(hit.filter(|_| self.hits.len() < self.most_hits));
        if let Err(problem) = self.sink.put(rendered) {
            self.failed = Some(problem);
        }
        self.go_on()
    }

    /// Writes what a window held, the newest first.
    fn empty(&mut self, place: &(Option<String>, i32)) -> ControlFlow<()> {
        let matches = self.windows.remove(place).unwrap_or_default().matches;
        for (rendered, hit) in matches.into_iter().rev() {
            self.take(rendered, hit)?;
        }
        ControlFlow::Continue(())
    }

    /// Writes what is held when nothing more comes.
    pub(super) fn end(&mut self) {
        let places: Vec<_> = self.windows.keys().cloned().collect();
        for place in places {
            if self.go_on().is_break() || self.empty(&place).is_break() {
                // What is left may be more; that it may is enough.
                self.has_more = true;
                break;
            }
        }
    }
}

impl Visit for Search<'_, '_> {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        // With a limit only the last matches of a window count, which are known at its end.
        let limit = self.limit.filter(|_| self.newest_first);
        let place = records.first().map(|r| (r.node.map(str::to_owned), r.partition));
        if let (Some(_), Some(place), Some(first)) = (limit, &place, records.first())
            && self.windows.get(place).is_some_and(|window| first.offset < window.last)
        {
            self.empty(place)?;
        }
        for record in records {
            self.bytes += (record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len)) as u64;
            if !self.wanted.matches(record) {
                continue;
            }
            let rendered = self.sink.render(self.broker, self.topic, record);
            let hit = (self.most_hits > 0).then(|| Hit::new(self.broker, self.topic, record));
            match (limit, &place) {
                (Some(limit), Some(place)) => {
                    let window = self.windows.entry(place.clone()).or_default();
                    window.matches.push_back((rendered, hit));
                    if window.matches.len() as u64 > limit {
                        window.matches.pop_front();
                        self.has_more = true;
                    }
                }
                _ => self.take(rendered, hit)?,
            }
        }
        if let (Some(_), Some(place), Some(last)) = (limit, place, records.last()) {
            self.windows.entry(place).or_default().last = last.offset;
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
        assert_eq!(
            pace(2, 3 << 20, 500, 1500, 5.0),
            "2 found, 3 MiB seen, 100/s, 10 s left"
        );
        assert_eq!(pace(1, 1, 10, 10, 2.0), "1 found, 0 MiB seen, 5/s");
    }
}
