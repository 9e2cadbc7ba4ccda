//! Profiles: the severity of every rule and the numbers that rules compare with, for one kind of work.

use super::near::near;
use super::{Level, Severity};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;

/// The profiles that come with the program: name and text.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("finance", include_str!("../../profiles/finance.yaml")),
    ("orders", include_str!("../../profiles/orders.yaml")),
    ("logs", include_str!("../../profiles/logs.yaml")),
];

/// What a profile of one's own starts from when it does not say.
const DEFAULT_BASE: &str = "orders";

/// The numbers that rules compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// The fewest copies of a partition.
    pub replication_factor: i64,
    /// The fewest copies that must have a record before it is acknowledged.
    pub min_insync_replicas: i64,
    /// The fewest retries of a producer.
    pub retries: i64,
    /// The shortest time a producer keeps trying, in milliseconds.
    pub delivery_timeout_ms: i64,
    /// The shortest time a Kafka topic keeps records, in hours.
    pub retention_hours: i64,
    /// The shortest time a RocketMQ broker keeps messages, in hours.
    pub rocketmq_reserved_hours: i64,
    /// How long a handler may work on one message, in milliseconds.
    pub work_ms: i64,
}

impl Thresholds {
    /// The shortest time a Kafka topic keeps records, in milliseconds.
    pub const fn retention_ms(&self) -> i64 {
        self.retention_hours.saturating_mul(3_600_000)
    }
}

/// What "safe" means for one kind of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The name of a built-in profile, or the path of another.
    pub name: String,
    /// The numbers.
    pub thresholds: Thresholds,
    levels: BTreeMap<String, Level>,
}

/// Why a profile cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Not the YAML of a profile; the words name the key and the line.
    #[error("{0}")]
    Syntax(String),
    /// A rule that does not exist.
    #[error("no rule `{0}`{suggestion}", suggestion = .1.as_ref().map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    UnknownRule(String, Option<String>),
    /// A base that does not exist.
    #[error("`extends: {0}` names no built-in profile (finance, orders, logs)")]
    UnknownBase(String),
    /// A number that makes no sense.
    #[error("`{0}` must be at least 1")]
    OutOfRange(&'static str),
    /// A number that a built-in profile must have.
    #[error("`thresholds.{0}` is missing")]
    Missing(&'static str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProfile {
    extends: Option<String>,
    #[serde(rename = "description")]
    _description: Option<String>,
    thresholds: Option<RawThresholds>,
    rules: Option<RawRules>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawThresholds {
    replication_factor: Option<i64>,
    min_insync_replicas: Option<i64>,
    retries: Option<i64>,
    delivery_timeout_ms: Option<i64>,
    retention_hours: Option<i64>,
    rocketmq_reserved_hours: Option<i64>,
    work_ms: Option<i64>,
}

/// A map that refuses a key that comes twice, because one of the two would silently not count.
struct RawRules(Vec<(String, Level)>);

impl<'de> Deserialize<'de> for RawRules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rules;
        impl<'de> Visitor<'de> for Rules {
            type Value = RawRules;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from rule to critical, high, medium, low, deny, warn or off")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawRules, A::Error> {
                let mut rules: Vec<(String, Level)> = Vec::new();
                while let Some((rule, level)) = map.next_entry::<String, Level>()? {
                    if rules.iter().any(|(known, _)| *known == rule) {
                        return Err(A::Error::custom(format!("rule `{rule}` is given twice")));
                    }
                    rules.push((rule, level));
                }
                Ok(RawRules(rules))
            }
        }
        deserializer.deserialize_map(Rules)
    }
}

impl Profile {
    /// One of the profiles that come with the program. `rules` are the names that a profile may give a severity to.
    ///
    /// # Errors
    /// `None` inside when there is none of this name; an error only when the shipped file itself is wrong, which a test excludes.
    pub fn built_in(name: &str, rules: &[String]) -> Result<Option<Profile>, ProfileError> {
        match BUILT_IN.iter().find(|(known, _)| *known == name) {
            None => Ok(None),
            Some((_, text)) => Profile::read(name, text, rules, None).map(Some),
        }
    }

    /// A profile of one's own. What it does not say is taken from the profile that it extends, `orders` unless it names another,
    /// so that a rule of a later version is not silently off.
    ///
    /// # Errors
    /// When the text is not the YAML of a profile, or names a rule that does not exist.
    pub fn parse(name: &str, text: &str, rules: &[String]) -> Result<Profile, ProfileError> {
        let raw = RawProfile::parse(text)?;
        let base_name = raw.extends.as_deref().unwrap_or(DEFAULT_BASE);
        let base =
            Profile::built_in(base_name, rules)?.ok_or_else(|| ProfileError::UnknownBase(base_name.to_owned()))?;
        Profile::read(name, text, rules, Some(base))
    }

