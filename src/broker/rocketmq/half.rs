//! Half messages: a broker keeps them from readers until it is told to hand them out (`EndTransactionProcessor`,
//! `TransactionalMessageServiceImpl` of 5.3.3).
//!
//! What was read there, and what follows from it:
//!
//! - The answer to a commit is the same whether the message was flushed and replicated or not. So after a commit another half
//!   message is sent to the same broker and dropped again: it is appended behind the committed one, and is acknowledged only
//!   when everything before it is safe too.
//! - A commit is not idempotent: told twice, the broker hands the message out twice. So whoever does not know whether it was
//!   told asks for the message by its id first.
//! - What the broker asks about is always a copy, made for the question. The first one can still be ended by its own place, also
//!   after the broker gave up asking, and then another copy is asked about: it is dropped.
//! - Silence is how a question is left open.

use super::client::{ANSWER, Client};
use super::connection::Questions;
use super::driver::Driver;
use super::handle::Handle;
use super::lane::SEND;
use super::lost::{Lost, Sending};
use super::message::{self, Stored};
use super::outgoing::{self, NAME_END, PROPERTY_END, Place, Ready};
use super::pull;
use super::settings::Settings;
use super::verdict::{self, EndAnswer};
use super::wire::{Question, Request};
use crate::model::{
    Decide, Decision, Delivery, Ended, Outgoing, Position, Prepare, Prepared, Result as ModelResult, STAMP_HEADER,
    Unreached,
};
use rocketmq_protocol::RequestCode;
use std::collections::{HashSet, VecDeque};
use std::future::Future;
use std::sync::{Arc, mpsc as blocking};
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How often brokers are told that this producer lives; they forget it after two minutes.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Questions that wait for their answer. Brokers ask again.
const QUESTIONS: usize = 256;
/// `MessageSysFlag`.
const COMMIT: i32 = 2 << 2;
const ROLL_BACK: i32 = 3 << 2;
/// A header of the half messages that only ask whether what lies before them is safe.
const BARRIER: &str = "mqsafe-barrier";

/// Prepares and ends messages of one topic.
pub(super) struct RocketHalf {
    shared: Arc<Shared>,
    driver: Driver,
    tasks: Vec<JoinHandle<()>>,
}

struct Shared {
    client: Client,
    /// The producer group: brokers ask any member of it.
    group: String,
    decide: Decide,
    known: Mutex<Known>,
}

/// What this process knows of messages, by id. Held while one of them is ended, so that no two are ended at once.
#[derive(Default)]
struct Known {
    /// Prepared here, and nothing was said about it yet.
    fresh: HashSet<String>,
    /// Committed, perhaps not safely yet: whatever the broker asks about under these ids is another copy.
    committed: HashSet<String>,
    /// The same, the oldest first, of which so many are remembered.
    order: VecDeque<String>,
}

/// More than a broker asks about at once; its questions end within minutes.
const REMEMBERED: usize = 10_000;

impl Known {
    fn remember(&mut self, id: &str) {
        if self.committed.insert(id.to_owned()) {
            self.order.push_back(id.to_owned());
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.committed.remove(&oldest);
        }
    }
}

impl RocketHalf {
    /// Connects nothing yet, and begins to tell the brokers of the topic that this producer lives.
    ///
    /// # Errors
    /// None at present.
    pub(super) fn new(
        settings: Settings,
        topic: &str,
        driver: Driver,
        producer: &str,
        decide: Decide,
    ) -> ModelResult<RocketHalf> {
        let (sender, questions): (Questions, _) = mpsc::channel(QUESTIONS);
        let shared = Arc::new(Shared {
            client: Client::hearing(settings, topic.to_owned(), sender),
            group: outgoing::group(producer),
            decide,
            known: Mutex::default(),
        });
        let tasks = vec![
            driver.handle.spawn(live(Arc::clone(&shared))),
            driver.handle.spawn(hear(Arc::clone(&shared), questions)),
        ];
        Ok(RocketHalf { shared, driver, tasks })
    }

    /// Waits for what runs on the driver's thread. Everything there is bounded in time.
    fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (sender, receiver) = blocking::sync_channel(1);
        self.driver.handle.spawn(async move {
            // Whoever waits is in the next line.
            let _ = sender.send(work.await);
        });
        receiver.recv().ok()
    }
}

