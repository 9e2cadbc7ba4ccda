//! Why no queue took a message, and whether that can heal.
//!
//! RabbitMQ returns a message (NO_ROUTE) for a queue that is not there, and in the same words for a durable queue whose node is
//! down: only running queues are routed to (rabbit_amqqueue.erl, `lookup`). The message is nowhere in both cases, but the first
//! is for good and the second is not. Asked for the queue, the broker tells them apart (`words::is_out_of_reach`).
//!
//! It is asked on a connection of its own. lapin reports the closing of any channel, which is how the broker says 404, as an error
//! of its whole connection; and a connection that the broker blocks for publishing is not read at all.

use super::client::Client;
use super::endpoint::look_at;
use super::management::{self, encoded, get};
use super::target::{Place, Target};
use super::verdict::Returned;
use super::words::{self, code};
use crate::model::Delivery;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

/// How long the broker may take to answer; its silence is no answer, and the message is sent again.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the broker said about a queue that took nothing a moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// It does not exist, in these words.
    Absent(String),
    /// It exists and cannot be used, in these words.
    OutOfReach(String),
    /// It is there. It came back, or was made, after the message was returned.
    There,
    /// The question was not answered, and why.
    Unknown(String),
}

impl Answer {
    fn of(looked: lapin::Result<()>) -> Answer {
        let Err(error) = looked else { return Answer::There };
        match words::reply(&error) {
            Some((code::NOT_FOUND, text)) if words::is_out_of_reach(&text) => {
                Answer::OutOfReach(format!("{text} (404)"))
            }
            Some((code::NOT_FOUND, text)) => Answer::Absent(format!("{text} (404)")),
            // Exclusive to another connection, so it is there.
            Some((code::RESOURCE_LOCKED, _)) => Answer::There,
            Some(_) | None => Answer::Unknown(words::why(&error)),
        }
    }

    /// What became of a message that was returned before the question was asked.
    ///
    /// Only an absent queue refuses it. Whatever else is true by now, the message is certainly not stored, and the next attempt
    /// may be; what was not learnt must not end it.
    fn about(&self, returned: &Returned) -> Delivery {
        let why = &returned.why;
        match self {
            Answer::Absent(text) => Delivery::Refused(format!("unroutable: {why}: {text}")),
            Answer::OutOfReach(text) => Delivery::NotSent(text.clone()),
            Answer::There => Delivery::NotSent(format!("{why}; the queue is there now")),
            Answer::Unknown(text) => Delivery::NotSent(format!("{why}; it was not learnt why: {text}")),
        }
    }
}

/// One question on its way, and the messages that its answer is for.
struct Asked {
    messages: Vec<(u64, Returned)>,
    answer: BoxFuture<'static, (Option<Client>, Answer)>,
}

/// Returned messages that wait to learn what their return means. They are in flight until then.
pub(super) struct Unrouted {
    target: Arc<Target>,
    waiting: VecDeque<(u64, Returned)>,
    asked: Option<Asked>,
    client: Option<Client>,
}

impl Unrouted {
    pub(super) fn new(target: Arc<Target>) -> Unrouted {
        Unrouted {
            target,
            waiting: VecDeque::new(),
            asked: None,
            client: None,
        }
    }

