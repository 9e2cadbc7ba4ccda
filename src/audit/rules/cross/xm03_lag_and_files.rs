//! X-M03: a backlog that is older than files are kept, or a disk that is full.

use crate::audit::fact::Fact;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::terms::canonical::{DISK_USED_PERCENT, LAG_OF, LAG_OLDEST_MS, SKIPPED};

rule! {
    /// # What it finds
    /// A live broker where a group's oldest unread message is older than half of `fileReservedTime`, or whose disk is used to 75 %
    /// and more; one where the next message of a group is deleted already (`X-M03/deleted`).
    ///
    /// # How messages are lost
    /// Files go by age, read or not. Above 75 % of the disk expired ones go at any hour, above 85 % the oldest even if they are
    /// young.
    ///
    /// # Instead
    /// Raise `fileReservedTime`, free disk, then find out why the group is slow.
    ///
    /// # Example
    /// A broker answers how long it keeps files, and the age of the oldest message that a group has not read. `@` begins what was asked, `-` a thing by its name; below it stands what was told.
    /// Recorded, found:
    /// ```facts
    /// @ rocketmq-broker live
    /// fileReservedTime=48
    /// @lag.oldest-ms=160000000
    /// ```
    /// Recorded, clean:
    /// ```facts
    /// @ rocketmq-broker live
    /// fileReservedTime=168
    /// @lag.oldest-ms=160000000
    /// ```
    ///
    /// # Source
    /// RocketMQ `DefaultMessageStore.CleanCommitLogService`.
    pub(crate) static RULE = {
        code: "X-M03",
        name: "lag-near-file-deletion",
        title: "What a group has not read yet is about to be deleted with its files",
        evidence: &[Evidence::Live],
        variants: &["deleted"],
        applies: &[Role::RocketBroker],
        check: check,
    };
}

/// Above this the broker deletes expired files at any hour, in percent.
const DISK_PERCENT: i64 = 75;

fn check(judge: &mut Judge<'_>) {
    let unit = judge.unit;
    let number = |f: &Fact| f.value.text().and_then(|v| v.trim().parse::<i64>().ok());
    let mut found: Vec<(&Fact, String)> = Vec::new();
    if let Some((fact, age)) = unit.live(LAG_OLDEST_MS).and_then(|f| Some((f, number(f)?))) {
        let reserved = judge.setting("fileReservedTime");
        if let Some(hours) = judge.int(&reserved)
            && age / 1800 / 1000 >= hours
        {
            let of = unit.live(LAG_OF).map(|f| format!(" of {}", f.value.show()));
            found.push((
                fact,
                format!(
                    "unread messages{} are {} h old, and files are kept for {hours}",
                    of.unwrap_or_default(),
                    age / 3_600_000
                ),
            ));
        }
    }
    if let Some((fact, percent)) = unit.live(DISK_USED_PERCENT).and_then(|f| Some((f, number(f)?)))
        && percent >= DISK_PERCENT
    {
        found.push((
            fact,
            format!("the disk is used to {percent} %: files are deleted whether or not they were read"),
        ));
    }
    if let Some(fact) = unit.live(SKIPPED) {
        let at = judge.at_fact(fact);
        judge.hit_as(
            Some("deleted"),
            at,
            Say::new(
                format!("messages were deleted before they were read: {}", fact.value.show()),
                "lost",
                "Files go by age, read or not. What comes next for this group is gone; it goes on at the oldest message that is left, without a \
                 word.",
                "raise fileReservedTime, then find out why the group was slow",
            ),
        );
    }
    for (fact, headline) in found {
        let at = judge.at_fact(fact);
        judge.hit(
            at,
            Say::new(
                headline,
                "about to be deleted unread",
                "Files go by age, read or not; above 75 % of the disk expired ones go at any hour, above 85 % the oldest even if they are \
                 young.",
                "raise fileReservedTime, free disk, then find out why the group is slow",
            ),
        );
    }
}
