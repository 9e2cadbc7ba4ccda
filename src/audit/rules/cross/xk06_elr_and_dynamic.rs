//! X-K06: a setting that the feature removes.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::terms::canonical::{DYNAMIC_BROKER_MIN_INSYNC, ELR};

rule! {
    /// # What it finds
    /// A live cluster with `eligible.leader.replicas.version` of 1 and `min.insync.replicas` as a dynamic setting of single brokers.
    ///
    /// # How messages are lost
    /// When the feature is switched on, the dynamic setting of each broker is deleted and refused, and one of the cluster is made
    /// from the active controller's static value: often 1.
    ///
    /// # Instead
    /// `kafka-configs.sh --entity-type brokers --entity-default --alter --add-config min.insync.replicas=2`.
    ///
    /// # Example
    /// A broker answers which features are on, and where a setting was given: to one broker, or to the whole cluster. `@` begins what was asked, `-` a thing by its name; below it stands what was told.
    /// Recorded, found:
    /// ```facts
    /// @ kafka-broker live
    /// @feature.eligible.leader.replicas.version=1
    /// @dynamic-broker.min.insync.replicas=2
    /// ```
    /// Recorded, clean:
    /// ```facts
    /// @ kafka-broker live
    /// @feature.eligible.leader.replicas.version=1
    /// @dynamic-default.min.insync.replicas=2
    /// ```
    ///
    /// # Source
    /// Kafka `docs/operations/eligible-leader-replicas.md`, `ConfigurationControlManager` (KIP-966).
    pub(crate) static RULE = {
        code: "X-K06",
        name: "elr-drops-broker-setting",
        title: "With eligible leader replicas the in-sync replicas of single brokers do not count",
        evidence: &[Evidence::Live],
        variants: &[],
        applies: &[Role::KafkaBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let on = unit
        .live(ELR)
        .is_some_and(|f| f.value.text().is_some_and(|v| v.trim() != "0"));
    let Some(fact) = unit.live(DYNAMIC_BROKER_MIN_INSYNC).filter(|_| on) else {
        return;
    };
    let at = judge.at_fact(fact);
    judge.hit(
        at,
        Say::new(
            "min.insync.replicas of a single broker does not count with eligible leader replicas",
            "deleted when the feature is switched on",
            "The cluster's own default counts, and that was made from the active controller's static value: often 1.",
            "set min.insync.replicas as the dynamic default of the cluster",
        ),
    );
}
