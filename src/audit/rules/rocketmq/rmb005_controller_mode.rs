//! RMB005: a sync state set that may be the master alone.

use super::{because, is_on};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `enableControllerMode=true` without `allAckInSyncStateSet=true` (and fewer than two `inSyncReplicas`), or with
    /// `minInSyncReplicas` below 2.
    ///
    /// # How messages are lost
    /// Without the flag the master waits for nobody. With it, it waits for the sync state set, and when that has shrunk to the
    /// master, one copy is all.
    ///
    /// # Instead
    /// `allAckInSyncStateSet=true` and `minInSyncReplicas=2`: writes then fail with `IN_SYNC_REPLICAS_NOT_ENOUGH` instead.
    ///
    /// # Example
    /// `broker.conf`, found:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// enableControllerMode = true
    /// controllerAddr = c-1:9878;c-2:9878;c-3:9878
    /// ```
    /// `broker.conf`, clean:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// enableControllerMode = true
    /// controllerAddr = c-1:9878;c-2:9878;c-3:9878
    /// allAckInSyncStateSet = true
    /// minInSyncReplicas = 2
    /// ```
    ///
    /// # Source
    /// RocketMQ `CommitLog`, `GroupTransferService`, `docs/en/controller/deploy.md`: false and 1.
    pub(crate) static RULE = {
        code: "RMB005",
        name: "controller-mode-single-copy",
        title: "In controller mode one copy counts as all",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RocketBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    if !is_on(judge, "enableControllerMode") || is_on(judge, "enableDLegerCommitLog") {
        return;
    }
    let all = judge.setting("allAckInSyncStateSet");
    let least = judge.setting("minInSyncReplicas");
    let fixed = judge.setting("inSyncReplicas");
    let (Ok(all_on), Some(least_copies), Some(fixed_copies)) = (
        all.value.as_deref().map(|v| v == "true"),
        judge.int(&least),
        judge.int(&fixed),
    ) else {
        judge.undecided("`allAckInSyncStateSet` is filled in elsewhere");
        return;
    };
    let (setting, headline) = if !all_on && fixed_copies < 2 {
        (
            &all,
            format!(
                "controller mode without allAckInSyncStateSet{}: the master waits for nobody",
                because(&all)
            ),
        )
    } else if least_copies < 2 {
        (
            &least,
            format!(
                "minInSyncReplicas={least_copies}{}: the master alone counts as all",
                because(&least)
            ),
        )
    } else {
        return;
    };
    let at = judge.at(setting);
    judge.hit(
        at,
        Say::new(
            headline,
            "one copy is enough",
            "The slaves fall out of the sync state set, and a write is acknowledged with the master's copy alone. When its disk dies then, \
             it is gone.",
            "allAckInSyncStateSet=true and minInSyncReplicas=2; writes then fail instead when the slave is away",
        ),
    );
}
