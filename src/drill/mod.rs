//! What a drill shows: the same messages under the same faults, sent carelessly and sent with care. Results only.

/// What a careless application believes when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Belief {
    /// Messages handed to the client.
    pub sent: u64,
    /// Messages that the application takes for stored.
    pub believed: u64,
}

/// What a run sent, what it believes, and what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// What the application believes.
    pub belief: Belief,
    /// Different messages that `verify` read.
    pub there: u64,
    /// Messages that are there once more.
    pub duplicates: u64,
}

impl Sight {
    /// Messages that are believed to be there and are not.
    pub fn lost(&self) -> u64 {
        self.belief.believed.saturating_sub(self.there)
    }
}

/// One line of a drill's table.
#[derive(Debug, Clone)]
pub struct Row {
    /// The run's name.
    pub run: &'static str,
    /// The setting, as its owner would write it.
    pub setting: &'static str,
    /// Careless habits that were taken away.
    pub without: Vec<String>,
    /// What was sent, believed and found.
    pub sight: Sight,
    /// The audit rules that say so; none for a careful run.
    pub rules: &'static [&'static str],
}
