//! Rules that join layers: what each file says is sound by itself, and together they lose messages.

mod common;
pub(crate) mod xk01_false_safety;
pub(crate) mod xk02_bypassed;
pub(crate) mod xk03_inherited_in_sync;
pub(crate) mod xk04_more_copies_than_brokers;
pub(crate) mod xk05_roles_differ;
pub(crate) mod xk06_elr_and_dynamic;
pub(crate) mod xk07_lag_and_retention;
pub(crate) mod xk08_skipped_gap;
pub(crate) mod xk09_transactions;
pub(crate) mod xk10_request_timeout;
pub(crate) mod xk11_record_size;
pub(crate) mod xk12_contradiction;
pub(crate) mod xk13_undeclared_topic;
pub(crate) mod xk14_drift;
pub(crate) mod xm01_no_slave;
pub(crate) mod xm02_bought_and_ignored;
pub(crate) mod xm03_lag_and_files;
pub(crate) mod xm04_weaker_slave;
pub(crate) mod xm05_group_differs;
pub(crate) mod xm06_drift;
pub(crate) mod xr01_reject_without_confirms;
pub(crate) mod xr02_broken_chain;
pub(crate) mod xr03_confirmed_unroutable;
pub(crate) mod xr04_reject_into_nothing;
pub(crate) mod xr05_at_least_once;
pub(crate) mod xr06_requeue_loop;
pub(crate) mod xr07_classic_in_cluster;
pub(crate) mod xr08_work_and_timeout;
pub(crate) mod xr09_drift;

use crate::audit::role::Role;
use common::{acks, producers, topic_min_insync, unconfirmed};

/// Files of producers, whatever their language.
const PRODUCERS: &[Role] = &[Role::KafkaProducer, Role::LibrdkafkaProducer];
/// Files of consumers, whatever their language.
const CONSUMERS: &[Role] = &[Role::KafkaConsumer, Role::LibrdkafkaConsumer];
