//! Emptying a queue: what waits is consumed, kept by the visitor, and only then acknowledged.
//!
//! It takes the messages out of the queue, so it is done only when somebody agreed. What is not acknowledged, because keeping it
//! failed or somebody stopped, goes back to its place when the channel closes.

use super::client::{self, Client, timed};
use super::kind::{self, Kind};
use super::management::{self, encoded};
use super::record::Row;
use super::stream::hand_over;
use super::target::{Place, Target};
use super::words;
use crate::connect::Connection;
use crate::model::{PartitionRead, Problem, Result, Scan, ScanPlan, ScanReport, Visit};
use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use serde_json::Value;
use std::ops::ControlFlow;
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(10);
/// How long it may take until somebody who asks to stop is heard.
const SLICE: Duration = Duration::from_millis(100);
/// Messages that may be ours and not acknowledged.
const PREFETCH: u16 = 2000;
/// Without a message for this long the queue is asked whether any is left.
const QUIET: Duration = Duration::from_millis(500);

/// Empties one queue.
#[derive(Debug)]
pub struct RabbitDrain {
    target: Target,
    queue: String,
    is_alone: bool,
    /// Whether the last scan left nothing that could explain what is missing.
    is_proven: bool,
}

impl RabbitDrain {
    /// Nothing is connected yet. `is_alone` is the user's word that nobody else has consumed from the queue.
    ///
    /// # Errors
    /// A usage problem as for a scan of the queue.
    pub fn new(connection: &Connection, topic: &str, is_alone: bool) -> Result<RabbitDrain> {
        let place = Place::parse(topic)?;
        if !place.exchange.is_empty() {
            return Err(Problem::usage(format!(
                "{topic} is an exchange and a routing key, and only a queue can be drained"
            ))
            .next("give the queue that it is routed to with -t QUEUE"));
        }
        Ok(RabbitDrain {
            target: Target::new(connection)?,
            queue: place.key,
            is_alone,
            is_proven: false,
        })
    }

    fn cannot(&self, why: impl std::fmt::Display) -> Problem {
        Problem::unknown(format!("queue {} cannot be drained", self.queue)).because(why)
    }

    async fn run(&self, start: i64, visit: &mut dyn Visit) -> Result<ScanReport> {
        let client = Client::login(&self.target, CONNECT).await.map_err(|why| {
            Problem::unknown(format!("cannot reach {}", self.target.broker))
                .because(why)
                .next("check the address, the user and that a broker runs there")
        })?;
        let report = self.with(&client, start, visit).await;
        client.close().await;
        report
    }

    async fn with(&self, client: &Client, start: i64, visit: &mut dyn Visit) -> Result<ScanReport> {
        let words = |e: lapin::Error| self.cannot(words::why(&e));
        let kind = kind::ask(client, &self.queue, ANSWER).await.map_err(words)?;
        match kind {
            Kind::Stream => {
                return Err(Problem::usage(format!("queue {} is a stream", self.queue))
                    .because("a stream keeps its messages, so it is read without taking any")
                    .next("leave --drain out"));
            }
            Kind::Classic | Kind::Quorum | Kind::Queue | Kind::Unknown(_) => {}
        }
        let channel = client.channel(ANSWER).await.map_err(words)?;
        let passive = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let name = || ShortString::from(self.queue.as_str());
        let asked = channel.queue_declare(name(), passive, FieldTable::default());
        let count = i64::from(timed(ANSWER, asked).await.map_err(words)?.message_count());
        let leaves = self.leaves().await;
        let mut drained = Drained {
            read: PartitionRead {
                from: start,
                to: start + count,
                log_start: Some(start),
                read_to: start,
                ..PartitionRead::default()
            },
            stopped: false,
            has_expiration: false,
        };
        visit.begins(&drained.read);
        if count > 0 {
            let read = self.consume(&channel, &mut drained, visit).await;
            // Closing puts back what was not acknowledged.
            let closed = timed(ANSWER, channel.close(200, "bye".into())).await;
            let closed = closed.map_err(|e| words::why(&e));
            drained.read.error = read.and(closed).err();
        }
        if drained.read.error.is_none() && !drained.stopped {
            drained.read.to = drained.read.read_to;
        }
        let (mut reasons, mut assumption) = match leaves {
            Ok(reasons) => (reasons, None),
            Err(why) => (
                Vec::new(),
                Some(format!(
                    "nothing limits how long messages stay in it, which is not known: {why}"
                )),
            ),
        };
        if drained.has_expiration {
            reasons.push("messages in it have a time to live of their own (expiration)".to_owned());
        }
        if !self.is_alone {
            assumption = Some("nobody else consumed from it: a queue keeps no history".to_owned());
        }
        // What is missing proves something only where nothing else can explain it.
        let is_proven = reasons.is_empty() && assumption.is_none();
        Ok(ScanReport {
            partitions: vec![drained.read],
            compacted: is_proven.then_some(false),
            stopped: drained.stopped,
            unread: None,
            assumption,
            leaves: (!reasons.is_empty()).then(|| reasons.join("; ")),
        })
    }

