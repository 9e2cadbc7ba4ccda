//! KB011: a quorum that one loss ends, or a broker that may elect a leader with a cut log.

use super::cluster::single_broker;
use crate::audit::judge::{Judge, Say};
use crate::audit::resolve::is_placeholder;
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::stated::Release;
use crate::audit::terms::canonical::{ELR, VOTERS};

rule! {
    /// # What it finds
    /// `controller.quorum.voters` with one, two or an even number of voters (a broker that is its own only controller is KB000's
    /// matter); and, as `KB011/elr-off`, a live cluster of 4.1 or later whose feature `eligible.leader.replicas.version` is 0.
    ///
    /// # How messages are lost
    /// The only controller's disk is lost, and with it which topics, partitions and configurations there are: the data cannot be
    /// read. Two need both. Without eligible leader replicas, after an outage of all in-sync replicas the last leader is elected even
    /// when an unclean stop has cost it its tail.
    ///
    /// # Instead
    /// Three controllers, or five; `kafka-features.sh upgrade --feature eligible.leader.replicas.version=1`.
    ///
    /// # Example
    /// `server.properties`, found:
    /// ```properties
    /// process.roles=controller
    /// node.id=1
    /// metadata.log.dir=/var/lib/kafka/metadata
    /// controller.quorum.voters=1@c-1:9093,2@c-2:9093
    /// ```
    /// `server.properties`, clean:
    /// ```properties
    /// process.roles=controller
    /// node.id=1
    /// metadata.log.dir=/var/lib/kafka/metadata
    /// controller.quorum.voters=1@c-1:9093,2@c-2:9093,3@c-3:9093
    /// ```
    ///
    /// # Source
    /// Kafka `docs/operations/kraft.md`, `docs/operations/eligible-leader-replicas.md` (KIP-966): available in 4.0, on for new
    /// clusters since 4.1.
    pub(crate) static RULE = {
        code: "KB011",
        name: "weak-controller-quorum",
        title: "The cluster's metadata hangs on one controller, or on an even number",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["elr-off"],
        applies: &[Role::KafkaBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    if let Some(fact) = unit.live(ELR).filter(|f| f.value.text() == Some("0"))
        && judge.release().is_some_and(|r| r >= Release(4, 1, 0))
    {
        let at = judge.at_fact(fact);
        judge.hit_as(
            Some("elr-off"),
            at,
            Say::new(
                "eligible leader replicas are off",
                "the last leader is elected whatever it lost",
                "After an outage of all in-sync replicas the last leader is elected, even when an unclean stop has cost it its tail.",
                "kafka-features.sh upgrade --feature eligible.leader.replicas.version=1",
            ),
        );
    }
    // What votes now, else what the file says.
    let Some(fact) = unit.live(VOTERS).or_else(|| unit.live("controller.quorum.voters")) else {
        return;
    };
    let Some(list) = fact.value.text().filter(|v| !is_placeholder(v) && !v.trim().is_empty()) else {
        return;
    };
    let voters = match fact.key == VOTERS {
        true => list.trim().parse().unwrap_or(0),
        false => list.split(',').filter(|v| !v.trim().is_empty()).count(),
    };
    if voters % 2 == 1 && voters > 1 || voters == 1 && single_broker(unit).is_some() {
        return;
    }
    let at = judge.at_fact(fact);
    judge.hit(
        at,
        Say::new(
            match voters {
                1 => "one controller has the only copy of the cluster's metadata".to_owned(),
                n => format!("{n} controllers survive no more losses than {} would", n - 1),
            },
            "the quorum of the metadata",
            "Which topics, partitions and configurations there are is known to the controllers alone. Without a majority of them nothing \
             can be elected; without any copy the data on the brokers cannot be read.",
            "three controllers, or five",
        ),
    );
}
