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
pub(super) const INDEX_ANSWERS: usize = 64;
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
    /// Where the log starts.
    pub(super) start: i64,
    /// Where reading starts.
    pub(super) from: i64,
    pub(super) to: i64,
    /// Reading may end at a message that is later than this.
    pub(super) until_ms: Option<i64>,
    /// Why it may not be all: the master could not be asked.
    pub(super) doubt: Option<String>,
}

/// What happened while a queue was read.
#[derive(Debug)]
pub(super) enum Event {
    /// Messages, and between which offsets that is everything.
    Batch(Bytes, i64, i64),
    /// These offsets are not there any more.
    Gone(i64, i64),
    /// From this offset on everything is later than asked for.
    Late(i64),
    /// Nothing more comes, and why that is too early, if it is.
    End(Option<String>),
}

/// A clock that was set back by less than this hides nothing.
const MARGIN_MS: i64 = 10_000;

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
                return Ok(Range {
                    start: from,
                    from,
                    to,
                    until_ms: None,
                    doubt,
                });
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

/// An offset before which everything was stored before this time, where the broker says one that proves right. A broker that does
/// not is read from the start, so any failure is none.
pub(super) async fn offset_at(client: &Client, source: &Source, range: &Range, since_ms: i64) -> Option<i64> {
    let address = source.addresses.first()?;
    let since_ms = (since_ms - MARGIN_MS).max(0);
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
    let offset: i64 = reply.field("offset").ok()?;
    let offset = offset.clamp(range.from, range.to);
    if offset == range.from {
        return Some(offset);
    }
    // The message before it must be older, or the answer is none.
    let request = pull_request(client, source, offset - 1, 1);
    let reply = client.ask(address, &request, ANSWER).await.ok()?;
    let mut body = &reply.body[..];
    let before = message::next(&mut body).ok()??;
    (reply.code == SUCCESS && before.offset == offset - 1 && before.stored_ms < since_ms + MARGIN_MS).then_some(offset)
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
    newest_first: bool,
    number: usize,
    events: mpsc::Sender<(usize, Event)>,
) {
    let mut reader = Reader {
        client,
        source,
        until_ms: range.until_ms,
        number,
        events,
        at: 0,
    };
    let mut end = range.to;
    // Backwards in windows; forwards there is one.
    while end > range.from {
        let from = match newest_first {
            true => range.from.max(end - WINDOW),
            false => range.from,
        };
        if !reader.read(from, end).await {
            return;
        }
        end = from;
    }
    let _ = reader.events.send((number, Event::End(None))).await;
}

/// Offsets that are read forwards before the ones before them, where the newest come first: as many as brokers give in one answer.
const WINDOW: i64 = 32;

struct Reader {
    client: Arc<Client>,
    source: Source,
    until_ms: Option<i64>,
    number: usize,
    events: mpsc::Sender<(usize, Event)>,
    /// Which address is asked.
    at: usize,
}

impl Reader {
    /// Reads one window; whether to go on.
    async fn read(&mut self, from: i64, to: i64) -> bool {
        let (mut offset, mut tries) = (from, 0);
        while offset < to {
            let event = match pull(&self.client, &self.source, self.at, offset).await {
                Ok(Pulled::Messages(body, _)) if self.is_late(&body) => Event::Late(offset),
                Ok(Pulled::Messages(body, next)) => Event::Batch(body, offset, next.min(to)),
                Ok(Pulled::Moved(next)) => Event::Gone(offset, next.min(to)),
                Ok(Pulled::Ended(end)) => Event::End(Some(format!("the queue ends at offset {end} now"))),
                Err(Failed::ForNow(why)) => {
                    tries += 1;
                    if tries < TRIES {
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                    (self.at, tries) = (self.at + 1, 0);
                    if self.at < self.source.addresses.len() {
                        continue;
                    }
                    Event::End(Some(why))
                }
                Err(Failed::ForGood(why)) => Event::End(Some(why)),
            };
            tries = 0;
            let next = match &event {
                Event::Batch(_, _, next) | Event::Gone(_, next) => Some(*next),
                Event::Late(_) => Some(to),
                Event::End(_) => None,
            };
            // An error of `send` says that nobody reads on.
            let is_heard = self.events.send((self.number, event)).await.is_ok();
            match next.filter(|_| is_heard) {
                Some(next) => offset = next,
                None => return false,
            }
        }
        true
    }

    /// Whether already the first of these messages is later than asked for.
    fn is_late(&self, body: &[u8]) -> bool {
        let first = || message::next(&mut &body[..]).ok().flatten();
        self.until_ms
            .is_some_and(|until| first().is_some_and(|first| first.stored_ms >= until.saturating_add(MARGIN_MS)))
    }
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

/// The messages that a broker's index holds under a key or a unique id, stored between these times or up to a second before, as it
/// hands them out, and when its last entry was stored. The index forgets, answers at most 64, and compares hashes: what it finds is
/// there, and what it does not find may be there all the same.
///
/// # Errors
/// Why it could not be asked.
pub(super) async fn query_index(
    client: &Client,
    address: &str,
    broker: &str,
    key: &str,
    (begin_ms, end_ms): (i64, i64),
    is_id: bool,
) -> Result<(Bytes, Option<i64>), String> {
    let request = Request::new(RequestCode::QueryMessage)
        .with("topic", &client.topic)
        .with("key", key)
        .with("maxNum", INDEX_ANSWERS)
        .with("beginTimestamp", begin_ms)
        .with("endTimestamp", end_ms)
        .with("_UNIQUE_KEY_QUERY", is_id)
        .with("bname", broker);
    let reply = client.ask(address, &request, ANSWER).await;
    let reply = reply.map_err(|lost| lost.why.to_string())?;
    match reply.code {
        SUCCESS => {
            let last = reply.field("indexLastUpdateTimestamp").ok().filter(|at| *at > 0);
            Ok((reply.body, last))
        }
        INDEX_HAS_NOTHING => Ok((Bytes::new(), None)),
        _ => Err(format!("{address} answered {}", reply.words())),
    }
}

/// The message at a place of a broker's commit log.
///
/// # Errors
/// Why there is none, or why it could not be asked for.
pub(super) async fn view(client: &Client, address: &str, place: i64) -> Result<Bytes, String> {
    let request = Request::new(RequestCode::ViewMessageById)
        .with("topic", &client.topic)
        .with("offset", place);
    let reply = client.ask(address, &request, ANSWER).await;
    let reply = reply.map_err(|lost| lost.why.to_string())?;
    match reply.code {
        SUCCESS => Ok(reply.body),
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
