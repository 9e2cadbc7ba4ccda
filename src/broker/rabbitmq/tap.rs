//! Watching what is routed to a queue from now on: a private queue with exactly the bindings that the queue has.
//!
//! A copy is made by the exchange, so neither producers nor consumers notice. That is not so where an exchange chooses one of its
//! queues (by hash or at random), where the absence of a queue has a meaning (an alternate exchange), and for the default exchange,
//! to which nobody can bind. There no tap is set.

use super::client::{self, Client, timed};
use super::management::{self, encoded};
use super::record::Row;
use super::stream::hand_over;
use super::target::{Place, Target};
use super::words;
use crate::connect::Connection;
use crate::model::{PartitionRead, Problem, Result, Scan, ScanPlan, ScanReport, Visit};
use futures_util::{FutureExt, StreamExt};
use lapin::Consumer;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use serde_json::Value;
use std::time::{Duration, Instant};

const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(10);
/// How long it may take until somebody who asks to stop is heard.
const SLICE: Duration = Duration::from_millis(100);
/// Records of one batch.
const BATCH: usize = 500;

/// A tap on one queue.
#[derive(Debug)]
pub struct RabbitTap {
    target: Target,
    queue: String,
    url: String,
    watch: Option<Duration>,
}

/// One binding that the tap takes over.
#[derive(Debug, Clone, PartialEq)]
struct Bound {
    exchange: String,
    key: String,
    arguments: FieldTable,
}

impl RabbitTap {
    /// A tap that watches for so long, or until the visitor ends it. Nothing is connected yet.
    ///
    /// # Errors
    /// A usage problem as for a scan of the queue, and when the management API is not named, because only it knows the bindings.
    pub fn new(connection: &Connection, topic: &str, watch: Option<Duration>) -> Result<RabbitTap> {
        let target = Target::new(connection)?;
        let url = target.management.clone().ok_or_else(|| {
            Problem::usage("--tap needs the bindings of the queue, which AMQP does not tell")
                .next("name the management API with --management http://HOST:15672")
        })?;
        let place = Place::parse(topic)?;
        if !place.exchange.is_empty() {
            return Err(Problem::usage(format!(
                "{topic} is an exchange and a routing key, and only a queue can be watched"
            ))
            .next("give the queue that it is routed to with -t QUEUE"));
        }
        Ok(RabbitTap {
            target,
            queue: place.key,
            url,
            watch,
        })
    }

    fn cannot(&self, why: impl std::fmt::Display) -> Problem {
        Problem::unknown(format!("queue {} cannot be watched", self.queue)).because(why)
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let found = management::get(&self.target, &self.url, path).await;
        match found {
            Ok((200, found)) => Ok(found),
            Ok((404, _)) => Err(self
                .cannot(format!("{} does not know it", self.url))
                .next("check its spelling")),
            Ok((status, answer)) => Err(self.cannot(format!("{}: {}", self.url, management::refusal(status, &answer)))),
            Err(why) => Err(self.cannot(format!("{}: {}", self.url, why.why))),
        }
    }

    /// What the tap must be bound to.
    async fn bindings(&self) -> Result<Vec<Bound>> {
        let vhost = encoded(&self.target.vhost);
        // For an absent queue the list of its bindings is empty, as if nothing were bound to it.
        self.get(&format!("/api/queues/{vhost}/{}", encoded(&self.queue)))
            .await?;
        let all = self
            .get(&format!("/api/queues/{vhost}/{}/bindings", encoded(&self.queue)))
            .await?;
        let bound = bound(&all).map_err(|why| self.refused(why))?;
        let mut exchanges: Vec<&str> = bound.iter().map(|b| b.exchange.as_str()).collect();
        exchanges.sort_unstable();
        exchanges.dedup();
        for name in exchanges {
            let exchange = self.get(&format!("/api/exchanges/{vhost}/{}", encoded(name))).await?;
            untouched(name, &exchange).map_err(|why| self.refused(why))?;
        }
        Ok(bound)
    }

