//! Which numbers of which lane were read, and how.
//!
//! Interval sets, not counters: memory grows with gaps and not with messages. One record costs two look-ups and no allocation.
//!
//! A log is read in **pieces**: stretches of offsets of one place (a partition or a queue), each in the order of its offsets.
//! Pieces come in any order, from any number of readers; a position that was read before is not counted again. What the
//! pieces say together is found by joining them in the order of the log, so that it does not depend on how it was cut.

use super::lane::Lane;
use super::log::{Counts, Log, Piece};
use super::shelf::{Shelf, Shelves};
use crate::model::{ORIGIN_HEADER, Record, STAMP_HEADER, Stamp, VOID_HEADER, Voids};
use std::borrow::Cow;
use std::collections::HashMap;

/// A partition, or a queue of a named broker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The broker of a RocketMQ queue, by its name.
    pub node: Option<String>,
    /// The partition or queue id.
    pub partition: i32,
}

/// Names of lanes by number.
#[derive(Debug, Default, Clone)]
struct Names {
    /// `PRODUCER LANE`, as it stands in a stamp.
    all: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        // Each name takes more than a byte, so that memory ends before the numbers do.
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(name.into());
        self.numbers.insert(name.into(), number);
        number
    }

    fn of(&self, number: u32) -> (&str, &str) {
        let name = self.all.get(number as usize).map_or("", |name| name);
        name.split_once(' ').unwrap_or((name, ""))
    }
}

/// What the last record was, because the next is most often of the same.
#[derive(Debug, Default, Clone)]
struct Last {
    name: Vec<u8>,
    number: u32,
    /// Whether its place is its lane, where that follows from the place alone.
    place: Option<(usize, bool)>,
}

/// All that was read, by place, producer and lane.
#[derive(Debug, Default, Clone)]
pub struct Tracker {
    names: Names,
    pub(super) places: Vec<Place>,
    pub(super) logs: Vec<Log>,
    /// Where pieces go when they take too much memory.
    pub(super) shelves: Option<Shelves>,
    at: usize,
    last: Last,
    /// Records read, those at positions read before included.
    pub handed: u64,
    /// Records with a stamp among them.
    pub stamped: u64,
    /// Whether a message counts as what it was before it was sent anew, where it says so: a copy in another place is compared
    /// with its origin.
    pub by_origin: bool,
    /// Planted by a test that must find it.
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    pub fault: Option<Fault>,
}

/// What a test plants, to see that it is found.
#[cfg(feature = "test-hooks")]
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Numbers given up are not noted.
    ForgetsVoids,
    /// What lies outside its lane counts as if it lay in it.
    TakesMovedForHome,
    /// What is read again counts again.
    CountsAgain,
    /// A number at the end of a stretch is forgotten.
    ForgetsTheLast,
    /// What does not fit into memory is dropped.
    ForgetsTheShelf,
}

/// What a record says of its own number.
enum Says<'a> {
    Nothing,
    Corrupt,
    Stamp(u64, &'a [u8], Option<&'a [u8]>),
}

impl Tracker {
    /// Takes note of one record of a topic. It goes on with the piece of its place that was read last, or begins a new one where
    /// its offset is not larger than the last.
    pub fn insert(&mut self, topic: &str, record: &Record<'_>) {
        let says = says(record, self.by_origin);
        self.note(topic, record, &says, false);
    }

    /// As [`Tracker::insert`], for a record that was numbered by somebody else: in the lane that is its place.
    pub fn insert_foreign(&mut self, topic: &str, record: &Record<'_>, id: Option<Result<(u64, &str), ()>>) {
        let name = id.and_then(Result::ok).map(|(_, producer)| {
            let place = match record.node {
                Some(node) => format!("{topic}/{node}/{}", record.partition),
                None => format!("{topic}/{}", record.partition),
            };
            format!("{producer} {place}")
        });
        let says = match (id, &name) {
            (None, _) => Says::Nothing,
            (Some(Ok((seq, _))), Some(name)) if seq > 0 => Says::Stamp(seq, name.as_bytes(), None),
            (Some(_), _) => Says::Corrupt,
        };
        self.note(topic, record, &says, true);
    }

