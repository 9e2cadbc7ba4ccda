//! From what was read to what it proves.

use super::home::{Beginning, Facts, Home, Missing, beginning, is_later};
use super::lane::Lane;
use super::numbers::{self, Numbers};
use super::tracker::{Place, Tracker};
use super::truth::{Known, Truth};
use crate::model::{Coverage, ScanReport};
use std::collections::BTreeMap;

/// Counts of messages, one for each term of the contract. What is `None` was not judged: it needs the sender's journal, or a
/// look at the transactions of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records read.
    pub read: u64,
    /// Records with a readable stamp.
    pub stamped: u64,
    /// Numbers that were acknowledged, lie below the read horizon and within retention, and are not there.
    pub lost: Option<u64>,
    /// Numbers missing that nothing explains.
    pub gap: u64,
    /// Records whose id was read before.
    pub duplicate: u64,
    /// Records read after a larger number of their lane.
    pub reordered: u64,
    /// Records read outside their lane.
    pub moved: u64,
    /// Numbers that were acknowledged and lie where nothing was read yet.
    pub unseen: Option<u64>,
    /// Numbers below the log start or removed by compaction.
    pub expired: u64,
    /// Numbers that were never acknowledged, and are not there.
    pub unconfirmed_missing: Option<u64>,
    /// Numbers that were never acknowledged, and are there.
    pub recovered: Option<u64>,
    /// Numbers in aborted transactions.
    pub aborted: Option<u64>,
    /// Records of aborted transactions that a reader of committed ones was given.
    pub aborted_read: Option<u64>,
    /// Numbers given up by the sender, who said so.
    pub void: u64,
    /// Records whose stamp cannot be read.
    pub corrupt: u64,
    /// Lanes that hold a single number: in these nothing could be seen to be missing.
    pub single: u64,
}

/// One producer's numbers in one lane. Lists of numbers are inclusive ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaneVerdict {
    /// Who sent them.
    pub producer: String,
    /// Where order holds.
    pub lane: String,
    /// Records read.
    pub read: u64,
    /// Smallest number read.
    pub first: u64,
    /// Largest number read.
    pub last: u64,
    /// Missing numbers that nothing explains.
    pub gaps: Vec<(u64, u64)>,
    /// Acknowledged numbers that are not there.
    pub lost: Vec<(u64, u64)>,
    /// Acknowledged numbers where nothing was read yet.
    pub unseen: Vec<(u64, u64)>,
    /// Numbers read more than once.
    pub duplicates: Vec<(u64, u64)>,
    /// How often a number was read again.
    pub duplicate: u64,
    /// Records read after a larger number.
    pub reordered: u64,
    /// Records read outside the lane.
    pub moved: u64,
    /// Numbers that expired.
    pub expired: u64,
    /// Numbers given up.
    pub void: u64,
    /// Numbers that were never acknowledged, and are not there.
    pub unconfirmed_missing: u64,
    /// Numbers that were never acknowledged, and are there.
    pub recovered: u64,
    /// Numbers in aborted transactions.
    pub aborted: u64,
    /// Whether the sender's journal knows this lane.
    pub is_known: bool,
}

impl LaneVerdict {
    /// How many numbers are missing, and nothing explains it.
    pub fn gap(&self) -> u64 {
        sum(&self.gaps)
    }

    /// How many acknowledged numbers are not there.
    pub fn lost(&self) -> u64 {
        sum(&self.lost)
    }

    /// How many acknowledged numbers lie where nothing was read yet.
    pub fn unseen(&self) -> u64 {
        sum(&self.unseen)
    }

    /// Whether there is anything to say about this lane.
    pub fn is_clean(&self) -> bool {
        self.gaps.is_empty()
            && self.lost.is_empty()
            && self.unseen.is_empty()
            && self.duplicate == 0
            && self.reordered == 0
            && self.moved == 0
    }
}

/// The verdict on one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// All lanes together.
    pub totals: Totals,
    /// Each lane, by producer and name.
    pub lanes: Vec<LaneVerdict>,
    /// Whether everything was read, and what is assumed where the broker would not say.
    pub coverage: Coverage,
    /// Whether a gap is certainly no compaction.
    pub gaps_are_proven: bool,
}

impl Verdict {
    /// Whether messages are missing and it is certain that this is no compaction.
    pub fn is_missing(&self) -> bool {
        self.gaps_are_proven && (self.totals.gap > 0 || self.totals.lost.is_some_and(|lost| lost > 0))
    }
}

/// What is judged besides the numbers that were read.
#[derive(Debug, Default, Clone, Copy)]
pub struct Beside<'a> {
    /// What the sender knows, read before the scan began.
    pub truth: Option<&'a Truth>,
    /// What the broker said.
    pub facts: Option<&'a Facts>,
}

