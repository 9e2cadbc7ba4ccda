//! Every rule, one line each.

use super::rule::Rule;
use super::rules::{cross, kafka, rabbitmq, rocketmq};

/// Every rule, in the order in which they are listed.
pub static RULES: [&Rule; 125] = [
    &kafka::kp001_acks::RULE,
    &kafka::kp002_idempotence::RULE,
    &kafka::kp003_retries::RULE,
    &kafka::kp004_delivery_timeout::RULE,
    &kafka::kp005_delivery_reports::RULE,
    &kafka::kp006_in_flight::RULE,
    &kafka::kp007_max_block::RULE,
    &kafka::kp008_transactions::RULE,
    &kafka::kp009_large_records::RULE,
    &kafka::kb000_single_broker::RULE,
    &kafka::kb001_replication_factor::RULE,
    &kafka::kb002_min_insync::RULE,
    &kafka::kb003_unclean_election::RULE,
    &kafka::kb004_data_directory::RULE,
    &kafka::kb005_auto_create::RULE,
    &kafka::kb006_offsets_topic::RULE,
    &kafka::kb007_internal_topics::RULE,
    &kafka::kb008_broker_retention::RULE,
    &kafka::kb009_offsets_retention::RULE,
    &kafka::kb010_rack::RULE,
    &kafka::kb011_controllers::RULE,
    &kafka::kb012_flush::RULE,
    &kafka::kb013_log_directories::RULE,
    &kafka::kt001_replication_factor::RULE,
    &kafka::kt002_min_insync::RULE,
    &kafka::kt003_in_sync_of_all::RULE,
    &kafka::kt004_unclean_election::RULE,
    &kafka::kt005_retention::RULE,
    &kafka::kt006_compaction::RULE,
    &kafka::kt007_timestamps::RULE,
    &kafka::kt008_partition_state::RULE,
    &kafka::kc001_auto_commit::RULE,
    &kafka::kc002_offset_reset::RULE,
    &kafka::kc003_offset_store::RULE,
    &kafka::kc004_poison_records::RULE,
    &kafka::kc005_isolation::RULE,
    &kafka::kc006_group::RULE,
    &kafka::kc007_share_groups::RULE,
    &kafka::kc008_idle_members::RULE,
    &kafka::kx001_tolerated_errors::RULE,
    &kafka::kx002_connect_and_streams::RULE,
    &kafka::kx003_mirror::RULE,
    &rabbitmq::rqp001_confirms::RULE,
    &rabbitmq::rqp002_mandatory::RULE,
    &rabbitmq::rqp003_persistence::RULE,
    &rabbitmq::rqp004_expiration::RULE,
    &rabbitmq::rqt001_transient_queue::RULE,
    &rabbitmq::rqt002_classic_queue::RULE,
    &rabbitmq::rqt003_mirroring::RULE,
    &rabbitmq::rqt004_transient_exchange::RULE,
    &rabbitmq::rqt005_overflow::RULE,
    &rabbitmq::rqt006_reject_publish_dlx::RULE,
    &rabbitmq::rqt007_message_ttl::RULE,
    &rabbitmq::rqt008_vanishing_queue::RULE,
    &rabbitmq::rqt009_dead_letters::RULE,
    &rabbitmq::rqt010_dead_letter_strategy::RULE,
    &rabbitmq::rqt011_delivery_limit::RULE,
    &rabbitmq::rqt012_quorum_size::RULE,
    &rabbitmq::rqt013_streams::RULE,
    &rabbitmq::rqt014_policy_effect::RULE,
    &rabbitmq::rqt015_members_away::RULE,
    &rabbitmq::rqb001_partitions::RULE,
    &rabbitmq::rqb002_data_directory::RULE,
    &rabbitmq::rqb003_disk_limit::RULE,
    &rabbitmq::rqb004_memory_watermark::RULE,
    &rabbitmq::rqb005_consumer_timeout::RULE,
    &rabbitmq::rqb006_cluster_size::RULE,
    &rabbitmq::rqb007_node_state::RULE,
    &rabbitmq::rqc001_auto_ack::RULE,
    &rabbitmq::rqc002_rejected::RULE,
    &rabbitmq::rqc003_prefetch::RULE,
    &rabbitmq::rqc004_early_ack::RULE,
    &rocketmq::rmp001_one_way::RULE,
    &rocketmq::rmp002_send_status::RULE,
    &rocketmq::rmp003_retries::RULE,
    &rocketmq::rmp004_wait::RULE,
    &rocketmq::rmb001_flush::RULE,
    &rocketmq::rmb002_role::RULE,
    &rocketmq::rmb003_in_sync_replicas::RULE,
    &rocketmq::rmb004_auto_in_sync::RULE,
    &rocketmq::rmb005_controller_mode::RULE,
    &rocketmq::rmb006_transient_pool::RULE,
    &rocketmq::rmb007_ineffective::RULE,
    &rocketmq::rmb008_store_path::RULE,
    &rocketmq::rmb009_reserved_time::RULE,
    &rocketmq::rmb010_unclean_master::RULE,
    &rocketmq::rmb011_dledger::RULE,
    &rocketmq::rmb012_timeouts::RULE,
    &rocketmq::rmb013_transactions::RULE,
    &rocketmq::rmt001_auto_create::RULE,
    &rocketmq::rmt002_queues::RULE,
    &rocketmq::rmc001_consume_from::RULE,
    &rocketmq::rmc002_broadcasting::RULE,
    &rocketmq::rmc003_subscriptions::RULE,
    &rocketmq::rmc004_reconsume::RULE,
    &rocketmq::rmc005_lite_pull::RULE,
    &cross::xk01_false_safety::RULE,
    &cross::xk02_bypassed::RULE,
    &cross::xk03_inherited_in_sync::RULE,
    &cross::xk04_more_copies_than_brokers::RULE,
    &cross::xk05_roles_differ::RULE,
    &cross::xk06_elr_and_dynamic::RULE,
    &cross::xk07_lag_and_retention::RULE,
    &cross::xk08_skipped_gap::RULE,
    &cross::xk09_transactions::RULE,
    &cross::xk10_request_timeout::RULE,
    &cross::xk11_record_size::RULE,
    &cross::xk12_contradiction::RULE,
    &cross::xk13_undeclared_topic::RULE,
    &cross::xk14_drift::RULE,
    &cross::xr01_reject_without_confirms::RULE,
    &cross::xr02_broken_chain::RULE,
    &cross::xr03_confirmed_unroutable::RULE,
    &cross::xr04_reject_into_nothing::RULE,
    &cross::xr05_at_least_once::RULE,
    &cross::xr06_requeue_loop::RULE,
    &cross::xr07_classic_in_cluster::RULE,
    &cross::xr08_work_and_timeout::RULE,
    &cross::xr09_drift::RULE,
    &cross::xm01_no_slave::RULE,
    &cross::xm02_bought_and_ignored::RULE,
    &cross::xm03_lag_and_files::RULE,
    &cross::xm04_weaker_slave::RULE,
    &cross::xm05_group_differs::RULE,
    &cross::xm06_drift::RULE,
];

