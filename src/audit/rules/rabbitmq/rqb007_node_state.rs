//! RQB007: a node that is down, cut off, or that has stopped its publishers.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::is_false;
use crate::audit::terms::canonical::{ALARMS, PARTITIONS, RUNNING};

rule! {
    /// # What it finds
    /// A live node that does not run; one that reports a network partition (`RQB007/partitioned`); one that has raised an alarm for its
    /// memory or disk (`RQB007/alarm`).
    ///
    /// # How messages are lost
    /// After a partition both sides have taken messages, and one of them will be thrown away. While a node is down its classic queues are
    /// away, and each quorum queue and stream with a member there has lost its spare. An alarm blocks every publisher of the cluster: whoever
    /// has no buffer drops what it cannot publish.
    ///
    /// # Instead
    /// Start the node; decide which side of a partition is kept before anything is restarted; free disk or memory.
    ///
    /// # Example
    /// A node answers which of its peers run. `@` begins what was asked, `-` a thing by its name; below it stands what was told.
    /// Recorded, found:
    /// ```facts
    /// @ rabbitmq-node live
    /// @node.running=false
    /// ```
    /// Recorded, clean:
    /// ```facts
    /// @ rabbitmq-node live
    /// @node.running=true
    /// ```
    ///
    /// # Source
    /// RabbitMQ `partitions.md`, `alarms.md`; `GET /api/nodes`.
    pub(crate) static RULE = {
        code: "RQB007",
        name: "node-in-trouble",
        title: "A node is down, cut off, or blocks its publishers",
        evidence: &[Evidence::Live],
        variants: &["partitioned", "alarm"],
        applies: &[Role::RabbitNode],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let node = unit.name.as_deref().unwrap_or("a node");
    if let Some(fact) = unit.live(RUNNING).filter(|f| is_false(f)) {
        let at = judge.at_fact(fact).of_node(unit);
        judge.hit(
            at,
            Say::new(
                format!("node {node} does not run"),
                "its copies are away",
                "Its classic queues are away, and each quorum queue and stream with a member there has lost its spare: one more loss stops \
                 them.",
                format!("start it: rabbitmqctl -n {node} await_startup tells when it is back"),
            ),
        );
    }
    if let Some(fact) = unit.live(PARTITIONS) {
        let others = fact.value.show();
        let at = judge.at_fact(fact).of_node(unit);
        judge.hit_as(
            Some("partitioned"),
            at,
            Say::new(
                format!("node {node} and {others} have lost each other"),
                "both sides have taken messages",
                "Both sides have gone on alone. Whichever is restarted to join the other throws away what only it has taken.",
                "decide which side is kept, save what the other one holds (rabbitmqctl list_queues name messages), then restart the other",
            ),
        );
    }
    if let Some(fact) = unit.live(ALARMS) {
        let what = fact.value.show();
        let at = judge.at_fact(fact).of_node(unit);
        judge.hit_as(
            Some("alarm"),
            at,
            Say::new(
                format!("node {node} has raised an alarm for its {what}: nobody can publish"),
                "publishers are blocked",
                "Every publisher of the cluster is blocked. Whoever has no buffer drops what it cannot publish.",
                "free disk or memory; rabbitmq-diagnostics alarms tells what is missing",
            ),
        );
    }
}
