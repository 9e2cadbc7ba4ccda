//! KX001: `errors.tolerance=all` without a dead letter queue.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::is_true;

rule! {
    /// # What it finds
    /// A connector with `errors.tolerance=all` and no `errors.deadletterqueue.topic.name`; a source connector as `KX001/source`, for
    /// it has no such queue.
    ///
    /// # How messages are lost
    /// A record that cannot be converted or transformed is skipped without an error and, by default, without a log line. The
    /// connector runs on, green.
    ///
    /// # Instead
    /// `errors.deadletterqueue.topic.name` with a replication factor of 3, `errors.log.enable=true`; or `errors.tolerance=none`.
    ///
    /// # Example
    /// `sink.properties`, found:
    /// ```properties
    /// name=orders-to-postgres
    /// connector.class=io.confluent.connect.jdbc.JdbcSinkConnector
    /// topics=orders
    /// errors.tolerance=all
    /// ```
    /// `sink.properties`, clean:
    /// ```properties
    /// name=orders-to-postgres
    /// connector.class=io.confluent.connect.jdbc.JdbcSinkConnector
    /// topics=orders
    /// errors.tolerance=all
    /// errors.deadletterqueue.topic.name=orders-dlq
    /// errors.deadletterqueue.topic.replication.factor=3
    /// ```
    ///
    /// # Source
    /// Kafka `ConnectorConfig`, `SinkConnectorConfig`: none, no topic, 3, no log.
    pub(crate) static RULE = {
        code: "KX001",
        name: "dropped-connector-errors",
        title: "A connector drops what it cannot convert",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["source"],
        applies: &[Role::KafkaConnector],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    let Some((tolerance, value)) = judge.written("errors.tolerance") else {
        return;
    };
    let queue = judge.setting("errors.deadletterqueue.topic.name").given;
    if !value.eq_ignore_ascii_case("all") || queue.is_some_and(|f| f.value.text().is_none_or(|t| !t.trim().is_empty()))
    {
        return;
    }
    let class = judge.quiet("connector.class").unwrap_or_default();
    // Sinks have a dead letter queue; whoever names topics to read is one.
    let sink = class.contains("Sink")
        || judge.setting("topics").given.is_some()
        || judge.setting("topics.regex").given.is_some();
    let source = !sink && (class.contains("Source") || class.starts_with("io.debezium."));
    let logged = judge.setting("errors.log.enable").given.is_some_and(is_true);
    let at = judge.at(&tolerance);
    judge.hit_as(
        source.then_some("source"),
        at,
        Say::new(
            "records that cannot be converted are skipped",
            "and nobody gets them",
            match logged {
                true => "A record that cannot be converted or transformed is skipped. A log line tells that, and the record is nowhere.",
                false => {
                    "A record that cannot be converted or transformed is skipped without an error and without a log line. The connector \
                     runs on, green."
                }
            },
            match source {
                true => "errors.tolerance=none, or errors.log.enable=true with errors.log.include.messages; a source has no dead letter queue",
                false => "errors.deadletterqueue.topic.name with a replication factor of 3, and errors.log.enable=true",
            },
        ),
    );
}
