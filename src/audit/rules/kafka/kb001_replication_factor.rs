//! KB001: topics are made with too few copies.

use super::cluster::{brokers, copies_are_elsewhere, is_told_once};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A broker or controller whose `default.replication.factor` is below the profile's `replication_factor`; it is 1 when it is absent.
    ///
    /// # How messages are lost
    /// Topics that are created automatically, or with a replication factor of -1, get this many copies. With one, the loss of one disk
    /// or node takes the only copy. With two, every restart leaves either one copy or no writes.
    ///
    /// # Instead
    /// `default.replication.factor=3` on every broker and every controller.
    ///
    /// # Example
    /// `server.properties`, found:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// default.replication.factor=1
    /// ```
    /// `server.properties`, clean:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// default.replication.factor=3
    /// ```
    ///
    /// # Source
    /// Kafka `ReplicationConfigs`: 1 in every version. The controller's value counts for a factor of -1, the broker's for automatic
    /// creation (up to 4.2; from 4.3 on only when it is written).
    pub(crate) static RULE = {
        code: "KB001",
        name: "few-default-replicas",
        title: "New topics get too few copies",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["two-copies"],
        applies: &[Role::KafkaBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    if is_told_once(judge) || copies_are_elsewhere(judge) {
        return;
    }
    let factor = judge.setting("default.replication.factor");
    let Some(copies) = judge.int(&factor) else { return };
    let wanted = judge.profile.thresholds.replication_factor;
    if copies >= wanted {
        return;
    }
    // Where there are fewer brokers, or nobody knows how many, no topic could be made any more.
    let at = match wanted == 3 && brokers(judge.unit).is_some_and(|n| n >= 3) {
        true => judge.at(&factor).safe("3"),
        false => judge.at(&factor),
    };
    let absent = if factor.given.is_none() {
        " (not set; the default is 1)"
    } else {
        ""
    };
    let (variant, story) = if copies <= 1 {
        (
            None,
            "Topics made automatically, or with the broker's default, have one copy: the loss of one disk takes all of it.",
        )
    } else {
        (
            Some("two-copies"),
            "While one of the two is down, either nothing can be written with acks=all or it is written to one copy only.",
        )
    };
    judge.hit_as(
        variant,
        at,
        Say {
            headline: format!(
                "new topics get {copies} {}{absent}",
                if copies == 1 { "copy" } else { "copies" }
            ),
            label: format!("the profile wants {wanted}"),
            story: story.to_owned(),
            fix:
                "default.replication.factor=3 on every broker and every controller; existing topics need a reassignment"
                    .to_owned(),
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::{found, found_under};

    #[test]
    fn one_two_and_absent() {
        let file = "server.properties";
        assert_eq!(
            found("KB001", file, "broker.id=1"),
            ["critical 1:1 default.replication.factor=(absent)"]
        );
        assert_eq!(
            found("KB001", file, "broker.id=1\n default.replication.factor=1"),
            ["critical 2:2 default.replication.factor=1"]
        );
        assert_eq!(
            found("KB001", file, "default.replication.factor=2"),
            ["high 1:1 default.replication.factor=2"]
        );
        assert!(found_under("logs", "KB001", file, "default.replication.factor=2").is_empty());
        assert!(found("KB001", file, "default.replication.factor=3").is_empty());
    }
}
