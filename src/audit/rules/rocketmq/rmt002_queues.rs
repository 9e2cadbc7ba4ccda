//! RMT002: more queues to write than to read, or a topic without a permission.

use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::{int_of, text_of};

rule! {
    /// # What it finds
    /// A topic with `readQueueNums` below `writeQueueNums`, with a `perm` without reading (2) or writing (4), or with the attribute
    /// `cleanup.policy=COMPACTION` under a name of events.
    ///
    /// # How messages are lost
    /// Producers use the queues to write, consumers those to read: what is in the queues above the count is never consumed and
    /// expires there. Compaction keeps the last message of a key only.
    ///
    /// # Instead
    /// Equal counts; 6 as permission. While a topic is being shrunk read counts stay the larger ones.
    ///
    /// # Example
    /// A name server answers how many queues of a topic are written, and how many are read. `@` begins what was asked, `-` a thing by its name; below it stands what was told.
    /// Recorded, found:
    /// ```facts
    /// @ rocketmq-topic live
    /// - topic orders
    /// readQueueNums=4
    /// writeQueueNums=8
    /// perm=6
    /// ```
    /// Recorded, clean:
    /// ```facts
    /// @ rocketmq-topic live
    /// - topic orders
    /// readQueueNums=8
    /// writeQueueNums=8
    /// perm=6
    /// ```
    ///
    /// # Source
    /// RocketMQ `MQClientInstance.topicRouteData2TopicPublishInfo`, `PermName`, `TopicAttributes`.
    pub(crate) static RULE = {
        code: "RMT002",
        name: "unread-queues",
        title: "Messages are written to queues that nobody reads",
        evidence: &[Evidence::Live],
        variants: &[],
        applies: &[Role::RocketTopic],
        check: check,
    };
}

/// Parts of names that say that every message counts.
const EVENTS: [&str; 6] = ["event", "order", "payment", "command", "message", "notification"];

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    // Older brokers make dead letter topics write-only, and topics of their own as they need them.
    let own = |name: &str| name.starts_with('%') || name.starts_with("RMQ_SYS_") || name.starts_with("rmq_sys_");
    for topic in unit.subjects_of(Layer::Topic).filter(|t| !own(&t.name)) {
        let name = topic.name.to_lowercase();
        let counts = (
            int_of(judge, topic, "readQueueNums"),
            int_of(judge, topic, "writeQueueNums"),
        );
        let (fact, headline) = if let (Some((fact, read)), Some((_, write))) = counts
            && read < write
        {
            (
                fact,
                format!("topic `{}` writes to {write} queues and reads {read}", topic.name),
            )
        } else if let Some((fact, perm)) = int_of(judge, topic, "perm")
            && (perm == 2 || perm == 4)
        {
            let cannot = if perm == 2 { "read" } else { "written" };
            (fact, format!("topic `{}` cannot be {cannot}", topic.name))
        } else if let Some((fact, policy)) = text_of(judge, topic, "attributes.cleanup.policy")
            && policy.eq_ignore_ascii_case("COMPACTION")
            && EVENTS.iter().any(|w| name.contains(w))
        {
            (
                fact,
                format!("topic `{}` keeps the last message of each key only", topic.name),
            )
        } else {
            continue;
        };
        let at = judge.at_fact(fact).of(topic);
        judge.hit(
            at,
            Say::new(
                headline,
                "never read",
                "Producers use the queues to write, consumers those to read. What nobody can read expires there; what cannot be written is \
                 dropped by whoever does not look at the result; compaction deletes all but the last message of a key.",
                "equal counts, permission 6, and no compaction for events",
            ),
        );
    }
}
