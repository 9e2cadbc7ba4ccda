//! KB007: outcomes of transactions, states of share groups and the index of tiered segments on one disk.

use super::cluster::{copies_are_elsewhere, is_controller_alone, is_told_once};
use super::kb006_offsets_topic::{existing, wanted_copies};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::{self, Role};
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `transaction.state.log.replication.factor`, `share.coordinator.state.topic.replication.factor` or
    /// `remote.log.metadata.topic.replication.factor` below 3, or a `.min.isr` of theirs below 2, as far as there are that many
    /// brokers. The defaults are 3 and 2 and find nothing; sample files set 1.
    ///
    /// # How messages are lost
    /// The node that keeps the state log is lost, and with it which transactions were committed; what share groups had delivered; or
    /// where the segments in object storage are.
    ///
    /// # Instead
    /// A replication factor of 3 and `min.isr` of 2.
    ///
    /// # Example
    /// `server.properties`, found:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// transaction.state.log.replication.factor=1
    /// transaction.state.log.min.isr=1
    /// ```
    /// `server.properties`, clean:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// transaction.state.log.replication.factor=3
    /// transaction.state.log.min.isr=2
    /// ```
    ///
    /// # Source
    /// Kafka `TransactionLogConfig`, `ShareCoordinatorConfig`, `TopicBasedRemoteLogMetadataManagerConfig`.
    pub(crate) static RULE = {
        code: "KB007",
        name: "internal-topics-on-few-brokers",
        title: "The broker's own books are kept on too few brokers",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::KafkaBroker, Role::KafkaTopic],
        check: check,
    };
}

/// Key, what it keeps, and whether it counts copies or those that must be in sync.
const KEYS: [(&str, &str, bool); 6] = [
    (
        "transaction.state.log.replication.factor",
        "the outcomes of transactions",
        true,
    ),
    ("transaction.state.log.min.isr", "the outcomes of transactions", false),
    (
        "share.coordinator.state.topic.replication.factor",
        "what share groups had delivered",
        true,
    ),
    (
        "share.coordinator.state.topic.min.isr",
        "what share groups had delivered",
        false,
    ),
    (
        "remote.log.metadata.topic.replication.factor",
        "the index of tiered segments",
        true,
    ),
    (
        "remote.log.metadata.topic.min.isr",
        "the index of tiered segments",
        false,
    ),
];

/// Topics that Confluent's broker keeps for itself. Without them nothing that was acknowledged is lost, but for the first.
const CONFLUENT: [(&str, &str); 5] = [
    (
        "confluent.tier.metadata.replication.factor",
        "the index of tiered segments",
    ),
    ("confluent.metadata.topic.replication.factor", "who may do what"),
    ("confluent.license.topic.replication.factor", "the licence"),
    (
        "confluent.balancer.topic.replication.factor",
        "what the balancer measured",
    ),
    (
        "confluent.cluster.link.metadata.topic.replication.factor",
        "how far linked clusters are",
    ),
];

/// What the settings begin with, and the topic that they are about.
const TOPICS: [(&str, &str); 3] = [
    ("transaction.state.log.", "__transaction_state"),
    ("share.coordinator.state.topic.", "__share_group_state"),
    ("remote.log.metadata.topic.", "__remote_log_metadata"),
];

fn check(judge: &mut Judge<'_>) {
    let wanted = wanted_copies(judge);
    let is_topics = role::is(judge.unit, Role::KafkaTopic);
    if is_controller_alone(judge) {
        return;
    }
    for (key, what) in CONFLUENT {
        let Some((setting, n)) = judge.written_int(key) else {
            continue;
        };
        if n < 0 || n >= wanted || is_told_once(judge) {
            continue;
        }
        let at = judge.at(&setting).inferred(true);
        judge.hit(
            at,
            Say::new(
                format!("{what}: {n} of {wanted} copies"),
                "one node has it all",
                format!("The node is lost, and with it {what}."),
                format!("{key}={wanted}; a topic that exists needs a reassignment"),
            ),
        );
    }
    for (key, what, copies) in KEYS {
        // The topic itself, where it runs already, by the name that its settings tell.
        let topic = TOPICS.into_iter().find(|(prefix, _)| key.starts_with(prefix));
        if let Some((_, name)) = topic.filter(|_| copies)
            && existing(judge, name, what, wanted)
        {
            continue;
        }
        if is_topics {
            continue;
        }
        let Some((setting, n)) = judge.written_int(key) else {
            continue;
        };
        // With two copies a second one in sync is asked of nobody: every restart would stop all writes.
        let least = if copies { wanted } else { (wanted - 1).max(1) };
        if n < 0 || n >= least || copies_are_elsewhere(judge) {
            continue;
        }
        let at = judge.at(&setting);
        judge.hit(
            at,
            Say::new(
                match copies {
                    true => format!("{what}: {n} of {least} copies"),
                    false => format!("{what}: acknowledged with {n} copy in sync"),
                },
                "one node has it all",
                format!("The node is lost, and with it {what}. Nobody can tell afterwards which of them were final."),
                format!("{key}={least}; a topic that exists needs a reassignment"),
            ),
        );
    }
}
