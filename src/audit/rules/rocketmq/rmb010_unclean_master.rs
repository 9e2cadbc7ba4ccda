//! RMB010: elections outside the sync state set.

use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A controller with `enableElectUncleanMaster=true`; one, two or an even number of controllers in `controllerDLegerPeers`.
    ///
    /// # How messages are lost
    /// A replica outside the sync state set becomes master, and what it misses is gone. Without a majority of controllers nobody is
    /// elected at all.
    ///
    /// # Instead
    /// `enableElectUncleanMaster=false`; three controllers.
    ///
    /// # Example
    /// `controller.conf`, found:
    /// ```ini
    /// controllerDLegerGroup = group1
    /// controllerDLegerPeers = n0-c1:9877;n1-c2:9877;n2-c3:9877
    /// controllerDLegerSelfId = n0
    /// enableElectUncleanMaster = true
    /// ```
    /// `controller.conf`, clean:
    /// ```ini
    /// controllerDLegerGroup = group1
    /// controllerDLegerPeers = n0-c1:9877;n1-c2:9877;n2-c3:9877
    /// controllerDLegerSelfId = n0
    /// enableElectUncleanMaster = false
    /// ```
    ///
    /// # Source
    /// RocketMQ `ControllerConfig`, `ReplicasInfoManager`: false.
    pub(crate) static RULE = {
        code: "RMB010",
        name: "unclean-master",
        title: "A replica that is behind may become master",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RocketController, Role::RocketBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    if let Some((unclean, true)) = judge.written_truth("enableElectUncleanMaster") {
        let at = judge.at(&unclean).safe("false");
        judge.hit(
            at,
            Say::new(
                "a replica that is behind may become master",
                "acknowledged messages are gone",
                "When no replica of the sync state set is alive, one that is behind becomes master, and what it misses is gone.",
                "enableElectUncleanMaster=false",
            ),
        );
    }
    if let Some((peers, list)) = judge.written("controllerDLegerPeers") {
        let n = list.split(';').filter(|p| !p.trim().is_empty()).count();
        if n > 1 && n % 2 == 1 {
            return;
        }
        let at = judge.at(&peers);
        judge.hit(
            at,
            Say::new(
                match n {
                    0 | 1 => "one controller decides alone".to_owned(),
                    n => format!("{n} controllers survive no more losses than {}", n - 1),
                },
                "no majority after a loss",
                "Without a majority of controllers no master is elected: a failed master is not replaced, and which replica has everything is \
                 known to nobody.",
                "three controllers",
            ),
        );
    }
}
