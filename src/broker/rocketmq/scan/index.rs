//! What the brokers' indexes know of the keys and ids that are looked for.
//!
//! An index keeps a hash of topic and key with the second in which a message was stored, newest first, answers at most 64 hits,
//! and after a hard end of its broker it can have a hole in the middle (`IndexService`). So what it finds is shown at once, and
//! what it may not have shown is read in the queues: a second with more hits than it answers, and what was stored since it was
//! last written.

use super::{Job, Run};
use crate::broker::rocketmq::client::Client;
use crate::broker::rocketmq::message::Stored;
use crate::broker::rocketmq::pull::{self, INDEX_ANSWERS, messages};
use crate::broker::rocketmq::route::{Broker, Route};
use crate::model::{IndexUse, Visit};
use bytes::Bytes;
use std::collections::{HashMap, HashSet};

/// Its times are whole seconds after the first message of its file, so a message is at most this much younger than its time.
const SECOND_MS: i64 = 1000;
/// What was stored this long before the last entry may have been written after it.
const TAIL_MS: i64 = 2 * SECOND_MS;
/// More keys than these are found faster by reading.
const MOST_KEYS: usize = 256;
/// More seconds than these are not read one by one.
const MOST_SECONDS: usize = 64;
/// So few messages are read as fast as an index is asked, and leave no doubt.
const FEW_MESSAGES: i64 = 5_000;
/// So many answers of one broker to one key are taken.
const MOST_PAGES: usize = 20_000;

/// What is asked for.
struct Question<'p> {
    text: &'p str,
    is_id: bool,
    begin_ms: i64,
    end_ms: i64,
}

/// The next question to one broker about one key: the index answers the newest first, so each asks for what is older.
#[derive(Debug, Default)]
struct Pages {
    /// By place in the commit log.
    seen: HashSet<i64>,
    /// As many as one answer holds, as far as it is known.
    most: usize,
    /// Seconds with more hits than the index answers.
    crowded: Vec<(i64, i64)>,
}

impl Pages {
    fn new() -> Pages {
        Pages {
            most: INDEX_ANSWERS,
            ..Pages::default()
        }
    }

