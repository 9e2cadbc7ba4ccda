//! A topic that is not there is made, where that was asked for; and what kind of topic there is.

use super::client::{ANSWER, Client, NO_PERMISSION, SUCCESS, TOPIC_NOT_EXIST};
use super::wire::Request;
use crate::model::{Create, Unreached};
use rocketmq_protocol::RequestCode;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// As many queues as `mqadmin updateTopic` makes at each broker.
const QUEUES: i32 = 8;
/// `PermName`: may be read and written.
const READ_AND_WRITE: i32 = 6;
/// Brokers tell the name servers at once.
const ROUTE_TRIES: usize = 50;
const ROUTE_PAUSE: Duration = Duration::from_millis(100);

/// What came of making a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Made {
    /// It is there, and its route is known.
    Yes,
    /// A broker answered no, and will again.
    Never(String),
}

/// Makes the topic at every master of the cluster, and waits until the name servers know it at each.
///
/// # Errors
/// Who could not be asked. Nothing is made unless every master answers.
pub(super) async fn create(client: &Client, create: Create) -> Result<Made, Unreached> {
    if create.replicas.is_some() {
        return Ok(Made::Never(
            "the copies of a RocketMQ topic are not its own but its brokers' (their slaves)".to_owned(),
        ));
    }
    let cluster = client.cluster().await?;
    let masters = || {
        let all = cluster.brokers.iter();
        all.filter_map(|(name, broker)| Some((name, broker.master.as_ref()?)))
    };
    if let Some((name, _)) = cluster.brokers.iter().find(|(_, broker)| broker.master.is_none()) {
        return Err(Unreached::new(format!(
            "topic {} cannot be made at broker {name}, which has no master at the moment",
            client.topic
        )));
    }
    for (name, address) in masters() {
        client.greet(name, address).await?;
    }
    let queues = create.partitions.unwrap_or(QUEUES);
    // `CreateTopicRequestHeader`, filled as mqadmin does.
    let request = Request::new(RequestCode::UpdateAndCreateTopic)
        .with("topic", &client.topic)
        .with("defaultTopic", "TBW102")
        .with("readQueueNums", queues)
        .with("writeQueueNums", queues)
        .with("perm", READ_AND_WRITE)
        .with("topicFilterType", "SINGLE_TAG")
        .with("topicSysFlag", 0)
        .with("order", false)
        .with("attributes", "")
        .with("force", false);
    for (name, address) in masters() {
        let reply = client.ask(address, &request, ANSWER).await.map_err(|lost| lost.why)?;
        let words = || format!("broker {name} at {address} answered {}", reply.words());
        match reply.code {
            SUCCESS => {}
            NO_PERMISSION | INVALID => return Ok(Made::Never(words())),
            _ => return Err(Unreached::new(words())),
        }
    }
    let all: Vec<&String> = masters().map(|(name, _)| name).collect();
    for _ in 0..ROUTE_TRIES {
        if let super::client::Routed::Known(route) = client.ask_route().await?
            && all
                .iter()
                .all(|name| route.queues.iter().any(|q| q.broker_name == **name))
        {
            return Ok(Made::Yes);
        }
        tokio::time::sleep(ROUTE_PAUSE).await;
    }
    Err(Unreached::new(format!(
        "topic {} was made, and the name servers do not know it at every broker yet",
        client.topic
    )))
}

/// `ResponseCode.INVALID_PARAMETER`: a name that no topic may have, or a number of queues.
const INVALID: i32 = 29;

/// What a topic does with messages, as far as it matters to who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Every message is kept, one by one.
    Plain,
    /// Of each key the last message is kept.
    Compacted,
    /// Each place in a queue may be a batch (`queue.type=BatchCQ`), with rules of its own for those who send them.
    Batches,
    /// The broker would not say.
    Unknown,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TopicText {
    attributes: BTreeMap<String, String>,
}

/// Asks a broker what kind of topic it is. Not every user may ask, and old brokers know no kinds.
pub(super) async fn kind(client: &Client, address: &str) -> Kind {
    let request = Request::new(RequestCode::GetTopicConfig)
        .with("topic", &client.topic)
        .with("lo", false);
    match client.ask(address, &request, ANSWER).await {
        Ok(reply) if reply.code == SUCCESS => read_kind(&reply.body),
        Ok(reply) => {
            if reply.code != TOPIC_NOT_EXIST {
                tracing::debug!("{address} does not tell what kind of topic it is: {}", reply.words());
            }
            Kind::Unknown
        }
        Err(lost) => {
            tracing::debug!("{address} does not tell what kind of topic it is: {}", lost.why);
            Kind::Unknown
        }
    }
}

fn read_kind(body: &[u8]) -> Kind {
    let Ok(text) = serde_json::from_slice::<TopicText>(body) else {
        return Kind::Unknown;
    };
    // `TopicAttributes`; the names are the same for whoever sets them.
    let is = |name: &str, value: &str| text.attributes.get(name).is_some_and(|v| v.eq_ignore_ascii_case(value));
    match (is("queue.type", "BatchCQ"), is("cleanup.policy", "COMPACTION")) {
        (true, _) => Kind::Batches,
        (false, true) => Kind::Compacted,
        (false, false) => Kind::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_topic_is_in_its_attributes() {
        let kind = |attributes: &str| {
            read_kind(format!(r#"{{"attributes":{attributes},"order":false,"perm":6,"topicName":"t"}}"#).as_bytes())
        };
        assert_eq!(kind("{}"), Kind::Plain);
        assert_eq!(kind(r#"{"queue.type":"BatchCQ"}"#), Kind::Batches);
        assert_eq!(kind(r#"{"cleanup.policy":"COMPACTION"}"#), Kind::Compacted);
        assert_eq!(
            kind(r#"{"cleanup.policy":"DELETE","message.type":"FIFO"}"#),
            Kind::Plain
        );
        assert_eq!(read_kind(br#"{"topicName":"t"}"#), Kind::Plain);
        for bad in [&b""[..], b"[]x", b"\xff"] {
            assert_eq!(read_kind(bad), Kind::Unknown);
        }
    }
}