    async fn consume(
        &self,
        channel: &lapin::Channel,
        drained: &mut Drained,
        visit: &mut dyn Visit,
    ) -> std::result::Result<(), String> {
        let words = |e: lapin::Error| words::why(&e);
        timed(ANSWER, channel.basic_qos(PREFETCH, BasicQosOptions::default()))
            .await
            .map_err(words)?;
        let consume = channel.basic_consume(
            ShortString::from(self.queue.as_str()),
            ShortString::default(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let mut consumer = timed(ANSWER, consume).await.map_err(words)?;
        let (mut rows, mut tag, mut quiet) = (Vec::new(), 0, Duration::ZERO);
        loop {
            let wanted = drained.read.to - drained.read.read_to - rows.len() as i64;
            let next = match wanted {
                0 => None,
                _ => tokio::time::timeout(SLICE, consumer.next()).await.ok(),
            };
            match next {
                Some(Some(Ok(delivery))) => {
                    tag = delivery.delivery_tag;
                    let offset = drained.read.read_to + rows.len() as i64;
                    let row = Row::new(delivery, offset);
                    drained.has_expiration |= row.expires();
                    rows.push(row);
                    quiet = Duration::ZERO;
                    if rows.len() < usize::from(PREFETCH) / 2 && wanted > 1 {
                        continue;
                    }
                }
                Some(Some(Err(e))) => return Err(words(e)),
                Some(None) => return Err("the broker ended the consumer".to_owned()),
                None => quiet += SLICE,
            }
            if !rows.is_empty() {
                let all: Vec<&Row> = rows.iter().collect();
                let flow = hand_over(&all, &mut drained.read, visit);
                visit
                    .keep()
                    .map_err(|why| format!("what was consumed cannot be kept: {why}"))?;
                timed(ANSWER, channel.basic_ack(tag, BasicAckOptions { multiple: true }))
                    .await
                    .map_err(words)?;
                rows.clear();
                drained.stopped = flow.is_break();
            } else if visit.progress(0, 0) == ControlFlow::Break(()) {
                drained.stopped = true;
            }
            // Others may take what was counted: when nothing comes and nothing is ready, that was all.
            let is_over = drained.read.read_to >= drained.read.to || drained.stopped || quiet >= QUIET;
            if is_over {
                let cancel = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
                timed(ANSWER, cancel).await.map_err(words)?;
                return Ok(());
            }
        }
    }

    /// Why messages may leave the queue without being consumed, as the management API tells.
    async fn leaves(&self) -> std::result::Result<Vec<String>, String> {
        let Some(url) = &self.target.management else {
            return Err("--management is not given".to_owned());
        };
        let path = format!("/api/queues/{}/{}", encoded(&self.target.vhost), encoded(&self.queue));
        let asked = management::get(&self.target, url, &path);
        match tokio::time::timeout(ANSWER, asked).await {
            Ok(Ok((200, found))) => Ok(reasons(&found)),
            Ok(Ok((status, answer))) => Err(management::refusal(status, &answer)),
            Ok(Err(why)) => Err(why.why),
            Err(_) => Err(format!("{url} does not answer")),
        }
    }
}

/// What was read so far.
struct Drained {
    read: PartitionRead,
    stopped: bool,
    has_expiration: bool,
}

/// Why messages may leave a queue without being consumed, by its own arguments and its policy.
fn reasons(queue: &Value) -> Vec<String> {
    let setting = |argument: &str, policy: &str| {
        let own = queue["arguments"].get(argument);
        own.or_else(|| queue["effective_policy_definition"].get(policy))
            .cloned()
    };
    let mut all = Vec::new();
    if let Some(ms) = setting("x-message-ttl", "message-ttl") {
        all.push(format!("messages expire after {ms} ms (message-ttl)"));
    }
    let overflow = setting("x-overflow", "overflow");
    // One that refuses what is too much drops nothing that it has confirmed.
    let rejects = overflow
        .as_ref()
        .and_then(Value::as_str)
        .is_some_and(|overflow| overflow.starts_with("reject-publish"));
    for (argument, policy, what) in [
        ("x-max-length", "max-length", "messages"),
        ("x-max-length-bytes", "max-length-bytes", "bytes"),
    ] {
        if let Some(limit) = setting(argument, policy).filter(|_| !rejects) {
            all.push(format!("the oldest are dropped above {limit} {what} ({policy})"));
        }
    }
    if let Some(limit) = setting("x-delivery-limit", "delivery-limit") {
        all.push(format!(
            "what was delivered {limit} times in vain is dropped (delivery-limit)"
        ));
    }
    if let Some(exchange) = setting("x-dead-letter-exchange", "dead-letter-exchange") {
        let exchange = exchange.as_str().map_or_else(|| exchange.to_string(), str::to_owned);
        all.push(format!(
            "what is rejected, expired or dropped goes to exchange {exchange:?} (dead-letter-exchange)"
        ));
    }
    let others = queue["consumers"].as_u64().unwrap_or(0);
    if others > 0 {
        all.push(format!("{others} others consume from it now"));
    }
    all
}

impl Scan for RabbitDrain {
    /// A queue has no offsets: messages are counted from where the plan says, which is behind what was drained before.
    fn scan(&mut self, plan: &ScanPlan, visit: &mut dyn Visit) -> Result<ScanReport> {
        let threads = client::threads().map_err(|why| Problem::unknown(why.to_string()))?;
        // Where others may have consumed, nobody knows what was before the first.
        let first = i64::from(!self.is_alone);
        let start = plan
            .from
            .iter()
            .find(|(p, _)| *p == 0)
            .map_or(first, |(_, from)| (*from).max(first));
        let report = threads.block_on(self.run(start, visit))?;
        self.is_proven = report.compacted == Some(false);
        Ok(report)
    }

    fn is_compacted(&mut self, _patience: Duration) -> Option<bool> {
        self.is_proven.then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_reason_to_leave_is_named() {
        assert!(reasons(&json!({"arguments": {}, "consumers": 0})).is_empty());
        for (queue, word) in [
            (json!({"arguments": {"x-message-ttl": 5000}}), "after 5000 ms"),
            (json!({"effective_policy_definition": {"message-ttl": 7}}), "after 7 ms"),
            (json!({"arguments": {"x-max-length": 3}}), "above 3 messages"),
            (
                json!({"arguments": {"x-max-length-bytes": 9, "x-overflow": "drop-head"}}),
                "above 9 bytes",
            ),
            (json!({"arguments": {"x-delivery-limit": 2}}), "2 times"),
            (json!({"arguments": {"x-dead-letter-exchange": "dlx"}}), "\"dlx\""),
            (json!({"consumers": 2}), "2 others"),
        ] {
            let all = reasons(&queue);
            assert!(all.len() == 1 && all[0].contains(word), "{queue}: {all:?}");
        }
        let rejects = json!({"arguments": {"x-max-length": 3, "x-overflow": "reject-publish"}});
        assert!(reasons(&rejects).is_empty());
    }
}