    fn refused(&self, why: String) -> Problem {
        Problem::usage(format!(
            "queue {} cannot be watched without changing what others see",
            self.queue
        ))
        .because(why)
        .next("bind a stream to the exchange once, and read that: it keeps history and disturbs nobody")
    }

    async fn run(&self, visit: &mut dyn Visit) -> Result<ScanReport> {
        let bound = self.bindings().await?;
        let client = Client::login(&self.target, CONNECT).await.map_err(|why| {
            Problem::unknown(format!("cannot reach {}", self.target.broker))
                .because(why)
                .next("check the address, the user and that a broker runs there")
        })?;
        let read = self.watch(&client, &bound, visit).await;
        client.close().await;
        let (read, stopped) = read.map_err(|e| self.cannot(words::why(&e)))?;
        Ok(ScanReport {
            partitions: vec![read],
            compacted: Some(false),
            stopped,
            unread: None,
            assumption: Some(
                "it was routed there by an exchange while it was watched: what was before, or went straight to the queue, was not seen"
                    .to_owned(),
            ),
            leaves: None,
        })
    }

    async fn watch(
        &self,
        client: &Client,
        bound: &[Bound],
        visit: &mut dyn Visit,
    ) -> lapin::Result<(PartitionRead, bool)> {
        let channel = client.channel(ANSWER).await?;
        let private = QueueDeclareOptions {
            exclusive: true,
            auto_delete: true,
            ..QueueDeclareOptions::default()
        };
        let declared = channel.queue_declare(ShortString::default(), private, FieldTable::default());
        let name = timed(ANSWER, declared).await?.name().clone();
        for Bound {
            exchange,
            key,
            arguments,
        } in bound
        {
            let bind = channel.queue_bind(
                name.clone(),
                ShortString::from(exchange.as_str()),
                ShortString::from(key.as_str()),
                QueueBindOptions::default(),
                arguments.clone(),
            );
            timed(ANSWER, bind).await?;
        }
        let options = BasicConsumeOptions {
            no_ack: true,
            exclusive: true,
            ..BasicConsumeOptions::default()
        };
        let consume = channel.basic_consume(name, ShortString::default(), options, FieldTable::default());
        let mut consumer = timed(ANSWER, consume).await?;
        tracing::info!("watching {} by {} bindings", self.queue, bound.len());
        let (mut read, end) = (PartitionRead::default(), self.watch.map(|time| Instant::now() + time));
        loop {
            let is_over = end.is_some_and(|end| Instant::now() >= end);
            let rows = some(&mut consumer, read.to).await;
            let rows = match rows {
                Ok(rows) => rows,
                Err(why) => {
                    read.error = Some(why);
                    return Ok((read, false));
                }
            };
            read.to += rows.len() as i64;
            let all: Vec<&Row> = rows.iter().collect();
            if hand_over(&all, &mut read, visit).is_break() {
                return Ok((read, true));
            }
            // What had arrived when the time was over still counts.
            if is_over && rows.is_empty() {
                return Ok((read, false));
            }
        }
    }
}

/// What has arrived; nothing when nothing comes for a moment.
async fn some(consumer: &mut Consumer, at: i64) -> std::result::Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    let mut next = match tokio::time::timeout(SLICE, consumer.next()).await {
        Ok(next) => next,
        Err(_) => return Ok(rows),
    };
    loop {
        match next {
            None => return Err("the broker ended the tap".to_owned()),
            Some(Err(e)) => return Err(words::why(&e)),
            Some(Ok(delivery)) => {
                let offset = at + rows.len() as i64;
                rows.push(Row::new(delivery, offset));
            }
        }
        if rows.len() == BATCH {
            return Ok(rows);
        }
        next = match consumer.next().now_or_never() {
            None => return Ok(rows),
            Some(next) => next,
        };
    }
}

