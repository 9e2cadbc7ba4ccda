//! X-K05: two files of one cluster that disagree.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A controller's file (`process.roles=controller`) and a broker's of the same run whose effective
    /// `unclean.leader.election.enable`, `default.replication.factor` or `min.insync.replicas` differ.
    ///
    /// # How messages are lost
    /// The controller's value decides elections and what a replication factor of -1 means; the broker's decides what a write needs.
    /// Whoever changed only the broker's file has changed half of it.
    ///
    /// # Instead
    /// The same values in every file, or dynamic defaults of the cluster.
    ///
    /// # Example
    /// `controller.properties`, found:
    /// ```properties
    /// process.roles=controller
    /// node.id=1
    /// metadata.log.dir=/var/lib/kafka/metadata
    /// controller.quorum.voters=1@c-1:9093,2@c-2:9093,3@c-3:9093
    /// default.replication.factor=3
    /// min.insync.replicas=1
    /// ```
    /// `controller.properties`, clean:
    /// ```properties
    /// process.roles=controller
    /// node.id=1
    /// metadata.log.dir=/var/lib/kafka/metadata
    /// controller.quorum.voters=1@c-1:9093,2@c-2:9093,3@c-3:9093
    /// default.replication.factor=3
    /// min.insync.replicas=2
    /// ```
    /// `broker.properties`, beside it:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// default.replication.factor=3
    /// min.insync.replicas=2
    /// ```
    ///
    /// # Source
    /// Kafka `ConfigurationControlManager`, `KafkaConfigSchema`, `ControllerServer`.
    pub(crate) static RULE = {
        code: "X-K05",
        name: "controller-and-broker-differ",
        title: "Controller and broker say different things, and each decides something else",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::KafkaBroker],
        check: check,
    };
}

const KEYS: [&str; 3] = [
    "unclean.leader.election.enable",
    "default.replication.factor",
    "min.insync.replicas",
];

fn check(judge: &mut Judge<'_>) {
    let is = |unit: &crate::audit::fact::Unit, role: &str| {
        let roles = unit.live("process.roles").and_then(|f| f.value.text());
        roles.is_some_and(|r| r.trim() == role)
    };
    if !is(judge.unit, "controller") {
        return;
    }
    let Some(broker) = judge.beside(Role::KafkaBroker).find(|u| is(u, "broker")) else {
        return;
    };
    for key in KEYS {
        let (mine, theirs) = (judge.setting(key), judge.setting_of(broker, key));
        let (Ok(a), Ok(b)) = (&mine.value, &theirs.value) else {
            continue;
        };
        if a.eq_ignore_ascii_case(b) {
            continue;
        }
        let place = theirs.given.map_or_else(|| broker.top(), |f| f.place.clone());
        let at = judge.at(&mine).related(&place, format!("the broker's file: {b}"));
        judge.hit(
            at,
            Say::new(
                format!("{key} is {a} on the controller and {b} on a broker"),
                "the controller's value decides elections and defaults",
                "The controller decides who may become leader and what a replication factor of -1 means; the broker decides what a write \
                 needs. Whoever changed only one of the files has changed half of it.",
                format!("the same {key} in every file of the cluster"),
            ),
        );
    }
}
