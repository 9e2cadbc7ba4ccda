//! RMB008: messages on a disk that does not last.

use super::super::storage::{Held, holds};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `storePathRootDir` or `storePathCommitLog` in a temporary directory; a resource with `storageMode: EmptyDir`; a container
    /// whose store path no volume covers.
    ///
    /// # How messages are lost
    /// A restart of the host, a new container or a pod on another node takes the whole store. A volume that is mounted somewhere else
    /// than the store path protects nothing.
    ///
    /// # Instead
    /// A persistent volume at the store path.
    ///
    /// # Example
    /// `broker.conf`, found:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// storePathRootDir = /tmp/rmqstore
    /// ```
    /// `broker.conf`, clean:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// storePathRootDir = /data/rocketmq/store
    /// ```
    ///
    /// # Source
    /// RocketMQ `MessageStoreConfig`: `${user.home}/store`; `conf/controller/quick-start` uses `/tmp/rmqstore`; operator
    /// `storageMode`.
    pub(crate) static RULE = {
        code: "RMB008",
        name: "temporary-store",
        title: "The store lies where a restart or a new container does not find it",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RocketBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    if let Some(fact) = unit
        .surrounding("storage.type")
        .find(|f| matches!(f.value.text(), Some("EmptyDir" | "ephemeral")))
    {
        let at = judge.at_fact(fact);
        judge.hit(at, say("the store is gone with its pod".to_owned()));
    }
    for key in ["storePathRootDir", "storePathCommitLog", "storePathDLedgerCommitLog"] {
        let Some((setting, paths)) = judge.written(key) else {
            continue;
        };
        // Several commit logs are separated by commas.
        let Some(path) = paths
            .split(',')
            .map(str::trim)
            .find(|p| holds(unit, p) != Held::ForGood)
        else {
            continue;
        };
        let at = judge.at(&setting);
        judge.hit(at, say(format!("messages are kept in {path}, which does not last")));
    }
}

fn say(headline: String) -> Say {
    Say::new(
        headline,
        "does not last",
        "A restart of the host, a new container or a pod on another node takes the whole store: every message, read or not.",
        "a persistent volume at the store path",
    )
}
