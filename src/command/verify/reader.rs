//! What is done with the messages of a scan.

use super::{foreign, kept};
use crate::cli::{Isolation, TruthArgs};
use crate::command::resolve;
use crate::command::stop::Asked;
use crate::model::{BatchHeader, PartitionRead, Problem, Record, Result, Scan, ScanPlan, Visit};
use crate::ui::{Progress, Ui};
use crate::verify::{AbortedRead, Elsewhere, Expected, Facts, Foreign, Hole, Origins, Second, Sequences, State};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How the messages are numbered and which are read.
pub(super) struct How {
    foreign: Option<Foreign>,
    pid: bool,
    uncommitted: bool,
    words: String,
}

impl How {
    pub(super) fn new(truth: &TruthArgs, isolation: Isolation) -> Result<How> {
        let uncommitted = isolation == Isolation::ReadUncommitted;
        let mut words = match uncommitted {
            true => "read_uncommitted".to_owned(),
            false => "read_committed".to_owned(),
        };
        if let Some(seq) = &truth.seq_from {
            words.push_str(&format!(", numbers from {seq}"));
        }
        if let Some(producer) = &truth.producer_from {
            words.push_str(&format!(", senders from {producer}"));
        }
        Ok(How {
            foreign: foreign(truth.seq_from.as_deref(), truth.producer_from.as_deref())?,
            pid: truth.pid,
            uncommitted,
            words,
        })
    }

    /// What must be the same for two states to be one.
    pub(super) fn words(&self) -> &str {
        &self.words
    }
}

/// Where a state is kept while it grows.
pub(super) struct Keeper {
    path: PathBuf,
    every: Duration,
    last: Instant,
}

impl Keeper {
    /// Keeps it so often.
    pub(super) fn new(path: PathBuf, every: Duration) -> Keeper {
        Keeper {
            path,
            every,
            last: Instant::now(),
        }
    }
}

/// Notes every message of a scan.
pub(super) struct Reader<'a> {
    broker: String,
    pub(super) state: State,
    how: &'a How,
    sequences: Sequences,
    aborted: AbortedRead,
    pub(super) origins: Origins,
    has_headers: bool,
    pub(super) expected: Option<&'a mut Expected>,
    progress: Progress,
    asked: &'a Asked,
    topic: String,
    /// Partitions that are being read now.
    begun: Vec<PartitionRead>,
    keeper: Option<Keeper>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(broker: String, state: State, how: &'a How, asked: &'a Asked, ui: &Ui) -> Self {
        Reader {
            broker,
            topic: state.topic.clone(),
            state,
            how,
            sequences: Sequences::default(),
            aborted: AbortedRead::default(),
            origins: Origins::default(),
            has_headers: false,
            expected: None,
            progress: ui.progress("verify"),
            asked,
            begun: Vec::new(),
            keeper: None,
        }
    }

    /// Keeps the state now and then from now on.
    pub(super) fn keeping(mut self, keeper: Option<Keeper>) -> Self {
        self.keeper = keeper;
        self
    }

    /// Reads what the plan says. What could not begin is the problem.
    pub(super) fn scan(&mut self, scan: &mut dyn Scan, plan: &ScanPlan) -> Result<Option<Problem>> {
        self.begun.clear();
        let (mut report, problem) = resolve::read(scan.scan(plan, self))?;
        self.progress.finish();
        self.begun.clear();
        if let Some(why) = self.state.tracker.broken() {
            report.stopped = true;
            report.unread = Some(format!("what did not fit into --memory cannot be kept on disk: {why}"));
        }
        self.state.scanned(report);
        Ok(problem)
    }

    /// Keeps the state when it is time, between two scans.
    pub(super) fn keep_now_and_then(&mut self, ui: &Ui) {
        let Some(keeper) = self
            .keeper
            .as_mut()
            .filter(|keeper| keeper.last.elapsed() >= keeper.every)
        else {
            return;
        };
        keeper.last = Instant::now();
        let path = keeper.path.clone();
        self.note_aborted();
        // It is tried again; at the end it counts.
        if let Err(problem) = kept::save(Some(&path), &mut self.state) {
            ui.warn(&problem.to_string());
        }
    }

    fn keep_what_is_begun(&mut self) -> std::result::Result<(), String> {
        let Some(keeper) = &mut self.keeper else {
            return Err("there is no --state".to_owned());
        };
        keeper.last = Instant::now();
        let path = keeper.path.clone();
        let before = self.state.aborted_read;
        if self.has_headers && !self.how.uncommitted && !self.how.pid {
            self.state.aborted_read = Some(before.unwrap_or(0) + self.aborted.count);
        }
        let kept = kept::whole_or_not(&path, |file| self.state.write_unfinished(&self.begun, file));
        self.state.aborted_read = before;
        kept.map_err(|e| format!("{}: {e}", path.display()))
    }

    fn note_aborted(&mut self) {
        if self.has_headers && !self.how.uncommitted && !self.how.pid {
            let before = self.state.aborted_read.unwrap_or(0);
            self.state.aborted_read = Some(before + std::mem::take(&mut self.aborted.count));
        }
    }

    /// What was read, and what is known besides.
    pub(super) fn finish(mut self) -> (State, Facts) {
        let mut facts = Facts::default();
        self.note_aborted();
        facts.aborted_read = self.state.aborted_read;
        (self.state, facts)
    }
}

