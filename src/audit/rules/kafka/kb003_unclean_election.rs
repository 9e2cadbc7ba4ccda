//! KB003: a replica without the acknowledged records may become leader.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `unclean.leader.election.enable=true` on a broker or controller.
    ///
    /// # How messages are lost
    /// When no in-sync replica is alive, one that is behind becomes leader. The others cut their logs to its length: records that were
    /// acknowledged by every in-sync replica are deleted from all of them.
    ///
    /// # Instead
    /// Remove the line. The partition then waits for a replica that has everything.
    ///
    /// # Example
    /// `server.properties`, found:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// unclean.leader.election.enable=true
    /// ```
    /// `server.properties`, clean:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// unclean.leader.election.enable=false
    /// ```
    ///
    /// # Source
    /// Kafka `LogConfig`: true up to 0.10.2, false since 0.11.0 (KIP-106). With KRaft, the active controller's file decides; supported
    /// there since 3.9.
    pub(crate) static RULE = {
        code: "KB003",
        name: "unclean-leader-election",
        title: "A replica that is behind may become leader",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::KafkaBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unclean = judge.setting("unclean.leader.election.enable");
    // Off since 2017; in a template its absence is no reason to doubt.
    if unclean.given.is_none() && judge.unit.fragment.is_some() {
        return;
    }
    if judge.truth(&unclean) != Some(true) {
        return;
    }
    let at = judge.at(&unclean).safe("false");
    judge.hit(
        at,
        Say {
            headline: "a replica that is behind may become leader".to_owned(),
            label: "acknowledged records are cut off".to_owned(),
            story: "When no in-sync replica is alive, one that is behind becomes leader and the others cut their logs to its length. \
                    Records that every in-sync replica had acknowledged are deleted."
                .to_owned(),
            fix: "remove the line (the default is false); the partition then waits for a replica that has everything".to_owned(),
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::found;

    #[test]
    fn only_true_is_found() {
        let file = "server.properties";
        assert_eq!(
            found("KB003", file, "broker.id=1\nunclean.leader.election.enable=TRUE"),
            ["high 2:1 unclean.leader.election.enable=TRUE"]
        );
        assert!(found("KB003", file, "broker.id=1").is_empty());
        assert!(found("KB003", file, "unclean.leader.election.enable=false").is_empty());
    }
}
