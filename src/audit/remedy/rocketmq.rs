//! Commands of RocketMQ's own tool.

use super::{hosts, quoted};
use crate::audit::fact::{Dialect, FactValue, Layer, Subject, Unit};
use crate::audit::judge::Hit;
use crate::audit::terms::canonical::{LAG_OLDEST_MS, SKIPPED};
use crate::config::Profile;

/// Settings that take effect while the broker runs, with the safe value.
///
/// `flushDiskType` and `transientStorePoolEnable` are none of them: what flushes is made when the broker starts, and a broker that was started
/// with `ASYNC_FLUSH` fails every send after `updateBrokerConfig -k flushDiskType -v SYNC_FLUSH` (`CommitLog.DefaultFlushManager` takes its
/// service for a `GroupCommitService`).
const SAFE: [(&str, &str); 7] = [
    ("brokerRole", "SYNC_MASTER"),
    ("inSyncReplicas", "2"),
    ("minInSyncReplicas", "2"),
    ("allAckInSyncStateSet", "true"),
    ("enableAutoInSyncReplicas", "false"),
    ("autoCreateTopicEnable", "false"),
    ("autoCreateSubscriptionGroup", "false"),
];

/// The setting of a group, and how often a message is tried again unless one says otherwise.
const RETRIES_KEY: &str = "retryMaxTimes";
const RETRIES: &str = "16";

/// The command, for a unit whose name ends with the broker's address: `broker-a at 10.0.0.1:10911`.
pub(super) fn command(unit: &Unit, subject: Option<&Subject>, hit: &Hit, profile: &Profile) -> Option<String> {
    let (_, address) = unit.name.as_deref()?.rsplit_once(" at ")?;
    match (unit.dialect, subject.map(|s| (s, s.layer))) {
        (Dialect::RocketmqBroker, _) => of_broker(address, hit, profile),
        (Dialect::RocketmqTopics, Some((topic, Layer::Topic))) => of_topic(unit, topic, address, hit),
        // What its members say of themselves no command changes.
        (Dialect::RocketmqTopics, Some((group, Layer::Consumer))) if hit.key == RETRIES_KEY => {
            of_group(unit, group, address)
        }
        _ => None,
    }
}

fn of_broker(address: &str, hit: &Hit, profile: &Profile) -> Option<String> {
    let reserved = profile.thresholds.rocketmq_reserved_hours;
    let (key, value) = match hit.key.as_str() {
        "fileReservedTime" => ("fileReservedTime", reserved.to_string()),
        SKIPPED => ("fileReservedTime", reserved.to_string()),
        // Unread messages are about to go: kept four times as long as the oldest is old, as the reader may go on as slowly.
        LAG_OLDEST_MS => {
            let age_ms: i64 = hit.value.as_deref()?.parse().ok()?;
            let hours = (age_ms / 3_600_000 + 1).saturating_mul(4);
            ("fileReservedTime", hours.max(reserved).to_string())
        }
        key => {
            let (key, value) = SAFE.into_iter().find(|(known, _)| *known == key)?;
            (key, value.to_owned())
        }
    };
    if hit.key == key && hit.value.as_deref() == Some(value.as_str()) {
        return None;
    }
    Some(format!(
        "mqadmin updateBrokerConfig -b {} -k {key} -v {}",
        quoted(address),
        quoted(&value)
    ))
}

/// What `updateSubGroup` sets beside the retries: it puts a value of its own in the place of every one that it is not given, and so forbids
/// a group to broadcast.
const OF_GROUP: [(&str, &str); 8] = [
    ("consumeEnable", "-s"),
    ("consumeFromMinEnable", "-m"),
    ("consumeBroadcastEnable", "-d"),
    ("consumeMessageOrderly", "-o"),
    ("retryQueueNums", "-q"),
    ("brokerId", "-i"),
    ("whichBrokerWhenConsumeSlowly", "-w"),
    ("notifyConsumerIdsChangedEnable", "-a"),
];

/// A message is tried again, and all else of the group stays.
fn of_group(unit: &Unit, group: &Subject, address: &str) -> Option<String> {
    // It would be taken away.
    if unit.of(group, "groupRetryPolicy").is_some() {
        return None;
    }
    let mut command = format!(
        "mqadmin updateSubGroup -n {} -b {} -g {} -r {RETRIES}",
        quoted(hosts(&unit.file)),
        quoted(address),
        quoted(&group.name)
    );
    for (key, option) in OF_GROUP {
        // 4.x has not all of them, and takes no option for those.
        if let Some(fact) = unit.of(group, key) {
            command.push_str(&format!(" {option} {}", quoted(&fact.value.show())));
        }
    }
    Some(command)
}

/// As many queues to read as to write, and both allowed.
fn of_topic(unit: &Unit, topic: &Subject, address: &str, hit: &Hit) -> Option<String> {
    if hit.key != "readQueueNums" && hit.key != "perm" {
        return None;
    }
    let number = |key: &str| unit.of(topic, key)?.value.text()?.parse::<i64>().ok();
    let queues = number("readQueueNums")?.max(number("writeQueueNums")?);
    Some(format!(
        "mqadmin updateTopic -n {} -b {} -t {} -r {queues} -w {queues} -p 6{}",
        quoted(hosts(&unit.file)),
        quoted(address),
        quoted(&topic.name),
        // Else it would be none afterwards.
        match unit
            .of(topic, "order")
            .is_some_and(|f| f.value == FactValue::Bool(true))
        {
            true => " -o true",
            false => "",
        }
    ))
}
