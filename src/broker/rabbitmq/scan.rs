//! Reading a queue: a stream as often as one likes, any other only by looking into it.

use super::client::{self, Client, timed};
use super::kind::{self, Kind};
use super::stream::Reading;
use super::target::{Place, Target};
use super::words::{self, code};
use super::{peek, stream};
use crate::connect::Connection;
use crate::model::{Problem, Result, Scan, ScanPlan, ScanReport, Unreached, Visit};
use lapin::options::QueueDeclareOptions;
use lapin::types::{FieldTable, ShortString};
use std::future::Future;
use std::time::Duration;

/// How long the first answer of a broker may take, over all its servers.
const CONNECT: Duration = Duration::from_secs(10);
/// How long one answer may take later.
const ANSWER: Duration = Duration::from_secs(10);
/// How long it may take until somebody who asks to stop is heard.
const SLICE: Duration = Duration::from_millis(200);

/// Reads one queue.
#[derive(Debug)]
pub struct RabbitScan {
    target: Target,
    queue: String,
}

impl RabbitScan {
    /// A scan of the queue `NAME`, which may be written as the lane `|NAME`. Nothing is connected yet.
    ///
    /// # Errors
    /// A usage problem when it cannot be the name of a queue, or a property is not known.
    pub fn new(connection: &Connection, topic: &str) -> Result<RabbitScan> {
        let place = Place::parse(topic)?;
        if !place.exchange.is_empty() {
            return Err(Problem::usage(format!(
                "{topic} is an exchange and a routing key, and only a queue can be read"
            ))
            .next("give the queue that it is routed to with -t QUEUE"));
        }
        Ok(RabbitScan {
            target: Target::new(connection)?,
            queue: place.key,
        })
    }

    async fn read(&self, plan: &ScanPlan, visit: &mut dyn Visit) -> Result<Reading> {
        let broker = &self.target.broker;
        let client = attended(visit, Client::login(&self.target, CONNECT))
            .await
            .ok_or_else(|| Problem::unknown(format!("stopped before {broker} answered")))?
            .map_err(|why| self.unreached(&why))?;
        let reading = self.read_by(&client, plan, visit).await;
        client.close().await;
        reading
    }

    async fn read_by(&self, client: &Client, plan: &ScanPlan, visit: &mut dyn Visit) -> Result<Reading> {
        let (queue, broker) = (&self.queue, &self.target.broker);
        let count = self.count(client).await?;
        let kind = kind::ask(client, queue, ANSWER).await.map_err(|e| {
            Problem::unknown(format!("queue {queue} on {broker} cannot be asked about")).because(words::why(&e))
        })?;
        match (kind, plan.peek) {
            (Kind::Stream, _) => Ok(stream::read(client, queue, count, plan.since_ms, ANSWER, visit).await),
            (Kind::Queue, true) => Ok(peek::read(client, queue, count, ANSWER, visit).await),
            (Kind::Queue, false) => Err(Problem::unknown(format!(
                "queue {queue} keeps no history, so where a message was cannot be known"
            ))
            .next("bind a stream to the same exchange and read that, or look into the queue with --peek")),
            // Fetching is refused by a stream, and harmless for what was allowed.
            (Kind::Unknown(_), true) => {
                let looked = peek::read(client, queue, count, ANSWER, visit).await;
                let is_stream = |why: &String| why.ends_with(&format!("({})", code::NOT_IMPLEMENTED));
                if !looked.read.error.as_ref().is_some_and(is_stream) {
                    return Ok(looked);
                }
                // That answer closed the connection.
                let again = Client::login(&self.target, CONNECT)
                    .await
                    .map_err(|why| self.unreached(&why))?;
                let reading = stream::read(&again, queue, count, plan.since_ms, ANSWER, visit).await;
                again.close().await;
                Ok(reading)
            }
            (Kind::Unknown(why), false) => Err(Problem::unknown(format!(
                "whether queue {queue} is a stream cannot be told, and another queue is changed by reading it"
            ))
            .because(why)
            .next("ask for the configure permission on the queue, or look into it with --peek")),
        }
    }

    /// How many messages are ready; nothing is made by asking.
    async fn count(&self, client: &Client) -> Result<u32> {
        let (queue, broker) = (&self.queue, &self.target.broker);
        let passive = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let asked = async {
            let channel = client.channel(ANSWER).await?;
            let name = ShortString::from(queue.as_str());
            timed(ANSWER, channel.queue_declare(name, passive, FieldTable::default())).await
        };
        match asked.await {
            Ok(found) => Ok(found.message_count()),
            Err(e) => match words::reply(&e) {
                Some((code::NOT_FOUND, text)) if !words::is_out_of_reach(&text) => {
                    Err(Problem::unknown(format!("queue {queue} does not exist on {broker}"))
                        .next("check its spelling; an absent queue is not an empty one"))
                }
                Some((code::ACCESS_REFUSED, text)) => {
                    Err(Problem::unknown(format!("queue {queue} on {broker} may not be read"))
                        .because(text)
                        .next("ask for the read permission on the queue"))
                }
                Some(_) | None => Err(
                    Problem::unknown(format!("queue {queue} on {broker} cannot be asked about"))
                        .because(words::why(&e)),
                ),
            },
        }
    }

    fn unreached(&self, why: &Unreached) -> Problem {
        Problem::unknown(format!("cannot reach {}", self.target.broker))
            .because(why)
            .next("check the address, the user and that a broker runs there")
    }
}

/// Work that somebody may end; `None` when they did.
async fn attended<T>(visit: &mut dyn Visit, work: impl Future<Output = T>) -> Option<T> {
    tokio::pin!(work);
    loop {
        match tokio::time::timeout(SLICE, &mut work).await {
            Ok(done) => return Some(done),
            Err(_) if visit.progress(0, 0).is_break() => return None,
            Err(_) => {}
        }
    }
}

impl Scan for RabbitScan {
    fn scan(&mut self, plan: &ScanPlan, visit: &mut dyn Visit) -> Result<ScanReport> {
        if let Some(p) = plan.partitions.iter().find(|p| **p != 0) {
            return Err(Problem::usage(format!("queue {} has no partition {p}", self.queue))
                .next("a RabbitMQ queue is one partition, 0; leave -p out"));
        }
        let threads = client::threads().map_err(|why| Problem::unknown(why.to_string()))?;
        let Reading {
            read,
            stopped,
            assumption,
        } = threads.block_on(self.read(plan, visit))?;
        Ok(ScanReport {
            partitions: vec![read],
            compacted: Some(false),
            stopped,
            unread: None,
            assumption,
        })
    }

    fn is_compacted(&mut self, _patience: Duration) -> Option<bool> {
        // No kind of queue removes old values of a key.
        Some(false)
    }
}
