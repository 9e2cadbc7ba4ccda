//! `fsck`: whether a store is what the program would have written.

use super::overlay::Overlay;
use super::queue::QueueReader;
use super::schema::{self, Body};
use super::{CACHE_BYTES, Phase, Retry, SpoolError, Stats, Together, dir, seen, together};
use crate::model::Voids;
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;

/// One thing that should not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What was found.
    pub what: String,
    /// What that means for messages.
    pub means: &'static str,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// What is wrong, one by one up to a hundred.
    pub faults: Vec<Fault>,
    /// Faults beyond those.
    pub more: u64,
    /// What the store holds.
    pub held: Stats,
}

/// A damaged store may have a fault for each message; nobody reads a million.
const MOST_FAULTS: usize = 100;

impl Checked {
    fn fault(&mut self, what: impl Into<String>, means: &'static str) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault {
                what: what.into(),
                means,
            });
        } else {
            self.more += 1;
        }
    }
}

/// Reads a store without writing to its file: what redb must mend to read it is mended in memory.
///
/// # Errors
/// [`SpoolError`] when it cannot be read at all, or is of another format.
pub fn check(database: &Path) -> Result<Checked, SpoolError> {
    let file = File::open(database).map_err(|e| SpoolError::io(database, e))?;
    let overlay = Overlay::new(file).map_err(|e| SpoolError::io(database, e))?;
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    guarded(database, || {
        let db = builder.create_with_backend(overlay);
        examine(database, db.map_err(|e| SpoolError::database(Some(database), e))?)
    })
}

/// Copies a store's file to a place beside it, whole and synced, and returns that.
///
/// # Errors
/// [`SpoolError`] when it cannot be copied.
pub fn copy_aside(database: &Path) -> Result<PathBuf, SpoolError> {
    let copy = database.with_extension(format!("redb.{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ")));
    let part = database.with_extension("redb.part");
    std::fs::copy(database, &part)
        .and_then(|_| File::open(&part)?.sync_all())
        .and_then(|()| std::fs::rename(&part, &copy))
        .map_err(|e| SpoolError::io(&copy, e))?;
    dir::sync(&copy)?;
    Ok(copy)
}

/// Lets redb mend its file. Says whether anything was mended beyond what opening it mends.
///
/// # Errors
/// [`SpoolError`] when it cannot be mended.
pub fn repair(database: &Path) -> Result<bool, SpoolError> {
    guarded(database, || {
        let mut db = super::create(database, &super::growth::Growth::default())?;
        db.check_integrity()
            .map(|clean| !clean)
            .map_err(|e| SpoolError::database(Some(database), e))
    })
}

thread_local! {
    /// Whether a panic of this thread is an answer and not a fault of ours.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// redb was not made for hostile bytes: where it would end the program, the store is unreadable.
fn guarded<T>(database: &Path, work: impl FnOnce() -> Result<T, SpoolError>) -> Result<T, SpoolError> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let said = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !EXPECTED.get() {
                said(panic);
            }
        }));
    });
    EXPECTED.set(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    EXPECTED.set(false);
    done.unwrap_or_else(|_| {
        let why = "the bytes are not those of a database";
        Err(SpoolError::io(
            database,
            io::Error::new(io::ErrorKind::InvalidData, why),
        ))
    })
}

fn examine(path: &Path, mut db: Database) -> Result<Checked, SpoolError> {
    let failed = |e: redb::Error| SpoolError::database(Some(path), e);
    let mut checked = Checked::default();
    if !db.check_integrity().map_err(|e| failed(e.into()))? {
        checked.fault(
            "redb's own structure is damaged",
            "redb can mend it: run it again with --repair; what it cannot mend is named below",
        );
    }
    let txn = db.begin_read().map_err(|e| failed(e.into()))?;
    let meta = schema::read_meta(&txn).map_err(failed)?;
    let Some(meta) = meta else {
        checked.fault("it does not say what it is", "it was never used, or was damaged");
        return Ok(checked);
    };
    if meta.format != schema::FORMAT {
        return Err(SpoolError::Format {
            path: path.to_owned(),
            found: meta.format,
        });
    }
    Examination::begin(&txn, meta.next_id, &mut checked)
        .and_then(|mut all| all.run())
        .map_err(failed)?;
    Ok(checked)
}

/// A table that a store has only once it was needed.
fn optional<K: redb::Key + 'static, V: redb::Value + 'static>(
    txn: &ReadTransaction,
    table: TableDefinition<'_, K, V>,
) -> Result<Option<redb::ReadOnlyTable<K, V>>, redb::Error> {
    match txn.open_table(table) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Who has a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    Confirmed,
    Pending,
    Failed,
    Void,
}

impl Holder {
    const fn word(self) -> &'static str {
        match self {
            Holder::Confirmed => "confirmed",
            Holder::Pending => "pending",
            Holder::Failed => "failed",
            Holder::Void => "void",
        }
    }
}