    /// Takes an answer to a question up to `end_ms`, and says up to when to ask next; `None` when that was all.
    fn take(&mut self, all: &[Stored<'_>], end_ms: i64) -> Option<i64> {
        let oldest = all.iter().map(|m| m.stored_ms).min()?;
        let before = self.seen.len();
        self.seen.extend(all.iter().map(|m| m.physical));
        let is_new = self.seen.len() > before;
        if is_new && before > 0 && before < self.most {
            // An earlier answer was not all, so this broker gives fewer than usual (`maxMsgsNumBatch`).
            self.most = before;
        }
        if is_new && oldest < end_ms {
            return Some(oldest);
        }
        if all.len() < self.most {
            return None;
        }
        // Nothing new up to the same second: it hides what is before its newest.
        self.crowded.push((oldest - SECOND_MS, oldest + SECOND_MS));
        Some(oldest - SECOND_MS)
    }
}

impl Run<'_> {
    /// Hands over what the indexes know, long before a scan comes to it, and says what is left to be read: by default everything.
    pub(super) async fn ask_index(&mut self, route: &Route, visit: &mut dyn Visit) -> Vec<Job> {
        let (keys, ids) = (self.plan.keys.as_slice(), self.plan.ids.as_slice());
        let mut texts: Vec<(&str, bool)> = ids.iter().map(|id| (id.as_str(), true)).collect();
        for key in keys {
            match std::str::from_utf8(key) {
                Ok(key) if !key.is_empty() => texts.push((key, false)),
                Ok(_) | Err(_) => return self.whole(),
            }
        }
        // With both, a message must have both.
        let is_one_kind = keys.is_empty() != ids.is_empty();
        if texts.len() > MOST_KEYS || !is_one_kind || self.stopped {
            return self.whole();
        }
        let mut missed = Vec::new();
        let mut crowded: HashMap<String, Vec<(i64, i64)>> = HashMap::new();
        let mut indexed_to: HashMap<String, i64> = HashMap::new();
        for (text, is_id) in texts {
            let mut hits = 0;
            if is_id {
                hits += self.view(route, text, visit).await;
            }
            for (name, broker) in &route.brokers {
                if self.stopped {
                    return Vec::new();
                }
                let question = Question {
                    text,
                    is_id,
                    begin_ms: self.plan.since_ms.map_or(0, |since| (since - SECOND_MS).max(0)),
                    end_ms: self.plan.until_ms.unwrap_or(i64::MAX),
                };
                match self.ask(name, broker, &question, visit).await {
                    Ok(asked) => {
                        hits += asked.hits;
                        crowded.entry(name.clone()).or_default().extend(asked.crowded);
                        if let Some(at) = asked.indexed_to_ms {
                            let last = indexed_to.entry(name.clone()).or_insert(at);
                            *last = at.min(*last);
                        }
                    }
                    Err(why) => {
                        tracing::info!("the index of {name} cannot be asked: {why}");
                        if self.plan.index == IndexUse::Only {
                            let its = self.queues.iter_mut().filter(|q| *q.source.broker == **name);
                            its.for_each(|queue| queue.fail(format!("the index of its broker cannot be asked: {why}")));
                        }
                        missed.push(format!("{name}: {why}"));
                    }
                }
            }
            if hits == 0 {
                missed.push(text.to_owned());
            }
        }
        let whole = self.whole();
        let messages: i64 = whole.iter().map(|job| job.range.to - job.range.from).sum();
        let is_answer = match self.plan.index {
            IndexUse::Hint => false,
            IndexUse::First => missed.is_empty() && messages > FEW_MESSAGES,
            IndexUse::Only => true,
        };
        let seconds: usize = crowded.values().map(Vec::len).sum();
        if !is_answer || seconds > MOST_SECONDS {
            return whole;
        }
        self.assumption = Some("the brokers' indexes of keys have no hole".to_owned());
        if self.plan.index == IndexUse::Only && seconds == 0 {
            return self.windows(&HashMap::new(), &HashMap::new()).await;
        }
        self.windows(&crowded, &indexed_to).await
    }

    /// The jobs for these seconds of each broker, and for what was stored after its index was written.
    async fn windows(
        &mut self,
        crowded: &HashMap<String, Vec<(i64, i64)>>,
        indexed_to: &HashMap<String, i64>,
    ) -> Vec<Job> {
        let mut jobs = Vec::new();
        for number in 0..self.queues.len() {
            let queue = &self.queues[number];
            let Some(range) = queue.range.clone() else { continue };
            let name = queue.source.broker.to_string();
            let mut windows: Vec<(i64, Option<i64>)> = crowded
                .get(&name)
                .into_iter()
                .flatten()
                .map(|&(from, to)| (from, Some(to)))
                .collect();
            if let Some(at) = indexed_to.get(&name) {
                windows.push((at - TAIL_MS, None));
            }
            let mut parts = Vec::new();
            for (since_ms, until_ms) in windows {
                let since = self.plan.since_ms.map_or(since_ms, |since| since_ms.max(since));
                let asked = pull::offset_at(&self.client, &queue.source, &range, since).await;
                let from = asked.unwrap_or(range.from);
                if from < range.to {
                    let mut range = range.clone();
                    range.from = from;
                    range.until_ms = [until_ms, self.plan.until_ms].into_iter().flatten().min();
                    parts.push(Job { number, range });
                }
            }
            let queue = &mut self.queues[number];
            (queue.read.from, queue.read.read_to) = (range.from, range.from);
            queue.is_read_to_its_end = match &parts[..] {
                [all] if all.range.until_ms.is_none() => {
                    (queue.read.from, queue.read.read_to) = (all.range.from, all.range.from);
                    true
                }
                _ => false,
            };
            jobs.extend(parts);
        }
        self.is_partly_read = true;
        jobs
    }

