//! How many brokers a `server.properties` speaks of, as far as one file can tell.

use crate::audit::fact::{Component, Fact, Unit};
use crate::audit::judge::Judge;

/// Settings that only make sense with several brokers when they are larger than 1.
pub(super) const COUNTS: [&str; 7] = [
    "default.replication.factor",
    "min.insync.replicas",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "share.coordinator.state.topic.min.isr",
];

/// What shows that a cluster has one broker, when nothing else in the file speaks of more.
pub(in crate::audit::rules) enum Single<'a> {
    /// A quorum of one in a broker that is its own controller.
    Quorum(&'a Fact),
    /// A manifest that says how many there are.
    Replicas(&'a Fact),
    /// A file that holds the whole cluster, and one broker.
    Alone,
}

/// Whether the cluster has one broker.
pub(in crate::audit::rules) fn single_broker(unit: &Unit) -> Option<Single<'_>> {
    let text = |key: &str| unit.live(key).and_then(|f| f.value.text()).map(str::trim);
    let many = COUNTS
        .iter()
        .any(|key| text(key).and_then(|v| v.parse::<i64>().ok()).is_some_and(|n| n > 1));
    let rack = text("broker.rack").is_some_and(|r| !r.is_empty() && r != "null");
    // Where a file holds the whole cluster, a rack tells nothing of others.
    if many || rack && unit.brokers != Some(1) {
        return None;
    }
    if unit.brokers == Some(1) {
        return Some(
            unit.surrounding("replicas")
                .next()
                .map_or(Single::Alone, Single::Replicas),
        );
    }
    let roles: Vec<&str> = text("process.roles")?.split(',').map(str::trim).collect();
    if unit.brokers.is_some() || !roles.contains(&"broker") || !roles.contains(&"controller") {
        return None;
    }
    let quorum = |key: &'static str| {
        unit.live(key)
            .zip(text(key))
            .filter(|(_, v)| !v.is_empty() && *v != "null")
    };
    let fact = match (
        quorum("controller.quorum.voters"),
        quorum("controller.quorum.bootstrap.servers"),
    ) {
        (Some((fact, voters)), _) => is_one(voters).then_some(fact),
        // A list to find the quorum by may be shorter than the quorum, but no other node can use this one's loopback address.
        (None, Some((fact, servers))) => (is_one(servers) && is_loopback(servers)).then_some(fact),
        (None, None) => None,
    };
    fact.map(Single::Quorum)
}

/// Whether KB000 says all that there is to say of copies in this cluster.
pub(in crate::audit::rules) fn is_told_once(judge: &Judge<'_>) -> bool {
    !judge.context.pedantic && single_broker(judge.unit).is_some()
}

fn is_one(list: &str) -> bool {
    !crate::audit::resolve::is_placeholder(list) && list.split(',').filter(|v| !v.trim().is_empty()).count() == 1
}

fn is_loopback(server: &str) -> bool {
    ["localhost:", "127.", "[::1]:"]
        .iter()
        .any(|host| server.trim().starts_with(host))
}

/// Records that replication settings say nothing where the log lies in object storage; true when they do not.
pub(in crate::audit::rules) fn copies_are_elsewhere(judge: &mut Judge<'_>) -> bool {
    let elsewhere = judge.unit.component == Component::AutoMq;
    if elsewhere {
        judge.undecided("AutoMQ keeps its log in object storage, so replication settings do not count copies");
    }
    elsewhere
}

/// Whether the node is a controller and no broker. The topics that brokers keep for themselves are made by brokers, with their settings.
pub(in crate::audit::rules) fn is_controller_alone(judge: &Judge<'_>) -> bool {
    judge
        .quiet("process.roles")
        .is_some_and(|roles| roles.trim() == "controller")
}

/// How many brokers the cluster has, when something says so: a manifest that counts them, or a file that can only be of one.
pub(in crate::audit::rules) fn brokers(unit: &Unit) -> Option<i64> {
    let told = unit.brokers.and_then(|n| i64::try_from(n).ok());
    told.or_else(|| single_broker(unit).map(|_| 1))
}

/// Whether the file can only be of a cluster with three brokers or more.
pub(in crate::audit::rules) fn has_three(unit: &Unit) -> bool {
    let number = |key: &str| unit.live(key).and_then(|f| f.value.text()?.trim().parse::<i64>().ok());
    match brokers(unit) {
        Some(n) => n >= 3,
        None => COUNTS.iter().any(|key| number(key).is_some_and(|n| n >= 3)),
    }
}

/// Whether the brokers say where they stand.
pub(in crate::audit::rules) fn has_rack(judge: &Judge<'_>) -> bool {
    judge.setting("broker.rack").given.is_some() || judge.unit.surrounding("rack.topologyKey").next().is_some()
}
