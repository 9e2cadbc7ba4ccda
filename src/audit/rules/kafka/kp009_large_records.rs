//! KP009: a limit of the producer above that of the broker.

use super::PRODUCERS;
use crate::audit::fact::Component;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `max.request.size` (librdkafka: `message.max.bytes`) above 1048588, the default limit of a broker, where no broker and no
    /// topic in the run says more. X-K11 compares the two when both are known.
    ///
    /// # How messages are lost
    /// A record that is larger than the topic allows is refused for good, not retried. A producer that looks at no result loses
    /// exactly the large ones.
    ///
    /// # Instead
    /// The same limit in `max.message.bytes` of the topic or `message.max.bytes` of the broker; the broker compares after
    /// compression.
    ///
    /// # Example
    /// `producer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// max.request.size=5242880
    /// ```
    /// `producer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// max.request.size=1048576
    /// ```
    ///
    /// # Source
    /// Kafka `ServerLogConfigs`: 1000012 up to 2.4, 1048588 since 2.5; `ProducerConfig`: 1048576. librdkafka `CONFIGURATION.md`:
    /// 1000000.
    pub(crate) static RULE = {
        code: "KP009",
        name: "large-records",
        title: "The producer sends records that a broker refuses by default",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &[],
        applies: PRODUCERS,
        check: check,
    };
}

/// What a broker takes by default, in bytes.
const BROKER_DEFAULT_BYTES: i64 = 1_048_588;

fn check(judge: &mut Judge<'_>) {
    let said = [Role::KafkaBroker, Role::KafkaTopic]
        .into_iter()
        .any(|r| judge.near(r).next().is_some());
    if said {
        return;
    }
    let key = match judge.unit.component {
        Component::Librdkafka => "message.max.bytes",
        _ => "max.request.size",
    };
    let Some((limit, bytes)) = judge.written_int(key) else {
        return;
    };
    if bytes <= BROKER_DEFAULT_BYTES {
        return;
    }
    let at = judge.at(&limit).inferred(true);
    judge.hit(
        at,
        Say::new(
            format!("records of up to {bytes} bytes: a broker takes {BROKER_DEFAULT_BYTES} unless it is told otherwise"),
            "refused for good when the topic allows less",
            "A record above the topic's limit is refused, and no retry helps. Whoever looks at no result loses exactly the large ones.",
            "set max.message.bytes of the topic, or message.max.bytes of the broker, to at least this",
        ),
    );
}
