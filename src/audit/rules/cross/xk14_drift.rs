//! X-K14: a manifest that does not hold.

use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::int_of;
use crate::audit::rules::kafka::topics;
use crate::audit::terms::canonical::LIVE;

rule! {
    /// # What it finds
    /// A declared topic whose live counterpart of the same name has fewer copies or a smaller `min.insync.replicas`.
    ///
    /// # How messages are lost
    /// Whoever reads the manifest believes in copies that do not exist. A replication factor is not changed by applying a manifest.
    ///
    /// # Instead
    /// A reassignment of the partitions; `kafka-configs.sh` for the rest.
    ///
    /// # Source
    /// Kafka `TopicCommand`, Strimzi topic operator.
    pub(crate) static RULE = {
        code: "X-K14",
        name: "live-weaker-than-declared",
        title: "The topic that runs is weaker than the one that is declared",
        evidence: &[Evidence::Live],
        variants: &[],
        applies: &[Role::KafkaTopic],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    if unit.carrier == Some(LIVE) {
        return;
    }
    let live: Vec<_> = judge
        .beside(Role::KafkaTopic)
        .filter(|u| u.carrier == Some(LIVE))
        .collect();
    if live.is_empty() {
        return;
    }
    for topic in topics(unit) {
        for key in ["replication.factor", "min.insync.replicas"] {
            let Some((fact, declared)) = int_of(judge, topic, key) else {
                continue;
            };
            let runs = live.iter().find_map(|u| {
                let same = u.subjects_of(Layer::Topic).find(|t| t.name == topic.name)?;
                let fact = u.of(same, key)?;
                Some((fact, fact.value.text()?.trim().parse::<i64>().ok()?))
            });
            let Some((there, n)) = runs.filter(|(_, n)| *n < declared) else {
                continue;
            };
            let at = judge.at_fact(fact).of(topic).related(&there.place, "what runs");
            judge.hit(
                at,
                Say::new(
                    format!("topic `{}`: {key} is {declared} here and {n} on the broker", topic.name),
                    "weaker than declared",
                    "Whoever reads the manifest believes in copies that do not exist.",
                    "a reassignment of the partitions for the copies, kafka-configs.sh for the rest",
                ),
            );
        }
    }
}
