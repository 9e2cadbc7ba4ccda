//! RQB001: what a cluster does when its nodes lose each other.

use crate::audit::fact::Effect;
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};
use crate::audit::stated::Release;

rule! {
    /// # What it finds
    /// `cluster_partition_handling = ignore` or `autoheal`; a cluster that does not set it (`RQB001/absent`, the server's default is
    /// `ignore`); and, as `RQB001/without-effect`, the key on 4.3 or later, which ignores it. It matters while the metadata store is
    /// Mnesia: new clusters of 4.2 use Khepri.
    ///
    /// # How messages are lost
    /// `ignore` leaves two sides that both take messages and never agree again. `autoheal` restarts the side that it declares the
    /// loser and throws away what only that side had.
    ///
    /// # Instead
    /// `pause_minority` with three nodes or more; on 4.3 remove the key.
    ///
    /// # Example
    /// With `--rabbitmq-version 3.13`.
    /// `rabbitmq.conf`, found:
    /// ```ini
    /// listeners.tcp.default = 5672
    /// cluster_partition_handling = ignore
    /// ```
    /// `rabbitmq.conf`, clean:
    /// ```ini
    /// listeners.tcp.default = 5672
    /// cluster_partition_handling = pause_minority
    /// ```
    ///
    /// # Source
    /// RabbitMQ 3.13 and current `partitions.md`; release notes of 4.2.0 and 4.3.0. The cluster operator writes `pause_minority`.
    pub(crate) static RULE = {
        code: "RQB001",
        name: "partition-handling",
        title: "After a network partition the two sides diverge, or one is thrown away",
        evidence: &[Evidence::File],
        variants: &["absent", "without-effect"],
        applies: &[Role::RabbitNode],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    const STORY: &str = "ignore leaves two sides that both take messages and never agree again. autoheal restarts the side that it declares \
                         the loser, and throws away what only that side had.";
    const FIX: &str = "cluster_partition_handling = pause_minority, with three nodes or more";
    let unit = judge.unit;
    let ignored = judge.release().is_some_and(|r| r >= Release(4, 3, 0));
    if let Some((setting, mode)) = judge.written("cluster_partition_handling") {
        let at = judge.at(&setting);
        if ignored {
            judge.hit_as(
                Some("without-effect"),
                at,
                Say::new(
                    "cluster_partition_handling has no effect from 4.3 on",
                    "ignored",
                    "The metadata store decides by majority whatever this says. Whoever wrote it believes that it holds.",
                    "remove the line",
                ),
            );
        } else if mode == "ignore" || mode == "autoheal" {
            judge.hit(
                at,
                Say::new(
                    format!("after a partition: {mode}"),
                    "what one side took is lost",
                    STORY,
                    FIX,
                ),
            );
        }
        return;
    }
    let absent = judge.setting("cluster_partition_handling");
    let clustered = unit
        .facts
        .iter()
        .any(|f| f.effect == Effect::Live && f.key.starts_with("cluster_formation."));
    if clustered
        && !ignored
        && absent.given.is_none()
        && unit.implied("cluster_partition_handling").is_none()
        && unit.fragment.is_none()
    {
        let at = judge.at(&absent);
        judge.hit_as(
            Some("absent"),
            at,
            Say::new(
                "cluster_partition_handling is not set, and the default is ignore",
                "what one side took is lost",
                STORY,
                FIX,
            ),
        );
    }
}
