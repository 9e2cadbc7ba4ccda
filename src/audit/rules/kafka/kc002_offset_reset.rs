//! KC002: a consumer without a position starts at the end.

use super::group_is_set_elsewhere;
use crate::audit::judge::{Judge, Say};
use crate::audit::resolve::Setting;
use crate::audit::role::{self, Role};
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// `auto.offset.reset=latest` (librdkafka also `largest` and `end`), which is also what an absent key means. In Connect and Streams,
    /// which begin at the start by themselves, it is found where it is written.
    ///
    /// # How messages are lost
    /// A group has no position when it is new, when its offsets expired, when retention overtook it, and for every partition that is
    /// added later: producers write to the new partition before the consumer knows of it. Starting at the end skips all of that.
    ///
    /// # Instead
    /// `earliest`; or `none`, to stop and ask; or, since 4.0, `by_duration` with more than `metadata.max.age.ms`.
    ///
    /// # Example
    /// `consumer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// group.id=billing
    /// auto.offset.reset=latest
    /// ```
    /// `consumer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// group.id=billing
    /// auto.offset.reset=earliest
    /// ```
    ///
    /// # Source
    /// Kafka `ConsumerConfig.AUTO_OFFSET_RESET_DOC`: `latest` in every version; KIP-1106. librdkafka: `largest`.
    pub(crate) static RULE = {
        code: "KC002",
        name: "offset-reset-to-latest",
        title: "A consumer without a position skips what is already there",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: &[
            Role::KafkaConsumer,
            Role::LibrdkafkaConsumer,
            Role::KafkaConnectWorker,
            Role::KafkaConnector,
            Role::KafkaStreams,
        ],
        check: check,
    };
}

/// Names of the same setting inside of a worker, a connector and a Streams application. Absent is safe there: Connect and Streams write
/// `earliest` themselves.
const INSIDE: [&str; 5] = [
    "auto.offset.reset",
    "consumer.auto.offset.reset",
    "consumer.override.auto.offset.reset",
    "main.consumer.auto.offset.reset",
    "global.consumer.auto.offset.reset",
];

fn check(judge: &mut Judge<'_>) {
    let inside = [Role::KafkaConnectWorker, Role::KafkaConnector, Role::KafkaStreams];
    if inside.iter().any(|r| role::is(judge.unit, *r)) {
        let is_streams = role::is(judge.unit, Role::KafkaStreams);
        for key in INSIDE.into_iter().filter(|k| is_streams || k.starts_with("consumer.")) {
            if let Some((reset, value)) = judge.written(key) {
                told(judge, &reset, &value);
            }
        }
        return;
    }
    let reset = judge.setting("auto.offset.reset");
    let Some(value) = judge.text(&reset) else { return };
    told(judge, &reset, &value);
}

fn told(judge: &mut Judge<'_>, reset: &Setting<'_>, value: &str) {
    match value {
        "earliest" | "smallest" | "beginning" | "none" | "error" => {}
        by_duration if by_duration.starts_with("by_duration:") => {}
        "latest" | "largest" | "end" => {
            let absent = reset.given.is_none();
            let at = judge.at(reset).inferred(absent && group_is_set_elsewhere(judge));
            judge.hit(
                at,
                Say {
                    headline: match reset.given {
                        None => "auto.offset.reset is not set, and the default is latest".to_owned(),
                        Some(_) => format!("{value}: a consumer without a position starts at the end"),
                    },
                    label: "skips what is already there".to_owned(),
                    story: "A group has no position when it is new, when its offsets expired, and for every partition added later: \
                            producers write there before the consumer knows of it. Starting at the end skips all of that."
                        .to_owned(),
                    fix: "auto.offset.reset=earliest, or none (librdkafka: error) to stop and ask".to_owned(),
                },
            );
        }
        _ => judge.undecided("`auto.offset.reset` has a value that no client takes"),
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::{found, undecided};

    #[test]
    fn the_end_under_all_its_names() {
        let file = "c.properties";
        assert_eq!(
            found("KC002", file, "auto.offset.reset=latest"),
            ["high 1:1 auto.offset.reset=latest"]
        );
        assert_eq!(
            found(
                "KC002",
                file,
                "enable.auto.offset.store=false\nauto.offset.reset=largest"
            ),
            ["high 2:1 auto.offset.reset=largest"]
        );
        assert_eq!(
            found("KC002", file, "bootstrap.servers=a\ngroup.id=g"),
            ["high 1:1 auto.offset.reset=(absent)"]
        );
        assert_eq!(
            found("KC002", file, "isolation.level=x"),
            ["medium 1:1 auto.offset.reset=(absent)"]
        );
    }

    #[test]
    fn connect_and_streams_begin_at_the_start_by_themselves() {
        let streams = "application.id=a\nbootstrap.servers=b\n";
        assert!(found("KC002", "s.properties", streams).is_empty());
        assert_eq!(
            found("KC002", "s.properties", &format!("{streams}auto.offset.reset=latest")),
            ["high 3:1 auto.offset.reset=latest"]
        );
        let connector = "name=x\nconnector.class=y\n";
        assert!(found("KC002", "c.properties", &format!("{connector}auto.offset.reset=latest")).is_empty());
        assert_eq!(
            found(
                "KC002",
                "c.properties",
                &format!("{connector}consumer.override.auto.offset.reset=latest")
            ),
            ["high 3:1 consumer.override.auto.offset.reset=latest"]
        );
    }

    #[test]
    fn the_beginning_and_stopping() {
        for value in ["earliest", "none", "smallest", "by_duration:P7D"] {
            assert!(found("KC002", "c.properties", &format!("auto.offset.reset={value}")).is_empty());
        }
        assert_eq!(
            undecided("KC002", "c.properties", "auto.offset.reset=${RESET}").len(),
            1
        );
    }
}
