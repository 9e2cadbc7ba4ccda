//! Rules on Apache RocketMQ: brokers.

pub(crate) mod rmb001_flush;
pub(crate) mod rmb002_role;
pub(crate) mod rmb003_in_sync_replicas;
pub(crate) mod rmb004_auto_in_sync;
pub(crate) mod rmb005_controller_mode;
pub(crate) mod rmb006_transient_pool;
pub(crate) mod rmb007_ineffective;
pub(crate) mod rmb008_store_path;
pub(crate) mod rmb009_reserved_time;
pub(crate) mod rmb010_unclean_master;
pub(crate) mod rmb011_dledger;
pub(crate) mod rmb012_timeouts;
pub(crate) mod rmb013_transactions;
pub(crate) mod rmc001_consume_from;
pub(crate) mod rmc002_broadcasting;
pub(crate) mod rmc003_subscriptions;
pub(crate) mod rmc004_reconsume;
pub(crate) mod rmc005_lite_pull;
pub(crate) mod rmp001_one_way;
pub(crate) mod rmp002_send_status;
pub(crate) mod rmp003_retries;
pub(crate) mod rmp004_wait;
pub(crate) mod rmt001_auto_create;
pub(crate) mod rmt002_queues;

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
