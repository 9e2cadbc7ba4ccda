//! KB012: nothing writes to the disk before the acknowledgement, and nothing says that the copies stand apart.

use super::cluster::{has_rack, has_three};
use crate::audit::fact::Component;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A cluster of three brokers or more without `broker.rack` and without `log.flush.interval.messages=1` (told one step lower, for
    /// the rack may be set at the start); and, as `KB012/never-runs`, `log.flush.interval.ms` without
    /// `log.flush.scheduler.interval.ms`: the check that would look at it never runs.
    ///
    /// # How messages are lost
    /// Kafka acknowledges from the page cache. When every replica loses power within the write-back window of the operating system,
    /// the acknowledged tail is gone on all of them.
    ///
    /// # Instead
    /// Spread the replicas over failure domains first; flush each message (`flush.messages=1`) only on the few topics that need it.
    /// Upstream advises replication instead of flushing.
    ///
    /// # Example
    /// With `--profile finance`.
    /// `server.properties`, found:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// default.replication.factor=3
    /// ```
    /// `server.properties`, clean:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// default.replication.factor=3
    /// broker.rack=zone-a
    /// ```
    ///
    /// # Source
    /// Kafka `UnifiedLog.append`, `LogManager`, `docs/operations/hardware-and-os.md`; no flush by default in every version.
    pub(crate) static RULE = {
        code: "KB012",
        name: "records-only-in-page-cache",
        title: "Acknowledged records are in page caches that may share their power",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["never-runs"],
        applies: &[Role::KafkaBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    if let Some((interval, ms)) = judge.written_int("log.flush.interval.ms")
        && judge.setting("log.flush.scheduler.interval.ms").given.is_none()
        && judge.unit.fragment.is_none()
    {
        let at = judge.at(&interval);
        judge.hit_as(
            Some("never-runs"),
            at,
            Say::new(
                format!("log.flush.interval.ms={ms} is never looked at"),
                "has no effect",
                "The task that compares the time since the last flush runs every log.flush.scheduler.interval.ms, and by default that is \
                 for ever. Whoever wrote the line believes that records are on disk.",
                "set log.flush.scheduler.interval.ms too, or remove the line and spread the replicas over failure domains",
            ),
        );
    }
    let flush = judge.setting("log.flush.interval.messages");
    let each = flush
        .given
        .is_some_and(|f| f.value.text().is_some_and(|v| v.trim() == "1"));
    let rack = has_rack(judge) || judge.unit.fragment.is_some();
    let controller = judge.quiet("process.roles").is_some_and(|r| r.trim() == "controller");
    if each || rack || controller || judge.unit.component == Component::AutoMq || !has_three(judge.unit) {
        return;
    }
    let at = judge.at(&flush).inferred(true);
    judge.hit(
        at,
        Say::new(
            "nothing flushes before the acknowledgement, and nothing says that the copies stand apart",
            "acknowledged from the page cache",
            "When every replica loses power within the write-back window of the operating system, the acknowledged tail is gone on all of \
             them.",
            "broker.rack on every broker first; flush.messages=1 only on the few topics whose copies cannot stand apart",
        ),
    );
}