    /// Whether nothing waits for an answer.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.asked.is_none()
    }

    /// Takes a returned message in, or says at once what became of it.
    pub(super) fn add(&mut self, ticket: u64, returned: Returned) -> Option<Delivery> {
        if returned.queue.is_none() && self.target.management.is_none() {
            // Which queues are out of reach cannot be asked by AMQP without their names.
            return Some(Delivery::Refused(format!("unroutable: {}", returned.why)));
        }
        self.waiting.push_back((ticket, returned));
        self.ask();
        None
    }

    /// One question at a time. Its answer is for those messages of its queue that came back before it was asked: what it says
    /// may have changed for those that come back later.
    fn ask(&mut self) {
        if self.asked.is_some() {
            return;
        }
        let Some((_, first)) = self.waiting.front() else {
            return;
        };
        let queue = first.queue.clone();
        let all = std::mem::take(&mut self.waiting);
        let (messages, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, returned)| returned.queue == queue);
        self.waiting = others.into();
        let (target, client) = (Arc::clone(&self.target), self.client.take());
        let answer = match queue {
            Some(queue) => ask_for(target, client, queue).boxed(),
            None => async move { (client, ask_for_any(&target).await) }.boxed(),
        };
        self.asked = Some(Asked { messages, answer });
    }

    /// Messages that have their verdict now. Never ready while nothing is asked; may be dropped at any moment.
    pub(super) async fn answered(&mut self) -> Vec<(u64, Delivery)> {
        let Some(asked) = &mut self.asked else {
            return pending().await;
        };
        let (client, answer) = (&mut asked.answer).await;
        self.client = client;
        let messages = self.asked.take().map(|asked| asked.messages).unwrap_or_default();
        self.ask();
        messages
            .into_iter()
            .map(|(ticket, returned)| (ticket, answer.about(&returned)))
            .collect()
    }

    /// What is known of those that wait when nobody asks any more.
    pub(super) fn abandon(&mut self, why: &str) -> Vec<(u64, Delivery)> {
        let answer = Answer::Unknown(why.to_owned());
        let asked = self.asked.take().map(|asked| asked.messages).unwrap_or_default();
        asked
            .into_iter()
            .chain(self.waiting.drain(..))
            .map(|(ticket, returned)| (ticket, answer.about(&returned)))
            .collect()
    }
}

/// Whether any queue is out of reach that a named exchange may route to. The broker forgets the bindings of a queue while its node
/// is down, so nobody can say which one a message would have reached: while one is down, whatever was returned may heal.
async fn ask_for_any(target: &Target) -> Answer {
    let Some(url) = &target.management else {
        return Answer::Unknown("no management API was named".to_owned());
    };
    let path = format!("/api/queues/{}?columns=name,state", encoded(&target.vhost));
    match tokio::time::timeout(PATIENCE, get(target, url, &path)).await {
        Ok(Ok((200, queues))) => of_queues(&queues),
        Ok(Ok((status, answer))) => Answer::Unknown(management::refusal(status, &answer)),
        Ok(Err(why)) => Answer::Unknown(why.why),
        Err(_) => Answer::Unknown(format!("{url} does not answer")),
    }
}

fn of_queues(queues: &Value) -> Answer {
    let Some(queues) = queues.as_array() else {
        return Answer::Unknown("the management API does not tell the queues".to_owned());
    };
    let down = |queue: &&Value| {
        queue["state"]
            .as_str()
            .is_some_and(|state| state == "down" || state == "stopped")
    };
    let mut names = queues.iter().filter(down).map(|q| q["name"].as_str().unwrap_or("?"));
    match (names.next(), names.count()) {
        (None, _) => Answer::Absent("every queue of the virtual host is up".to_owned()),
        (Some(name), 0) => Answer::OutOfReach(format!("no queue took it, and queue {name} is down")),
        (Some(name), more) => {
            Answer::OutOfReach(format!("no queue took it, and queue {name} and {more} more are down"))
        }
    }
}

