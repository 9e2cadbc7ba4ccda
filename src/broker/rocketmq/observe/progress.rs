//! How far consumer groups are behind, against how long messages are kept.
//!
//! Every offset comes in one answer. How old the first unread message is no broker tells; but it tells the first offset at or after a
//! moment, so that halving the time finds it without reading a message. Only whoever is the oldest until now is looked at closely.
//!
//! Who is connected and has no position where messages wait begins wherever its client says.

use super::super::route;
use super::super::wire::Request;
use super::topics::{Held, is_own_group};
use super::{Asker, Refused};
use crate::audit::live::{Unread, Wanted};
use rocketmq_protocol::RequestCode;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

/// Topics of one broker whose groups are looked at.
const MOST_TOPICS: usize = 2000;
/// Younger unread messages are no matter.
const YOUNG_MS: i64 = 3_600_000;
/// Older ones are as bad as these: 40 days.
const OLD_MS: i64 = 40 * 24 * 3_600_000;
/// How exactly an age is found.
const EXACT_MS: i64 = 300_000;

/// What permission the offsets of a topic, and the members of a group, need.
pub(super) const NEEDS_GET: &str = "grant the user the action Get on topics and groups: mqadmin createAcl -c CLUSTER -s User:NAME -r 'Topic:*,Group:*' -a Get -d Allow";

/// What was found at one broker.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lag {
    /// The age of the oldest unread message in milliseconds, and of which group and topic it is; only when it is an hour or more.
    pub(super) oldest: Option<(i64, String)>,
    /// Which groups lost messages that were deleted before they had read them.
    pub(super) deleted: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct OffsetsText {
    /// `topic@group`: queue and offset.
    offset_table: BTreeMap<String, BTreeMap<String, i64>>,
}

/// Where a queue begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ends {
    min_offset: i64,
    max_offset: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueueText {
    queue_id: i32,
}

/// A group that has not read everything in a queue.
struct Behind<'a> {
    group: &'a str,
    topic: &'a str,
    queue: i32,
    next: i64,
}

/// Asks for the progress of every group. `held` hears which connected groups have no position where messages wait.
pub(super) async fn ask(
    asker: &Asker,
    node: &str,
    address: &str,
    wanted: &Wanted,
    held: &mut Held,
    unread: &mut Vec<Unread>,
) -> Lag {
    let what = || format!("the progress of consumer groups at broker {node}");
    let table = match asker.body(address, RequestCode::GetAllConsumerOffset).await {
        Ok(body) => route::parse::<OffsetsText>(&body).map_err(Refused::Failed),
        Err(why) => Err(why),
    };
    let table = match table {
        Ok(text) => text.offset_table,
        Err(why) => {
            unread.push(why.unread(what(), NEEDS_GET));
            return Lag::default();
        }
    };
    let mut by_topic: BTreeMap<&str, Vec<(&str, &BTreeMap<String, i64>)>> = BTreeMap::new();
    for (key, queues) in &table {
        // The offsets of pop consumers, and of what was moved, have more parts.
        let Some((topic, group)) = key.split_once('@').filter(|(_, g)| !g.contains('@')) else {
            continue;
        };
        let own = topic.starts_with("rmq_sys_") || topic.starts_with("RMQ_SYS_") || is_own_group(group);
        if !own && wanted.takes_topic(topic) {
            by_topic.entry(topic).or_default().push((group, queues));
        }
    }
    let nowhere = BTreeMap::new();
    let names = held.names();
    for topic in names.iter().filter(|topic| wanted.takes_topic(topic)) {
        for group in held.pushed(topic) {
            let groups = by_topic.entry(topic).or_default();
            if !groups.iter().any(|(known, _)| *known == group) {
                groups.push((group, &nowhere));
            }
        }
    }
    if by_topic.len() > MOST_TOPICS {
        unread.push(Unread {
            what: format!("the progress in {} more topics", by_topic.len() - MOST_TOPICS),
            why: format!("at most {MOST_TOPICS} topics of a broker are looked at"),
            next: "choose topics with --topic".to_owned(),
        });
    }
    let mut lag = Lag::default();
    let mut all_unplaced = BTreeMap::new();
    let mut refused: Option<(Refused, usize)> = None;
    let note = |refused: &mut Option<(Refused, usize)>, why: Refused| match refused {
        Some((_, n)) => *n += 1,
        None => *refused = Some((why, 0)),
    };
    for (topic, groups) in by_topic.iter().take(MOST_TOPICS) {
        let ends = match ends(asker, address, topic).await {
            Ok(ends) => ends,
            Err(why) => {
                note(&mut refused, why);
                continue;
            }
        };
        for group in held.pushed(topic) {
            let positions = groups.iter().find(|(name, _)| *name == group).map(|(_, its)| *its);
            if let Some(words) = unplaced(topic, positions.unwrap_or(&nowhere), &ends) {
                tell(all_unplaced.entry(group.to_owned()).or_default(), &words);
            }
        }
        for behind in behind(topic, groups, &ends, &mut lag.deleted) {
            let floor = lag.oldest.as_ref().map_or(YOUNG_MS, |(age, _)| *age);
            match older_than(asker, address, &behind, floor).await {
                Ok(Some(age)) => {
                    lag.oldest = Some((age, format!("group {} in topic {}", behind.group, behind.topic)));
                }
                Ok(None) => {}
                Err(why) => note(&mut refused, why),
            }
        }
    }
    if let Some((why, more)) = refused {
        let what = match more {
            0 => what(),
            more => format!("{}, and {more} more of the same", what()),
        };
        unread.push(why.unread(what, NEEDS_GET));
    }
    held.unplaced = all_unplaced;
    lag
}

