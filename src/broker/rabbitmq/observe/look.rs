//! Looking into classic queues for transient messages: they are fetched without being acknowledged, then all are put back.
//!
//! Only durable classic queues are looked into: the other types store every message, and count deliveries.

use super::super::client::{Client, timed};
use super::super::target::Target;
use super::super::words;
use super::state::QueueState;
use crate::audit::live::{Unread, quoted};
use lapin::options::BasicGetOptions;
use lapin::types::ShortString;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// So many queues are looked into.
const QUEUES: usize = 500;

/// How many of the first `count` messages of each queue are transient, by virtual host and queue.
pub(super) async fn into<'v>(
    target: &Target,
    queues: impl Iterator<Item = &'v Value>,
    count: u32,
    patience: Duration,
    unread: &mut Vec<Unread>,
) -> BTreeMap<(String, String), (u64, u64)> {
    let mut by_host: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let (mut chosen, mut left) = (0, 0);
    for queue in queues {
        let state = QueueState::of(queue);
        // How many messages wait is told every five seconds only, so that none may mean some.
        if !state.may_hold_transient() {
            continue;
        }
        if chosen == QUEUES {
            left += 1;
            continue;
        }
        chosen += 1;
        by_host.entry(state.vhost).or_default().push(state.name);
    }
    if left > 0 {
        unread.push(Unread {
            what: format!("the messages of {left} more classic queues"),
            why: format!("at most {QUEUES} queues are looked into"),
            next: "choose queues with --queue".to_owned(),
        });
    }
    let mut seen = BTreeMap::new();
    for (vhost, queues) in by_host {
        let target = Target {
            vhost: vhost.to_owned(),
            ..target.clone()
        };
        let not_read = |what: String, why: String| Unread {
            what,
            why,
            next: format!(
                "looking into queues needs AMQP and the read permission: rabbitmqctl set_permissions -p {} {} '' '' '.*'",
                quoted(vhost),
                quoted(&target.user)
            ),
        };
        let client = match Client::login(&target, patience).await {
            Ok(client) => client,
            Err(why) => {
                unread.push(not_read(
                    format!("the messages that wait in virtual host {vhost}"),
                    why.why,
                ));
                continue;
            }
        };
        for queue in queues {
            match one(&client, queue, count, patience).await {
                Ok(found) => {
                    seen.insert((vhost.to_owned(), queue.to_owned()), found);
                }
                Err(e) => unread.push(not_read(format!("the messages of queue {queue}"), words::why(&e))),
            }
        }
        client.close().await;
    }
    seen
}

/// How many of the first messages are transient.
async fn one(client: &Client, queue: &str, count: u32, patience: Duration) -> Result<(u64, u64), lapin::Error> {
    let channel = client.channel(patience).await?;
    let (mut transient, mut all) = (0, 0);
    for _ in 0..count {
        let got = channel.basic_get(ShortString::from(queue), BasicGetOptions { no_ack: false });
        let Some(message) = timed(patience, got).await? else {
            break;
        };
        all += 1;
        // Absent means transient.
        transient += u64::from(*message.delivery.properties.delivery_mode() != Some(2));
    }
    // Closing puts everything back that was not acknowledged.
    timed(patience, channel.close(200, "bye".into())).await?;
    Ok((transient, all))
}
