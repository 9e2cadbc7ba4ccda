//! Reading a stream from its end: window by window, the newest first, and each window in the order of its offsets.

use super::client::{Client, timed};
use super::record::Row;
use super::stream::{QUIET_AND_EMPTY, Reading, SILENCE, SLICE, batch, consume, hand_over, progress, word};
use super::words;
use crate::model::Visit;
use futures_util::StreamExt;
use lapin::options::BasicAckOptions;
use lapin::types::AMQPValue;
use std::ops::Range;
use std::time::Duration;
use tokio::time::Instant;

/// Offsets of the first window; each further one has twice as many.
const FIRST_WINDOW: i64 = 1024;
/// No window has more.
const LAST_WINDOW: i64 = 1 << 18;

/// Reads from offset `last` back to the first message of the place `from`, which is one in time or the start of the stream.
pub(super) async fn read(
    client: &Client,
    queue: &str,
    (from, is_by_time): (AMQPValue, bool),
    last: i64,
    limit: Duration,
    visit: &mut dyn Visit,
    reading: &mut Reading,
) -> Result<(), String> {
    let mut first = first_offset(client, queue, from, limit, visit).await?;
    if first.is_none() && is_by_time {
        // Nothing is as young as that; the last chunk proves that the broker delivers.
        first = first_offset(client, queue, word("last"), limit, visit).await?;
    }
    let Some(first) = first else {
        reading.stopped = visit.progress(0, 0).is_break();
        return match reading.stopped {
            true => Ok(()),
            false => Err(format!("the broker sent nothing for {} s", QUIET_AND_EMPTY.as_secs())),
        };
    };
    let (mut end, mut size) = (last + 1, FIRST_WINDOW);
    // What is younger than the end was stored meanwhile.
    let first = first.min(end);
    (reading.read.from, reading.read.to, reading.read.read_to) = (first, end, first);
    while end > first {
        let window = end.saturating_sub(size).max(first)..end;
        let read = one(client, queue, window.clone(), limit, visit, reading).await;
        // Without a hole nothing is read before everything is.
        reading.read.read_to = first;
        match read {
            Ok(Flow::Further) => {}
            Ok(Flow::Enough { is_done: true }) if window.start == first => break,
            Ok(Flow::Enough { is_done }) => {
                reading.stopped = true;
                let from = if is_done { window.start } else { end };
                return Err(format!("only offsets from {from} on were read"));
            }
            Err(why) => return Err(format!("{why}; only offsets from {end} on were read")),
        }
        (end, size) = (window.start, (size * 2).min(LAST_WINDOW));
    }
    reading.read.read_to = reading.read.to;
    Ok(())
}

/// What follows a window.
enum Flow {
    /// The one before it.
    Further,
    /// The visitor wants no more, after all of this window or not.
    Enough { is_done: bool },
}

/// Reads one window.
async fn one(
    client: &Client,
    queue: &str,
    window: Range<i64>,
    limit: Duration,
    visit: &mut dyn Visit,
    reading: &mut Reading,
) -> Result<Flow, String> {
    let words = |e: lapin::Error| words::why(&e);
    let from = AMQPValue::LongLongInt(window.start);
    let (channel, mut consumer) = consume(client, queue, from, limit).await.map_err(words)?;
    let (mut heard_at, mut next_offset) = (Instant::now(), None);
    loop {
        let Ok(next) = tokio::time::timeout(SLICE, consumer.next()).await else {
            let (done, total) = progress(&reading.read);
            if visit.progress(done, total).is_break() {
                return Ok(Flow::Enough { is_done: false });
            }
            if heard_at.elapsed() > SILENCE {
                return Err(format!("the broker sent nothing for {} s", SILENCE.as_secs()));
            }
            continue;
        };
        heard_at = Instant::now();
        let (rows, tag, ended) = batch(next, &mut consumer)?;
        if next_offset.is_none()
            && let Some(row) = rows.first()
            && row.offset > window.start
        {
            // Retention took the start of the window meanwhile, or these offsets hold what is no message.
            let start = first_offset(client, queue, word("first"), limit, visit).await?;
            if start.is_none_or(|start| start > window.start) {
                return Err(format!(
                    "offsets {} to {} went away while it was read (retention or deletion)",
                    window.start, row.offset
                ));
            }
        }
        next_offset = rows.last().map(|row| row.offset + 1).or(next_offset);
        let wanted: Vec<&Row> = rows.iter().filter(|row| window.contains(&row.offset)).collect();
        let is_done = next_offset.is_some_and(|next| next >= window.end);
        if hand_over(&wanted, &mut reading.read, visit).is_break() {
            return Ok(Flow::Enough { is_done });
        }
        if is_done {
            timed(limit, channel.close(200, "bye".into())).await.map_err(words)?;
            return Ok(Flow::Further);
        }
        if let Some(why) = ended {
            return Err(why);
        }
        let all = BasicAckOptions { multiple: true };
        timed(limit, channel.basic_ack(tag, all)).await.map_err(words)?;
    }
}

/// The offset of the first message from a place on; `None` when nothing comes for a while, or nobody waits for it any more.
async fn first_offset(
    client: &Client,
    queue: &str,
    from: AMQPValue,
    limit: Duration,
    visit: &mut dyn Visit,
) -> Result<Option<i64>, String> {
    let words = |e: lapin::Error| words::why(&e);
    let (channel, mut consumer) = consume(client, queue, from, limit).await.map_err(words)?;
    let start = Instant::now();
    let mut first = None;
    while first.is_none() && start.elapsed() < QUIET_AND_EMPTY && visit.progress(0, 0).is_continue() {
        if let Ok(next) = tokio::time::timeout(SLICE, consumer.next()).await {
            let (rows, _, ended) = batch(next, &mut consumer)?;
            first = rows.first().map(|row| row.offset);
            if let (None, Some(why)) = (first, ended) {
                return Err(why);
            }
        }
    }
    timed(limit, channel.close(200, "bye".into())).await.map_err(words)?;
    Ok(first)
}
