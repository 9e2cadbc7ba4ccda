//! KB010: a broker that does not say where it stands.

use super::cluster::{has_rack, has_three};
use crate::audit::fact::Component;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// No `broker.rack` in the file of a cluster that must have three brokers or more: it asks for three copies of something, or a
    /// manifest counts them. Somebody may set it at the start, so it is told one step lower. A live cluster that has none, or where all
    /// brokers name the same.
    ///
    /// # How messages are lost
    /// Records are in the page cache of their brokers when they are acknowledged. When all replicas of a partition share a rack, one
    /// loss of power takes the acknowledged tail of all of them.
    ///
    /// # Instead
    /// `broker.rack` with two or more values in the cluster; Strimzi `spec.kafka.rack.topologyKey`.
    ///
    /// # Example
    /// `server.properties`, found:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// default.replication.factor=3
    /// ```
    /// `server.properties`, clean:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// default.replication.factor=3
    /// broker.rack=zone-a
    /// ```
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
    if judge.unit.is_live() && rack.given.is_some() {
        one_rack(judge);
        return;
    }
    if set || controller || judge.unit.component == Component::AutoMq || !has_three(judge.unit) {
        return;
    }
    let at = judge.at(&rack).inferred(!judge.unit.is_live());
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

/// Judges a running broker that says where it stands: three or more in one place are no failure domains.
fn one_rack(judge: &mut Judge<'_>) {
    let own = judge.quiet("broker.rack");
    let racks: Vec<Option<String>> = judge
        .beside(Role::KafkaBroker)
        .map(|u| judge.setting_of(u, "broker.rack").value.ok())
        .collect();
    if racks.len() < 3 || racks.iter().any(|rack| *rack != own) {
        return;
    }
    let at = judge.at(&judge.setting("broker.rack"));
    judge.hit(
        at,
        Say::new(
            "every broker stands in the same rack",
            "no failure domain",
            "Records are acknowledged from the page cache. One loss of power takes the acknowledged tail of all replicas.",
            "brokers in two or more racks, each with its own broker.rack",
        ),
    );
}
