//! X-M01: replication with nobody to replicate to.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::terms::canonical::SLAVES;

rule! {
    /// # What it finds
    /// A live `SYNC_MASTER`, or a master in controller mode, whose route shows no slave.
    ///
    /// # How messages are lost
    /// On 4.x the broker answers `SLAVE_NOT_AVAILABLE`, which the client returns without an exception. On 5.x with the default of
    /// `inSyncReplicas` it answers that all is well. Either way there is one copy.
    ///
    /// # Instead
    /// Bring the slave back; `inSyncReplicas=2` or `minInSyncReplicas=2`, so that writes fail meanwhile.
    ///
    /// # Example
    /// A name server answers how many slaves a master has. `@` begins what was asked, `-` a thing by its name; below it stands what was told.
    /// Recorded, found:
    /// ```facts
    /// @ rocketmq-broker live
    /// brokerRole=SYNC_MASTER
    /// @slaves=0
    /// ```
    /// Recorded, clean:
    /// ```facts
    /// @ rocketmq-broker live
    /// brokerRole=SYNC_MASTER
    /// @slaves=1
    /// ```
    ///
    /// # Source
    /// RocketMQ `CommitLog.handleHA`, `SendMessageProcessor`.
    pub(crate) static RULE = {
        code: "X-M01",
        name: "synchronous-without-slave",
        title: "A synchronous master has no slave that could answer",
        evidence: &[Evidence::Live],
        variants: &[],
        applies: &[Role::RocketBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let none = unit
        .live(SLAVES)
        .filter(|f| f.value.text().is_some_and(|v| v.trim() == "0"));
    let Some(fact) = none else { return };
    let synchronous = judge.quiet("brokerRole").as_deref() == Some("SYNC_MASTER");
    let controller = judge.quiet("enableControllerMode").as_deref() == Some("true");
    if !synchronous && !controller {
        return;
    }
    let at = judge.at_fact(fact);
    judge.hit(
        at,
        Say::new(
            "a synchronous master without a slave",
            "one copy",
            "On 4.x the client gets SLAVE_NOT_AVAILABLE, which is no exception; on 5.x with inSyncReplicas=1 it is told that all is well. \
             Either way the master's disk has the only copy.",
            "bring the slave back; inSyncReplicas=2 or minInSyncReplicas=2, so that writes fail meanwhile",
        ),
    );
}
