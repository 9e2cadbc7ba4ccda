//! KP008: a producer without transactions, or with one that the broker ends before it is done.

use super::PRODUCERS;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// Under a profile that asks for transactions, a producer without `transactional.id` (`KP008/none`). Under any, a
    /// `transaction.timeout.ms` above 900000, the broker's default limit, where no broker in the run says another; and a
    /// `transactional.id` that is filled in from something random.
    ///
    /// # How messages are lost
    /// A crash between two records that belong together leaves one of them: half a transfer. A transaction that lasts longer than the
    /// broker allows is refused, or aborted by the coordinator, and everything in it disappears for readers of committed records. A
    /// random id never fences the producer that it replaces: both go on writing.
    ///
    /// # Instead
    /// `transactional.id`, the same after a restart and different for every instance; a time-out within `transaction.max.timeout.ms`.
    ///
    /// # Example
    /// `producer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// transactional.id=payments-1
    /// transaction.timeout.ms=1200000
    /// ```
    /// `producer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// transactional.id=payments-1
    /// transaction.timeout.ms=60000
    /// ```
    ///
    /// # Source
    /// Kafka `ProducerConfig`, `TransactionStateManagerConfig`: 60000 and 900000 in every version.
    pub(crate) static RULE = {
        code: "KP008",
        name: "transactions",
        title: "What belongs together is written one by one, or aborted behind the producer's back",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &["none"],
        applies: PRODUCERS,
        check: check,
    };
}

/// What a broker allows unless it is told otherwise.
const BROKER_LIMIT_MS: i64 = 900_000;

fn check(judge: &mut Judge<'_>) {
    let id = judge.setting("transactional.id");
    match id.given {
        None => none(judge),
        Some(fact) if is_random(fact) => {
            let at = judge.at(&id);
            judge.hit(
                at,
                Say::new(
                    "transactional.id is different at every start",
                    "fences nobody",
                    "The producer that comes after a crash has another id, so the one it replaces is not fenced, and what that left open \
                     blocks readers of committed records until it times out.",
                    "an id that is the same after a restart and different for every instance, as the name of a stateful set's pod",
                ),
            );
        }
        Some(_) => {}
    }
    let Some((timeout, ms)) = judge.written_int("transaction.timeout.ms") else {
        return;
    };
    if ms > BROKER_LIMIT_MS && judge.near(Role::KafkaBroker).next().is_none() {
        let at = judge.at(&timeout).inferred(true);
        judge.hit(
            at,
            Say::new(
                format!("a transaction of {ms} ms is more than a broker allows by default"),
                "above 900000, the default of transaction.max.timeout.ms",
                "The broker refuses to begin the transaction, and what waits for it is not written.",
                "a smaller transaction.timeout.ms, or a larger transaction.max.timeout.ms on every broker",
            ),
        );
    }
}

fn none(judge: &mut Judge<'_>) {
    if judge.unit.fragment.is_some() {
        return;
    }
    let id = judge.setting("transactional.id");
    let at = judge.at(&id);
    judge.hit_as(
        Some("none"),
        at,
        Say::new(
            "no transactional.id: records that belong together are written one by one",
            "no transaction",
            "A crash between two records leaves one of them: half a transfer, seen by every consumer.",
            "transactional.id, the same after a restart and different for every instance, and isolation.level=read_committed for consumers",
        ),
    );
}

fn is_random(fact: &crate::audit::fact::Fact) -> bool {
    fact.value
        .text()
        .is_some_and(|v| v.contains("random.") || v.contains("uuid"))
}
