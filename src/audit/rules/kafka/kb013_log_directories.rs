//! KB013: disks that are gone or nearly full.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::terms::canonical::{DISK_USED_PERCENT, OFFLINE_DIRECTORIES};

rule! {
    /// # What it finds
    /// A live broker with a log directory that it cannot use, or whose fullest disk is used by 90 percent or more (`KB013/full`).
    ///
    /// # How messages are lost
    /// Every replica in a directory that is offline is gone from the replicas in sync; with the next one of them the partition is gone.
    /// A broker whose disk is full takes the directory offline the same way.
    ///
    /// # Instead
    /// Replace the disk and start the broker again; raise the size of the disk before it is full.
    ///
    /// # Example
    /// A broker answers how full the disk of a log directory is. `@` begins what was asked, `-` a thing by its name; below it stands what was told.
    /// Recorded, found:
    /// ```facts
    /// @ kafka-broker live
    /// @disk-used-percent=93
    /// ```
    /// Recorded, clean:
    /// ```facts
    /// @ kafka-broker live
    /// @disk-used-percent=60
    /// ```
    ///
    /// # Source
    /// Kafka `LogManager.handleLogDirFailure`; DescribeLogDirs tells errors, size and free bytes.
    pub(crate) static RULE = {
        code: "KB013",
        name: "log-directory-in-danger",
        title: "A disk of a broker is gone or nearly full",
        evidence: &[Evidence::Live],
        variants: &["full"],
        applies: &[Role::KafkaBroker],
        check: check,
    };
}

/// From here on little is missing to a directory that goes offline.
const FULL_PERCENT: i64 = 90;

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    if let Some(fact) = unit.live(OFFLINE_DIRECTORIES) {
        let at = judge.at_fact(fact);
        judge.hit(
            at,
            Say::new(
                format!("log directory {} is offline", fact.value.show()),
                "its replicas are gone",
                "Every replica in it is out of sync. With the next disk the partitions lose what was acknowledged.",
                "replace the disk and start the broker again, or reassign its partitions",
            ),
        );
    }
    let used = unit
        .live(DISK_USED_PERCENT)
        .and_then(|f| Some((f, f.value.text()?.parse::<i64>().ok()?)));
    if let Some((fact, percent)) = used.filter(|(_, percent)| *percent >= FULL_PERCENT) {
        let at = judge.at_fact(fact);
        judge.hit_as(
            Some("full"),
            at,
            Say::new(
                format!("a disk of the broker is used by {percent} percent"),
                "goes offline when it is full",
                "A write that finds no room takes the whole log directory offline, with every replica in it.",
                "a larger disk, or fewer partitions on this broker, before it is full",
            ),
        );
    }
}
