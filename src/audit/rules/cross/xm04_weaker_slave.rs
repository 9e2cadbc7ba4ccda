//! X-M04: master and slave that are set up differently.

use crate::audit::fact::Unit;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A slave whose file flushes asynchronously beside its master's (the same `brokerName`) that flushes synchronously; a
    /// `fileReservedTime` shorter than the master's.
    ///
    /// # How messages are lost
    /// The slave reports what it has received, not what it has flushed. When both lose their power the master's synchronous flush
    /// protects one copy only. A slave that deletes sooner cannot take over for readers that are behind.
    ///
    /// # Instead
    /// The same `flushDiskType` and `fileReservedTime` on both.
    ///
    /// # Example
    /// With `--profile finance`.
    /// `slave.conf`, found:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 1
    /// brokerRole = SLAVE
    /// flushDiskType = ASYNC_FLUSH
    /// ```
    /// `slave.conf`, clean:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 1
    /// brokerRole = SLAVE
    /// flushDiskType = SYNC_FLUSH
    /// ```
    /// `master.conf`, beside it:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// brokerRole = SYNC_MASTER
    /// flushDiskType = SYNC_FLUSH
    /// ```
    ///
    /// # Source
    /// RocketMQ `DefaultHAClient.reportSlaveMaxOffset`: the maximal physical offset.
    pub(crate) static RULE = {
        code: "X-M04",
        name: "slave-weaker-than-master",
        title: "The slave acknowledges what only its page cache has",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RocketBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let text = |u: &Unit, key: &str| u.live(key).and_then(|f| f.value.text()).map(|v| v.trim().to_owned());
    if judge.quiet("brokerRole").as_deref() != Some("SLAVE") {
        return;
    }
    let Some(name) = text(unit, "brokerName") else { return };
    let master = judge.beside(Role::RocketBroker).find(|u| {
        text(u, "brokerName").as_ref() == Some(&name)
            && judge.setting_of(u, "brokerRole").value.as_deref() != Ok("SLAVE")
    });
    let Some(master) = master else { return };
    let (flush, theirs) = (
        judge.setting("flushDiskType"),
        judge.setting_of(master, "flushDiskType"),
    );
    if flush.value.as_deref() == Ok("ASYNC_FLUSH") && theirs.value.as_deref() == Ok("SYNC_FLUSH") {
        let place = theirs.given.map_or_else(|| master.top(), |f| f.place.clone());
        let at = judge.at(&flush).related(&place, "the master flushes");
        judge.hit(
            at,
            Say::new(
                "the master flushes each message, and its slave does not",
                "the second copy is in a page cache",
                "The slave reports what it has received, not what it has flushed. When both lose their power, one copy was flushed, not two.",
                "flushDiskType=SYNC_FLUSH on the slave too",
            ),
        );
    }
    let (mine, masters) = (
        judge.setting("fileReservedTime"),
        judge.setting_of(master, "fileReservedTime"),
    );
    let hours = |s: &crate::audit::resolve::Setting<'_>| s.value.as_ref().ok().and_then(|v| v.parse::<i64>().ok());
    if let (Some(a), Some(b)) = (hours(&mine), hours(&masters))
        && a < b
    {
        let place = masters.given.map_or_else(|| master.top(), |f| f.place.clone());
        let at = judge.at(&mine).related(&place, format!("the master keeps {b} hours"));
        judge.hit(
            at,
            Say::new(
                format!("the slave keeps messages for {a} hours, its master for {b}"),
                "deleted sooner",
                "When the slave takes over, readers that are behind find that the oldest messages are gone.",
                "the same fileReservedTime on both",
            ),
        );
    }
}