    /// Takes note of consecutive numbers that lie one after the other, from `offset` on.
    pub fn insert_run(
        &mut self,
        topic: &str,
        place: (Option<&str>, i32),
        offset: (i64, i64),
        producer: &str,
        run: (u64, u64),
    ) {
        let lane = match place.0 {
            Some(node) => format!("{topic}/{node}/{}", place.1),
            None => format!("{topic}/{}", place.1),
        };
        let number = self.names.number(&format!("{producer} {lane}"));
        let at = self.place(place.0, place.1);
        let count = (run.1 - run.0).saturating_add(1);
        self.handed += count;
        let Some(piece) = self.logs[at].piece(offset.0) else {
            return;
        };
        piece.to = offset.1.saturating_add(1).max(piece.to);
        piece.counts.read += count;
        piece.counts.stamped += count;
        self.stamped += count;
        piece.lanes.entry(number).or_default().insert_all(run.0, run.1);
    }

    /// `is_at_home`: its lane was named after the place where it lies.
    fn note(&mut self, topic: &str, record: &Record<'_>, says: &Says<'_>, is_at_home: bool) {
        self.handed += 1;
        let at = self.place(record.node, record.partition);
        let (seq, name, voids) = match says {
            Says::Nothing => {
                if let Some(piece) = self.logs[at].piece(record.offset) {
                    piece.counts.read += 1;
                }
                return;
            }
            Says::Corrupt => {
                if let Some(piece) = self.logs[at].piece(record.offset) {
                    piece.counts.read += 1;
                    piece.counts.corrupt += 1;
                }
                return;
            }
            Says::Stamp(seq, name, voids) => (*seq, *name, *voids),
        };
        self.stamped += 1;
        if self.last.name != name {
            let text = std::str::from_utf8(name).unwrap_or_default();
            let number = self.names.number(text);
            self.last.name.clear();
            self.last.name.extend_from_slice(name);
            (self.last.number, self.last.place) = (number, None);
        }
        let is_home = match self.last.place {
            _ if is_at_home => true,
            // Where a message of RabbitMQ belongs, its own exchange and key say.
            Some((known, is_home)) if known == at && record.exchange.is_none() => is_home,
            _ => {
                let lane = self.names.of(self.last.number).1;
                let is_home = record.is_in(lane, topic);
                self.last.place = Some((at, is_home));
                is_home
            }
        };
        #[cfg(feature = "test-hooks")]
        let (is_home, voids) = match self.fault {
            Some(Fault::TakesMovedForHome) => (true, voids),
            Some(Fault::ForgetsVoids) => (is_home, None),
            Some(Fault::CountsAgain) => {
                let log = &mut self.logs[at];
                if log.has(record.offset)
                    && let Some((_, known)) = log.done.range_mut(..=record.offset).next_back()
                {
                    let lane = known.lanes.entry(self.last.number).or_default();
                    lane.insert(seq);
                    lane.settle();
                }
                (is_home, voids)
            }
            Some(Fault::ForgetsTheLast) if seq % 16 == 0 => return,
            Some(Fault::ForgetsTheLast | Fault::ForgetsTheShelf) | None => (is_home, voids),
        };
        let Some(piece) = self.logs[at].piece(record.offset) else {
            return;
        };
        piece.counts.read += 1;
        piece.counts.stamped += 1;
        let lane = piece.lanes.entry(self.last.number).or_default();
        if is_home {
            lane.insert(seq);
        } else {
            lane.insert_away(seq);
        }
        // Whether it can be read was looked at before.
        let voids = voids.and_then(|voids| Voids::parse(voids).ok());
        for &(from, to) in voids.iter().flat_map(|v| v.ranges()) {
            lane.rare().voids.insert(from..=to);
        }
    }

    fn place(&mut self, node: Option<&str>, partition: i32) -> usize {
        let is = |place: &Place| place.partition == partition && place.node.as_deref() == node;
        if self.places.get(self.at).is_some_and(is) {
            return self.at;
        }
        self.at = self.places.iter().position(is).unwrap_or_else(|| {
            self.places.push(Place {
                node: node.map(str::to_owned),
                partition,
            });
            self.logs.push(Log::default());
            self.places.len() - 1
        });
        self.at
    }

    /// Everything of a place between two offsets (the second exclusive) was read, also where no record lies.
    pub fn cover(&mut self, node: Option<&str>, partition: i32, from: i64, to: i64) {
        let at = self.place(node, partition);
        self.logs[at].cover(from, to);
    }

    /// What is read next does not go on with what was read before, even where its offset is larger.
    pub fn pause(&mut self) {
        self.logs.iter_mut().for_each(Log::close);
    }

