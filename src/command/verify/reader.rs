//! What is done with the messages of a scan.

use super::foreign;
use crate::cli::{Isolation, TruthArgs};
use crate::command::resolve;
use crate::command::stop::Asked;
use crate::model::{BatchHeader, Problem, Record, Result, Scan, ScanPlan, Visit};
use crate::ui::{Progress, Ui};
use crate::verify::{AbortedRead, Expected, Facts, Foreign, Hole, Second, Sequences, State};
use std::ops::ControlFlow;

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

/// What a run may need.
pub(super) struct Limits {
    ranges: usize,
}

impl Limits {
    /// A limit of so many MiB. A range takes some 48 bytes in its tree, which is half full at worst.
    pub(super) fn new(mib: u64) -> Limits {
        Limits {
            ranges: usize::try_from(mib.saturating_mul((1 << 20) / 64)).unwrap_or(usize::MAX),
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
    has_headers: bool,
    pub(super) expected: Option<&'a mut Expected>,
    progress: Progress,
    asked: &'a Asked,
    limits: Limits,
    is_full: bool,
    topic: String,
}

impl<'a> Reader<'a> {
    pub(super) fn new(broker: String, state: State, how: &'a How, asked: &'a Asked, ui: &Ui, limits: Limits) -> Self {
        Reader {
            broker,
            topic: state.topic.clone(),
            state,
            how,
            sequences: Sequences::default(),
            aborted: AbortedRead::default(),
            has_headers: false,
            expected: None,
            progress: ui.progress("verify"),
            asked,
            limits,
            is_full: false,
        }
    }

    /// Reads what the plan says. What could not begin is the problem.
    pub(super) fn scan(&mut self, scan: &mut dyn Scan, plan: &ScanPlan) -> Result<Option<Problem>> {
        let (mut report, problem) = resolve::read(scan.scan(plan, self))?;
        self.progress.finish();
        if self.is_full {
            let why =
                "what is missing needs more memory than --memory allows; read some partitions with -p, or allow more";
            report.stopped = true;
            report.unread = Some(why.to_owned());
        }
        self.state.scanned(report);
        Ok(problem)
    }

    /// What was read, and what is known besides.
    pub(super) fn finish(mut self) -> (State, Facts) {
        let mut facts = Facts::default();
        if self.has_headers && !self.how.uncommitted && !self.how.pid {
            let before = self.state.aborted_read.unwrap_or(0);
            self.state.aborted_read = Some(before + self.aborted.count);
        }
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
        if self.how.pid {
            self.sequences
                .insert(&mut self.state.tracker, &self.topic, partition, header);
        } else {
            self.aborted.header(partition, header);
        }
    }

    fn progress(&mut self, done: u64, total: u64) -> ControlFlow<()> {
        if total > 0 {
            self.progress.set_total(total);
        }
        let stamped = format!("{} numbered", self.state.tracker.stamped);
        self.progress.set_or_waiting(done, &stamped, &self.broker);
        self.is_full |= self.state.tracker.weight().0 > self.limits.ranges;
        if self.asked.signal().is_some() || self.is_full {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// The second look.
pub(super) struct Look<'a> {
    second: Second,
    progress: Progress,
    asked: &'a Asked,
}

impl<'a> Look<'a> {
    pub(super) fn new(second: Second, asked: &'a Asked, ui: &Ui) -> Look<'a> {
        Look {
            second,
            progress: ui.progress("looking again"),
            asked,
        }
    }

    pub(super) fn finish(self, facts: &mut Facts) -> Vec<Hole> {
        self.progress.finish();
        self.second.finish(facts)
    }
}

impl Visit for Look<'_> {
    fn batch(&mut self, records: &[Record<'_>]) -> ControlFlow<()> {
        records.iter().for_each(|record| self.second.insert(record));
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