impl Drop for RocketHalf {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

const ENDED_EARLY: &str = "the connection to RocketMQ came to its end";

impl Prepare for RocketHalf {
    fn prepare(&mut self, message: &Outgoing<'_>) -> Result<Prepared, Delivery> {
        let (broker, queue) = outgoing::place(message.lane, &self.shared.client.topic).map_err(Delivery::NotSent)?;
        let ready = Ready {
            // A half message that is older than the broker keeps files is given up unasked.
            timestamp_ms: jiff::Timestamp::now().as_millisecond(),
            ..Ready::new(message).map_err(Delivery::Refused)?
        };
        let id = outgoing::unique_key(message.stamp, message.timestamp_ms);
        let (shared, broker) = (Arc::clone(&self.shared), broker.to_owned());
        let prepared = self.wait(async move { shared.prepare(&broker, queue, &ready, id).await });
        let handle = prepared.unwrap_or_else(|| Err(Delivery::InDoubt(ENDED_EARLY.to_owned())))?;
        Ok(Prepared {
            handle: handle.to_string(),
        })
    }

    fn end(&mut self, prepared: &Prepared, commit: bool) -> Ended {
        let Ok(handle) = prepared.handle.parse::<Handle>() else {
            return Ended::Gone("what was kept of it is no half message of RocketMQ".to_owned());
        };
        let shared = Arc::clone(&self.shared);
        let ended = self.wait(async move { shared.end(&handle, commit).await });
        ended.unwrap_or_else(|| Ended::InDoubt(ENDED_EARLY.to_owned()))
    }

    fn find(&mut self, message: &Outgoing<'_>) -> Result<Option<Position>, String> {
        let (broker, _) = outgoing::place(message.lane, &self.shared.client.topic)?;
        let id = outgoing::unique_key(message.stamp, message.timestamp_ms);
        let (shared, broker) = (Arc::clone(&self.shared), broker.to_owned());
        let found = self.wait(async move { shared.find(&broker, &id).await });
        found.unwrap_or_else(|| Err(ENDED_EARLY.to_owned()))
    }
}

impl Shared {
    async fn master(&self, broker: &str) -> Result<String, Unreached> {
        let route = self.client.route().await?;
        let master = route.brokers.get(broker).and_then(|b| b.master.clone());
        master.ok_or_else(|| Unreached::new(format!("broker {broker} has no master at the moment")))
    }

    /// Asks the master of a broker, and looks for another one next time when it does not answer.
    async fn ask(&self, broker: &str, request: &Request) -> Result<super::wire::Reply, Lost> {
        let master = self.master(broker).await.map_err(Lost::unsent)?;
        let asked = self
            .client
            .ask_as(&master, request, &Arc::<Sending>::default(), SEND)
            .await;
        if asked.is_err() {
            self.client.doubt_route().await;
        }
        asked
    }

    async fn prepare(&self, broker: &str, queue: i32, ready: &Ready, id: String) -> Result<Handle, Delivery> {
        let handle = self.send(broker, queue, ready, id).await?;
        self.known.lock().await.fresh.insert(handle.id.clone());
        Ok(handle)
    }

    async fn send(&self, broker: &str, queue: i32, ready: &Ready, id: String) -> Result<Handle, Delivery> {
        let place = Place {
            topic: &self.client.topic,
            broker,
            queue,
        };
        let request = place.half(ready, &self.group);
        let reply = match self.ask(broker, &request).await {
            Ok(reply) => reply,
            Err(Lost { written: true, why }) => return Err(Delivery::InDoubt(why.to_string())),
            Err(Lost { written: false, why }) => return Err(Delivery::NotSent(why.to_string())),
        };
        let position = match verdict::judge(&reply, queue) {
            Delivery::Stored(position) => position,
            other @ (Delivery::Refused(_) | Delivery::NotSent(_) | Delivery::InDoubt(_)) => return Err(other),
        };
        let doubt = |why: &str| Delivery::InDoubt(format!("prepared, but {why}"));
        let half_offset = position
            .offset
            .ok_or_else(|| doubt("its answer names no place in the queue"))?;
        let message_id = reply.field::<String>("msgId").map_err(|why| doubt(&why))?;
        let log_offset = log_offset(&message_id).ok_or_else(|| doubt("its answer names no place in the log"))?;
        Ok(Handle {
            queue,
            half_offset,
            log_offset,
            id,
            group: self.group.clone(),
            broker: broker.to_owned(),
        })
    }