    /// The stretches that were read of a place, in order; the second offset is exclusive.
    pub fn covered(&self, node: Option<&str>, partition: i32) -> Vec<(i64, i64)> {
        let is = |place: &Place| place.partition == partition && place.node.as_deref() == node;
        let Some(at) = self.places.iter().position(is) else {
            return Vec::new();
        };
        let log = &self.logs[at];
        let mut all: Vec<(i64, i64)> = log.done.values().chain(&log.open).map(|p| (p.from, p.to)).collect();
        all.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::with_capacity(all.len());
        for (from, to) in all {
            match joined.last_mut() {
                Some(last) if last.1 >= from => last.1 = last.1.max(to),
                Some(_) | None => joined.push((from, to)),
            }
        }
        joined
    }

    /// How many ranges are held, which is what memory grows with, and how many lanes.
    pub fn weight(&self) -> (usize, usize) {
        let pieces = self.logs.iter().flat_map(|log| log.done.values().chain(&log.open));
        let (mut ranges, mut lanes) = (0, 0);
        for piece in pieces {
            lanes += piece.lanes.len();
            ranges += piece.lanes.values().map(Lane::weight).sum::<usize>();
        }
        (ranges, lanes)
    }

    /// Adds everything that another reader read. Positions that both read count once: those of the other are left out, where
    /// they are part of a longer piece that is told as a fault.
    ///
    /// # Errors
    /// The place and the offsets that both read only in part, when what they say of them cannot be told apart.
    pub fn merge(&mut self, other: Tracker) -> Result<(), Overlap> {
        let mut other = other;
        other.pause();
        self.pause();
        for (place, log) in other.places.iter().zip(&other.logs) {
            for piece in log.done.values() {
                self.fits(place, piece)?;
            }
        }
        let theirs = other.shelves;
        for (place, log) in other.places.into_iter().zip(other.logs) {
            let at = self.place(place.node.as_deref(), place.partition);
            for (_, piece) in log.done {
                let is_known = self.logs[at].has(piece.from);
                if is_known {
                    continue;
                }
                let all = match (&piece.shelved, &theirs) {
                    (Some(shelved), Some(shelves)) => shelves.bring_back(shelved),
                    (Some(_), None) | (None, _) => piece.lanes,
                };
                let lanes = all.into_iter().map(|(number, lane)| {
                    let name = other.names.all.get(number as usize).map_or("", |name| name);
                    (self.names.number(name), lane)
                });
                let lanes = lanes.collect();
                self.handed = self.handed.saturating_add(piece.counts.read);
                self.stamped = self.stamped.saturating_add(piece.counts.stamped);
                self.logs[at].open = Some(Piece {
                    lanes,
                    shelved: None,
                    ..piece
                });
                self.logs[at].close();
                self.spill();
            }
        }
        let why = theirs.as_ref().and_then(Shelves::broken);
        let mine = self.shelves.as_ref().or(theirs.as_ref());
        if let (Some(mine), Some(why)) = (mine, why) {
            mine.breaks(why);
        }
        self.shelves = self.shelves.take().or(theirs);
        Ok(())
    }

    /// Whether everything that another reader read was read here too.
    pub(super) fn has_all_of(&mut self, other: &mut Tracker) -> bool {
        self.pause();
        other.pause();
        let all = other.places.iter().zip(&other.logs);
        all.flat_map(|(place, log)| log.done.values().map(move |piece| (place, piece)))
            .all(|(place, piece)| {
                let covered = self.covered(place.node.as_deref(), place.partition);
                covered.iter().any(|(from, to)| *from <= piece.from && piece.to <= *to)
            })
    }

    /// A piece of another reader must be wholly new, or wholly known.
    fn fits(&self, place: &Place, piece: &Piece) -> Result<(), Overlap> {
        let overlaps = |(from, to): &(i64, i64)| *from < piece.to && piece.from < *to;
        let covered = self.covered(place.node.as_deref(), place.partition);
        let clash = covered.into_iter().find(overlaps);
        let is_inside = |(from, to): &(i64, i64)| *from <= piece.from && piece.to <= *to;
        let clash = clash
            .filter(|known| !is_inside(known))
            .map(|(from, to)| (from.max(piece.from), to.min(piece.to)));
        match clash {
            None => Ok(()),
            Some((from, to)) => Err(Overlap {
                place: place.clone(),
                from,
                to,
            }),
        }
    }

