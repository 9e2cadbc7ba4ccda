//! The tables. Their names and types are the format; a change of either is a new [`FORMAT`].

use super::queue::{At, MarksRow};
use rand::Rng;
use redb::{ReadTransaction, ReadableTable, TableDefinition, TableError, WriteTransaction};

/// The version of everything below.
pub(super) const FORMAT: &str = "4";

/// A key-value header list as it is stored.
pub(super) type Headers<'a> = Vec<(&'a str, Option<&'a [u8]>)>;

/// The smallest number that may stand in the place of a partition.
pub const LAST_WAY: i32 = -3;

/// What stands first is the partition of a message that has a number. Without one it is the partition that was asked for, -1 when
/// none was, or from -2 down to [`LAST_WAY`] a way to choose one that was asked for: the store keeps it and does not know what it is.
///
/// `(partition or the like, number or 0 while it has no lane, accepted at in ms since the epoch, input line or 0, producer, voids, key, value, headers, tag,
/// how long its consumption is awaited in ms or 0)`.
pub(super) type Body<'a> = (
    i32,
    u64,
    i64,
    u64,
    &'a str,
    &'a str,
    Option<&'a [u8]>,
    Option<&'a [u8]>,
    Headers<'a>,
    Option<&'a str>,
    u64,
);

/// `(attempts that came back, when the next is due in ms since the epoch or 0, whether it may be stored, why the last one came back)`.
pub(super) type RetryRow<'a> = (u32, i64, bool, &'a str);
/// `(why, whether its number is void, attempts, when in ms since the epoch, the message)`.
pub(super) type FailedRow<'a> = (&'a str, bool, u32, i64, Body<'a>);
/// `(confirmed at in ms since the epoch, to be consumed until in ms since the epoch, offset or -1, why its consumer failed or none, the message)`.
pub(super) type AwaitingRow<'a> = (i64, i64, i64, Option<&'a str>, Body<'a>);
/// `(last number, offset of the first or -1, time of the last in ms)`.
pub(super) type RunRow = (u64, i64, i64);

/// `(target, local id)` to a message that waits for its acknowledgement and is on no sheet.
pub(super) const PENDING: TableDefinition<(u32, u64), Body<'static>> = TableDefinition::new("pending");
/// `(target, local id of the first)` to messages that were accepted together; see [`super::queue`].
pub(super) const SHEETS: TableDefinition<At, &[u8]> = TableDefinition::new("sheets");
/// The same key to how many messages are on the sheet, and which of them do not wait there any more.
pub(super) const MARKS: TableDefinition<At, MarksRow<'static>> = TableDefinition::new("marks");
/// `(target, local id)` of a waiting message that came back, to how often and why. Written before anybody relies on it; a message
/// with a lane and no row may have been handed over by a run that was killed.
pub(super) const RETRIES: TableDefinition<(u32, u64), RetryRow<'static>> = TableDefinition::new("retries");
/// Target to the local number from which on no message was ever handed over. Written by a run that ends in good order and removed
/// before the next one hands over anything.
pub(super) const UNTRIED: TableDefinition<u32, u64> = TableDefinition::new("untried");
/// `(target, partition)` of lanes that messages wait for and that the broker did not offer when it was last asked; to when that was.
pub(super) const GONE: TableDefinition<(u32, i32), i64> = TableDefinition::new("gone");
/// `(target, local id)` to the reason and the message, kept for a person.
pub(super) const FAILED: TableDefinition<(u32, u64), FailedRow<'static>> = TableDefinition::new("failed");
/// `(target, local id)` of a stored message whose consumption is awaited.
pub(super) const AWAITING: TableDefinition<(u32, u64), AwaitingRow<'static>> = TableDefinition::new("awaiting");
/// `(producer, lane, number)` to the key in [`AWAITING`], because consumers report by stamp.
pub(super) const AWAITED: TableDefinition<(&str, &str, u64), (u32, u64)> = TableDefinition::new("awaited");
/// `(producer, lane, first number)` to a run of numbers that were reported as consumed; there is no offset.
pub(super) const CONSUMED: TableDefinition<(&str, &str, u64), RunRow> = TableDefinition::new("consumed");
/// `(due at in ms since the epoch, target, local id)` of a message that waits for its time.
pub(super) const SCHEDULED: TableDefinition<(i64, u32, u64), Body<'static>> = TableDefinition::new("scheduled");
/// `(target, group, local id)` of a message whose local action has no known outcome.
pub(super) const UNDECIDED: TableDefinition<(u32, u64, u64), Body<'static>> = TableDefinition::new("undecided");
/// `(target, group)` to `(whether the action may have begun, since when in ms since the epoch, the action in words)`.
pub(super) const GROUPS: TableDefinition<(u32, u64), (bool, i64, &str)> = TableDefinition::new("groups");
/// `(producer, lane)` to the next number and the numbers given up since the last message of the lane.
pub(super) const LANES: TableDefinition<(&str, &str), (u64, &str)> = TableDefinition::new("lanes");
/// `(producer, lane, first number)` to `(last number, offset of the first or -1, time of the last in ms)`: the journal.
pub(super) const CONFIRMED: TableDefinition<(&str, &str, u64), RunRow> = TableDefinition::new("confirmed");
/// Target number to `(broker URL without secrets, topic)`.
pub(super) const TARGETS: TableDefinition<u32, (&str, &str)> = TableDefinition::new("targets");
/// `(target, number)` to the lane with that name, for brokers whose lanes are no numbers; numbers are from 0 and stay.
pub(super) const LANE_NAMES: TableDefinition<(u32, i32), &str> = TableDefinition::new("lane_names");
/// Broker URL to the producer name used there. Two clusters may have a topic of one name: each gets its own numbering.
pub(super) const PRODUCERS: TableDefinition<&str, &str> = TableDefinition::new("producers");
/// A row of [`INPUTS`].
type InputRow<'a> = (u64, u64, u64, &'a [u8]);
/// `(target, canonical path)` to `(bytes accepted, lines accepted, size of the file, SHA-256 of the accepted bytes)`.
pub(super) const INPUTS: TableDefinition<(u32, &[u8]), InputRow<'static>> = TableDefinition::new("inputs");
/// `format`, `spool_id`, `identity`, `next_id`.
pub(super) const META: TableDefinition<&str, &str> = TableDefinition::new("meta");