/// Adds to a list in words; a long one ends.
fn tell(text: &mut String, words: &str) {
    if text.len() <= 500 {
        let parts = if text.is_empty() { ["", words] } else { ["; ", words] };
        text.extend(parts);
    } else if !text.ends_with('…') {
        text.push_str("; …");
    }
}

/// The queues of a topic with messages in which a group has no position.
fn unplaced(topic: &str, positions: &BTreeMap<String, i64>, ends: &BTreeMap<i32, Ends>) -> Option<String> {
    let placed: BTreeSet<i32> = positions.keys().filter_map(|queue| queue.parse().ok()).collect();
    let without = ends.iter().filter(|(queue, _)| !placed.contains(queue));
    let waiting: Vec<i64> = without
        .map(|(_, ends)| ends.max_offset.saturating_sub(ends.min_offset))
        .filter(|count| *count > 0)
        .collect();
    let sum = waiting.iter().fold(0_i64, |sum, count| sum.saturating_add(*count));
    let queues = match waiting.len() {
        0 => return None,
        1 => "1 queue".to_owned(),
        many => format!("{many} queues"),
    };
    Some(format!("topic {topic}: {sum} messages in {queues}"))
}

/// Who has something left to read. What was deleted before it was read is noted.
fn behind<'a>(
    topic: &'a str,
    groups: &[(&'a str, &BTreeMap<String, i64>)],
    ends: &BTreeMap<i32, Ends>,
    deleted: &mut Option<String>,
) -> Vec<Behind<'a>> {
    let mut found = Vec::new();
    for (group, queues) in groups {
        for (queue, next) in *queues {
            let Some((queue, ends)) = queue.parse().ok().and_then(|q: i32| Some((q, ends.get(&q)?))) else {
                continue;
            };
            if *next < ends.min_offset {
                let words = format!(
                    "group {group} in topic {topic}, queue {queue}: {} messages",
                    ends.min_offset.saturating_sub(*next)
                );
                tell(deleted.get_or_insert_default(), &words);
            }
            if *next < ends.max_offset {
                found.push(Behind {
                    group,
                    topic,
                    queue,
                    next: (*next).max(ends.min_offset),
                });
            }
        }
    }
    found
}

/// Where the queues of a topic begin and end.
async fn ends(asker: &Asker, address: &str, topic: &str) -> Result<BTreeMap<i32, Ends>, Refused> {
    let request = Request::new(RequestCode::GetTopicStatsInfo).with("topic", topic);
    let reply = asker.ask(address, &request).await?;
    let text = String::from_utf8_lossy(&reply.body);
    table(&text).ok_or_else(|| Refused::Failed(format!("{address}: the offsets of topic {topic} cannot be read")))
}

/// Fastjson writes a map whose keys are objects as `{{"brokerName":"a","queueId":0,"topic":"t"}:{"maxOffset":1,…},{…}:{…}}`, which is
/// no JSON. No name in it can hold a brace.
fn table(text: &str) -> Option<BTreeMap<i32, Ends>> {
    if !text.contains("\"offsetTable\"") {
        return None;
    }
    let parts: Vec<&str> = text.split("}:{").collect();
    let mut found = BTreeMap::new();
    for pair in parts.windows(2) {
        let [before, after] = pair else { continue };
        let key = before.rsplit('{').next()?;
        let value = after.split('}').next()?;
        let queue: QueueText = serde_json::from_str(&format!("{{{key}}}")).ok()?;
        let ends: Ends = serde_json::from_str(&format!("{{{value}}}")).ok()?;
        found.insert(queue.queue_id, ends);
    }
    Some(found)
}