/// Judges what the tracker saw in a scan of `topic`.
pub fn judge(tracker: &mut Tracker, topic: &str, report: &ScanReport, beside: Beside<'_>) -> Verdict {
    tracker.pause();
    let none = Facts::default();
    let judge = Judge {
        tracker,
        topic,
        report,
        facts: beside.facts.unwrap_or(&none),
        compacted: report.compacted == Some(true) || report.leaves.is_some(),
    };
    let mut truth = beside.truth.cloned();
    if let Some(truth) = &mut truth {
        truth.sort();
    }
    judge.all(truth.as_ref())
}

struct Judge<'a> {
    tracker: &'a Tracker,
    topic: &'a str,
    report: &'a ScanReport,
    facts: &'a Facts,
    compacted: bool,
}

impl Judge<'_> {
    fn all(&self, truth: Option<&Truth>) -> Verdict {
        let mut lanes: Vec<LaneVerdict> = Vec::new();
        let mut of = |producer: &str, name: &str, lane: &Lane| {
            let known = truth.and_then(|truth| truth.of(producer, name));
            lanes.push(self.lane(producer, name, lane, known));
        };
        let counts = self.tracker.each(
            |place| self.window(place),
            |producer, name, lane| of(producer, name, &lane),
        );
        let by_name = |lane: &LaneVerdict, (producer, name): (&str, &str)| {
            (lane.producer.as_str(), lane.lane.as_str()).cmp(&(producer, name))
        };
        lanes.sort_unstable_by(|a, b| by_name(a, (&b.producer, &b.lane)));
        // What was acknowledged in a lane of which nothing was read is missing as a whole.
        let read = lanes.len();
        for ((producer, name), known) in truth.iter().flat_map(|truth| truth.lanes()) {
            let is_read = lanes[..read]
                .binary_search_by(|lane| by_name(lane, (producer, name)))
                .is_ok();
            if !is_read && self.is_here(name) {
                lanes.push(self.lane(producer, name, &Lane::default(), Some(known)));
            }
        }
        lanes.sort_unstable_by(|a, b| by_name(a, (&b.producer, &b.lane)));
        let of_truth = truth.map(|_| 0);
        let mut totals = Totals {
            read: counts.read,
            stamped: counts.stamped,
            corrupt: counts.corrupt,
            lost: of_truth,
            unseen: of_truth,
            unconfirmed_missing: of_truth,
            recovered: of_truth,
            aborted: self.facts.aborted_read.map(|_| 0),
            aborted_read: self.facts.aborted_read,
            ..Totals::default()
        };
        lanes.iter().for_each(|lane| totals.add(lane));
        // What may have left by itself is not missing.
        let gaps_are_proven = self.report.compacted.is_some() || self.report.leaves.is_some();
        let missing = totals.gap > 0 || totals.lost.is_some_and(|lost| lost > 0);
        let coverage = match self.report.coverage() {
            // What cannot be looked up must not look like what is not there.
            _ if let Some(why) = self.tracker.broken() => {
                Coverage::Partial(format!("what did not fit into memory cannot be had: {why}"))
            }
            Coverage::Complete if missing && !gaps_are_proven => {
                Coverage::CompleteIf("the topic is not compacted, which the broker would not say".to_owned())
            }
            coverage => coverage,
        };
        Verdict {
            totals,
            lanes,
            coverage,
            gaps_are_proven,
        }
    }

    /// From where to where a place was to be read.
    fn window(&self, place: &Place) -> Option<(i64, i64)> {
        let mut all = self.report.partitions.iter();
        let read = all.find(|read| read.partition == place.partition && read.node == place.node)?;
        (read.from < read.to).then_some((read.from, read.to))
    }

    /// Whether a lane lies in what was read.
    fn is_here(&self, lane: &str) -> bool {
        self.report.partitions.iter().any(|p| p.is_home_of(lane, self.topic))
            || lane.strip_prefix('|') == Some(self.topic)
    }

    fn lane(&self, producer: &str, name: &str, lane: &Lane, known: Option<&Known>) -> LaneVerdict {
        let read = lane.numbers();
        let first = read.first().map_or(0, |r| *r.start());
        let last = read.last().map_or(0, |r| *r.end());
        let beginning = beginning(name, self.topic, self.report);
        let mut expired = Numbers::new();
        let start = match beginning {
            Beginning::First | Beginning::NotRead => 1,
            Beginning::FirstRead => first,
        };
        if start > 1 {
            expired.insert(1..=start - 1);
        }
        let mut voids = lane.seldom().map(|rare| rare.voids.clone()).unwrap_or_default();
        if let Some(known) = known {
            numbers::add(&mut voids, &known.voids);
        }
        let of = |sets: &BTreeMap<(String, String), Numbers>| {
            let found = sets.get(&(producer.to_owned(), name.to_owned()));
            found.map(|found| numbers::minus(found, &read)).unwrap_or_default()
        };
        let (mut aborted, held_back) = (of(&self.facts.excuses.aborted), of(&self.facts.excuses.held_back));
        if let Some(known) = known {
            // What was acknowledged was committed: the copy in an aborted transaction excuses nothing.
            aborted = numbers::minus(&aborted, &known.acked);
        }
        let mut excused = read.clone();
        numbers::add(&mut excused, &voids);
        numbers::add(&mut excused, &aborted);
        numbers::add(&mut excused, &held_back);
        numbers::add(&mut excused, &of(&self.facts.excuses.set_aside));
        let home = Home::of(name, self.topic, self.report, self.facts, self.tracker);
        let mut gaps = Numbers::new();
        if start <= last && last > 0 && beginning != Beginning::NotRead {
            gaps.extend(excused.gaps(&(start..=last)));
            if let Some(rare) = lane.seldom() {
                gaps = numbers::minus(&gaps, &rare.unread);
            }
            if home.as_ref().is_some_and(|home| home.may_hide_all(lane.seen())) {
                gaps.clear();
            }
        }
        let mut missing = Missing::default();
        let (mut unconfirmed_missing, mut recovered) = (Numbers::new(), Numbers::new());
        if let Some(known) = known {
            // Where messages leave by being consumed, or only some are routed to, what was acknowledged says nothing of what is there.
            if home.as_ref().is_none_or(Home::is_judged) {
                missing = missing_of(
                    home.as_ref(),
                    lane,
                    known,
                    &excused,
                    &held_back,
                    (beginning, self.facts.began_ms),
                );
                gaps = numbers::minus(&gaps, &known.acked);
            }
            gaps = numbers::minus(&gaps, &known.open);
            let open = numbers::minus(&known.open, &known.acked);
            unconfirmed_missing = numbers::minus(&open, &excused);
            recovered = numbers::both(&open, &read);
        }
        if self.compacted {
            numbers::add(&mut expired, &gaps);
            numbers::add(&mut expired, &missing.lost);
            (gaps, missing.lost) = (Numbers::new(), Numbers::new());
        }
        numbers::add(&mut expired, &missing.expired);
        let repeated = lane.seldom().map(|rare| numbers::ranges(&rare.repeated));
        LaneVerdict {
            producer: producer.to_owned(),
            lane: name.to_owned(),
            read: lane.read(),
            first,
            last,
            gaps: numbers::ranges(&gaps),
            lost: numbers::ranges(&missing.lost),
            unseen: numbers::ranges(&missing.unseen),
            duplicates: repeated.unwrap_or_default(),
            duplicate: lane.duplicates(),
            reordered: lane.reordered(),
            moved: lane.moved(),
            expired: numbers::count(&expired),
            void: numbers::count(&voids),
            unconfirmed_missing: numbers::count(&unconfirmed_missing),
            recovered: numbers::count(&recovered),
            aborted: numbers::count(&aborted),
            is_known: known.is_some(),
        }
    }
}

