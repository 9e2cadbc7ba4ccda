//! RMB001: acknowledged messages are still in the page cache.

use super::{because, is_on};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A broker, master or slave, that runs `flushDiskType=ASYNC_FLUSH`: written, by default, or because what is written is nothing that
    /// the broker takes (see RMB007). Where the file also asks for two in-sync copies it is told as `RMB001/replicated`. DLedger has its
    /// own flushing and ignores the key.
    ///
    /// # How messages are lost
    /// The broker acknowledges when the message is in the page cache. When the host or its power fails, what is not yet on disk is gone:
    /// half a second of messages on a busy broker, up to ten seconds on a quiet one. A crash of the process alone loses nothing.
    ///
    /// # Instead
    /// `flushDiskType=SYNC_FLUSH` on master and slave; or asynchronous flush with two in-sync copies that do not share their power.
    ///
    /// # Example
    /// `broker.conf`, found:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// flushDiskType = ASYNC_FLUSH
    /// ```
    /// `broker.conf`, clean:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// flushDiskType = SYNC_FLUSH
    /// ```
    ///
    /// # Source
    /// RocketMQ `MessageStoreConfig`, `FlushRealTimeService`: `ASYNC_FLUSH` in every version, and in every sample file.
    pub(crate) static RULE = {
        code: "RMB001",
        name: "async-flush",
        title: "Acknowledged messages are still in the page cache",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["replicated"],
        applies: &[Role::RocketBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    if is_on(judge, "enableDLegerCommitLog") {
        return;
    }
    let flush = judge.setting("flushDiskType");
    if judge.text(&flush).as_deref() != Some("ASYNC_FLUSH") {
        return;
    }
    let copies = judge
        .setting("inSyncReplicas")
        .value
        .ok()
        .and_then(|v| v.parse::<i64>().ok())
        .unwrap_or(1);
    let replicated = matches!(
        judge.setting("brokerRole").value.as_deref(),
        Ok("SYNC_MASTER" | "SLAVE")
    ) && copies >= 2;
    let at = judge.at(&flush);
    judge.hit_as(
        replicated.then_some("replicated"),
        at,
        Say {
            headline: format!("flushDiskType is ASYNC_FLUSH{}", because(&flush)),
            label: match replicated {
                true => "safe only while the copies do not share their power".to_owned(),
                false => "acknowledged before it is on disk".to_owned(),
            },
            story: "The broker acknowledges when the message is in the page cache. When the host or its power fails, what is not yet on \
                    disk is gone: half a second of messages on a busy broker, up to ten seconds on a quiet one."
                .to_owned(),
            fix: match judge.unit.is_live() {
                true => {
                    "flushDiskType=SYNC_FLUSH in broker.conf of master and slave, and a restart (a broker that was started with ASYNC_FLUSH \
                     fails every send after updateBrokerConfig); or two in-sync copies on separate power"
                }
                false => "flushDiskType=SYNC_FLUSH on master and slave, or two in-sync copies on separate power",
            }
            .to_owned(),
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::{found, found_under};

    #[test]
    fn asynchronous_by_word_by_default_and_by_mistake() {
        let file = "broker.conf";
        assert_eq!(
            found("RMB001", file, "brokerName=a\nflushDiskType = ASYNC_FLUSH"),
            ["medium 2:1 flushDiskType=ASYNC_FLUSH"]
        );
        assert_eq!(
            found("RMB001", file, "brokerName=a"),
            ["medium 1:1 flushDiskType=(absent)"]
        );
        assert_eq!(
            found("RMB001", file, "brokerName=a\nflushDiskType=sync_flush"),
            ["medium 2:1 flushDiskType=sync_flush"]
        );
        assert_eq!(
            found("RMB001", file, "brokerName=a\nflushdisktype=SYNC_FLUSH"),
            ["medium 1:1 flushDiskType=(absent)"]
        );
        assert_eq!(
            found_under("finance", "RMB001", file, "brokerName=a"),
            ["critical 1:1 flushDiskType=(absent)"]
        );
        assert!(found_under("logs", "RMB001", file, "brokerName=a").is_empty());
    }

    #[test]
    fn synchronous_replicated_and_dledger() {
        let file = "broker.conf";
        assert!(found("RMB001", file, "brokerName=a\nflushDiskType=SYNC_FLUSH").is_empty());
        assert!(found("RMB001", file, "brokerName=a\nenableDLegerCommitLog=true").is_empty());
        assert_eq!(
            found("RMB001", file, "brokerRole=SLAVE\ninSyncReplicas=2"),
            ["low 1:1 flushDiskType=(absent)"]
        );
    }
}