/// The rules that are demonstrated: for each of them a test loses messages on a real broker with the value that the rule names, and
/// none with the value that it asks for. `tests/proof` holds these tests, and that this list is exactly theirs.
pub static DEMONSTRATED: [&str; 20] = [
    "KP001", "KT001", "KT002", "KT004", "KC001", "KC002", "KC003", "RQP001", "RQP002", "RQP003", "RQT001", "RQT005",
    "RQT007", "RQT008", "RQT009", "RQC001", "RMB001", "RMB002", "RMB003", "RMB006",
];

/// Whether a test shows that this rule is right.
pub fn is_demonstrated(rule: &Rule) -> bool {
    DEMONSTRATED.contains(&rule.code)
}

/// The rule of this code or name, in any case.
pub fn find(code_or_name: &str) -> Option<&'static Rule> {
    RULES
        .into_iter()
        .find(|r| r.code.eq_ignore_ascii_case(code_or_name) || r.name.eq_ignore_ascii_case(code_or_name))
}

/// Every name that a profile may give a severity to: codes, and codes with a variant.
pub fn profile_names() -> Vec<String> {
    let of = |r: &&'static Rule| {
        let variants = r.variants.iter().map(|v| format!("{}/{v}", r.code));
        std::iter::once(r.code.to_owned()).chain(variants).collect::<Vec<_>>()
    };
    RULES.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BUILT_IN, Profile};

    #[test]
    fn codes_and_names_are_unique_and_every_explanation_is_whole() {
        let mut codes: Vec<_> = RULES.iter().map(|r| r.code).collect();
        let mut names: Vec<_> = RULES.iter().map(|r| r.name).collect();
        codes.sort_unstable();
        codes.dedup();
        names.sort_unstable();
        names.dedup();
        assert_eq!((codes.len(), names.len()), (RULES.len(), RULES.len()));
        for rule in RULES {
            let text = rule.explanation();
            for heading in [
                "# What it finds",
                "# How messages are lost",
                "# Instead",
                "# Example",
                "# Source",
            ] {
                assert!(text.contains(heading), "{} has no {heading}", rule.code);
            }
            assert!(
                rule.name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            );
            assert!(!rule.applies.is_empty() && !rule.evidence.is_empty());
        }
    }

    #[test]
    fn what_is_demonstrated_is_a_rule_and_named_once() {
        let marked: Vec<_> = RULES.into_iter().filter(|r| is_demonstrated(r)).collect();
        assert_eq!(marked.len(), DEMONSTRATED.len());
    }

    #[test]
    fn every_choice_of_every_profile_has_its_reason() {
        for (name, text) in BUILT_IN {
            let choices = text.lines().zip(text.lines().skip(1));
            for (above, line) in
                choices.filter(|(_, line)| line.starts_with("  ") && !line.trim_start().starts_with('#'))
            {
                assert!(above.trim_start().starts_with("# "), "{name}: {line}");
            }
        }
    }

    #[test]
    fn every_rule_and_variant_stands_in_every_profile() {
        let names = profile_names();
        for (name, _) in BUILT_IN {
            match Profile::built_in(name, &names) {
                Ok(Some(profile)) => {
                    for rule in &names {
                        assert!(profile.names(rule), "{rule} is not in {name}");
                    }
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}
