//! Reading a stream from its first message to the last one that it had when reading began.
//!
//! A stream is read by a consumer that says where to begin. Nothing is taken out of it, and nothing is remembered of who reads.

use super::backwards;
use super::client::{Client, timed};
use super::record::{self, Row};
use super::words;
use crate::model::{PartitionRead, Record, Visit};
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, Consumer};
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::time::Instant;

/// Messages that the broker may have on their way to us. A stream wants a limit.
const PREFETCH: u16 = 2000;
/// Records of one batch.
const BATCH: usize = 500;
/// Without a message for this long, and with an answer of the broker after it, the last chunk was delivered whole.
const QUIET: Duration = Duration::from_millis(500);
/// The same before an empty stream is believed.
pub(super) const QUIET_AND_EMPTY: Duration = Duration::from_secs(2);
/// A stream that is written to all the time is never quiet. What came until now was there at the start or later.
const BUSY: Duration = Duration::from_secs(5);
/// Without any message for this long, reading ends with that as the reason.
pub(super) const SILENCE: Duration = Duration::from_secs(30);
/// A consumer that ends says nothing about what the stream holds, and above all not that it is empty.
const ENDED: &str = "the broker ended the consumer; the stream may have been deleted";
/// How long it may take until somebody who asks to stop is heard.
pub(super) const SLICE: Duration = Duration::from_millis(200);

/// What was read, and whether the visitor ended it.
pub(super) struct Reading {
    pub(super) read: PartitionRead,
    pub(super) stopped: bool,
    /// Under which assumption that was all.
    pub(super) assumption: Option<String>,
}

/// What is to be read of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    /// How many messages the broker says that it holds; old brokers always say 0.
    pub(super) counted: u32,
    /// From when on.
    pub(super) since_ms: Option<i64>,
    /// Whether the end is read first.
    pub(super) newest_first: bool,
    /// How long one answer may take.
    pub(super) limit: Duration,
}

/// Reads the stream.
pub(super) async fn read(client: &Client, queue: &str, wish: Wish, visit: &mut dyn Visit) -> Reading {
    let mut reading = Reading {
        read: PartitionRead::default(),
        stopped: false,
        assumption: None,
    };
    if let Err(why) = read_into(client, queue, wish, visit, &mut reading).await {
        reading.read.error = Some(why);
    }
    reading
}

async fn read_into(
    client: &Client,
    queue: &str,
    wish: Wish,
    visit: &mut dyn Visit,
    reading: &mut Reading,
) -> Result<(), String> {
    let words = |e: lapin::Error| words::why(&e);
    let Wish {
        counted,
        since_ms,
        newest_first,
        limit,
    } = wish;
    let Some(last) = last_offset(client, queue, limit, visit, reading).await? else {
        if counted > 0 && !reading.stopped {
            return Err(format!("the broker counts {counted} messages and delivers none"));
        }
        return Ok(());
    };
    if reading.stopped {
        return Ok(());
    }
    let from = match since_ms.and_then(|ms| u64::try_from(ms / 1000).ok()) {
        Some(seconds) => AMQPValue::Timestamp(seconds),
        None => word("first"),
    };
    let is_by_time = since_ms.is_some();
    if newest_first {
        return backwards::read(client, queue, (from, is_by_time), last, limit, visit, reading).await;
    }
    let (mut channel, mut consumer) = consume(client, queue, from, limit).await.map_err(words)?;
    reading.read.to = last + 1;
    let (mut begun, mut is_at_last) = (false, false);
    let mut heard_at = Instant::now();
    loop {
        let Ok(next) = tokio::time::timeout(SLICE, consumer.next()).await else {
            let (done, total) = progress(&reading.read);
            if visit.progress(done, total).is_break() {
                reading.stopped = true;
                return Ok(());
            }
            // Where nothing is as young as that time, the broker waits for the next message. That nothing comes could mean
            // anything; that the last chunk comes and is older proves it.
            if is_by_time && !begun && !is_at_last && heard_at.elapsed() > QUIET_AND_EMPTY {
                timed(limit, channel.close(200, "bye".into())).await.map_err(words)?;
                (channel, consumer) = consume(client, queue, word("last"), limit).await.map_err(words)?;
                (is_at_last, heard_at) = (true, Instant::now());
            }
            if heard_at.elapsed() > SILENCE {
                return Err(format!("the broker sent nothing for {} s", SILENCE.as_secs()));
            }
            continue;
        };
        heard_at = Instant::now();
        let (rows, tag, ended) = batch(next, &mut consumer)?;
        if !begun && let Some(first) = rows.first() {
            (reading.read.from, reading.read.read_to, begun) = (first.offset, first.offset, true);
        }
        let wanted: Vec<&Row> = rows.iter().filter(|row| row.offset <= last).collect();
        let flow = hand_over(&wanted, &mut reading.read, visit);
        let is_done = rows.iter().any(|row| row.offset >= last);
        if is_done {
            reading.read.read_to = reading.read.to;
        }
        if flow.is_break() {
            reading.stopped = !is_done;
            return Ok(());
        }
        if is_done {
            break;
        }
        if let Some(why) = ended {
            return Err(why);
        }
        let all = BasicAckOptions { multiple: true };
        timed(limit, channel.basic_ack(tag, all)).await.map_err(words)?;
    }
    Ok(())
}

