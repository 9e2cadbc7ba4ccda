//! X-M06: a `broker.conf` that does not hold.

use crate::audit::fact::{Effect, Fact, Unit};
use crate::audit::judge::{Judge, Say};
use crate::audit::resolve::is_placeholder;
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::terms::rocketmq::{DURABILITY, known, nearest, same_in_another_case};
use std::cmp::Ordering;

rule! {
    /// # What it finds
    /// A `broker.conf` together with the running broker of the same `brokerName`, where the two differ in what decides about loss, and the
    /// broker is the weaker one; where it is not, or that cannot be told, `X-M06/differs`. A key that no release knows is compared as the
    /// one that was meant.
    ///
    /// # How messages are lost
    /// The broker has dropped the value without a word, has another one by `updateBrokerConfig`, or was not started again since the file was
    /// changed. Whoever reads the file believes in a flush or a copy that nobody makes.
    ///
    /// # Instead
    /// Correct the key or the value, and start the broker again; `mqadmin getBrokerConfig` shows what runs.
    ///
    /// # Example
    /// A file asks for synchronous flush; the broker answers what it does. `@` begins what was asked, `-` a thing by its name; below it stands what was told.
    /// Recorded, found:
    /// ```facts
    /// @ rocketmq-broker file=broker.conf
    /// brokerName=broker-a
    /// brokerId=0
    /// flushDiskType=SYNC_FLUSH
    /// @ rocketmq-broker live file=rocketmq
    /// brokerName=broker-a
    /// brokerId=0
    /// flushDiskType=ASYNC_FLUSH
    /// ```
    /// Recorded, clean:
    /// ```facts
    /// @ rocketmq-broker file=broker.conf
    /// brokerName=broker-a
    /// brokerId=0
    /// flushDiskType=SYNC_FLUSH
    /// @ rocketmq-broker live file=rocketmq
    /// brokerName=broker-a
    /// brokerId=0
    /// flushDiskType=SYNC_FLUSH
    /// ```
    ///
    /// # Source
    /// RocketMQ `MixAll.properties2Object`, `AdminBrokerProcessor.updateBrokerConfig`.
    pub(crate) static RULE = {
        code: "X-M06",
        name: "broker-conf-does-not-hold",
        title: "The running broker is not what its file says",
        evidence: &[Evidence::Live],
        variants: &["differs"],
        applies: &[Role::RocketBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    if unit.is_live() {
        return;
    }
    let text = |u: &Unit, key: &str| u.live(key).and_then(|f| f.value.text()).map(|v| v.trim().to_owned());
    let Some(name) = text(unit, "brokerName").filter(|n| !is_placeholder(n)) else {
        return;
    };
    // Of a broker without a number the file says the role.
    let slave = text(unit, "brokerRole").as_deref() == Some("SLAVE");
    let id = text(unit, "brokerId").unwrap_or_else(|| if slave { "1" } else { "0" }.to_owned());
    let running = judge
        .running(Role::RocketBroker)
        .find(|u| text(u, "brokerName").as_ref() == Some(&name) && text(u, "brokerId").as_ref() == Some(&id));
    let Some(running) = running else { return };
    let node = running.name.clone().unwrap_or(name);
    for fact in unit.facts.iter().filter(|f| f.effect == Effect::Live) {
        let meant = match known(&fact.key) {
            Some(_) => Some(fact.key.as_str()),
            None => same_in_another_case(&fact.key).or_else(|| nearest(&fact.key)),
        };
        let Some(runs) = meant.filter(|k| DURABILITY.contains(k)).and_then(|k| running.live(k)) else {
            continue;
        };
        say(judge, fact, runs, &node);
    }
}

fn say(judge: &mut Judge<'_>, declared: &Fact, runs: &Fact, node: &str) {
    let (here, there) = (declared.value.show(), runs.value.show());
    let (here, there) = (here.trim(), there.trim());
    if is_placeholder(here) || here == there {
        return;
    }
    let weaker = strength(&runs.key, there)
        .zip(strength(&runs.key, here))
        .is_some_and(|(there, here)| there.cmp(&here) == Ordering::Less);
    let at = judge
        .at_fact(declared)
        .related(&runs.place, format!("{node} runs with {}={there}", runs.key));
    judge.hit_as(
        (!weaker).then_some("differs"),
        at,
        Say::new(
            format!("{node}: {} is {here} here and {there} on the broker", declared.key),
            if weaker { "weaker than declared" } else { "not what runs" },
            "The value was dropped without a word, or changed while the broker ran, or the broker was not started since. Whoever reads the \
             file believes that it holds.",
            "the exact key and value, and a restart of the broker; or the file corrected to what runs",
        ),
    );
}

/// How well a value keeps; larger is better. A word that is none of the broker's is taken for the one that was meant.
fn strength(key: &str, value: &str) -> Option<i64> {
    let value = value.to_ascii_uppercase();
    match key {
        "flushDiskType" => match value.as_str() {
            "SYNC_FLUSH" => Some(1),
            "ASYNC_FLUSH" => Some(0),
            _ => None,
        },
        "brokerRole" => match value.as_str() {
            "SYNC_MASTER" => Some(1),
            "ASYNC_MASTER" => Some(0),
            _ => None,
        },
        "inSyncReplicas" | "minInSyncReplicas" | "fileReservedTime" => value.parse().ok(),
        "allAckInSyncStateSet" | "enableDLegerCommitLog" => Some(i64::from(value == "TRUE")),
        "transientStorePoolEnable" | "enableAutoInSyncReplicas" | "cleanFileForciblyEnable" => {
            Some(i64::from(value != "TRUE"))
        }
        _ => None,
    }
}
