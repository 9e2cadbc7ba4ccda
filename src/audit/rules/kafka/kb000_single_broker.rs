//! KB000: one broker, one copy.

use super::cluster::{COUNTS, Single, copies_are_elsewhere, single_broker};
use crate::audit::fact::Effect;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A broker that is its own controller, with a quorum of one; the only broker of a compose file; a manifest with one replica; and
    /// nothing in the file that speaks of more brokers. It is told once, instead of by every rule on replication (KB001, KB002, KB006,
    /// KB007, X-K01, X-K04); `--pedantic` lets those speak too.
    ///
    /// # How messages are lost
    /// There is one copy of everything on one disk. Whatever `acks` and `min.insync.replicas` say, the loss of that disk is the loss of
    /// every acknowledged record, of the committed offsets and of the metadata.
    ///
    /// # Instead
    /// Three brokers, or more, with a replication factor of 3 and `min.insync.replicas=2`.
    ///
    /// # Example
    /// `server.properties`, found:
    /// ```properties
    /// process.roles=broker,controller
    /// node.id=1
    /// log.dirs=/var/lib/kafka/data
    /// controller.quorum.voters=1@kafka-1:9093
    /// ```
    /// `server.properties`, clean:
    /// ```properties
    /// process.roles=broker,controller
    /// node.id=1
    /// log.dirs=/var/lib/kafka/data
    /// controller.quorum.voters=1@kafka-1:9093,2@kafka-2:9093,3@kafka-3:9093
    /// ```
    ///
    /// # Source
    /// Kafka `docs/operations/kraft.md`: a quorum of 3 or 5 is advised, combined mode is for development.
    pub(crate) static RULE = {
        code: "KB000",
        name: "single-broker",
        title: "One broker holds the only copy of everything",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::KafkaBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let Some(single) = single_broker(judge.unit) else {
        return;
    };
    if copies_are_elsewhere(judge) {
        return;
    }
    let (at, label) = match single {
        Single::Quorum(fact) => (
            judge.at_fact(fact),
            "a quorum of one, in a broker that is its own controller",
        ),
        Single::Replicas(fact) => (judge.at_fact(fact), "one replica"),
        Single::Alone => (judge.at_unit("brokers"), "the only broker of the file"),
    };
    // What the other rules would point at, if there were a second broker to keep a copy.
    let counts = |key: &str| COUNTS.contains(&key) || key.ends_with(".replication.factor");
    let live = judge.unit.facts.iter().filter(|f| f.effect == Effect::Live);
    let ones = live.filter(|f| counts(&f.key) && f.value.text().map(str::trim) == Some("1"));
    let at = ones.fold(at, |at, fact| at.related(&fact.place, "asks for one copy"));
    judge.hit(
        at,
        Say {
            headline: "one broker: no setting can make it keep a second copy".to_owned(),
            label: label.to_owned(),
            story: "There is one copy of everything on one disk. Whatever acks and min.insync.replicas say, the loss of that disk is the \
                    loss of every acknowledged record, of the committed offsets and of the metadata."
                .to_owned(),
            fix: "run three brokers with default.replication.factor=3 and min.insync.replicas=2".to_owned(),
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::{found, undecided};

    const COMBINED: &str = "process.roles=broker,controller\nnode.id=1\n";

    #[test]
    fn a_quorum_of_one_is_told_once() {
        let file = format!("{COMBINED}controller.quorum.voters=1@kafka:9093\n");
        assert_eq!(
            found("KB000", "server.properties", &file),
            ["high 3:1 controller.quorum.voters=1@kafka:9093"]
        );
        for other in ["KB001", "KB002"] {
            assert!(found(other, "server.properties", &file).is_empty(), "{other}");
        }
        let file = format!("{COMBINED}controller.quorum.bootstrap.servers=localhost:9093\n");
        assert_eq!(found("KB000", "server.properties", &file).len(), 1);
    }

    #[test]
    fn any_sign_of_more_brokers_is_believed() {
        for more in [
            "controller.quorum.voters=1@a:1,2@b:1,3@c:1",
            "controller.quorum.bootstrap.servers=kafka-1:9093",
            "controller.quorum.voters=1@a:1\noffsets.topic.replication.factor=3",
            "controller.quorum.voters=1@a:1\nbroker.rack=r1",
            "controller.quorum.voters=${VOTERS}",
        ] {
            let file = format!("{COMBINED}{more}\n");
            assert!(found("KB000", "server.properties", &file).is_empty(), "{more}");
            assert_eq!(found("KB001", "server.properties", &file).len(), 1, "{more}");
        }
        let controller = "process.roles=controller\ncontroller.quorum.voters=1@a:1";
        assert!(found("KB000", "server.properties", controller).is_empty());
    }

    #[test]
    fn the_only_service_of_a_compose_file() {
        let one = "services:\n  kafka:\n    image: apache/kafka:4.1.0\n    environment:\n      KAFKA_NODE_ID: 1\n";
        assert_eq!(found("KB000", "docker-compose.yml", one).len(), 1);
        for other in ["KB001", "KB002", "KB006", "KB007", "X-K01", "X-K04"] {
            assert!(found(other, "docker-compose.yml", one).is_empty(), "{other}");
        }
        let more = format!("{one}      KAFKA_DEFAULT_REPLICATION_FACTOR: 3\n");
        assert!(found("KB000", "docker-compose.yml", &more).is_empty());
        let two = format!("{one}  other:\n    image: apache/kafka:4.1.0\n    environment:\n      KAFKA_NODE_ID: 2\n");
        assert!(found("KB000", "docker-compose.yml", &two).is_empty());
        assert!(!found("KB001", "docker-compose.yml", &two).is_empty());
    }

    #[test]
    fn object_storage_is_another_matter() {
        let file = format!("{COMBINED}controller.quorum.voters=1@a:1\nelasticstream.enable=true\n");
        assert!(found("KB000", "server.properties", &file).is_empty());
        assert_eq!(undecided("KB000", "server.properties", &file).len(), 1);
    }
}
