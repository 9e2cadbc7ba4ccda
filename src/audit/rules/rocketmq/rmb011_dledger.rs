//! RMB011: DLedger with too few peers or with settings that it does not know.

use super::is_on;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `enableDLegerCommitLog=true` with fewer than three or an even number of `dLegerPeers`, or together with controller mode;
    /// `flushDiskType=SYNC_FLUSH` beside it, which has no effect (`RMB011/flush-ignored`).
    ///
    /// # How messages are lost
    /// DLedger acknowledges when a majority has the message; with two peers the loss of either stops all writes, with one its disk
    /// has the only copy. It flushes by itself every 10 ms, so a loss of power for the majority takes what was acknowledged last,
    /// whatever `flushDiskType` says.
    ///
    /// # Instead
    /// Three peers that do not share their power.
    ///
    /// # Example
    /// `broker.conf`, found:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// enableDLegerCommitLog = true
    /// dLegerPeers = n0-a:40911;n1-b:40911
    /// ```
    /// `broker.conf`, clean:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// enableDLegerCommitLog = true
    /// dLegerPeers = n0-a:40911;n1-b:40911;n2-c:40911
    /// ```
    ///
    /// # Source
    /// RocketMQ `DLedgerCommitLog`, DLedger `DLedgerConfig`.
    pub(crate) static RULE = {
        code: "RMB011",
        name: "dledger",
        title: "A DLedger group of one or two survives nothing, and ignores flushDiskType",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["flush-ignored"],
        applies: &[Role::RocketBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    if !is_on(judge, "enableDLegerCommitLog") {
        return;
    }
    let dledger = judge.setting("enableDLegerCommitLog");
    if is_on(judge, "enableControllerMode") {
        let at = judge.at(&dledger);
        judge.hit(
            at,
            Say::new(
                "DLedger and controller mode exclude each other",
                "one of the two does not hold",
                "The broker cannot run both. Which copies a write waits for is not what the file says.",
                "controller mode alone",
            ),
        );
    }
    if let Some((peers, list)) = judge.written("dLegerPeers") {
        let n = list.split(';').filter(|p| !p.trim().is_empty()).count();
        if n < 3 || n % 2 == 0 {
            let at = judge.at(&peers);
            judge.hit(
                at,
                Say::new(
                    format!("a DLedger group of {n}"),
                    "no majority after a loss",
                    "With one peer its disk has the only copy; with an even number the loss of half stops all writes.",
                    "three peers that do not share their power",
                ),
            );
        }
    }
    let flush = judge.setting("flushDiskType");
    if flush.given.is_some() && flush.value.as_deref() == Ok("SYNC_FLUSH") {
        let at = judge.at(&flush);
        judge.hit_as(
            Some("flush-ignored"),
            at,
            Say::new(
                "flushDiskType has no effect under DLedger",
                "ignored",
                "DLedger flushes by itself every 10 ms. A loss of power for the majority takes what was acknowledged last.",
                "peers that do not share their power; remove the line",
            ),
        );
    }
}