pub(super) struct Meta {
    pub(super) format: String,
    pub(super) spool_id: String,
    pub(super) identity: String,
    pub(super) next_id: u64,
}

/// What the store says of itself; `None` when it was just made.
pub(super) fn read_meta(txn: &ReadTransaction) -> Result<Option<Meta>, redb::Error> {
    let table = match txn.open_table(META) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let get = |key: &str| Ok::<_, redb::Error>(table.get(key)?.map(|v| v.value().to_owned()));
    let Some(format) = get("format")? else { return Ok(None) };
    Ok(Some(Meta {
        format,
        spool_id: get("spool_id")?.unwrap_or_default(),
        identity: get("identity")?.unwrap_or_default(),
        next_id: get("next_id")?.and_then(|n| n.parse().ok()).unwrap_or(0),
    }))
}

/// Makes every table and writes what the store says of itself. Old producer names are forgotten: the store has a new one.
pub(super) fn start(txn: &WriteTransaction, id: &str, identity: &str, next_id: u64) -> Result<(), redb::Error> {
    txn.delete_table(PRODUCERS)?;
    txn.open_table(PRODUCERS)?;
    txn.open_table(PENDING)?;
    txn.open_table(SHEETS)?;
    txn.open_table(MARKS)?;
    txn.open_table(RETRIES)?;
    txn.open_table(UNTRIED)?;
    txn.open_table(GONE)?;
    txn.open_table(FAILED)?;
    txn.open_table(AWAITING)?;
    txn.open_table(AWAITED)?;
    txn.open_table(CONSUMED)?;
    txn.open_table(SCHEDULED)?;
    txn.open_table(UNDECIDED)?;
    txn.open_table(GROUPS)?;
    txn.open_table(LANES)?;
    txn.open_table(CONFIRMED)?;
    txn.open_table(TARGETS)?;
    txn.open_table(LANE_NAMES)?;
    txn.open_table(INPUTS)?;
    let mut meta = txn.open_table(META)?;
    meta.insert("format", FORMAT)?;
    meta.insert("spool_id", id)?;
    meta.insert("identity", identity)?;
    meta.insert("next_id", next_id.to_string().as_str())?;
    Ok(())
}

/// The producer name for a broker, made on first use: the store's own name for the first broker, numbered for others.
pub(super) fn producer(txn: &WriteTransaction, spool_id: &str, broker: &str) -> Result<String, redb::Error> {
    let mut table = txn.open_table(PRODUCERS)?;
    if let Some(name) = table.get(broker)? {
        return Ok(name.value().to_owned());
    }
    let others = table.iter()?.count();
    let name = if others == 0 {
        spool_id.to_owned()
    } else {
        format!("{spool_id}-{}", others + 1)
    };
    table.insert(broker, name.as_str())?;
    Ok(name)
}

/// Ten characters, fifty bits: no two stores of one organisation meet.
pub(super) fn fresh_id() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut rng = rand::rng();
    (0..10)
        .map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]))
        .collect()
}
