//! Reading a queue: a stream as often as one likes, any other only by looking into it.

use super::client::{self, Client, timed};
use super::kind::{self, Kind};
use super::management::{self, encoded};
use super::stream::Reading;
use super::target::{Place, Target};
use super::words::{self, code};
use super::{peek, stream};
use crate::connect::Connection;
use crate::model::{Problem, Result, Scan, ScanPlan, ScanReport, Unreached, Visit};
use lapin::options::QueueDeclareOptions;
use lapin::types::{FieldTable, ShortString};
use serde_json::Value;
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
        let wish = stream::Wish {
            counted: count,
            since_ms: plan.since_ms,
            newest_first: plan.newest_first,
            limit: ANSWER,
        };
        let kind = kind::ask(client, queue, ANSWER).await.map_err(|e| {
            Problem::unknown(format!("queue {queue} on {broker} cannot be asked about")).because(words::why(&e))
        })?;
        match (kind, plan.peek) {
            (Kind::Stream, _) => Ok(stream::read(client, queue, wish, visit).await),
            (Kind::Classic, true) => Ok(peek::read(client, queue, count, ANSWER, visit).await),
            (Kind::Quorum | Kind::Queue | Kind::Unknown(_), true) if !plan.peek_at_risk && count > 0 => {
                match self.delivery_limit().await {
                    Limit::None => Ok(peek::read(client, queue, count, ANSWER, visit).await),
                    Limit::Some(why) => Err(Problem::usage(format!("queue {queue} is not looked into"))
                        .because(why)
                        .next("add --yes if that is all right, or bind a stream to the same exchange and read that")),
                }
            }
            (Kind::Quorum | Kind::Queue, true) => Ok(peek::read(client, queue, count, ANSWER, visit).await),
            (Kind::Classic | Kind::Quorum | Kind::Queue, false) => Err(Problem::unknown(format!(
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
                let reading = stream::read(&again, queue, wish, visit).await;
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

    /// Whether the queue drops messages that were delivered too often, as far as the management API tells.
    async fn delivery_limit(&self) -> Limit {
        let may = |why: String| {
            Limit::Some(format!(
                "each look counts as a delivery, and a quorum queue may drop what was delivered too often: {why}"
            ))
        };
        let Some(url) = &self.target.management else {
            return may("whether it does cannot be asked without --management".to_owned());
        };
        let get = async |path: String| match management::get(&self.target, url, &path).await {
            Ok((200, found)) => Ok(found),
            Ok((status, answer)) => Err(management::refusal(status, &answer)),
            Err(why) => Err(why.why),
        };
        let path = format!("/api/queues/{}/{}", encoded(&self.target.vhost), encoded(&self.queue));
        let asked = tokio::time::timeout(ANSWER, async {
            Ok((get(path).await?, get("/api/overview".to_owned()).await?))
        });
        match asked.await {
            Ok(Ok((found, overview))) => limit_of(&found, &overview).map_or(Limit::None, may),
            Ok(Err(why)) => may(why),
            Err(_) => may(format!("{url} does not answer")),
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
                    Err(Problem::absent(format!("queue {queue} does not exist on {broker}"))
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

/// Whether a look can cost messages.
enum Limit {
    None,
    Some(String),
}

/// The delivery limit of a queue in words: its own, that of its policy, or since 4.0 the default of quorum queues.
fn limit_of(queue: &Value, overview: &Value) -> Option<String> {
    if queue["type"].as_str() == Some("classic") {
        return None;
    }
    let own = queue["arguments"]["x-delivery-limit"].as_i64();
    let policy = queue["effective_policy_definition"]["delivery-limit"].as_i64();
    match [own, policy].into_iter().flatten().min() {
        Some(limit) if limit >= 0 => return Some(format!("its delivery limit is {limit}")),
        Some(_) => return None,
        None => {}
    }
    let version = overview["rabbitmq_version"].as_str().unwrap_or_default();
    let major: Option<u32> = version.split('.').next().and_then(|major| major.parse().ok());
    match major {
        Some(..=3) => None,
        Some(_) => Some(format!("in RabbitMQ {version} its delivery limit is 20 by default")),
        None => Some("the version of the broker is not known".to_owned()),
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
            leaves: None,
        })
    }

    fn is_compacted(&mut self, _patience: Duration) -> Option<bool> {
        // No kind of queue removes old values of a key.
        Some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn where_a_look_can_cost_messages() {
        let (old, new) = (
            json!({"rabbitmq_version": "3.10.8"}),
            json!({"rabbitmq_version": "4.1.0"}),
        );
        let quorum = json!({"type": "quorum", "arguments": {}});
        assert_eq!(limit_of(&quorum, &old), None);
        assert!(limit_of(&quorum, &new).unwrap().contains("20"));
        assert!(limit_of(&quorum, &Value::Null).is_some());
        assert_eq!(limit_of(&json!({"type": "classic"}), &new), None);
        let own = json!({"type": "quorum", "arguments": {"x-delivery-limit": 5}});
        assert!(limit_of(&own, &old).unwrap().contains("is 5"));
        let policy = json!({"type": "quorum", "effective_policy_definition": {"delivery-limit": 0}});
        assert!(limit_of(&policy, &old).is_some());
        let unlimited = json!({"type": "quorum", "arguments": {"x-delivery-limit": -1}});
        assert_eq!(limit_of(&unlimited, &new), None);
    }
}
