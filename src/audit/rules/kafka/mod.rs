//! Rules on Apache Kafka: producers, brokers, consumers.

pub(super) mod cluster;
pub(crate) mod kb000_single_broker;
pub(crate) mod kb001_replication_factor;
pub(crate) mod kb002_min_insync;
pub(crate) mod kb003_unclean_election;
pub(crate) mod kb004_data_directory;
pub(crate) mod kb005_auto_create;
pub(crate) mod kb006_offsets_topic;
pub(crate) mod kb007_internal_topics;
pub(crate) mod kb008_broker_retention;
pub(crate) mod kb009_offsets_retention;
pub(crate) mod kb010_rack;
pub(crate) mod kb011_controllers;
pub(crate) mod kb012_flush;
pub(crate) mod kb013_log_directories;
pub(crate) mod kc001_auto_commit;
pub(crate) mod kc002_offset_reset;
pub(crate) mod kc003_offset_store;
pub(crate) mod kc004_poison_records;
pub(crate) mod kc005_isolation;
pub(crate) mod kc006_group;
pub(crate) mod kc007_share_groups;
pub(crate) mod kc008_idle_members;
pub(crate) mod kp001_acks;
pub(crate) mod kp002_idempotence;
pub(crate) mod kp003_retries;
pub(crate) mod kp004_delivery_timeout;
pub(crate) mod kp005_delivery_reports;
pub(crate) mod kp006_in_flight;
pub(crate) mod kp007_max_block;
pub(crate) mod kp008_transactions;
pub(crate) mod kp009_large_records;
pub(crate) mod kt001_replication_factor;
pub(crate) mod kt002_min_insync;
pub(crate) mod kt003_in_sync_of_all;
pub(crate) mod kt004_unclean_election;
pub(crate) mod kt005_retention;
pub(crate) mod kt006_compaction;
pub(crate) mod kt007_timestamps;
pub(crate) mod kt008_partition_state;
pub(crate) mod kx001_tolerated_errors;
pub(crate) mod kx002_connect_and_streams;
pub(crate) mod kx003_mirror;

use super::int_of;
use crate::audit::fact::{Fact, Layer, Subject, Unit};
use crate::audit::judge::Judge;
use crate::audit::resolve::Setting;
use crate::audit::role::Role;

/// Files of producers, whatever their language.
const PRODUCERS: &[Role] = &[Role::KafkaProducer, Role::LibrdkafkaProducer];
/// Files of consumers, whatever their language.
const CONSUMERS: &[Role] = &[Role::KafkaConsumer, Role::LibrdkafkaConsumer];

/// Whether a consumer's file leaves the group to the code. Then the code may set what else is absent, so that proves less.
fn group_is_set_elsewhere(judge: &Judge<'_>) -> bool {
    judge.setting("group.id").given.is_none()
}

/// The topics of an application. The broker's own follow the broker's settings, and KB006 and KB007 speak of them.
pub(super) fn topics(unit: &Unit) -> impl Iterator<Item = &Subject> {
    unit.subjects_of(Layer::Topic).filter(|t| !t.name.starts_with("__"))
}

/// The copies that a topic asks for itself; `None` when it leaves that to the broker.
pub(super) fn replicas<'a>(judge: &mut Judge<'a>, topic: &Subject) -> Option<(&'a Fact, i64)> {
    int_of(judge, topic, "replication.factor").filter(|(_, n)| *n > 0)
}

/// How long the records of a broker's topics are kept, in milliseconds, and the key that says so. `None` inside means for ever.
fn broker_retention_ms<'a>(judge: &mut Judge<'a>) -> Option<(Setting<'a>, Option<i64>)> {
    const KEYS: [(&str, i64); 3] = [
        ("log.retention.ms", 1),
        ("log.retention.minutes", 60_000),
        ("log.retention.hours", 3_600_000),
    ];
    KEYS.into_iter().find_map(|(key, unit)| {
        let (setting, n) = judge.written_int(key)?;
        Some((setting, (n >= 0).then(|| n.saturating_mul(unit))))
    })
}

/// A time as a person says it.
pub(super) fn days_or_hours(ms: i64) -> String {
    const HOUR: i64 = 3_600_000;
    match ms {
        ms if ms % (24 * HOUR) == 0 && ms > 0 => format!("{} d", ms / (24 * HOUR)),
        ms if ms >= HOUR => format!("{} h", ms / HOUR),
        ms => format!("{} s", ms / 1000),
    }
}
