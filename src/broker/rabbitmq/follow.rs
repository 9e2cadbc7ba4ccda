//! What the management API knows of a queue's readers, and where its dead letters go.

use super::management::encoded;
use super::target::{Place, Target};
use super::{client, management};
use crate::connect::Connection;
use crate::model::{Follow, Following, Problem, Result};
use serde_json::Value;
use std::time::Duration;

/// The readers of one queue.
#[derive(Debug)]
pub struct RabbitFollow {
    target: Target,
    queue: String,
}

impl RabbitFollow {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// As for a scan of the queue.
    pub fn new(connection: &Connection, topic: &str) -> Result<RabbitFollow> {
        Ok(RabbitFollow {
            target: Target::new(connection)?,
            queue: Place::parse(topic)?.key,
        })
    }

    async fn ask(&self, url: &str) -> std::result::Result<Following, String> {
        let vhost = encoded(&self.target.vhost);
        let queue = self
            .get(url, &format!("/api/queues/{vhost}/{}", encoded(&self.queue)))
            .await?;
        let mut known = Following {
            notes: readers(&queue),
            ..Following::default()
        };
        let rule = |name: &str| rule(&queue, name);
        if let Some(exchange) = rule("dead-letter-exchange") {
            let key = rule("dead-letter-routing-key");
            match exchange.as_str() {
                // The default exchange routes to the queue of that name; without a key, to the queue that the message was in.
                "" => known.copies.extend(key),
                exchange => {
                    let path = format!("/api/exchanges/{vhost}/{}/bindings/source", encoded(exchange));
                    match self.get(url, &path).await {
                        Ok(bindings) => queues_of(&bindings, &mut known),
                        Err(why) => known
                            .unknown
                            .push(format!("dead letters go to exchange {exchange}: {why}")),
                    }
                }
            }
        }
        known.copies.retain(|copy| *copy != self.queue);
        known.copies.sort();
        known.copies.dedup();
        Ok(known)
    }

    async fn get(&self, url: &str, path: &str) -> std::result::Result<Value, String> {
        match management::get(&self.target, url, path).await {
            Ok((200, found)) => Ok(found),
            Ok((status, answer)) => Err(format!("{url}: {}", management::refusal(status, &answer))),
            Err(why) => Err(format!("{url}: {}", why.why)),
        }
    }
}

/// Where all queues are that an exchange can reach at once.
fn queues_of(bindings: &Value, known: &mut Following) {
    for binding in bindings.as_array().into_iter().flatten() {
        let to = binding["destination"].as_str().unwrap_or_default();
        match binding["destination_type"].as_str() {
            Some("queue") => known.copies.push(to.to_owned()),
            Some(_) | None => known.unknown.push(format!(
                "dead letters also go on to exchange {to}, which was not followed"
            )),
        }
    }
}

/// What an argument of the queue or its policy says; the argument comes first.
fn rule(queue: &Value, name: &str) -> Option<String> {
    let own = &queue["arguments"][format!("x-{name}")];
    let policy = &queue["effective_policy_definition"][name];
    own.as_str().or(policy.as_str()).map(str::to_owned)
}

fn readers(queue: &Value) -> Vec<String> {
    let number = |name: &str| queue[name].as_u64();
    let mut notes = Vec::new();
    match number("consumers") {
        Some(0) => notes.push("no consumer is there now".to_owned()),
        Some(1) => notes.push("1 consumer is there now".to_owned()),
        Some(n) => notes.push(format!("{n} consumers are there now")),
        // It counts every few seconds.
        None => notes.push("the management API has not counted its consumers yet".to_owned()),
    }
    if let (Some(ready), Some(held)) = (number("messages_ready"), number("messages_unacknowledged")) {
        notes.push(format!("{ready} messages wait, {held} are held by consumers"));
    }
    if queue["type"].as_str() == Some("stream") {
        notes.push("AMQP does not tell how far the consumers of a stream are".to_owned());
    } else {
        notes.push(
            "a queue keeps no history: what is not in it any more was consumed, expired or dead-lettered".to_owned(),
        );
    }
    notes
}

impl Follow for RabbitFollow {
    fn follow(&mut self, _places: &[(Option<String>, i32)], patience: Duration) -> Result<Following> {
        let cannot = |why: String| {
            Problem::unknown(format!("the readers of {} are not known", self.queue))
                .because(why)
                .next("name the management API with --management http://HOST:15672")
        };
        let Some(url) = self.target.management.clone() else {
            return Err(cannot("AMQP does not tell".to_owned()));
        };
        let threads = client::threads().map_err(|why| cannot(why.to_string()))?;
        let asked = threads.block_on(async { tokio::time::timeout(patience, self.ask(&url)).await });
        match asked {
            Ok(known) => known.map_err(cannot),
            Err(_) => Err(cannot(format!("{url} does not answer"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_of_dead_letters() {
        let queue = json!({
            "arguments": {"x-dead-letter-exchange": "own"},
            "effective_policy_definition": {"dead-letter-exchange": "policy", "dead-letter-routing-key": "k"},
        });
        assert_eq!(rule(&queue, "dead-letter-exchange").as_deref(), Some("own"));
        assert_eq!(rule(&queue, "dead-letter-routing-key").as_deref(), Some("k"));
        assert_eq!(rule(&json!({"arguments": {}}), "dead-letter-exchange"), None);
        let mut known = Following::default();
        let bindings = json!([{"destination": "q", "destination_type": "queue"}, {"destination": "e", "destination_type": "exchange"}]);
        queues_of(&bindings, &mut known);
        assert_eq!((known.copies.len(), known.unknown.len()), (1, 1));
    }

    #[test]
    fn readers_in_words() {
        let words =
            readers(&json!({"consumers": 2, "messages_ready": 3, "messages_unacknowledged": 4, "type": "classic"}));
        assert!(
            words[0].contains("2 consumers")
                && words[1].contains("3 messages wait, 4")
                && words[2].contains("no history")
        );
    }
}
