//! RMB003: `SYNC_MASTER` alone waits for nobody.

use super::{because, is_on};
use crate::audit::fact::Version;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `brokerRole=SYNC_MASTER` with `inSyncReplicas` below 2, as it is by default. A key that only 5.x knows makes the version certain;
    /// without one it is told as `RMB003/version-unknown`.
    ///
    /// # How messages are lost
    /// On 4.x a synchronous master waits for one slave. Since 5.0 it waits for `inSyncReplicas` copies, itself included, and the default
    /// is 1: a pair that was synchronous becomes asynchronous by the upgrade, without a word.
    ///
    /// # Instead
    /// `inSyncReplicas=2` and `totalReplicas=2` or more. 4.x ignores both.
    ///
    /// # Example
    /// With `--rocketmq-version 5.3`.
    /// `broker.conf`, found:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// brokerRole = SYNC_MASTER
    /// totalReplicas = 2
    /// ```
    /// `broker.conf`, clean:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// brokerRole = SYNC_MASTER
    /// totalReplicas = 2
    /// inSyncReplicas = 2
    /// ```
    ///
    /// # Source
    /// RocketMQ `CommitLog.handleHA`, `docs/en/QuorumACK.md`.
    pub(crate) static RULE = {
        code: "RMB003",
        name: "sync-master-without-in-sync-replicas",
        title: "SYNC_MASTER waits for nobody on 5.x",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["version-unknown"],
        applies: &[Role::RocketBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    if is_on(judge, "enableDLegerCommitLog") || is_on(judge, "enableControllerMode") {
        return;
    }
    let role = judge.setting("brokerRole");
    let replicas = judge.setting("inSyncReplicas");
    if role.value.as_deref() != Ok("SYNC_MASTER") {
        return;
    }
    let Some(copies) = judge.int(&replicas) else { return };
    if copies >= 2 {
        return;
    }
    let certain = judge.unit.version == Version::RocketMq5;
    let mut at = judge.at(&replicas);
    if let Some(fact) = role.given {
        at = at.related(&fact.place, "asks for a synchronous slave");
    }
    let story = "The master acknowledges as soon as inSyncReplicas copies exist, itself included; with 1 it waits for nobody. What it \
                 acknowledged alone is gone when its disk dies.";
    judge.hit_as(
        (!certain).then_some("version-unknown"),
        at,
        Say {
            headline: match certain {
                true => format!(
                    "SYNC_MASTER with inSyncReplicas={copies}{} waits for no slave",
                    because(&replicas)
                ),
                false => "SYNC_MASTER without inSyncReplicas: depends on version".to_owned(),
            },
            label: "the master alone is enough".to_owned(),
            story: match certain {
                true => story.to_owned(),
                false => format!("On 4.x this waits for one slave and is sound. On 5.x it waits for nobody. {story}"),
            },
            fix: "inSyncReplicas=2 and totalReplicas=2 or more; 4.x ignores both".to_owned(),
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::found;

    #[test]
    fn certain_on_5_and_told_as_a_question_otherwise() {
        let file = "broker.conf";
        assert_eq!(
            found("RMB003", file, "brokerRole=SYNC_MASTER\ninSyncReplicas=1"),
            ["high 2:1 inSyncReplicas=1"]
        );
        assert_eq!(
            found("RMB003", file, "brokerRole=SYNC_MASTER\ntotalReplicas=2"),
            ["high 1:1 inSyncReplicas=(absent)"]
        );
        assert_eq!(
            found("RMB003", file, "brokerRole=SYNC_MASTER"),
            ["medium 1:1 inSyncReplicas=(absent)"]
        );
    }

    #[test]
    fn enough_copies_or_another_mode() {
        for text in [
            "brokerRole=SYNC_MASTER\ninSyncReplicas=2",
            "brokerRole=ASYNC_MASTER\ninSyncReplicas=1",
            "brokerRole=SYNC_MASTER\nenableControllerMode=true",
            "brokerRole=SLAVE",
        ] {
            assert!(found("RMB003", "broker.conf", text).is_empty(), "{text}");
        }
    }
}
