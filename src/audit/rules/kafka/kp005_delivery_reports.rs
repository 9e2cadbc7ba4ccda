//! KP005: the final error of a send reaches nobody.

use super::PRODUCERS;
use crate::audit::judge::{Judge, Say};
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `dotnet.producer.enable.delivery.reports=false`: the .NET client is told not to report what became of a record. Other clients
    /// have no such key; there the same is done in code, by a send whose callback or future nobody looks at.
    ///
    /// # How messages are lost
    /// A record that is refused, or runs out of time, is reported once, to the callback or future of its send. When nobody looks, the
    /// caller goes on as if it were stored, and deletes or forgets its own copy.
    ///
    /// # Instead
    /// Leave delivery reports on, look at every result, and keep the record until it is a success. Flush before the process ends.
    ///
    /// # Example
    /// `producer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// dotnet.producer.enable.delivery.reports=false
    /// ```
    /// `producer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// key.serializer=org.apache.kafka.common.serialization.StringSerializer
    /// dotnet.producer.enable.delivery.reports=true
    /// ```
    ///
    /// # Source
    /// confluent-kafka-dotnet `ProducerConfig.EnableDeliveryReports`, default true. `delivery.report.only.error=true` is not found:
    /// errors are still reported under it.
    pub(crate) static RULE = {
        code: "KP005",
        name: "unread-delivery-result",
        title: "What became of a send is reported to nobody",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: PRODUCERS,
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let reports = judge.setting("dotnet.producer.enable.delivery.reports");
    if reports.given.is_none() {
        return;
    }
    if judge.truth(&reports) != Some(false) {
        return;
    }
    let at = judge.at(&reports);
    judge.hit(
        at,
        Say {
            headline: "delivery reports are switched off".to_owned(),
            label: "errors reach nobody".to_owned(),
            story: "A record that is refused or runs out of time is reported once, and here to nobody. The caller goes on as if it were \
                    stored, and forgets its own copy."
                .to_owned(),
            fix: "remove the line, look at the result of every send, and keep the record until it is a success".to_owned(),
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::found;

    #[test]
    fn reports_off() {
        assert_eq!(
            found(
                "KP005",
                "p.properties",
                "bootstrap.servers=a\ndotnet.producer.enable.delivery.reports=False"
            ),
            ["high 2:1 dotnet.producer.enable.delivery.reports=False"]
        );
        for text in [
            "dotnet.producer.enable.delivery.reports=true",
            "delivery.report.only.error=true",
            "acks=all",
        ] {
            assert!(found("KP005", "p.properties", text).is_empty(), "{text}");
        }
    }
}
