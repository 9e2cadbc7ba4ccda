//! RMB009: how long the files of messages are kept.

use super::because;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `fileReservedTime` below the profile's `rocketmq_reserved_hours`; without the key the broker keeps 72 hours.
    ///
    /// # How messages are lost
    /// Files go by age, not by consumption: a group that lags behind is moved to the oldest message without a word. Above 85 % of the
    /// disk the oldest files go even if they are young. Dead letters, retries and half messages lie in the same files and go with
    /// them.
    ///
    /// # Instead
    /// Longer than the longest outage of a consumer; and an alarm on the disk.
    ///
    /// # Example
    /// `broker.conf`, found:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// fileReservedTime = 24
    /// ```
    /// `broker.conf`, clean:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// fileReservedTime = 168
    /// ```
    ///
    /// # Source
    /// RocketMQ `CleanCommitLogService`, `DefaultMessageStore`: 72 hours in code, 48 in the sample files;
    /// `diskSpaceCleanForciblyRatio` 0.85.
    pub(crate) static RULE = {
        code: "RMB009",
        name: "short-reserved-time",
        title: "Messages are deleted by age, read or not",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RocketBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let reserved = judge.setting("fileReservedTime");
    if reserved.given.is_none() && judge.unit.fragment.is_some() {
        return;
    }
    let Some(hours) = judge.int(&reserved) else { return };
    let wanted = judge.profile.thresholds.rocketmq_reserved_hours;
    if hours >= wanted {
        return;
    }
    let at = judge.at(&reserved);
    judge.hit(
        at,
        Say::new(
            format!("messages are kept for {hours} hours{}; the profile wants {wanted}", because(&reserved)),
            "deleted unread",
            "Files go by age, not by consumption. A group that lags behind is moved to the oldest message without a word; dead letters and \
             retries go with the files too.",
            format!("fileReservedTime={wanted} or more, and an alarm on the disk: above 85 % the oldest files go whatever their age"),
        ),
    );
}
