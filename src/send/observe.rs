//! What the pump tells while it works.

use crate::model::{Fate, Outgoing};

/// What became of one message, told once for each, in order of completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// The line of the input; 0 when it came from no line.
    pub line: u64,
    /// `(producer, lane, number)`, where it has one.
    pub id: Option<(&'a str, &'a str, u64)>,
    /// What became of it.
    pub fate: Fate,
    /// Where it is, or would be.
    pub partition: Option<i32>,
    /// Its offset, where the broker told it.
    pub offset: Option<i64>,
    /// How often it was handed to the client.
    pub attempts: u32,
    /// From acceptance to this, in milliseconds.
    pub latency_ms: u64,
    /// Why, when it is not stored.
    pub reason: Option<&'a str>,
}

/// Where the run stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Messages accepted in this run.
    pub accepted: u64,
    /// Messages acknowledged, those of earlier runs included.
    pub stored: u64,
    /// Messages handed to the client and not reported yet.
    pub in_flight: u64,
    /// Messages that wait in the spool for their turn.
    pub waiting: u64,
    /// Why nothing moves, when nothing does.
    pub trouble: Option<String>,
}

/// Hears what happens. Must be quick; must not fail.
pub trait Observer {
    /// One message came to its end in this run.
    fn receipt(&mut self, receipt: &Receipt<'_>);
    /// One message is handed to the client; again with each attempt.
    fn offered(&mut self, message: &Outgoing<'_>) {
        let _ = message;
    }
    /// The message with this local number in the spool was refused for good or given up, whichever run had accepted it.
    fn failed(&mut self, id: u64, why: &str) {
        let _ = (id, why);
    }
    /// Told some times a second.
    fn state(&mut self, state: &State);
}
