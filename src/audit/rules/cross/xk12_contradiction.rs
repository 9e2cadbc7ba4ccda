//! X-K12: settings of one producer that exclude each other.

use super::PRODUCERS;
use crate::audit::fact::FactValue;
use crate::audit::judge::{Judge, Say};
use crate::audit::resolve::Setting;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `enable.idempotence=true` written together with `acks` below `all`, `retries=0`, or more than 5 requests in flight.
    ///
    /// # How messages are lost
    /// The client refuses to start: nothing is sent, and whoever buffers in memory meanwhile loses it. Where idempotence is left to
    /// the default it is switched off instead (KP002, KP006).
    ///
    /// # Instead
    /// `acks=all`, retries, and at most 5 in flight.
    ///
    /// # Example
    /// `producer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// enable.idempotence=true
    /// acks=1
    /// ```
    /// `producer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// enable.idempotence=true
    /// acks=all
    /// ```
    ///
    /// # Source
    /// Kafka `ProducerConfig.postProcessAndValidateIdempotenceConfigs`; librdkafka `rd_kafka_conf_finalize`.
    pub(crate) static RULE = {
        code: "X-K12",
        name: "contradicting-idempotence",
        title: "Idempotence is asked for, and something else forbids it",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: PRODUCERS,
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let idempotence = judge.setting("enable.idempotence");
    let Some(fact) = idempotence.given else { return };
    let on = match &fact.value {
        FactValue::Bool(truth) => *truth,
        FactValue::Text(text) => text.trim().eq_ignore_ascii_case("true"),
        _ => false,
    };
    if !on {
        return;
    }
    let number = |s: &Setting<'_>| s.value.as_ref().ok().and_then(|v| v.parse::<i64>().ok());
    let (acks, retries, in_flight) = (
        judge.setting("acks"),
        judge.setting("retries"),
        judge.setting("max.in.flight.requests.per.connection"),
    );
    let weak = acks.value.as_deref().is_ok_and(|v| matches!(v, "0" | "1"));
    for (setting, wrong) in [
        (&acks, weak),
        (&retries, number(&retries) == Some(0)),
        (&in_flight, number(&in_flight).is_some_and(|n| n > 5)),
    ] {
        if !wrong || setting.given.is_none() {
            continue;
        }
        let value = setting.value.clone().unwrap_or_default();
        let at = judge.at(setting).related(&fact.place, "asks for idempotence");
        judge.hit(
            at,
            Say::new(
                format!("idempotence is asked for, and {}={value} forbids it", setting.key),
                "the client refuses to start",
                "The client refuses to start with these settings: nothing is sent, and what waits in memory meanwhile is lost.",
                "acks=all, retries unset, and at most 5 requests in flight",
            ),
        );
    }
}
