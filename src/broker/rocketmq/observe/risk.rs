//! What the death of a master, with its disk, could take.

use super::super::route;
use super::config::Config;
use crate::audit::live::Loss;
use serde::Deserialize;

/// A master and its slaves, as the master sees them (`GET_BROKER_HA_STATUS`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct HaStatus {
    pub(super) slaves: Vec<Slave>,
}

/// One connected slave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Slave {
    addr: String,
    /// How many bytes it says that it has.
    slave_ack_offset: i64,
    /// How many bytes it is behind.
    diff: i64,
    in_sync: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct HaText {
    ha_connection_info: Vec<Slave>,
}

impl HaStatus {
    /// # Errors
    /// That it cannot be read.
    pub(super) fn parse(body: &[u8]) -> Result<HaStatus, String> {
        let text: HaText = route::parse(body)?;
        Ok(HaStatus {
            slaves: text.ha_connection_info,
        })
    }

    /// Whether some slave has everything; true where there is none, which is told otherwise.
    pub(super) fn is_followed(&self) -> bool {
        self.slaves.is_empty() || self.slaves.iter().any(|slave| slave.diff <= 0)
    }

    /// Whether, as `later` says, some slave has everything that the master had at this moment. Under load every slave is behind by what
    /// was written just now; one that is new is behind by what was acknowledged long ago, and passes this point late.
    pub(super) fn is_reached(&self, later: &HaStatus) -> bool {
        let ends = self.slaves.iter().map(|s| s.slave_ack_offset.saturating_add(s.diff));
        let end = ends.max().unwrap_or(0);
        later.slaves.iter().any(|slave| slave.slave_ack_offset >= end)
    }
}

/// A master, with everything that decides whether others have what it acknowledged.
#[derive(Debug)]
pub(super) struct Master {
    /// `broker-a at 10.0.0.1:10911`.
    pub(super) node: String,
    pub(super) release: Option<(u16, u16, u16)>,
    pub(super) config: Config,
    /// `None` when it could not be asked.
    pub(super) ha: Option<HaStatus>,
    /// Whether some slave has everything that the master had when it was asked; false only where that is certain.
    pub(super) is_followed: bool,
    /// How many slaves there are, by connection, else by route.
    pub(super) slaves: usize,
    pub(super) topics: Vec<String>,
}

impl Master {
    /// Its topics, when what they acknowledged may be here alone. `in_sync`: the size of its sync state set, where there is a controller.
    pub(super) fn losses(&self, in_sync: Option<usize>, is_asked: impl Fn(&str) -> bool) -> Vec<Loss> {
        let Some(why) = self.alone(in_sync) else {
            return Vec::new();
        };
        let topics = self.topics.iter().filter(|topic| is_asked(topic));
        topics
            .map(|topic| Loss {
                name: topic.clone(),
                why: why.clone(),
            })
            .collect()
    }

    /// Why acknowledged messages may be on this master alone; `None` when they never are.
    fn alone(&self, in_sync: Option<usize>) -> Option<String> {
        let config = &self.config;
        if config.is_on("enableDLegerCommitLog") {
            let peers = config.get("dLegerPeers").split(';').filter(|p| !p.trim().is_empty());
            return match peers.count() {
                0 | 1 => Some("a DLedger group of one has the only copy".to_owned()),
                _ => None,
            };
        }
        if self.slaves == 0 {
            return Some(format!("no slave is connected: the only copy{}", self.flush()));
        }
        let controlled = config.is_on("enableControllerMode");
        if controlled && config.is_on("allAckInSyncStateSet") {
            return match in_sync {
                Some(n) if n > 1 => None,
                Some(_) => Some("the sync state set is the master alone".to_owned()),
                // Without the controller's word the least that the master may go down to counts.
                None if config.number("minInSyncReplicas", 1) >= 2 => None,
                None => Some("the sync state set may be the master alone".to_owned()),
            };
        }
        let behind = self.behind();
        if !controlled && config.get("brokerRole") != "SYNC_MASTER" {
            return Some(format!(
                "{} acknowledges before a slave has it{behind}",
                config.get("brokerRole")
            ));
        }
        // What was acknowledged before this slave came.
        if !self.is_followed {
            return Some(format!("no slave has everything yet{behind}"));
        }
        // 4.x waits for one slave, and knows no numbers.
        if self.release.is_some_and(|r| r.0 < 5) {
            return None;
        }
        let mut copies = config.number("inSyncReplicas", 1);
        if config.is_on("enableAutoInSyncReplicas") {
            let there = self
                .ha
                .as_ref()
                .map(|ha| ha.slaves.iter().filter(|s| s.in_sync).count());
            let there = i64::try_from(there.unwrap_or(0)).unwrap_or(i64::MAX).saturating_add(1);
            // `CommitLog.calcNeedAckNums`: what is there, and not less than the least.
            copies = copies.min(there).max(config.number("minInSyncReplicas", 1));
        }
        (copies < 2).then(|| format!("acknowledged when {copies} copy is written, the master's own{behind}"))
    }

