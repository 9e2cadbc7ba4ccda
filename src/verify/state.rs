//! What was read so far, kept in a file: to go on later, or to be joined with what others read.
//!
//! One JSON object a line, so that a person can look into it. The first line names the format and its version; the last counts the
//! lines and holds their sum (SHA-256), so that neither a file that was cut off nor one that was damaged is taken for another history.

use super::home::Excuses;
use super::lane::Lane;
use super::lines::{ExcusedLine, LaneLine, excuses_of, lane_of, line_of, lines_of};
use super::log::Counts;
use super::tracker::{Overlap, Place, Tracker};
use crate::model::{PartitionRead, ScanReport};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};

/// The format; one that changes its meaning gets another number.
const SCHEMA: &str = "mqsafe.verify-state/2";

/// Of a partition that was left to other readers, of whom none is known to have read it.
const NOBODY: &str = "no member of the group has read it";

/// What was read of one topic, by one reader or several.
#[derive(Debug, Default, Clone)]
pub struct State {
    /// The broker, as it was named.
    pub broker: String,
    /// The topic.
    pub topic: String,
    /// How it was read: what must be the same for two states to be one.
    pub how: String,
    /// The numbers.
    pub tracker: Tracker,
    /// What the broker said, and how far each partition was read.
    pub report: ScanReport,
    /// Records of aborted transactions that were handed over nevertheless; `None` where nobody could see that.
    pub aborted_read: Option<u64>,
    /// Every partition of the topic, where several readers share them: one that nobody has read is missing, not empty.
    pub shared: Vec<i32>,
    /// Whether it was kept while its first reading went on, so that the broker had not said everything yet.
    pub is_unfinished: bool,
    /// Why numbers that were not read are not missing, as it was found when the state was judged.
    pub excuses: Excuses,
    /// Whether nothing was missing when it was judged that was not looked for a second time. Whoever cannot ask the broker knows only
    /// then that what is missing is in no transaction.
    pub is_looked: bool,
    /// When the last reading began, in milliseconds since the Unix epoch; of several readers, the first.
    pub began_ms: Option<i64>,
}

/// Why a state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadState {
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is none, or damaged.
    #[error("line {line}: {why}")]
    Damaged {
        /// Which line, from 1.
        line: usize,
        /// Why.
        why: String,
    },
    /// It is of another version.
    #[error("its format is {0}, and this version of mqsafe reads {SCHEMA}")]
    Format(String),
    /// Two states are of different things.
    #[error("one is of {0}, the other of {1}")]
    Other(String, String),
    /// Both read the same offsets, each as a part of more, so that it cannot be told what was read twice.
    #[error("both read offsets {from} to {to} of {place}, each together with others")]
    Overlap {
        /// What a person calls the place.
        place: String,
        /// The first offset.
        from: i64,
        /// The last offset.
        to: i64,
    },
}

#[derive(Serialize, Deserialize)]
struct Head {
    schema: String,
    broker: String,
    topic: String,
    how: String,
    compacted: Option<bool>,
    stopped: bool,
    unread: Option<String>,
    assumption: Option<String>,
    aborted_read: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leaves: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shared: Vec<i32>,
    #[serde(default, skip_serializing_if = "is_no")]
    unfinished: bool,
    #[serde(default)]
    looked: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began_ms: Option<i64>,
}

fn is_no(is: &bool) -> bool {
    !is
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Partition(PartitionLine),
    Piece(PieceLine),
    Lane(Box<LaneLine>),
    Excused(Box<ExcusedLine>),
    End(EndLine),
}

#[derive(Serialize, Deserialize)]
struct EndLine {
    /// All lines, this one included.
    lines: usize,
    /// Of all lines before it, each with its line break.
    sha256: String,
}