impl Scan for RabbitTap {
    fn scan(&mut self, _plan: &ScanPlan, visit: &mut dyn Visit) -> Result<ScanReport> {
        let threads = client::threads().map_err(|why| Problem::unknown(why.to_string()))?;
        threads.block_on(self.run(visit))
    }

    fn is_compacted(&mut self, _patience: Duration) -> Option<bool> {
        Some(false)
    }
}

/// The bindings of a queue, but for the one to the default exchange that every queue has.
fn bound(all: &Value) -> std::result::Result<Vec<Bound>, String> {
    let mut bound = Vec::new();
    for binding in all.as_array().into_iter().flatten() {
        let text = |name: &str| binding[name].as_str().unwrap_or_default().to_owned();
        let exchange = text("source");
        if exchange.is_empty() {
            continue;
        }
        bound.push(Bound {
            key: text("routing_key"),
            arguments: arguments(&binding["arguments"])
                .ok_or_else(|| format!("its binding to exchange {exchange} has arguments that cannot be repeated"))?,
            exchange,
        });
    }
    match bound.is_empty() {
        true => Err("only the default exchange routes to it, to which nothing can be bound".to_owned()),
        false => Ok(bound),
    }
}

fn arguments(json: &Value) -> Option<FieldTable> {
    let mut table = FieldTable::default();
    for (name, value) in json.as_object().into_iter().flatten() {
        let value = match value {
            Value::String(text) => AMQPValue::LongString(LongString::from(text.as_str())),
            Value::Bool(b) => AMQPValue::Boolean(*b),
            Value::Number(n) => AMQPValue::LongLongInt(n.as_i64()?),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        table.insert(ShortString::from(name.as_str()), value);
    }
    Some(table)
}

/// Whether another queue behind this exchange changes nothing for the others.
fn untouched(name: &str, exchange: &Value) -> std::result::Result<(), String> {
    let kind = exchange["type"].as_str().unwrap_or("of an unknown type");
    if !["direct", "fanout", "topic", "headers"].contains(&kind) {
        return Err(format!(
            "exchange {name} is of type {kind}, where another queue can take messages away from the others"
        ));
    }
    let own = exchange["arguments"]["alternate-exchange"].as_str();
    let policy = exchange["effective_policy_definition"]["alternate-exchange"].as_str();
    match own.or(policy) {
        Some(alternate) => Err(format!(
            "exchange {name} gives what no queue takes to {alternate}, and a tap would take it"
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tap_is_set_only_where_nobody_notices() {
        for kind in ["direct", "fanout", "topic", "headers"] {
            assert_eq!(untouched("e", &json!({"type": kind, "arguments": {}})), Ok(()));
        }
        for kind in [
            "x-consistent-hash",
            "x-random",
            "x-modulus-hash",
            "x-local-random",
            "x-delayed-message",
            "",
        ] {
            assert!(untouched("e", &json!({"type": kind})).is_err(), "{kind}");
        }
        let own = json!({"type": "direct", "arguments": {"alternate-exchange": "a"}});
        let policy = json!({"type": "direct", "effective_policy_definition": {"alternate-exchange": "a"}});
        assert!(untouched("e", &own).is_err() && untouched("e", &policy).is_err());
        assert!(untouched("e", &Value::Null).is_err());
    }

    #[test]
    fn the_same_bindings_and_no_others() {
        let default = json!({"source": "", "routing_key": "q", "arguments": {}});
        assert!(bound(&json!([default])).is_err());
        let own = json!({"source": "e", "routing_key": "a.*", "arguments": {"x-match": "all", "n": 5, "b": true}});
        let all = bound(&json!([default, own])).unwrap();
        assert_eq!(
            (all.len(), all[0].exchange.as_str(), all[0].key.as_str()),
            (1, "e", "a.*")
        );
        assert_eq!(all[0].arguments.inner().len(), 3);
        let strange = json!({"source": "e", "routing_key": "", "arguments": {"f": 1.5}});
        assert!(bound(&json!([strange])).is_err());
    }
}
