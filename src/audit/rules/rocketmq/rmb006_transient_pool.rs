//! RMB006: messages that wait in the memory of the process.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `transientStorePoolEnable=true`. Up to 4.9 it works with asynchronous flush and not on slaves only; 5.x has dropped the check
    /// of the flush.
    ///
    /// # How messages are lost
    /// Messages wait in memory outside the heap before they reach the page cache. A crash of the process alone, without any fault of
    /// the host, loses them although they were acknowledged.
    ///
    /// # Instead
    /// `transientStorePoolEnable=false`.
    ///
    /// # Example
    /// `broker.conf`, found:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// transientStorePoolEnable = true
    /// ```
    /// `broker.conf`, clean:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// transientStorePoolEnable = false
    /// ```
    ///
    /// # Source
    /// RocketMQ `MessageStoreConfig.isTransientStorePoolEnable` (4.9.8, 5.0.0), `commitIntervalCommitLog`: 200 ms.
    pub(crate) static RULE = {
        code: "RMB006",
        name: "off-heap-pool",
        title: "A crash of the process loses acknowledged messages",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RocketBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let pool = judge.setting("transientStorePoolEnable");
    if pool.value.as_deref() != Ok("true") || judge.quiet("brokerRole").as_deref() == Some("SLAVE") {
        return;
    }
    let flush = judge.quiet("flushDiskType");
    let five = judge.release().is_some_and(|r| r.0 >= 5);
    // Only 5.x runs the pool under synchronous flush; there it is the version that decides.
    let by_version = flush.as_deref() == Some("SYNC_FLUSH") && !five;
    let at = judge.at(&pool).safe("false").inferred(by_version);
    judge.hit(
        at,
        Say::new(
            "acknowledged messages wait in the memory of the process",
            "lost when the process dies",
            "Messages wait outside the heap before they reach the page cache. A crash of the process alone loses them, although they were \
             acknowledged.",
            "transientStorePoolEnable=false",
        ),
    );
}
