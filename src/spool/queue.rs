//! Messages that wait for their acknowledgement.
//!
//! What is accepted in one change lies together on one *sheet*, a single value of the database with marks beside it that tell
//! which of its messages have ended: a row for each message costs several times what the message itself does. A message that is
//! written down again later (because it has its lane only now, or came back from those that had failed) is a row of its own. No
//! message is in both places.

use super::schema::{self, Body};
use redb::{AccessGuard, ReadOnlyTable, ReadTransaction, ReadableTable, ReadableTableMetadata, Table, Value};
use redb::{TableError, WriteTransaction};
use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};

/// `(target, local number)`.
pub(super) type At = (u32, u64);
/// `(how many messages, whether their consumption is awaited, a bit for each that has ended)`.
pub(super) type MarksRow<'a> = (u32, bool, &'a [u8]);

/// A sheet larger than this is not written; its messages become rows.
const MOST_SHEET_BYTES: usize = 64 << 20;
/// Bytes of a number on a sheet.
const WORD: usize = 4;

/// The bodies of a sheet: how many, where each ends, and then one behind the other.
fn write_sheet(bodies: &[Body<'_>]) -> Option<Vec<u8>> {
    let head = WORD * (bodies.len() + 1);
    let mut ends = Vec::with_capacity(head);
    let mut all = Vec::new();
    ends.extend(u32::try_from(bodies.len()).ok()?.to_le_bytes());
    for body in bodies {
        all.extend_from_slice(&<Body<'static> as Value>::as_bytes(body));
        if all.len() > MOST_SHEET_BYTES {
            return None;
        }
        ends.extend((all.len() as u32).to_le_bytes());
    }
    ends.append(&mut all);
    Some(ends)
}

fn word(sheet: &[u8], no: usize) -> Option<usize> {
    let bytes = sheet.get(no * WORD..(no + 1) * WORD)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
}

/// One body of a sheet.
fn body_on(sheet: &[u8], no: usize) -> Result<Body<'_>, redb::Error> {
    let find = || {
        let head = WORD * (word(sheet, 0)? + 1);
        let from = if no == 0 { 0 } else { word(sheet, no)? };
        sheet.get(head..)?.get(from..word(sheet, no + 1)?)
    };
    let bytes = find().ok_or_else(|| damaged("a sheet of waiting messages"))?;
    Ok(<Body<'static> as Value>::from_bytes(bytes))
}

fn damaged(what: &str) -> redb::Error {
    redb::Error::Corrupted(format!("{what} is damaged"))
}

fn is_set(bits: &[u8], no: u64) -> bool {
    let byte = usize::try_from(no / 8).ok().and_then(|at| bits.get(at));
    byte.is_some_and(|byte| byte & (1 << (no % 8)) != 0)
}

/// The marks of one sheet.
#[derive(Debug)]
struct Marks {
    count: u32,
    awaits: bool,
    ended: Vec<u8>,
    left: u32,
    changed: bool,
}

impl Marks {
    fn read((count, awaits, ended): MarksRow<'_>) -> Marks {
        Marks {
            count,
            awaits,
            ended: ended.to_vec(),
            left: left((count, awaits, ended)),
            changed: false,
        }
    }
}

fn left((count, _, ended): MarksRow<'_>) -> u32 {
    count.saturating_sub(ended.iter().map(|byte| byte.count_ones()).sum())
}

/// Where a waiting message lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    at: At,
    /// The first local number of its sheet.
    sheet: Option<u64>,
    /// Whether its consumption may be awaited.
    pub(super) may_await: bool,
}

/// What waits, while it is changed. [`Queue::store`] must be called at the end.
pub(super) struct Queue<'t> {
    rows: Table<'t, At, Body<'static>>,
    sheets: Table<'t, At, &'static [u8]>,
    marks: Table<'t, At, MarksRow<'static>>,
    /// Marks that were looked at in this change.
    seen: BTreeMap<At, Marks>,
}

