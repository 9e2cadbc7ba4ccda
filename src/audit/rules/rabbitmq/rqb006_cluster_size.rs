//! RQB006: how many nodes there are.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A manifest or chart whose RabbitMQ has one replica, also by default; two, or an even number (`RQB006/even`).
    ///
    /// # How messages are lost
    /// One node has the only copy of everything. With two, or after a split into halves, neither side has a majority: quorum queues,
    /// streams and Khepri stop.
    ///
    /// # Instead
    /// Three nodes, or five.
    ///
    /// # Example
    /// `cluster.yaml`, found:
    /// ```yaml
    /// apiVersion: rabbitmq.com/v1beta1
    /// kind: RabbitmqCluster
    /// metadata:
    ///   name: mq
    /// spec:
    ///   replicas: 1
    /// ```
    /// `cluster.yaml`, clean:
    /// ```yaml
    /// apiVersion: rabbitmq.com/v1beta1
    /// kind: RabbitmqCluster
    /// metadata:
    ///   name: mq
    /// spec:
    ///   replicas: 3
    /// ```
    ///
    /// # Source
    /// RabbitMQ `clustering.md`; cluster operator and bitnami chart: 1 by default.
    pub(crate) static RULE = {
        code: "RQB006",
        name: "small-rabbitmq-cluster",
        title: "A cluster of one node has one copy, one of two no majority",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["even"],
        applies: &[Role::RabbitNode],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let Some(fact) = judge.unit.surrounding("replicas").next() else {
        return;
    };
    let Some(nodes) = fact.value.text().and_then(|v| v.trim().parse::<i64>().ok()) else {
        return;
    };
    if nodes < 1 || nodes > 1 && nodes % 2 == 1 {
        return;
    }
    let at = judge.at_fact(fact);
    judge.hit_as(
        (nodes > 1).then_some("even"),
        at,
        Say::new(
            match nodes {
                1 => "one node has the only copy of everything".to_owned(),
                n => format!("{n} nodes survive no more losses than {}", n - 1),
            },
            "no majority after a loss",
            "With one node its disk has the only copy. With an even number a split into halves leaves no side a majority: quorum queues \
             and streams stop.",
            "three nodes, or five",
        ),
    );
}