fn hex(sum: &[u8]) -> String {
    sum.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[derive(Serialize, Deserialize)]
struct PartitionLine {
    node: Option<String>,
    partition: i32,
    from: i64,
    to: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log_start: Option<i64>,
    read_to: i64,
    records: u64,
    bytes: u64,
    times_ms: Option<(i64, i64)>,
    error: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct PieceLine {
    node: Option<String>,
    partition: i32,
    from: i64,
    to: i64,
    read: u64,
    stamped: u64,
    corrupt: u64,
}

impl State {
    /// Writes it. The same state gives the same bytes.
    ///
    /// # Errors
    /// As the writer.
    pub fn write(&mut self, to: &mut dyn Write) -> io::Result<()> {
        self.tracker.pause();
        let report = &self.report;
        let (mut lines, mut sum) = (0, Sha256::new());
        let mut put = |mut line: String| {
            lines += 1;
            line.push('\n');
            sum.update(&line);
            to.write_all(line.as_bytes())
        };
        put(serde_json::to_string(&Head {
            schema: SCHEMA.to_owned(),
            broker: self.broker.clone(),
            topic: self.topic.clone(),
            how: self.how.clone(),
            compacted: report.compacted,
            stopped: report.stopped,
            unread: report.unread.clone(),
            assumption: report.assumption.clone(),
            aborted_read: self.aborted_read,
            leaves: report.leaves.clone(),
            shared: self.shared.clone(),
            unfinished: self.is_unfinished,
            looked: self.is_looked,
            began_ms: self.began_ms,
        })?)?;
        for read in &report.partitions {
            put(serde_json::to_string(&Line::Partition(PartitionLine {
                node: read.node.clone(),
                partition: read.partition,
                from: read.from,
                to: read.to,
                log_start: read.log_start,
                read_to: read.read_to,
                records: read.records,
                bytes: read.bytes,
                times_ms: read.times_ms,
                error: read.error.clone(),
            }))?)?;
        }
        for (place, pieces) in self.tracker.pieces() {
            for piece in pieces {
                put(serde_json::to_string(&Line::Piece(PieceLine {
                    node: place.node.clone(),
                    partition: place.partition,
                    from: piece.from,
                    to: piece.to,
                    read: piece.counts.read,
                    stamped: piece.counts.stamped,
                    corrupt: piece.counts.corrupt,
                }))?)?;
                let lanes = self.tracker.lanes_of(piece).into_iter();
                let mut lanes: Vec<_> = lanes.map(|(no, lane)| (self.tracker.name(no), lane)).collect();
                lanes.sort_unstable_by_key(|(name, _)| *name);
                for ((producer, name), lane) in lanes {
                    put(serde_json::to_string(&Line::Lane(Box::new(line_of(
                        format!("{producer} {name}"),
                        &lane,
                    ))))?)?;
                }
            }
        }
        for line in lines_of(&self.excuses) {
            put(serde_json::to_string(&Line::Excused(Box::new(line)))?)?;
        }
        if let Some(why) = self.tracker.broken() {
            return Err(io::Error::other(why));
        }
        let end = serde_json::to_string(&Line::End(EndLine {
            lines: lines + 1,
            sha256: hex(&sum.finalize()),
        }))?;
        writeln!(to, "{end}")?;
        to.flush()
    }

    /// Writes it while a scan goes on, so that a reader who dies can go on from here. `begun` are the partitions that the scan reads.
    ///
    /// # Errors
    /// As the writer.
    pub fn write_unfinished(&mut self, begun: &[PartitionRead], to: &mut dyn Write) -> io::Result<()> {
        let (report, is_unfinished) = (self.report.clone(), self.is_unfinished);
        let is_looked = std::mem::take(&mut self.is_looked);
        self.is_unfinished |= report.partitions.is_empty();
        self.absorb(
            ScanReport {
                partitions: begun.to_vec(),
                compacted: report.compacted,
                stopped: true,
                unread: Some("the reading had not ended".to_owned()),
                ..ScanReport::default()
            },
            false,
        );
        let written = self.write(to);
        (self.report, self.is_unfinished, self.is_looked) = (report, is_unfinished, is_looked);
        written
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`BadState`] when it cannot be read, is of another version, or is not whole.
    pub fn read(from: impl BufRead) -> Result<State, BadState> {
        State::read_into(Tracker::default(), from)
    }

    /// As [`State::read`], into a tracker that may have a shelf for what takes too much memory.
    ///
    /// # Errors
    /// As there.
    pub fn read_into(tracker: Tracker, from: impl BufRead) -> Result<State, BadState> {
        let mut state = State {
            tracker,
            ..State::default()
        };
        let mut piece: Option<(Place, (i64, i64, Counts), Vec<(String, Lane)>)> = None;
        let (mut ended, mut sum) = (false, Sha256::new());
        for (no, text) in from.lines().enumerate() {
            let line = no + 1;
            let damaged = |why: String| BadState::Damaged { line, why };
            let text = text.map_err(|e| match e.kind() {
                io::ErrorKind::InvalidData => damaged("it is no text".to_owned()),
                _ => BadState::Io(e),
            })?;
            if no == 0 {
                state.head(&text, line)?;
                sum.update(&text);
                sum.update(b"\n");
                continue;
            }
            if ended {
                return Err(damaged("something follows its end".to_owned()));
            }
            let next = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
            if !matches!(next, Line::End(_)) {
                sum.update(&text);
                sum.update(b"\n");
            }
            match next {
                Line::Partition(read) if read.from.min(read.to).min(read.read_to) < 0 => {
                    return Err(damaged("an offset is negative".to_owned()));
                }
                Line::Partition(read) => state.report.partitions.push(PartitionRead {
                    partition: read.partition,
                    node: read.node,
                    from: read.from,
                    to: read.to,
                    log_start: read.log_start,
                    read_to: read.read_to,
                    records: read.records,
                    bytes: read.bytes,
                    times_ms: read.times_ms,
                    error: read.error,
                }),
                Line::Piece(next) => {
                    state.keep(piece.take(), line)?;
                    if next.from > next.to || next.from < 0 {
                        return Err(damaged("a piece ends before it begins".to_owned()));
                    }
                    let counts = Counts {
                        read: next.read,
                        stamped: next.stamped,
                        corrupt: next.corrupt,
                    };
                    let place = Place {
                        node: next.node,
                        partition: next.partition,
                    };
                    piece = Some((place, (next.from, next.to, counts), Vec::new()));
                }
                Line::Lane(read) => {
                    let lane = lane_of(&read).ok_or_else(|| damaged("a range ends before it begins".to_owned()))?;
                    let Some((_, _, lanes)) = &mut piece else {
                        return Err(damaged("a lane without a piece".to_owned()));
                    };
                    lanes.push((read.name, lane));
                }
                Line::Excused(read) => {
                    let excuses = excuses_of(&read).ok_or_else(|| damaged("what it excuses is no range".to_owned()))?;
                    state.excuses.merge(excuses);
                }
                Line::End(end) => {
                    if end.lines != line {
                        return Err(damaged(format!("{} lines were written", end.lines)));
                    }
                    if end.sha256 != hex(&std::mem::take(&mut sum).finalize()) {
                        return Err(damaged("it is not what was written: its sum differs".to_owned()));
                    }
                    ended = true;
                }
            }
        }
        if !ended {
            return Err(BadState::Damaged {
                line: 0,
                why: "its end is missing".to_owned(),
            });
        }
        state.keep(piece, 0)?;
        Ok(state)
    }

    fn head(&mut self, text: &str, line: usize) -> Result<(), BadState> {
        let no_state = |_| BadState::Damaged {
            line,
            why: "this is no state of mqsafe verify".to_owned(),
        };
        let value: serde_json::Value = serde_json::from_str(text).map_err(no_state)?;
        match value.get("schema").and_then(serde_json::Value::as_str) {
            Some(SCHEMA) => {}
            Some(other) => return Err(BadState::Format(other.to_owned())),
            None => {
                return Err(BadState::Damaged {
                    line,
                    why: "this is no state of mqsafe verify".to_owned(),
                });
            }
        }
        let head: Head = serde_json::from_value(value).map_err(|e| BadState::Damaged {
            line,
            why: e.to_string(),
        })?;
        (self.broker, self.topic, self.how) = (head.broker, head.topic, head.how);
        (self.aborted_read, self.began_ms) = (head.aborted_read, head.began_ms);
        (self.shared, self.is_unfinished, self.is_looked) = (head.shared, head.unfinished, head.looked);
        self.report = ScanReport {
            partitions: Vec::new(),
            compacted: head.compacted,
            stopped: head.stopped,
            unread: head.unread,
            assumption: head.assumption,
            leaves: head.leaves,
        };
        Ok(())
    }

    fn keep(
        &mut self,
        piece: Option<(Place, (i64, i64, Counts), Vec<(String, Lane)>)>,
        line: usize,
    ) -> Result<(), BadState> {
        let Some((place, counts, lanes)) = piece else {
            return Ok(());
        };
        let known = self.tracker.covered(place.node.as_deref(), place.partition);
        if known.iter().any(|(from, to)| counts.0 < *to && *from < counts.1) {
            return Err(BadState::Damaged {
                line,
                why: "two of its pieces lie over each other".to_owned(),
            });
        }
        self.tracker.restore(&place, counts, lanes);
        Ok(())
    }

    /// What it is of, in words.
    fn what(&self) -> String {
        format!("{} at {} ({})", self.topic, self.broker, self.how)
    }

    /// Whether it can go on with a topic: the same, read in the same way, at a broker that is named by one of the same addresses.
    ///
    /// # Errors
    /// [`BadState::Other`].
    pub fn goes_on_with(&self, next: &State) -> Result<(), BadState> {
        match (&self.topic, &self.how) == (&next.topic, &next.how) && is_one_place(&self.broker, &next.broker) {
            true => Ok(()),
            false => Err(BadState::Other(self.what(), next.what())),
        }
    }

    /// Adds what another reader read of the same topic.
    ///
    /// # Errors
    /// [`BadState::Other`] when it is of another topic, or was read in another way; [`BadState::Overlap`].
    pub fn merge(&mut self, mut other: State) -> Result<(), BadState> {
        self.goes_on_with(&other)?;
        // Who gives the same twice is not counted twice.
        let is_known = self.tracker.has_all_of(&mut other.tracker);
        if is_known {
            other.aborted_read = other.aborted_read.map(|_| 0);
            for read in &mut other.report.partitions {
                (read.records, read.bytes) = (0, 0);
            }
        }
        self.tracker
            .merge(other.tracker)
            .map_err(|Overlap { place, from, to }| BadState::Overlap {
                place: PartitionRead {
                    partition: place.partition,
                    node: place.node,
                    ..PartitionRead::default()
                }
                .name(),
                from,
                to: to - 1,
            })?;
        self.aborted_read = self
            .aborted_read
            .zip(other.aborted_read)
            .map(|(a, b): (u64, u64)| a.saturating_add(b));
        self.shared.extend(other.shared);
        self.shared.sort_unstable();
        self.shared.dedup();
        // Whoever had not heard whether the topic is compacted has no say in it.
        let heard = match (self.is_unfinished, other.is_unfinished) {
            (true, _) => other.report.compacted,
            (false, true) => self.report.compacted,
            (false, false) => both_say(self.report.compacted, other.report.compacted),
        };
        self.is_unfinished &= other.is_unfinished;
        self.is_looked &= other.is_looked;
        self.began_ms = self.began_ms.zip(other.began_ms).map(|(a, b): (i64, i64)| a.min(b));
        self.excuses.merge(other.excuses);
        self.absorb(other.report, true);
        self.report.compacted = heard;
        Ok(())
    }

    /// Takes over what the broker said in a scan whose records the tracker has noted.
    pub fn scanned(&mut self, report: ScanReport) {
        for read in &report.partitions {
            if read.read_to > read.from {
                self.tracker
                    .cover(read.node.as_deref(), read.partition, read.from, read.read_to);
            }
        }
        self.absorb(report, false);
        (self.is_unfinished, self.is_looked) = (false, false);
    }

    /// Adds a report; `keeps` says whether the faults of the one before still count.
    fn absorb(&mut self, mut report: ScanReport, keeps: bool) {
        let mine = &mut self.report;
        // Of a share, what others have read counts as unread until their states come.
        if !self.shared.is_empty() && !keeps {
            for read in &mut report.partitions {
                read.from = read.log_start.unwrap_or(read.from).min(read.from);
            }
        }
        // Nobody's word about a partition does not stand beside somebody's.
        for report in [&mut *mine, &mut report] {
            report.partitions.retain(|read| read.error.as_deref() != Some(NOBODY));
        }
        let is_first = mine.partitions.is_empty() && mine.unread.is_none();
        mine.compacted = match is_first || self.is_unfinished {
            true => report.compacted,
            false => both_say(mine.compacted, report.compacted),
        };
        mine.assumption = joined(mine.assumption.take(), report.assumption);
        mine.leaves = joined(mine.leaves.take(), report.leaves);
        if keeps {
            mine.unread = joined(mine.unread.take(), report.unread);
            mine.stopped |= report.stopped;
        } else {
            (mine.unread, mine.stopped) = (report.unread, report.stopped);
            // Only of what was asked for again; the others are as they were.
            let again = |read: &PartitionRead| {
                let mut theirs = report.partitions.iter();
                theirs.any(|p| p.partition == read.partition && p.node == read.node)
            };
            let again = mine.partitions.iter_mut().filter(|read| again(read));
            again.for_each(|read| read.error = None);
        }
        for theirs in report.partitions {
            let known = mine
                .partitions
                .iter_mut()
                .find(|p| p.partition == theirs.partition && p.node == theirs.node);
            match known {
                None => mine.partitions.push(theirs),
                Some(known) => add_read(known, theirs),
            }
        }
        self.reconcile();
    }

    /// Says of each partition what is still unread, by what all readers read.
    pub fn reconcile(&mut self) {
        for partition in &self.shared {
            let of = |read: &PartitionRead| read.node.is_none() && read.partition == *partition;
            if !self.report.partitions.iter().any(of) {
                self.report.partitions.push(PartitionRead {
                    partition: *partition,
                    error: Some(NOBODY.to_owned()),
                    ..PartitionRead::default()
                });
            }
        }
        self.report
            .partitions
            .sort_by(|a, b| (&a.node, a.partition).cmp(&(&b.node, b.partition)));
        let mut is_whole = !self.report.partitions.is_empty();
        for read in &mut self.report.partitions {
            let covered = self.tracker.covered(read.node.as_deref(), read.partition);
            let next = first_uncovered(&covered, read.from);
            read.read_to = next.min(read.to);
            // Of a partition whose offsets nobody could ask for nothing is known, least of all that it is empty.
            let is_known = read.to > read.from || read.error.is_none();
            if next >= read.to && is_known {
                // What one reader left out another has read.
                read.error = None;
                continue;
            }
            is_whole = false;
            if read.error.is_none() {
                let end = covered.iter().map(|(from, _)| *from).find(|from| *from > next);
                let end = end.unwrap_or(read.to).min(read.to);
                read.error = Some(format!("offsets {next} to {} were not read", end - 1));
            }
        }
        if is_whole {
            (self.report.stopped, self.report.unread) = (false, None);
        }
    }

    /// From which offset on a partition is still unread, where something of it was read.
    pub fn resume(&self) -> Vec<(i32, i64)> {
        let plain = self.report.partitions.iter().filter(|read| read.node.is_none());
        plain
            .map(|read| {
                let covered = self.tracker.covered(None, read.partition);
                (read.partition, first_uncovered(&covered, read.from))
            })
            .collect()
    }
}

/// The first offset from `from` on that was not read.
fn first_uncovered(covered: &[(i64, i64)], from: i64) -> i64 {
    covered.iter().fold(
        from,
        |next, (first, end)| if *first <= next { next.max(*end) } else { next },
    )
}

/// Whether two brokers, as they were named, can be one: the same kind and virtual host, and an address in common. A topic of the same
/// name at another broker is another topic, whose offsets say nothing of this one.
fn is_one_place(a: &str, b: &str) -> bool {
    /// The kind, the addresses, and what comes behind them.
    fn parts(broker: &str) -> (&str, Vec<&str>, &str) {
        let (kind, rest) = broker.split_once("://").unwrap_or(("", broker));
        let (place, behind) = rest.split_once('/').unwrap_or((rest, ""));
        let addresses = place.rsplit_once('@').map_or(place, |(_, addresses)| addresses);
        (kind, addresses.split(',').collect(), behind)
    }
    let ((kind, mine, behind), (its_kind, its, its_behind)) = (parts(a), parts(b));
    a == b || kind == its_kind && behind == its_behind && mine.iter().any(|address| its.contains(address))
}

/// What two say of compaction together.
fn both_say(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        (None, _) | (_, None) => None,
    }
}

fn joined(a: Option<String>, b: Option<String>) -> Option<String> {
    let mut all: Vec<String> = a
        .iter()
        .chain(&b)
        .flat_map(|text| text.split("; "))
        .map(str::to_owned)
        .collect();
    all.sort_unstable();
    all.dedup();
    (!all.is_empty()).then(|| all.join("; "))
}

fn add_read(known: &mut PartitionRead, more: PartitionRead) {
    known.from = known.from.min(more.from);
    known.to = known.to.max(more.to);
    known.records = known.records.saturating_add(more.records);
    known.bytes = known.bytes.saturating_add(more.bytes);
    known.times_ms = match (known.times_ms, more.times_ms) {
        (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
        (times, None) | (None, times) => times,
    };
    known.error = joined(known.error.take(), more.error);
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
