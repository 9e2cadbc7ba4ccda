//! KB006: the positions of all consumers are on one disk.

use super::cluster::{brokers, copies_are_elsewhere, is_controller_alone};
use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::{self, Role};
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::int_of;

rule! {
    /// # What it finds
    /// `offsets.topic.replication.factor` below 3, or below the number of brokers where that is known to be smaller. The default is 3
    /// and finds nothing; the sample file and the image's own file set 1.
    ///
    /// # How messages are lost
    /// The node that keeps a group's offsets is lost, and with it every position. `auto.offset.reset=latest` then skips the backlog,
    /// `earliest` repeats all of it.
    ///
    /// # Instead
    /// `offsets.topic.replication.factor=3` before the first start; a topic that exists needs a reassignment.
    ///
    /// # Example
    /// `server.properties`, found:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// offsets.topic.replication.factor=1
    /// ```
    /// `server.properties`, clean:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// offsets.topic.replication.factor=3
    /// ```
    ///
    /// # Source
    /// Kafka `GroupCoordinatorConfig`: 3, enforced since 0.11; `config/server.properties`: 1.
    pub(crate) static RULE = {
        code: "KB006",
        name: "offsets-on-few-brokers",
        title: "Committed offsets are kept on too few brokers",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::KafkaBroker, Role::KafkaTopic],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let wanted = wanted_copies(judge);
    if existing(judge, "__consumer_offsets", "the positions of every group", wanted) {
        return;
    }
    let Some((factor, copies)) = judge.written_int("offsets.topic.replication.factor") else {
        return;
    };
    if copies >= wanted || is_controller_alone(judge) || copies_are_elsewhere(judge) {
        return;
    }
    let at = judge.at(&factor);
    judge.hit(
        at,
        Say::new(
            format!("committed offsets have {copies} of {wanted} copies"),
            "the positions of every group",
            "The node that keeps a group's offsets is lost, and with it every position: latest then skips the backlog, earliest repeats \
             all of it.",
            format!("offsets.topic.replication.factor={wanted}; a topic that exists needs a reassignment"),
        ),
    );
}

/// Judges an internal topic that exists at a running cluster: its copies count then, and not what a new one would get. True when that
/// is all there is to judge: the unit holds topics, or the topic exists.
pub(super) fn existing(judge: &mut Judge<'_>, name: &str, what: &str, wanted: i64) -> bool {
    let unit = judge.unit;
    let is_topics = role::is(unit, Role::KafkaTopic);
    if !unit.is_live() {
        return is_topics;
    }
    if !is_topics {
        return judge
            .near(Role::KafkaTopic)
            .any(|u| u.subjects_of(Layer::Topic).any(|t| t.name == name));
    }
    let Some(topic) = unit.subjects_of(Layer::Topic).find(|t| t.name == name) else {
        return true;
    };
    if let Some((fact, copies)) = int_of(judge, topic, "replication.factor")
        && copies < wanted
    {
        let at = judge.at_fact(fact).of(topic);
        judge.hit(
            at,
            Say::new(
                format!("topic `{name}` has {copies} of {wanted} copies"),
                what,
                format!("The node that keeps it is lost, and with it {what}."),
                "a reassignment of its partitions",
            ),
        );
    }
    true
}

/// As many copies of an internal topic as make sense: three, or one on each broker where there are fewer. One broker is KB000's matter.
pub(super) fn wanted_copies(judge: &Judge<'_>) -> i64 {
    match brokers(judge.unit) {
        Some(n) if !judge.context.pedantic => n.clamp(1, 3),
        _ => 3,
    }
}