    async fn end(&self, handle: &Handle, commit: bool) -> Ended {
        let mut known = self.known.lock().await;
        let is_fresh = known.fresh.remove(&handle.id);
        if !commit {
            return self.roll_back(handle).await;
        }
        let mut position = Position {
            partition: handle.queue,
            offset: None,
        };
        let mut is_there = known.committed.contains(&handle.id);
        if !is_there && !is_fresh {
            match self.find(&handle.broker, &handle.id).await {
                Ok(Some(found)) => (is_there, position) = (true, found),
                Ok(None) => {}
                // Told twice is better than never.
                Err(why) => tracing::debug!("whether {} was handed out cannot be told: {why}", handle.id),
            }
        }
        if !is_there {
            match self.tell(handle, COMMIT).await {
                EndAnswer::Done => {}
                EndAnswer::NotYet(why) => {
                    if is_fresh {
                        known.fresh.insert(handle.id.clone());
                    }
                    return Ended::NotYet(why);
                }
                EndAnswer::InDoubt(why) => return Ended::InDoubt(why),
                EndAnswer::Gone(why) => match self.find(&handle.broker, &handle.id).await {
                    Ok(Some(found)) => position = found,
                    Ok(None) => return Ended::Gone(why),
                    Err(also) => return Ended::InDoubt(format!("{why}; and it cannot be looked for: {also}")),
                },
            }
        }
        known.remember(&handle.id);
        match self.barrier(handle).await {
            Ok(()) => Ended::Stored(position),
            Err(why) => Ended::InDoubt(format!("handed out, but perhaps not safely: {why}")),
        }
    }

    async fn roll_back(&self, handle: &Handle) -> Ended {
        match self.tell(handle, ROLL_BACK).await {
            EndAnswer::Done | EndAnswer::Gone(_) => Ended::Dropped,
            EndAnswer::NotYet(why) => Ended::NotYet(why),
            EndAnswer::InDoubt(why) => Ended::InDoubt(why),
        }
    }

    /// Tells the broker what is to become of a half message, and waits for its answer.
    async fn tell(&self, handle: &Handle, what: i32) -> EndAnswer {
        let request = handle.request(&self.client.topic, what, false);
        match self.ask(&handle.broker, &request).await {
            Ok(reply) => verdict::judge_end(&reply),
            Err(Lost { written: true, why }) => EndAnswer::InDoubt(why.to_string()),
            Err(Lost { written: false, why }) => EndAnswer::NotYet(why.to_string()),
        }
    }

    /// Whether everything that the broker has appended until now is as safe as it promises.
    async fn barrier(&self, handle: &Handle) -> Result<(), String> {
        let id = outgoing::unique_key(
            &format!("barrier {:032x}", rand::random::<u128>()),
            jiff::Timestamp::now().as_millisecond(),
        );
        let (name_end, property_end) = (char::from(NAME_END), char::from(PROPERTY_END));
        let property = |name: &str, value: &str| format!("{name}{name_end}{value}{property_end}");
        let ready = Ready {
            properties: property(BARRIER, "1") + &property("UNIQ_KEY", &id) + &property("WAIT", "true"),
            body: "asks whether what lies before it is safe".into(),
            timestamp_ms: jiff::Timestamp::now().as_millisecond(),
            has_key: false,
        };
        let sent = self.send(&handle.broker, handle.queue, &ready, id).await;
        let sent = sent.map_err(|delivery| match delivery {
            Delivery::Stored(_) => "its answer cannot be understood".to_owned(),
            Delivery::Refused(why) | Delivery::NotSent(why) | Delivery::InDoubt(why) => why,
        })?;
        // What is left behind when this fails is asked about, and dropped then.
        let _ = self.tell(&sent, ROLL_BACK).await;
        Ok(())
    }

    /// Where readers find the message with this id, as far as the index of its broker knows.
    async fn find(&self, broker: &str, id: &str) -> Result<Option<Position>, String> {
        let master = self.master(broker).await.map_err(|why| why.to_string())?;
        let all_times = (0, i64::MAX);
        let (body, _) = pull::query_index(&self.client, &master, broker, id, all_times, false).await?;
        let is_it = |one: &Stored<'_>| {
            one.topic == self.client.topic.as_bytes() && one.property(b"UNIQ_KEY") == Some(id.as_bytes())
        };
        let found = pull::messages(&body)?.into_iter().find(is_it);
        Ok(found.map(|one| Position {
            partition: one.queue,
            offset: Some(one.offset),
        }))
    }

