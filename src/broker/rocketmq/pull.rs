//! Reading one queue, answer by answer, from where the log starts to the end that it had when the scan began.

use super::client::{ANSWER, Client, NO_PERMISSION, SUCCESS};
use super::message;
use super::wire::{Reply, Request};
use bytes::Bytes;
use rocketmq_protocol::RequestCode;
use rocketmq_protocol::code::response_code::ResponseCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// `PullSysFlag.FLAG_SUBSCRIPTION`, and neither the flag that commits nor the one that waits for more.
const WITH_SUBSCRIPTION: i32 = 1 << 2;
/// What is asked for at once; brokers give 32 messages or fewer by default (`maxTransferCountOnMessageInMemory`).
const MESSAGES: i32 = 1024;
/// `IndexService.queryOffset` answers no more, whatever is asked for (`maxMsgsNumBatch`).
const INDEX_ANSWERS: i32 = 64;
/// How often a broker that is busy, or a connection that broke, is tried again, and after which pause.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(400);

const NOT_FOUND: i32 = ResponseCode::PullNotFound as i32;
const RETRY: i32 = ResponseCode::PullRetryImmediately as i32;
const MOVED: i32 = ResponseCode::PullOffsetMoved as i32;
const INDEX_HAS_NOTHING: i32 = ResponseCode::QueryNotFound as i32;
const BUSY: i32 = ResponseCode::SystemBusy as i32;

/// A queue, and where it may be read: at the master first, then at its slaves.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) broker: Arc<str>,
    pub(super) queue: i32,
    pub(super) addresses: Arc<[String]>,
    /// Whether the first address is the master's; a master that the name server does not know is down or never was there.
    pub(super) has_master: bool,
}

impl Source {
    fn is_slave(&self, at: usize) -> bool {
        at > 0 || !self.has_master
    }
}

/// Between which offsets a queue is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: i64,
    pub(super) to: i64,
    /// Why it may not be all: the master could not be asked.
    pub(super) doubt: Option<String>,
}

/// What happened while a queue was read.
#[derive(Debug)]
pub(super) enum Event {
    /// Messages, and the offset up to which everything was read.
    Batch(Bytes, i64),
    /// These offsets are not there any more.
    Gone(i64, i64),
    /// Nothing more comes, and why that is too early, if it is.
    End(Option<String>),
}

/// Takes the offsets between which the queue is to be read.
///
/// # Errors
/// Why no broker that holds it could be asked.
pub(super) async fn range(client: &Client, source: &Source) -> Result<Range, String> {
    let mut failures: Vec<String> = Vec::new();
    for (n, address) in source.addresses.iter().enumerate() {
        match offsets(client, source, address).await {
            Ok((from, to)) => {
                let doubt = source.is_slave(n).then(|| {
                    let master = match failures.is_empty() {
                        true => "the broker has no master at the moment".to_owned(),
                        false => failures.join("; "),
                    };
                    format!("read from the slave at {address}, and what the slave has not got is missing ({master})")
                });
                return Ok(Range { from, to, doubt });
            }
            Err(why) => failures.push(why),
        }
    }
    match failures.is_empty() {
        true => Err(format!("broker {} has no address", source.broker)),
        false => Err(failures.join("; ")),
    }
}

async fn offsets(client: &Client, source: &Source, address: &str) -> Result<(i64, i64), String> {
    let bad = |why: String| format!("{address}: {why}");
    let min = ask_offset(client, source, address, RequestCode::GetMinOffset).await?;
    let (from, to) = match min.code {
        SUCCESS => {
            let max = ask_offset(client, source, address, RequestCode::GetMaxOffset).await?;
            if max.code != SUCCESS {
                return Err(format!("{address} answered {}", max.words()));
            }
            (min.field("offset").map_err(bad)?, max.field("offset").map_err(bad)?)
        }
        // Who may read need not have the right `GET` of the access control of 5.x; every answer to a pull names both offsets.
        NO_PERMISSION => {
            let request = pull_request(client, source, 0, 1);
            let reply = client.ask(address, &request, ANSWER).await;
            let reply = reply.map_err(|lost| lost.why.to_string())?;
            if ![SUCCESS, NOT_FOUND, RETRY, MOVED].contains(&reply.code) {
                return Err(format!("{address} answered {}", reply.words()));
            }
            (
                reply.field("minOffset").map_err(bad)?,
                reply.field("maxOffset").map_err(bad)?,
            )
        }
        _ => return Err(format!("{address} answered {}", min.words())),
    };
    // An empty queue that was cleaned up has its start where its end is; before that both are 0.
    let (from, to): (i64, i64) = (from, to);
    Ok((from.max(0).min(to.max(0)), to.max(0)))
}

