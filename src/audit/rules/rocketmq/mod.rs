//! Rules on Apache RocketMQ: brokers.

pub(crate) mod rmb001_flush;
pub(crate) mod rmb002_role;
pub(crate) mod rmb003_in_sync_replicas;
pub(crate) mod rmb007_ineffective;

use crate::audit::judge::Judge;

/// Whether a switch is on. What is filled in elsewhere counts as off here and as undecided in the rule that asks.
fn is_on(judge: &Judge<'_>, key: &'static str) -> bool {
    judge.setting(key).value.as_deref() == Ok("true")
}

/// What a setting that falls back to its default says about itself: ` (not set)`, ` (sync_flush is no value it knows)`.
fn because(setting: &crate::audit::resolve::Setting<'_>) -> String {
    match (setting.given, setting.ineffective) {
        (Some(_), _) => String::new(),
        (None, Some(fact)) => format!(
            " (`{}` is nothing that it takes, so the default runs)",
            fact.value.show()
        ),
        (None, None) => " (not set; the default)".to_owned(),
    }
}