const AS_ONE: &str = "one of them would be taken for the other: do not send from this store; export what it holds";
const NO_TARGET: &str = "nobody knows where it was to go; export it and send it again";
const UNREAD: &str =
    "messages that wait cannot be read: do not send from this store; verify what arrived, and send the rest again";
const LEFT_OVER: &str = "harmless: nothing is sent because of it";

/// The numbers of the lanes, with who has them: `(first, last, holder)`.
type Numbers = HashMap<(String, String), Vec<(u64, u64, Holder)>>;

struct Examination<'a> {
    txn: &'a ReadTransaction,
    checked: &'a mut Checked,
    next_id: u64,
    targets: BTreeMap<u32, String>,
    names: BTreeMap<(u32, i32), String>,
    numbers: Numbers,
}

impl<'a> Examination<'a> {
    fn begin(txn: &'a ReadTransaction, next_id: u64, checked: &'a mut Checked) -> Result<Examination<'a>, redb::Error> {
        let mut targets = BTreeMap::new();
        for row in txn.open_table(schema::TARGETS)?.iter()? {
            let (no, name) = row?;
            targets.insert(no.value(), name.value().1.to_owned());
        }
        let mut names = BTreeMap::new();
        for row in txn.open_table(schema::LANE_NAMES)?.iter()? {
            let (key, name) = row?;
            names.insert(key.value(), name.value().to_owned());
        }
        Ok(Examination {
            txn,
            checked,
            next_id,
            targets,
            names,
            numbers: HashMap::new(),
        })
    }

    fn run(&mut self) -> Result<(), redb::Error> {
        self.names();
        self.pending()?;
        self.failed()?;
        self.confirmed()?;
        self.awaiting()?;
        self.scheduled()?;
        self.undecided()?;
        self.seen()?;
        self.lanes()?;
        self.inputs()
    }

    fn lane(&self, target: u32, partition: i32) -> String {
        let topic = self.targets.get(&target).map_or("", String::as_str);
        self.names
            .get(&(target, partition))
            .cloned()
            .unwrap_or_else(|| format!("{topic}/{partition}"))
    }

    fn names(&mut self) {
        let mut next: BTreeMap<u32, i32> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for ((target, no), name) in &self.names {
            let expected = next.entry(*target).or_default();
            if no != expected || !seen.insert((target, name)) {
                self.checked.fault(
                    format!("lane name {name:?} has number {no} of target {target}, where {expected} is due"),
                    "messages would go to another lane than their stamps say: do not send from this store",
                );
            }
            *expected = no.saturating_add(1);
        }
    }

    /// What holds for every message, wherever it stands.
    fn body(&mut self, what: &str, (target, id): (u32, u64), body: &Body<'_>) -> Option<String> {
        let (partition, seq, _, _, producer, voids, ..) = body;
        let name = format!("{what} message {id}");
        if !self.targets.contains_key(&target) {
            self.checked
                .fault(format!("{name} is for target {target}, which is not there"), NO_TARGET);
        }
        if id >= self.next_id {
            self.checked.fault(
                format!("{name} is not below the next local number {}", self.next_id),
                "a new message would take its place: do not send from this store",
            );
        }
        if Voids::parse(voids.as_bytes()).is_err() {
            self.checked.fault(
                format!("{name} carries {voids:?}, which is no list of numbers"),
                "a reader would call its stamp corrupt",
            );
        }
        if *seq == 0 {
            if *partition < schema::LAST_WAY {
                self.checked.fault(
                    format!("{name} asks for its lane in way {partition}, which there is not"),
                    "it waits for ever: export it and send it again",
                );
            }
            return None;
        }
        if *partition < 0 || producer.is_empty() || producer.contains(' ') {
            self.checked.fault(
                format!("{name} has number {seq} of {producer:?} in partition {partition}"),
                "its stamp cannot be read back",
            );
        }
        Some(self.lane(target, *partition))
    }

    fn hold(&mut self, producer: &str, lane: String, first: u64, last: u64, holder: Holder) {
        let lane = self.numbers.entry((producer.to_owned(), lane)).or_default();
        lane.push((first, last, holder));
    }

    fn pending(&mut self) -> Result<(), redb::Error> {
        let retries = self.txn.open_table(schema::RETRIES)?;
        let queue = QueueReader::open(self.txn)?;
        let faults = queue.faults()?;
        for fault in &faults {
            self.checked.fault(fault, UNREAD);
        }
        if !faults.is_empty() {
            return Ok(());
        }
        let _ = queue.visit((0, 0)..=(u32::MAX, u64::MAX), |at, body| {
            self.checked.held.pending += 1;
            let Some(lane) = self.body("pending", at, &body) else {
                return Ok(ControlFlow::Continue(()));
            };
            let retry = retries.get(at)?.map(|row| Retry::from_row(row.value()));
            // One that nobody consumed is sent again under the number that was confirmed.
            let again = body.10 > 0 && retry.is_some_and(|r| r.in_doubt);
            if !(again && self.is_confirmed(body.4, &lane, body.1)?) {
                self.hold(body.4, lane, body.1, body.1, Holder::Pending);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for row in retries.iter()? {
            let (key, _) = row?;
            let at = key.value();
            if !queue.holds(at)? {
                self.checked.fault(
                    format!("attempts are kept for message {}, which does not wait", at.1),
                    LEFT_OVER,
                );
            }
        }
        Ok(())
    }

    fn is_confirmed(&self, producer: &str, lane: &str, seq: u64) -> Result<bool, redb::Error> {
        super::change::holds(&self.txn.open_table(schema::CONFIRMED)?, producer, lane, seq)
    }

    fn failed(&mut self) -> Result<(), redb::Error> {
        for row in self.txn.open_table(schema::FAILED)?.iter()? {
            let (key, row) = row?;
            let (_, void, _, _, body) = row.value();
            self.checked.held.failed += 1;
            let Some(lane) = self.body("failed", key.value(), &body) else {
                continue;
            };
            let again = !void && body.10 > 0 && self.is_confirmed(body.4, &lane, body.1)?;
            if !again {
                let holder = if void { Holder::Void } else { Holder::Failed };
                self.hold(body.4, lane, body.1, body.1, holder);
            }
        }
        Ok(())
    }

    fn confirmed(&mut self) -> Result<(), redb::Error> {
        for (table, what) in [(schema::CONFIRMED, "confirmed"), (schema::CONSUMED, "consumed")] {
            for row in self.txn.open_table(table)?.iter()? {
                let (key, row) = row?;
                let ((producer, lane, first), (last, ..)) = (key.value(), row.value());
                if first == 0 || last < first || last == u64::MAX {
                    self.checked.fault(
                        format!("{what} run {first} to {last} of {lane}"),
                        "the journal cannot say what was acknowledged there",
                    );
                    continue;
                }
                if what == "confirmed" {
                    self.checked.held.confirmed += last - first + 1;
                    self.hold(producer, lane.to_owned(), first, last, Holder::Confirmed);
                } else {
                    self.checked.held.consumed += last - first + 1;
                }
            }
        }
        Ok(())
    }

    fn awaiting(&mut self) -> Result<(), redb::Error> {
        let awaited = self.txn.open_table(schema::AWAITED)?;
        let mut rows = 0u64;
        for row in self.txn.open_table(schema::AWAITING)?.iter()? {
            let (key, row) = row?;
            let (at, body) = (key.value(), row.value().4);
            self.checked.held.awaiting += 1;
            let Some(lane) = self.body("awaiting", at, &body) else {
                continue;
            };
            rows += 1;
            if awaited.get((body.4, lane.as_str(), body.1))?.map(|r| r.value()) != Some(at) {
                self.checked.fault(
                    format!("message {} awaits its consumption and is not in the index", at.1),
                    "a report about it is not understood; `spool retry --unconsumed` would send it again",
                );
            }
            if !self.is_confirmed(body.4, &lane, body.1)? {
                self.checked.fault(
                    format!("message {} awaits its consumption and was never acknowledged", at.1),
                    "it may be lost: send it again with `spool retry`",
                );
            }
        }
        let index = redb::ReadableTableMetadata::len(&awaited)?;
        if index > rows {
            self.checked.fault(
                format!("the index of awaited messages has {} rows too many", index - rows),
                LEFT_OVER,
            );
        }
        Ok(())
    }

    fn scheduled(&mut self) -> Result<(), redb::Error> {
        for row in self.txn.open_table(schema::SCHEDULED)?.iter()? {
            let (key, body) = row?;
            let ((due_ms, target, id), body) = (key.value(), body.value());
            self.checked.held.scheduled += 1;
            if self.body("scheduled", (target, id), &body).is_some() {
                self.checked.fault(
                    format!("scheduled message {id} has number {} before its time {due_ms}", body.1),
                    "it would get another one, and the first would be a gap",
                );
            }
        }
        Ok(())
    }

    /// Messages of local actions and transactions, and what is known of those.
    fn undecided(&mut self) -> Result<(), redb::Error> {
        let groups = self.txn.open_table(schema::GROUPS)?;
        let undecided = self.txn.open_table(schema::UNDECIDED)?;
        for row in undecided.iter()? {
            let (key, body) = row?;
            let ((target, group, id), body) = (key.value(), body.value());
            let decided = together::of(self.txn, (target, group))?.is_some_and(|t| t.phase != Phase::Open);
            *match decided {
                true => &mut self.checked.held.pending,
                false => &mut self.checked.held.undecided,
            } += 1;
            if groups.get((target, group))?.is_none() {
                self.checked.fault(
                    format!("message {id} belongs to action {group}, which is not there"),
                    "nobody would ever decide about it; export it and send it again",
                );
            }
            if let Some(lane) = self.body("undecided", (target, id), &body) {
                self.hold(body.4, lane, body.1, body.1, Holder::Pending);
            }
        }
        for row in groups.iter()? {
            let (target, no) = row?.0.value();
            if !self.targets.contains_key(&target) || no >= self.next_id {
                self.checked.fault(
                    format!(
                        "action {no} is for target {target}, and {} is the next local number",
                        self.next_id
                    ),
                    "it cannot be decided by its name",
                );
            }
        }
        self.together()
    }

    fn together(&mut self) -> Result<(), redb::Error> {
        if let Some(table) = optional(self.txn, together::TOGETHER)? {
            for row in table.iter()? {
                let (key, row) = row?;
                if Together::from_row(row.value()).is_none() {
                    let (_, no) = key.value();
                    self.checked.fault(
                        format!("how action {no} is published cannot be read"),
                        "its messages wait until somebody decides; they may be with readers",
                    );
                }
            }
        }
        if let Some(table) = optional(self.txn, together::HANDLES)? {
            let undecided = self.txn.open_table(schema::UNDECIDED)?;
            for row in table.iter()? {
                let at = row?.0.value();
                if undecided.get(at)?.is_none() {
                    self.checked.fault(
                        format!(
                            "a place at the broker is kept for message {}, which belongs to no action",
                            at.2
                        ),
                        LEFT_OVER,
                    );
                }
            }
        }
        Ok(())
    }

    /// What the business calls messages.
    fn seen(&mut self) -> Result<(), redb::Error> {
        let Some(table) = optional(self.txn, seen::SEEN)? else {
            return Ok(());
        };
        for row in table.iter()? {
            let (key, row) = row?;
            let ((target, _), (_, local)) = (key.value(), row.value());
            if !self.targets.contains_key(&target) || local >= self.next_id {
                self.checked.fault(
                    format!(
                        "an idempotency key is kept for message {local} of target {target}, which was never accepted"
                    ),
                    "a message with that key would not be accepted before the window is over",
                );
            }
        }
        Ok(())
    }

    fn lanes(&mut self) -> Result<(), redb::Error> {
        let mut next: HashMap<(String, String), u64> = HashMap::new();
        for row in self.txn.open_table(schema::LANES)?.iter()? {
            let (key, row) = row?;
            let ((producer, lane), (number, voids)) = (key.value(), row.value());
            next.insert((producer.to_owned(), lane.to_owned()), number);
            match Voids::parse(voids.as_bytes()) {
                Ok(voids) => {
                    for (first, last) in voids.ranges() {
                        self.hold(producer, lane.to_owned(), *first, *last, Holder::Void);
                    }
                }
                Err(_) => self.checked.fault(
                    format!("{lane} of {producer} holds {voids:?}, which is no list of numbers"),
                    "numbers that were given up are not told, and `verify` calls them gaps",
                ),
            }
        }
        for ((producer, lane), mut held) in std::mem::take(&mut self.numbers) {
            held.sort_unstable();
            let due = next.get(&(producer.clone(), lane.clone())).copied().unwrap_or(1);
            // The run that reaches farthest so far; a later one that begins inside it has one of its numbers.
            let mut before: Option<(u64, u64, Holder)> = None;
            for (first, last, holder) in held {
                if let Some((_, end, other)) = before
                    && first <= end
                    && (holder, other) != (Holder::Void, Holder::Void)
                {
                    self.checked.fault(
                        format!(
                            "number {first} of {lane} ({producer}) is both {} and {}",
                            other.word(),
                            holder.word()
                        ),
                        AS_ONE,
                    );
                }
                if last >= due {
                    self.checked.fault(
                        format!("number {last} of {lane} ({producer}) is given, and {due} is the next"),
                        "a number would be given twice: do not send from this store",
                    );
                }
                if before.is_none_or(|(_, end, _)| last > end) {
                    before = Some((first, last, holder));
                }
            }
        }
        Ok(())
    }

    fn inputs(&mut self) -> Result<(), redb::Error> {
        for row in self.txn.open_table(schema::INPUTS)?.iter()? {
            let (key, row) = row?;
            let ((target, path), (offset, lines, _, hash)) = (key.value(), row.value());
            let path = String::from_utf8_lossy(path);
            if !self.targets.contains_key(&target) || hash.len() != 32 || lines > offset.saturating_add(1) {
                self.checked.fault(
                    format!("of the input {path}, {lines} lines in {offset} bytes were accepted for target {target}"),
                    "send --resume would begin at the wrong place: send the file from where its receipts end",
                );
            }
        }
        Ok(())
    }
}