impl Visit for Reader<'_> {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        self.aborted.batch(records);
        for record in records {
            match &self.how.foreign {
                None => self.state.tracker.insert(&self.topic, record),
                Some(foreign) => {
                    let id = foreign.of(record);
                    let id = id.as_ref().map(|id| match id {
                        Ok((seq, producer)) => Ok((*seq, producer.as_str())),
                        Err(()) => Err(()),
                    });
                    self.state.tracker.insert_foreign(&self.topic, record, id);
                }
            }
        }
        if let Some(expected) = &mut self.expected {
            records.iter().for_each(|record| expected.insert(record));
        }
        ControlFlow::Continue(())
    }

    fn headers(&mut self, partition: i32, header: &BatchHeader) {
        self.has_headers = true;
        self.origins.header(partition, header);
        if self.how.pid {
            self.sequences
                .insert(&mut self.state.tracker, &self.topic, partition, header);
        } else {
            self.aborted.header(partition, header);
        }
    }

    fn begins(&mut self, read: &PartitionRead) {
        self.begun.push(read.clone());
    }

    fn keep(&mut self) -> std::result::Result<(), String> {
        self.keep_what_is_begun()
    }

    fn progress(&mut self, done: u64, total: u64) -> ControlFlow<()> {
        if total > 0 {
            self.progress.set_total(total);
        }
        // Without knowing where a partition begins nothing could be gone on from.
        let is_due = self
            .keeper
            .as_ref()
            .is_some_and(|keeper| keeper.last.elapsed() >= keeper.every);
        if is_due && !self.begun.is_empty() {
            // It is tried again; at the end it counts.
            let _ = self.keep_what_is_begun();
        }
        let stamped = format!("{} numbered", self.state.tracker.stamped);
        self.progress.set_or_waiting(done, &stamped, &self.broker);
        self.state.tracker.spill();
        if self.asked.signal().is_some() || self.state.tracker.broken().is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// The second look.
pub(super) struct Look<'a> {
    second: Second,
    /// What the place is that is looked at, when it is not the topic itself.
    pub(super) elsewhere: Option<Elsewhere>,
    how: &'a How,
    topic: &'a str,
    progress: Progress,
    asked: &'a Asked,
}

impl<'a> Look<'a> {
    pub(super) fn new(second: Second, topic: &'a str, how: &'a How, asked: &'a Asked, ui: &Ui) -> Look<'a> {
        Look {
            second,
            elsewhere: None,
            how,
            topic,
            progress: ui.progress("looking again"),
            asked,
        }
    }

    /// How many of the missing numbers were found in other places.
    pub(super) fn found_elsewhere(&self) -> Vec<(Elsewhere, u64)> {
        self.second.elsewhere().collect()
    }

    pub(super) fn finish(self, facts: &mut Facts) -> Vec<Hole> {
        self.progress.finish();
        self.second.finish(facts)
    }

    /// A message that was numbered by somebody else: in the lane that is the place where it lies, or where it is to lie.
    fn insert_foreign(&mut self, foreign: &Foreign, record: &Record<'_>) {
        let Some(Ok((seq, producer))) = foreign.of(record) else {
            return;
        };
        let queue = match self.elsewhere {
            None => Some(record.partition),
            Some(_) => real_queue(record, self.topic),
        };
        let Some(queue) = queue else { return };
        let name = match record.node {
            Some(node) => format!("{producer} {}/{node}/{queue}", self.topic),
            None => format!("{producer} {}/{queue}", self.topic),
        };
        match self.elsewhere {
            None => self.second.insert_as(record, &name, seq),
            Some(place) => self.second.insert_elsewhere_as(place, &name, seq),
        }
    }
}

/// For which queue of a topic RocketMQ keeps a message elsewhere.
fn real_queue(record: &Record<'_>, topic: &str) -> Option<i32> {
    let property = |name: &str| {
        record
            .properties
            .iter()
            .find(|(its, _)| *its == name)
            .map(|(_, value)| *value)
    };
    property("REAL_QID")
        .filter(|_| property("REAL_TOPIC") == Some(topic))?
        .parse()
        .ok()
}

impl Visit for Look<'_> {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        let how = self.how;
        for record in records {
            match (&how.foreign, self.elsewhere) {
                (Some(foreign), _) => self.insert_foreign(foreign, record),
                (None, Some(place)) => self.second.insert_elsewhere(place, record),
                (None, None) => self.second.insert(record),
            }
        }
        ControlFlow::Continue(())
    }

    fn headers(&mut self, partition: i32, header: &BatchHeader) {
        self.second.header(partition, header);
    }

    fn progress(&mut self, done: u64, total: u64) -> ControlFlow<()> {
        if total > 0 {
            self.progress.set_total(total);
        }
        self.progress.set(done, "");
        match self.asked.signal() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }
}
