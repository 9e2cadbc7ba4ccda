//! KB002: `acks=all` is satisfied by one copy.

use super::cluster::{copies_are_elsewhere, is_told_once};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A broker or controller whose `min.insync.replicas` is below the profile's; it is 1 when it is absent.
    ///
    /// # How messages are lost
    /// Followers fall behind or restart, the set of in-sync replicas shrinks to the leader, and `acks=all` still succeeds: "all" means
    /// all that are in sync at the moment. When the leader dies then, what it acknowledged alone is gone.
    ///
    /// # Instead
    /// `min.insync.replicas=2` with a replication factor of 3. Where eligible leader replicas are on (4.1 and later, new clusters), set
    /// it as a dynamic default of the cluster.
    ///
    /// # Example
    /// `server.properties`, found:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// default.replication.factor=3
    /// min.insync.replicas=1
    /// ```
    /// `server.properties`, clean:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// default.replication.factor=3
    /// min.insync.replicas=2
    /// ```
    ///
    /// # Source
    /// Kafka `ServerLogConfigs`: 1 in every version.
    pub(crate) static RULE = {
        code: "KB002",
        name: "one-in-sync-replica",
        title: "acks=all is satisfied by the leader alone",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::KafkaBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    if is_told_once(judge) || copies_are_elsewhere(judge) {
        return;
    }
    let least = judge.setting("min.insync.replicas");
    let Some(copies) = judge.int(&least) else { return };
    let wanted = judge.profile.thresholds.min_insync_replicas;
    if copies >= wanted {
        return;
    }
    // With three copies one may be away. With fewer, or nobody knows how many, every restart could stop all writes.
    let factor = judge.quiet("default.replication.factor");
    let has_three = factor.is_some_and(|f| f.trim().parse::<i64>().is_ok_and(|n| n >= 3));
    let at = match wanted == 2 && has_three {
        true => judge.at(&least).safe("2"),
        false => judge.at(&least),
    };
    let absent = if least.given.is_none() {
        " (not set; the default is 1)"
    } else {
        ""
    };
    judge.hit(
        at,
        Say {
            headline: format!("acks=all is satisfied by {copies} in-sync {}{absent}", if copies == 1 { "replica" } else { "replicas" }),
            label: format!("the profile wants {wanted}"),
            story: "Followers fall behind or restart, the in-sync set shrinks to the leader, and acks=all still succeeds. When the leader \
                    dies then, what it confirmed alone is gone."
                .to_owned(),
            fix: "min.insync.replicas=2 with a replication factor of 3".to_owned(),
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::{found, undecided};

    #[test]
    fn one_or_absent() {
        let file = "server.properties";
        assert_eq!(
            found("KB002", file, "broker.id=1"),
            ["high 1:1 min.insync.replicas=(absent)"]
        );
        assert_eq!(
            found("KB002", file, "broker.id=1\nmin.insync.replicas = 1"),
            ["high 2:1 min.insync.replicas=1"]
        );
        assert!(found("KB002", file, "broker.id=1\nmin.insync.replicas=2").is_empty());
    }

    #[test]
    fn templates_and_variables_are_not_judged() {
        let file = "server.properties";
        assert_eq!(
            undecided("KB002", file, "broker.id=1\n{% if x %}\nlog.dirs=a\n").len(),
            1
        );
        assert_eq!(
            undecided("KB002", file, "broker.id=1\nmin.insync.replicas={{ n }}").len(),
            1
        );
        assert!(found("KB002", file, "broker.id=1\n{% if x %}\nlog.dirs=a\n").is_empty());
    }
}