/// Asks for one queue, over the connection of the last question where there is one.
async fn ask_for(target: Arc<Target>, client: Option<Client>, queue: String) -> (Option<Client>, Answer) {
    let place = Place {
        exchange: String::new(),
        key: queue,
    };
    let kept = client.filter(|client| client.connection.status().connected());
    let client = match kept {
        Some(client) => client,
        None => match Client::login(&target, PATIENCE).await {
            Ok(client) => client,
            Err(why) => return (None, Answer::Unknown(why.to_string())),
        },
    };
    let looked = match client.channel(PATIENCE).await {
        Ok(channel) => {
            let looked = look_at(&channel, &place, PATIENCE).await;
            if looked.is_ok() {
                // After a refusal the broker has closed it.
                drop(channel.close(200, "bye".into()).await);
            }
            looked
        }
        Err(error) => Err(error),
    };
    let answer = Answer::of(looked);
    let client = (!matches!(answer, Answer::Unknown(_))).then_some(client);
    (client, answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::protocol::{AMQPError, AMQPErrorKind};
    use serde_json::json;

    fn returned(queue: Option<&str>) -> Returned {
        Returned {
            message_id: "m".to_owned(),
            why: "NO_ROUTE".to_owned(),
            queue: queue.map(str::to_owned),
        }
    }

    #[test]
    fn while_any_queue_is_down_an_exchange_refuses_nothing() {
        let about = |queues: Value| of_queues(&queues).about(&returned(None));
        let up = json!([{"name": "a", "state": "running"}, {"name": "b", "state": "idle"}]);
        assert!(matches!(about(up), Delivery::Refused(why) if why.contains("unroutable")));
        let down = json!([{"name": "a", "state": "running"}, {"name": "b", "state": "down"}]);
        assert!(matches!(about(down), Delivery::NotSent(why) if why.contains("queue b is down")));
        assert!(matches!(about(json!({"error": 1})), Delivery::NotSent(_)));
    }

    fn said(code: u16, text: &str) -> Delivery {
        let kind = AMQPErrorKind::from_id(code).unwrap();
        let error = AMQPError::new(kind, format!("SOME_CODE - {text}").into());
        Answer::of(Err(lapin::ErrorKind::ProtocolError(error).into())).about(&returned(Some("q")))
    }

    #[test]
    fn only_an_absent_queue_refuses() {
        let absent = said(404, "no queue 'q' in vhost '/'");
        assert!(matches!(&absent, Delivery::Refused(why) if why.contains("NO_ROUTE") && why.contains("no queue 'q'")));
        let down = said(
            404,
            "home node 'a@b' of durable queue 'q' in vhost '/' is down or inaccessible",
        );
        assert!(matches!(&down, Delivery::NotSent(why) if why.contains("home node 'a@b'")));
        assert!(matches!(said(405, "locked"), Delivery::NotSent(_)));
        // A right that is missing, a broker that breaks, one that is silent: nothing is known, so nothing ends.
        assert!(matches!(said(403, "refused"), Delivery::NotSent(_)));
        assert!(matches!(said(541, "broken"), Delivery::NotSent(_)));
        let silent = lapin::Error::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        assert!(matches!(
            Answer::of(Err(silent)).about(&returned(Some("q"))),
            Delivery::NotSent(_)
        ));
        // It came back before the answer did.
        assert!(matches!(
            Answer::of(Ok(())).about(&returned(Some("q"))),
            Delivery::NotSent(_)
        ));
    }

    fn unrouted() -> Unrouted {
        let connection = crate::connect::Connection {
            url: crate::connect::BrokerUrl::parse("amqp://127.0.0.1:1").unwrap(),
            properties: crate::connect::ClientProperties::parse(&[], |_| Ok(String::new()), |_| None).unwrap(),
            management: None,
        };
        Unrouted::new(Arc::new(Target::new(&connection).unwrap()))
    }

    #[test]
    fn an_exchange_is_not_asked_about() {
        let mut unrouted = unrouted();
        assert!(matches!(unrouted.add(1, returned(None)), Some(Delivery::Refused(_))));
        assert!(unrouted.is_empty());
    }

    #[test]
    fn an_answer_is_for_what_came_back_before_it_was_asked() {
        let mut unrouted = unrouted();
        for (ticket, queue) in [(1, "a"), (2, "b"), (3, "a")] {
            assert_eq!(unrouted.add(ticket, returned(Some(queue))), None);
        }
        // The question about `a` was asked when 1 came back: 3 waits for the next one.
        let asked: Vec<u64> = unrouted.asked.as_ref().unwrap().messages.iter().map(|m| m.0).collect();
        assert_eq!(asked, [1]);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        // Nobody listens there, so nothing is learnt and nothing is refused.
        let first = runtime.block_on(unrouted.answered());
        assert!(matches!(&first[..], [(1, Delivery::NotSent(_))]), "{first:?}");
        let left = unrouted.abandon("over");
        assert_eq!(left.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), [2, 3]);
        assert!(left.iter().all(|(_, d)| matches!(d, Delivery::NotSent(_))));
        assert!(unrouted.is_empty());
    }
}
