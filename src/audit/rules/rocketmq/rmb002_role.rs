//! RMB002: the master acknowledges before a slave has the message.

use super::{because, is_on};
use crate::audit::judge::{Judge, Say};
use crate::audit::role::Role;
use crate::audit::rule::{Evidence, rule};

rule! {
    /// # What it finds
    /// A broker that runs as `brokerRole=ASYNC_MASTER`: written, by default, or because what is written is nothing that the broker takes.
    /// A master without a slave is judged the same, as a single copy. Controller mode and DLedger choose the role themselves.
    ///
    /// # How messages are lost
    /// The master acknowledges before any slave has the message. When its disk dies then, or a slave takes over, what was acknowledged
    /// and not yet copied is gone.
    ///
    /// # Instead
    /// `brokerRole=SYNC_MASTER` with at least one slave, and on 5.x `inSyncReplicas=2` as well (RMB003).
    ///
    /// # Example
    /// `broker.conf`, found:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// brokerRole = ASYNC_MASTER
    /// ```
    /// `broker.conf`, clean:
    /// ```ini
    /// brokerClusterName = shop
    /// brokerName = broker-a
    /// brokerId = 0
    /// brokerRole = SYNC_MASTER
    /// inSyncReplicas = 2
    /// totalReplicas = 2
    /// ```
    ///
    /// # Source
    /// RocketMQ `MessageStoreConfig`: `ASYNC_MASTER` in every version.
    pub(crate) static RULE = {
        code: "RMB002",
        name: "async-master",
        title: "The master acknowledges before a slave has the message",
        evidence: &[Evidence::File, Evidence::Live],
        variants: &[],
        applies: &[Role::RocketBroker],
        check: check,
    };
}

fn check(judge: &mut Judge<'_>) {
    if is_on(judge, "enableDLegerCommitLog") || is_on(judge, "enableControllerMode") {
        return;
    }
    let role = judge.setting("brokerRole");
    if judge.text(&role).as_deref() != Some("ASYNC_MASTER") {
        return;
    }
    let at = judge.at(&role);
    judge.hit(
        at,
        Say {
            headline: format!("brokerRole is ASYNC_MASTER{}", because(&role)),
            label: "acknowledged with one copy".to_owned(),
            story: "The master acknowledges before any slave has the message; without a slave there never is a second copy. When its disk \
                    dies then, what it acknowledged alone is gone."
                .to_owned(),
            fix: "brokerRole=SYNC_MASTER with at least one slave, and on 5.x inSyncReplicas=2 as well".to_owned(),
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::audit::rules::testing::{found, undecided};

    #[test]
    fn asynchronous_masters() {
        let file = "broker.conf";
        assert_eq!(
            found("RMB002", file, "brokerName=a\nbrokerRole=ASYNC_MASTER"),
            ["high 2:1 brokerRole=ASYNC_MASTER"]
        );
        assert_eq!(found("RMB002", file, "brokerName=a"), ["high 1:1 brokerRole=(absent)"]);
        assert_eq!(
            found("RMB002", file, "brokerRole=sync_master"),
            ["high 1:1 brokerRole=sync_master"]
        );
        assert_eq!(undecided("RMB002", file, "brokerRole=${ROLE}").len(), 1);
    }

    #[test]
    fn other_roles_and_modes() {
        for text in [
            "brokerRole=SYNC_MASTER",
            "brokerRole=SLAVE",
            "brokerName=a\nenableControllerMode=true",
            "brokerName=a\nenableDLegerCommitLog=true",
        ] {
            assert!(found("RMB002", "broker.conf", text).is_empty(), "{text}");
        }
    }
}
