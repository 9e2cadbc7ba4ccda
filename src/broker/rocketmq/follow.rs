//! Who reads a topic, and how far: as `mqadmin queryMsgByUniqueKey` tells of one message (`DefaultMQAdminExtImpl.messageTrackDetail`).

use super::client::{ANSWER, Client, NO_PERMISSION, Routed, SUCCESS};
use super::members::Members;
use super::route::Route;
use super::settings::{Settings, checked_topic};
use super::wire::Request;
use crate::connect::Connection;
use crate::model::{Follow, Following, GroupPosition, Problem, Result};
use rocketmq_protocol::RequestCode;
use rocketmq_protocol::code::response_code::ResponseCode;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::time::Duration;

const NOT_FOUND: i32 = ResponseCode::QueryNotFound as i32;
/// More groups than these are not asked one by one.
const MOST_GROUPS: usize = 100;

/// The readers of one topic.
pub struct RocketFollow {
    settings: Settings,
    topic: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct GroupsText {
    group_list: BTreeSet<String>,
}

impl RocketFollow {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// As for a scan of the topic.
    pub fn new(connection: &Connection, topic: &str) -> Result<RocketFollow> {
        Ok(RocketFollow {
            settings: Settings::new(connection)?,
            topic: checked_topic(topic)?,
        })
    }
}

impl Follow for RocketFollow {
    fn follow(&mut self, places: &[(Option<String>, i32)], patience: Duration) -> Result<Following> {
        let cannot =
            |why: String| Problem::unknown(format!("the readers of {} are not known", self.topic)).because(why);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| cannot(e.to_string()))?;
        let client = Client::new(self.settings.clone(), self.topic.clone());
        let asked = runtime.block_on(async { tokio::time::timeout(patience, ask(&client, places)).await });
        drop(client);
        runtime.shutdown_background();
        match asked {
            Ok(known) => known.map_err(cannot),
            Err(_) => Err(cannot(format!("no answer within {} s", patience.as_secs()))),
        }
    }
}

async fn ask(client: &Client, places: &[(Option<String>, i32)]) -> std::result::Result<Following, String> {
    let route = match client.ask_route().await.map_err(|why| why.why)? {
        Routed::Known(route) => route,
        Routed::NoSuchTopic => return Err("the topic does not exist".to_owned()),
    };
    let mut known = Following::default();
    let mut groups = BTreeSet::new();
    for (name, broker) in &route.brokers {
        let Some(master) = &broker.master else {
            known.unknown.push(format!("broker {name} has no master to ask"));
            continue;
        };
        match groups_at(client, master).await {
            Ok(its) => groups.extend(its),
            Err(why) => known.unknown.push(why),
        }
    }
    if groups.len() > MOST_GROUPS {
        let more = groups.len() - MOST_GROUPS;
        known.unknown.push(format!("{more} more groups were not asked for"));
    }
    for group in groups.iter().take(MOST_GROUPS) {
        let members = match members_of(client, &route, group).await {
            Ok(members) => Some(members),
            Err(why) => {
                known.unknown.push(why);
                None
            }
        };
        for (node, queue) in places {
            let master = node
                .as_ref()
                .and_then(|node| route.brokers.get(node)?.master.as_deref());
            let Some(master) = master else { continue };
            match position(client, master, group, *queue).await {
                Ok((next, start, end)) => {
                    let online = members.as_ref().and_then(Option::as_ref);
                    let subscription = online.and_then(|m| m.subscription_table.get(&client.topic));
                    known.groups.push(GroupPosition {
                        group: group.clone(),
                        partition: *queue,
                        node: node.clone(),
                        next,
                        start,
                        end,
                        is_online: members.as_ref().map(Option::is_some),
                        tags: subscription.map(|s| s.tags_set.clone()),
                        is_broadcast: online.is_some_and(Members::is_broadcast),
                    });
                }
                Err(why) => known.unknown.push(format!("group {group}: {why}")),
            }
        }
        // The last is of consumers that pop (`KeyBuilder.buildPopRetryTopicV1`), one for each topic of theirs.
        for topic in [
            format!("%RETRY%{group}"),
            format!("%DLQ%{group}"),
            format!("%RETRY%{group}_{}", client.topic),
        ] {
            let copy = Client::new(client.settings.clone(), topic.clone());
            match copy.ask_route().await {
                Ok(Routed::Known(_)) => known.copies.push(topic),
                Ok(Routed::NoSuchTopic) => {}
                Err(why) => known.unknown.push(format!("{topic}: {}", why.why)),
            }
        }
    }
    Ok(known)
}

async fn groups_at(client: &Client, master: &str) -> std::result::Result<BTreeSet<String>, String> {
    let request = Request::new(RequestCode::QueryTopicConsumeByWho).with("topic", &client.topic);
    let reply = client.ask(master, &request, ANSWER).await;
    let reply = reply.map_err(|lost| lost.why.to_string())?;
    match reply.code {
        SUCCESS => {
            let text: GroupsText = serde_json::from_slice(&reply.body)
                .map_err(|e| format!("{master}: the answer about groups cannot be read ({e})"))?;
            Ok(text.group_list)
        }
        NO_PERMISSION => Err(format!("{master}: this user may not ask who reads the topic")),
        _ => Err(format!("{master} answered {}", reply.words())),
    }
}

/// The members of a group; `None` when it has none that are there now.
async fn members_of(client: &Client, route: &Route, group: &str) -> std::result::Result<Option<Members>, String> {
    let request = Members::request(group);
    let mut failure = None;
    for master in route.brokers.values().filter_map(|broker| broker.master.as_ref()) {
        match client.ask(master, &request, ANSWER).await {
            Ok(reply) => match Members::parse(&reply) {
                Some(Ok(Some(members))) => return Ok(Some(members)),
                Some(Ok(None)) => {}
                Some(Err(why)) => failure = Some(format!("{master}, about group {group}: {why}")),
                None => failure = Some(format!("{master} answered {} about group {group}", reply.words())),
            },
            Err(lost) => failure = Some(lost.why.to_string()),
        }
    }
    failure.map_or(Ok(None), Err)
}

/// The first offset of a queue that the group has not consumed, the queue's start and its end.
async fn position(
    client: &Client,
    master: &str,
    group: &str,
    queue: i32,
) -> std::result::Result<(Option<i64>, Option<i64>, Option<i64>), String> {
    let place = |code| Request::new(code).with("topic", &client.topic).with("queueId", queue);
    // Without the last field a broker says 0 for a group that never was there.
    let request = place(RequestCode::QueryConsumerOffset)
        .with("consumerGroup", group)
        .with("setZeroIfNotFound", false);
    let reply = client.ask(master, &request, ANSWER).await;
    let reply = reply.map_err(|lost| lost.why.to_string())?;
    let next = match reply.code {
        SUCCESS => Some(reply.field("offset")?).filter(|next| *next >= 0),
        NOT_FOUND => None,
        _ => return Err(format!("{master} answered {}", reply.words())),
    };
    let mut ends = [None, None];
    for (end, code) in ends
        .iter_mut()
        .zip([RequestCode::GetMinOffset, RequestCode::GetMaxOffset])
    {
        let reply = client.ask(master, &place(code).with("committed", true), ANSWER).await;
        let reply = reply.map_err(|lost| lost.why.to_string())?;
        *end = (reply.code == SUCCESS).then(|| reply.field("offset").ok()).flatten();
    }
    let [start, end] = ends;
    Ok((next, start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_brokers_say_of_groups() {
        let groups: GroupsText = serde_json::from_str(r#"{"groupList":["b","a"]}"#).unwrap();
        assert_eq!(groups.group_list.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}
