//! RMB004: a requirement that lowers itself.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `enableAutoInSyncReplicas=true` with `minInSyncReplicas` below 2.
    ///
    /// # How messages are lost
    /// A slave is slow or gone: the number of copies that a write waits for is lowered to `minInSyncReplicas`, by default 1. Writes
    /// go on, and the master's disk has the only copy.
    ///
    /// # Instead
    /// `minInSyncReplicas=2`, or no automatic lowering.
    ///
    /// # Example
    /// `broker.conf`, found:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// enableAutoInSyncReplicas = true
    /// ```
    /// `broker.conf`, clean:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// enableAutoInSyncReplicas = true
    /// minInSyncReplicas = 2
    /// ```
    ///
    /// # Source
    /// RocketMQ `CommitLog.calcNeedAckNums`: false and 1; it works with `enableSlaveActingMaster` only.
    pub(crate) static RULE = {
        code: "RMB004",
        name: "lowered-requirement",
        title: "When a slave is gone, one copy is enough",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RocketBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let auto = judge.setting("enableAutoInSyncReplicas");
    if auto.value.as_deref() != Ok("true") {
        return;
    }
    let least = judge.setting("minInSyncReplicas");
    let Some(copies) = judge.int(&least) else { return };
    if copies >= 2 {
        return;
    }
    let mut at = judge.at(&auto);
    if let Some(fact) = least.given {
        at = at.related(&fact.place, "what it may be lowered to");
    }
    judge.hit(
        at,
        Say::new(
            "when a slave falls behind, a write waits for one copy",
            "lowers itself to minInSyncReplicas",
            "A slave is slow or gone, and the number of copies that a write waits for is lowered. Writes go on, and the master's disk has \
             the only copy.",
            "minInSyncReplicas=2, or enableAutoInSyncReplicas=false",
        ),
    );
}
