//! RQT013: retention of a stream, and what a stream does not promise.

use super::topology::{Found, Kind, Topology};
use crate::audit::fact::Layer;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A stream with `max-age` below the profile's `retention_hours`, or with `max-length-bytes`; for a stream the policy counts, not
    /// the argument. Under a profile that asks for flushed copies every stream is told as `RQT013/not-flushed`.
    ///
    /// # How messages are lost
    /// Segments are cut whether or not they were read. A reader that attaches without an offset begins at what comes next. A stream
    /// confirms when a majority has written the message, before anything is flushed: one loss of power for all of them takes it.
    ///
    /// # Instead
    /// A retention longer than the longest outage; an offset that is stored; a quorum queue where confirmed must mean flushed.
    ///
    /// # Example
    /// `definitions.json`, found:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true,
    ///       "arguments": { "x-queue-type": "stream", "x-max-age": "1h" } }
    ///   ]
    /// }
    /// ```
    /// `definitions.json`, clean:
    /// ```json
    /// {
    ///   "rabbit_version": "4.1.0",
    ///   "vhosts": [{ "name": "/" }],
    ///   "queues": [
    ///     { "name": "orders", "vhost": "/", "durable": true,
    ///       "arguments": { "x-queue-type": "stream", "x-max-age": "30D" } }
    ///   ]
    /// }
    /// ```
    ///
    /// # Source
    /// RabbitMQ `streams.md`; `rabbit_stream_queue`.
    pub(crate) static RULE = {
        code: "RQT013",
        name: "short-streams",
        title: "A stream cuts what its readers have not read",
        evidence: &[Evidence::File, Evidence::Live, Evidence::Code],
        variants: &["not-flushed"],
        applies: &[Role::RabbitTopology],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    const STORY: &str =
        "Segments are cut whether or not they were read. A reader that was away for longer never sees what is gone.";
    let unit = judge.unit;
    let topology = Topology::new(judge);
    let wanted = judge.profile.thresholds.retention_hours;
    for queue in unit.subjects_of(Layer::Queue) {
        let (Kind::Stream, told) = topology.kind(unit, queue) else {
            continue;
        };
        if let Some(fact) = told {
            let at = judge.at_fact(fact).of(queue);
            judge.hit_as(
                Some("not-flushed"),
                at,
                Say::new(
                    format!("stream `{}` confirms before anything is flushed", queue.name),
                    "written by a majority, not flushed",
                    "One loss of power for a majority of its members takes what was confirmed last.",
                    "a quorum queue, which flushes on a majority first; or members that do not share their power",
                ),
            );
        }
        if let Found::Set(age) = topology.of(unit, queue, "max-age")
            && hours(&age.value).is_some_and(|h| h < wanted)
        {
            let at = judge.at_fact(age.fact).of(queue);
            judge.hit(
                at,
                Say::new(
                    format!(
                        "stream `{}` is cut after {}; the profile wants {wanted} hours",
                        queue.name, age.value
                    ),
                    "cut unread",
                    STORY,
                    format!("max-age of {wanted}h or more"),
                ),
            );
        }
        if let Found::Set(bytes) = topology.of(unit, queue, "max-length-bytes") {
            let at = judge.at_fact(bytes.fact).of(queue).inferred(true);
            judge.hit(
                at,
                Say::new(
                    format!(
                        "stream `{}` is cut at {} bytes, however young they are",
                        queue.name, bytes.value
                    ),
                    "cut unread",
                    STORY,
                    "a limit larger than the rate of messages times the longest outage, or max-age alone",
                ),
            );
        }
    }
}

/// `7D`, `12h`, `30m` or `90s` in whole hours; a month has 30 days.
fn hours(age: &str) -> Option<i64> {
    let digits = age.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let n: i64 = digits.parse().ok()?;
    let hours = match age.get(digits.len()..)? {
        "Y" => n.checked_mul(365 * 24)?,
        "M" => n.checked_mul(30 * 24)?,
        "D" => n.checked_mul(24)?,
        "h" => n,
        "m" => n / 60,
        "s" => n / 3600,
        _ => return None,
    };
    Some(hours)
}