    /// Whether the only copy is on its disk when it is acknowledged.
    fn flush(&self) -> &'static str {
        match self.config.get("flushDiskType") {
            "ASYNC_FLUSH" => ", and not flushed when it is acknowledged (ASYNC_FLUSH)",
            _ => "",
        }
    }

    /// How far the best slave is behind.
    fn behind(&self) -> String {
        let best = self.ha.as_ref().and_then(|ha| ha.slaves.iter().min_by_key(|s| s.diff));
        match best {
            Some(slave) if slave.diff > 0 => format!("; the slave at {} is {} bytes behind", slave.addr, slave.diff),
            Some(_) | None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(config: &str, slaves: &[(i64, bool)], release: u16, in_sync: Option<usize>) -> Option<String> {
        let slaves: Vec<Slave> = slaves
            .iter()
            .map(|(diff, in_sync)| Slave {
                addr: "s:1".to_owned(),
                slave_ack_offset: 100 - diff,
                diff: *diff,
                in_sync: *in_sync,
            })
            .collect();
        let master = Master {
            node: "b at h:1".to_owned(),
            release: Some((release, 0, 0)),
            config: Config::parse(config.replace(' ', "\n").as_bytes()),
            slaves: slaves.len(),
            is_followed: HaStatus { slaves: slaves.clone() }.is_followed(),
            ha: Some(HaStatus { slaves }),
            topics: vec!["orders".to_owned()],
        };
        master.alone(in_sync)
    }

    #[test]
    fn what_only_the_master_has() {
        let safe = "brokerRole=SYNC_MASTER inSyncReplicas=2";
        assert_eq!(alone(safe, &[(0, true)], 5, None), None);
        assert_eq!(
            alone(safe, &[], 5, None).as_deref(),
            Some("no slave is connected: the only copy")
        );
        assert_eq!(
            alone("brokerRole=SYNC_MASTER inSyncReplicas=1", &[(0, true)], 5, None).as_deref(),
            Some("acknowledged when 1 copy is written, the master's own")
        );
        assert_eq!(alone("brokerRole=SYNC_MASTER", &[(0, true)], 4, None), None);
        assert!(alone("brokerRole=ASYNC_MASTER", &[(0, true)], 4, None).is_some());
        let lowered = "brokerRole=SYNC_MASTER inSyncReplicas=2 enableAutoInSyncReplicas=true minInSyncReplicas=1";
        assert_eq!(alone(lowered, &[(0, true)], 5, None), None);
        assert!(alone(lowered, &[(9, false)], 5, None).is_some());
        assert!(
            alone("brokerRole=ASYNC_MASTER flushDiskType=ASYNC_FLUSH", &[], 5, None)
                .is_some_and(|w| w.contains("flushed"))
        );
    }

    #[test]
    fn a_slave_that_has_not_everything_yet_is_no_copy() {
        for (config, release) in [
            ("brokerRole=SYNC_MASTER inSyncReplicas=2", 5),
            ("brokerRole=SYNC_MASTER", 4),
        ] {
            assert_eq!(
                alone(config, &[(7, true)], release, None).as_deref(),
                Some("no slave has everything yet; the slave at s:1 is 7 bytes behind")
            );
        }
        let at = |slave_ack_offset, diff| HaStatus {
            slaves: vec![Slave {
                slave_ack_offset,
                diff,
                ..Slave::default()
            }],
        };
        // Written meanwhile: the master is at 120 now.
        assert!(at(90, 10).is_reached(&at(100, 20)));
        assert!(!at(90, 10).is_reached(&at(99, 21)));
        assert!(!at(90, 10).is_reached(&HaStatus::default()));
    }

    #[test]
    fn groups_that_vote_and_controllers() {
        assert!(alone("enableDLegerCommitLog=true dLegerPeers=n0-h:1", &[], 5, None).is_some());
        assert_eq!(
            alone(
                "enableDLegerCommitLog=true dLegerPeers=n0-h:1;n1-h:2;n2-h:3",
                &[],
                5,
                None
            ),
            None
        );
        let controlled = "enableControllerMode=true allAckInSyncStateSet=true brokerRole=SYNC_MASTER";
        assert_eq!(alone(controlled, &[(0, true)], 5, Some(2)), None);
        assert!(alone(controlled, &[(0, true)], 5, Some(1)).is_some());
        assert!(alone(controlled, &[(0, true)], 5, None).is_some());
        assert_eq!(
            alone(&format!("{controlled} minInSyncReplicas=2"), &[(0, true)], 5, None),
            None
        );
    }
}
