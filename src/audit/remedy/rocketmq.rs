//! Commands of RocketMQ's own tool.

use super::quoted;
use crate::audit::fact::{Dialect, Unit};
use crate::audit::judge::Hit;
use crate::config::Profile;

/// Settings that `updateBrokerConfig` changes while the broker runs, with the safe value.
const SAFE: [(&str, &str); 9] = [
    ("flushDiskType", "SYNC_FLUSH"),
    ("brokerRole", "SYNC_MASTER"),
    ("inSyncReplicas", "2"),
    ("minInSyncReplicas", "2"),
    ("allAckInSyncStateSet", "true"),
    ("enableAutoInSyncReplicas", "false"),
    ("transientStorePoolEnable", "false"),
    ("autoCreateTopicEnable", "false"),
    ("autoCreateSubscriptionGroup", "false"),
];

/// The command, for a unit whose name ends with the broker's address: `broker-a at 10.0.0.1:10911`.
pub(super) fn command(unit: &Unit, hit: &Hit, profile: &Profile) -> Option<String> {
    if unit.dialect != Dialect::RocketmqBroker {
        return None;
    }
    let (_, address) = unit.name.as_deref()?.rsplit_once(" at ")?;
    let hours;
    let value = match SAFE.into_iter().find(|(key, _)| *key == hit.key) {
        Some((_, value)) => value,
        None if hit.key == "fileReservedTime" => {
            hours = profile.thresholds.rocketmq_reserved_hours.to_string();
            hours.as_str()
        }
        None => return None,
    };
    if hit.value.as_deref() == Some(value) {
        return None;
    }
    Some(format!(
        "mqadmin updateBrokerConfig -b {} -k {} -v {}",
        quoted(address),
        quoted(&hit.key),
        quoted(value)
    ))
}
