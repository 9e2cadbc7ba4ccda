//! KT008: partitions that have fewer copies now than they should.

use crate::audit::fact::{Layer, Subject};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::terms::canonical::{OFFLINE, UNDER_MIN_INSYNC, UNDER_REPLICATED};

rule! {
    /// # What it finds
    /// Partitions of a live topic that have no leader (`KT008/offline`), fewer replicas in sync than `min.insync.replicas`
    /// (`KT008/under-min-insync`), or a replica that is not in sync.
    ///
    /// # How messages are lost
    /// What is acknowledged now is on fewer disks than the settings promise. A partition without a leader takes nothing, and has lost what
    /// was acknowledged by its last leader alone if that one does not come back. Below `min.insync.replicas` writes with `acks=all`
    /// are refused while those with `acks=1` go to what is left.
    ///
    /// # Instead
    /// Bring the brokers back that are named; a broker that is gone for good needs its partitions reassigned.
    ///
    /// # Example
    /// A cluster answers which partitions of a topic have too few copies in sync. `@` begins what was asked, `-` a thing by its name; below it stands what was told.
    /// Recorded, found:
    /// ```facts
    /// @ kafka-topic live
    /// - topic orders
    /// replication.factor=3
    /// @partitions.under-min-isr=1,3
    /// ```
    /// Recorded, clean:
    /// ```facts
    /// @ kafka-topic live
    /// - topic orders
    /// replication.factor=3
    /// ```
    ///
    /// # Source
    /// Kafka `Partition.scala`, `MetadataResponse`: leader, replicas and those in sync.
    pub(crate) static RULE = {
        code: "KT008",
        name: "copies-not-in-sync",
        title: "Partitions have fewer copies now than they are meant to have",
        evidence: &[Evidence::Live],
        variants: &["offline", "under-min-insync"],
        applies: &[Role::KafkaTopic],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    // Also the broker's own: positions and transactions are kept as other records are.
    let topics: Vec<&Subject> = unit.subjects_of(Layer::Topic).collect();
    for topic in topics {
        for (key, variant, what, story, fix) in [
            (
                OFFLINE,
                Some("offline"),
                "no leader",
                "Nothing can be read or written. If the last leader does not come back with its disk, what only it had is gone.",
                "start the brokers that hold it; only when they are gone for good, an unclean election",
            ),
            (
                UNDER_MIN_INSYNC,
                Some("under-min-insync"),
                "fewer replicas in sync than min.insync.replicas",
                "Writes with acks=all are refused; those with acks=1 go to the replicas that are left, and die with them.",
                "bring the missing brokers back, or reassign their partitions",
            ),
            (
                UNDER_REPLICATED,
                None,
                "a replica that is not in sync",
                "What is acknowledged now is on fewer disks than the topic is meant to have.",
                "bring the missing brokers back, or reassign their partitions",
            ),
        ] {
            let Some(fact) = unit.of(topic, key) else { continue };
            let Some(partitions) = fact.value.text() else { continue };
            let count = partitions.split(',').count();
            let at = judge.at_fact(fact).of(topic);
            let headline = match count {
                1 => format!("topic `{}`: partition {partitions} has {what}", topic.name),
                n => format!("topic `{}`: {n} partitions have {what}", topic.name),
            };
            judge.hit_as(variant, at, Say::new(headline, "now", story, fix));
        }
    }
}
