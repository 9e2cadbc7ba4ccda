//! What consumers report: a stored message was consumed, or its consumer failed.

use super::change::{holds, join_run};
use super::schema;
use super::{Spool, SpoolError};
use redb::ReadableTable;

/// One report of a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumption {
    /// Who signed the message.
    pub producer: String,
    /// Its lane.
    pub lane: String,
    /// Its number.
    pub seq: u64,
    /// Why its consumer failed; `None` when it was consumed.
    pub failure: Option<String>,
}

/// What a report changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// The message is consumed from now on; its body is no longer kept.
    Consumed,
    /// It was reported as consumed before.
    Already,
    /// Its consumer failed; the message is kept and can be sent again.
    Failed,
    /// Its consumer failed, and its consumption is not awaited: it has no body here that could be sent again.
    NotAwaited,
    /// The store signs with this name, and never gave this number.
    NeverGiven,
    /// The store does not sign with this name.
    Foreign,
}

impl Spool {
    /// Notes what consumers report, in one synced transaction. The answers are in the order of the reports.
    ///
    /// A report is no acknowledgement of the broker: a message that waits for one goes on waiting.
    ///
    /// # Errors
    /// [`SpoolError`]; nothing was changed then, as far as this process may assume.
    pub fn report(&mut self, reports: &[Consumption], now_ms: i64) -> Result<Vec<Reported>, SpoolError> {
        self.write(|txn| {
            let lanes = txn.open_table(schema::LANES)?;
            let mut consumed = txn.open_table(schema::CONSUMED)?;
            let mut awaited = txn.open_table(schema::AWAITED)?;
            let mut awaiting = txn.open_table(schema::AWAITING)?;
            let mut answers = Vec::with_capacity(reports.len());
            for report in reports {
                let Consumption {
                    producer,
                    lane,
                    seq,
                    failure,
                } = report;
                let (producer, lane, seq) = (producer.as_str(), lane.as_str(), *seq);
                let Some(next) = lanes.get((producer, lane))?.map(|row| row.value().0) else {
                    let first = lanes.range((producer, "")..)?.next().transpose()?;
                    let own = first.is_some_and(|(key, _)| key.value().0 == producer);
                    answers.push(if own { Reported::NeverGiven } else { Reported::Foreign });
                    continue;
                };
                if seq == 0 || seq >= next {
                    answers.push(Reported::NeverGiven);
                    continue;
                }
                let at = awaited.get((producer, lane, seq))?.map(|at| at.value());
                let answer = match (failure, at) {
                    (None, _) if holds(&consumed, producer, lane, seq)? => Reported::Already,
                    (None, at) => {
                        join_run(&mut consumed, producer, lane, seq, seq, -1, now_ms)?;
                        if let Some(at) = at {
                            awaiting.remove(at)?;
                            awaited.remove((producer, lane, seq))?;
                        }
                        Reported::Consumed
                    }
                    (Some(_), None) => Reported::NotAwaited,
                    (Some(why), Some(at)) => {
                        let message = awaiting.remove(at)?.map(|row| {
                            let (confirmed_ms, until_ms, offset, _, body) = row.value();
                            let message = super::Pending::from_body(at.1, body);
                            (confirmed_ms, until_ms, offset, message)
                        });
                        match message {
                            Some((confirmed_ms, until_ms, offset, message)) => {
                                let row = (confirmed_ms, until_ms, offset, Some(why.as_str()), message.body());
                                awaiting.insert(at, row)?;
                                Reported::Failed
                            }
                            None => Reported::NotAwaited,
                        }
                    }
                };
                answers.push(answer);
            }
            Ok(answers)
        })
    }
}
