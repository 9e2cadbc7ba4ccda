//! X-K09: a producer with transactions among settings without.

use super::producers;
use crate::audit::fact::Unit;
use crate::audit::judge::{Judge, Say};
use crate::audit::role;
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::kafka::cluster::brokers;

rule! {
    /// # What it finds
    /// With a transactional producer in the run: a consumer that reads uncommitted records, also by default; a broker with fewer than
    /// 3 copies or 2 in-sync replicas of the transaction log; a `transaction.timeout.ms` above the broker's
    /// `transaction.max.timeout.ms`.
    ///
    /// # How messages are lost
    /// The consumer acts on records that are aborted afterwards. The outcome of a transaction is lost with one node. A transaction
    /// that may last longer than the broker allows is refused.
    ///
    /// # Instead
    /// `isolation.level=read_committed`; 3 and 2; a time-out within the broker's.
    ///
    /// # Example
    /// `consumer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// group.id=billing
    /// isolation.level=read_uncommitted
    /// ```
    /// `consumer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// group.id=billing
    /// isolation.level=read_committed
    /// ```
    /// `producer.properties`, beside it:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// transactional.id=payments-1
    /// ```
    ///
    /// # Source
    /// Kafka `ConsumerConfig`, `TransactionLogConfig`, `TransactionStateManagerConfig`.
    pub(crate) static RULE = {
        code: "X-K09",
        name: "half-transactional",
        title: "Transactions are written, and something around them ignores or loses them",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::KafkaConsumer, Role::LibrdkafkaConsumer, Role::KafkaBroker, Role::KafkaProducer, Role::LibrdkafkaProducer],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let is_transactional = |u: &Unit| u.live("transactional.id").is_some();
    if role::is(unit, Role::KafkaProducer) || role::is(unit, Role::LibrdkafkaProducer) {
        if is_transactional(unit) {
            too_long(judge);
        }
        return;
    }
    let Some(producer) = producers(judge).find(|u| is_transactional(u)) else {
        return;
    };
    let Some(id) = producer.live("transactional.id") else {
        return;
    };
    if role::is(unit, Role::KafkaBroker) {
        if brokers(unit) == Some(1) {
            return;
        }
        for (key, least) in [
            ("transaction.state.log.replication.factor", 3),
            ("transaction.state.log.min.isr", 2),
        ] {
            let Some((setting, n)) = judge.written_int(key) else {
                continue;
            };
            if n < 0 || n >= least || brokers(unit) == Some(2) && n == least - 1 {
                continue;
            }
            let at = judge.at(&setting).related(&id.place, "writes in transactions");
            judge.hit(
                at,
                Say::new(
                    format!("transactions are written, and {key} is {n}"),
                    "one node has the outcomes",
                    "The node is lost, and with it which transactions were committed: what was one write is half a write.",
                    format!("{key}={least}"),
                ),
            );
        }
        return;
    }
    let level = judge.setting("isolation.level");
    if !level
        .value
        .as_deref()
        .is_ok_and(|v| v.eq_ignore_ascii_case("read_uncommitted"))
    {
        return;
    }
    let at = judge.at(&level).related(&id.place, "writes in transactions");
    judge.hit(
        at,
        Say::new(
            match level.given {
                Some(_) => "transactions are written, and this consumer reads what is not committed",
                None => {
                    "transactions are written, and isolation.level is not set: the default reads what is not committed"
                }
            },
            "acts on what may be aborted",
            "The consumer acts on records whose transaction is aborted afterwards.",
            "isolation.level=read_committed",
        ),
    );
}

fn too_long(judge: &mut Judge<'_>) {
    let Some((timeout, ms)) = judge.written_int("transaction.timeout.ms") else {
        return;
    };
    for broker in judge.near(Role::KafkaBroker) {
        let limit = judge.setting_of(broker, "transaction.max.timeout.ms");
        let Some(max) = limit.value.as_ref().ok().and_then(|v| v.parse::<i64>().ok()) else {
            continue;
        };
        if ms > max {
            let place = limit.given.map_or_else(|| broker.top(), |f| f.place.clone());
            let at = judge
                .at(&timeout)
                .related(&place, format!("the broker allows {max} ms"));
            judge.hit(
                at,
                Say::new(
                    format!("a transaction of {ms} ms is more than the broker's {max}"),
                    "refused",
                    "The broker refuses to begin the transaction, and what waits for it is not written.",
                    "a smaller transaction.timeout.ms, or a larger transaction.max.timeout.ms on every broker",
                ),
            );
            return;
        }
    }
}
