//! KC003: librdkafka stores the offset before the work is done.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A librdkafka consumer with both `enable.auto.commit` and `enable.auto.offset.store` on, as they are when they are absent.
    ///
    /// # How messages are lost
    /// The offset is stored when the message is handed to the application, and a background thread commits it within five seconds. A
    /// crash in the middle of the work skips the message. The Java client does not do this.
    ///
    /// # Instead
    /// `enable.auto.offset.store=false`, and store the offset (`offsets_store`, `StoreOffset`) after the work; auto-commit may stay on.
    ///
    /// # Example
    /// `consumer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// group.id=billing
    /// enable.auto.offset.store=true
    /// ```
    /// `consumer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// group.id=billing
    /// enable.auto.offset.store=false
    /// ```
    ///
    /// # Source
    /// librdkafka `INTRODUCTION.md`, at-least-once processing; true in every version.
    pub(crate) static RULE = {
        code: "KC003",
        name: "offset-stored-before-work",
        title: "The offset is stored before the application has worked",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: &[Role::LibrdkafkaConsumer],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let commit = judge.setting("enable.auto.commit");
    let store = judge.setting("enable.auto.offset.store");
    if judge.truth(&commit) != Some(true) || judge.truth(&store) != Some(true) {
        return;
    }
    let shown = if store.given.is_some() || commit.given.is_none() {
        &store
    } else {
        &commit
    };
    let at = judge.at(shown);
    judge.hit(
        at,
        Say {
            headline: "the offset is stored, and committed, before the work is done".to_owned(),
            label: "stored when the message is handed out".to_owned(),
            story: "librdkafka stores the offset when it hands the message to the application, and commits it in the background. A crash \
                    in the middle of the work skips the message."
                .to_owned(),
            fix: "enable.auto.offset.store=false, and store the offset after the work; auto-commit may stay on".to_owned(),
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::found;

    #[test]
    fn both_on() {
        let file = "c.properties";
        assert_eq!(
            found("KC003", file, "metadata.broker.list=a\ngroup.id=g"),
            ["high 1:1 enable.auto.offset.store=(absent)"]
        );
        assert_eq!(
            found(
                "KC003",
                file,
                "metadata.broker.list=a\ngroup.id=g\nenable.auto.commit=1"
            ),
            ["high 3:1 enable.auto.commit=1"]
        );
        for text in [
            "enable.auto.offset.store=false",
            "enable.auto.offset.store=true\nenable.auto.commit=false",
            "group.id=g\nbootstrap.servers=a",
        ] {
            assert!(found("KC003", file, text).is_empty(), "{text}");
        }
    }
}
