//! X-K10: two time-outs in the wrong order.

use super::PRODUCERS;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A `request.timeout.ms` that is written and not above the `replica.lag.time.max.ms` of a broker of the run (30000 since 2.5,
    /// 10000 before).
    ///
    /// # How messages are lost
    /// A follower dies. Until the broker takes it out of the in-sync set no write with `acks=all` is answered; the producer gives up
    /// first and sends again, needlessly, and without idempotence twice.
    ///
    /// # Instead
    /// A request time-out above the lag time.
    ///
    /// # Example
    /// With `--profile finance`.
    /// `producer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// request.timeout.ms=10000
    /// ```
    /// `producer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// request.timeout.ms=60000
    /// ```
    /// `server.properties`, beside it:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// replica.lag.time.max.ms=30000
    /// ```
    ///
    /// # Source
    /// Kafka `ReplicationConfigs`, `ProducerConfig`.
    pub(crate) static RULE = {
        code: "X-K10",
        name: "request-timeout-below-lag-time",
        title: "The producer gives up on a request before the broker gives up on a follower",
        evidence: &[Evidence::File],
        variants: &[],
        applies: PRODUCERS,
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let Some((timeout, ms)) = judge.written_int("request.timeout.ms") else {
        return;
    };
    for broker in judge.near(Role::KafkaBroker) {
        let lag = judge.setting_of(broker, "replica.lag.time.max.ms");
        let Some(limit) = lag.value.as_ref().ok().and_then(|v| v.parse::<i64>().ok()) else {
            continue;
        };
        if ms > limit {
            continue;
        }
        let place = lag.given.map_or_else(|| broker.top(), |f| f.place.clone());
        let at = judge
            .at(&timeout)
            .related(&place, format!("a dead follower counts for {limit} ms"))
            .inferred(!lag.is_certain());
        judge.hit(
            at,
            Say::new(
                format!("a request is given up after {ms} ms, a dead follower after {limit}"),
                "needless retries",
                "A follower dies, and until the broker takes it out of the in-sync set no write is answered. The producer gives up first and \
                 sends again: without idempotence, twice.",
                format!("request.timeout.ms above {limit}"),
            ),
        );
        return;
    }
}
