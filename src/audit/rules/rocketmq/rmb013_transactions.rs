//! RMB013: how often a broker asks what became of a half message.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `transactionCheckMax` times `transactionCheckInterval` of less than five minutes, where one of them is written.
    ///
    /// # How messages are lost
    /// The listener answers "unknown" while the local transaction is running. After the last check, or when the half message is older
    /// than `fileReservedTime`, it is put into `TRANS_CHECK_MAX_TIME_TOPIC`, which nobody reads.
    ///
    /// # Instead
    /// More time than the longest local transaction takes, and an alarm on that topic.
    ///
    /// # Example
    /// `broker.conf`, found:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// transactionCheckMax = 3
    /// ```
    /// `broker.conf`, clean:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// transactionCheckMax = 15
    /// ```
    ///
    /// # Source
    /// RocketMQ `TransactionalMessageServiceImpl`: 15 checks; every 60 seconds up to 4.9, every 30 since 5.0.
    pub(crate) static RULE = {
        code: "RMB013",
        name: "transaction-checks",
        title: "A transaction that takes long is discarded",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RocketBroker],
        check: check,
    };
}

/// Shorter than a local transaction that waits for somebody else's system, in milliseconds.
const SHORT_MS: i64 = 300_000;
/// The interval of 5.x, the shorter one, in milliseconds.
const INTERVAL_MS: i64 = 30_000;

fn check(judge: &mut Judge<'_>) {
    let max = judge.written_int("transactionCheckMax");
    let interval = judge.written_int("transactionCheckInterval");
    let shown = match (&max, &interval) {
        (Some((setting, _)), _) | (None, Some((setting, _))) => setting.clone(),
        (None, None) => return,
    };
    let checks = max.map_or(15, |(_, n)| n);
    let ms = checks.saturating_mul(interval.map_or(INTERVAL_MS, |(_, ms)| ms));
    if ms >= SHORT_MS {
        return;
    }
    let at = judge.at(&shown);
    judge.hit(
        at,
        Say::new(
            format!("a half message is discarded after {} s", ms / 1000),
            "sooner than a slow transaction ends",
            "The listener answers \"unknown\" while the local transaction is running. After the last check the half message is put where \
             nobody reads, although the transaction commits afterwards.",
            "transactionCheckMax times transactionCheckInterval above the longest local transaction, and an alarm on \
             TRANS_CHECK_MAX_TIME_TOPIC",
        ),
    );
}