/// How many were read, of how many.
pub(super) fn progress(read: &PartitionRead) -> (u64, u64) {
    (read.records, u64::try_from(read.to - read.from).unwrap_or(0))
}

/// Hands a batch over and counts it.
pub(super) fn hand_over(rows: &[&Row], read: &mut PartitionRead, visit: &mut dyn Visit) -> ControlFlow<()> {
    let records: Vec<Record<'_>> = rows.iter().map(|row| row.record()).collect();
    for row in rows {
        read.records += 1;
        read.bytes += row.size();
        read.read_to = read.read_to.max(row.offset + 1);
        if let Some(time) = row.timestamp_ms {
            let (first, last) = read.times_ms.unwrap_or((time, time));
            read.times_ms = Some((first.min(time), last.max(time)));
        }
    }
    if !records.is_empty() {
        visit.batch(&records)?;
    }
    let (done, total) = progress(read);
    visit.progress(done, total)
}

/// What has arrived, up to a batch: the rows, the last delivery tag, and why nothing more comes where the consumer ended behind them.
pub(super) fn batch(
    first: Option<lapin::Result<Delivery>>,
    consumer: &mut Consumer,
) -> Result<(Vec<Row>, u64, Option<String>), String> {
    let (mut rows, mut tag) = (Vec::new(), 0);
    let mut next = first;
    loop {
        match next {
            None => return Ok((rows, tag, Some(ENDED.to_owned()))),
            Some(Err(e)) if rows.is_empty() => return Err(words::why(&e)),
            Some(Err(e)) => return Ok((rows, tag, Some(words::why(&e)))),
            Some(Ok(delivery)) => {
                tag = delivery.delivery_tag;
                let offset = record::stream_offset(&delivery).ok_or("the broker delivers without offsets")?;
                rows.push(Row::new(delivery, offset));
            }
        }
        if rows.len() == BATCH {
            return Ok((rows, tag, None));
        }
        next = match consumer.next().now_or_never() {
            None => return Ok((rows, tag, None)),
            Some(next) => next,
        };
    }
}

/// The offset of the last message that is there now; `None` when there is none.
///
/// AMQP tells it only by delivering: from `last` on come the messages of the last chunk. When a question that is asked after
/// them is answered and nothing more has come, that was all.
async fn last_offset(
    client: &Client,
    queue: &str,
    limit: Duration,
    visit: &mut dyn Visit,
    reading: &mut Reading,
) -> Result<Option<i64>, String> {
    let words = |e: lapin::Error| words::why(&e);
    let (channel, mut consumer) = consume(client, queue, word("last"), limit).await.map_err(words)?;
    let (start, mut last, mut heard_at) = (Instant::now(), None::<i64>, Instant::now());
    loop {
        if visit.progress(0, 0).is_break() {
            reading.stopped = true;
            break;
        }
        let quiet = if last.is_some() { QUIET } else { QUIET_AND_EMPTY };
        let next = tokio::time::timeout_at(heard_at + quiet.min(SLICE), consumer.next());
        match next.await {
            Ok(Some(delivery)) => {
                let delivery = delivery.map_err(words)?;
                last = last.max(record::stream_offset(&delivery));
                heard_at = Instant::now();
                let all = BasicAckOptions { multiple: true };
                if delivery.delivery_tag % u64::from(PREFETCH / 2) == 0 {
                    timed(limit, channel.basic_ack(delivery.delivery_tag, all))
                        .await
                        .map_err(words)?;
                }
                if start.elapsed() > BUSY {
                    break;
                }
            }
            Ok(None) => return Err(ENDED.to_owned()),
            Err(_) if start.elapsed() < quiet || heard_at.elapsed() < quiet => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(_) => {
                let passive = QueueDeclareOptions {
                    passive: true,
                    ..QueueDeclareOptions::default()
                };
                let asked = channel.queue_declare(ShortString::from(queue), passive, FieldTable::default());
                timed(limit, asked).await.map_err(words)?;
                let Some(late) = consumer.next().now_or_never() else {
                    break;
                };
                match late {
                    Some(delivery) => last = last.max(record::stream_offset(&delivery.map_err(words)?)),
                    None => return Err(ENDED.to_owned()),
                }
                heard_at = Instant::now();
            }
        }
    }
    let cancel = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
    timed(limit, cancel).await.map_err(words)?;
    timed(limit, channel.close(200, "bye".into())).await.map_err(words)?;
    Ok(last)
}

pub(super) fn word(offset: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(offset))
}

/// Begins to read at a place of the stream.
pub(super) async fn consume(
    client: &Client,
    queue: &str,
    from: AMQPValue,
    limit: Duration,
) -> lapin::Result<(Channel, Consumer)> {
    let channel = client.channel(limit).await?;
    timed(limit, channel.basic_qos(PREFETCH, BasicQosOptions::default())).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-stream-offset".into(), from);
    let asked = channel.basic_consume(
        ShortString::from(queue),
        ShortString::default(),
        BasicConsumeOptions::default(),
        arguments,
    );
    let consumer = timed(limit, asked).await?;
    Ok((channel, consumer))
}
