//! KX002: internal topics with one copy, a weakened producer, handlers that go on.

use crate::audit::fact::{Effect, Fact};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::{self, Role};
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::is_temporary;

rule! {
    /// # What it finds
    /// Connect: `offset.`, `config.` or `status.storage.replication.factor` of 1 or 2 (-1 is the broker's default and clean);
    /// `offset.storage.file.filename` in a temporary directory; `producer.acks` or `producer.override.acks` below `all`; topics that a
    /// connector creates with one copy or two. Streams: `replication.factor` of 1 or 2; `acks` below `all`; a deserialisation or production exception handler that continues.
    ///
    /// # How messages are lost
    /// The offsets of a connector are lost with the node that has them: a source reads again or skips. `acks=1` undoes the safe base
    /// that Connect gives its producers. A handler that continues skips a bad record for good. A changelog with one copy takes the
    /// state with it.
    ///
    /// # Instead
    /// 3 or -1; a file on a disk that lasts; no override of `acks`; `LogAndFail`, or a handler that puts the record aside.
    ///
    /// # Example
    /// `connect-distributed.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092
    /// group.id=connect
    /// offset.storage.topic=connect-offsets
    /// offset.storage.replication.factor=1
    /// ```
    /// `connect-distributed.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092
    /// group.id=connect
    /// offset.storage.topic=connect-offsets
    /// offset.storage.replication.factor=3
    /// ```
    ///
    /// # Source
    /// Kafka `DistributedConfig`: 3; `connect-standalone.properties`: `/tmp/connect.offsets`; `Worker.baseProducerConfigs`;
    /// `StreamsConfig`: 1 up to 2.8, -1 since 3.0.
    pub(crate) static RULE = {
        code: "KX002",
        name: "weak-connect-or-streams",
        title: "Connect or Streams keeps its own state on too few copies, or skips bad records",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::KafkaConnectWorker, Role::KafkaConnector, Role::KafkaStreams],
        check: check,
    };
}

const COPIES: [(&str, &str); 4] = [
    ("offset.storage.replication.factor", "the positions of every connector"),
    (
        "config.storage.replication.factor",
        "the configuration of every connector",
    ),
    ("status.storage.replication.factor", "the state of every connector"),
    ("replication.factor", "changelogs and repartition topics"),
];
/// The last is one of Streams alone, which takes a client's settings without a prefix too.
const ACKS: [&str; 3] = ["producer.acks", "producer.override.acks", "acks"];
const HANDLERS: [&str; 4] = [
    "default.deserialization.exception.handler",
    "deserialization.exception.handler",
    "default.production.exception.handler",
    "production.exception.handler",
];

/// Settings of a connector that ask for topics with one or two copies: those that it creates for its records, and those it keeps for
/// itself.
fn created_topics<'a>(judge: &Judge<'a>) -> Vec<&'a Fact> {
    if !role::is(judge.unit, Role::KafkaConnector) {
        return Vec::new();
    }
    let counts = |f: &&Fact| matches!(f.value.text().map(str::trim), Some("1" | "2"));
    let topics = |f: &&Fact| {
        let key = f.key.as_str();
        key.starts_with("topic.creation.") && key.ends_with(".replication.factor")
            || key.ends_with(".topic.replication.factor") && key != "offset-syncs.topic.replication.factor"
    };
    let live = judge.unit.facts.iter().filter(|f| f.effect == Effect::Live);
    live.filter(counts).filter(topics).collect()
}

fn check(judge: &mut Judge<'_>) {
    let is_streams = role::is(judge.unit, Role::KafkaStreams);
    for (key, what) in COPIES {
        // Connect has no such key, though many an environment of a worker gives it one; a mirror's is judged by KX003.
        if key == "replication.factor" && !is_streams {
            continue;
        }
        let Some((setting, n)) = judge.written_int(key) else {
            continue;
        };
        if n == 1 || n == 2 {
            let at = judge.at(&setting);
            judge.hit(
                at,
                Say::new(
                    format!("{what}: {n} {}", if n == 1 { "copy" } else { "copies" }),
                    "one node has it all",
                    format!("The node is lost, and with it {what}: a source reads again or skips, a state must be built anew."),
                    format!("{key}=3, or -1 for the broker's default; a topic that exists needs a reassignment"),
                ),
            );
        }
    }
    if let Some((setting, path)) = judge.written("offset.storage.file.filename")
        && is_temporary(&path)
    {
        let at = judge.at(&setting);
        judge.hit(
            at,
            Say::new(
                format!("the positions of every connector are kept in {path}"),
                "does not last",
                "After a restart of the host the connectors have no positions: a source reads everything again, or skips what came \
                 meanwhile.",
                "a file on a disk that lasts, or distributed mode",
            ),
        );
    }
    for key in ACKS.into_iter().filter(|key| is_streams || key.contains('.')) {
        let Some((setting, value)) = judge.written(key) else {
            continue;
        };
        if value == "0" || value == "1" {
            let at = judge.at(&setting);
            let (headline, story) = match is_streams {
                true => (
                    format!("{key}={value}: results and changelogs are confirmed by the leader alone, or by nobody"),
                    "Streams commits the position of its input when its output is acknowledged. With fewer than all copies the output can \
                     vanish afterwards, and the input is not read again.",
                ),
                false => (
                    format!("{key}={value} undoes the acks=all that Connect gives its producers"),
                    "Connect commits the position of a source when its records are acknowledged. With fewer than all copies the records can \
                     vanish afterwards, and the source has gone on.",
                ),
            };
            judge.hit(
                at,
                Say::new(
                    headline,
                    "the leader alone confirms, or nobody",
                    story,
                    "remove the line",
                ),
            );
        }
    }
    for fact in created_topics(judge) {
        let at = judge.at_fact(fact);
        judge.hit(
            at.inferred(!fact.key.starts_with("topic.creation.")),
            Say::new(
                format!("{}={}: topics of this connector have too few copies", fact.key, fact.value.show()),
                "one node has it all",
                "The connector creates the topic with this number of copies. The node is lost, and with it what stands in the topic.",
                "3, or -1 for the broker's default; a topic that exists needs a reassignment",
            ),
        );
    }
    for key in HANDLERS {
        let Some((setting, value)) = judge.written(key) else {
            continue;
        };
        if value.contains("Continue") {
            let at = judge.at(&setting);
            judge.hit(
                at,
                Say::new(
                    "a record that cannot be read or written is skipped for good",
                    "goes on without it",
                    "The handler logs the record and the position moves past it. Nobody else ever sees it.",
                    "LogAndFailExceptionHandler, or a handler that puts the record aside",
                ),
            );
        }
    }
}