impl<'t> Queue<'t> {
    pub(super) fn open(txn: &'t WriteTransaction) -> Result<Queue<'t>, TableError> {
        Ok(Queue {
            rows: txn.open_table(schema::PENDING)?,
            sheets: txn.open_table(schema::SHEETS)?,
            marks: txn.open_table(schema::MARKS)?,
            seen: BTreeMap::new(),
        })
    }

    /// Writes down what ended on which sheet.
    pub(super) fn store(mut self) -> Result<(), redb::Error> {
        for (at, marks) in self.seen.iter().filter(|(_, marks)| marks.changed) {
            if marks.left == 0 {
                self.sheets.remove(at)?;
                self.marks.remove(at)?;
            } else {
                self.marks
                    .insert(at, (marks.count, marks.awaits, marks.ended.as_slice()))?;
            }
        }
        Ok(())
    }

    /// Adds messages with consecutive local numbers.
    pub(super) fn accept(&mut self, target: u32, first: u64, bodies: &[Body<'_>]) -> Result<(), redb::Error> {
        let sheet = if bodies.len() > 1 { write_sheet(bodies) } else { None };
        let Some(sheet) = sheet else {
            for (id, body) in (first..).zip(bodies) {
                self.rows.insert((target, id), body)?;
            }
            return Ok(());
        };
        let (count, awaits) = (bodies.len() as u32, bodies.iter().any(|body| body.10 > 0));
        self.sheets.insert((target, first), sheet.as_slice())?;
        self.marks.insert((target, first), (count, awaits, &[][..]))?;
        Ok(())
    }

    /// Adds one message, or writes it anew.
    pub(super) fn insert(&mut self, at: At, body: &Body<'_>) -> Result<(), redb::Error> {
        if let Some(spot) = self.find(at)?
            && spot.sheet.is_some()
        {
            self.remove(spot)?;
        }
        self.rows.insert(at, body)?;
        Ok(())
    }

    /// Where a message lies, if it waits.
    pub(super) fn find(&mut self, at: At) -> Result<Option<Spot>, redb::Error> {
        if let Some(first) = self.sheet_of(at)?
            && let Some(marks) = self.seen.get(&(at.0, first))
            && !is_set(&marks.ended, at.1 - first)
        {
            let (sheet, may_await) = (Some(first), marks.awaits);
            return Ok(Some(Spot { at, sheet, may_await }));
        }
        let spot = Spot {
            at,
            sheet: None,
            may_await: true,
        };
        Ok(self.rows.get(at)?.map(|_| spot))
    }

    /// The first local number of the sheet that was written with this message, whose marks are then among those seen.
    fn sheet_of(&mut self, at: At) -> Result<Option<u64>, redb::Error> {
        let holds = |first: u64, count: u32| (at.1 - first < u64::from(count)).then_some(first);
        let seen = self.seen.range((at.0, 0)..=at).next_back();
        if let Some(first) = seen.and_then(|((_, first), marks)| holds(*first, marks.count)) {
            return Ok(Some(first));
        }
        let Some((key, row)) = self.marks.range((at.0, 0)..=at)?.next_back().transpose()? else {
            return Ok(None);
        };
        let key = key.value();
        let found = holds(key.1, row.value().0);
        if found.is_some() {
            self.seen.entry(key).or_insert_with(|| Marks::read(row.value()));
        }
        Ok(found)
    }

    /// Looks at a message that was found.
    pub(super) fn read<R>(
        &self,
        spot: Spot,
        look: impl FnOnce(Body<'_>) -> Result<R, redb::Error>,
    ) -> Result<R, redb::Error> {
        match spot.sheet {
            Some(first) => {
                let sheet = self.sheets.get((spot.at.0, first))?;
                let sheet = sheet.ok_or_else(|| damaged("the list of waiting messages"))?;
                look(body_on(sheet.value(), number(spot.at.1 - first))?)
            }
            None => {
                let row = self.rows.get(spot.at)?;
                look(row.ok_or_else(|| damaged("the list of waiting messages"))?.value())
            }
        }
    }

    /// Takes out a message that was found.
    pub(super) fn remove(&mut self, spot: Spot) -> Result<(), redb::Error> {
        let Some(first) = spot.sheet else {
            self.rows.remove(spot.at)?;
            return Ok(());
        };
        if let Some(marks) = self.seen.get_mut(&(spot.at.0, first)) {
            let no = number(spot.at.1 - first);
            if marks.ended.len() <= no / 8 {
                marks.ended.resize(no / 8 + 1, 0);
            }
            marks.ended[no / 8] |= 1 << (no % 8);
            marks.left = marks.left.saturating_sub(1);
            marks.changed = true;
        }
        Ok(())
    }
}

fn number(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// What waits, as a reader sees it.
pub(super) struct QueueReader {
    rows: ReadOnlyTable<At, Body<'static>>,
    sheets: ReadOnlyTable<At, &'static [u8]>,
    marks: ReadOnlyTable<At, MarksRow<'static>>,
}

impl QueueReader {
    pub(super) fn open(txn: &ReadTransaction) -> Result<QueueReader, TableError> {
        Ok(QueueReader {
            rows: txn.open_table(schema::PENDING)?,
            sheets: txn.open_table(schema::SHEETS)?,
            marks: txn.open_table(schema::MARKS)?,
        })
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> Result<u64, redb::Error> {
        let mut all = self.rows.len()?;
        for row in self.marks.iter()? {
            all += u64::from(left(row?.1.value()));
        }
        Ok(all)
    }

    /// What cannot be read of the sheets, in words.
    pub(super) fn faults(&self) -> Result<Vec<String>, redb::Error> {
        let mut faults = Vec::new();
        let mut before = (0, 0);
        for row in self.marks.iter()? {
            let (key, row) = row?;
            let ((target, first), marks) = (key.value(), row.value());
            let end = first.saturating_add(u64::from(marks.0));
            let name = format!("the sheet of messages {first} to {}", end.saturating_sub(1));
            let sheet = self.sheets.get((target, first))?;
            let is_whole = |sheet: &[u8]| {
                let count = marks.0 as usize;
                let last = word(sheet, count).and_then(|last| last.checked_add(WORD * (count + 1)));
                word(sheet, 0) == Some(count)
                    && last == Some(sheet.len())
                    && (1..count).all(|no| word(sheet, no) <= word(sheet, no + 1))
            };
            if !sheet.is_some_and(|sheet| is_whole(sheet.value())) {
                faults.push(format!("{name} is missing or damaged"));
            }
            if (target, first) < before || left(marks) == 0 || marks.2.len() > (marks.0 as usize).div_ceil(8) {
                faults.push(format!("the marks of {name} fit neither it nor the next"));
            }
            before = (target, end);
        }
        for row in self.sheets.iter()? {
            let (target, first) = row?.0.value();
            if self.marks.get((target, first))?.is_none() {
                faults.push(format!("the sheet that begins with message {first} has no marks"));
            }
        }
        Ok(faults)
    }

    /// Whether a message waits.
    pub(super) fn holds(&self, at: At) -> Result<bool, redb::Error> {
        if let Some((key, row)) = self.marks.range((at.0, 0)..=at)?.next_back().transpose()? {
            let (no, (count, _, ended)) = (at.1 - key.value().1, row.value());
            if no < u64::from(count) && !is_set(ended, no) {
                return Ok(true);
            }
        }
        Ok(self.rows.get(at)?.is_some())
    }

    /// Shows the messages of a range in the order of their numbers, until `look` breaks.
    pub(super) fn visit(
        &self,
        range: RangeInclusive<At>,
        mut look: impl FnMut(At, Body<'_>) -> Result<ControlFlow<()>, redb::Error>,
    ) -> Result<ControlFlow<()>, redb::Error> {
        let (from, to) = (*range.start(), *range.end());
        let mut rows = self.rows.range(range)?;
        let mut row: Option<(AccessGuard<'_, At>, AccessGuard<'_, Body<'static>>)> = rows.next().transpose()?;
        // The sheet that begins before the range may reach into it.
        let before = self.marks.range((from.0, 0)..=from)?.next_back().transpose()?;
        let begin = before.map_or(from, |(key, _)| key.value());
        for marks in self.marks.range(begin..=to)? {
            let (key, marks) = marks?;
            let ((target, first), (count, _, ended)) = (key.value(), marks.value());
            let end = first.saturating_add(u64::from(count));
            if (target, end) <= from {
                continue;
            }
            let sheet = self.sheets.get((target, first))?;
            let sheet = sheet.ok_or_else(|| damaged("the list of waiting messages"))?;
            for id in first..end {
                let at = (target, id);
                if at < from || is_set(ended, id - first) {
                    continue;
                }
                if at > to {
                    break;
                }
                while let Some((key, body)) = row.take_if(|(key, _)| key.value() < at) {
                    if look(key.value(), body.value())?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                    row = rows.next().transpose()?;
                }
                if look(at, body_on(sheet.value(), number(id - first))?)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        while let Some((key, body)) = row {
            if look(key.value(), body.value())?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            row = rows.next().transpose()?;
        }
        Ok(ControlFlow::Continue(()))
    }
}
