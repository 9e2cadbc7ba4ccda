//! Looking into a queue: every message is fetched without being acknowledged, then all are put back.
//!
//! In a classic queue they come back to their places, marked as redelivered. A quorum queue counts it against its delivery limit
//! (RabbitMQ: quorum queues, "Poison Message Handling") and, measured on 3.10, takes more than 32 of them back in no order. So it
//! is done only when it was asked for.

use super::client::{Client, timed};
use super::record::{self, Row};
use super::stream::{Reading, hand_over};
use super::words;
use crate::model::{PartitionRead, Visit};
use lapin::options::BasicGetOptions;
use lapin::types::ShortString;
use std::time::Duration;

/// Records of one batch.
const BATCH: usize = 200;
/// Since 4.0 a quorum queue drops a message after 20 deliveries unless told otherwise; far from there it is safe to look.
const MOST_DELIVERIES: i64 = 10;

/// Looks at the first `count` messages of a queue.
pub(super) async fn read(client: &Client, queue: &str, count: u32, limit: Duration, visit: &mut dyn Visit) -> Reading {
    let mut reading = Reading {
        read: PartitionRead {
            to: i64::from(count),
            ..PartitionRead::default()
        },
        stopped: false,
        // What a consumer holds is not shown, and what was consumed is gone.
        assumption: Some(
            "no consumer has it or had it: a queue shows only what waits, and keeps no history".to_owned(),
        ),
    };
    if let Err(why) = read_into(client, queue, limit, visit, &mut reading).await {
        reading.read.error = Some(why);
    }
    reading
}

async fn read_into(
    client: &Client,
    queue: &str,
    limit: Duration,
    visit: &mut dyn Visit,
    reading: &mut Reading,
) -> Result<(), String> {
    let words = |e: lapin::Error| words::why(&e);
    let channel = client.channel(limit).await.map_err(words)?;
    let (mut rows, mut failed) = (Vec::new(), None);
    let total = reading.read.to;
    // Old brokers count 0 messages in every stream. A question finds that out, where the kind could not be told.
    for place in 0..total.max(1) {
        let got = channel.basic_get(ShortString::from(queue), BasicGetOptions { no_ack: false });
        match timed(limit, got).await {
            Ok(Some(message)) => {
                if place >= total {
                    // It came after the beginning.
                    break;
                }
                let times = record::deliveries(&message.delivery);
                rows.push(Row::new(message.delivery, place));
                if times >= MOST_DELIVERIES {
                    failed = Some(format!(
                        "message {place} was delivered {times} times before, and one more may make the broker drop it"
                    ));
                }
            }
            Ok(None) if place >= total => break,
            Ok(None) => failed = Some(format!("others took {} of {total} messages meanwhile", total - place)),
            Err(e) => failed = Some(words::why(&e)),
        }
        if rows.len() == BATCH || place + 1 == total || failed.is_some() {
            let flow = hand_over(&rows.iter().collect::<Vec<_>>(), &mut reading.read, visit);
            rows.clear();
            if flow.is_break() {
                reading.stopped = place + 1 < total;
                break;
            }
        }
        if failed.is_some() {
            break;
        }
    }
    // Closing puts everything back that was not acknowledged.
    let closed = timed(limit, channel.close(200, "bye".into())).await;
    match failed {
        Some(why) => Err(why),
        None => closed.map_err(words),
    }
}
