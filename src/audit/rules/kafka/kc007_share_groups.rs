//! KC007: share groups that drop what is delivered too often, or acknowledge what was only polled.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A broker that sets `group.share.delivery.count.limit` or `group.share.enable` without `errors.deadletterqueue.topic.name` (4.4
    /// and later), and, as `KC007/implicit`, a consumer with `share.acknowledgement.mode=implicit`.
    ///
    /// # How messages are lost
    /// After five deliveries a record is archived: nobody gets it again and nothing tells. In implicit mode the next poll
    /// acknowledges everything that the last one handed out, done or not.
    ///
    /// # Instead
    /// `share.acknowledgement.mode=explicit`; a dead letter queue from 4.4 on (KIP-1191, `share.version=2`); before, a consumer that
    /// puts what it cannot do somewhere itself.
    ///
    /// # Example
    /// `consumer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// group.id=billing
    /// share.acknowledgement.mode=implicit
    /// ```
    /// `consumer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// group.id=billing
    /// share.acknowledgement.mode=explicit
    /// ```
    ///
    /// # Source
    /// Kafka `ShareGroupConfig`, `GroupConfig`: five deliveries, implicit, no dead letters.
    pub(crate) static RULE = {
        code: "KC007",
        name: "share-group-without-dead-letters",
        title: "A share group gives records up without a trace",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &["implicit"],
        applies: &[Role::KafkaBroker, Role::KafkaConsumer],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    if let Some((mode, value)) = judge.written("share.acknowledgement.mode")
        && value.eq_ignore_ascii_case("implicit")
    {
        let at = judge.at(&mode);
        judge.hit_as(
            Some("implicit"),
            at,
            Say::new(
                "the next poll acknowledges what the last one handed out",
                "done or not",
                "A crash between two polls loses nothing, but work that was given to other threads, or put aside, is acknowledged before \
                 it is done.",
                "share.acknowledgement.mode=explicit, and acknowledge after the work",
            ),
        );
    }
    let limit = judge.setting("group.share.delivery.count.limit");
    if limit.given.is_none() || judge.setting("errors.deadletterqueue.topic.name").given.is_some() {
        return;
    }
    let at = judge.at(&limit);
    judge.hit(
        at,
        Say::new(
            "a record that is delivered too often is archived without a trace",
            "no dead letter queue",
            "When the limit is reached the record is archived: nobody gets it again and nothing tells.",
            "errors.deadletterqueue.topic.name from 4.4 on; before, let the consumer put aside what it cannot do",
        ),
    );
}
