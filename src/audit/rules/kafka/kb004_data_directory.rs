//! KB004: data on a disk that does not last.

use super::super::storage::{Held, holds};
use crate::audit::fact::{Component, Fact};
use crate::audit::judge::{Judge, Say};
use crate::audit::resolve::is_placeholder;
use crate::audit::role::{self, Role};
use crate::audit::rule::{Evidence, rule};
use crate::audit::rules::is_true;

rule! {
    /// # What it finds
    /// `log.dirs`, `log.dir` or `metadata.log.dir` below `/tmp`, `/var/tmp`, `/run` or `/dev/shm`, written or by default
    /// (`/tmp/kafka-logs`); storage that a manifest calls ephemeral or deletes together with the resource; and, as
    /// `KB004/anonymous-volume`, a container without a volume of its own below its data directory.
    ///
    /// # How messages are lost
    /// A restart of the host, a cleaner of temporary files, a new container or a pod on another node takes all of it at once. When
    /// several pods are moved together every replica is gone, whatever the replication factor.
    ///
    /// # Instead
    /// A persistent volume, and `log.dirs` below it; `deleteClaim: false`.
    ///
    /// # Example
    /// `server.properties`, found:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/tmp/kraft-combined-logs
    /// ```
    /// `server.properties`, clean:
    /// ```properties
    /// process.roles=broker
    /// node.id=4
    /// log.dirs=/var/lib/kafka/data
    /// ```
    ///
    /// # Source
    /// Kafka `ServerLogConfigs`: `log.dir` is `/tmp/kafka-logs` in every version; the sample files use `/tmp/kraft-combined-logs`.
    /// Strimzi `EphemeralStorage`, `PersistentClaimStorage.deleteClaim`.
    pub(crate) static RULE = {
        code: "KB004",
        name: "temporary-data-directory",
        title: "The log lies where a restart or a new container does not find it",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &["anonymous-volume"],
        applies: &[Role::KafkaBroker, Role::KafkaNodePool],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    // The log itself lies in object storage there.
    if judge.unit.component == Component::AutoMq {
        return;
    }
    let unit = judge.unit;
    for fact in unit.surrounding("storage.deleteClaim").filter(|f| is_true(f)) {
        hit(
            judge,
            None,
            fact,
            "the volumes are deleted together with the resource",
            "set deleteClaim: false",
        );
    }
    if unit.surrounding("storage.type").next().is_some() {
        for fact in unit
            .surrounding("storage.type")
            .filter(|f| f.value.text() == Some("ephemeral"))
        {
            hit(
                judge,
                None,
                fact,
                "the data directory is gone with its pod",
                "a persistent volume: storage.type persistent-claim",
            );
        }
        return;
    }
    if role::is(unit, Role::KafkaBroker) && unit.carrier != Some("strimzi") && unit.carrier != Some("operator") {
        directories(judge);
    }
}

fn directories(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let dirs = ["log.dirs", "log.dir"]
        .into_iter()
        .map(|k| judge.setting(k))
        .find(|s| s.given.is_some());
    let dirs = dirs.unwrap_or_else(|| judge.setting("log.dirs"));
    let mut settings = vec![dirs];
    settings.extend(Some(judge.setting("metadata.log.dir")).filter(|s| s.given.is_some()));
    for setting in settings {
        let list = match &setting.value {
            // The image of a house, which keeps it where it mounts one of its volumes.
            Ok(list) if is_placeholder(list) => continue,
            Ok(list) => list.clone(),
            Err(_) if setting.given.is_none() && unit.fragment.is_none() => "/tmp/kafka-logs".to_owned(),
            Err(_) => continue,
        };
        let worst = list
            .split(',')
            .map(str::trim)
            .filter(|d| !d.is_empty())
            .map(|d| (holds(unit, d), d))
            .max_by_key(|(held, _)| *held);
        let Some((held, directory)) = worst else { continue };
        let default = if setting.given.is_none() {
            " (not set; the default)"
        } else {
            ""
        };
        let (variant, headline) = match held {
            Held::ForGood => continue,
            Held::ByThisContainer => (
                Some("anonymous-volume"),
                format!("{directory}{default} is on a volume that only this container knows"),
            ),
            Held::Not => (
                None,
                format!("data is kept in {directory}{default}, which does not last"),
            ),
        };
        // A file of settings that is mounted may name another directory.
        let at = judge.at(&setting).inferred(unit.fragment.is_some());
        judge.hit_as(
            variant,
            at,
            say(
                headline,
                "log.dirs on a disk that lasts: a named volume, a claim or a host directory at /var/lib/kafka/data",
            ),
        );
    }
}

fn hit(judge: &mut Judge<'_>, variant: Option<&'static str>, fact: &Fact, headline: &str, fix: &str) {
    let at = judge.at_fact(fact);
    judge.hit_as(variant, at, say(headline, fix));
}

fn say(headline: impl Into<String>, fix: &str) -> Say {
    Say::new(
        headline,
        "does not last",
        "A restart of the host, a cleaner of temporary files, a new container or a pod on another node takes all of it at once. When \
         several are moved together every replica is gone.",
        fix,
    )
}
