//! What a RocketMQ broker knows of its `broker.conf`.
//!
//! The list holds every setter of `BrokerConfig`, `BrokerIdentity`, `MessageStoreConfig`, the two netty configurations and `AuthConfig`
//! in releases 4.3.0 to 5.3.3, with the kind of its value and whether only 5.x has it, and the two names that `BrokerStartup` reads
//! itself. The loader (`MixAll.properties2Object`) compares names exactly and swallows every exception: what it does not know or
//! cannot parse keeps its default without a word.

use std::collections::HashMap;
use std::sync::LazyLock;

const LIST: &str = include_str!("rocketmq_broker.keys");

/// What the loader does with the text of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `Integer.parseInt`, `Long.parseLong`.
    Integer,
    /// `Double.parseDouble`.
    Decimal,
    /// `Boolean.parseBoolean`: `true` in any case, everything else is false.
    Boolean,
    /// Taken as it is.
    Text,
    /// `BrokerRole.valueOf`.
    Role,
    /// `FlushDiskType.valueOf`.
    Flush,
}

/// One key that some release knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// What its value is.
    pub kind: Kind,
    /// Whether no 4.x release has it.
    pub since_5: bool,
}

/// Keys that decide whether messages survive: a misspelt one is worse than another.
pub(crate) const DURABILITY: [&str; 19] = [
    "allAckInSyncStateSet",
    "brokerRole",
    "cleanFileForciblyEnable",
    "deleteWhen",
    "diskMaxUsedSpaceRatio",
    "enableAutoInSyncReplicas",
    "enableControllerMode",
    "enableDLegerCommitLog",
    "enableSlaveActingMaster",
    "fileReservedTime",
    "flushDiskType",
    "flushIntervalCommitLog",
    "inSyncReplicas",
    "minInSyncReplicas",
    "storePathCommitLog",
    "storePathRootDir",
    "syncFlushTimeout",
    "totalReplicas",
    "transientStorePoolEnable",
];

static KEYS: LazyLock<HashMap<&'static str, Known>> = LazyLock::new(|| {
    LIST.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (name, kind, since) = (words.next()?, words.next()?, words.next()?);
            let kind = match kind {
                "i" => Kind::Integer,
                "d" => Kind::Decimal,
                "b" => Kind::Boolean,
                "r" => Kind::Role,
                "f" => Kind::Flush,
                _ => Kind::Text,
            };
            Some((
                name,
                Known {
                    kind,
                    since_5: since == "5",
                },
            ))
        })
        .collect()
});

/// What is known of a key, compared exactly as the broker does.
pub(crate) fn known(key: &str) -> Option<Known> {
    KEYS.get(key).copied()
}

static LOWER: LazyLock<HashMap<String, &'static str>> =
    LazyLock::new(|| KEYS.keys().map(|k| (k.to_ascii_lowercase(), *k)).collect());

/// What the broker runs when a key is absent or not taken, the same in every release. Only for keys that rules ask for.
pub(crate) fn default(key: &str) -> &'static str {
    match key {
        "flushDiskType" => "ASYNC_FLUSH",
        "brokerRole" => "ASYNC_MASTER",
        "inSyncReplicas" | "minInSyncReplicas" | "totalReplicas" => "1",
        "fileReservedTime" => "72",
        "syncFlushTimeout" => "5000",
        "slaveTimeout" => "3000",
        "transactionCheckMax" => "15",
        "transactionTimeOut" => "6000",
        "autoCreateTopicEnable" | "autoCreateSubscriptionGroup" | "cleanFileForciblyEnable" => "true",
        _ => "false",
    }
}

/// The key that is the same but for the case of its letters.
pub(crate) fn same_in_another_case(key: &str) -> Option<&'static str> {
    LOWER.get(&key.to_ascii_lowercase()).copied()
}