    /// Answers one question of a broker.
    async fn answer(&self, address: &str, question: &Question) -> Result<(), String> {
        let Some(half) = message::next(&mut &question.body[..])? else {
            return Err("it asks about no message".to_owned());
        };
        let text = |name: &[u8]| half.property(name).and_then(|value| std::str::from_utf8(value).ok());
        // Only what this producer prepared is its own to decide.
        if text(b"PGROUP") != Some(self.group.as_str()) {
            return Ok(());
        }
        let id = text(b"UNIQ_KEY").ok_or("its message has no id")?;
        let mut known = self.known.lock().await;
        let decision = match text(STAMP_HEADER.as_bytes()) {
            // The one that was asked about is there: this is a second copy.
            _ if known.committed.contains(id) => Decision::RollBack,
            _ if half.property(BARRIER.as_bytes()).is_some() => Decision::RollBack,
            Some(stamp) => (self.decide)(stamp),
            None => Decision::Open,
        };
        let what = match decision {
            Decision::Commit => COMMIT,
            Decision::RollBack => ROLL_BACK,
            Decision::Open => return Ok(()),
        };
        let handle = Handle {
            queue: half.queue,
            half_offset: question.field("tranStateTableOffset")?,
            log_offset: question.field("commitLogOffset")?,
            id: id.to_owned(),
            group: self.group.clone(),
            broker: String::new(),
        };
        let topic = String::from_utf8_lossy(half.topic);
        let request = handle.request(&topic, what, true);
        let reply = self.client.ask(address, &request, SEND).await;
        let ended = reply.map_or_else(
            |lost| EndAnswer::InDoubt(lost.why.to_string()),
            |reply| verdict::judge_end(&reply),
        );
        match ended {
            EndAnswer::Done => {
                if decision == Decision::Commit {
                    known.remember(&handle.id);
                }
                Ok(())
            }
            EndAnswer::NotYet(why) | EndAnswer::InDoubt(why) | EndAnswer::Gone(why) => Err(why),
        }
    }
}

/// Tells every broker of the topic again and again that this producer lives, so that it is asked.
async fn live(shared: Arc<Shared>) {
    let body = serde_json::json!({
        "clientID": format!("mqsafe@{}@{:08x}", std::process::id(), rand::random::<u32>()),
        "producerDataSet": [{"groupName": shared.group}],
        "consumerDataSet": [],
    });
    let request = Request::new(RequestCode::HeartBeat).with_body(body.to_string());
    loop {
        match shared.client.route().await {
            Ok(route) => {
                for master in route.brokers.values().filter_map(|broker| broker.master.as_ref()) {
                    if let Err(lost) = shared.client.ask(master, &request, ANSWER).await {
                        tracing::debug!("{master} does not know that its producer lives: {}", lost.why);
                        shared.client.doubt_route().await;
                    }
                }
            }
            Err(why) => tracing::debug!("the brokers do not know that their producer lives: {why}"),
        }
        sleep(HEARTBEAT).await;
    }
}

async fn hear(shared: Arc<Shared>, mut questions: mpsc::Receiver<(String, Question)>) {
    while let Some((address, question)) = questions.recv().await {
        if question.code != RequestCode::CheckTransactionState as i32 {
            continue;
        }
        if let Err(why) = shared.answer(&address, &question).await {
            // The broker asks again.
            tracing::debug!("a question of {address} has no good answer: {why}");
        }
    }
}

/// The place in the log, out of the id that a broker gives: address, port and place as hexadecimal digits.
fn log_offset(message_id: &str) -> Option<u64> {
    let start = message_id.len().checked_sub(16)?;
    u64::from_str_radix(message_id.get(start..)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_in_the_log_ends_the_id() {
        assert_eq!(log_offset("7F00000100002A9F00000000000003E8"), Some(1000));
        assert_eq!(log_offset(&format!("{}00000000000003E8", "0".repeat(40))), Some(1000));
        for bad in ["", "3E8", "7F00000100002A9F000000000000zzzz", "ääääääääääää"] {
            assert_eq!(log_offset(bad), None, "{bad}");
        }
    }
}