    /// Everything that one broker's index knows of one key.
    async fn ask(
        &mut self,
        name: &str,
        broker: &Broker,
        question: &Question<'_>,
        visit: &mut dyn Visit,
    ) -> Result<Asked, String> {
        let (mut pages, mut hits, mut end_ms) = (Pages::new(), 0, question.end_ms);
        let mut indexed_to_ms = None;
        for _ in 0..MOST_PAGES {
            let (body, at) = ask_any(&self.client, name, broker, question, end_ms).await?;
            indexed_to_ms = indexed_to_ms.or(at);
            let all = messages(&body)?;
            hits += self.show(name, &all, question, visit);
            self.stopped |= visit.progress(0, 0).is_break();
            match pages.take(&all, end_ms) {
                Some(next) if next >= question.begin_ms && !self.stopped => end_ms = next,
                Some(_) | None => {
                    return Ok(Asked {
                        hits,
                        crowded: pages.crowded,
                        indexed_to_ms,
                    });
                }
            }
        }
        Err(format!("it did not come to an end within {MOST_PAGES} answers"))
    }

    /// Hands over those that are what was asked for, each once, and counts them.
    fn show(&mut self, name: &str, all: &[Stored<'_>], question: &Question<'_>, visit: &mut dyn Visit) -> usize {
        let mut hits = 0;
        let mut in_order: Vec<&Stored<'_>> = all.iter().collect();
        if self.plan.newest_first {
            in_order.reverse();
        }
        for message in in_order {
            let is_it = match question.is_id {
                true => message.property(b"UNIQ_KEY") == Some(question.text.as_bytes()),
                false => message.has_key(question.text.as_bytes()),
            };
            hits += usize::from(is_it && self.hand_over_early(name, message, visit));
        }
        hits
    }

    /// Whether it is a message of this search; it is handed over unless it was before.
    fn hand_over_early(&mut self, name: &str, message: &Stored<'_>, visit: &mut dyn Visit) -> bool {
        let is_ours = message.topic == self.client.topic.as_bytes() && !message.is_batch();
        let is_of_the_time = self.plan.since_ms.is_none_or(|since| message.stored_ms >= since)
            && self.plan.until_ms.is_none_or(|until| message.stored_ms < until);
        let number = self.queues.iter().position(|queue| {
            let is_its = |range: &pull::Range| (range.start..range.to).contains(&message.offset);
            queue.source.queue == message.queue
                && *queue.source.broker == *name
                && queue.range.as_ref().is_some_and(is_its)
        });
        let Some(number) = number.filter(|_| is_ours && is_of_the_time) else {
            return false;
        };
        if !self.stopped && self.early.insert((number, message.offset)) {
            self.hand_over(number, std::slice::from_ref(message), visit);
        }
        true
    }

    /// The message that an offset id names, where that is an address of one of these brokers.
    async fn view(&mut self, route: &Route, id: &str, visit: &mut dyn Visit) -> usize {
        let Some((address, place)) = address_and_place(id) else {
            return 0;
        };
        for (name, broker) in &route.brokers {
            let mut addresses = broker.master.iter().chain(&broker.slaves);
            if !addresses.any(|known| *known == address) {
                continue;
            }
            let body: Bytes = match pull::view(&self.client, &address, place).await {
                Ok(body) => body,
                Err(why) => {
                    tracing::info!("{id}: {why}");
                    return 0;
                }
            };
            let all = messages(&body).unwrap_or_default();
            return all
                .iter()
                .filter(|message| {
                    message.offset_id().eq_ignore_ascii_case(id) && self.hand_over_early(name, message, visit)
                })
                .count();
        }
        0
    }
}

/// What one broker's index knows.
struct Asked {
    hits: usize,
    crowded: Vec<(i64, i64)>,
    /// Of when its last entry is.
    indexed_to_ms: Option<i64>,
}

/// The master answers, or a slave while the master does not.
async fn ask_any(
    client: &Client,
    name: &str,
    broker: &Broker,
    question: &Question<'_>,
    end_ms: i64,
) -> Result<(Bytes, Option<i64>), String> {
    let mut failures = Vec::new();
    for address in broker.master.iter().chain(&broker.slaves) {
        let times = (question.begin_ms, end_ms);
        match pull::query_index(client, address, name, question.text, times, question.is_id).await {
            Ok(answer) => return Ok(answer),
            Err(why) => failures.push(why),
        }
    }
    match failures.is_empty() {
        true => Err("it has no address".to_owned()),
        false => Err(failures.join("; ")),
    }
}

/// Takes an offset id apart (`MessageDecoder.decodeMessageId`): an address of IPv4 or IPv6, a port, and a place in the commit log.
fn address_and_place(id: &str) -> Option<(String, i64)> {
    let bytes: Vec<u8> = (0..id.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(id.get(at..at + 2)?, 16).ok())
        .collect::<Option<_>>()?;
    let (host, rest) = bytes.split_at_checked(bytes.len().checked_sub(12)?)?;
    let ip: std::net::IpAddr = match host.len() {
        4 => <[u8; 4]>::try_from(host).ok()?.into(),
        16 => <[u8; 16]>::try_from(host).ok()?.into(),
        _ => return None,
    };
    let port = i32::from_be_bytes(rest[..4].try_into().ok()?);
    let port = u16::try_from(port).ok()?;
    let place = i64::from_be_bytes(rest[4..].try_into().ok()?);
    let address = std::net::SocketAddr::new(ip, port).to_string();
    (place >= 0).then_some((address, place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_offset_id_names_a_place() {
        let id = "7F000001000029670000000000000010";
        assert_eq!(address_and_place(id), Some(("127.0.0.1:10599".to_owned(), 16)));
        let six = format!("{}00002967{:016X}", "0".repeat(31) + "1", 5);
        assert_eq!(address_and_place(&six), Some(("[::1]:10599".to_owned(), 5)));
        for bad in [
            "",
            "7F",
            "7F0000010000296700000000000000",
            "zz000001000029670000000000000010",
            "7F000001FFFFFFFF0000000000000010",
        ] {
            assert_eq!(address_and_place(bad), None, "{bad}");
        }
    }

    /// The index as `IndexFile.selectPhyOffset` answers: newest first, whole seconds after the first, at most so many.
    fn answer<'a>(stored: &'a [Stored<'a>], most: usize, begin_ms: i64, end_ms: i64) -> Vec<Stored<'a>> {
        let first = stored.first().map_or(0, |m| m.stored_ms);
        let mut found: Vec<Stored<'a>> = stored
            .iter()
            .rev()
            .filter(|m| {
                let at = first + (m.stored_ms - first) / 1000 * 1000;
                (begin_ms..=end_ms).contains(&at)
            })
            .take(most)
            .copied()
            .collect();
        found.sort_by_key(|m| m.physical);
        found
    }

    proptest! {
        /// Every message is in an answer, or in a second that is read in the queues.
        #[test]
        fn nothing_is_hidden(gaps in prop::collection::vec(0i64..700, 0..400), most in prop::sample::select(vec![64usize, 16])) {
            let mut at = 1_700_000_000_123;
            let stored: Vec<Stored<'_>> = gaps.iter().enumerate().map(|(n, gap)| {
                at += gap;
                Stored::at(n as i64, at)
            }).collect();
            let (mut pages, mut end_ms, mut asked) = (Pages::new(), i64::MAX, 0);
            while let Some(next) = pages.take(&answer(&stored, most, 0, end_ms), end_ms) {
                prop_assert!(next < end_ms);
                end_ms = next;
                asked += 1;
                prop_assert!(asked < 2000);
            }
            // With fewer answers than usual one crowded second is not told from the end; only the usual number proves it.
            if most == INDEX_ANSWERS {
                for message in &stored {
                    let is_read = pages.crowded.iter().any(|&(from, to)| (from..to).contains(&message.stored_ms));
                    prop_assert!(is_read || pages.seen.contains(&message.physical), "{}", message.stored_ms);
                }
            }
        }

        #[test]
        fn any_id_is_judged_without_panic(id in "[0-9A-Fa-fż]{0,60}") {
            let _ = address_and_place(&id);
        }
    }
}