    /// Moves what was read out of memory, where it takes too much.
    pub fn spill(&mut self) {
        let Some(shelves) = self.shelves.as_ref().filter(|_| self.weight().0 > self.limit()) else {
            return;
        };
        for log in &mut self.logs {
            log.close();
            for piece in log.done.values_mut().filter(|piece| !piece.lanes.is_empty()) {
                #[cfg(feature = "test-hooks")]
                if self.fault == Some(Fault::ForgetsTheShelf) {
                    piece.lanes.clear();
                    continue;
                }
                match shelves.put(&piece.lanes) {
                    Some(shelved) => {
                        piece.lanes = HashMap::new();
                        piece.shelved = Some(shelved);
                    }
                    // It stays where it is, and nothing more is read.
                    None => return,
                }
            }
        }
    }

    fn limit(&self) -> usize {
        self.shelves.as_ref().map_or(usize::MAX, |shelves| shelves.limit)
    }

    /// Keeps what takes more than so many ranges on these shelves.
    pub fn shelve(&mut self, shelf: Box<dyn Shelf>, limit: usize) {
        self.shelves = Some(Shelves::new(shelf, limit));
    }

    /// Why what was moved out of memory cannot be had; whatever is said then is not the whole.
    pub fn broken(&self) -> Option<String> {
        self.shelves.as_ref().and_then(Shelves::broken)
    }

    /// The lanes of a piece, wherever they are.
    pub(super) fn lanes_of<'a>(&'a self, piece: &'a Piece) -> Vec<(u32, Cow<'a, Lane>)> {
        match (&piece.shelved, &self.shelves) {
            (Some(shelved), Some(shelves)) => {
                let all = shelves.bring_back(shelved).into_iter();
                all.map(|(no, lane)| (no, Cow::Owned(lane))).collect()
            }
            (Some(_), None) | (None, _) => piece
                .lanes
                .iter()
                .map(|(no, lane)| (*no, Cow::Borrowed(lane)))
                .collect(),
        }
    }

    /// Every place with what was read of it, in order. Nothing may be open.
    pub(super) fn pieces(&self) -> Vec<(&Place, Vec<&Piece>)> {
        let logs = self.places.iter().zip(&self.logs);
        let mut all: Vec<(&Place, Vec<&Piece>)> =
            logs.map(|(place, log)| (place, log.done.values().collect())).collect();
        all.sort_unstable_by_key(|(place, _)| *place);
        all
    }

    /// The producer and the lane of a name.
    pub(super) fn name(&self, number: u32) -> (&str, &str) {
        self.names.of(number)
    }

    /// Adds a piece as it was saved. It must not touch another.
    pub(super) fn restore(&mut self, place: &Place, counts: (i64, i64, Counts), lanes: Vec<(String, Lane)>) {
        let at = self.place(place.node.as_deref(), place.partition);
        let (from, to, counts) = counts;
        let lanes = lanes
            .into_iter()
            .map(|(name, lane)| (self.names.number(&name), lane))
            .collect();
        self.handed = self.handed.saturating_add(counts.read);
        self.stamped = self.stamped.saturating_add(counts.stamped);
        self.logs[at].open = Some(Piece {
            from,
            to,
            counts,
            lanes,
            shelved: None,
        });
        self.logs[at].close();
        self.spill();
    }
}

/// Two readers read the same offsets, each as a part of more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// Where.
    pub place: Place,
    /// The first offset.
    pub from: i64,
    /// The end (exclusive).
    pub to: i64,
}

/// Looks at the headers once.
fn says<'a>(record: &Record<'a>, by_origin: bool) -> Says<'a> {
    let (mut stamp, mut voids, mut origin) = (None, None, None);
    for (name, value) in &record.headers {
        // The first of a name counts.
        if by_origin && origin.is_none() && name == ORIGIN_HEADER.as_bytes() {
            origin = Some(value);
        } else if stamp.is_none() && name == STAMP_HEADER.as_bytes() {
            stamp = Some(value);
        } else if voids.is_none() && name == VOID_HEADER.as_bytes() {
            voids = value;
        }
    }
    let Some(stamp) = origin.or(stamp) else {
        return Says::Nothing;
    };
    let Some(stamp) = stamp else { return Says::Corrupt };
    if voids.is_some_and(|voids| Voids::parse(voids).is_err()) {
        return Says::Corrupt;
    }
    match Stamp::parse(stamp) {
        Ok(read) => {
            let name = stamp
                .iter()
                .position(|b| *b == b' ')
                .map_or(&[][..], |at| &stamp[at + 1..]);
            Says::Stamp(read.seq, name, voids)
        }
        Err(_) => Says::Corrupt,
    }
}
