//! KX003: a mirror that does not protect as the original does.

use crate::audit::fact::Effect;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::{self, Role};
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// MirrorMaker 2 with a `replication.factor` of 1 or 2, which is also the default; with `offset-syncs.topic.`,
    /// `checkpoints.topic.` or `heartbeats.topic.replication.factor` of 1 or 2. -1 is the broker's default and clean.
    ///
    /// # How messages are lost
    /// Topics of the target get two copies, and the target's own `min.insync.replicas`, for that setting is not mirrored. After the
    /// fail-over that the mirror was made for, the protection is gone.
    ///
    /// # Instead
    /// `replication.factor=-1` or 3, and `min.insync.replicas=2` on the target cluster.
    ///
    /// # Example
    /// `mm2.properties`, found:
    /// ```properties
    /// clusters=A,B
    /// A.bootstrap.servers=a-1:9092
    /// B.bootstrap.servers=b-1:9092
    /// A->B.enabled=true
    /// replication.factor=1
    /// ```
    /// `mm2.properties`, clean:
    /// ```properties
    /// clusters=A,B
    /// A.bootstrap.servers=a-1:9092
    /// B.bootstrap.servers=b-1:9092
    /// A->B.enabled=true
    /// replication.factor=3
    /// ```
    ///
    /// # Source
    /// Kafka `MirrorSourceConfig`: 2; `DefaultConfigPropertyFilter` excludes `min.insync.replicas` and
    /// `unclean.leader.election.enable`.
    pub(crate) static RULE = {
        code: "KX003",
        name: "weak-mirror",
        title: "What is mirrored has fewer copies than what it was mirrored from",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::KafkaMirror, Role::KafkaConnector],
        check: check,
    };
}

/// Settings that count copies; in a file of several clusters each may follow the name of a flow or a cluster.
const KEYS: [&str; 4] = [
    "replication.factor",
    "offset-syncs.topic.replication.factor",
    "checkpoints.topic.replication.factor",
    "heartbeats.topic.replication.factor",
];

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let class = judge.quiet("connector.class").unwrap_or_default();
    if role::is(unit, Role::KafkaConnector) && !class.ends_with("MirrorSourceConnector") {
        return;
    }
    let mut topics_said = false;
    for fact in unit.facts.iter().filter(|f| f.effect == Effect::Live) {
        // The longest name first: `replication.factor` ends all of them.
        let Some(key) = KEYS
            .iter()
            .rev()
            .find(|k| fact.key == **k || fact.key.ends_with(&format!(".{k}")))
        else {
            continue;
        };
        topics_said |= *key == "replication.factor";
        let copies = fact.value.text().and_then(|v| v.trim().parse::<i64>().ok());
        if !copies.is_some_and(|n| n == 1 || n == 2) {
            continue;
        }
        let at = judge.at_fact(fact);
        judge.hit(
            at,
            say(&format!(
                "{} copies on the target: {}",
                key.trim_end_matches(".replication.factor"),
                fact.value.show()
            )),
        );
    }
    if !topics_said && unit.fragment.is_none() {
        let absent = judge.setting("replication.factor");
        let at = judge.at(&absent);
        judge.hit(at, say("replication.factor is not set, and MirrorMaker's default is 2"));
    }
}

fn say(headline: &str) -> Say {
    Say::new(
        headline,
        "fewer than the original",
        "Topics of the target get these copies, and the target's own min.insync.replicas, which is not mirrored. After the fail-over that \
         the mirror was made for, the protection is gone.",
        "replication.factor=-1 or 3, and min.insync.replicas=2 on the target cluster",
    )
}
