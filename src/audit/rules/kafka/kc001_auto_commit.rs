//! KC001: positions are committed on a timer.

use super::group_is_set_elsewhere;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A Java consumer with `enable.auto.commit=true`, which is also what an absent key means. librdkafka is judged by KC003.
    ///
    /// # How messages are lost
    /// The next `poll`, or `close`, commits the positions of everything that was handed out before, done or not. Work that was given to
    /// other threads, or put aside for a batch, is skipped after a crash: the group starts behind it.
    ///
    /// # Instead
    /// `enable.auto.commit=false`, and commit after the work is done. Spring's container writes false unless it is told otherwise.
    ///
    /// # Example
    /// `consumer.properties`, found:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// group.id=billing
    /// enable.auto.commit=true
    /// ```
    /// `consumer.properties`, clean:
    /// ```properties
    /// bootstrap.servers=kafka-1:9092,kafka-2:9092
    /// group.id=billing
    /// enable.auto.commit=false
    /// ```
    ///
    /// # Source
    /// Kafka `ConsumerCoordinator`: true in every version, every 5 seconds. Without `group.id` nothing is committed.
    pub(crate) static RULE = {
        code: "KC001",
        name: "auto-commit",
        title: "Positions are committed on a timer, not when the work is done",
        evidence: &[Evidence::File, Evidence::Code],
        variants: &[],
        applies: &[Role::KafkaConsumer],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let commit = judge.setting("enable.auto.commit");
    if judge.truth(&commit) != Some(true) {
        return;
    }
    let absent = commit.given.is_none();
    let at = judge.at(&commit).inferred(absent && group_is_set_elsewhere(judge));
    judge.hit(
        at,
        Say {
            headline: match absent {
                true => "enable.auto.commit is not set, and the default is true".to_owned(),
                false => "positions are committed on a timer".to_owned(),
            },
            label: "commits what was handed out, done or not".to_owned(),
            story: "The next poll or close commits the positions of everything handed out before, done or not. After a crash the group \
                    starts behind work that was still in other threads or waiting for a batch."
                .to_owned(),
            fix: "enable.auto.commit=false, and commit after the work is done".to_owned(),
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::{found, found_under};

    #[test]
    fn on_by_word_and_by_default() {
        let file = "c.properties";
        assert_eq!(
            found("KC001", file, "group.id=g\nenable.auto.commit=true"),
            ["high 2:1 enable.auto.commit=true"]
        );
        assert_eq!(
            found("KC001", file, "bootstrap.servers=a\ngroup.id=g"),
            ["high 1:1 enable.auto.commit=(absent)"]
        );
        assert_eq!(
            found("KC001", file, "auto.offset.reset=none"),
            ["medium 1:1 enable.auto.commit=(absent)"]
        );
        assert!(found_under("logs", "KC001", file, "enable.auto.commit=true").is_empty());
        assert!(found("KC001", file, "enable.auto.commit=false").is_empty());
        assert!(found("KC001", file, "enable.auto.offset.store=false\nenable.auto.commit=true").is_empty());
    }
}