/// What became of acknowledged numbers that were not read.
fn missing_of(
    home: Option<&Home>,
    lane: &Lane,
    known: &Known,
    excused: &Numbers,
    held_back: &Numbers,
    (beginning, began_ms): (Beginning, Option<i64>),
) -> Missing {
    let absent = numbers::minus(&known.acked, excused);
    let mut missing = match (home, beginning) {
        (_, Beginning::NotRead) => Missing::default(),
        (Some(home), _) => home.sort(&absent, known, lane.seen()),
        // A copy of another topic: what is above the last number may still come.
        (None, _) => {
            let last = lane.numbers().last().map_or(0, |r| *r.end());
            let later = known.runs.iter().filter(|run| is_later(run, began_ms));
            let later: Numbers = later.map(|run| run.first..=run.last).collect();
            let lost = numbers::minus(&numbers::within(&absent, 1, last), &later);
            Missing {
                unseen: numbers::minus(&absent, &lost),
                lost,
                expired: Numbers::new(),
            }
        }
    };
    numbers::add(&mut missing.unseen, &numbers::both(held_back, &known.acked));
    missing
}

impl Totals {
    /// Adds a lane. A hostile stamp can claim any number; a sum that would overflow is as large as it gets.
    fn add(&mut self, lane: &LaneVerdict) {
        let more = |to: &mut u64, n: u64| *to = to.saturating_add(n);
        let judged = |to: &mut Option<u64>, n: u64| *to = to.map(|sum| sum.saturating_add(n));
        more(&mut self.gap, lane.gap());
        more(&mut self.duplicate, lane.duplicate);
        more(&mut self.reordered, lane.reordered);
        more(&mut self.moved, lane.moved);
        more(&mut self.expired, lane.expired);
        more(&mut self.void, lane.void);
        more(&mut self.single, u64::from(lane.read > 0 && lane.first == lane.last));
        judged(&mut self.lost, lane.lost());
        judged(&mut self.unseen, lane.unseen());
        judged(&mut self.unconfirmed_missing, lane.unconfirmed_missing);
        judged(&mut self.recovered, lane.recovered);
        judged(&mut self.aborted, lane.aborted);
    }
}

fn sum(ranges: &[(u64, u64)]) -> u64 {
    ranges.iter().fold(0, |sum, &(from, to)| {
        u64::saturating_add(sum, numbers::length(&(from..=to)))
    })
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