    fn read(name: &str, text: &str, rules: &[String], base: Option<Profile>) -> Result<Profile, ProfileError> {
        let raw = RawProfile::parse(text)?;
        let given = raw.thresholds.unwrap_or_default();
        let base_numbers = base.as_ref().map(|b| b.thresholds);
        let number = |given: Option<i64>, base: Option<i64>, key: &'static str| {
            let n = given.or(base).ok_or(ProfileError::Missing(key))?;
            if n < 1 {
                Err(ProfileError::OutOfRange(key))
            } else {
                Ok(n)
            }
        };
        let thresholds = Thresholds {
            replication_factor: number(
                given.replication_factor,
                base_numbers.map(|b| b.replication_factor),
                "replication_factor",
            )?,
            min_insync_replicas: number(
                given.min_insync_replicas,
                base_numbers.map(|b| b.min_insync_replicas),
                "min_insync_replicas",
            )?,
            retries: number(given.retries, base_numbers.map(|b| b.retries), "retries")?,
            delivery_timeout_ms: number(
                given.delivery_timeout_ms,
                base_numbers.map(|b| b.delivery_timeout_ms),
                "delivery_timeout_ms",
            )?,
            retention_hours: number(
                given.retention_hours,
                base_numbers.map(|b| b.retention_hours),
                "retention_hours",
            )?,
            rocketmq_reserved_hours: number(
                given.rocketmq_reserved_hours,
                base_numbers.map(|b| b.rocketmq_reserved_hours),
                "rocketmq_reserved_hours",
            )?,
            work_ms: number(given.work_ms, base_numbers.map(|b| b.work_ms), "work_ms")?,
        };
        let mut levels = base.map(|b| b.levels).unwrap_or_default();
        let before = levels.clone();
        let given_rules = raw.rules.map(|r| r.0).unwrap_or_default();
        // Who sets a rule sets its variants too, unless they are named apart: `KP001: off` leaves no `KP001/acks-0` behind.
        levels.retain(|known, _| {
            known
                .split_once('/')
                .is_none_or(|(code, _)| !given_rules.iter().any(|(rule, _)| rule == code))
        });
        for (rule, level) in given_rules {
            if !rules.contains(&rule) {
                let close = near(&rule, rules.iter().map(String::as_str)).map(str::to_owned);
                return Err(ProfileError::UnknownRule(rule, close));
            }
            let base = before.get(&rule).or_else(|| before.get(rule.split('/').next()?));
            let level = level.over(base.copied());
            levels.insert(rule, level);
        }
        Ok(Profile {
            name: name.to_owned(),
            thresholds,
            levels,
        })
    }

    /// The severity of a rule, or of one of its variants (`KP001/acks-0`); `None` when it is off.
    /// A variant that the profile does not name has the severity of its rule.
    pub fn severity(&self, rule: &str) -> Option<Severity> {
        let level = self.levels.get(rule).or_else(|| {
            let (code, _) = rule.split_once('/')?;
            self.levels.get(code)
        });
        level.and_then(|l| l.severity())
    }

    /// Whether the profile itself names this rule or variant.
    pub fn names(&self, rule: &str) -> bool {
        self.levels.contains_key(rule)
    }
}

impl RawProfile {
    fn parse(text: &str) -> Result<RawProfile, ProfileError> {
        serde_yaml::from_str(text).map_err(|e| ProfileError::Syntax(hint(&e.to_string())))
    }
}

/// The keys that a profile and its thresholds may have.
const KEYS: [&str; 11] = [
    "extends",
    "description",
    "thresholds",
    "rules",
    "replication_factor",
    "min_insync_replicas",
    "retries",
    "delivery_timeout_ms",
    "retention_hours",
    "rocketmq_reserved_hours",
    "work_ms",
];

/// Adds to an error about an unknown key the one that was probably meant.
fn hint(error: &str) -> String {
    let unknown = error
        .split("unknown field `")
        .nth(1)
        .and_then(|rest| rest.split('`').next());
    match unknown.and_then(|key| near(key, KEYS.into_iter())) {
        Some(key) => format!("{error}; did you mean `{key}`?"),
        None => error.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Vec<String> {
        let text = BUILT_IN[1].1;
        RawProfile::parse(text)
            .ok()
            .and_then(|r| r.rules)
            .map(|r| r.0.into_iter().map(|(rule, _)| rule).collect())
            .unwrap_or_default()
    }

    #[test]
    fn a_profile_of_ones_own_extends_a_built_in_one() -> Result<(), ProfileError> {
        let p = Profile::parse(
            "mine.yaml",
            "extends: finance\nthresholds: {retries: 3}\nrules: {KP001: low}\n",
            &rules(),
        )?;
        assert_eq!(p.thresholds.retries, 3);
        assert_eq!(p.severity("KP001"), Some(Severity::Low));
        assert_eq!(p.severity("KP001/acks-0"), Some(Severity::Low));
        assert_eq!(p.severity("KC001"), Some(Severity::Critical));
        let words = Profile::parse(
            "mine.yaml",
            "extends: finance\nrules: {KP001: deny, KP002: warn, KP004: off, KP007: deny}\n",
            &rules(),
        )?;
        assert_eq!(words.severity("KP001"), Some(Severity::Critical));
        assert_eq!(words.severity("KP002"), Some(Severity::Low));
        assert_eq!(words.severity("KP004"), None);
        assert_eq!(words.severity("KP007"), Some(Severity::High));
        let empty = Profile::parse("mine.yaml", "{}", &rules())?;
        assert_eq!(
            Profile::built_in("orders", &rules())?.map(|o| o.thresholds),
            Some(empty.thresholds)
        );
        Ok(())
    }

    #[test]
    fn what_is_unknown_or_said_twice_is_named() {
        let error = |text: &str| {
            Profile::parse("p", text, &rules())
                .err()
                .map(|e| e.to_string())
                .unwrap_or_default()
        };
        assert!(
            error("rulez: {}").contains("did you mean `rules`"),
            "{}",
            error("rulez: {}")
        );
        assert!(error("thresholds: {retrys: 3}").contains("did you mean `retries`"));
        assert!(error("rules: {KP01: low}").contains("did you mean `KP001`"));
        assert!(error("rules: {XX999: low}").contains("XX999"));
        assert!(error("rules: {kp001: low}").contains("did you mean `KP001`"));
        assert!(error("rules: {KP001: severe}").contains("severe"));
        assert!(error("rules: {KP001: low, KP001: high}").contains("KP001"));
        assert!(error("thresholds: {retries: 0}").contains("retries"));
        assert!(error("extends: nothing").contains("nothing"));
        assert!(error("- a").contains("map") || !error("- a").is_empty());
    }
}