/// The age of the first unread message in milliseconds, when it is older than `floor_ms`.
async fn older_than(asker: &Asker, address: &str, behind: &Behind<'_>, floor_ms: i64) -> Result<Option<i64>, Refused> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    halve(floor_ms, async |age| is_older(asker, address, behind, now - age).await).await
}

/// The largest age, as exactly as matters, of which `is_older` says that it is exceeded; `None` when not even `floor_ms` is.
async fn halve<E>(floor_ms: i64, is_older: impl AsyncFn(i64) -> Result<bool, E>) -> Result<Option<i64>, E> {
    if !is_older(floor_ms).await? {
        return Ok(None);
    }
    // It is older than `young`, and not older than `old`, or as old as matters.
    let (mut young, mut old) = (floor_ms, OLD_MS.max(floor_ms));
    while old - young > EXACT_MS {
        let middle = young + (old - young) / 2;
        match is_older(middle).await? {
            true => young = middle,
            false => old = middle,
        }
    }
    Ok(Some(young))
}

/// Whether the first unread message was stored before this time.
async fn is_older(asker: &Asker, address: &str, behind: &Behind<'_>, time_ms: i64) -> Result<bool, Refused> {
    let request = Request::new(RequestCode::SearchOffsetByTimestamp)
        .with("topic", behind.topic)
        .with("queueId", behind.queue)
        .with("timestamp", time_ms.max(0))
        .with("boundaryType", "lower");
    let reply = asker.ask(address, &request).await?;
    let first: i64 = reply.field("offset").map_err(Refused::Failed)?;
    Ok(behind.next < first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_found_without_reading_a_message() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = |age_ms: i64| runtime.block_on(halve(YOUNG_MS, async |asked| Ok::<_, ()>(age_ms > asked)));
        assert_eq!(found(YOUNG_MS), Ok(None));
        for age in [YOUNG_MS + 1, 2 * YOUNG_MS, 30 * 3_600_000, OLD_MS - 1] {
            let told = found(age).unwrap().unwrap();
            assert!((0..=EXACT_MS).contains(&(age - told)), "{age}: {told}");
        }
        assert!(found(10 * OLD_MS).unwrap().unwrap() > OLD_MS - EXACT_MS);
        assert_eq!(runtime.block_on(halve(YOUNG_MS, async |_| Err("no"))), Err("no"));
    }

    #[test]
    fn offsets_are_read_from_what_is_no_json() {
        let text = r#"{"offsetTable":{{"brokerName":"a","queueId":0,"topic":"t"}:{"lastUpdateTimestamp":5,"maxOffset":7,"minOffset":2},{"brokerName":"a","queueId":3,"topic":"t"}:{"lastUpdateTimestamp":0,"maxOffset":0,"minOffset":0}}}"#;
        let found = table(text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[&0],
            Ends {
                min_offset: 2,
                max_offset: 7
            }
        );
        assert_eq!(table(r#"{"offsetTable":{}}"#), Some(BTreeMap::new()));
        assert_eq!(table("no"), None);
        assert_eq!(
            table(r#"{"offsetTable":{{"queueId":x}:{"maxOffset":1,"minOffset":1}}}"#),
            None
        );
    }

    #[test]
    fn who_is_behind_and_who_lost_something() {
        let ends = BTreeMap::from([(
            0,
            Ends {
                min_offset: 10,
                max_offset: 20,
            },
        )]);
        let at = |offset: i64| BTreeMap::from([("0".to_owned(), offset)]);
        let (lost, slow, done, odd) = (at(3), at(15), at(20), BTreeMap::from([("x".to_owned(), 1)]));
        let groups = [("lost", &lost), ("slow", &slow), ("done", &done), ("odd", &odd)];
        let mut deleted = None;
        let found = behind("t", &groups, &ends, &mut deleted);
        let told: Vec<(&str, i64)> = found.iter().map(|b| (b.group, b.next)).collect();
        assert_eq!(told, [("lost", 10), ("slow", 15)]);
        assert_eq!(deleted.as_deref(), Some("group lost in topic t, queue 0: 7 messages"));
        assert_eq!(unplaced("t", &slow, &ends), None);
        assert_eq!(
            unplaced("t", &odd, &ends).as_deref(),
            Some("topic t: 10 messages in 1 queue")
        );
        let empty = BTreeMap::from([(
            0,
            Ends {
                min_offset: 5,
                max_offset: 5,
            },
        )]);
        assert_eq!(unplaced("t", &odd, &empty), None);
    }

    #[test]
    fn a_long_list_ends() {
        let mut text = String::new();
        for _ in 0..100 {
            tell(&mut text, &"x".repeat(50));
        }
        assert!(text.len() < 600 && text.ends_with("x; …"), "{text}");
    }
}