/// The key that was probably meant: the one nearest in spelling, if any is near.
pub(crate) fn nearest(key: &str) -> Option<&'static str> {
    let allowed = match key.len() {
        0..6 | 65.. => return None,
        6..12 => 1,
        _ => 2,
    };
    let lower = key.to_ascii_lowercase();
    LOWER
        .iter()
        .filter(|(known, _)| known.len().abs_diff(lower.len()) <= allowed)
        .map(|(known, name)| (distance(lower.as_bytes(), known.as_bytes()), *name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// How many letters must be inserted, deleted, replaced or swapped with their neighbour.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let mut d = (last[j] + usize::from(ca != cb)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *ca == b[j - 1] && a[i - 1] == *cb {
                d = d.min(before[j - 1] + 1);
            }
            row.push(d);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

/// What a value comes to in the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taken {
    /// This value.
    Value(String),
    /// This value from 5.2 on, which trims; the default before.
    TrimmedSince52(String),
    /// The default, silently.
    Ignored,
}

/// What the loader makes of a text.
pub(crate) fn take(kind: Kind, text: &str) -> Taken {
    let whole = |ok: bool| {
        if ok {
            Taken::Value(text.to_owned())
        } else {
            Taken::Ignored
        }
    };
    let one_of = |names: &[&str]| {
        let trimmed = text.trim();
        match (names.contains(&trimmed), trimmed == text) {
            (true, true) => Taken::Value(text.to_owned()),
            (true, false) => Taken::TrimmedSince52(trimmed.to_owned()),
            (false, _) => Taken::Ignored,
        }
    };
    match kind {
        Kind::Text => Taken::Value(text.trim().to_owned()),
        Kind::Integer => whole(text.parse::<i64>().is_ok()),
        // Java also takes a type suffix and white space around a decimal number.
        Kind::Decimal => whole(
            text.trim()
                .trim_end_matches(['d', 'D', 'f', 'F'])
                .parse::<f64>()
                .is_ok(),
        ),
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Taken::Value("true".to_owned()),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Taken::Value("false".to_owned()),
        Kind::Boolean => Taken::Ignored,
        Kind::Role => one_of(&["ASYNC_MASTER", "SYNC_MASTER", "SLAVE"]),
        Kind::Flush => one_of(&["SYNC_FLUSH", "ASYNC_FLUSH"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole_and_holds_what_rules_ask_for() {
        assert_eq!(KEYS.len(), LIST.lines().count());
        for key in DURABILITY {
            assert!(known(key).is_some(), "{key}");
        }
        assert_eq!(known("inSyncReplicas").map(|k| k.since_5), Some(true));
        assert_eq!(known("slaveReadEnable").map(|k| k.since_5), Some(false));
        assert_eq!(known("flushdisktype"), None);
    }

    #[test]
    fn what_was_meant() {
        assert_eq!(same_in_another_case("flushdisktype"), Some("flushDiskType"));
        assert_eq!(same_in_another_case("flushDiskTyp"), None);
        assert_eq!(nearest("flushDiskTyp"), Some("flushDiskType"));
        assert_eq!(nearest("inSyncReplica"), Some("inSyncReplicas"));
        assert_eq!(nearest("borkerRole"), Some("brokerRole"));
        assert_eq!(nearest("somethingElse"), None);
    }

    #[test]
    fn values_as_the_loader_takes_them() {
        assert_eq!(take(Kind::Flush, "sync_flush"), Taken::Ignored);
        assert_eq!(
            take(Kind::Flush, "SYNC_FLUSH "),
            Taken::TrimmedSince52("SYNC_FLUSH".to_owned())
        );
        assert_eq!(take(Kind::Boolean, "True"), Taken::Value("true".to_owned()));
        assert_eq!(take(Kind::Boolean, "yes"), Taken::Ignored);
        assert_eq!(take(Kind::Integer, "48h"), Taken::Ignored);
        assert_eq!(take(Kind::Integer, "48 "), Taken::Ignored);
    }
}
