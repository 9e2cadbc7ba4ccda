//! KB010: a broker that does not say where it stands.

use super::cluster::{has_rack, has_three};
use crate::audit::fact::Component;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// No `broker.rack` in the file of a cluster that must have three brokers or more: it asks for three copies of something, or a
    /// manifest counts them. Somebody may set it at the start, so it is told one step lower.
    ///
    /// # How messages are lost
    /// Records are in the page cache of their brokers when they are acknowledged. When all replicas of a partition share a rack, one
    /// loss of power takes the acknowledged tail of all of them.
    ///
    /// # Instead
    /// `broker.rack` with two or more values in the cluster; Strimzi `spec.kafka.rack.topologyKey`.
    ///
    /// # Source
    /// Kafka `ServerConfigs`: null; `AdminUtils` spreads replicas over racks only when every broker names one.
    pub(crate) static RULE = {
        code: "KB010",
        name: "no-failure-domains",
        title: "Every copy may share one rack, one zone, one power supply",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::KafkaBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let controller = judge.quiet("process.roles").is_some_and(|r| r.trim() == "controller");
    let rack = judge.setting("broker.rack");
    let set = has_rack(judge) || judge.unit.fragment.is_some();
    if set || controller || judge.unit.component == Component::AutoMq || !has_three(judge.unit) {
        return;
    }
    let at = judge.at(&rack).inferred(true);
    judge.hit(
        at,
        Say::new(
            "no broker.rack: all copies of a partition may stand in one rack",
            "no failure domain",
            "Records are acknowledged from the page cache. When all replicas of a partition share a rack, one loss of power takes the \
             acknowledged tail of all of them.",
            "broker.rack on every broker, with two or more values in the cluster",
        ),
    );
}