/// The first offset whose message was stored at this time or later, where the broker says it. A broker that does not is read from
/// the start, so any failure is none.
pub(super) async fn offset_at(client: &Client, source: &Source, since_ms: i64) -> Option<i64> {
    let address = source.addresses.first()?;
    let request = Request::new(RequestCode::SearchOffsetByTimestamp)
        .with("topic", &client.topic)
        .with("queueId", source.queue)
        .with("timestamp", since_ms)
        .with("boundaryType", "lower")
        .with("bname", &source.broker);
    let reply = client.ask(address, &request, ANSWER).await.ok()?;
    if reply.code != SUCCESS {
        return None;
    }
    reply.field("offset").ok()
}

async fn ask_offset(client: &Client, source: &Source, address: &str, code: RequestCode) -> Result<Reply, String> {
    let request = Request::new(code)
        .with("topic", &client.topic)
        .with("queueId", source.queue)
        .with("committed", true)
        .with("bname", &source.broker);
    let reply = client.ask(address, &request, ANSWER).await;
    reply.map_err(|lost| lost.why.to_string())
}

/// Reads the queue and tells `events` what it found, with the queue's number.
pub(super) async fn read(
    client: Arc<Client>,
    source: Source,
    range: Range,
    number: usize,
    events: mpsc::Sender<(usize, Event)>,
) {
    let mut offset = range.from;
    let mut at = 0;
    let mut tries = 0;
    // An error of `send` says that nobody reads on.
    while offset < range.to {
        let event = match pull(&client, &source, at, offset).await {
            Ok(Pulled::Messages(body, next)) => Event::Batch(body, next.min(range.to)),
            Ok(Pulled::Moved(next)) => Event::Gone(offset, next.min(range.to)),
            Ok(Pulled::Ended(end)) => Event::End(Some(format!("the queue ends at offset {end} now"))),
            Err(Failed::ForNow(why)) => {
                tries += 1;
                if tries < TRIES {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                (at, tries) = (at + 1, 0);
                if at < source.addresses.len() {
                    continue;
                }
                Event::End(Some(why))
            }
            Err(Failed::ForGood(why)) => Event::End(Some(why)),
        };
        tries = 0;
        offset = match &event {
            Event::Batch(_, next) | Event::Gone(_, next) => *next,
            Event::End(_) => {
                let _ = events.send((number, event)).await;
                return;
            }
        };
        if events.send((number, event)).await.is_err() {
            return;
        }
    }
    let _ = events.send((number, Event::End(None))).await;
}

enum Pulled {
    Messages(Bytes, i64),
    Moved(i64),
    Ended(i64),
}

enum Failed {
    ForNow(String),
    ForGood(String),
}

fn pull_request(client: &Client, source: &Source, offset: i64, messages: i32) -> Request {
    Request::new(RequestCode::PullMessage)
        .with("consumerGroup", &client.settings.group)
        .with("topic", &client.topic)
        .with("queueId", source.queue)
        .with("queueOffset", offset)
        .with("maxMsgNums", messages)
        .with("sysFlag", WITH_SUBSCRIPTION)
        .with("commitOffset", 0)
        .with("suspendTimeoutMillis", 0)
        .with("subscription", "*")
        .with("subVersion", 0)
        .with("expressionType", "TAG")
        .with("bname", &source.broker)
}

async fn pull(client: &Client, source: &Source, at: usize, offset: i64) -> Result<Pulled, Failed> {
    let request = pull_request(client, source, offset, MESSAGES);
    let address = &source.addresses[at];
    let reply = client.ask(address, &request, ANSWER).await;
    let reply = reply.map_err(|lost| Failed::ForNow(lost.why.to_string()))?;
    judge(&reply, offset).map_err(|failed| match failed {
        Failed::ForNow(why) if source.is_slave(at) => Failed::ForNow(format!(
            "{address} answered {why} (a slave lets nobody read unless its slaveReadEnable is true)"
        )),
        Failed::ForNow(why) => Failed::ForNow(format!("{address} answered {why}")),
        Failed::ForGood(why) => Failed::ForGood(format!("{address} answered {why}")),
    })
}

/// `PullMessageProcessor.composeResponseHeader` says which state of the queue gives which code.
fn judge(reply: &Reply, offset: i64) -> Result<Pulled, Failed> {
    let number = |name| reply.field::<i64>(name).map_err(Failed::ForGood);
    match reply.code {
        SUCCESS => {
            let next = number("nextBeginOffset")?;
            if next <= offset {
                return Err(Failed::ForGood(format!("that offset {next} comes after {offset}")));
            }
            Ok(Pulled::Messages(reply.body.clone(), next))
        }
        NOT_FOUND | RETRY | MOVED => {
            let next = number("nextBeginOffset")?;
            match next > offset {
                true => Ok(Pulled::Moved(next)),
                false => Ok(Pulled::Ended(number("maxOffset")?.min(offset))),
            }
        }
        // A broker under load, or a slave that nobody may read from (`slaveReadEnable`).
        BUSY => Err(Failed::ForNow(reply.words())),
        _ => Err(Failed::ForGood(reply.words())),
    }
}

/// Whether this user may read the queue, without reading on.
///
/// # Errors
/// Why not.
pub(super) async fn try_read(client: &Client, source: &Source) -> Result<(), String> {
    match pull(client, source, 0, 0).await {
        Ok(_) => Ok(()),
        Err(Failed::ForNow(why) | Failed::ForGood(why)) => Err(why),
    }
}

/// The messages that a broker's index holds under a key, as it hands them out. The index forgets, answers at most 64, and
/// compares hashes: what it finds is there, and what it does not find may be there all the same.
///
/// # Errors
/// Why it could not be asked.
pub(super) async fn query_by_key(client: &Client, address: &str, broker: &str, key: &str) -> Result<Bytes, String> {
    let request = Request::new(RequestCode::QueryMessage)
        .with("topic", &client.topic)
        .with("key", key)
        .with("maxNum", INDEX_ANSWERS)
        .with("beginTimestamp", 0)
        .with("endTimestamp", i64::MAX)
        .with("_UNIQUE_KEY_QUERY", false)
        .with("bname", broker);
    let reply = client.ask(address, &request, ANSWER).await;
    let reply = reply.map_err(|lost| lost.why.to_string())?;
    match reply.code {
        SUCCESS => Ok(reply.body),
        INDEX_HAS_NOTHING => Ok(Bytes::new()),
        _ => Err(format!("{address} answered {}", reply.words())),
    }
}

/// All messages of an answer.
///
/// # Errors
/// That one of them cannot be read.
pub(super) fn messages(body: &[u8]) -> Result<Vec<message::Stored<'_>>, String> {
    let (mut rest, mut all) = (body, Vec::new());
    while let Some(one) = message::next(&mut rest)? {
        all.push(one);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::rocketmq::wire::reply;

    fn said(code: i32, next: &str, max: &str) -> String {
        let fields = [("nextBeginOffset", next), ("maxOffset", max)];
        match judge(&reply(code, "words", &fields), 10) {
            Ok(Pulled::Messages(_, next)) => format!("messages to {next}"),
            Ok(Pulled::Moved(next)) => format!("moved to {next}"),
            Ok(Pulled::Ended(end)) => format!("ended at {end}"),
            Err(Failed::ForNow(_)) => "for now".to_owned(),
            Err(Failed::ForGood(_)) => "for good".to_owned(),
        }
    }

    #[test]
    fn only_the_first_address_of_a_broker_with_a_master_is_no_slave() {
        let source = |has_master| Source {
            broker: "b".into(),
            queue: 0,
            addresses: ["h:1".to_owned()].into(),
            has_master,
        };
        assert!(!source(true).is_slave(0) && source(true).is_slave(1) && source(false).is_slave(0));
    }

    #[test]
    fn every_answer_to_a_pull_has_its_meaning() {
        assert_eq!(said(0, "12", "20"), "messages to 12");
        assert_eq!(said(0, "10", "20"), "for good");
        assert_eq!(said(0, "", ""), "for good");
        assert_eq!(said(19, "10", "10"), "ended at 10");
        assert_eq!(said(20, "15", "20"), "moved to 15");
        assert_eq!(said(21, "15", "20"), "moved to 15");
        assert_eq!(said(21, "4", "4"), "ended at 4");
        assert_eq!(said(2, "", ""), "for now");
        for code in [1, 16, 17, 26, 999] {
            assert_eq!(said(code, "", ""), "for good");
        }
    }
}
